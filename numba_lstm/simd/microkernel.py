"""The GEMM microkernel: m rows of nv vectors of C in registers, emitted for each size needed.

Each size is a function of machine code. They are compiled once, outside of numba, and kernels call
them by name. The plain line is ``C = C0 + A @ W``.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.core.compiler_lock import global_compiler_lock
from numba.extending import intrinsic

from .. import tuning
from .memory import LINE, emit_load, emit_prefetch, emit_store, is_pointer
from .target import TARGET
from .vector import VECTORS, emit_fma, ir_scalar, ir_vector, splat

_I64 = ir.IntType(64)
PANEL = 4  # vectors beside each other in a panel of z: an LSTM's four gates
BLOCKS = TARGET.blocking.blocks
STRIP = TARGET.blocking.strip


@dataclass(frozen=True)
class _Micro:
    """One block of the microkernel: emits ``C[m, nv·V] = C0 + Σ_s Σ_k A[s, m, k] · W[s, k, nv·V]``.

    W is packed in strips: a strip holds `strip` vectors for each k, k after k and segment after
    segment; see `pack`. Vectors past a strip belong to the strips that follow. The accumulators
    stay in registers over all of K.

    Arguments of the emitted function: (a, lda, segments, a_stride, k, w, w_strip, c0, ldc0, c,
    ldc). Strips of W are `w_strip` items apart. A[s, m, k] is at ``a[s·a_stride + m·lda + k]``.
    In C the vectors of a strip of 3 stand in the first 3 places of a panel, others side by side.

    Transposed, A[s, m, k] is at ``a[s·a_stride + m + k·lda]``, and W is not in strips but in rows
    of PANEL vectors, of which `nv` count.
    """

    item: types.Type
    transposed: bool
    strip: int
    m: int
    nv: int

    @property
    def group(self) -> int:
        """Vectors at a time: those whose accumulators fit the registers."""
        return min(self.nv, BLOCKS[self.strip].at_once[self.m - 1])

    @property
    def row_vectors(self) -> int:
        """Vectors from one row of W to the next."""
        return PANEL if self.transposed else self.strip

    def function(self, module: ir.Module) -> ir.Function:
        """Define it in `module`."""
        name = f"{_micro_name(self.item, self.transposed)}_{self.strip}_{self.m}x{self.nv}"
        function = ir.Function(module, _micro_type(self.item), name)
        function.linkage = "internal"
        function.attributes.add("noinline")
        b = ir.IRBuilder(function.append_basic_block("entry"))
        for n0 in range(0, self.nv, self.group):
            self._emit_group(b, function.args, range(n0, min(self.nv, n0 + self.group)))
        b.ret_void()
        return function

    def _emit_group(self, b: ir.IRBuilder, args: Any, columns: range) -> None:
        a, lda, segments, a_stride, k, w, w_strip, c0, ldc0, c, ldc = args
        v = ir_vector(self.item)
        rows = range(self.m)
        zero, one = ir.Constant(_I64, 0), ir.Constant(_I64, 1)
        row_items = ir.Constant(_I64, self.row_vectors * v.count)

        def rows_of(base: ir.Value, stride: ir.Value) -> list[ir.Value]:
            return [b.gep(base, [b.mul(stride, ir.Constant(_I64, m))]) for m in rows]

        def place(n: int) -> ir.Constant:
            """Where vector n stands in a row of C."""
            gap = self.strip == 3 and not self.transposed
            return ir.Constant(_I64, (n // 3 * PANEL + n % 3 if gap else n) * v.count)

        strips = {
            s: b.gep(w, [b.mul(w_strip, ir.Constant(_I64, s))])
            for s in sorted({n // self.row_vectors for n in columns})
        }
        start = [[emit_load(b, row, place(n), v) for n in columns] for row in rows_of(c0, ldc0)]
        entry = b.block
        head, segment, step, tail, done = (
            b.append_basic_block(name) for name in ("head", "segment", "step", "tail", "done")
        )

        def phis(incoming: list[list[ir.Value]], block: ir.Block) -> list[list[ir.PhiInstr]]:
            out = [[b.phi(v) for _ in columns] for _ in rows]
            extend(out, incoming, block)
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
        offset = b.mul(kw, row_items)
        self._emit_prefetches(b, strips, offset, a_rows[0], kk, lda, columns)
        at_k = b.mul(kk, lda) if self.transposed else kk

        def weight(n: int) -> ir.Value:
            inside = ir.Constant(_I64, n % self.row_vectors * v.count)
            return emit_load(b, strips[n // self.row_vectors], b.add(offset, inside), v)

        def item(m: int) -> ir.Value:
            return splat(b, b.load(b.gep(a_rows[m], [at_k])), v.count)

        new = self._emit_products(b, columns, weight, item, inner)
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
                emit_store(b, outer[m][j], row, place(n))

    def _emit_products(
        self, b: ir.IRBuilder, columns: range, weight: Any, item: Any, sums: Any
    ) -> list[list[ir.Value]]:
        """The products of one k, added to `sums`.

        The smaller side is held in registers, and the larger one is read item by item. LLVM keeps
        this order. On 16 registers 3x4 is at 108 GFLOP/s so and at 47 the other way, 4x3 at 110
        and at 45.
        """
        new: list[list[Any]] = [[None] * len(columns) for _ in range(self.m)]
        if self.m < len(columns):
            items = [item(m) for m in range(self.m)]
            for j, n in enumerate(columns):
                y = weight(n)
                for m, x in enumerate(items):
                    new[m][j] = emit_fma(b, x, y, sums[m][j])
        else:
            weights = [weight(n) for n in columns]
            for m in range(self.m):
                x = item(m)
                for j, y in enumerate(weights):
                    new[m][j] = emit_fma(b, x, y, sums[m][j])
        return new

    def _emit_prefetches(
        self, b: ir.IRBuilder, strips: dict[int, ir.Value], offset: ir.Value, a: ir.Value,
        kk: ir.Value, lda: ir.Value, columns: range,
    ) -> None:  # fmt: skip
        """Prefetch what a later k reads: weights, or of a transposed A the row.

        A row of a transposed A gives a few items, and no hardware prefetcher foresees such long
        strides.
        """
        if self.transposed:
            if columns.start == 0:
                ahead = b.add(kk, ir.Constant(_I64, tuning.PREFETCH_ROWS))
                emit_prefetch(b, b.gep(a, [b.mul(ahead, lda)]))
            return
        if self.m < tuning.PREFETCH_LEAST_ROWS:
            return
        size = self.item.bitwidth // 8
        row = self.strip * ir_vector(self.item).count
        rows = tuning.PREFETCH_BYTES // (row * size)
        for strip in strips.values():
            for j in range(0, row, LINE // size):
                ahead = ir.Constant(_I64, rows * row + j)
                emit_prefetch(b, b.gep(strip, [b.add(offset, ahead)]))


_MOST = 32  # more than the rows and the vectors of any block


def blocks(transposed: bool) -> list[tuple[int, int, int]]:
    """The (strip, m, nv) for which there are microkernels."""
    found = []
    for strip, of_strip in BLOCKS.items():
        for m, at_once in enumerate(of_strip.at_once, 1):
            if transposed:
                widths = [3] if strip == 3 else [nv for nv in range(1, PANEL + 1) if nv != 3]
            else:
                most = 3 if strip == 3 else PANEL
                widths = [*range(1, most + 1), *range(2 * most, at_once + 1, most)]
            found += [(strip, m, nv) for nv in widths]
    return found


def _micro_name(item: types.Type, transposed: bool) -> str:
    return f"numba_lstm_gemm_{'t' if transposed else 'n'}_f{item.bitwidth}"


def _micro_type(item: types.Type, *before: ir.Type) -> ir.FunctionType:
    p = ir_scalar(item).as_pointer()
    rest = [p, _I64, _I64, _I64, _I64, p, _I64, p, _I64, p, _I64]
    return ir.FunctionType(ir.VoidType(), [*before, *rest])


def _microkernel_module(item: types.Type) -> ir.Module:
    """Both microkernels of one dtype: (strip, m, nv, …) that call the function of that size."""
    module = ir.Module("numba_lstm_microkernels")
    module.triple = llvm.get_process_triple()
    for transposed in (False, True):
        dispatch = ir.Function(
            module, _micro_type(item, _I64, _I64, _I64), _micro_name(item, transposed)
        )
        b = ir.IRBuilder(dispatch.append_basic_block("entry"))
        done, unknown = (b.append_basic_block(name) for name in ("done", "unknown"))
        strip, m, nv, *rest = dispatch.args
        size = b.add(b.mul(b.add(b.mul(strip, _I64(_MOST)), m), _I64(_MOST)), nv)
        switch = b.switch(size, unknown)
        for each in blocks(transposed):
            block = b.append_basic_block("case")
            switch.add_case(_I64((each[0] * _MOST + each[1]) * _MOST + each[2]), block)
            b.position_at_end(block)
            b.call(_Micro(item, transposed, *each).function(module), rest, tail=True)
            b.branch(done)
        b.position_at_end(unknown)  # rather than a C that nobody has written
        b.call(module.declare_intrinsic("llvm.trap", [], ir.FunctionType(ir.VoidType(), [])), [])
        b.unreachable()
        b.position_at_end(done)
        b.ret_void()
    return module


_engines: list[llvm.ExecutionEngine] = []


def load_microkernels(
    read: Callable[[str], bytes | None],
    write: Callable[[str, bytes], None],
    entry: Callable[..., str],
    turn: Callable[[str], AbstractContextManager[Any]] = contextlib.nullcontext,
) -> None:
    """Make the microkernels known to the JIT under their names; compiled once on a machine.

    They are machine code of their own, and kernels call them by name. Emitted into each kernel that
    uses them, they would be optimised again each time: 10 s for the backward driver alone.

    Parameters
    ----------
    read, write, entry : callable
        What `compile_cache` calls so: machine code by the name of its entry.
    turn : callable
        Gives a context within which no other process compiles what has this name.
    """
    if _engines:
        return
    names = [
        entry(
            f"microkernels_f{item.bitwidth}",
            tuning.PREFETCH_ROWS,
            tuning.PREFETCH_BYTES,
            tuning.PREFETCH_LEAST_ROWS,
        )
        for item in VECTORS
    ]
    codes = [read(name) for name in names]
    # Within numba's lock, for which forks wait: llvmlite's is held meanwhile.
    with contextlib.nullcontext() if all(codes) else turn(names[0]), global_compiler_lock:
        if not _engines:  # all or none: a kernel that lacks its microkernel ends the process
            _engines.extend(
                [
                    _engine(item, code or read(name), functools.partial(write, name))
                    for item, name, code in zip(VECTORS, names, codes)
                ]
            )


def _engine(
    item: types.Type, code: bytes | None, keep: Callable[[bytes], None]
) -> llvm.ExecutionEngine:
    """Load the microkernels of one dtype; without their code compile them, and `keep` it."""
    # Building the IR takes 0.2 s, and with the code at hand it is not needed.
    module = "" if code else str(_microkernel_module(item))
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=TARGET.cpu, features=TARGET.features, opt=3, codemodel="jitdefault", jit=True,
        reloc="default",
    )  # fmt: skip
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(module), machine)
    made: list[bytes] = []  # kept later, as llvmlite's lock is held when it comes
    if code:
        engine.add_object_file(llvm.ObjectFileRef.from_data(code))
    else:
        engine.set_object_cache(lambda module, code: made.append(code))
    engine.finalize_object()
    for new in made:
        keep(new)
    for transposed in (False, True):
        name = _micro_name(item, transposed)
        llvm.add_symbol(name, engine.get_function_address(name))
    return engine


def _microkernel(transposed: bool, doc: str) -> Any:
    def make(typingctx, strip, m, nv, a, lda, segments, a_stride, k, w, w_strip, c0, ldc0, c, ldc):
        if not (is_pointer(a) and a == w == c0 == c):
            return None
        n = types.intp
        sig = types.void(n, n, n, a, n, n, n, n, w, n, c0, n, c, n)

        def codegen(context, b, sig, args):
            function = cgutils.get_or_insert_function(
                b.module, _micro_type(a.dtype, _I64, _I64, _I64), _micro_name(a.dtype, transposed)
            )
            b.call(function, args)
            return context.get_dummy_value()

        return sig, codegen

    make.__doc__ = doc
    return intrinsic(make)


gemm_tile = _microkernel(
    False,
    """``C = C0 + Σ_s Σ_k A[s,m,k]·W[s,k,:]`` for m rows and nv vectors; see `_Micro`.

    gemm_tile(strip, m, nv, a, lda, segments, a_stride, k, w, w_strip, c0, ldc0, c, ldc). `c0` may
    be `c`; ``ldc0=0`` starts every row from one vector of biases. `w_strip` counts only past
    `strip` vectors, and `k` is at least 1.
    """,
)
gemm_tile_t = _microkernel(
    True,
    """As `gemm_tile` with A transposed, A(s, m, k) at ``a[s·a_stride + m + k·lda]``, and W in rows.

    `strip` says which blocks it is called for: 3 with nv = 3, else `STRIP`. `w_strip` is not read.
    """,
)
