"""Settled plans on disk, beside the compiled kernels: one small file for each machine.

A file can only choose among the plans that its reader found fitting, by name, so that a wrong one
costs time and nothing else. What is malformed, foreign or huge is not looked at, and what cannot be
read or written, or what others could have written, is done without, in silence: plans are found
again.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import hashlib
import json
import math
import os
import platform
import threading
import time
from collections.abc import Iterator
from typing import Any

from .. import _entries, compile_cache, simd, system, threads
from .._files import locked
from . import switch
from .tuner import Known

__all__ = ["FORMAT", "entries", "find", "keep", "path", "save"]

# The meaning of names and keys. Kernels that became faster in one plan and not in others are a
# reason to count on.
FORMAT = 1
MOST = 2000
_MOST_BYTES = 2 << 20
_SECONDS_BETWEEN = 30.0

_lock = threading.Lock()
_read: dict[str, Known] | None = None
_new: dict[str, Known] = {}
_saved_at = -math.inf
_at_exit = False


@functools.cache
def machine() -> dict[str, Any]:
    """What plans hold for."""
    target, caches = simd.TARGET, system.caches()
    return {
        "format": FORMAT,
        "cpu": system.cpu_model(),
        "target": target.cpu,
        "vector_bytes": target.vector_bytes,
        "registers": target.registers,
        "cpus": threads.most_threads(),
        "l2": caches.l2,
        "system": platform.system(),
    }


def folder() -> str | None:
    """The folder of the compile cache."""
    return compile_cache.cache_folder()


def path() -> str | None:
    """The file for this machine, which need not be there; None without a home."""
    where = folder()
    if where is None:
        return None
    name = hashlib.sha256(json.dumps(machine(), sort_keys=True).encode()).hexdigest()[:16]
    return os.path.join(where, f"plans-{name}.json")


def find(key: str) -> Known | None:
    """What is known of calls of these sizes. The file is read once."""
    global _read
    if not switch.on:
        return None
    if _read is None:
        _read = _load()
    return _new.get(key) or _read.get(key)


def entries() -> dict[str, Known]:
    """All that the file holds now, by size."""
    return _load()


def keep(key: str, known: Known) -> None:
    """Write this soon: at the process's end, or now, if the last time is long enough ago."""
    global _at_exit
    if not switch.on:
        return
    with _lock:
        _new[key] = known
        if not _at_exit:
            _at_exit = True
            atexit.register(save)
    if time.monotonic() - _saved_at > _SECONDS_BETWEEN:
        save(patience=0.0)


def save(patience: float = 5.0) -> None:
    """Add what is new to what other processes wrote meanwhile; in silence where it cannot be.

    While another process writes this waits up to `patience` seconds, and then leaves it for later.
    """
    global _read, _saved_at
    where = path()
    with _lock, contextlib.suppress(OSError):
        if not switch.on or not _new or where is None:
            return
        _saved_at = time.monotonic()
        _entries.make_folder(os.path.dirname(where))
        with _alone(os.path.dirname(where), _saved_at + patience):
            merged = _load()
            for key, known in _new.items():
                merged.pop(key, None)  # the newest stand last
                merged[key] = known
            plans = {key: list(known) for key, known in list(merged.items())[-MOST:]}
            content = {"machine": machine(), "plans": plans}
            _entries.write_file(where, f"{json.dumps(content, indent=0)}\n".encode())
        _read = merged
        _new.clear()


@contextlib.contextmanager
def _alone(where: str, until: float) -> Iterator[None]:
    """Within it no other process writes plans; OSError if one still does at that time."""
    with contextlib.ExitStack() as held:
        while True:
            try:
                held.enter_context(locked(where))
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    raise
                time.sleep(0.01)
        yield


def _load() -> dict[str, Known]:
    """The file's entries, those alone that are what `save` writes."""
    where = path()
    if where is None:
        return {}
    try:
        content = json.loads(_entries.read_file(where, _MOST_BYTES)[0])
    except (OSError, ValueError, RecursionError):
        return {}
    if not isinstance(content, dict) or content.get("machine") != machine():
        return {}
    plans = content.get("plans")
    if not isinstance(plans, dict):
        return {}
    found = ((key, _known(value)) for key, value in list(plans.items())[-MOST:])
    return {key: known for key, known in found if known is not None and key.isprintable()}


def _known(value: Any) -> Known | None:
    """An entry, if each of its parts can be one."""
    if not isinstance(value, list) or len(value) != len(Known._fields):
        return None
    plan, rule, time, rule_time, checks = value
    names = (plan, rule)
    if not all(isinstance(name, str) and len(name) < 200 and name.isprintable() for name in names):
        return None
    if type(checks) is not int or not 1 <= checks < 1 << 31:
        return None
    for number in (time, rule_time):
        if type(number) not in (int, float) or not 0 < number < 1e6:
            return None
    return Known(plan, rule, float(time), float(rule_time), checks)


def _after_fork() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
