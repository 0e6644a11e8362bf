"""What follows from dz of one direction: dx, and the gradients of all parameters.

With z = W_ih·x + W_hh·h_prev + b for every row of every step:

    dx = dz·W_ih    dW_ih = dzᵀ·x    dW_hh = dzᵀ·h_prev    db = the sum of dz over all rows

See `reference.recurrent.recurrent_backward`.
"""

from __future__ import annotations

import numpy as np

from .. import quiet, threads, tuning
from ..kernels import pack
from ..kernels.gemm import gemm_transposed
from ..kernels.loops.arguments import Masks
from ..kernels.loops.cell import NORMALISED, RESET_BEFORE
from ..kernels.tokens import sum_by_token
from ..parameters.packed import zero_bias, zeros
from ..parameters.parameter import Parameter
from ..parameters.products import blocks_memory, multiply_panels
from ..parameters.scratch import Lease
from ..simd import PANEL
from .direction import Saved
from .operands import w_ih_columns
from .weights import Weights

__all__ = [
    "WeightGradients",
    "input_gradient",
    "norm_gradients",
    "unit_gradient",
]


def input_gradient(w: Weights, dz: np.ndarray, rows: slice, dx: np.ndarray) -> None:
    """``dx = dz·W_ih`` for those rows of dz: dx (rows, I), overwritten."""
    packed = w_ih_columns(w)
    k = w.cell.windows[0] * w.lanes
    multiply_panels(dz, rows, k, packed, zero_bias(packed.dtype, packed.shape[0]), dx)


