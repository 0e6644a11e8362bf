"""What it is measured on, and whether somebody else uses it meanwhile."""

from __future__ import annotations

import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ..system import cpu_model, levels

__all__ = ["Watch", "describe"]

_FEATURES = ("sse4", "avx", "fma", "f16c", "amx", "neon", "sve", "asimd", "dotprod", "bf16")
# Below these a machine counts as quiet. Shares of its processors' time.
_OTHERS, _STEAL, _PEAK_DROP = 0.05, 0.02, 0.07


def describe(target: dict[str, Any]) -> dict[str, Any]:
    """The machine as JSON: its processor, caches and system.

    Parameters
    ----------
    target : dict
        What kernels are compiled for, as a worker tells it.
    """
    enabled = target.get("features", [])
    return {
        **target,
        "features": sorted(name for name in enabled if name.startswith(_FEATURES)),
        "cpu": cpu_model(),
        "cpus": os.cpu_count(),
        "caches": _caches(),
        "memory_gib": _memory_gib(),
        "platform": platform.platform(),
        "python": platform.python_version(),
    }


def _caches(folder: Path | None = None) -> dict[str, str]:
    """Sizes of the first processor's caches, where the system tells: {"L1 Data": "32K", …}."""
    return {
        f"L{level}" if kind == "Unified" else f"L{level} {kind}": f"{size >> 10}K"
        for level, kind, size, _ in (levels() if folder is None else levels(folder))
    }


def _memory_gib() -> float | None:
    try:
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    except (AttributeError, ValueError, OSError):
        return None


def _jiffies() -> tuple[float, float] | None:
    """Seconds that all processors were busy, and that the hypervisor took; Linux only."""
    try:
        with open("/proc/stat") as file:
            user, nice, system, _idle, _iowait, irq, soft, steal = map(
                int, file.readline().split()[1:9]
            )
        tick = os.sysconf("SC_CLK_TCK")
    except (OSError, ValueError, AttributeError):
        return None
    return (user + nice + system + irq + soft) / tick, steal / tick


def _own_seconds() -> float:
    """CPU time of this process and of its children that have ended."""
    return sum(os.times()[:4])


@dataclass
class Watch:
    """Watches from its making until `finish` for signs that the machine is not ours alone."""

    cpus: int = field(default_factory=lambda: os.cpu_count() or 1)
    load: float | None = field(init=False)

    def __post_init__(self) -> None:
        self.load = os.getloadavg()[0] if hasattr(os, "getloadavg") else None
        self._clock = os.times().elapsed
        self._system = _jiffies()
        self._own = _own_seconds()

    def at_start(self) -> list[str]:
        """Warnings that can be given before anything is measured."""
        if self.load is not None and self.load > 0.25 * self.cpus:
            return [f"the machine is busy: load {self.load:.2f} on {self.cpus} CPUs at the start"]
        return []

    def finish(self, peaks: list[float]) -> dict[str, Any]:
        """What happened, as JSON; all children must have ended.

        Parameters
        ----------
        peaks : list of float
            The FMA peak as measured again and again meanwhile.
        """
        others = steal = None
        after = _jiffies()
        if self._system is not None and after is not None:
            seconds = max(os.times().elapsed - self._clock, 1e-9) * self.cpus
            own = _own_seconds() - self._own
            others = max(0.0, after[0] - self._system[0] - own) / seconds
            steal = (after[1] - self._system[1]) / seconds
        lowest = min(peaks) / max(peaks) if peaks else 1.0
        warnings = self.at_start()
        if others is not None and others > _OTHERS:
            warnings.append(f"other programs used {others:.0%} of the CPUs meanwhile")
        if steal is not None and steal > _STEAL:
            warnings.append(f"the hypervisor took {steal:.0%} of the CPUs' time meanwhile")
        if lowest < 1.0 - _PEAK_DROP:
            warnings.append(f"the FMA peak fell to {lowest:.0%} of its best meanwhile")
        return {
            "load_at_start": self.load,
            "others": others,
            "steal": steal,
            "lowest_peak": lowest,
            "warnings": warnings,
        }
