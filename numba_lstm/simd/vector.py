"""The vector type and arithmetic on it."""

from __future__ import annotations

import operator
from collections.abc import Callable
from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from .target import TARGET

_I32 = ir.IntType(32)


class Vector(types.Type):
    """A vector as wide as the target's registers; `dtype` is the numba type of its items."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        self.lanes = TARGET.lanes(dtype.bitwidth // 8)
        super().__init__(f"f{dtype.bitwidth}x{self.lanes}")


def ir_scalar(dtype: types.Type) -> ir.Type:
    return ir.FloatType() if dtype is types.float32 else ir.DoubleType()


def ir_vector(dtype: types.Type) -> ir.VectorType:
    return ir.VectorType(ir_scalar(dtype), TARGET.lanes(dtype.bitwidth // 8))


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, ir_vector(fe_type.dtype))


VECTORS = {dtype: Vector(dtype) for dtype in (types.float32, types.float64)}


def type_name(v: ir.VectorType) -> str:
    return f"v{v.count}f{32 if isinstance(v.element, ir.FloatType) else 64}"


def splat(b: ir.IRBuilder, x: ir.Value, lanes: int) -> ir.Value:
    undefined = ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined)
    one = b.insert_element(undefined, x, ir.Constant(_I32, 0))
    return b.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def vector_of(b: ir.IRBuilder, ty: types.Type, value: ir.Value, vector: Vector) -> ir.Value:
    return value if isinstance(ty, Vector) else splat(b, value, vector.lanes)


def _call(b: ir.IRBuilder, name: str, *args: ir.Value) -> ir.Value:
    """Call LLVM's intrinsic `name`, overloaded on the vector type of its arguments."""
    v = args[0].type
    function = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(v, [v] * len(args)), f"llvm.{name}.{type_name(v)}"
    )
    return b.call(function, args)


def emit_fma(b: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    # Without FMA instructions llvm.fma is a call of a library for each item: 1.9 GFLOP/s.
    return _call(b, "fma" if TARGET.fma else "fmuladd", x, y, z)


def _operator(op: Callable[..., Any], emit: str) -> None:
    @infer_global(op)
    class _Template(ConcreteTemplate):
        cases = [  # noqa: RUF012 (numba's own attribute)
            signature(v, *pair)
            for v in VECTORS.values()
            for pair in ((v, v), (v, v.dtype), (v.dtype, v))
        ]

    def lower(context: Any, b: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        x, y = (vector_of(b, t, a, sig.return_type) for t, a in zip(sig.args, args))
        return getattr(b, emit)(x, y)

    for case in _Template.cases:
        lower_builtin(op, *case.args)(lower)


for _op, _emit in (
    (operator.add, "fadd"),
    (operator.sub, "fsub"),
    (operator.mul, "fmul"),
    (operator.truediv, "fdiv"),
):
    _operator(_op, _emit)


def _elementwise(n: int, emit: Callable[..., ir.Value], doc: str) -> Any:
    """An intrinsic of `n` arguments: a vector, then vectors or scalars of its dtype."""

    def type_and_lower(v: types.Type, *others: types.Type) -> Any:
        if not isinstance(v, Vector):
            return None
        sig = v(v, *(t if isinstance(t, Vector) else v.dtype for t in others))

        def codegen(context: Any, b: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return emit(b, *(vector_of(b, t, a, v) for t, a in zip(sig.args, args)))

        return sig, codegen

    # Numba reads the number of arguments from the function's signature: one function for each.
    makers: dict[int, Any] = {
        1: lambda typingctx, x: type_and_lower(x),
        2: lambda typingctx, x, y: type_and_lower(x, y),
        3: lambda typingctx, x, y, z: type_and_lower(x, y, z),
        4: lambda typingctx, x, y, z, w: type_and_lower(x, y, z, w),
    }
    make = makers[n]
    make.__doc__ = doc
    return intrinsic(make)


def _emit_min(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.fcmp_ordered("<", y, x), y, x)


def _emit_max(b: ir.IRBuilder, x: ir.Value, y: ir.Value) -> ir.Value:
    return b.select(b.fcmp_ordered(">", y, x), y, x)


def _emit_where_gt(b: ir.IRBuilder, x: ir.Value, y: ir.Value, p: ir.Value, q: ir.Value) -> ir.Value:
    return b.select(b.fcmp_ordered(">", x, y), p, q)


def _emit_round(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    if TARGET.fma:
        return _call(b, "rint", x)
    # x86-64 before SSE4.1, where llvm.rint would be a library call.
    half = ir.Constant(x.type, [0.5] * x.type.count)
    zero = ir.Constant(x.type, [0.0] * x.type.count)
    half = b.select(b.fcmp_ordered("<", x, zero), b.fneg(half), half)
    return b.sitofp(b.fptosi(b.fadd(x, half), ir.VectorType(_I32, x.type.count)), x.type)


def _emit_exp2_int(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
    single = isinstance(x.type.element, ir.FloatType)
    bias, shift, bits = (127, 23, 32) if single else (1023, 52, 64)
    # AVX2 cannot convert doubles to 64-bit integers, so they go through 32-bit ones.
    n = b.fptosi(x, ir.VectorType(_I32, x.type.count))
    item = ir.IntType(bits)
    integers = ir.VectorType(item, x.type.count)
    if bits == 64:
        n = b.sext(n, integers)
    n = b.add(n, ir.Constant(integers, [bias] * x.type.count))
    return b.bitcast(b.shl(n, ir.Constant(integers, [shift] * x.type.count)), x.type)


def _emit_constant(value: float) -> Callable[..., ir.Value]:
    def emit(b: ir.IRBuilder, x: ir.Value) -> ir.Value:
        return ir.Constant(x.type, [value] * x.type.count)

    return emit


zeros_like = _elementwise(1, _emit_constant(0.0), "A vector of zeros, of x's type.")
fma = _elementwise(3, emit_fma, "x·y + z, rounded once where the target has FMA.")
vmin = _elementwise(2, _emit_min, "The lesser, item by item; NaN in x stays NaN.")
vmax = _elementwise(2, _emit_max, "The greater, item by item; NaN in x stays NaN.")
where_gt = _elementwise(4, _emit_where_gt, "z where x > y, else w (also where either is NaN).")
round_even = _elementwise(1, _emit_round, "The nearest integer, |x| < 2^31.")
exp2_int = _elementwise(1, _emit_exp2_int, "2^x for integral x within the normal exponents.")


@intrinsic
def polynomial(typingctx, x, coefficients):
    """Horner's rule; `coefficients` is a tuple of floats, the highest power first."""
    if not isinstance(x, Vector):
        return None

    def codegen(context, b, sig, args):
        terms = [
            splat(b, context.cast(b, c, t, x.dtype), x.lanes)
            for c, t in zip(cgutils.unpack_tuple(b, args[1]), sig.args[1])
        ]
        value = terms[0]
        for term in terms[1:]:
            value = emit_fma(b, value, args[0], term)
        return value

    return x(x, coefficients), codegen


@intrinsic
def hsum(typingctx, v):
    """The sum of a vector's items, as a scalar, always added in the same order."""
    if not isinstance(v, Vector):
        return None

    def codegen(context, b, sig, args):
        x = args[0]
        while x.type.count > 1:
            half = x.type.count // 2
            halves = [
                b.shuffle_vector(
                    x, x, ir.Constant(ir.VectorType(_I32, half), list(range(start, start + half)))
                )
                for start in (0, half)
            ]
            x = b.fadd(*halves)
        return b.extract_element(x, ir.Constant(_I32, 0))

    return v.dtype(v), codegen
