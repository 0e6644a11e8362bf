"""A pullback that answers one call only."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

__all__ = ["once"]


class once:
    """Wrap a pullback so that it answers one call only.

    A pullback may overwrite what the forward pass saved, so a second answer would be wrong. After a
    call that was refused (ValueError or TypeError, which come before anything is computed) it may
    be called again. After an answer the wrapped function is let go, and what it saved with it.

    Parameters
    ----------
    fn : callable
        The pullback.

    Raises
    ------
    RuntimeError
        By the call after the one that was answered, or while another thread's is being answered.

    Examples
    --------
    >>> pullback = once(lambda dy: 2 * dy)
    >>> pullback(3)
    6
    """

    __slots__ = ("__weakref__", "_fn", "_lock")

    def __init__(self, fn: Callable[..., Any]) -> None:
        self._fn: Callable[..., Any] | None = fn
        self._lock = threading.Lock()

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Answer, if no call was answered before.

        Parameters
        ----------
        *args, **kwargs
            What `fn` takes.

        Returns
        -------
        object
            What `fn` gives.

        Raises
        ------
        RuntimeError
            If a call was answered already.
        """
        with self._lock:
            fn, self._fn = self._fn, None
        if fn is None:
            raise RuntimeError(
                "this pullback has been called already; call vjp again for another backward pass"
            )
        try:
            return fn(*args, **kwargs)
        except (TypeError, ValueError):
            self._fn = fn
            raise
