"""Kernels called as functions of their own, and functions called by their addresses.

A thread that is to run a part of another one's work gets two numbers: the address of a function
``void (i8* data, i64 q)``, and that of the data, which are the kernel's other arguments.
"""

from __future__ import annotations

import uuid
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

_I32, _I64 = ir.IntType(32), ir.IntType(64)
_BYTES = ir.IntType(8).as_pointer()
_PART = ir.FunctionType(ir.VoidType(), [_BYTES, _I64])
_SYSTEM = ir.FunctionType(_I32, [_I64, _I64, _I64])


@intrinsic
def part_of(typingctx, body, arguments):
    """(function, data): addresses by which `call_part` runs ``body(q, *arguments)``.

    `body` is a kernel that returns nothing, `arguments` a tuple. The data stand on the stack of the
    function that this is called in, and are gone when it returns.
    """
    if not (isinstance(body, types.Dispatcher) and isinstance(arguments, types.BaseTuple)):
        return None
    signature = typingctx.resolve_function_type(body, (types.intp, *arguments), {})
    if signature is None or signature.return_type != types.none:
        return None

    def codegen(context, b, sig, args):
        packer = context.get_arg_packer(tuple(arguments))
        values = packer.as_arguments(b, cgutils.unpack_tuple(b, args[1]))
        data = ir.LiteralStructType([value.type for value in values])
        place = cgutils.alloca_once(b, data)
        for n, value in enumerate(values):
            b.store(value, cgutils.gep_inbounds(b, place, 0, n))
        function = _emit_part(context, b.module, body.dispatcher, signature, packer, data)
        addresses = [b.ptrtoint(function, _I64), b.ptrtoint(place, _I64)]
        return context.make_tuple(b, sig.return_type, addresses)

    return types.UniTuple(types.int64, 2)(body, arguments), codegen


def _emit_part(
    context: Any, module: ir.Module, kernel: Any, sig: Any, packer: Any, data: ir.Type
) -> ir.Function:
    """Define ``void part(i8* data, i64 q)``: it loads the arguments and calls the kernel."""
    compiled = kernel.overloads[tuple(sig.args)]
    context.active_code_library.add_linking_library(compiled.library)
    name = module.get_unique_name(f"part_{kernel.py_func.__name__}")
    function = ir.Function(module, _PART, name)
    function.linkage = "internal"
    # It is called from several places, and has all of the work inside.
    function.attributes.add("noinline")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    place = b.bitcast(function.args[0], data.as_pointer())
    values = [b.load(cgutils.gep_inbounds(b, place, 0, n)) for n in range(len(data.elements))]
    arguments = [function.args[1], *packer.from_arguments(b, values)]
    callee = context.declare_function(module, compiled.fndesc)
    # Kernels do not raise: their status says nothing.
    context.call_conv.call_function(b, callee, sig.return_type, sig.args, arguments)
    b.ret_void()
    return function


@intrinsic
def call_apart(typingctx, body, arguments):
    """Call ``body(*arguments)``, a kernel that returns nothing, without compiling it in here.

    A kernel that is compiled into its caller shares registers with it. A loop that has few values
    of its own then finds them on the stack, among those that its caller keeps for later.
    """
    if not (isinstance(body, types.Dispatcher) and isinstance(arguments, types.BaseTuple)):
        return None
    signature = typingctx.resolve_function_type(body, tuple(arguments), {})
    if signature is None or signature.return_type != types.none:
        return None

    def codegen(context, b, sig, args):
        packer = context.get_arg_packer(tuple(arguments))
        values = packer.as_arguments(b, cgutils.unpack_tuple(b, args[1]))
        function = _function_apart(context, b.module, body.dispatcher, signature, packer, values)
        b.call(function, values)
        return context.get_dummy_value()

    return types.none(body, arguments), codegen


class _Names(dict[str, str]):
    """A name for each kernel that is called apart, which no other process gives to anything.

    Numba numbers functions as it compiles them. Two processes give one number to two kernels, and
    one that loads drivers of both from the compile cache has but one function of a name: it ran an
    LSTM's gates in a GRU.
    """

    def __missing__(self, kernel: str) -> str:
        self[kernel] = name = f"apart_{uuid.uuid4().hex}"
        return name


_apart_names = _Names()


def _function_apart(
    context: Any, module: ir.Module, kernel: Any, sig: Any, packer: Any, values: Any
) -> ir.Function:
    """Define a function that calls the kernel with its own arguments, and is never inlined."""
    compiled = kernel.overloads[tuple(sig.args)]
    context.active_code_library.add_linking_library(compiled.library)
    name = _apart_names[compiled.fndesc.mangled_name]
    if name in module.globals:
        return module.globals[name]
    function = ir.Function(module, ir.FunctionType(ir.VoidType(), [v.type for v in values]), name)
    function.linkage = "linkonce_odr"  # one for all kernels that call it
    function.attributes.add("noinline")
    b = ir.IRBuilder(function.append_basic_block("entry"))
    callee = context.declare_function(module, compiled.fndesc)
    arguments = packer.from_arguments(b, function.args)
    context.call_conv.call_function(b, callee, sig.return_type, sig.args, arguments)
    b.ret_void()
    return function


@intrinsic
def call_part(typingctx, function, data, q):
    """Run part q of what `part_of` gave the addresses of."""

    def codegen(context, b, sig, args):
        callee = b.inttoptr(args[0], _PART.as_pointer())
        b.call(callee, [b.inttoptr(args[1], _BYTES), args[2]])
        return context.get_dummy_value()

    return types.void(types.int64, types.int64, types.int64), codegen


@intrinsic
def call_system(typingctx, function, handle, argument):
    """Call ``int function(handle, argument, 0)``; C functions of fewer arguments do not mind."""

    def codegen(context, b, sig, args):
        callee = b.inttoptr(args[0], _SYSTEM.as_pointer())
        return b.sext(b.call(callee, [args[1], args[2], ir.Constant(_I64, 0)]), _I64)

    return types.int64(types.int64, types.int64, types.int64), codegen
