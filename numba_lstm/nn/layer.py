"""One direction of one recurrent layer, forward: from parameters and arrays to kernel calls.

Arrays come here checked, C-contiguous and of one dtype. Nothing is kept but packed weights, which
live in their parameters; what `layer_backward` needs is in the `Saved` that `forward` returns.
"""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..kernels.cell import NORMALISED, PLAIN, RESET_BEFORE, Cell
from ..kernels.forward import FUSED, PROJECTED, TOKENS
from ..kernels.gemm import gemm
from ..kernels.normalised import Norm
from ..kernels.rows import Masks
from ..kernels.schedule import Schedule, choose, input_source
from ..kernels.second_product import Second
from ..simd import PANEL, TARGET
from . import parameter
from .parameter import Parameter
from .scratch import Lease
from .steps import Steps

NO_TOKENS = np.zeros(0, np.int64)

State = tuple[np.ndarray, np.ndarray]


class Weights:
    """The parameters of one direction, the sizes that follow from them, and plans already made.

    Attributes
    ----------
    cell : Cell
        Of G gates.
    w_ih, w_hh : Parameter, (G·H, I) and (G·H, size)
    b_ih, b_hh : Parameter, (G·H,), or None
    w_hr : Parameter, (size, H), or None
    w_unit : Parameter, (k·H,), or None
        Weights of a cell with constants, which come before its settings.
    ln_ih, ln_hh, ln_c, b_ln_c : Parameter, (G·H,), (G·H,), (H,), (H,), or None
        Gains, and the last one the bias, of a cell that is layer-normalised.
    settings : tuple of float
        Constants of a cell that are the same for all units.
    inputs, hidden, size : int
        I, H, and the size of h: H where it is not projected.
    lanes, panels : int
        V, and the P panels that hold the units.
    padded, padded_h : int
        H with the units of padding, and the columns that h takes.
    plans : dict
        How to run, by shape.
    operands : tuple
        The epoch, and `packed_weights`, `packed_bias` and `packed_constants` of then.
    """

    __slots__ = (
        "b_hh",
        "b_ih",
        "b_ln_c",
        "cell",
        "hidden",
        "inputs",
        "lanes",
        "ln_c",
        "ln_hh",
        "ln_ih",
        "operands",
        "padded",
        "padded_h",
        "panels",
        "plans",
        "settings",
        "size",
        "w_hh",
        "w_hr",
        "w_ih",
        "w_unit",
    )

    def __init__(
        self,
        cell: Cell,
        w_ih: Parameter,
        w_hh: Parameter,
        b_ih: Parameter | None = None,
        b_hh: Parameter | None = None,
        w_hr: Parameter | None = None,
        w_unit: Parameter | None = None,
        ln_ih: Parameter | None = None,
        ln_hh: Parameter | None = None,
        ln_c: Parameter | None = None,
        b_ln_c: Parameter | None = None,
        *,
        settings: tuple[float, ...] = (),
    ) -> None:
        self.cell, self.w_hr, self.w_unit, self.settings = cell, w_hr, w_unit, settings
        self.w_ih, self.w_hh, self.b_ih, self.b_hh = w_ih, w_hh, b_ih, b_hh
        self.ln_ih, self.ln_hh, self.ln_c, self.b_ln_c = ln_ih, ln_hh, ln_c, b_ln_c
        self.inputs = w_ih.shape[1]
        self.hidden = w_hh.shape[0] // cell.gates
        self.lanes = TARGET.lanes(w_hh.dtype.itemsize)
        self.panels = cell.panels(self.hidden, self.lanes)
        self.size = w_hh.shape[1]
        self.padded = cell.padded(self.hidden, self.lanes)
        self.padded_h = cell.padded_h(self.size, self.lanes)
        self.plans: dict[Any, _Plan] = {}
        self.operands: tuple[int, Any, Any, Any] = (-1, None, None, None)

    def parameters(self) -> tuple[Parameter | None, ...]:
        """All, in the order in which they are given."""
        return (
            self.w_ih, self.w_hh, self.b_ih, self.b_hh, self.w_hr, self.w_unit,
            self.ln_ih, self.ln_hh, self.ln_c, self.b_ln_c,
        )  # fmt: skip

    @property
    def last_gate(self) -> int:
        """Where the last gate's rows begin."""
        return self.hidden * (self.cell.gates - 1)

    def with_w_hh(self, w_hh: Parameter) -> Weights:
        """Give the same with other recurrent weights."""
        _, _, *others = self.parameters()
        return Weights(self.cell, self.w_ih, w_hh, *others, settings=self.settings)


