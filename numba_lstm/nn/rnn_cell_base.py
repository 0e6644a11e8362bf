"""What LSTMCell, GRUCell and RNNCell share: one time step, with torch's parameter names."""

from __future__ import annotations

from typing import Any, Generic, TypeVar

import numpy as np

from ..checks import as_float, flag, generator, size
from ..checks import dtype as check_dtype
from ..parameters.exchanged import check_parameters
from ..parameters.parameter import Parameter
from ..parameters.scratch import Lease
from ..parameters.versions import Versions
from ..recurrent.states import as_state, pair_or_one
from ..recurrent.steps import whole
from ..typing import ArrayLike, CellPullback, DTypeLike, Seed
from . import init
from .module import Module
from .pullback import once

__all__ = ["RNNCellBase"]


# A state as it is given, as its cotangent is given, and as it is returned.
Given = TypeVar("Given")
Cotangent = TypeVar("Cotangent")
Taken = TypeVar("Taken")


class RNNCellBase(Module, Generic[Given, Cotangent, Taken]):
    """One step; a subclass says of which cell, as one of `RNNBase` does."""

    GATES: int
    STATES: tuple[str, ...] = ("h0",)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.input_size = size("input_size", input_size)
        self.hidden_size = size("hidden_size", hidden_size)
        # Else RNNCell(I, H, "relu"), which is meant as a nonlinearity, is a tanh cell with biases.
        bias = flag("bias", bias)
        self.dtype = check_dtype(dtype)
        rows = self.GATES * self.hidden_size
        self.weight_ih = Parameter(np.empty((rows, self.input_size), self.dtype))
        self.weight_hh = Parameter(np.empty((rows, self.hidden_size), self.dtype))
        self.bias_ih = Parameter(np.empty(rows, self.dtype)) if bias else None
        self.bias_hh = Parameter(np.empty(rows, self.dtype)) if bias else None
        init.reset_recurrent_(self, self.hidden_size, seed=generator(seed))

    def cell(self) -> Any:
        """Give the `kernels.loops.cell.Cell`, which is imported late, as it needs numba."""
        raise NotImplementedError(f"{type(self).__name__} does not define cell")

    def __call__(self, x: ArrayLike, h: Given | None = None) -> Taken:
        """Take one step and keep nothing.

        Parameters
        ----------
        x : array_like, (B, I) or (I,)
        h : array_like, (B, H) or (H,), optional
            Zeros where not given.

        Returns
        -------
        h : numpy.ndarray, (B, H) or (H,)

        Raises
        ------
        TypeError, ValueError
            Naming x or h0.
        """
        from ..recurrent.direction import DirectionCall, infer

        x, initial, batched = self._arguments(x, h)
        final = self._new_states(x)
        y = np.empty((x.shape[0], self.hidden_size), x.dtype)
        steps, ends = whole(1, x.shape[0]), (final[0], final[-1])
        infer(DirectionCall(self.weights(), steps, False, x, initial, y, 0, ends))
        return self._as_given(final, batched)

    def vjp(
        self, x: ArrayLike, h: Given | None = None
    ) -> tuple[Taken, CellPullback[Cotangent, Taken]]:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        h
            As from a call.
        pullback : callable (dh) -> dx, dh_prev
            Adds to every parameter's gradient. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x or h0; the pullback's name dh.
        """
        from ..recurrent.direction import DirectionCall, forward
        from ..recurrent.direction_backward import Cotangents, backward

        x, initial, batched = self._arguments(x, h)
        w, lease, final = self.weights(), Lease(), self._new_states(x)
        y = lease.array((x.shape[0], self.hidden_size), x.dtype)
        steps, ends = whole(1, x.shape[0]), (final[0], final[-1])
        saved = forward(DirectionCall(w, steps, False, x, initial, y, 0, ends), lease)

        versions = Versions(w.parameters)

        def pullback(dstate: Any) -> tuple[np.ndarray, Any]:
            names = [f"d{name[0]}" for name in self.STATES]
            given = [
                None if d is None else self._state(name, d, x, batched)
                for name, d in zip(names, pair_or_one("dstate", names, dstate))
            ]
            versions.check()
            before = self._new_states(x)
            dx = np.empty(x.shape, x.dtype)
            cotangents = Cotangents(None, 0, given[0], given[-1])
            backward(w, saved, cotangents, dx, (before[0], before[-1]))
            lease.release()
            return dx if batched else dx[0], self._as_given(before, batched)

        return self._as_given(final, batched), once(pullback)

    def _arguments(
        self, x: Any, hx: Any
    ) -> tuple[np.ndarray, tuple[np.ndarray, np.ndarray] | None, bool]:
        """x as (B, I), the states as (B, H), and whether there was a batch."""
        x = as_float("x", x, self.dtype)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x: expected shape (B, {self.input_size}) or ({self.input_size},), got {x.shape}"
            )
        batched = x.ndim == 2
        x = x.reshape(len(x) if batched else 1, self.input_size)
        if hx is None:
            return x, None, batched
        words = [name[0] for name in self.STATES]
        states = [
            self._state(name, value, x, batched)
            for name, value in zip(self.STATES, pair_or_one("hx", words, hx))
        ]
        return x, (states[0], states[-1]), batched

    def _state(self, name: str, value: Any, x: np.ndarray, batched: bool) -> np.ndarray:
        shape = (x.shape[0], self.hidden_size)
        given = x.shape[not batched :]
        state = as_state(name, value, self.dtype, shape[not batched :], ("x", given))
        return state.reshape(shape)

    def _new_states(self, x: np.ndarray) -> list[np.ndarray]:
        return [np.empty((x.shape[0], self.hidden_size), x.dtype) for _ in self.STATES]

    @staticmethod
    def _as_given(states: list[np.ndarray], batched: bool) -> Any:
        if not batched:
            states = [state[0] for state in states]
        return tuple(states) if len(states) == 2 else states[0]

    def weights(self) -> Any:
        """The cell's `weights.Weights`, anew when a parameter is exchanged.

        Raises
        ------
        TypeError, ValueError
            Naming a parameter that was exchanged for one that does not fit.
        """
        from ..recurrent.weights import DirectionParameters, Weights

        found = (self.weight_ih, self.weight_hh, self.bias_ih, self.bias_hh)
        # Ids, as what stands there may be an array, whose == is another.
        key = (cell := self.cell(), *map(id, found))
        cached = self.__dict__.get("_weights")
        if cached is None or cached[0] != key:
            names = "weight_ih", "weight_hh", "bias_ih", "bias_hh"
            rows = self.GATES * self.hidden_size
            shapes = (rows, self.input_size), (rows, self.hidden_size), None, None
            check_parameters(dict(zip(names, found)), shapes, self.dtype)
            cached = self._weights = (key, Weights(cell, DirectionParameters(*found)))
        return cached[1]

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        bias = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}"
