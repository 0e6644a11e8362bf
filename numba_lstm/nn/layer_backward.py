"""One direction of one LSTM layer, backward: dz, then everything that follows from it.

The saved gates of a long sequence outgrow the last-level cache, and dz is read twice after it has
been made: for dx and for dW. So time is taken in pieces whose dz is still in the cache when those
products read it.
"""

from __future__ import annotations

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..kernels.backward import lstm_backward
from ..kernels.gates import GATES
from ..kernels.gemm import gemm, gemm_transposed
from ..kernels.schedule import choose
from ..kernels.tokens import sum_by_token
from .layer import Saved, State, Weights, packed_columns, step_flops
from .parameter import Parameter
from .scratch import Lease


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
) -> None:
    """Add the gradients of all parameters; fill dx (T, B, I) and initial's dh0, dc0 (B, H).

    With tokens there is no dx, and `embedding` is the table whose rows were the inputs; its
    gradient is added, too, but for its row `padding`. The saved gates are overwritten.
    """
    z, c = saved.z, saved.c
    steps, batch, padded = c.shape[0] - 1, c.shape[1], c.shape[2]
    lease = Lease()
    dh, dc = lease.array((batch, padded), z.dtype), lease.array((batch, padded), z.dtype)
    _set_state(dh, dhn, w.hidden)
    _set_state(dc, dcn, w.hidden)
    w_hh = packed_columns(w.w_hh, GATES)
    schedule = choose(steps, batch, w.panels, w_hh.nbytes, steps * step_flops(w, batch, 0))
    products = _Products(w, saved, lease, embedding)
    piece = _piece(z, steps, batch)
    for begin in range(0, steps, piece):
        end = min(steps, begin + piece)
        lstm_backward(
            *schedule, saved.reverse, begin, end, dy is not None, c if dy is None else dy,
            y_column, w_hh, z, c, dh, dc, w.hidden,
        )  # fmt: skip
        t0, t1 = (begin, end) if saved.reverse else (steps - end, steps - begin)
        products.add(t0, t1)
        if dx is not None:
            rows = slice(t0 * batch, t1 * batch)
            _input_gradient(w.w_ih, z, rows, dx[t0:t1])
    products.finish(padding)
    initial[0][...] = dh[:, : w.hidden]
    initial[1][...] = dc[:, : w.hidden]
    lease.release()


def _set_state(array: np.ndarray, state: np.ndarray | None, hidden: int) -> None:
    """array (B, P·V) = the state, and zeros in the padding."""
    array[:, hidden:] = 0
    array[:, :hidden] = 0 if state is None else state


