"""x·Wᵀ + b and its gradients for checked arrays, W a parameter in torch's layout."""

from __future__ import annotations

import numpy as np

from .. import quiet, threads, tuning
from ..kernels import pack
from ..kernels.gemm import TRANSPOSED_SCRATCH, gemm, gemm_transposed
from ..kernels.sums import column_sums
from ..simd import PANEL, STRIP, TARGET
from .packed import packed_columns, packed_rows, zero_bias, zeros
from .parameter import Parameter
from .scratch import Lease

__all__ = [
    "backward",
    "blocks_memory",
    "forward",
    "multiply",
    "multiply_panels",
    "project",
    "weight_gradient",
]


def multiply(a: np.ndarray, w: np.ndarray, bias: np.ndarray, c: np.ndarray) -> None:
    """``C = A·W + b`` for row-major a (…, K) and c (…, N): ``c[...] = a @ w + bias``.

    w (strips, ≥ K, strip·V) and bias (panels, PANEL·V) are packed.
    """
    k, n = a.shape[-1], c.shape[-1]
    rows = c.size // n
    nt = threads.threads_for(2.0 * rows * k * n)
    width = PANEL * TARGET.lanes(c.itemsize)
    gemm(nt, a.reshape(-1), k, 1, 0, k, rows, w, bias, c.reshape(-1), width, n, n)


def project(a: np.ndarray, w: np.ndarray, bias: np.ndarray, z: np.ndarray) -> None:
    """As `multiply`, into the first rows of panels z (P, ≥ rows, PANEL·V)."""
    (rows, k), (panels, panel_rows, width) = a.shape, z.shape
    nt = threads.threads_for(2.0 * rows * k * panels * width)
    gemm(
        nt, a.reshape(-1), k, 1, 0, k, rows, w, bias,
        z.reshape(-1), panel_rows * width, width, panels * width,
    )  # fmt: skip


def multiply_panels(
    z: np.ndarray, rows: slice, k: int, w: np.ndarray, bias: np.ndarray, c: np.ndarray
) -> None:
    """As `multiply`, where A is `rows` of panels z (P, ≥ rows, PANEL·V), k columns of each."""
    panels, panel_rows, width = z.shape
    count, n = c.shape
    nt = threads.threads_for(2.0 * count * n * panels * k)
    gemm(
        nt, z.reshape(-1)[rows.start * width :], width, panels, panel_rows * width, k,
        count, w, bias, c.reshape(-1), width, n, n,
    )  # fmt: skip


def forward(weight: Parameter, bias: Parameter | None, x: np.ndarray) -> np.ndarray:
    """y (…, O) of x (…, I)."""
    y = np.empty((*x.shape[:-1], weight.shape[0]), x.dtype)
    packed = packed_rows(weight)
    if bias is None:
        b = zero_bias(packed.dtype, packed.shape[0])
    else:
        b = bias.packed("rows", _packed_bias)
    multiply(x, packed, b, y)
    return y


def _packed_bias(bias: np.ndarray) -> np.ndarray:
    """As `pack.pack_bias`, which takes longer, for a bias of one gate: it is in order already."""
    width = PANEL * TARGET.lanes(bias.itemsize)
    out = np.zeros((-(-bias.size // width), width), bias.dtype)
    out.reshape(-1)[: bias.size] = bias
    return out


def backward(
    weight: Parameter, bias: Parameter | None, x: np.ndarray, dy: np.ndarray
) -> np.ndarray:
    """dx of dy, adding to the parameters' gradients.

    Each product packs the smaller operand: the weight for dx, and for dW whichever of x and dy has
    the fewer columns.
    """
    outputs, inputs = weight.shape
    rows = dy.size // outputs
    dx = np.empty(x.shape, x.dtype)
    dy = dy.reshape(rows, outputs)
    packed = packed_columns(weight, 1, pack.PLAIN, outputs)
    multiply(dy, packed, zero_bias(packed.dtype, packed.shape[0]), dx)
    if bias is not None and bias.requires_grad:
        _bias_gradient(bias, dy)
    if weight.requires_grad:
        weight_gradient(weight, x.reshape(rows, inputs), dy)
    return dx


def _bias_gradient(bias: Parameter, dy: np.ndarray) -> None:
    sums, lease = np.empty(dy.shape[1], np.float64), Lease()
    # Reading dy is all there is to it: a second thread gains nothing at 455000 items, a fifth at 7
    # million.
    nt = threads.threads_for(0.5 * dy.size)
    column_sums(nt, dy, lease.array(sums.shape, dy.dtype), sums)
    lease.release()
    bias.add_grad(quiet.cast(sums, dy.dtype), copy=False)


def blocks_memory(
    nt: int, terms: int, columns: int, panels: int, dtype: np.dtype, lease: Lease
) -> np.ndarray:
    """Where `gemm_transposed` copies blocks of A to; of no rows if copying gains nothing."""
    read = min(terms, tuning.GEMM_TRANSPOSED_K) * columns * dtype.itemsize
    worth = (
        STRIP < PANEL
        and panels >= tuning.GEMM_TRANSPOSED_PANELS * nt
        and read > tuning.L2_BYTES * 2 // 3
    )
    return lease.array((tuning.PIECES_OF_ROWS * nt if worth else 0, TRANSPOSED_SCRATCH), dtype)


def weight_gradient(weight: Parameter, x: np.ndarray, dy: np.ndarray) -> None:
    """``dW += dyᵀ·x``, for dy (rows, O) and the first I columns of x (rows, ≥ I)."""
    outputs, inputs = weight.shape
    rows = x.shape[0]
    if rows == 0:
        weight.add_grad(np.zeros_like(weight.numpy()), copy=False)
        return
    nt = threads.threads_for(2.0 * rows * inputs * outputs)
    width = PANEL * TARGET.lanes(x.itemsize)
    no_sums = np.empty((0, width), np.float64)
    lease = Lease()
    by_inputs = inputs <= outputs
    a, b = (dy, np.ascontiguousarray(x[:, :inputs])) if by_inputs else (x, dy)
    columns = outputs if by_inputs else inputs
    panels = -(-b.shape[1] // width)
    z = lease.array((panels, rows, width), x.dtype)
    pack.pack_columns(threads.threads_for(tuning.PACK_WORK * b.size), b, 1, pack.PLAIN, z)
    packed = lease.array((panels, columns, width), x.dtype)
    memory = blocks_memory(nt, rows, columns, panels, x.dtype, lease)
    gemm_transposed(
        nt, False, a.reshape(-1), a.shape[1], rows, columns, z.reshape(-1), rows * width, panels,
        0, PANEL, zeros(x.dtype), packed, no_sums, memory,
    )  # fmt: skip
    with weight.accumulate() as (grad, accumulate):
        few = threads.threads_for(tuning.PACK_WORK * weight.size)
        if by_inputs:
            pack.unpack_columns(few, packed, accumulate, grad)
        else:
            pack.unpack_rows(few, packed, 1, pack.PLAIN, 0, accumulate, grad)
    lease.release()