def unit_gradient(w: Weights, p: Parameter, saved: Saved, masks: Masks) -> None:
    """Add the gradient of the units' own weights, from dz of all steps."""
    z = saved.z
    sums = np.empty((p.size // w.hidden, w.padded), np.float64)
    w.cell.weights_gradient(
        threads.threads_for(4.0 * z.size), z, saved.gate_state, masks.fresh, saved.steps.offsets,
        saved.reverse, masks.keep, sums,
    )  # fmt: skip
    p.add_grad(quiet.cast(sums[:, : w.hidden], p.dtype).reshape(-1), copy=False)


def norm_gradients(w: Weights, total: np.ndarray) -> None:
    """Add the gradients of gains and biases of a layer-normalised cell, from sums of all rows."""
    cell, slots, hidden = w.cell, w.cell.slots, w.hidden
    total = total.reshape(w.panels, -1, w.lanes)
    total = total.swapaxes(0, 1).reshape(-1, w.padded)[:, :hidden]
    total = quiet.cast(total, w.w_hh.dtype)
    for p, start, order in (
        (w.ln_ih, 0, cell.x_order),
        (w.ln_hh, slots, cell.h_order),
        (w.b_ih, 2 * slots + 2, cell.x_order),
        (w.b_hh, 2 * slots + 2, cell.h_order),
    ):
        if p is not None and p.requires_grad:
            grad = np.empty((cell.gates, hidden), p.dtype)
            grad[order[order >= 0]] = total[start : start + slots][order >= 0]
            p.add_grad(grad.reshape(-1), copy=False)
    for p, at in ((w.ln_c, 2 * slots), (w.b_ln_c, 2 * slots + 1)):
        if p is not None and p.requires_grad:
            p.add_grad(total[at].copy(), copy=False)


class WeightGradients:
    """``dzᵀ·x``, ``dzᵀ·h_prev`` and the sums of dz, added up piece by piece of time, packed."""

    def __init__(self, w: Weights, saved: Saved, lease: Lease, embedding: Parameter | None) -> None:
        self.w, self.saved, self.lease, self.embedding = w, saved, lease, embedding
        z = saved.z
        self.started = False
        self.sums = np.empty((z.shape[0], z.shape[2]), np.float64)
        self.no_sums = np.empty((0, z.shape[2]), np.float64)
        # Where `forward` multiplied x beside h_prev by one matrix, so does this, if both reach the
        # same gates.
        self.beside = saved.h_column > 0
        self.normalised = w.cell.form == NORMALISED
        self.both = self.beside and w.cell.windows[0] == PANEL and not self.normalised
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
            self._add_product(u, 0, z, rows, (0, PANEL), self.d_state, self.sums)
        else:
            h_column = self.saved.h_column
            dz = self.saved.workspace.zh if self.normalised else z
            slots = (h_first, h_count)
            self._add_product(u, h_column, dz, rows, slots, self.d_state, self.no_sums)
            if self.embedding is None:
                x = u if self.beside else self.saved.x[rows]
                self._add_product(x, 0, z, rows, (0, x_count), self.d_input, self.sums)
            if self.d_last is not None:
                m = self.saved.workspace.m[rows]
                self._add_product(m, 0, z, rows, (0, 1), self.d_last, self.no_sums)
        self.started = True

    def _add_product(
        self,
        a: np.ndarray,
        column: int,
        dz: np.ndarray,
        rows: slice,
        slots: tuple[int, int],
        out: np.ndarray,
        sums: np.ndarray,
    ) -> None:
        """``out += dzᵀ·a``, the first time ``=``.

        Parameters
        ----------
        a : (rows, ≥ column + columns of out)
        column : int
            Where the columns of a that count begin.
        dz : (P, ≥ N, PANEL·V)
        slots : (first, count)
            Which of a panel's vectors count.
        out : (P, columns, PANEL·V), written
        sums : (P, PANEL·V) float64, written, or of no panels
            The sums of dz over those rows.
        """
        (panels, panel_rows, width), columns = dz.shape, out.shape[1]
        first, count = slots
        terms = rows.stop - rows.start
        nt = threads.threads_for(2.0 * terms * columns * panels * count * self.w.lanes)
        memory = blocks_memory(nt, terms, columns, panels, dz.dtype, self.lease)
        gemm_transposed(
            nt, self.started, a.reshape(-1)[column:], a.shape[1], terms, columns,
            dz.reshape(-1)[rows.start * width :], panel_rows * width, panels, first, count,
            zeros(dz.dtype), out, sums, memory,
        )  # fmt: skip

    def finish(self, padding: int | None) -> None:
        """Add everything to the parameters' gradients; `padding` is the embedding's row without."""
        w, cell, embedding = self.w, self.w.cell, self.embedding
        if self.saved.steps.rows == 0:
            for p in (*w.parameters[:4], embedding):
                if p is not None:
                    p.add_grad(np.zeros_like(p.numpy()), copy=False)
            return
        if embedding is not None:
            self._add_by_token(embedding, padding)
        _add_rows(w.w_ih, cell.gates, (self.d_input, cell.x_order, 0))
        state = self.d_state, cell.h_order, w.inputs if self.both else 0
        if self.d_last is None:
            _add_rows(w.w_hh, cell.gates, state)
        else:
            last = np.array([cell.gates - 1, *[-1] * (PANEL - 1)], np.int64)
            _add_rows(w.w_hh, cell.gates, state, (self.d_last, last, 0))
        if w.b_ih is not None and w.b_hh is not None and not self.normalised:
            sums, (of_x, of_h) = self.sums.reshape(-1), w.bias_places
            db = quiet.cast(sums.take(of_x), w.b_ih.dtype)
            if of_h is of_x:
                w.b_hh.add_grad(db)
            else:
                w.b_hh.add_grad(quiet.cast(sums.take(of_h), w.b_hh.dtype), copy=False)
            w.b_ih.add_grad(db, copy=False)

    def _add_by_token(self, embedding: Parameter, padding: int | None) -> None:
        """dz summed by token stands for dz in the products with the inputs."""
        z, w, entries = self.saved.z, self.w, embedding.shape[0]
        table = self.lease.array((z.shape[0], entries, z.shape[2]), z.dtype)
        sum_by_token(threads.threads_for(4.0 * z.size), z, self.saved.tokens, table)
        every = slice(0, entries)
        self.started = False
        values = embedding.values_for_kernel()
        slots = (0, w.cell.windows[0])
        self._add_product(values, 0, table, every, slots, self.d_input, self.sums)
        if embedding.requires_grad:
            d = np.empty(embedding.shape, z.dtype)
            input_gradient(w, table, every, d)
            if padding is not None:
                d[padding] = 0
            embedding.add_grad(d, copy=False)


def _add_rows(p: Parameter, gates: int, *parts: tuple[np.ndarray, np.ndarray, int]) -> None:
    """Add packed rows: of each part the array, the order of its gates, and its first row."""
    if p.requires_grad:
        with p.accumulate() as (grad, accumulate):
            nt = threads.threads_for(tuning.PACK_WORK * p.size)
            for packed, order, k0 in parts:
                pack.unpack_rows(nt, packed, gates, order, k0, accumulate, grad)
