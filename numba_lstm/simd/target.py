"""What the kernels are compiled for: the width of vectors on numba's target, asked of LLVM.

That target may be another than the host (``NUMBA_CPU_NAME``, ``NUMBA_CPU_FEATURES``), if the host
can run it: see `target_probe`. An AVX-512 intrinsic on a target without it would abort inside LLVM,
which no exception handler can catch.
"""

from __future__ import annotations

from dataclasses import dataclass

import llvmlite
import llvmlite.binding as llvm
from numba.core import config
from numba.core.codegen import get_host_cpu_features

from ..tuning import BLOCKING, Blocking
from .target_probe import check_target, host_features

if config.DISABLE_JIT:
    # Intrinsics are machine code; there is nothing that Python could run in their place.
    raise ValueError(
        "NUMBA_DISABLE_JIT: expected 0 or unset, got 1; numba_lstm's kernels need the compiler"
    )

LLVMLITE_VERSION = llvmlite.__version__


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
        """V: how many items of `itemsize` bytes a vector has."""
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


def _features() -> str:
    """The features that the microkernels are compiled for, as LLVM takes them.

    Numba gives a named CPU the features of the host, AVX-512 among them. Here a name means the
    features of the named CPU, but none that the host lacks.
    """
    if not config.CPU_NAME and config.CPU_FEATURES is None:
        return get_host_cpu_features()
    check_target(config.CPU_NAME, config.CPU_FEATURES)
    lacking = [f"-{name}" for name, has in host_features().items() if not has]
    return ",".join([config.CPU_FEATURES, *lacking] if config.CPU_FEATURES else lacking)


def _probe_target() -> Target:
    """Find out from the assembly of a wide FMA on numba's target. A list of CPUs would get old."""
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    cpu = config.CPU_NAME or llvm.get_host_cpu_name()
    features = _features()
    machine = llvm.Target.from_default_triple().create_target_machine(cpu=cpu, features=features)
    assembly = machine.emit_assembly(llvm.parse_assembly(_PROBE))
    fma = "vfmadd" in assembly or "fmla" in assembly
    if "zmm" in assembly:
        return Target(cpu, features, 64, 32, fma)
    if "ymm" in assembly:
        return Target(cpu, features, 32, 16, fma)
    return Target(cpu, features, 16, 32 if "fmla" in assembly else 16, fma)


TARGET = _probe_target()
