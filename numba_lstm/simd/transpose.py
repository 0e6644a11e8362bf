"""Transposition of V by V items, in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .memory import emit_load, emit_store, is_pointer
from .vector import ir_vector

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


def _emit_transposed(b: ir.IRBuilder, rows: list[ir.Value]) -> list[ir.Value]:
    """Swap the off-diagonal halves, then the quarters within each, and so on: V·log2(V) shuffles.

    Eklundh, A fast computer method for matrix transposing, IEEE Trans. Comp. C-21, 1972.
    """
    count = len(rows)
    d = 1
    while d < count:
        low = [k if not k & d else count + k - d for k in range(count)]
        high = [k + d if not k & d else count + k for k in range(count)]
        masks = [ir.Constant(ir.VectorType(_I32, count), mask) for mask in (low, high)]
        new = list(rows)
        for i in range(count):
            if not i & d:
                pair = rows[i], rows[i + d]
                new[i], new[i + d] = (b.shuffle_vector(*pair, mask) for mask in masks)
        rows, d = new, 2 * d
    return rows


def _make(accumulate: bool, doc: str) -> Any:
    def make(typingctx, source, source_stride, target, target_stride):
        if not (is_pointer(source) and source == target):
            return None

        def codegen(context, b, sig, args):
            v = ir_vector(source.dtype)
            origin, origin_stride, goal, goal_stride = args
            numbers = [ir.Constant(_I64, i) for i in range(v.count)]
            rows = [emit_load(b, origin, b.mul(origin_stride, i), v) for i in numbers]
            for i, row in zip(numbers, _emit_transposed(b, rows)):
                place = b.mul(goal_stride, i)
                if accumulate:
                    row = b.fadd(emit_load(b, goal, place, v), row)
                emit_store(b, row, goal, place)
            return context.get_dummy_value()

        return types.void(source, types.intp, source, types.intp), codegen

    make.__doc__ = doc
    return intrinsic(make)


transpose_block = _make(
    False,
    """``target[j, i] = source[i, j]`` for i, j < V; (source, its stride, target, its stride).""",
)
transpose_block_add = _make(True, "As `transpose_block`, added to what stands in the target.")
