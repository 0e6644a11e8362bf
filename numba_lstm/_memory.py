"""How much memory this process may have."""

from __future__ import annotations

import contextlib
import os

__all__ = ["memory_bytes"]

#: Of containers, by versions 2 and 1 of cgroups. "max", or a number near 2^63, is no limit.
_GROUPS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
# A process can address no more.
_ADDRESSES = 2**47


def memory_bytes() -> int:
    """The machine's memory, or less where a container or the shell (``ulimit -v``) allows less."""
    found = [_ADDRESSES]
    # Windows has neither sysconf nor resource.
    with contextlib.suppress(AttributeError, KeyError, ValueError, OSError):
        found.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    for name in _GROUPS:
        with contextlib.suppress(OSError, ValueError), open(name) as file:
            found.append(int(file.read()))
    with contextlib.suppress(ImportError, OSError, ValueError):
        import resource

        found.append(resource.getrlimit(resource.RLIMIT_AS)[0])
    return min(number for number in found if number > 0)  # below 0: not told, or no limit
