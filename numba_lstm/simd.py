"""Vectors of the target's own width, and the GEMM microkernel: the only file that speaks LLVM IR.

Inside a `numba_lstm.jit.kernel`:

- ``at(array, (i, j, …))`` is a pointer to an element of a C-contiguous array. No bounds check and no
  negative index: those are what keeps LLVM from vectorising.
- ``load(p, offset)``, ``store(p, offset, v)`` move `lanes(p)` consecutive items; ``load_n`` and
  ``store_n`` only the first n of them (the rest reads as 0 and is not written).
- ``+ - * /`` work between vectors and between a vector and a scalar of its type; `fma`, `vmin`,
  `vmax`, `where_gt`, `round_even`, `exp2_int`, `polynomial`, `hsum` are below.
- ``gemm_tile`` and ``gemm_tile_t`` are the microkernels.

The width is chosen from the features of numba's target, ``NUMBA_CPU_NAME`` and
``NUMBA_CPU_FEATURES`` included, never from the host alone: an AVX-512 intrinsic on another target
aborts inside LLVM and cannot be caught.
"""

from __future__ import annotations

import contextlib
import hashlib
import operator
import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite
import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils, config
from numba.core.codegen import get_host_cpu_features
from numba.core.imputils import lower_builtin
from numba.core.typing.templates import ConcreteTemplate, infer_global, signature
from numba.extending import intrinsic, models, register_model

from .tuning import BLOCKING, Blocking

LLVMLITE_VERSION = llvmlite.__version__
PANEL = 4  # vectors beside each other in a packed panel: an LSTM's four gates

_I32 = ir.IntType(32)
_I64 = ir.IntType(64)


@dataclass(frozen=True)
class Target:
    """What the kernels are compiled for: vector width, vector registers, whether FMA is native."""

    cpu: str
    features: str
    vector_bytes: int
    registers: int
    fma: bool

    @property
    def blocking(self) -> Blocking:
        """The row of the tuning table for this target."""
        return BLOCKING[self.registers]

    def lanes(self, itemsize: int) -> int:
        """Items of so many bytes in a vector."""
        return self.vector_bytes // itemsize


_PROBE = """
define void @probe(ptr %p) {
  %a = load <16 x float>, ptr %p
  %b = call <16 x float> @llvm.fma.v16f32(<16 x float> %a, <16 x float> %a, <16 x float> %a)
  store <16 x float> %b, ptr %p
  ret void
}
declare <16 x float> @llvm.fma.v16f32(<16 x float>, <16 x float>, <16 x float>)
"""


