"""What the system tells about the machine: its caches, its memory, and its processor's name.

Linux tells of caches in sysfs, macOS by sysctl. Where nothing is told, `caches` gives numbers that
no current desktop or server processor falls below, but for the oldest: rules that start from too
small a cache choose schedules that are a little slower, rules that start from too large a one
choose some that are much slower.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import platform
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

__all__ = [
    "Cache",
    "Caches",
    "caches",
    "cpu_model",
    "crowded",
    "levels",
    "memory",
    "others_running",
]

# Bytes where the system does not tell: 32 KB of L1 (all x86 cores since 2006, with few exceptions
# above), 512 KB of L2 (Zen 1 to 3; Intel's servers have 1 MB and more), 8 MB of L3.
_UNTOLD = (32 << 10, 512 << 10, 8 << 20)

_SYSFS = Path("/sys/devices/system/cpu")
_CGROUP = Path("/sys/fs/cgroup")


class Cache(NamedTuple):
    """One cache as sysfs describes it: "Data", "Instruction" or "Unified", and who shares it."""

    level: int
    kind: str
    size: int  # bytes
    cpus: int


class Caches(NamedTuple):
    """What one core has to itself, and the last level.

    Attributes
    ----------
    l1d, l2 : int
        Bytes for a core. Where several cores share an L2, its part.
    l3 : int
        Bytes of the whole cache.
    l3_cpus : int
        By how many CPUs that is shared.
    told : bool
        Whether the system told the sizes of L1 and L2.
    """

    l1d: int
    l2: int
    l3: int
    l3_cpus: int
    told: bool


@functools.cache
def caches() -> Caches:
    """The caches of the first CPU that this process may use; read once."""
    if sys.platform == "darwin":
        return _from_sysctl(_sysctl)
    return _from_sysfs(_SYSFS, _first_cpu())


def _first_cpu() -> int:
    if hasattr(os, "sched_getaffinity"):
        return min(os.sched_getaffinity(0), default=0)
    return 0


def levels(folder: Path = _SYSFS / "cpu0" / "cache") -> list[Cache]:
    """All caches of one CPU, whose folder of sysfs this is; none where the system does not tell."""
    found = []
    for index in sorted(folder.glob("index*")):
        try:
            level, kind, size, shared = (
                (index / name).read_text().strip()
                for name in ("level", "type", "size", "shared_cpu_list")
            )
            found.append(Cache(int(level), kind, _bytes(size), _count(shared)))
        except (OSError, ValueError):
            continue
    return found


def _bytes(text: str) -> int:
    """Of "32K" or "1M"."""
    units = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}
    size = int(text[:-1]) * units[text[-1]] if text[-1:] in units else int(text)
    if size <= 0:
        raise ValueError(text)
    return size


def _count(text: str) -> int:
    """How many CPUs a list such as "0-3,8" names."""
    spans = [part.partition("-") for part in text.split(",")]
    return sum(int(last or first) - int(first) + 1 for first, _, last in spans)


def _from_sysfs(folder: Path, cpu: int) -> Caches:
    found = {
        cache.level: cache
        for cache in levels(folder / f"cpu{cpu}" / "cache")
        if cache.kind != "Instruction"
    }
    try:
        siblings = (folder / f"cpu{cpu}" / "topology" / "thread_siblings_list").read_text()
        threads = _count(siblings.strip())
    except (OSError, ValueError):
        threads = 1
    l1d, l2, l3 = (found.get(level) for level in (1, 2, 3))
    return Caches(
        _of_a_core(l1d, threads) if l1d else _UNTOLD[0],
        _of_a_core(l2, threads) if l2 else _UNTOLD[1],
        # Processors without an L3 have a large L2 for all of them.
        l3.size if l3 else max(_UNTOLD[2] if not l2 else 0, l2.size if l2 else 0),
        l3.cpus if l3 else l2.cpus if l2 else os.cpu_count() or 1,
        l1d is not None and l2 is not None,
    )


def _of_a_core(cache: Cache, threads: int) -> int:
    """Its bytes for one core, whose `threads` hardware threads are CPUs of their own."""
    return cache.size * min(threads, cache.cpus) // max(1, cache.cpus)


def _from_sysctl(read: Callable[[str], int | None]) -> Caches:
    """On Apple's processors the fast cores share an L2, and there is no L3 that is told of."""
    l1d = read("hw.perflevel0.l1dcachesize") or read("hw.l1dcachesize")
    l2 = read("hw.perflevel0.l2cachesize") or read("hw.l2cachesize")
    sharing = read("hw.perflevel0.cpusperl2") or 1
    cpus = os.cpu_count() or 1
    l3 = read("hw.l3cachesize")
    return Caches(
        l1d or _UNTOLD[0],
        l2 // sharing if l2 else _UNTOLD[1],
        l3 or l2 or _UNTOLD[2],
        cpus if l3 or not l2 else sharing,
        bool(l1d and l2),
    )


