"""x·Wᵀ + b and its gradients for checked arrays, W a parameter in torch's layout."""

from __future__ import annotations

import numpy as np

from .. import threads, tuning
from ..kernels import pack
from ..kernels.gemm import gemm, gemm_transposed
from ..kernels.sums import column_sums
from ..simd import PANEL, TARGET
from .packed import packed_columns, packed_rows
from .parameter import Parameter
from .scratch import Lease


def forward(weight: Parameter, bias: Parameter | None, x: np.ndarray) -> np.ndarray:
    """y (…, O) of x (…, I)."""
    outputs, inputs = weight.shape
    y = np.empty((*x.shape[:-1], outputs), x.dtype)
    rows = y.size // outputs
    packed = packed_rows(weight)
    width = packed.shape[2]
    if bias is None:
        panels = packed.shape[0]
        b = weight.packed(("no bias", panels), lambda a: np.zeros((panels, width), a.dtype))
    else:
        b = bias.packed("rows", lambda a: pack.pack_bias(a, 1, pack.PLAIN, width // PANEL))
    nt = threads.threads_for(2.0 * rows * inputs * outputs)
    gemm(
        nt, x.reshape(-1), inputs, 1, 0, inputs, rows, packed, b,
        y.reshape(-1), width, outputs, outputs,
    )  # fmt: skip
    return y


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
    packed = packed_columns(weight, 1, pack.PLAIN, outputs)
    width = packed.shape[2]
    zeros = weight.packed("no dx bias", lambda a: np.zeros((packed.shape[0], width), a.dtype))
    nt = threads.threads_for(2.0 * rows * inputs * outputs)
    gemm(
        nt, dy.reshape(-1), outputs, 1, 0, outputs, rows, packed, zeros,
        dx.reshape(-1), width, inputs, inputs,
    )  # fmt: skip
    if bias is not None and bias.requires_grad:
        _bias_gradient(bias, dy.reshape(rows, outputs))
    if weight.requires_grad:
        weight_gradient(weight, x.reshape(rows, inputs), dy.reshape(rows, outputs))
    return dx


def _bias_gradient(bias: Parameter, dy: np.ndarray) -> None:
    sums, lease = np.empty(dy.shape[1], np.float64), Lease()
    # Reading dy is all there is to it: a second thread gains nothing at 455000 items, a fifth at 7
    # million.
    nt = threads.threads_for(0.5 * dy.size)
    column_sums(nt, dy, lease.array(sums.shape, dy.dtype), sums)
    lease.release()
    bias.add_grad(sums.astype(dy.dtype), own=True)


def weight_gradient(weight: Parameter, x: np.ndarray, dy: np.ndarray) -> None:
    """``dW += dyᵀ·x``, for dy (rows, O) and the first I columns of x (rows, ≥ I)."""
    outputs, inputs = weight.shape
    rows = x.shape[0]
    if rows == 0:
        weight.add_grad(np.zeros_like(weight.numpy()), own=True)
        return
    nt = threads.threads_for(2.0 * rows * inputs * outputs)
    width = PANEL * TARGET.lanes(x.itemsize)
    zeros = weight.packed("zeros", lambda w: np.zeros(width, w.dtype))
    no_sums = np.empty((0, width), np.float64)
    lease = Lease()
    by_inputs = inputs <= outputs
    a, b = (dy, np.ascontiguousarray(x[:, :inputs])) if by_inputs else (x, dy)
    columns = outputs if by_inputs else inputs
    panels = -(-b.shape[1] // width)
    z = lease.array((panels, rows, width), x.dtype)
    pack.pack_columns(threads.threads_for(tuning.PACK_WORK * b.size), b, 1, pack.PLAIN, z)
    packed = lease.array((panels, columns, width), x.dtype)
    gemm_transposed(
        nt, False, a.reshape(-1), a.shape[1], rows, columns, z.reshape(-1), rows * width, panels,
        0, PANEL, zeros, packed, no_sums,
    )  # fmt: skip
    with weight.accumulate() as (grad, accumulate):
        few = threads.threads_for(tuning.PACK_WORK * weight.size)
        if by_inputs:
            pack.unpack_columns(few, packed, accumulate, grad)
        else:
            pack.unpack_rows(few, packed, 1, pack.PLAIN, 0, accumulate, grad)
    lease.release()
