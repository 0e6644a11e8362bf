"""Writing files so that a crash at any moment leaves either the old file or the new one."""

from __future__ import annotations

import contextlib
import os
import tempfile
from pathlib import Path

__all__ = ["sync_folder", "write_atomic"]


def write_atomic(path: str | os.PathLike[str], data: bytes | str) -> None:
    """Replace ``path`` by ``data``: written beside it, flushed to the disk, then renamed.

    Parameters
    ----------
    path
        The file to make or to replace. Its folder must exist.
    data
        The whole content; text is written as UTF-8 with the line ends it has.

    Raises
    ------
    OSError
        When the disk is full or the folder cannot be written; ``path`` is then as it was and
        nothing is left beside it.
    """
    target = Path(path)
    content = data.encode("utf-8") if isinstance(data, str) else data
    handle, beside = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".new", dir=target.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        os.chmod(beside, _mode_for(target))
        os.replace(beside, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError) and error.filename is None:
            error.filename = str(target)  # a full disk is told without saying where
        raise
    sync_folder(target.parent)


def sync_folder(folder: str | os.PathLike[str]) -> None:
    """Make renames inside ``folder`` survive a power cut, where the system can do that."""
    # Windows cannot open a folder, and some network file systems refuse to sync one; the rename
    # itself has happened either way.
    with contextlib.suppress(OSError):
        handle = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(handle)
        finally:
            os.close(handle)


def _mode_for(target: Path) -> int:
    """The permissions ``target`` has, or those a plainly created file would get."""
    try:
        return target.stat().st_mode & 0o777
    except OSError:
        # mkstemp makes 0600; a shared run folder wants what open() would have given.
        mask = os.umask(0)
        os.umask(mask)
        return 0o666 & ~mask
