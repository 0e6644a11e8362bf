"""The GEMM microkernel: m rows of nv vectors of C in registers, emitted for each size needed.

Each size is a function of machine code. They are compiled once, outside of numba, and kernels call
them by name. The plain line is ``C = C0 + A @ W``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import llvmlite.binding as llvm
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from .. import tuning
from .memory import emit_load, emit_store, is_pointer
from .target import TARGET
from .vector import VECTORS, emit_fma, ir_scalar, ir_vector, splat

_I64 = ir.IntType(64)
PANEL = 4  # vectors beside each other in a packed panel: an LSTM's four gates


@dataclass(frozen=True)
class _Micro:
    """One block of the microkernel: emits ``C[m, nv·V] = C0 + Σ_s Σ_k A[s, m, k] · W[s, k, nv·V]``.

    A panel of W holds PANEL vectors for each k, k after k and segment after segment; see `pack`.
    Vectors past the fourth belong to the panels that follow. The accumulators stay in registers
    over all of K.

    Arguments of the emitted function: (a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c,
    ldc). Panels of W are `w_panel` items apart. A[s, m, k] is at ``a[s·a_stride + m·lda + k]``,
    transposed at ``a[s·a_stride + m + k·lda]``.
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
        # Groups of columns that fit the registers: the 16 of AVX2 hold 6x2, so 6x4 is two groups.
        group = TARGET.blocking.columns_at_once(self.m)
        for n0 in range(0, self.nv, group):
            self._emit_group(b, function.args, range(n0, min(self.nv, n0 + group)))
        b.ret_void()
        return function

    def _emit_group(self, b: ir.IRBuilder, args: Any, columns: range) -> None:
        a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc = args
        v = ir_vector(self.item)
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

        start = [[emit_load(b, row, constant(n), v) for n in columns] for row in rows_of(c0, ldc0)]
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
            emit_load(b, panels[n // PANEL], b.add(offset, constant(n % PANEL)), v) for n in columns
        ]
        place = b.mul(kk, lda) if self.transposed else kk
        if self.transposed and columns.start == 0:
            # Each row of A gives a few items. No hardware prefetcher foresees such long strides.
            ahead = b.add(kk, ir.Constant(_I64, tuning.PREFETCH_ROWS))
            _emit_prefetch(b, b.gep(a_rows[0], [b.mul(ahead, lda)]))
        new = []
        for m in rows:
            x = splat(b, b.load(b.gep(a_rows[m], [place])), v.count)
            new.append([emit_fma(b, x, weights[j], inner[m][j]) for j in range(len(columns))])
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
                emit_store(b, outer[m][j], row, constant(n))


def _emit_prefetch(b: ir.IRBuilder, p: ir.Value) -> None:
    """Prefetch the cache line at `p` into all caches. `p` need not point to valid memory."""
    i32, byte = ir.IntType(32), ir.IntType(8).as_pointer()
    kind = ir.FunctionType(ir.VoidType(), [byte, i32, i32, i32])
    function = b.module.declare_intrinsic("llvm.prefetch", [byte], kind)
    b.call(function, [b.bitcast(p, byte), i32(0), i32(3), i32(1)])


def _blocks() -> list[tuple[int, int]]:
    blocking = TARGET.blocking
    narrow = [(m, nv) for m in range(1, blocking.mr + 1) for nv in range(1, PANEL + 1)]
    wide = [(m, nv) for m, nv in enumerate(blocking.wide, 1) if nv > PANEL]
    return narrow + wide


def _micro_name(item: types.Type, transposed: bool) -> str:
    return f"numba_lstm_gemm_{'t' if transposed else 'n'}_f{item.bitwidth}"


def _micro_type(item: types.Type, *before: ir.Type) -> ir.FunctionType:
    p = ir_scalar(item).as_pointer()
    rest = [p, _I64, _I64, _I64, _I64, p, _I64, p, _I64, p, _I64]
    return ir.FunctionType(ir.VoidType(), [*before, *rest])


def _microkernel_module(item: types.Type) -> ir.Module:
    """Both microkernels of one dtype: functions (m, nv, …) that call the function of that size."""
    module = ir.Module("numba_lstm_microkernels")
    module.triple = llvm.get_process_triple()
    for transposed in (False, True):
        dispatch = ir.Function(module, _micro_type(item, _I64, _I64), _micro_name(item, transposed))
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


def load_microkernels(
    read: Callable[[str], bytes | None], write: Callable[[str, bytes], None], entry: Callable
) -> None:
    """Make the microkernels known to the JIT under their names; compiled once on a machine.

    They are machine code of their own, and kernels call them by name. Emitted into each kernel that
    uses them, they would be optimised again each time: 10 s for the backward driver alone.

    Parameters
    ----------
    read, write, entry : callable
        What `compile_cache` calls so: machine code by the name of its entry.
    """
    if _engines:
        return
    engines = []  # all or none: a kernel that finds no microkernel of its dtype ends the process
    for item in VECTORS:
        name = entry(f"microkernels_f{item.bitwidth}", tuning.PREFETCH_ROWS)
        code = read(name)
        # Building the IR takes 0.2 s, and with the code at hand it is not needed.
        module = "" if code else str(_microkernel_module(item))
        machine = llvm.Target.from_default_triple().create_target_machine(
            cpu=TARGET.cpu, features=TARGET.features, opt=3, codemodel="jitdefault", jit=True,
            reloc="default",
        )  # fmt: skip
        engine = llvm.create_mcjit_compiler(llvm.parse_assembly(module), machine)
        if code:
            engine.add_object_file(llvm.ObjectFileRef.from_data(code))
        else:
            engine.set_object_cache(lambda module, code, name=name: write(name, code))
        engine.finalize_object()
        for transposed in (False, True):
            name = _micro_name(item, transposed)
            llvm.add_symbol(name, engine.get_function_address(name))
        engines.append(engine)
    _engines.extend(engines)


def _microkernel(transposed: bool, doc: str) -> Any:
    def make(typingctx, m, nv, a, lda, segments, a_stride, k, w, w_panel, c0, ldc0, c, ldc):
        if not (is_pointer(a) and a == w == c0 == c):
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
    ``ldc0=0`` starts every row from one vector of biases.
    `w_panel` counts only past PANEL vectors, and `k` is at least 1.
    """,
)
gemm_tile_t = _microkernel(
    True, "As `gemm_tile` with A transposed: A(s, m, k) at ``a[s·a_stride + m + k·lda]``."
)
