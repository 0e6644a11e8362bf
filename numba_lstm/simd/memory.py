"""Pointers into arrays, and vectors moved from and to memory."""

from __future__ import annotations

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .target import TARGET
from .vector import VECTORS, ir_vector, splat, type_name, vector_of

LINE = 64  # bytes of a cache line, which is what a prefetch brings
_I32 = ir.IntType(32)


def is_pointer(p: types.Type) -> bool:
    return isinstance(p, types.CPointer) and p.dtype in VECTORS


@intrinsic
def at(typingctx, array, index):
    """A pointer to ``array[index]``, `index` a tuple with an int for each dimension."""
    if not (isinstance(array, types.Array) and array.layout == "C"):
        return None
    sig = types.CPointer(array.dtype)(array, index)

    def codegen(context, b, sig, args):
        array_type, index_type = sig.args
        ary = context.make_array(array_type)(context, b, args[0])
        indices = [
            context.cast(b, i, t, types.intp)
            for i, t in zip(cgutils.unpack_tuple(b, args[1]), index_type)
        ]
        return cgutils.get_item_pointer(
            context, b, array_type, ary, indices, wraparound=False, boundscheck=False
        )

    return sig, codegen


@intrinsic
def shift(typingctx, p, offset):
    """The pointer `offset` items behind `p`."""
    if not isinstance(p, types.CPointer):
        return None

    def codegen(context, b, sig, args):
        return b.gep(args[0], [args[1]])

    return p(p, types.intp), codegen


@intrinsic
def lanes(typingctx, p):
    """V: how many items of a pointer's or array's dtype a vector has. A constant when compiled."""
    count = TARGET.lanes(p.dtype.bitwidth // 8)

    def codegen(context, b, sig, args):
        return context.get_constant(types.intp, count)

    return types.intp(p), codegen


@intrinsic
def scalar(typingctx, p, value):
    """The number `value` in the dtype of the pointer or array `p`."""
    sig = p.dtype(p, value)

    def codegen(context, b, sig, args):
        return context.cast(b, args[1], sig.args[1], sig.return_type)

    return sig, codegen


def _item_pointer(b: ir.IRBuilder, p: ir.Value, offset: ir.Value, ty: ir.Type) -> ir.Value:
    return b.bitcast(b.gep(p, [offset]), ty.as_pointer())


def emit_load(b: ir.IRBuilder, p: ir.Value, offset: ir.Value, v: ir.VectorType) -> ir.Value:
    # Aligned to 4 bytes only, because rows of any length start anywhere. An unaligned load of an
    # aligned address costs nothing.
    return b.load(_item_pointer(b, p, offset, v), align=4)


def emit_store(b: ir.IRBuilder, x: ir.Value, p: ir.Value, offset: ir.Value) -> None:
    b.store(x, _item_pointer(b, p, offset, x.type), align=4)


def emit_prefetch(b: ir.IRBuilder, p: ir.Value) -> None:
    """Prefetch the cache line at `p` into all caches. `p` need not point to valid memory."""
    byte = ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, _I32, _I32, _I32])
    function = b.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    b.call(function, [b.bitcast(p, byte), _I32(0), _I32(3), _I32(1)])


def _mask(b: ir.IRBuilder, n: ir.Value, count: int) -> ir.Value:
    places = ir.Constant(ir.VectorType(_I32, count), list(range(count)))
    return b.icmp_signed("<", places, splat(b, b.trunc(n, _I32), count))


@intrinsic
def load(typingctx, p, offset):
    """The vector that starts `offset` items after `p`."""
    if not is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        return emit_load(b, args[0], args[1], ir_vector(p.dtype))

    return VECTORS[p.dtype](p, types.intp), codegen


@intrinsic
def store(typingctx, p, offset, v):
    """Write the vector `v` to `offset` items after `p`."""
    if not is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        emit_store(b, vector_of(b, sig.args[2], args[2], VECTORS[p.dtype]), args[0], args[1])
        return context.get_dummy_value()

    return types.void(p, types.intp, v), codegen


@intrinsic
def load_n(typingctx, p, offset, n):
    """As `load`, of the first `n` items; the others are 0 and their memory is not touched."""
    if not is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        v = ir_vector(p.dtype)
        place = _item_pointer(b, args[0], args[1], v)
        mask = _mask(b, args[2], v.count)
        function = cgutils.get_or_insert_function(
            b.module,
            ir.FunctionType(v, [place.type, _I32, mask.type, v]),
            f"llvm.masked.load.{type_name(v)}.p0",
        )
        zero = ir.Constant(v, [0.0] * v.count)
        return b.call(function, [place, ir.Constant(_I32, 4), mask, zero])

    return VECTORS[p.dtype](p, types.intp, types.intp), codegen


@intrinsic
def store_n(typingctx, p, offset, v, n):
    """As `store`, of the first `n` items; the memory of the others is not touched."""
    if not is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        x = args[2]
        place = _item_pointer(b, args[0], args[1], x.type)
        mask = _mask(b, args[3], x.type.count)
        function = cgutils.get_or_insert_function(
            b.module,
            ir.FunctionType(ir.VoidType(), [x.type, place.type, _I32, mask.type]),
            f"llvm.masked.store.{type_name(x.type)}.p0",
        )
        b.call(function, [x, place, ir.Constant(_I32, 4), mask])
        return context.get_dummy_value()

    return types.void(p, types.intp, v, types.intp), codegen


@intrinsic
def prefetch(typingctx, p, offset):
    """Bring the cache line of the item `offset` items after `p`, and wait for nothing."""
    if not is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        emit_prefetch(b, b.gep(args[0], [args[1]]))
        return context.get_dummy_value()

    return types.void(p, types.intp), codegen
