"""One direction of one LSTM layer: from parameters and arrays to kernel calls.

Arrays come here checked, C-contiguous and of one dtype. Nothing is kept but packed weights, which
live in their parameters; what the backward pass needs is in the `Saved` that `forward` returns.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..kernels.backward import lstm_backward
from ..kernels.forward import PROJECTED, TOKENS, lstm_forward
from ..kernels.gates import GATES
from ..kernels.gemm import gemm, gemm_transposed
from ..kernels.schedule import choose, input_source
from ..kernels.tokens import sum_by_token
from ..simd import PANEL, TARGET
from .parameter import Parameter
from .scratch import Lease

_NO_TOKENS = np.zeros(0, np.int64)


class Weights(NamedTuple):
    """The parameters of one direction: (4H, I), (4H, H), and two (4H,) or None."""

    w_ih: Parameter
    w_hh: Parameter
    b_ih: Parameter | None
    b_hh: Parameter | None

    @property
    def hidden(self) -> int:
        return self.w_hh.shape[0] // GATES

    @property
    def lanes(self) -> int:
        return TARGET.lanes(self.w_hh.dtype.itemsize)

    @property
    def panels(self) -> int:
        return -(-self.hidden // self.lanes)


def packed_rows(w: Parameter, gates: int) -> np.ndarray:
    """A weight as the operand of x·Wᵀ, cached in the parameter."""

    def make(a: np.ndarray) -> np.ndarray:
        v = TARGET.lanes(a.itemsize)
        out = np.empty(pack.packed_rows_shape(gates, a.shape[0] // gates, a.shape[1], v), a.dtype)
        pack.pack_rows(threads.threads_for(a.size), a, gates, out)
        return out

    return w.packed(("rows", gates), make)


def packed_columns(w: Parameter, gates: int) -> np.ndarray:
    """A weight as the operand of dz·W, cached in the parameter."""

    def make(a: np.ndarray) -> np.ndarray:
        v = TARGET.lanes(a.itemsize)
        shape = pack.packed_columns_shape(gates, a.shape[0] // gates, a.shape[1], v)
        out = np.empty(shape, a.dtype)
        pack.pack_columns(threads.threads_for(a.size), a, gates, out)
        return out

    return w.packed(("columns", gates), make)


def packed_bias(w: Weights) -> np.ndarray:
    """b_ih + b_hh in the order of the packed rows, cached in b_ih; zeros without biases."""
    if w.b_ih is None or w.b_hh is None:
        return w.w_hh.packed("no bias", lambda a: np.zeros((w.panels, PANEL * w.lanes), a.dtype))
    other = w.b_hh
    version, packed = w.b_ih.packed("bias", lambda a: (None, None))
    if version != (id(other), other.version):
        # b_hh alone was written: its version stands beside the sum, whichever thread comes first.
        packed = pack.pack_bias(w.b_ih.numpy() + other.numpy(), GATES, w.lanes)
        w.b_ih.repack("bias", ((id(other), other.version), packed))
    return packed


class Saved(NamedTuple):
    """What one direction's backward pass needs, on loan."""

    x: np.ndarray | None  # (T, B, I); None for tokens
    tokens: np.ndarray  # (T·B,) or empty
    z: np.ndarray  # (P, ≥ T·B, PANEL·V), the gates
    h: np.ndarray  # (T + 1, B, P·V), in order of time
    c: np.ndarray
    reverse: bool


def _gates_rows(rows: int) -> int:
    """Rows of a panel of saved gates, with a few more to spread the panels over the cache's sets."""
    if rows < tuning.GATES_ROW_MULTIPLE:
        return rows
    return rows + (tuning.GATES_ROW_REST - rows) % tuning.GATES_ROW_MULTIPLE


def _initial(array: np.ndarray, slot: int, state: np.ndarray | None, hidden: int) -> None:
    array[slot, :, hidden:] = 0
    array[slot, :, :hidden] = 0 if state is None else state


def _step_flops(w: Weights, batch: int, inputs: int) -> float:
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