def _probe_target() -> Target:
    """Ask LLVM what it makes of a wide FMA on numba's target: no list of CPUs could keep up."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu = config.CPU_NAME or llvm.get_host_cpu_name()
    # Numba gives a named CPU the host's features too, so a name alone would still mean AVX-512
    # here; whoever names a CPU means that CPU.
    features = config.CPU_FEATURES
    if features is None:
        features = "" if config.CPU_NAME else get_host_cpu_features()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features)
    assembly = machine.emit_assembly(llvm.parse_assembly(_PROBE))
    fma = "vfmadd" in assembly or "fmla" in assembly
    if "zmm" in assembly:
        return Target(cpu, features, 64, 32, fma)
    if "ymm" in assembly:
        return Target(cpu, features, 32, 16, fma)
    return Target(cpu, features, 16, 32 if "fmla" in assembly else 16, fma)


TARGET = _probe_target()


# --- the vector type --------------------------------------------------------------------------


class Vector(types.Type):
    """A vector of the target's width; `dtype` is its items' numba type."""

    def __init__(self, dtype: types.Type) -> None:
        self.dtype = dtype
        self.lanes = TARGET.lanes(dtype.bitwidth // 8)
        super().__init__(f"f{dtype.bitwidth}x{self.lanes}")


def _ir_scalar(dtype: types.Type) -> ir.Type:
    return ir.FloatType() if dtype is types.float32 else ir.DoubleType()


def _ir_vector(dtype: types.Type) -> ir.VectorType:
    return ir.VectorType(_ir_scalar(dtype), TARGET.lanes(dtype.bitwidth // 8))


@register_model(Vector)
class _VectorModel(models.PrimitiveModel):
    def __init__(self, manager: Any, fe_type: Vector) -> None:
        super().__init__(manager, fe_type, _ir_vector(fe_type.dtype))


_VECTORS = {dtype: Vector(dtype) for dtype in (types.float32, types.float64)}


def _name(v: ir.VectorType) -> str:
    return f"v{v.count}f{32 if isinstance(v.element, ir.FloatType) else 64}"


def _splat(b: ir.IRBuilder, x: ir.Value, lanes: int) -> ir.Value:
    undefined = ir.Constant(ir.VectorType(x.type, lanes), ir.Undefined)
    one = b.insert_element(undefined, x, ir.Constant(_I32, 0))
    return b.shuffle_vector(one, undefined, ir.Constant(ir.VectorType(_I32, lanes), [0] * lanes))


def _vector_of(b: ir.IRBuilder, ty: types.Type, value: ir.Value, vector: Vector) -> ir.Value:
    return value if isinstance(ty, Vector) else _splat(b, value, vector.lanes)


def _call(b: ir.IRBuilder, name: str, *args: ir.Value) -> ir.Value:
    """Call LLVM's intrinsic `name`, overloaded on the vector type of its arguments."""
    v = args[0].type
    function = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(v, [v] * len(args)), f"llvm.{name}.{_name(v)}"
    )
    return b.call(function, args)


def _fma(b: ir.IRBuilder, x: ir.Value, y: ir.Value, z: ir.Value) -> ir.Value:
    # Without FMA instructions llvm.fma is a library call for each item (1.9 GFLOP/s measured).
    return _call(b, "fma" if TARGET.fma else "fmuladd", x, y, z)


