"""One time step of an LSTM, with torch's signature."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from . import init
from .checks import as_float, generator, size
from .checks import dtype as check_dtype
from .module import Module, once
from .parameter import Parameter
from .scratch import Lease

__all__ = ["LSTMCell"]

State = tuple[np.ndarray, np.ndarray]


class LSTMCell(Module):
    """One step of an LSTM; the equations are those of `LSTM`.

    Parameters
    ----------
    input_size, hidden_size : int
        I and H.
    bias : bool
        Whether there are biases.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's: uniform within ±1/√H.

    Attributes
    ----------
    weight_ih, weight_hh : Parameter, (4H, I) and (4H, H)
    bias_ih, bias_hh : Parameter, (4H,), or None

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, another dtype.

    Examples
    --------
    >>> h, c = LSTMCell(10, 20, seed=0)(np.ones((3, 10)))
    >>> h.shape
    (3, 20)
    """

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: Any = np.float32,
        seed: Any = None,
    ) -> None:
        self.input_size = size("input_size", input_size)
        self.hidden_size = size("hidden_size", hidden_size)
        self.dtype = check_dtype(dtype)
        rows = 4 * self.hidden_size
        self.weight_ih = Parameter(np.empty((rows, self.input_size), self.dtype))
        self.weight_hh = Parameter(np.empty((rows, self.hidden_size), self.dtype))
        self.bias_ih = Parameter(np.empty(rows, self.dtype)) if bias else None
        self.bias_hh = Parameter(np.empty(rows, self.dtype)) if bias else None
        init.reset_recurrent_(self, self.hidden_size, seed=generator(seed))

    def __call__(self, x: Any, hx: tuple[Any, Any] | None = None) -> State:
        """Take one step and keep nothing.

        Parameters
        ----------
        x : array_like, (B, I) or (I,)
        hx : (h, c), optional
            (B, H) each, or (H,); zeros where not given.

        Returns
        -------
        h, c : numpy.ndarray, (B, H) or (H,) each

        Raises
        ------
        TypeError, ValueError
            Naming x, h0 or c0.
        """
        from . import layer

        x, initial, batched = self._arguments(x, hx)
        final = self._new_state(x)
        y = np.empty((1, x.shape[1], self.hidden_size), x.dtype)
        layer.infer(self.weights(), x, initial, False, y, 0, final)
        return self._as_given(final, batched)

    def vjp(
        self, x: Any, hx: tuple[Any, Any] | None = None
    ) -> tuple[State, Callable[..., tuple[np.ndarray, State]]]:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        (h, c)
            As from a call.
        pullback : callable ((dh, dc)) -> dx, (dh_prev, dc_prev)
            Takes the cotangents of h and c, either of them None for zero; adds to every
            parameter's gradient. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, h0 or c0; the pullback's name dh or dc.
        """
        from . import layer, layer_backward

        x, initial, batched = self._arguments(x, hx)
        w, lease, final = self.weights(), Lease(), self._new_state(x)
        y = lease.array((1, x.shape[1], self.hidden_size), x.dtype)
        saved = layer.forward(w, x, initial, False, y, 0, final, lease)

        def pullback(dstate: tuple[Any, Any]) -> tuple[np.ndarray, State]:
            if not isinstance(dstate, (tuple, list)) or len(dstate) != 2:
                raise TypeError(f"dstate: expected a pair (dh, dc), got {type(dstate).__name__}")
            dh, dc = (
                None if d is None else self._state(name, d, x, batched)
                for name, d in zip(("dh", "dc"), dstate)
            )
            before = self._new_state(x)
            dx = np.empty(x.shape, x.dtype)
            layer_backward.backward(w, saved, None, 0, dh, dc, before, dx)
            lease.release()
            return dx[0] if batched else dx[0, 0], self._as_given(before, batched)

        return self._as_given(final, batched), once(pullback)

    def _arguments(self, x: Any, hx: Any) -> tuple[np.ndarray, State | None, bool]:
        """x as (1, B, I), the states as (B, H), and whether there was a batch."""
        x = as_float("x", x, self.dtype)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x: expected shape (B, {self.input_size}) or ({self.input_size},), got {x.shape}"
            )
        batched = x.ndim == 2
        x = x.reshape(1, len(x) if batched else 1, self.input_size)
        if hx is None:
            return x, None, batched
        if not isinstance(hx, (tuple, list)) or len(hx) != 2:
            raise TypeError(f"hx: expected a pair (h, c), got {type(hx).__name__}")
        h, c = (self._state(name, value, x, batched) for name, value in zip(("h0", "c0"), hx))
        return x, (h, c), batched

    def _state(self, name: str, value: Any, x: np.ndarray, batched: bool) -> np.ndarray:
        shape = (x.shape[1], self.hidden_size)
        return as_float(name, value, self.dtype, shape=shape[not batched :]).reshape(shape)

    def _new_state(self, x: np.ndarray) -> State:
        shape = (x.shape[1], self.hidden_size)
        return np.empty(shape, x.dtype), np.empty(shape, x.dtype)

    @staticmethod
    def _as_given(state: State, batched: bool) -> State:
        return state if batched else (state[0][0], state[1][0])

    def weights(self) -> Any:
        """The cell's `layer.Weights`, anew when a parameter is exchanged."""
        from .layer import Weights

        found = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        cached = self.__dict__.get("_weights")
        if cached is None or cached[0] != found:
            cached = self._weights = (found, Weights(*found))
        return cached[1]

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        bias = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}"
