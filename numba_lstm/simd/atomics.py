"""Atomic operations on an int64, two ways to wait, and a clock: for threads that share work."""

from __future__ import annotations

import ctypes
import platform
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .denormals import IS_X86

_IS_ARM64 = platform.machine().lower() in ("arm64", "aarch64")
_HAS_YIELD = hasattr(ctypes.pythonapi, "sched_yield")  # POSIX's, which each process has loaded


def _on_counter(p: types.Type) -> bool:
    return isinstance(p, types.CPointer) and p.dtype == types.int64


@intrinsic
def counter_at(typingctx, address):
    """A pointer to the int64 at an address."""
    if not isinstance(address, types.Integer):
        return None

    def codegen(context, b, sig, args):
        return b.inttoptr(args[0], context.get_value_type(sig.return_type))

    return types.CPointer(types.int64)(types.int64), codegen


@intrinsic
def atomic_add(typingctx, p, value):
    """Add to the int64 at `p`. A thread that reads the sum sees all that this one wrote before."""
    if not _on_counter(p):
        return None

    def codegen(context, b, sig, args):
        return b.atomic_rmw("add", args[0], args[1], "acq_rel")

    return types.int64(p, types.int64), codegen


@intrinsic
def atomic_load(typingctx, p):
    """The int64 at `p`. What other threads wrote before they added to it is seen from now on."""
    if not _on_counter(p):
        return None

    def codegen(context, b, sig, args):
        return b.load_atomic(args[0], "acquire", 8)

    return types.int64(p), codegen


@intrinsic
def atomic_store(typingctx, p, value):
    """Write `value` to `p`. Who loads it sees all that this thread wrote before."""
    if not _on_counter(p):
        return None

    def codegen(context, b, sig, args):
        b.store_atomic(args[1], args[0], "release", 8)
        return context.get_dummy_value()

    return types.void(p, types.int64), codegen


@intrinsic
def fence(typingctx):
    """Let no load from here on be done before a store that stands above is seen by all."""

    def codegen(context, b, sig, args):
        b.fence("seq_cst")
        return context.get_dummy_value()

    return types.void(), codegen


@intrinsic
def atomic_replace(typingctx, p, expected, value):
    """Write `value` to `p` if `expected` stands there. False, and nothing done, if not."""
    if not _on_counter(p):
        return None

    def codegen(context, b, sig, args):
        pair = b.cmpxchg(args[0], args[1], args[2], "acq_rel", "acquire")
        return b.extract_value(pair, 1)

    return types.boolean(p, types.int64, types.int64), codegen


def _call(context: Any, b: ir.IRBuilder, name: str, result: ir.Type) -> ir.Value:
    function = cgutils.get_or_insert_function(b.module, ir.FunctionType(result, []), name)
    b.call(function, [])
    return context.get_dummy_value()


def _rest(context: Any, b: ir.IRBuilder) -> ir.Value:
    if IS_X86:
        return _call(context, b, "llvm.x86.sse2.pause", ir.VoidType())
    return context.get_dummy_value()


@intrinsic
def pause(typingctx):
    """Tell the core that this is a loop that waits; takes 10 to 40 ns."""

    def codegen(context, b, sig, args):
        return _rest(context, b)

    return types.void(), codegen


@intrinsic
def yield_core(typingctx):
    """Offer this core to other threads: the one that is waited for may need it."""

    def codegen(context, b, sig, args):
        if _HAS_YIELD:
            return _call(context, b, "sched_yield", ir.IntType(32))
        return _rest(context, b)

    return types.void(), codegen


@intrinsic
def ticks(typingctx):
    """A clock that counts evenly, in units of its own; 0 at all times where there is none."""

    def codegen(context, b, sig, args):
        i64 = ir.IntType(64)
        if IS_X86:
            name = "llvm.readcyclecounter"
            return b.call(
                cgutils.get_or_insert_function(b.module, ir.FunctionType(i64, []), name), []
            )
        if _IS_ARM64:
            return b.asm(ir.FunctionType(i64, []), "mrs $0, cntvct_el0", "=r", [], True)
        return ir.Constant(i64, 0)

    return types.int64(), codegen
