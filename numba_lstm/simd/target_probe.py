"""Whether this machine runs what LLVM emits for a CPU and features that somebody named.

In the process itself that cannot be found out. LLVM ends it at a name that it does not know or
that is a 32-bit CPU's, and the first instruction that the machine lacks ends it later. So another
process tries first, for a tenth of a second. This file is its program, too.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import json
import os
import re
import subprocess
import sys
from collections.abc import Sequence
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm

__all__ = ["check_target", "features_of", "host_features"]

# LLVM emits these only where a program asks for them by name, and no kernel does. Hypervisors hide
# some of them, so that a machine may well run code for a CPU that has them.
_NEVER_CHOSEN = {
    "amx-avx512", "amx-bf16", "amx-complex", "amx-fp16", "amx-fp8", "amx-int8", "amx-movrs",
    "amx-tf32", "amx-tile", "avx512vp2intersect", "cldemote", "clflushopt", "clwb", "clzero",
    "enqcmd", "fsgsbase", "hreset", "invpcid", "kl", "movdir64b", "movdiri", "mwaitx", "pconfig",
    "pku", "prefetchi", "ptwrite", "raoint", "rdpid", "rdpru", "rdrnd", "rdseed", "rtm",
    "serialize", "sgx", "shstk", "tsxldtrk", "uintr", "usermsr", "waitpkg", "wbnoinvd", "widekl",
    "xsave", "xsavec", "xsaveopt", "xsaves",
}  # fmt: skip

# This file, with the LLVM of the process that asks; that process may have found it by itself.
_PROGRAM = """
import runpy, sys
sys.path.append(sys.argv[1])
runpy.run_path(sys.argv[2], run_name="__main__")
"""
_SECONDS = 60  # more than any machine needs


def host_features() -> dict[str, bool]:
    """Which of the features that LLVM looks for this machine has; empty where LLVM cannot tell."""
    try:
        return dict(llvm.get_host_cpu_features())
    except RuntimeError:
        return {}


class _Answer(NamedTuple):
    """What the other process found out."""

    unknown: str = ""  # what LLVM has not heard of: "processor", or a feature
    lacking: tuple[str, ...] = ()  # features that this machine lacks
    failure: str = ""  # why it has no answer


def check_target(cpu: str | None, features: str | None) -> None:
    """Refuse a CPU or features that this machine cannot run.

    Parameters
    ----------
    cpu, features : str or None
        What ``NUMBA_CPU_NAME`` and ``NUMBA_CPU_FEATURES`` say; None where one is not set.

    Raises
    ------
    ValueError
        In one line, that names the variable.
    """
    host = llvm.get_host_cpu_name()
    if cpu == host and features is None:
        return  # what a hypervisor hides of it neither drivers nor microkernels use
    if not all(re.fullmatch(r"[+-]\S+", name) for name in (features or "").split(",") if name):
        raise _wrong("FEATURES", "+ or - before each feature, as in +avx2,-fma", features or "")
    arch = llvm.get_process_triple().partition("-")[0]
    answer = _ask(cpu or host, features or "")
    if answer.unknown == "processor":
        raise _wrong("NAME", f"the name of a CPU that LLVM knows for {arch}", cpu or host)
    if answer.unknown:
        raise _wrong("FEATURES", f"features that LLVM knows for {arch}", answer.unknown)
    expected = f"what this CPU ({host}) can run"
    variable, value = ("NAME", cpu) if cpu else ("FEATURES", features or "")
    if answer.failure:
        raise _wrong(variable, expected, value, f" ({answer.failure})")
    if answer.lacking:
        if {f"+{name}" for name in answer.lacking} & {*(features or "").split(",")}:
            variable, value = "FEATURES", features or ""
        raise _wrong(variable, expected, value, f" (this one lacks {', '.join(answer.lacking)})")


def _wrong(variable: str, expected: str, value: str, more: str = "") -> ValueError:
    return ValueError(f"NUMBA_CPU_{variable}: expected {expected}, got {value!r}{more}")


@functools.cache
def _ask(cpu: str, features: str) -> _Answer:
    """Have another process try; asked once in this process."""
    if getattr(sys, "frozen", False) or not sys.executable:
        return _Answer()  # a program without an interpreter has no other process to ask
    llvms_home = os.path.dirname(os.path.dirname(llvmlite.__file__))
    try:
        done = subprocess.run(
            [sys.executable, "-S", "-P", "-c", _PROGRAM, llvms_home, __file__, cpu, features],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SECONDS,
            check=False,
        )
    except (OSError, subprocess.SubprocessError) as error:
        return _Answer(failure=f"it could not be tried: {error}")
    said = done.stderr.decode(errors="replace")
    if "is not a recognized processor" in said:
        return _Answer(unknown="processor")
    if unknown := re.search(r"'([^']*)' is not a recognized feature", said):
        return _Answer(unknown=unknown[1])
    if done.returncode:
        return _Answer(failure=_failure(done.returncode, said))
    return _Answer(lacking=tuple(json.loads(done.stdout)))


def _failure(code: int, said: str) -> str:
    """Why it failed, in a few words."""
    if error := re.search(r"LLVM ERROR: (.*)", said):
        return error[1]
    if code < 0:
        return f"a trial ended by signal {-code}"
    last = said.strip().splitlines()[-1:] or ["nothing"]
    return f"a trial ended with exit code {code} and said: {last[0]}"


# -- the other process ------------------------------------------------------------------------


def features_of(cpu: str, features: str, candidates: Sequence[str]) -> list[str]:
    """Those of the candidates that `cpu` with `features` has.

    LLVM does not list them. But it inlines no function into one that lacks any of its features. So
    it is given a function for that CPU, and for each candidate one that calls it and lacks that
    candidate; where the call stays, the CPU has it.
    """
    without = [features, *(f"{features},-{name}".lstrip(",") for name in candidates)]
    text = f"""
