"""One process at a time for a name: the others wait and then have what the first one made.

The lock is a POSIX one on one byte of a file, a byte for each name. The system takes it back
however a process ends, and a child of a fork does not have it. Its trap is that closing *any*
descriptor of the file lets go of all of a process's locks on it. So there is one descriptor for the
process, which stays open, and threads of one process share a lock.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import threading
import time
from collections.abc import Iterator

from ._entries import open_ours

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

__all__ = ["PATIENCE", "turn"]

PATIENCE = 120.0  # seconds; the largest kernels compile in half a minute, on a busy machine in two
_PAUSE = 0.05

_guard = threading.Lock()  # held for moments, never while another process is waited for
_file: tuple[str, int] | None = None  # the path and its descriptor
_inside: dict[int, int] = {}  # how many threads hold a byte


@contextlib.contextmanager
def turn(path: str, name: str, patience: float = PATIENCE) -> Iterator[bool]:
    """Let one process at a time inside for a name.

    Others wait for `patience` seconds and then enter, too. Where no lock can be had, as in a folder
    that cannot be written to, all enter at once. So may threads of one process.

    Parameters
    ----------
    path
        The file to lock, which is made. Its folder must be one that nobody else can write to.
    name
        What the turn is for.
    patience
        How long to wait.

    Yields
    ------
    bool
        Whether other processes are kept out.
    """
    byte = _byte(name)
    until = time.monotonic() + patience
    held = False
    try:
        while True:
            try:
                held = _enter(path, byte)
                break
            except BlockingIOError:
                if time.monotonic() >= until:
                    break
            time.sleep(_PAUSE)  # a signal ends it
        yield held
    finally:
        if held:
            _leave(byte)


def _byte(name: str) -> int:
    """The byte for a name. Some file systems count in 31 bits; two names on one byte only wait."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") >> 2


def _enter(path: str, byte: int) -> bool:
    """Lock a byte: True if it is ours, False if there are no locks; BlockingIOError if taken."""
    if fcntl is None:
        return False
    with _guard:
        try:
            handle = _opened(path)
        except OSError:
            return False
        if handle is None:
            return False
        if not _inside.get(byte):
            try:
                fcntl.lockf(handle, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, byte)
            except BlockingIOError:
                raise
            except OSError:  # this file system has none, or a sandbox forbids them
                return False
        _inside[byte] = _inside.get(byte, 0) + 1
        return True


def _leave(byte: int) -> None:
    with _guard:
        if byte not in _inside:  # in a child that was forked inside of its parent's turn
            return
        _inside[byte] -= 1
        if _inside[byte]:
            return
        del _inside[byte]
        if _file is not None:
            with contextlib.suppress(OSError):
                fcntl.lockf(_file[1], fcntl.LOCK_UN, 1, byte)


def _opened(path: str) -> int | None:
    """The descriptor of this file; None while turns at another one are held, which closing ends."""
    global _file
    if _file is not None:
        known, handle = _file
        with contextlib.suppress(OSError):
            # The folder may have been deleted and made again.
            if known == path and os.path.samestat(os.fstat(handle), os.lstat(path)):
                return handle
        if _inside:
            return None
        _file = None
        with contextlib.suppress(OSError):
            os.close(handle)
    # Whoever can open it can make all others wait: nobody else may.
    handle = open_ours(path, os.O_RDWR | os.O_CREAT, 0o600)
    _file = path, handle
    return handle


def _after_fork() -> None:
    # The child holds no locks, and has no other thread that would leave.
    global _guard
    _guard = threading.Lock()
    _inside.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