def _sysctl(name: str) -> int | None:
    """A number that macOS tells by name; None if there is none of that name."""
    try:
        value, size = ctypes.c_int64(0), ctypes.c_size_t(8)
        failed = ctypes.CDLL(None).sysctlbyname(
            name.encode(), ctypes.byref(value), ctypes.byref(size), None, ctypes.c_size_t(0)
        )
    except (OSError, AttributeError):
        return None
    return None if failed else value.value


@functools.cache
def cpu_model() -> str:
    """The processor's name, where the system tells; else what kind of machine it is."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def memory(folder: Path | None = None) -> int:
    """Bytes of the machine's memory, or fewer where a container or `ulimit -v` allows no more.

    Parameters
    ----------
    folder
        Where Linux tells of the container's limit: version 2 of its control groups, or version 1.
    """
    try:
        found = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        found = 0
    if found <= 0:  # not told
        found = 2**47  # of which a process can address no more
    for name in ("memory.max", "memory/memory.limit_in_bytes"):
        try:
            limit = int(((folder or _CGROUP) / name).read_text())
        except (OSError, ValueError):  # no such file, or "max"
            continue
        found = min(found, limit) if limit > 0 else found
    with contextlib.suppress(ImportError, OSError, ValueError):  # Windows has no resource
        import resource

        limit = resource.getrlimit(resource.RLIMIT_AS)[0]
        found = min(found, limit) if limit > 0 else found
    return found


def others_running(folder: Path = Path("/proc")) -> int | None:
    """How many threads of other processes run or wait for a CPU at this moment; Linux only.

    It takes about 100 µs with four threads in this process, and 20 more for each further one. Ours
    are counted before all are and after, and again if that differs: a worker goes to sleep soon
    after a call, and would be taken for another process in two of three looks. While they come and
    go it takes up to three times as long.
    """
    try:
        own = _own_running(folder)
        for _ in range(3):
            with open(folder / "loadavg", "rb") as file:
                running = int(file.read().split()[3].partition(b"/")[0])
            before, own = own, _own_running(folder)
            if own == before:
                break
    except (OSError, ValueError, IndexError):
        return None
    return max(0, running - max(before, own))


def _own_running(folder: Path) -> int:
    """How many threads of this process run or wait for a CPU."""
    tasks, found = f"{folder}/self/task", 0
    for task in os.listdir(tasks):
        try:
            with open(f"{tasks}/{task}/stat", "rb", buffering=0) as file:
                about = file.read(1024)
        except (FileNotFoundError, ProcessLookupError):  # it has ended
            continue
        # The state stands behind the name, which may hold anything.
        found += about.rpartition(b")")[2].split(None, 1)[0] == b"R"
    return found


def crowded(threads: int) -> bool:
    """Whether other processes leave fewer CPUs at this moment than so many threads need."""
    others = others_running()
    return others is not None and others + threads > (os.cpu_count() or 1)
