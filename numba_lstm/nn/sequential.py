"""Modules one after the other."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable
from typing import Any, overload

from ..typing import Array, ArrayLike
from .module import Module
from .numbered import Numbered, as_modules
from .pullback import once
from .rnn_base import RNNBase

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
    **Recurrent modules** return ``(y, state)``. Of an `LSTM`, `GRU` or `RNN` before the last module
    y goes on, and the state is let go; it starts from zeros at each call. As the last module it
    gives the whole tuple, as with torch, and the pullback then takes its cotangents
    ``(dy, dstate)``. With torch a recurrent module can only be the last one.

    **Lengths** go to every module whose `vjp` takes an argument of that name: recurrent ones,
    Sequentials that hold some, and modules of one's own. All others compute what stands after a
    sequence's end, too: `Linear` gives its bias there. A loss leaves it out by a ``sample_weight``
    of ``losses.masked(lengths, T)``.

    Examples
    --------
    >>> import numpy as np
    >>> from numba_lstm import nn
    >>> model = nn.Sequential(nn.Embedding(65, 16), nn.Dropout(0.2))
    >>> len(model), model[-1]
    (2, Dropout(p=0.2))
    >>> tagger = nn.Sequential(nn.Embedding(65, 16), nn.LSTM(16, 32), nn.Linear(32, 5))
    >>> tagger(np.zeros((7, 2), int), lengths=[7, 4]).shape
    (7, 2, 5)
    """

    def __init__(self, *modules: Module) -> None:
        if not modules:
            raise ValueError("modules: expected at least one module, got none")
        self._set_all(as_modules("modules", modules))

    def __call__(self, x: ArrayLike, lengths: ArrayLike | None = None) -> Array | Any:
        """Apply all modules in turn.

        Parameters
        ----------
        x : array_like
            What the first module takes.
        lengths : array_like of int, (B,), optional
            How long each sequence is, for the modules that take it.

        Returns
        -------
        object
            What the last module returns.

        Raises
        ------
        TypeError
            If a module before the last returns a tuple and is no recurrent one, or if no module
            takes lengths and some were given.
        """
        options = self._options(lengths)
        for k, module in enumerate(self):
            x = module(self._one_array(k, x), **options[k])
        return x

    def vjp(
        self, x: ArrayLike, lengths: ArrayLike | None = None
    ) -> tuple[Array | Any, Callable[..., Array | Any]]:
        """Apply all modules in turn, and return the output with a pullback.

        Parameters
        ----------
        x, lengths
            As for a call.

        Returns
        -------
        output : object
            What the last module's `vjp` gives.
        pullback : callable
            Takes the last module's cotangents and returns what the first module's pullback returns:
            dx, (dx, dstate) where it is a recurrent one, or None after an Embedding.

        Raises
        ------
        TypeError
            As a call.
        """
        pullbacks = []
        options = self._options(lengths)
        for k, module in enumerate(self):
            x, pull = module.vjp(self._one_array(k, x), **options[k])
            pullbacks.append(pull)

        def pullback(*cotangents: Any, **named: Any) -> Any:
            result = pullbacks[-1](*cotangents, **named)
            for pull in reversed(pullbacks[:-1]):
                # A recurrent module gives (dx, dstate); only dx belongs to the module before it.
                result = pull(result[0] if isinstance(result, tuple) else result)
            return result

        return x, once(pullback)

    def _one_array(self, k: int, x: Any) -> Any:
        """What module `k` takes of what the one before it returned."""
        if k == 0 or not isinstance(x, tuple):
            return x
        before = self[k - 1]
        if _is_recurrent(before):
            return x[0]
        raise TypeError(
            f"Sequential: module {k - 1} ({type(before).__name__}) returned a tuple, and module "
            f"{k} ({type(self[k]).__name__}) takes one array. Only of an LSTM, a GRU or an RNN "
            "y is passed on: put it last, or write a Module that returns one array"
        )

    def _options(self, lengths: Any) -> list[dict[str, Any]]:
        """The further arguments of each module."""
        if lengths is None:
            return [{}] * len(self)
        takes = [_takes_lengths(module) for module in self]
        if not any(takes):
            raise TypeError("lengths: expected None, as no module of this Sequential takes lengths")
        return [{"lengths": lengths} if one else {} for one in takes]

    @overload
    def __getitem__(self, key: int) -> Module: ...

    @overload
    def __getitem__(self, key: slice) -> Sequential: ...

    def __getitem__(self, key: int | slice) -> Module:
        """Return a module, or for a slice a Sequential of the same modules."""
        found = self._list()[key]
        return Sequential(*found) if isinstance(found, list) else found


def _is_recurrent(module: Module) -> bool:
    """Whether it returns (y, state), of which y goes on to the next module."""
    if isinstance(module, Sequential):
        return _is_recurrent(module[-1])
    return isinstance(module, RNNBase) or bool(getattr(module, "_gives_state", False))


def _takes_lengths(module: Module) -> bool:
    if isinstance(module, Sequential):
        return any(map(_takes_lengths, module))
    kind: Any = type(module)
    return _has_lengths(kind)


@functools.cache
def _has_lengths(kind: Any) -> bool:
    return "lengths" in inspect.signature(kind.vjp).parameters