def _piece(z: np.ndarray, steps: int, batch: int) -> int:
    """Steps in a piece of time: all if dz stays in the cache, else so many that their dz does."""
    bytes_of_step = batch * z.shape[0] * z.shape[2] * z.itemsize
    if steps * bytes_of_step <= 2 * tuning.PIECE_BYTES:
        return steps
    # Whole blocks of `gemm_transposed`: its last block would be a small one each time.
    some = max(1, tuning.GEMM_TRANSPOSED_K // batch)
    return max(1, tuning.PIECE_BYTES // bytes_of_step // some) * some


def _input_gradient(w_ih: Parameter, z: np.ndarray, rows: slice, dx: np.ndarray) -> None:
    """``dx = dz·W_ih`` for those rows of dz: dx (rows, I) or (T, B, I), overwritten."""
    count, inputs = rows.stop - rows.start, w_ih.shape[1]
    packed = packed_columns(w_ih, GATES)
    width = z.shape[2]
    zeros = w_ih.packed("no dx bias", lambda a: np.zeros((packed.shape[0], width), a.dtype))
    nt = threads.threads_for(2.0 * count * inputs * z.shape[0] * width)
    gemm(
        nt, z.reshape(-1)[rows.start * width :], width, z.shape[0], z.shape[1] * width, width,
        count, packed, zeros, dx.reshape(-1), width, inputs, inputs,
    )  # fmt: skip


class _Products:
    """``dzᵀ·x``, ``dzᵀ·h_prev`` and the sums of dz, added up piece by piece, packed."""

    def __init__(self, w: Weights, saved: Saved, lease: Lease, embedding: Parameter | None) -> None:
        self.w, self.saved, self.lease, self.embedding = w, saved, lease, embedding
        z, width = saved.z, saved.u.shape[2]
        self.started = False
        self.sums = np.empty((z.shape[0], z.shape[2]), np.float64)
        self.no_sums = np.empty((0, z.shape[2]), np.float64)
        self.before = saved.u[1:] if saved.reverse else saved.u[:-1]
        # x stands beside h_prev where the two products of `forward` were one: here, too.
        self.both = width > z.shape[0] * w.lanes
        columns = w.hidden + w.inputs if self.both else w.hidden
        self.d_state = self._packed(columns)
        self.d_input = self.d_state
        if not self.both:
            self.d_input = self._packed(w.inputs)

    def _packed(self, columns: int) -> np.ndarray:
        z = self.saved.z
        return self.lease.array((z.shape[0], columns, z.shape[2]), z.dtype)

    def add(self, t0: int, t1: int) -> None:
        """Add the products of steps t0 … t1, whose dz is there."""
        z = self.saved.z
        batch = self.before.shape[1]
        rows = slice(t0 * batch, t1 * batch)
        before = self.before[t0:t1]
        by_token = self.embedding is not None
        sums = self.sums if self.both else self.no_sums
        self._product(before, self.d_state.shape[1], z, rows, self.d_state, sums)
        if not self.both and not by_token:
            x = self.saved.x[t0:t1]
            self._product(x, self.w.inputs, z, rows, self.d_input, self.sums)
        self.started = True

    def _product(
        self,
        a: np.ndarray,
        columns: int,
        z: np.ndarray,
        rows: slice,
        out: np.ndarray,
        sums: np.ndarray,
    ) -> None:
        """``out += dzᵀ·a`` for a (…, ≥ columns), the first time ``=``."""
        count, width = rows.stop - rows.start, z.shape[2]
        nt = threads.threads_for(2.0 * count * columns * z.shape[0] * width)
        gemm_transposed(
            nt, self.started, a.reshape(-1), a.shape[-1], count, columns,
            z.reshape(-1)[rows.start * width :], z.shape[1] * width, z.shape[0],
            np.zeros(width, z.dtype), out, sums,
        )  # fmt: skip

    def finish(self, padding: int | None) -> None:
        """Add everything to the parameters' gradients."""
        w, embedding = self.w, self.embedding
        if self.before.shape[0] * self.before.shape[1] == 0:
            for p in (*w.parameters(), embedding):
                if p is not None:
                    p.add_grad(np.zeros_like(p.numpy()), own=True)
            return
        if embedding is not None:
            self._by_token(embedding, padding)
        _add_rows(w.w_ih, self.d_input, 0)
        _add_rows(w.w_hh, self.d_state, w.inputs if self.both else 0)
        if w.b_ih is not None and w.b_hh is not None:
            db = pack.unpack_bias(self.sums, GATES, w.hidden, w.lanes).astype(w.w_hh.dtype)
            w.b_ih.add_grad(db)
            w.b_hh.add_grad(db)

    def _by_token(self, embedding: Parameter, padding: int | None) -> None:
        """dz summed by token stands for dz in the products with the inputs."""
        z, w, entries = self.saved.z, self.w, embedding.shape[0]
        table = self.lease.array((z.shape[0], entries, z.shape[2]), z.dtype)
        sum_by_token(threads.threads_for(4.0 * z.size), z, self.saved.tokens, table)
        every = slice(0, entries)
        self.started = False
        values = embedding.values_for_kernel()
        self._product(values, w.inputs, table, every, self.d_input, self.sums)
        if embedding.requires_grad:
            d = np.empty(embedding.shape, z.dtype)
            _input_gradient(w.w_ih, table, every, d)
            if padding is not None:
                d[padding] = 0
            embedding.add_grad(d, own=True)


def _add_rows(p: Parameter, packed: np.ndarray, k0: int) -> None:
    if p.requires_grad:
        with p.accumulate() as (grad, accumulate):
            nt = threads.threads_for(tuning.PACK_WORK * p.size)
            pack.unpack_rows(nt, packed, GATES, k0, accumulate, grad)
