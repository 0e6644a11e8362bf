"""What the tests of time loops share: a call, and the arrays that it saved as NumPy sees them."""

from __future__ import annotations

from typing import Any

import numpy as np
from family_tool import given

from numba_lstm.recurrent.call import Call
from numba_lstm.simd import TARGET


def kept_by(module: Any, case: Any) -> tuple[Call, list[Any]]:
    """A call forward of a module of one layer, and a `direction.Saved` for each direction."""
    call = Call(module, given(case.states), x=case.x)
    call.forward()
    return call, [one.saved for one in call.layers[0].directions]


def back(call: Call, case: Any) -> Any:
    return call.backward(case.dy, given(case.dstates))


def slots_of(z: np.ndarray, rows: int) -> np.ndarray:
    """Panels (P, ≥ rows, 4·V) of one vector of units each, as (4, rows, P·V) of float64."""
    panels, _, width = z.shape
    with np.errstate(invalid="ignore"):  # what no gate has is whatever stood in the memory
        wide = z[:, :rows].astype("f8")
    parts = wide.reshape(panels, rows, 4, width // 4)
    return parts.transpose(2, 1, 0, 3).reshape(4, rows, -1)


def states_of(saved: Any, width: int) -> np.ndarray:
    """h as each row's step read it, and behind them the last ones: (N + B, width) of float64."""
    return saved.u[:, saved.h_column : saved.h_column + width].astype("f8")


def of_direction(module: Any, number: int) -> dict[str, np.ndarray]:
    """The parameters of one direction by their names without its tail, float64."""
    tail = ("_l0", "_l0_reverse")[number]
    return {
        name.removesuffix(tail): p.numpy().astype("f8")
        for name, p in module.named_parameters()
        if name.endswith(tail)
    }


def lanes_of(dtype: Any) -> int:
    return TARGET.lanes(np.dtype(dtype).itemsize)