def _buffer(p: Parameter, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Where to pack to: the array that held the older values if there is one."""
    old = p.stale(key)
    return np.empty(shape, p.dtype) if old is None else old


def packed_rows(w: Parameter, start: int = 0) -> np.ndarray:
    """A plain matrix, from row `start` on, as the operand of x·Wᵀ, cached in the parameter."""
    key = "rows", start

    def make(a: np.ndarray) -> np.ndarray:
        a = a[start:]
        shape = pack.packed_rows_shape(1, a.shape[0], a.shape[1], TARGET.lanes(a.itemsize))
        out = _buffer(w, key, shape)
        nt = threads.threads_for(tuning.PACK_WORK * a.size)
        pack.pack_rows(nt, a, 1, pack.PLAIN, 0, out)
        return out

    return w.packed(key, make)


def _of_two(first: Parameter, second: Parameter, key: Any, make: Callable[[], Any]) -> Any:
    """What is made of two parameters, cached in the first beside the second and its version."""
    # The second itself, not its id: after it is gone another parameter may get that.
    other, version, value = first.packed(key, lambda a: (None, 0, None))
    if other is None or other() is not second or version != second.version:
        version, value = second.version, make()
        first.repack(key, (weakref.ref(second), version, value))
    return value


def packed_weights(w: Weights) -> np.ndarray:
    """W_ih above W_hh in packed rows (P, I + H, PANEL·V), cached."""
    key = "rows of both", w.cell.name

    def make() -> np.ndarray:
        cell, inputs = w.cell, w.inputs
        shape = w.panels, inputs + w.size, PANEL * w.lanes
        *_, old = w.w_ih.stale(key) or (None,)
        out = old if old is not None and old.shape == shape else np.empty(shape, w.w_ih.dtype)
        nt = threads.threads_for(tuning.PACK_WORK * out.size)
        pack.pack_rows(nt, w.w_ih.values_for_kernel(), cell.gates, cell.x_order, 0, out)
        pack.pack_rows(nt, w.w_hh.values_for_kernel(), cell.gates, cell.h_order, inputs, out)
        return out

    return _of_two(w.w_ih, w.w_hh, key, make)


def packed_columns(
    w: Parameter, gates: int, order: np.ndarray, rows: int, start: int = 0
) -> np.ndarray:
    """A weight, from row `start` on, as the operand of dz·W, of `rows` packed rows; cached."""

    def make(a: np.ndarray) -> np.ndarray:
        a = a[start:]
        v = TARGET.lanes(a.itemsize)
        out = _buffer(w, key, pack.packed_columns_shape(rows, a.shape[1], v))
        nt = threads.threads_for(tuning.PACK_WORK * a.size)
        pack.pack_columns(nt, a, gates, order, out)
        return out

    # A tied weight is packed in one way here and another there.
    key = ("columns", gates, order.tobytes(), rows, start)
    return w.packed(key, make)


def packed_bias(w: Weights) -> np.ndarray:
    """b_ih + b_hh in the order of the packed rows, cached in b_ih; zeros without biases."""
    b_ih, b_hh, cell = w.b_ih, w.b_hh, w.cell
    if b_ih is None or b_hh is None:
        return w.w_hh.packed(
            ("no bias", w.panels), lambda a: np.zeros((w.panels, PANEL * w.lanes), a.dtype)
        )
    return _of_two(
        b_ih,
        b_hh,
        ("sum", cell.name),
        lambda: (
            pack.pack_bias(b_ih.numpy(), cell.gates, cell.x_order, w.lanes)
            + pack.pack_bias(b_hh.numpy(), cell.gates, cell.bias_order, w.lanes)
        ),
    )


_no_constants = {np.dtype(t): np.empty((0, 0), t) for t in (np.float32, np.float64)}


def packed_constants(w: Weights) -> np.ndarray:
    """What a cell's gates read of each unit beside z, cached; empty for a cell without."""
    rows = w.cell.constants
    if not rows:
        return _no_constants[w.w_hh.dtype]
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


def _operands(w: Weights) -> tuple[int, np.ndarray, np.ndarray, np.ndarray]:
    """The epoch, `packed_weights`, `packed_bias` and `packed_constants`."""
    found = w.operands
    if found[0] != parameter.epoch:
        epoch = parameter.epoch
        found = w.operands = (epoch, packed_weights(w), packed_bias(w), packed_constants(w))
    return found


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


_no_rows = {np.dtype(t): np.empty((0, 0), t) for t in (np.float32, np.float64)}


def no_masks(w: Weights) -> Masks:
    """Arrays without items, for nothing."""
    none = _no_rows[w.w_hh.dtype]
    return Masks(none.reshape(-1), none, none, none, none)


def hidden_from_product(
    w: Weights,
    keep: np.ndarray | None,
    drop: np.ndarray | None,
    zoneout: tuple[np.ndarray | None, np.ndarray | None] = (None, None),
) -> Masks | None:
    """The masks of one direction, `drop` (B, size of h) with its padding; None for none at all."""
    given = (keep, drop, *zoneout)
    if all(mask is None for mask in given):
        return None
    none = no_masks(w)
    if drop is not None:
        drop = np.pad(drop, ((0, 0), (0, w.padded_h - w.size)))
    named = zip(Masks._fields, (keep, drop, *zoneout))
    return none._replace(**{name: mask for name, mask in named if mask is not None})


def _some(masks: Masks | None, rows: slice) -> Masks | None:
    """The same of some rows."""
    if masks is None:
        return None
    zones = (zone[rows] if len(zone) > 1 else zone for zone in (masks.zone_h, masks.zone_c))
    return Masks(masks.keep[rows], masks.drop, *zones, masks.fresh)


class Saved(NamedTuple):
    """What one direction's backward pass needs, on loan."""

    steps: Steps
    x: np.ndarray  # (N, I), or of no columns for tokens
    tokens: np.ndarray  # (N,) or empty
    z: np.ndarray  # (P, ≥ N, PANEL·V), what the cell saved
    u: np.ndarray  # (N + B, padded H, or I more before it), x and h_prev
    c: np.ndarray  # (N + B, padded H), or of no columns
    own: Any  # a cell's own arrays
    reverse: bool
    masks: Masks | None

    @property
    def no_rows(self) -> np.ndarray:
        """An array of the right type for what is not there."""
        return _no_rows[self.z.dtype]


def _gates_rows(rows: int) -> int:
    """Rows of a panel of saved gates, a few more to spread the panels over the cache's sets."""
    if rows < tuning.GATES_ROW_MULTIPLE:
        return rows
    return rows + (tuning.GATES_ROW_REST - rows) % tuning.GATES_ROW_MULTIPLE


def step_flops(w: Weights, batch: int, inputs: int) -> float:
    return 2.0 * batch * w.panels * PANEL * w.lanes * (w.size + inputs)


def project(
    x: np.ndarray, rows: int, inputs: int, w: np.ndarray, bias: np.ndarray, z: np.ndarray
) -> None:
    """``z[p, r] = bias[p] + x[r]·W[p]``: x (rows, inputs) into the first `rows` rows of z."""
    width = z.shape[2]
    nt = threads.threads_for(2.0 * rows * inputs * z.shape[0] * width)
    gemm(
        nt, x.reshape(-1), inputs, 1, 0, inputs, rows, w, bias,
        z.reshape(-1), z.shape[1] * width, width, z.shape[0] * width,
    )  # fmt: skip


class _Plan(NamedTuple):
    """How a layer runs over a sequence: schedule, and where the input's part of z comes from."""

    schedule: Schedule
    source: int
    inputs: int  # I, 0 for tokens
    h_column: int  # where h stands in a row of u


def _plan(w: Weights, steps: Steps, by_token: bool) -> _Plan:
    # The threads of the largest work, which are fewer in a fork.
    key = (steps.count, steps.rows, by_token, threads.threads_for(math.inf))
    plan = w.plans.get(key)
    if plan is None:
        count, batch = steps.count, steps.mean
        fused = 0 if by_token else w.inputs
        flops = step_flops(w, steps.rows, fused)
        width = w.panels * PANEL * w.lanes
        schedule = choose(
            count, batch, w.panels, (w.size + fused) * width * w.w_hh.dtype.itemsize, flops
        )
        rows = -(-batch * schedule.columns // schedule.nt)
        source = TOKENS if by_token else input_source(count, rows, flops)
        if w.cell.form == NORMALISED:
            source = FUSED  # but that each product is normalised on its own
        if len(w.plans) > 64:
            w.plans.clear()
        w.plans[key] = plan = _Plan(schedule, source, w.inputs, w.inputs * (source == FUSED))
    return plan


def _run(
    w: Weights,
    plan: _Plan,
    steps: Steps,
    x: np.ndarray,
    tokens: np.ndarray,
    table: np.ndarray | None,
    save: bool,
    reverse: bool,
    z: np.ndarray,
    initial: State | None,
    u: np.ndarray,
    c: np.ndarray,
    y: np.ndarray,
    y_column: int,
    final: State,
    masks: Masks | None,
    own: Any,
) -> None:
    """Run the time loop, after the projection where the plan has one (into z)."""
    _, packed, bias, constants = _operands(w)
    if plan.source == PROJECTED:
        project(x, steps.rows, plan.inputs, packed, bias, z)
    given = z if table is None else table
    stated = initial is not None
    h0, c0 = final if initial is None else initial
    nt, columns = plan.schedule
    w.cell.forward(
        nt, columns, plan.source, save, reverse, plan.inputs, steps.offsets,
        steps.shares(nt // columns), x, packed, bias, given, z, tokens, stated, h0, c0, u, c, y,
        y_column, final[0], final[1], w.hidden, w.padded_h, masks, own, constants,
    )  # fmt: skip


def infer(
    w: Weights,
    steps: Steps,
    x: np.ndarray,
    initial: State | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    final: State,
    tokens: np.ndarray = NO_TOKENS,
    table: np.ndarray | None = None,
    masks: Masks | None = None,
) -> None:
    """Run forward over x (N, I) and keep nothing.

    Fills columns of y (N, …) and final's hn and cn, (B, H) each, but not for rows of length 0.
    Of a cell without c the second state of `initial` and `final` is not looked at.
    """
    plan = _plan(w, steps, table is not None)
    lease = Lease() if plan.source == PROJECTED or w.cell.form != PLAIN else None
    own = None if lease is None else own_arrays(w, steps.batch, lease)
    if plan.source != PROJECTED:
        z = y.reshape(1, -1, 1)  # of the right type, and not touched
        if w.cell.form in (RESET_BEFORE, NORMALISED):
            z = lease.array((w.panels, steps.batch, PANEL * w.lanes), x.dtype)
        _run(
            w, plan, steps, x, tokens, table, False, reverse, z, initial, y, y, y, y_column, final,
            masks, own,
        )  # fmt: skip
    else:
        # Long sequences in pieces, so that projected inputs stay in the cache.
        pieces = steps.pieces(tuning.INFER_ROWS)
        most = max(piece.rows for piece in pieces)
        z = lease.array((w.panels, most, PANEL * w.lanes), x.dtype)
        for piece in reversed(pieces) if reverse else pieces:
            some = piece.within(steps)
            _run(
                w, plan, piece, x[some], tokens, table, False, reverse, z, initial, y, y, y[some],
                y_column, final, _some(masks, some), own,
            )  # fmt: skip
            initial = final
    if lease is not None:
        lease.release()


def own_arrays(w: Weights, rows: int, lease: Lease) -> Any:
    """The arrays that the cell's phases forward have for themselves, of so many rows."""
    cell = w.cell
    if cell.form == PLAIN:
        return None
    dtype = w.w_hh.dtype
    if cell.form == NORMALISED:
        assert cell.groups is not None
        shape = w.panels, _gates_rows(rows), PANEL * w.lanes
        numbers = 2 * (len(cell.groups.x) + len(cell.groups.h) + 1)
        return Norm(
            lease.array(shape, dtype), lease.array(shape, dtype),
            lease.array((rows, numbers), dtype),
            lease.array((rows if cell.states == 2 else 0, w.padded), dtype), _zeros(w),
        )  # fmt: skip
    second = packed_rows(w.w_hh, w.last_gate) if w.w_hr is None else packed_rows(w.w_hr)
    return Second(second, _zeros(w), lease.array((rows, w.padded), dtype))


def _zeros(w: Weights) -> np.ndarray:
    """A panel of zeros, where there is no bias."""
    return w.w_hh.packed("zeros", lambda a: np.zeros(PANEL * w.lanes, a.dtype))


def forward(
    w: Weights,
    steps: Steps,
    x: np.ndarray,
    initial: State | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    final: State,
    lease: Lease,
    tokens: np.ndarray = NO_TOKENS,
    table: np.ndarray | None = None,
    masks: Masks | None = None,
) -> Saved:
    """As `infer`, and keep what `backward` needs in arrays of `lease`."""
    plan = _plan(w, steps, table is not None)
    rows, dtype = steps.rows + steps.batch, y.dtype
    u = lease.array((rows, plan.h_column + w.padded_h), dtype)
    dropped = masks is not None and len(masks.drop) > 0
    c = lease.array((rows, w.padded if w.cell.states == 2 or dropped else 0), dtype)
    z = lease.array((w.panels, _gates_rows(steps.rows), PANEL * w.lanes), dtype)
    if masks is not None and len(masks.zone_c) and w.w_unit is not None:
        masks = masks._replace(fresh=lease.array((steps.rows, w.padded), dtype))
    own = own_arrays(w, steps.rows, lease)
    _run(
        w, plan, steps, x, tokens, table, True, reverse, z, initial, u, c, y, y_column, final,
        masks, own,
    )  # fmt: skip
    return Saved(steps, x, tokens, z, u, c, own, reverse, masks)
