"""One step of a cell: arguments checked, the step run, backward kept at hand.

A `CellCall` lives as long as the pullback that belongs to it. This file imports numba, which takes
half a second, so that only a cell's first call may import it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import as_float
from ..parameters.scratch import Lease
from ..parameters.versions import Versions
from .direction import DirectionCall, Saved, as_tuple, forward, infer
from .direction_backward import Cotangents, backward
from .states import as_state, pair_or_one
from .steps import whole
from .token_ids import NO_TOKENS

__all__ = ["CellCall"]

# States as a cell's caller gives and gets them: a pair for an LSTM, one state for cells without c.
CallerState = Any


class CellCall:
    """Arguments of one step of a cell, in the kernels' form, and then what backward needs.

    Parameters
    ----------
    module : nn.rnn_cell_base.RNNCellBase
    x : array_like, (B, I) or (I,)
    hx
        The states before, (B, H) or (H,) each; None for zeros.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, or a parameter that was exchanged for one that does not fit.
    """

    __slots__ = (
        "given",
        "initial",
        "lease",
        "module",
        "saved",
        "shape",
        "versions",
        "weights",
        "x",
    )

    def __init__(self, module: Any, x: Any, hx: Any) -> None:
        x = as_float("x", x, module.dtype)
        inputs = module.input_size
        if x.ndim not in (1, 2) or x.shape[-1] != inputs:
            raise ValueError(f"x: expected shape (B, {inputs}) or ({inputs},), got {x.shape}")
        self.module, self.given = module, x.shape
        self.x = x if x.ndim == 2 else x.reshape(1, inputs)
        self.shape = self.x.shape[0], module.hidden_size
        self.initial: tuple[np.ndarray, np.ndarray] | None = None
        if hx is not None:
            names = module.STATES
            values = pair_or_one("hx", [name[0] for name in names], hx)
            states = [self._state(name, value) for name, value in zip(names, values)]
            self.initial = states[0], states[-1]
        (self.weights,) = module.weights()

    def _state(self, name: str, value: Any) -> np.ndarray:
        """A state or a state's cotangent as (B, H)."""
        dtype, about = self.module.dtype, ("x", self.given)
        if len(self.given) == 2:
            return as_state(name, value, dtype, self.shape, about)
        return as_state(name, value, dtype, self.shape[1:], about).reshape(self.shape)

    def infer(self) -> CallerState:
        """Take the step and keep nothing."""
        finals = self._new_states()
        infer(self._direction(finals))
        return self._as_given(finals)

    def forward(self) -> CallerState:
        """Take the step and keep what `backward` needs."""
        finals = self._new_states()
        self.lease = Lease()
        self.saved: Saved = forward(self._direction(finals), self.lease)
        self.versions = Versions(self.weights.present)
        return self._as_given(finals)

    def backward(self, dstate: Any) -> tuple[np.ndarray, CallerState]:
        """The pullback of `forward`: dstate -> dx, dinitial."""
        names = [f"d{name[0]}" for name in self.module.STATES]
        given = [
            None if d is None else self._state(name, d)
            for name, d in zip(names, pair_or_one("dstate", names, dstate))
        ]
        self.versions.check()
        dx, before = np.empty(self.x.shape, self.x.dtype), self._new_states()
        cotangents = as_tuple(Cotangents, (None, 0, given[0], given[-1], None))
        backward(self.weights, self.saved, cotangents, dx, (before[0], before[-1]))
        self.lease.release()
        return dx if len(self.given) == 2 else dx[0], self._as_given(before)

    def _direction(self, finals: list[np.ndarray]) -> DirectionCall:
        # Of a single step y is the last h. That is written last of all, and y is not read.
        steps, y, ends = whole(1, self.shape[0]), finals[0], (finals[0], finals[-1])
        call = self.weights, steps, False, self.x, self.initial, y, 0, ends, None, NO_TOKENS, None
        return as_tuple(DirectionCall, call)

    def _new_states(self) -> list[np.ndarray]:
        return [np.empty(self.shape, self.x.dtype) for _ in self.module.STATES]

    def _as_given(self, states: list[np.ndarray]) -> CallerState:
        if len(self.given) == 1:
            states = [state[0] for state in states]
        return tuple(states) if len(states) == 2 else states[0]
