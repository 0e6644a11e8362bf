"""Denormals are zero inside kernels. The caller's floating-point environment stays as it was."""

from __future__ import annotations

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I32 = ir.IntType(32)
_FLUSH = 0x8040  # MXCSR: flush results to zero (bit 15), read denormals as zero (bit 6)


def _mxcsr(b: ir.IRBuilder, name: str, place: ir.Value) -> None:
    byte_pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(ir.VoidType(), [byte_pointer]), f"llvm.x86.sse.{name}mxcsr"
    )
    b.call(function, [b.bitcast(place, byte_pointer)])


IS_X86 = llvm.get_default_triple().startswith(("x86_64", "i686", "i386", "amd64"))


@intrinsic
def flush_denormals(typingctx):
    """Make this thread treat denormals as zero. Returns what `restore_denormals` needs.

    States and gradients of an LSTM decay to denormals, and one multiplication of a denormal can
    cost over a hundred cycles.
    """

    def codegen(context, b, sig, args):
        if not IS_X86:
            return ir.Constant(_I32, 0)
        place = cgutils.alloca_once(b, _I32)
        _mxcsr(b, "st", place)
        before = b.load(place)
        b.store(b.or_(before, ir.Constant(_I32, _FLUSH)), place)
        _mxcsr(b, "ld", place)
        return before

    return types.uint32(), codegen


@intrinsic
def restore_denormals(typingctx, before):
    """Restore this thread's floating-point environment to what `flush_denormals` found."""

    def codegen(context, b, sig, args):
        if IS_X86:
            place = cgutils.alloca_once(b, _I32)
            b.store(args[0], place)
            _mxcsr(b, "ld", place)
        return context.get_dummy_value()

    return types.void(types.uint32), codegen
