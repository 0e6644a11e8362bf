"""One direction of one recurrent layer, backward: dz, then everything that follows from it.

The saved gates of a long sequence outgrow the last-level cache, and dz is read twice after it has
been made: for dx and for dW. So time is taken in pieces whose dz is still in the cache when those
products read it.
"""

from __future__ import annotations

import math

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..kernels.gemm import gemm, gemm_transposed
from ..kernels.loops.arguments import Masks
from ..kernels.loops.cell import NORMALISED, RESET_BEFORE
from ..kernels.loops.schedule import Schedule, choose
from ..kernels.tokens import sum_by_token
from ..parameters.packed import packed_columns
from ..parameters.parameter import Parameter
from ..parameters.products import weight_gradient
from ..parameters.scratch import Lease
from ..simd import PANEL
from .direction import Saved, State, no_masks, team_failed
from .operands import operands, zeros
from .steps import Steps
from .weights import Weights
from .workspace import norm_gradients, own_backward


def backward(
    w: Weights,
    saved: Saved,
    dy: np.ndarray | None,
    y_column: int,
    dhn: np.ndarray | None,
    dcn: np.ndarray | None,
    initial: State,
    dx: np.ndarray | None,
    embedding: Parameter | None = None,
    padding: int | None = None,
    dcells: np.ndarray | None = None,
) -> None:
    """Add the gradients of all parameters; fill dx (N, I) and initial's dh0, dc0 (B, H).

    With tokens there is no dx, and `embedding` is the table whose rows were the inputs; its
    gradient is added, too, but for its row `padding`. What was saved is overwritten. `dcells`
    (N, H) is what reaches c after each step other than through y.
    """
    steps, z, u, cell = saved.steps, saved.z, saved.u, w.cell
    lease = Lease()
    dh = lease.array((steps.batch, w.padded_h), z.dtype)
    dc = lease.array((steps.batch, w.padded if cell.carries else 0), z.dtype)
    _set_state(dh, dhn, w.size)
    if cell.carries:
        _set_state(dc, dcn if cell.states == 2 else None, w.hidden)
    w_hh = _columns(w, of_state=True)
    schedule = _schedule(w, steps, w_hh.nbytes)
    own = own_backward(w, steps, saved.own, lease)
    masks = saved.masks or no_masks(w)
    if cell.states == 1:  # what goes from state to state past the gates is h's
        masks = masks._replace(zone_c=masks.zone_h)
    dz = saved.own.h if cell.form == NORMALISED else z
    carry = lease.array((steps.batch, w.padded_h if len(masks.zone_h) else 0), z.dtype)
    carry[...] = 0
    cells = saved.no_rows
    if dcells is not None:
        cells = lease.array((steps.rows, w.padded), z.dtype)
        _set_state(cells, dcells, w.hidden)
    shares = steps.shares(schedule.nt // schedule.columns)
    products = _Products(w, saved, lease, embedding)
    piece, constants = _piece(z, steps), operands(w).constants
    total = np.zeros(own.sums.shape[1]) if cell.form == NORMALISED else None
    for begin in range(0, steps.count, piece):
        end = min(steps.count, begin + piece)
        met = cell.backward(
            *schedule, saved.reverse, begin, end, steps.offsets, shares, dy is not None,
            u if dy is None else dy, y_column, w_hh, z, dz, u, u.shape[1] - w.padded_h, saved.c,
            dh, dc, w.size, w.hidden, masks, carry, cells, own, constants,
        )  # fmt: skip
        if schedule.team and not met:
            team_failed(w)
            schedule = schedule._replace(team=False)
        t0, t1 = (begin, end) if saved.reverse else (steps.count - end, steps.count - begin)
        rows = slice(int(steps.offsets[t0]), int(steps.offsets[t1]))
        products.add(rows)
        if dx is not None:
            _input_gradient(w, z, rows, dx[rows])
        if total is not None:
            # Each row's own, in z's type: for the time of a piece.
            total += own.sums.sum(axis=0, dtype=np.float64)
            own.sums[...] = 0
    products.finish(padding)
    if total is not None:
        norm_gradients(w, total)
    if w.w_hr is not None and w.w_hr.requires_grad:
        weight_gradient(w.w_hr, saved.own.m, np.ascontiguousarray(own.dp[:, : w.size]))
    if w.w_unit is not None and w.w_unit.requires_grad:
        _unit_gradient(w, w.w_unit, saved, masks)
    _take_states(w, dh, dc, carry, initial)
    lease.release()


def _unit_gradient(w: Weights, p: Parameter, saved: Saved, masks: Masks) -> None:
    """Add the gradient of the units' own weights, from dz of all steps."""
    steps, z = saved.steps, saved.z
    sums = np.empty((p.size // w.hidden, w.padded), np.float64)
    w.cell.weights_gradient(
        threads.threads_for(4.0 * z.size), z, saved.c, masks.fresh, steps.offsets, saved.reverse,
        masks.keep, sums,
    )  # fmt: skip
    p.add_grad(sums[:, : w.hidden].astype(p.dtype).reshape(-1), own=True)


def _schedule(w: Weights, steps: Steps, weight_bytes: int) -> Schedule:
    # The threads of the largest work, which are fewer in a fork.
    key = "back", steps.count, steps.rows, threads.threads_for(math.inf)
    found = w.plans.get(key)
    if found is None:
        found = choose(steps.count, steps.mean, w.panels, weight_bytes, w.step_flops(steps.rows, 0))
        w.keep_plan(key, found)
    return found


def _set_state(array: np.ndarray, state: np.ndarray | None, size: int) -> None:
    """array (B, padded) = the state (B, size), and zeros in the padding."""
    if state is None:
        array.fill(0)
        return
    array[:, :size] = state
    if size < array.shape[1]:
        array[:, size:] = 0


def _take_states(
    w: Weights, dh: np.ndarray, dc: np.ndarray, carry: np.ndarray, initial: State
) -> None:
    """dh0 and dc0, where the time loop has left their parts."""
    initial[0][...] = dh[:, : w.size]
    if w.cell.states == 2:
        initial[1][...] = dc[:, : w.hidden]
    elif w.cell.carries:
        initial[0][...] += dc[:, : w.hidden]
    if carry.size:
        initial[0][...] += carry[:, : w.size]


def _piece(z: np.ndarray, steps: Steps) -> int:
    """Steps in a piece of time: all if dz stays in the cache, else so many that their dz does."""
    bytes_of_step = steps.mean * z.shape[0] * z.shape[2] * z.itemsize
    if steps.count * bytes_of_step <= 2 * tuning.PIECE_BYTES:
        return steps.count
    # Whole blocks of `gemm_transposed`: its last block would be a small one each time.
    some = max(1, tuning.GEMM_TRANSPOSED_K // steps.mean)
    return max(1, tuning.PIECE_BYTES // bytes_of_step // some) * some


def _columns(w: Weights, of_state: bool) -> np.ndarray:
    """W_hh or W_ih as the operand of dz·W, with a row for each item of dz that it reaches."""
    cell, (x_count, _, h_count) = w.cell, w.cell.windows
    # Not by identity: one parameter may be both.
    p, order, count = (w.w_ih, cell.x_columns, x_count)
    if of_state:
        p, order, count = (w.w_hh, cell.h_columns, h_count)
    return packed_columns(p, cell.gates, order, w.panels * count * w.lanes)


def _input_gradient(w: Weights, z: np.ndarray, rows: slice, dx: np.ndarray) -> None:
    """``dx = dz·W_ih`` for those rows of dz: dx (rows, I), overwritten."""
    count, inputs = rows.stop - rows.start, w.inputs
    packed = _columns(w, of_state=False)
    width = z.shape[2]
    k = w.cell.windows[0] * w.lanes
    no_bias = w.w_ih.packed("no dx bias", lambda a: np.zeros((packed.shape[0], width), a.dtype))
    nt = threads.threads_for(2.0 * count * inputs * z.shape[0] * k)
    gemm(
        nt, z.reshape(-1)[rows.start * width :], width, z.shape[0], z.shape[1] * width, k,
        count, packed, no_bias, dx.reshape(-1), width, inputs, inputs,
    )  # fmt: skip


class _Products:
    """``dzᵀ·x``, ``dzᵀ·h_prev`` and the sums of dz, added up piece by piece, packed."""

    def __init__(self, w: Weights, saved: Saved, lease: Lease, embedding: Parameter | None) -> None:
        self.w, self.saved, self.lease, self.embedding = w, saved, lease, embedding
        z = saved.z
        self.started = False
        self.sums = np.empty((z.shape[0], z.shape[2]), np.float64)
        self.no_sums = np.empty((0, z.shape[2]), np.float64)
        # x stands beside h_prev where `forward` multiplied both by one matrix: here, too, if they
        # reach the same gates.
        self.beside = saved.u.shape[1] > w.padded_h
        self.norm = w.cell.form == NORMALISED
        self.both = self.beside and w.cell.windows[0] == PANEL and not self.norm
        self.d_state = self._packed(w.size + w.inputs if self.both else w.size)
        self.d_input = self.d_state if self.both else self._packed(w.inputs)
        self.d_last = self._packed(w.size) if w.cell.form == RESET_BEFORE else None

    def _packed(self, columns: int) -> np.ndarray:
        z = self.saved.z
        return self.lease.array((z.shape[0], columns, z.shape[2]), z.dtype)

    def add(self, rows: slice) -> None:
        """Add the products of those rows, whose dz is there."""
        z, (x_count, h_first, h_count) = self.saved.z, self.w.cell.windows
        u = self.saved.u[rows]
        if self.both:
            self._product(u, 0, z, rows, 0, PANEL, self.d_state, self.sums)
        else:
            h_column = u.shape[1] - self.w.padded_h
            dz = self.saved.own.h if self.norm else z
            self._product(u, h_column, dz, rows, h_first, h_count, self.d_state, self.no_sums)
            if self.embedding is None:
                x = u if self.beside else self.saved.x[rows]
                self._product(x, 0, z, rows, 0, x_count, self.d_input, self.sums)
            if self.d_last is not None:
                m = self.saved.own.m[rows]
                self._product(m, 0, z, rows, 0, 1, self.d_last, self.no_sums)
        self.started = True

    def _product(
        self,
        a: np.ndarray,
        column: int,
        z: np.ndarray,
        rows: slice,
        slot: int,
        nv: int,
        out: np.ndarray,
        sums: np.ndarray,
    ) -> None:
        """``out += dzᵀ·a`` for a's columns from `column` on, the first time ``=``."""
        count, width, columns = rows.stop - rows.start, z.shape[2], out.shape[1]
        nt = threads.threads_for(2.0 * count * columns * z.shape[0] * nv * self.w.lanes)
        gemm_transposed(
            nt, self.started, a.reshape(-1)[column:], a.shape[-1], count, columns,
            z.reshape(-1)[rows.start * width :], z.shape[1] * width, z.shape[0], slot, nv,
            zeros(self.w), out, sums,
        )  # fmt: skip

    def finish(self, padding: int | None) -> None:
        """Add everything to the parameters' gradients."""
        w, cell, embedding = self.w, self.w.cell, self.embedding
        if self.saved.steps.rows == 0:
            for p in (*w.parameters()[:4], embedding):
                if p is not None:
                    p.add_grad(np.zeros_like(p.numpy()), own=True)
            return
        if embedding is not None:
            self._by_token(embedding, padding)
        _add_rows(w.w_ih, cell.gates, (self.d_input, cell.x_order, 0))
        state = self.d_state, cell.h_order, w.inputs if self.both else 0
        if self.d_last is None:
            _add_rows(w.w_hh, cell.gates, state)
        else:
            last = np.array([cell.gates - 1, *[-1] * (PANEL - 1)], np.int64)
            _add_rows(w.w_hh, cell.gates, state, (self.d_last, last, 0))
        if w.b_ih is not None and w.b_hh is not None and not self.norm:
            for bias, order in ((w.b_ih, cell.x_order), (w.b_hh, cell.bias_order)):
                db = pack.unpack_bias(self.sums, cell.gates, w.hidden, order, w.lanes)
                bias.add_grad(db.astype(bias.dtype), own=True)

    def _by_token(self, embedding: Parameter, padding: int | None) -> None:
        """dz summed by token stands for dz in the products with the inputs."""
        z, w, entries = self.saved.z, self.w, embedding.shape[0]
        table = self.lease.array((z.shape[0], entries, z.shape[2]), z.dtype)
        sum_by_token(threads.threads_for(4.0 * z.size), z, self.saved.tokens, table)
        every = slice(0, entries)
        self.started = False
        x_count = w.cell.windows[0]
        values = embedding.values_for_kernel()
        self._product(values, 0, table, every, 0, x_count, self.d_input, self.sums)
        if embedding.requires_grad:
            d = np.empty(embedding.shape, z.dtype)
            _input_gradient(w, table, every, d)
            if padding is not None:
                d[padding] = 0
            embedding.add_grad(d, own=True)


def _add_rows(p: Parameter, gates: int, *parts: tuple[np.ndarray, np.ndarray, int]) -> None:
    """Add packed rows: of each part the array, whose gates it has where, and its first row."""
    if p.requires_grad:
        with p.accumulate() as (grad, accumulate):
            nt = threads.threads_for(tuning.PACK_WORK * p.size)
            for packed, order, k0 in parts:
                pack.unpack_rows(nt, packed, gates, order, k0, accumulate, grad)
