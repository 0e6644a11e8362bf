"""One direction of one LSTM layer, forward: from parameters and arrays to kernel calls.

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
from ..kernels.forward import FUSED, PROJECTED, TOKENS, lstm_forward
from ..kernels.gates import GATES
from ..kernels.gemm import gemm
from ..kernels.schedule import Schedule, choose, input_source
from ..simd import PANEL, TARGET
from . import parameter
from .parameter import Parameter
from .scratch import Lease

NO_TOKENS = np.zeros(0, np.int64)

State = tuple[np.ndarray, np.ndarray]


class Weights:
    """The parameters of one direction, the sizes that follow from them, and plans already made.

    Attributes
    ----------
    w_ih, w_hh : Parameter, (4H, I) and (4H, H)
    b_ih, b_hh : Parameter, (4H,), or None
    inputs, hidden : int
        I and H.
    lanes, panels : int
        V, and P = ceil(H / V).
    plans : dict
        How to run, by shape.
    operands : tuple
        The epoch, and `packed_weights` and `packed_bias` of then.
    """

    __slots__ = (
        "b_hh",
        "b_ih",
        "hidden",
        "inputs",
        "lanes",
        "operands",
        "panels",
        "plans",
        "w_hh",
        "w_ih",
    )

    def __init__(
        self, w_ih: Parameter, w_hh: Parameter, b_ih: Parameter | None, b_hh: Parameter | None
    ) -> None:
        self.w_ih, self.w_hh, self.b_ih, self.b_hh = w_ih, w_hh, b_ih, b_hh
        self.inputs = w_ih.shape[1]
        self.hidden = w_hh.shape[0] // GATES
        self.lanes = TARGET.lanes(w_hh.dtype.itemsize)
        self.panels = -(-self.hidden // self.lanes)
        self.plans: dict[Any, _Plan] = {}
        self.operands: tuple[int, Any, Any] = (-1, None, None)

    def parameters(self) -> tuple[Parameter | None, ...]:
        """w_ih, w_hh, b_ih, b_hh."""
        return self.w_ih, self.w_hh, self.b_ih, self.b_hh


def _buffer(p: Parameter, key: Any, shape: tuple[int, ...]) -> np.ndarray:
    """Where to pack to: the array that held the older values if there is one."""
    old = p.stale(key)
    return np.empty(shape, p.dtype) if old is None else old


def packed_rows(w: Parameter, gates: int) -> np.ndarray:
    """A weight as the operand of x·Wᵀ, cached in the parameter."""

    def make(a: np.ndarray) -> np.ndarray:
        v = TARGET.lanes(a.itemsize)
        shape = pack.packed_rows_shape(gates, a.shape[0] // gates, a.shape[1], v)
        out = _buffer(w, key, shape)
        pack.pack_rows(threads.threads_for(tuning.PACK_WORK * a.size), a, gates, 0, out)
        return out

    key = ("rows", gates)
    return w.packed(key, make)


def _of_two(first: Parameter, second: Parameter, key: str, make: Callable[[], Any]) -> Any:
    """What is made of two parameters, cached in the first beside the second and its version."""
    # The second itself, not its id: after it is gone another parameter may get that.
    other, version, value = first.packed(key, lambda a: (None, 0, None))
    if other is None or other() is not second or version != second.version:
        version, value = second.version, make()
        first.repack(key, (weakref.ref(second), version, value))
    return value


def packed_weights(w: Weights) -> np.ndarray:
    """W_ih above W_hh in packed rows (P, I + H, PANEL·V), cached."""

    def make() -> np.ndarray:
        inputs = w.inputs
        shape = pack.packed_rows_shape(GATES, w.hidden, inputs + w.hidden, w.lanes)
        *_, old = w.w_ih.stale("rows of both") or (None,)
        out = old if old is not None and old.shape == shape else np.empty(shape, w.w_ih.dtype)
        nt = threads.threads_for(tuning.PACK_WORK * out.size)
        pack.pack_rows(nt, w.w_ih.values_for_kernel(), GATES, 0, out)
        pack.pack_rows(nt, w.w_hh.values_for_kernel(), GATES, inputs, out)
        return out

    return _of_two(w.w_ih, w.w_hh, "rows of both", make)


def packed_columns(w: Parameter, gates: int) -> np.ndarray:
    """A weight as the operand of dz·W, cached in the parameter."""

    def make(a: np.ndarray) -> np.ndarray:
        v = TARGET.lanes(a.itemsize)
        shape = pack.packed_columns_shape(gates, a.shape[0] // gates, a.shape[1], v)
        out = _buffer(w, key, shape)
        pack.pack_columns(threads.threads_for(tuning.PACK_WORK * a.size), a, gates, out)
        return out

    key = ("columns", gates)
    return w.packed(key, make)


def packed_bias(w: Weights) -> np.ndarray:
    """b_ih + b_hh in the order of the packed rows, cached in b_ih; zeros without biases."""
    b_ih, b_hh = w.b_ih, w.b_hh
    if b_ih is None or b_hh is None:
        return w.w_hh.packed("no bias", lambda a: np.zeros((w.panels, PANEL * w.lanes), a.dtype))
    return _of_two(
        b_ih, b_hh, "sum", lambda: pack.pack_bias(b_ih.numpy() + b_hh.numpy(), GATES, w.lanes)
    )


def _operands(w: Weights) -> tuple[int, np.ndarray, np.ndarray]:
    """The epoch, `packed_weights` and `packed_bias`."""
    found = w.operands
    if found[0] != parameter.epoch:
        epoch = parameter.epoch
        found = w.operands = (epoch, packed_weights(w), packed_bias(w))
    return found


class Saved(NamedTuple):
    """What one direction's backward pass needs, on loan."""

    x: np.ndarray  # (T, B, I), or of no columns for tokens
    tokens: np.ndarray  # (T·B,) or empty
    z: np.ndarray  # (P, ≥ T·B, PANEL·V), the gates
    u: np.ndarray  # (T + 1, B, P·V, or I more before it), x and h_prev in order of time
    c: np.ndarray  # (T + 1, B, P·V)
    reverse: bool


