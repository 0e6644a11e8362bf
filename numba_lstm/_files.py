"""Writing files so that a crash at any moment leaves either the old file or the new one."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from collections.abc import Iterator
from pathlib import Path

__all__ = ["append", "locked", "sync_folder", "write_atomic"]


def write_atomic(
    path: str | os.PathLike[str],
    data: bytes | str,
    *,
    follow: bool = True,
    mode: int | None = None,
) -> None:
    """Replace ``path`` by ``data``: written beside it, flushed to the disk, then renamed.

    A symbolic link stays and what it points to is replaced. What exists and is no regular file,
    such as a FIFO, is written to directly, and so is the process's own output (/dev/stdout).

    Parameters
    ----------
    path
        The file to make or to replace. Its folder must exist; for a symbolic link, that of what it
        points to.
    data
        The whole content; text is written as UTF-8 with the line ends it has.
    follow
        Without it whatever has the name, a link or a FIFO too, is replaced by a file, and what a
        link points to stays as it is.
    mode
        The file's permissions, less the umask. Without it they are those of the file that is
        replaced, or of a new one.

    Raises
    ------
    OSError
        When the disk is full or the folder cannot be written; ``path`` is then as it was and
        nothing is left beside it.
    """
    content = data.encode("utf-8") if isinstance(data, str) else data
    direct = _to_write_directly(path) if follow else None
    if direct is not None:
        with open(direct, "wb") as file:
            file.write(content)
        return
    # Renaming over a link replaces the link.
    target = Path(os.path.realpath(path) if follow else path)
    if target.is_dir() and (follow or not target.is_symlink()):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), os.fspath(path))
    kept = _mode_of(target) if mode is None else None
    made = 0o666 if mode is None else mode
    try:
        handle, beside = _new_beside(target, made if kept is None else kept)
    except OSError as error:
        error.filename = os.fspath(path)  # of the file beside it nobody knows
        raise
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        if kept is not None:
            os.chmod(beside, kept)
        os.replace(beside, target)
    except BaseException as error:
        with contextlib.suppress(OSError):
            os.unlink(beside)
        if isinstance(error, OSError):
            # A full disk is told without saying where, a failed rename by both names.
            error.filename, error.filename2 = os.fspath(path), None
        raise
    sync_folder(target.parent)


def append(path: str | os.PathLike[str], data: str) -> None:
    """Add text, as UTF-8, to the end of a file, or to a new one.

    Raises
    ------
    OSError
        When it cannot be written, or is a link or no regular file.
    """
    flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | _flag("O_NOFOLLOW") | _flag("O_NONBLOCK")
    handle = os.open(path, flags | _flag("O_BINARY"), 0o666)
    try:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise OSError(errno.EINVAL, "expected an ordinary file")
        rest = memoryview(data.encode("utf-8"))
        while rest:
            rest = rest[os.write(handle, rest) :]
    except OSError as error:
        error.filename = os.fspath(path)
        raise
    finally:
        os.close(handle)


@contextlib.contextmanager
def locked(folder: str | os.PathLike[str], *, follow: bool = True) -> Iterator[int | None]:
    """Hold a folder's lock, which the system takes back however this process ends.

    Parameters
    ----------
    folder
        The folder.
    follow
        Whether it may be a link to one.

    Yields
    ------
    int or None
        The folder's descriptor. None where nothing is held, because Windows and some network file
        systems have no such lock.

    Raises
    ------
    BlockingIOError
        When another process, or another holder in this one, has it.
    OSError
        When there is no such folder.
    """
    try:
        import fcntl
    except ImportError:
        yield None
        return
    flags = os.O_RDONLY | os.O_DIRECTORY
    handle = os.open(folder, flags if follow else flags | os.O_NOFOLLOW)
    try:
        held: int | None = handle
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            held = None
        yield held
    finally:
        # A child that was forked meanwhile has the handle open, too.
        with contextlib.suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_UN)
        os.close(handle)


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


def _to_write_directly(path: str | os.PathLike[str]) -> int | str | None:
    """What to open where a rename would take the file from those who have it open; else None."""
    try:
        # The system follows links: what /dev/stdout leads to may have no name to resolve.
        found = os.stat(path)
    except FileNotFoundError:
        return None
    for stream in (1, 2):
        # Where the shell sent it to a file, what was printed is there already: the descriptor's
        # copy goes on behind it.
        with contextlib.suppress(OSError):
            if os.path.samestat(found, os.fstat(stream)):
                return os.dup(stream)
    plain = stat.S_ISREG(found.st_mode) or stat.S_ISDIR(found.st_mode)
    return None if plain else os.fspath(path)


def _mode_of(target: Path) -> int | None:
    """The permissions of a file that is there."""
    with contextlib.suppress(OSError):
        mode = target.lstat().st_mode
        if stat.S_ISREG(mode):
            return mode & 0o777
    return None


def _new_beside(target: Path, mode: int) -> tuple[int, str]:
    """Make a file beside another one: its descriptor and path.

    The system takes the umask off. To ask for the umask is to change it for a moment, and meanwhile
    other threads would make files that all may write to. What replaces a private file is private
    from the beginning.
    """
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | _flag("O_NOFOLLOW") | _flag("O_BINARY")
    while True:
        beside = target.parent / f".{target.name}.{secrets.token_hex(4)}.new"
        with contextlib.suppress(FileExistsError):
            return os.open(beside, flags, mode), str(beside)


def _flag(name: str) -> int:
    """A flag of ``os.open``, or none where the system lacks it."""
    return getattr(os, name, 0)
