"""A program that ends a job whose ranks do not all come; see `waiting`. Run by its path, alone.

``python _watcher.py SECONDS PID FD CODE WORDS``: ends quietly when its standard input does. After
so many seconds it says the words, and tells MPICH's launcher on FD to end all ranks. Where there
is no such launcher it kills the process, which other launchers answer in the same way.
"""

import contextlib
import os
import select
import signal
import sys


def _ended(seconds: float) -> bool:
    """Wait until standard input ends, that is, until nobody waits any more; False if one does."""
    return bool(select.select([0], [], [], seconds)[0])


def _tell(fd: int, words: str) -> None:
    """Write what can be written: a log may be full, a launcher gone."""
    with contextlib.suppress(OSError):
        os.write(fd, words.encode("utf-8", "backslashreplace"))


def main(seconds: str, pid: str, fd: str, code: str, words: str) -> None:
    """As the module says."""
    if _ended(float(seconds)):
        return
    _tell(2, f"error: {words}\n")
    # As `launcher.LAST_WORDS`, which a program that runs alone cannot import.
    if _ended(0.2):
        return
    if int(fd) >= 0:
        _tell(int(fd), f"cmd=abort exitcode={code}\n")
        if _ended(2.0):
            return
    with contextlib.suppress(ProcessLookupError):
        os.kill(int(pid), signal.SIGKILL)


if __name__ == "__main__":
    main(*sys.argv[1:])