def _operator(op: Callable[..., Any], emit: str) -> None:
    @infer_global(op)
    class _Template(ConcreteTemplate):
        cases = [  # noqa: RUF012 (numba's own attribute)
            signature(v, *pair)
            for v in _VECTORS.values()
            for pair in ((v, v), (v, v.dtype), (v.dtype, v))
        ]

    def lower(context: Any, b: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
        x, y = (_vector_of(b, t, a, sig.return_type) for t, a in zip(sig.args, args))
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
    """An intrinsic of `n` arguments, the first a vector, the others vectors or scalars like it."""

    def type_and_lower(v: types.Type, *others: types.Type) -> Any:
        if not isinstance(v, Vector):
            return None
        sig = v(v, *(t if isinstance(t, Vector) else v.dtype for t in others))

        def codegen(context: Any, b: ir.IRBuilder, sig: Any, args: Any) -> ir.Value:
            return emit(b, *(_vector_of(b, t, a, v) for t, a in zip(sig.args, args)))

        return sig, codegen

    if n == 1:

        def make(typingctx, x):
            return type_and_lower(x)
    elif n == 2:

        def make(typingctx, x, y):
            return type_and_lower(x, y)
    elif n == 3:

        def make(typingctx, x, y, z):
            return type_and_lower(x, y, z)
    else:

        def make(typingctx, x, y, z, w):
            return type_and_lower(x, y, z, w)

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
    # 64-bit integers come from 32-bit ones: AVX2 has no conversion of doubles to 64-bit integers.
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
fma = _elementwise(3, _fma, "x·y + z, rounded once where the target has FMA.")
vmin = _elementwise(2, _emit_min, "The lesser, item by item; NaN in x stays NaN.")
vmax = _elementwise(2, _emit_max, "The greater, item by item; NaN in x stays NaN.")
where_gt = _elementwise(4, _emit_where_gt, "z where x > y, else w (also where either is NaN).")
round_even = _elementwise(1, _emit_round, "The nearest integer, |x| < 2^31.")
exp2_int = _elementwise(1, _emit_exp2_int, "2^x for integral x within the normal exponents.")


@intrinsic
def polynomial(typingctx, x, coefficients):
    """Horner's rule; `coefficients` is a tuple of floats, the highest power's first."""
    if not isinstance(x, Vector):
        return None

    def codegen(context, b, sig, args):
        terms = [
            _splat(b, context.cast(b, c, t, x.dtype), x.lanes)
            for c, t in zip(cgutils.unpack_tuple(b, args[1]), sig.args[1])
        ]
        value = terms[0]
        for term in terms[1:]:
            value = _fma(b, value, args[0], term)
        return value

    return x(x, coefficients), codegen


@intrinsic
def hsum(typingctx, v):
    """The sum of a vector's items, as a scalar; the same tree of additions each time."""
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


# --- memory -----------------------------------------------------------------------------------


def _is_pointer(p: types.Type) -> bool:
    return isinstance(p, types.CPointer) and p.dtype in _VECTORS


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
    """The pointer `offset` items further on."""
    if not isinstance(p, types.CPointer):
        return None

    def codegen(context, b, sig, args):
        return b.gep(args[0], [args[1]])

    return p(p, types.intp), codegen


@intrinsic
def lanes(typingctx, p):
    """How many items of a pointer's or array's type make a vector: a constant."""
    count = TARGET.lanes(p.dtype.bitwidth // 8)

    def codegen(context, b, sig, args):
        return context.get_constant(types.intp, count)

    return types.intp(p), codegen


@intrinsic
def scalar(typingctx, p, value):
    """The number `value` in the type that the pointer or array `p` holds."""
    sig = p.dtype(p, value)

    def codegen(context, b, sig, args):
        return context.cast(b, args[1], sig.args[1], sig.return_type)

    return sig, codegen


def _item_pointer(b: ir.IRBuilder, p: ir.Value, offset: ir.Value, ty: ir.Type) -> ir.Value:
    return b.bitcast(b.gep(p, [offset]), ty.as_pointer())


def _load(b: ir.IRBuilder, p: ir.Value, offset: ir.Value, v: ir.VectorType) -> ir.Value:
    # Aligned to an item only: rows of any length start anywhere, and unaligned loads of aligned
    # addresses cost nothing.
    return b.load(_item_pointer(b, p, offset, v), align=4)


def _store(b: ir.IRBuilder, x: ir.Value, p: ir.Value, offset: ir.Value) -> None:
    b.store(x, _item_pointer(b, p, offset, x.type), align=4)


def _mask(b: ir.IRBuilder, n: ir.Value, count: int) -> ir.Value:
    places = ir.Constant(ir.VectorType(_I32, count), list(range(count)))
    return b.icmp_signed("<", places, _splat(b, b.trunc(n, _I32), count))


@intrinsic
def load(typingctx, p, offset):
    """The vector that starts `offset` items after `p`."""
    if not _is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        return _load(b, args[0], args[1], _ir_vector(p.dtype))

    return _VECTORS[p.dtype](p, types.intp), codegen


@intrinsic
def store(typingctx, p, offset, v):
    """Write the vector `v` to `offset` items after `p`."""
    if not _is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        _store(b, _vector_of(b, sig.args[2], args[2], _VECTORS[p.dtype]), args[0], args[1])
        return context.get_dummy_value()

    return types.void(p, types.intp, v), codegen


@intrinsic
def load_n(typingctx, p, offset, n):
    """As `load`, of the first `n` items; the others are 0 and their memory is not touched."""
    if not _is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        v = _ir_vector(p.dtype)
        place = _item_pointer(b, args[0], args[1], v)
        mask = _mask(b, args[2], v.count)
        function = cgutils.get_or_insert_function(
            b.module,
            ir.FunctionType(v, [place.type, _I32, mask.type, v]),
            f"llvm.masked.load.{_name(v)}.p0",
        )
        zero = ir.Constant(v, [0.0] * v.count)
        return b.call(function, [place, ir.Constant(_I32, 4), mask, zero])

    return _VECTORS[p.dtype](p, types.intp, types.intp), codegen


@intrinsic
def store_n(typingctx, p, offset, v, n):
    """As `store`, of the first `n` items; the memory of the others is not touched."""
    if not _is_pointer(p):
        return None

    def codegen(context, b, sig, args):
        x = args[2]
        place = _item_pointer(b, args[0], args[1], x.type)
        mask = _mask(b, args[3], x.type.count)
        function = cgutils.get_or_insert_function(
            b.module,
            ir.FunctionType(ir.VoidType(), [x.type, place.type, _I32, mask.type]),
            f"llvm.masked.store.{_name(x.type)}.p0",
        )
        b.call(function, [x, place, ir.Constant(_I32, 4), mask])
        return context.get_dummy_value()

    return types.void(p, types.intp, v, types.intp), codegen


# --- denormals --------------------------------------------------------------------------------

_FLUSH = 0x8040  # MXCSR: flush results to zero (bit 15), read denormals as zero (bit 6)


def _mxcsr(b: ir.IRBuilder, name: str, place: ir.Value) -> None:
    byte_pointer = ir.IntType(8).as_pointer()
    function = cgutils.get_or_insert_function(
        b.module, ir.FunctionType(ir.VoidType(), [byte_pointer]), f"llvm.x86.sse.{name}mxcsr"
    )
    b.call(function, [b.bitcast(place, byte_pointer)])


_IS_X86 = llvm.get_default_triple().startswith(("x86_64", "i686", "i386", "amd64"))


@intrinsic
def flush_denormals(typingctx):
    """Make this thread treat denormals as zero; returns what `restore_denormals` needs.

    The states and gradients of an LSTM decay through the denormals, where one multiplication can
    cost over a hundred cycles.
    """

    def codegen(context, b, sig, args):
        if not _IS_X86:
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
    """Put this thread's floating-point environment back as `flush_denormals` found it."""

    def codegen(context, b, sig, args):
        if _IS_X86:
            place = cgutils.alloca_once(b, _I32)
            b.store(args[0], place)
            _mxcsr(b, "ld", place)
        return context.get_dummy_value()

    return types.void(types.uint32), codegen


# --- the microkernel --------------------------------------------------------------------------


@dataclass(frozen=True)
class _Micro:
    """One block of the microkernel: emits ``C[m, nv·V] = C0 + Σ_s Σ_k A[s, m, k] · W[s, k, nv·V]``.

    A panel W holds PANEL vectors for each k, k after k and segment after segment; vectors past the
    fourth are those of the panels that follow. The accumulators stay in registers over all of K.

    Arguments of the emitted function: (a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc),
    `w_panel` the distance of two panels. A is at
    ``a[s·a_stride + m·lda + k]``, transposed at ``a[s·a_stride + m + k·lda]``.
    """

    item: types.Type
    transposed: bool
    m: int
    nv: int

    def function(self, module: ir.Module) -> ir.Function:
        """Define it in `module`."""
        name = f"{_micro_name(self.item, self.transposed)}_{self.m}x{self.nv}"
        function = ir.Function(module, _micro_type(self.item), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        b = ir.IRBuilder(function.append_basic_block("entry"))
        # Columns in groups that fit the registers: AVX2's sixteen hold 6x2, so 6x4 is two of those.
        group = TARGET.blocking.columns_at_once(self.m)
        for n0 in range(0, self.nv, group):
            self._emit_group(b, function.args, range(n0, min(self.nv, n0 + group)))
        b.ret_void()
        return function

    def _emit_group(self, b: ir.IRBuilder, args: Any, columns: range) -> None:
        a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc = args
        v = _ir_vector(self.item)
        rows = range(self.m)
        zero, one = ir.Constant(_I64, 0), ir.Constant(_I64, 1)
        panel_row = ir.Constant(_I64, PANEL * v.count)
        panels = {
            q: b.gep(w, [b.mul(w_panel, ir.Constant(_I64, q))])
            for q in sorted({n // PANEL for n in columns})
        }

        def rows_of(base: ir.Value, stride: ir.Value) -> list[ir.Value]:
            return [b.gep(base, [b.mul(stride, ir.Constant(_I64, m))]) for m in rows]

        def constant(n: int) -> ir.Constant:
            return ir.Constant(_I64, n * v.count)

        start = [[_load(b, row, constant(n), v) for n in columns] for row in rows_of(c0, ldc0)]
        entry = b.block
        head, segment, step, tail, done = (
            b.append_basic_block(name) for name in ("head", "segment", "step", "tail", "done")
        )

        def phis(incoming: list[list[ir.Value]], block: ir.Block) -> list[list[ir.PhiInstr]]:
            out = [[b.phi(v) for _ in columns] for _ in rows]
            for phi_row, value_row in zip(out, incoming):
                for phi, value in zip(phi_row, value_row):
                    phi.add_incoming(value, block)
            return out

        def extend(target: Any, values: Any, block: ir.Block) -> None:
            for phi_row, value_row in zip(target, values):
                for phi, value in zip(phi_row, value_row):
                    phi.add_incoming(value, block)

        b.branch(head)
        b.position_at_end(head)
        s, row_of_w = b.phi(_I64), b.phi(_I64)
        s.add_incoming(zero, entry)
        row_of_w.add_incoming(zero, entry)
        outer = phis(start, entry)
        b.cbranch(b.icmp_signed("<", s, segments), segment, done)

        b.position_at_end(segment)
        a_segment = b.gep(a, [b.mul(s, a_stride)])
        if self.transposed:
            a_rows = [b.gep(a_segment, [ir.Constant(_I64, m)]) for m in rows]
        else:
            a_rows = rows_of(a_segment, lda)
        b.branch(step)

        b.position_at_end(step)
        kk, kw = b.phi(_I64), b.phi(_I64)
        kk.add_incoming(zero, segment)
        kw.add_incoming(row_of_w, segment)
        inner = phis(outer, segment)
        offset = b.mul(kw, panel_row)
        weights = [
            _load(b, panels[n // PANEL], b.add(offset, constant(n % PANEL)), v) for n in columns
        ]
        place = b.mul(kk, lda) if self.transposed else kk
        new = []
        for m in rows:
            x = _splat(b, b.load(b.gep(a_rows[m], [place])), v.count)
            new.append([_fma(b, x, weights[j], inner[m][j]) for j in range(len(columns))])
        kk_next, kw_next = b.add(kk, one), b.add(kw, one)
        kk.add_incoming(kk_next, step)
        kw.add_incoming(kw_next, step)
        extend(inner, new, step)
        b.cbranch(b.icmp_signed("<", kk_next, k), step, tail)

        b.position_at_end(tail)
        s.add_incoming(b.add(s, one), tail)
        row_of_w.add_incoming(kw_next, tail)
        extend(outer, new, tail)
        b.branch(head)

        b.position_at_end(done)
        for m, row in enumerate(rows_of(c, ldc)):
            for j, n in enumerate(columns):
                _store(b, outer[m][j], row, constant(n))


def _blocks() -> list[tuple[int, int]]:
    blocking = TARGET.blocking
    narrow = [(m, nv) for m in range(1, blocking.mr + 1) for nv in range(1, PANEL + 1)]
    wide = [(m, nv) for m, nv in enumerate(blocking.wide, 1) if nv > PANEL]
    return narrow + wide


def _micro_name(item: types.Type, transposed: bool) -> str:
    return f"numba_lstm_gemm_{'t' if transposed else 'n'}_f{item.bitwidth}"


def _micro_type(item: types.Type, *before: ir.Type) -> ir.FunctionType:
    p = _ir_scalar(item).as_pointer()
    rest = [p, _I64, _I64, _I64, _I64, p, _I64, p, _I64, p, _I64]
    return ir.FunctionType(ir.VoidType(), [*before, *rest])


def _microkernel_module(item: types.Type) -> ir.Module:
    """Both microkernels for one format: a function (m, nv, …) that jumps to the block's own."""
    module = ir.Module("numba_lstm_microkernels")
    module.triple = llvm.get_process_triple()
    for transposed in (False, True):
        dispatch = ir.Function(
            module, _micro_type(item, _I64, _I64), _micro_name(item, transposed)
        )
        b = ir.IRBuilder(dispatch.append_basic_block("entry"))
        done = b.append_basic_block("done")
        m, nv, *rest = dispatch.args
        switch = b.switch(b.add(b.mul(m, ir.Constant(_I64, 32)), nv), done)
        for rows, vectors in _blocks():
            if transposed and vectors > PANEL:
                continue
            block = b.append_basic_block("case")
            switch.add_case(ir.Constant(_I64, rows * 32 + vectors), block)
            b.position_at_end(block)
            b.call(_Micro(item, transposed, rows, vectors).function(module), rest, tail=True)
            b.branch(done)
        b.position_at_end(done)
        b.ret_void()
    return module


_engines: list[llvm.ExecutionEngine] = []


def load_microkernels(folder: str) -> None:
    """Make the microkernels known to the JIT under their names; compiled once into `folder`.

    They are machine code of their own, and kernels call them by name: emitted into each kernel they
    were optimised over and over, 10 s for the backward driver alone.
    """
    if _engines:
        return
    cpu = TARGET.cpu
    features = TARGET.features
    key = hashlib.sha256(f"{cpu} {features} {TARGET}".encode()).hexdigest()[:16]
    for item in _VECTORS:
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=cpu, features=features, opt=3, codemodel="jitdefault", jit=True, reloc="default"
        )
        module = llvm.parse_assembly(str(_microkernel_module(item)))
        engine = llvm.create_mcjit_compiler(module, machine)
        path = os.path.join(folder, f"microkernels-f{item.bitwidth}-{key}.o")
        _keep_object(engine, path)
        engine.finalize_object()
        for transposed in (False, True):
            name = _micro_name(item, transposed)
            llvm.add_symbol(name, engine.get_function_address(name))
        _engines.append(engine)


def _keep_object(engine: llvm.ExecutionEngine, path: str) -> None:
    """Have the engine read its machine code from `path`, or leave it there."""

    def compiled(module: Any, code: bytes) -> None:
        beside = f"{path}.{os.getpid()}"
        with contextlib.suppress(OSError):
            with open(beside, "wb") as file:
                file.write(hashlib.sha256(code).digest() + code)
            os.replace(beside, path)

    def wanted(module: Any) -> bytes | None:
        with contextlib.suppress(OSError), open(path, "rb") as file:
            content = file.read()
            if hashlib.sha256(content[32:]).digest() == content[:32]:
                return content[32:]
        return None

    engine.set_object_cache(compiled, wanted)


def _microkernel(transposed: bool, doc: str) -> Any:
    def make(typingctx, m, nv, a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc):
        if not (_is_pointer(a) and a == w == c0 == c):
            return None
        n = types.intp
        sig = types.void(n, n, a, n, n, n, n, w, n, c0, n, c, n)

        def codegen(context, b, sig, args):
            function = cgutils.get_or_insert_function(
                b.module, _micro_type(a.dtype, _I64, _I64), _micro_name(a.dtype, transposed)
            )
            b.call(function, args)
            return context.get_dummy_value()

        return sig, codegen

    make.__doc__ = doc
    return intrinsic(make)


gemm_tile = _microkernel(
    False,
    """``C = C0 + Σ_s Σ_k A[s,m,k]·W[s,k,:]`` for m ≤ MR rows and nv vectors; see `_Micro`.

    gemm_tile(m, nv, a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc). `c0` may be `c`;
    ``ldc0=0`` starts every row from one vector of biases. `w_panel` counts only past PANEL vectors. `segments` and `k` are at least 1 and 1.
    """,
)
gemm_tile_t = _microkernel(
    True, "As `gemm_tile` with A transposed: A(s, m, k) at ``a[s·a_stride + m + k·lda]``."
)