target triple = "{llvm.get_process_triple()}"
define void @whole(ptr %p) #0 {{
  store volatile i32 0, ptr %p
  ret void
}}
"""
    for number, of_caller in enumerate(without):
        text += f"""
define void @caller{number}(ptr %p) #{number} {{
  call void @whole(ptr %p)
  ret void
}}
attributes #{number} = {{ "target-cpu"="{_quoted(cpu)}" "target-features"="{_quoted(of_caller)}" }}
"""
    module = llvm.parse_assembly(text)
    machine = llvm.Target.from_default_triple().create_target_machine()
    passes = llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options(speed_level=2))
    passes.getModulePassManager().run(module, passes)

    def stays(number: int) -> bool:
        return "@whole(" in str(module.get_function(f"caller{number}"))

    if stays(0):  # where it is not inlined even so, that tells nothing
        return []
    return [name for number, name in enumerate(candidates, 1) if stays(number)]


def _quoted(text: str) -> str:
    """`text` inside a string of LLVM's."""
    return "".join(f"\\{byte:02x}" for byte in os.fsencode(text))


_TRIAL = """
define void @trial(ptr %p, ptr %q, ptr %r) {
  %a = load <16 x float>, ptr %p, align 4
  %b = call <16 x float> @llvm.fmuladd.v16f32(<16 x float> %a, <16 x float> %a, <16 x float> %a)
  %c = load <8 x double>, ptr %q, align 8
  %d = call <8 x double> @llvm.fmuladd.v8f64(<8 x double> %c, <8 x double> %c, <8 x double> %c)
  %e = load <16 x i32>, ptr %r, align 4
  %f = call <16 x i32> @llvm.ctpop.v16i32(<16 x i32> %e)
  %g = shl <16 x i32> %e, %f
  %h = sitofp <16 x i32> %g to <16 x float>
  %i = fcmp ogt <16 x float> %h, %b
  %j = select <16 x i1> %i, <16 x float> %h, <16 x float> %b
  store <16 x float> %j, ptr %p, align 4
  store <8 x double> %d, ptr %q, align 8
  store <16 x i32> %g, ptr %r, align 4
  ret void
}
declare <16 x float> @llvm.fmuladd.v16f32(<16 x float>, <16 x float>, <16 x float>)
declare <8 x double> @llvm.fmuladd.v8f64(<8 x double>, <8 x double>, <8 x double>)
declare <16 x i32> @llvm.ctpop.v16i32(<16 x i32>)
"""


def _run_trial(cpu: str, features: str) -> None:
    """Run vectors of the kinds that kernels are made of, as LLVM emits them for that CPU."""
    machine = llvm.Target.from_default_triple().create_target_machine(
        cpu=cpu, features=features, codemodel="jitdefault", jit=True
    )
    engine = llvm.create_mcjit_compiler(llvm.parse_assembly(_TRIAL), machine)
    engine.finalize_object()
    trial = ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * 3)(engine.get_function_address("trial"))
    p = (ctypes.c_float * 16)(*[2] * 16)
    q = (ctypes.c_double * 8)(*[3] * 8)
    r = (ctypes.c_int32 * 16)(*[5] * 16)
    trial(p, q, r)
    if {*p} != {20.0} or {*q} != {12.0} or {*r} != {20}:
        raise ArithmeticError("vectors give wrong results")


def _main(cpu: str, features: str) -> None:
    # LLVM may abort, which is to leave no core file.
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    absent = [name for name, has in host_features().items() if not has]
    lacking = sorted({*features_of(cpu, features, absent)} - _NEVER_CHOSEN)
    if not lacking:
        _run_trial(cpu, features)
    print(json.dumps(lacking))


if __name__ == "__main__":
    _main(*sys.argv[3:])
