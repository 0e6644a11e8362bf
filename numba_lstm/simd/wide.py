"""Sums and maxima over long rows: sums in float64, and the maximum of a vector's items.

A sum of many float32 is kept in a vector of float64, ``wide``. `add_wide` and `add_squares_wide`
add the items of a vector of either dtype. The order of additions is always the same.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .vector import VECTORS, Vector, emit_fma, ir_vector

_WIDE = VECTORS[types.float64]


@intrinsic
def pointer(typingctx, address, like):
    """A pointer to the items at an address; `like` is an array of their dtype.

    The caller keeps the array alive.
    """
    if not (isinstance(address, types.Integer) and isinstance(like, types.Array)):
        return None
    sig = types.CPointer(like.dtype)(address, like)

    def codegen(context, b, sig, args):
        return b.inttoptr(args[0], context.get_value_type(sig.return_type))

    return sig, codegen


@intrinsic
def hmax(typingctx, v):
    """The greatest item of a vector, as a scalar. With NaN among them it may be any of them."""
    if not isinstance(v, Vector):
        return None

    def codegen(context, b, sig, args):
        items = [
            b.extract_element(args[0], context.get_constant(types.int32, lane))
            for lane in range(v.lanes)
        ]
        while len(items) > 1:
            pairs = zip(items[::2], items[1::2])
            items = [b.select(b.fcmp_ordered(">", x, y), x, y) for x, y in pairs]
        return items[0]

    return v.dtype(v), codegen


@intrinsic
def wide_zeros(typingctx):
    """A vector of float64 zeros, for a sum to start with."""

    def codegen(context, b, sig, args):
        return ir.Constant(ir_vector(types.float64), None)

    return _WIDE(), codegen


def _float64_parts(b: Any, x: Any) -> list[Any]:
    """The items of a vector as one vector of float64 (from float64) or as two (from float32)."""
    whole = ir_vector(types.float64)
    if x.type == whole:
        return [x]
    parts = []
    for start in (0, whole.count):
        places = ir.Constant(
            ir.VectorType(ir.IntType(32), whole.count), list(range(start, start + whole.count))
        )
        parts.append(b.fpext(b.shuffle_vector(x, x, places), whole))
    return parts


@intrinsic
def add_wide(typingctx, wide, v):
    """``wide`` plus the items of `v`."""
    if not isinstance(v, Vector):
        return None

    def codegen(context, b, sig, args):
        total = args[0]
        for part in _float64_parts(b, args[1]):
            total = b.fadd(total, part)
        return total

    return _WIDE(_WIDE, v), codegen


@intrinsic
def add_squares_wide(typingctx, wide, v):
    """``wide`` plus the squares of the items of `v`, which cannot overflow for float32."""
    if not isinstance(v, Vector):
        return None

    def codegen(context, b, sig, args):
        total = args[0]
        for part in _float64_parts(b, args[1]):
            total = emit_fma(b, part, part, total)
        return total

    return _WIDE(_WIDE, v), codegen
