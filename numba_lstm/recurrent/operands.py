"""The arrays that kernels read of one direction's parameters, cached and packed when stale."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..kernels.blocks import strips_of_panel
from ..kernels.loops.cell import NORMALISED
from ..parameters import epochs
from ..parameters.aligned import empty
from ..parameters.packed import of_two, packed_columns, zero_bias
from ..quiet import add_into
from ..simd import PANEL
from .weights import Operands, Weights, no_items

__all__ = [
    "operands",
    "packed_bias",
    "packed_constants",
    "packed_weights",
    "w_hh_columns",
    "w_ih_columns",
]


def operands(w: Weights) -> Operands:
    """`packed_weights`, `packed_bias` and `packed_constants`, looked at anew in a new epoch."""
    found = w.operands
    if found is None or found.epoch != epochs.epoch:
        epoch = epochs.epoch
        found = Operands(epoch, packed_weights(w), packed_bias(w), packed_constants(w))
        w.operands = found
    return found


def w_ih_columns(w: Weights) -> np.ndarray:
    """W_ih as the operand of dz·W_ih, with a row for each item of dz that the inputs reach."""

    def make() -> np.ndarray:
        rows = w.panels * w.cell.windows[0] * w.lanes
        return packed_columns(w.w_ih, w.cell.gates, w.cell.x_columns, rows)

    found = w.columns_ih = _of_now(w.columns_ih, make)
    return found[1]


def w_hh_columns(w: Weights) -> np.ndarray:
    """The same of W_hh and the state."""

    def make() -> np.ndarray:
        rows = w.panels * w.cell.windows[2] * w.lanes
        return packed_columns(w.w_hh, w.cell.gates, w.cell.h_columns, rows)

    found = w.columns_hh = _of_now(w.columns_hh, make)
    return found[1]


def _of_now(
    found: tuple[int, np.ndarray] | None, make: Callable[[], np.ndarray]
) -> tuple[int, np.ndarray]:
    """What was found, or in a new epoch what `make` gives; with the epoch."""
    if found is not None and found[0] == epochs.epoch:
        return found
    epoch = epochs.epoch
    return epoch, make()


def packed_weights(w: Weights) -> np.ndarray:
    """W_ih above W_hh in packed rows (strips, I + S, strip·V), cached."""
    key = "rows of both", w.cell.name

    def make() -> np.ndarray:
        cell, inputs = w.cell, w.inputs
        shape = w.panels * strips_of_panel(cell.strip), inputs + w.size, cell.strip * w.lanes
        *_, old = w.w_ih.stale(key) or (None,)
        out = old if old is not None and old.shape == shape else empty(shape, w.w_ih.dtype)
        nt = threads.threads_for(tuning.PACK_WORK * out.size)
        pack.pack_rows(nt, w.w_ih.values_for_kernel(), cell.gates, cell.x_packed, 0, out)
        pack.pack_rows(nt, w.w_hh.values_for_kernel(), cell.gates, cell.h_packed, inputs, out)
        return out

    return of_two(w.w_ih, w.w_hh, key, make)


def packed_bias(w: Weights) -> np.ndarray:
    """b_ih + b_hh in the order of the packed rows, cached in b_ih; zeros without biases."""
    b_ih, b_hh = w.b_ih, w.b_hh
    if b_ih is None or b_hh is None:
        return zero_bias(w.w_hh.dtype, w.panels)

    def make() -> np.ndarray:
        total = np.zeros(w.panels * PANEL * w.lanes, w.w_hh.dtype)
        of_x, of_h = w.bias_places
        total[of_x] = b_ih.numpy()
        both = total[of_h]
        add_into(both, b_hh.numpy())
        total[of_h] = both
        return total.reshape(w.panels, -1)

    return of_two(b_ih, b_hh, ("sum", w.cell.name), make)


def packed_constants(w: Weights) -> np.ndarray:
    """What a cell's gates read of each unit beside z, cached; empty for a cell without."""
    rows = w.cell.constants
    if not rows:
        return no_items(w.w_hh.dtype)
    if w.cell.form == NORMALISED:
        return pack.pack_constants(_norm_numbers(w), w.padded, w.lanes)

    def make(a: np.ndarray) -> np.ndarray:
        out = np.zeros((rows, w.hidden), a.dtype)
        weights = rows - len(w.settings)
        if w.w_unit is not None:
            out[:weights] = a.reshape(weights, w.hidden)
        with np.errstate(over="ignore"):  # a clip of 1e300 is none in float32
            out[weights:] = np.reshape(w.settings, (-1, 1))
        return pack.pack_constants(out, w.padded, w.lanes)

    owner = w.w_hh if w.w_unit is None else w.w_unit
    return owner.packed(("constants", w.settings), make)


def _norm_numbers(w: Weights) -> np.ndarray:
    """The gains of x and of h in the order of the slots, g_c and b_c; zeros for what is not there.

    Small, and of four parameters: made anew when any parameter changes.
    """
    cell = w.cell
    out = np.zeros((cell.constants, w.hidden), w.w_hh.dtype)
    for start, p, order in ((0, w.ln_ih, cell.x_order), (cell.slots, w.ln_hh, cell.h_order)):
        assert p is not None
        out[start : start + cell.slots][order >= 0] = p.numpy().reshape(-1, w.hidden)[
            order[order >= 0]
        ]
    for at, p in enumerate((w.ln_c, w.b_ln_c), 2 * cell.slots):
        if p is not None:
            out[at] = p.numpy()
    return out
