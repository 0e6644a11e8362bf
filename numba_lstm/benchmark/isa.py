"""Which instruction set everybody is held to, each by its own documented switch.

AVX2 can so be compared where there is AVX-512. A switch is an environment variable that a library
reads when it is loaded:

- Numba: ``NUMBA_CPU_NAME``, here one of the levels of the x86-64 psABI. Kernels get the features of
  that CPU, if ``NUMBA_CPU_FEATURES`` adds none.
- ATen, torch's own kernels: ``ATEN_CPU_CAPABILITY``.
- oneDNN, in torch and in OpenVINO: ``ONEDNN_MAX_CPU_ISA``. It knows nothing below SSE4.1.
- MKL, in torch: ``MKL_ENABLE_INSTRUCTIONS``. It is for Intel's processors only; on others MKL heeds
  ``MKL_CBWR=COMPATIBLE`` alone, which means SSE2 (sgemm on a Zen 4: 93, 94 and 38 GFLOP/s with
  SSE4_2, AVX2 and COMPATIBLE).
- OpenBLAS, in NumPy: ``OPENBLAS_CORETYPE``.
- OpenVINO's own kernels: ``OV_CPU_MAX_ISA``, always together with oneDNN's. Releases up to 2026.4
  read oneDNN's alone; that is what its recurrent layers run in. They need AVX2 at least.

onnxruntime has no switch.
"""

from __future__ import annotations

import platform
from collections.abc import Mapping
from dataclasses import dataclass

from .peers import Peer

__all__ = ["ISAS", "NATIVE", "Isa", "find", "held", "told"]

NATIVE = "native"
Variables = Mapping[str, str]


@dataclass(frozen=True)
class Isa:
    """One instruction set.

    Attributes
    ----------
    words : str
        Its name for people.
    needs : tuple of str
        What the processor must have, in LLVM's words.
    vector_bits : int
        The width that our kernels have then.
    switches : dict
        For each peer's module the environment of its process. Who is missing has no switch.
    """

    words: str
    needs: tuple[str, ...]
    vector_bits: int
    switches: Mapping[str, Variables]


def _ours(level: str, openblas: str) -> Variables:
    return {
        "NUMBA_CPU_NAME": level,
        "NUMBA_CPU_FEATURES": "",
        "OPENBLAS_CORETYPE": openblas,
    }


def _torch(aten: str, onednn: str, mkl: Variables) -> Variables:
    return {"ATEN_CPU_CAPABILITY": aten, "ONEDNN_MAX_CPU_ISA": onednn, **mkl}


def _openvino(onednn: str) -> Variables:
    return {"ONEDNN_MAX_CPU_ISA": onednn, "OV_CPU_MAX_ISA": onednn}


_V3 = ("avx2", "fma", "f16c", "bmi", "bmi2", "lzcnt", "movbe")
_V4 = ("avx512f", "avx512bw", "avx512cd", "avx512dq", "avx512vl")
ISAS = {
    "avx512": Isa(
        "AVX-512",
        _V3 + _V4,
        512,
        {
            "ours": _ours("x86-64-v4", "SkylakeX"),
            "torch_peer": _torch("avx512", "AVX512_CORE", {"MKL_ENABLE_INSTRUCTIONS": "AVX512"}),
            "openvino_peer": _openvino("AVX512_CORE"),
        },
    ),
    "avx2": Isa(
        "AVX2",
        _V3,
        256,
        {
            "ours": _ours("x86-64-v3", "Haswell"),
            "torch_peer": _torch("avx2", "AVX2", {"MKL_ENABLE_INSTRUCTIONS": "AVX2"}),
            "openvino_peer": _openvino("AVX2"),
        },
    ),
    "baseline": Isa(
        "SSE",
        (),
        128,
        {
            "ours": _ours("x86-64", "Nehalem"),
            "torch_peer": _torch("default", "SSE41", {"MKL_CBWR": "COMPATIBLE"}),
        },
    ),
}


def find(name: str) -> Isa | None:
    """The instruction set of that name; None for the machine's own.

    Raises
    ------
    ValueError
        If this machine lacks it.
    """
    if name == NATIVE:
        return None
    if platform.machine().lower() not in ("x86_64", "amd64"):
        raise ValueError(f"--isa: expected native on {platform.machine()}, got {name!r}")
    isa = ISAS[name]
    features = _features()
    lacks = [each for each in isa.needs if each not in features]
    if lacks:
        raise ValueError(
            f"--isa: expected an instruction set that this machine has, got {name!r}; "
            f"it lacks {', '.join(lacks)}"
        )
    return isa


def _features() -> set[str]:
    """What this processor has, whatever kernels are compiled for."""
    from numba.core.codegen import get_host_cpu_features

    given = get_host_cpu_features().split(",")
    return {feature[1:] for feature in given if feature.startswith("+")}


def held(isa: Isa | None, peer: Peer) -> bool:
    """Whether a peer is compared on equal terms: held to the instruction set, or all free."""
    return isa is None or peer.module in isa.switches


def told(isa: Isa | None, peer: Peer) -> dict[str, str]:
    """The environment that a peer's process gets."""
    switches = {} if isa is None else isa.switches.get(peer.module, {})
    return {**switches, **peer.environment}