def _gates_rows(rows: int) -> int:
    """Rows of a panel of saved gates, a few more to spread the panels over the cache's sets."""
    if rows < tuning.GATES_ROW_MULTIPLE:
        return rows
    return rows + (tuning.GATES_ROW_REST - rows) % tuning.GATES_ROW_MULTIPLE


def step_flops(w: Weights, batch: int, inputs: int) -> float:
    return 2.0 * batch * w.panels * PANEL * w.lanes * (w.hidden + inputs)


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


def _plan(w: Weights, x: np.ndarray, by_token: bool) -> _Plan:
    steps, batch, _ = x.shape
    # The threads of the largest work, which are fewer in a fork.
    key = (steps, batch, by_token, threads.threads_for(math.inf))
    plan = w.plans.get(key)
    if plan is None:
        fused = 0 if by_token else w.inputs
        schedule = choose(
            steps,
            batch,
            w.panels,
            (w.hidden + fused) * w.panels * PANEL * w.lanes * x.itemsize,
            steps * step_flops(w, batch, fused),
        )
        rows = -(-batch * schedule.columns // schedule.nt)
        flops = steps * step_flops(w, batch, fused)
        source = TOKENS if by_token else input_source(steps, rows, flops)
        if len(w.plans) > 64:
            w.plans.clear()
        w.plans[key] = plan = _Plan(schedule, source, w.inputs, w.inputs * (source == FUSED))
    return plan


def _run(
    w: Weights,
    plan: _Plan,
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
) -> None:
    """Run the time loop, after the projection where the plan has one (into z)."""
    _, packed, bias = _operands(w)
    if plan.source == PROJECTED:
        project(x, x.shape[0] * x.shape[1], plan.inputs, packed, bias, z)
    given = z if table is None else table
    stated = initial is not None
    h0, c0 = final if initial is None else initial
    nt, columns = plan.schedule
    lstm_forward(
        nt, columns, plan.source, save, reverse, plan.inputs, x, packed, bias, given, z, tokens,
        stated, h0, c0, u, c, y, y_column, final[0], final[1],
    )  # fmt: skip


def infer(
    w: Weights,
    x: np.ndarray,
    initial: State | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    final: State,
    tokens: np.ndarray = NO_TOKENS,
    table: np.ndarray | None = None,
) -> None:
    """Run forward and keep nothing: fills y's columns and final's hn and cn, (B, H) each."""
    steps, batch = x.shape[0], x.shape[1]
    plan = _plan(w, x, table is not None)
    # Long sequences in pieces, so that projected inputs stay in the cache.
    piece = min(steps, max(1, tuning.INFER_ROWS // max(1, batch)))
    lease = None
    z = y  # of the right type, and not touched
    if plan.source == PROJECTED:
        lease = Lease()
        z = lease.array((w.panels, piece * batch, PANEL * w.lanes), x.dtype)
    if piece == steps:
        _run(
            w, plan, x, tokens, table, False, reverse, z, initial, y, y, y, y_column, final
        )  # fmt: skip
    else:
        starts = range(0, steps, piece)
        for start in reversed(starts) if reverse else starts:
            t = slice(start, min(steps, start + piece))
            some = tokens[t.start * batch : t.stop * batch]
            _run(
                w, plan, x[t], some, table, False, reverse, z, initial, y, y, y[t], y_column, final
            )  # fmt: skip
            initial = final
    if lease is not None:
        lease.release()


def forward(
    w: Weights,
    x: np.ndarray,
    initial: State | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    final: State,
    lease: Lease,
    tokens: np.ndarray = NO_TOKENS,
    table: np.ndarray | None = None,
) -> Saved:
    """As `infer`, and keep what `backward` needs in arrays of `lease`."""
    steps, batch = x.shape[0], x.shape[1]
    plan = _plan(w, x, table is not None)
    padded = w.panels * w.lanes
    u = lease.array((steps + 1, batch, plan.h_column + padded), x.dtype)
    c = lease.array((steps + 1, batch, padded), x.dtype)
    z = lease.array((w.panels, _gates_rows(steps * batch), PANEL * w.lanes), x.dtype)
    _run(w, plan, x, tokens, table, True, reverse, z, initial, u, c, y, y_column, final)
    return Saved(x, tokens, z, u, c, reverse)