def _run(
    w: Weights,
    x: np.ndarray,
    tokens: np.ndarray,
    table: np.ndarray | None,
    save: bool,
    reverse: bool,
    z: np.ndarray | None,
    h: np.ndarray,
    c: np.ndarray,
    y: np.ndarray,
    y_column: int,
    lease: Lease,
) -> np.ndarray:
    """Choose source and schedule, and run the time loop; returns z."""
    steps, batch, inputs = x.shape
    w_hh = packed_rows(w.w_hh, GATES)
    bias = packed_bias(w)
    width = PANEL * w.lanes
    fused_inputs = inputs if table is None else 0
    schedule = choose(
        steps,
        batch,
        w.panels,
        (w.hidden + fused_inputs) * w.panels * width * x.itemsize,
        steps * _step_flops(w, batch, fused_inputs),
    )
    rows = -(-batch * schedule.columns // schedule.nt)
    source = TOKENS if table is not None else input_source(steps, rows)
    w_in = table if table is not None else packed_rows(w.w_ih, GATES)
    if z is None:
        shape = (w.panels, steps * batch, width) if source == PROJECTED else (1, 1, width)
        z = lease.array(shape, x.dtype)
    if source == PROJECTED:
        project(x, steps * batch, inputs, w_in, bias, z)
    lstm_forward(
        schedule.nt, schedule.columns, source, save, reverse, x, w_in, bias, z, tokens, w_hh,
        h, c, y, y_column,
    )  # fmt: skip
    return z


def infer(
    w: Weights,
    x: np.ndarray,
    h0: np.ndarray | None,
    c0: np.ndarray | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    tokens: np.ndarray = _NO_TOKENS,
    table: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Run forward and keep nothing: fills y's columns, returns hn and cn (B, H)."""
    steps, batch = x.shape[0], x.shape[1]
    lease = Lease()
    state = (2, batch, w.panels * w.lanes)
    h, c = lease.array(state, x.dtype), lease.array(state, x.dtype)
    _initial(h, 0, h0, w.hidden)
    _initial(c, 0, c0, w.hidden)
    # Long sequences in pieces, so that projected inputs stay in the cache.
    piece = max(1, tuning.INFER_ROWS // max(1, batch))
    starts = range(0, steps, piece)
    for start in reversed(starts) if reverse else starts:
        t = slice(start, min(steps, start + piece))
        some = tokens[t.start * batch : t.stop * batch]
        _run(w, x[t], some, table, False, reverse, None, h, c, y[t], y_column, lease)
        if (t.stop - t.start) % 2:
            h[0], c[0] = h[1], c[1]
    result = h[0, :, : w.hidden].copy(), c[0, :, : w.hidden].copy()
    lease.release()
    return result


def forward(
    w: Weights,
    x: np.ndarray,
    h0: np.ndarray | None,
    c0: np.ndarray | None,
    reverse: bool,
    y: np.ndarray,
    y_column: int,
    lease: Lease,
    tokens: np.ndarray = _NO_TOKENS,
    table: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, Saved]:
    """Run forward and keep what `backward` needs in arrays of `lease`."""
    steps, batch = x.shape[0], x.shape[1]
    state = (steps + 1, batch, w.panels * w.lanes)
    h, c = lease.array(state, x.dtype), lease.array(state, x.dtype)
    z = lease.array((w.panels, _gates_rows(steps * batch), PANEL * w.lanes), x.dtype)
    begin, end = (steps, 0) if reverse else (0, steps)
    _initial(h, begin, h0, w.hidden)
    _initial(c, begin, c0, w.hidden)
    _run(w, x, tokens, table, True, reverse, z, h, c, y, y_column, lease)
    saved = Saved(x if table is None else None, tokens, z, h, c, reverse)
    return h[end, :, : w.hidden].copy(), c[end, :, : w.hidden].copy(), saved


def backward(
    w: Weights,
    saved: Saved,
    dy: np.ndarray | None,
    y_column: int,
    dhn: np.ndarray | None,
    dcn: np.ndarray | None,
    lease: Lease,
) -> tuple[np.ndarray, np.ndarray]:
    """Turn the saved gates into dz, in place; returns dh0 and dc0 (B, H)."""
    z, h, c = saved.z, saved.h, saved.c
    steps, batch, padded = h.shape[0] - 1, h.shape[1], h.shape[2]
    dh, dc = lease.array((1, batch, padded), z.dtype), lease.array((1, batch, padded), z.dtype)
    _initial(dh, 0, dhn, w.hidden)
    _initial(dc, 0, dcn, w.hidden)
    w_hh = packed_columns(w.w_hh, GATES)
    schedule = choose(
        steps, batch, w.panels, w_hh.nbytes, steps * _step_flops(w, batch, 0)
    )
    given = dy is not None
    lstm_backward(
        schedule.nt, schedule.columns, saved.reverse, given, dy if given else h, y_column,
        w_hh, z, c, dh[0], dc[0], w.hidden,
    )  # fmt: skip
    return dh[0, :, : w.hidden].copy(), dc[0, :, : w.hidden].copy()


def input_gradient(w_ih: Parameter, z: np.ndarray, rows: int, dx: np.ndarray) -> None:
    """``dx = dz·W_ih``: dx (rows, I), overwritten."""
    inputs = w_ih.shape[1]
    packed = packed_columns(w_ih, GATES)
    width = z.shape[2]
    zeros = w_ih.packed("no dx bias", lambda a: np.zeros((packed.shape[0], width), a.dtype))
    nt = threads.threads_for(2.0 * rows * inputs * z.shape[0] * width)
    gemm(
        nt, z.reshape(-1), width, z.shape[0], z.shape[1] * width, width, rows, packed, zeros,
        dx.reshape(-1), width, inputs, inputs,
    )  # fmt: skip


def weight_gradients(w: Weights, saved: Saved, embedding: Parameter | None = None) -> None:
    """Add ``dzᵀ·x``, ``dzᵀ·h_prev`` and the sums of dz to the parameters' gradients.

    With tokens, `embedding` is the table whose rows were the inputs; its gradient is added, too.
    """
    z, h = saved.z, saved.h
    steps, batch = h.shape[0] - 1, h.shape[1]
    rows = steps * batch
    if rows == 0:
        for p in (*w, embedding):
            if p is not None:
                p.add_grad(np.zeros_like(p.numpy()), own=True)
        return
    h_prev = h[1:] if saved.reverse else h[:-1]
    lease = Lease()
    if embedding is None:
        assert saved.x is not None
        _input_weight_gradient(w, saved.x, z, rows, lease)
    else:
        table = lease.array((z.shape[0], embedding.shape[0], z.shape[2]), z.dtype)
        sum_by_token(threads.threads_for(4.0 * z.size), z, saved.tokens, table)
        _input_weight_gradient(w, embedding.numpy(), table, embedding.shape[0], lease)
        if embedding.requires_grad:
            d = np.empty(embedding.shape, z.dtype)
            input_gradient(w.w_ih, table, embedding.shape[0], d)
            embedding.add_grad(d, own=True)
    if w.w_hh.requires_grad:
        _add_weight_gradient(w.w_hh, h_prev, h.shape[2], w.hidden, z, rows, GATES, None, lease)
    lease.release()


def _input_weight_gradient(
    w: Weights, x: np.ndarray, z: np.ndarray, rows: int, lease: Lease
) -> None:
    sums = np.empty((z.shape[0], z.shape[2]), np.float64)
    inputs = w.w_ih.shape[1]
    _add_weight_gradient(w.w_ih, x, inputs, inputs, z, rows, GATES, sums, lease)
    if w.b_ih is not None and w.b_hh is not None:
        db = pack.unpack_bias(sums, GATES, w.hidden, w.lanes).astype(z.dtype)
        w.b_ih.add_grad(db)
        w.b_hh.add_grad(db)


def _add_weight_gradient(
    p: Parameter,
    a: np.ndarray,
    lda: int,
    columns: int,
    z: np.ndarray,
    rows: int,
    gates: int,
    sums: np.ndarray | None,
    lease: Lease,
) -> None:
    """``p.grad += dzᵀ·a`` for a (rows, ≥ columns, row stride lda) and p (gates·H, columns)."""
    width = z.shape[2]
    packed = lease.array((z.shape[0], columns, width), z.dtype)
    zeros = p.packed("zeros", lambda w: np.zeros(width, w.dtype))
    if sums is None:
        sums = np.empty((0, width), np.float64)
    nt = threads.threads_for(2.0 * rows * columns * z.shape[0] * width)
    gemm_transposed(
        nt, a.reshape(-1), lda, rows, columns, z.reshape(-1), z.shape[1] * width, z.shape[0],
        zeros, packed, sums,
    )  # fmt: skip
    if not p.requires_grad:
        return
    with p.accumulate() as (grad, accumulate):
        pack.unpack_rows(threads.threads_for(p.size), packed, gates, accumulate, grad)
