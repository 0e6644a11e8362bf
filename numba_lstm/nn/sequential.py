"""Modules one after the other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, overload

from ..typing import Array, ArrayLike
from .module import Module
from .numbered import Numbered, as_modules
from .pullback import once

__all__ = ["Sequential"]


class Sequential(Numbered):
    """Feed each module's output to the next.

    Parameters
    ----------
    *modules : Module
        Named "0", "1", … in this order. At least one.

    Raises
    ------
    TypeError
        If one is no Module.
    ValueError
        If there is none.

    Notes
    -----
    A recurrent module returns a tuple ``(y, state)``, so it can only be the last one, as with
    torch: the output is then that tuple, and the pullback takes its cotangents ``(dy, dstate)``.

    Examples
    --------
    >>> from numba_lstm import nn
    >>> model = nn.Sequential(nn.Embedding(65, 16), nn.Dropout(0.2))
    >>> len(model), model[-1]
    (2, Dropout(p=0.2))
    """

    def __init__(self, *modules: Module) -> None:
        if not modules:
            raise ValueError("modules: expected at least one module, got none")
        self._set_all(as_modules("modules", modules))

    def __call__(self, x: ArrayLike) -> Array | Any:
        """Apply all modules in turn.

        Parameters
        ----------
        x : array_like
            What the first module takes.

        Returns
        -------
        object
            What the last module returns.

        Raises
        ------
        TypeError
            If a module before the last returns a tuple, as recurrent ones do.
        """
        for k, module in enumerate(self):
            x = module(self._one_array(k, x))
        return x

    def vjp(self, x: ArrayLike) -> tuple[Array | Any, Callable[..., Array | Any]]:
        """Apply all modules in turn, and return the output with a pullback.

        Parameters
        ----------
        x
            As for a call.

        Returns
        -------
        output : object
            What the last module's `vjp` gives.
        pullback : callable
            Takes the last module's cotangents and returns what the first module's pullback returns:
            dx, or None after an Embedding.

        Raises
        ------
        TypeError
            If a module before the last returns a tuple, as recurrent ones do.
        """
        pullbacks = []
        for k, module in enumerate(self):
            x, pull = module.vjp(self._one_array(k, x))
            pullbacks.append(pull)

        def pullback(*cotangents: Any, **named: Any) -> Any:
            result = pullbacks[-1](*cotangents, **named)
            for pull in reversed(pullbacks[:-1]):
                # A recurrent module gives (dx, dstate); only dx belongs to the module before it.
                result = pull(result[0] if isinstance(result, tuple) else result)
            return result

        return x, once(pullback)

    def _one_array(self, k: int, x: Any) -> Any:
        if k > 0 and isinstance(x, tuple):
            before = type(self[k - 1]).__name__
            raise TypeError(
                f"Sequential: module {k - 1} ({before}) returned a tuple, and module {k} "
                f"({type(self[k]).__name__}) takes one array. A recurrent module returns "
                "(output, state): put it last, or write a Module that passes the output on"
            )
        return x

    @overload
    def __getitem__(self, key: int) -> Module: ...

    @overload
    def __getitem__(self, key: slice) -> Sequential: ...

    def __getitem__(self, key: int | slice) -> Module:
        """Return a module, or for a slice a Sequential of the same modules."""
        found = self._list()[key]
        return Sequential(*found) if isinstance(found, list) else found
