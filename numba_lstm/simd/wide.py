"""What sums and maxima over long rows need of vectors: float64 partial sums, a horizontal maximum.

A sum of many float32 is kept in a vector of float64, ``wide``; `add_wide` and `add_squares_wide`
take the items of a vector of either format. Every sum is the same tree of additions each time.
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
    """The pointer to an array's first item, from its address; `like` is an array of its dtype.

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
    """The greatest item of a vector, a scalar. NaN items may or may not be passed over."""
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
    """A vector of float64 zeros, to begin a sum with."""

    def codegen(context, b, sig, args):
        return ir.Constant(ir_vector(types.float64), None)

    return _WIDE(), codegen


def _float64_parts(b: Any, x: Any) -> list[Any]:
    """The items of a vector as one vector of float64, or as two."""
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
