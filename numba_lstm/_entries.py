"""Files of a cache folder that nobody else could have written.

Machine code and pickles run in whoever reads them. So a file is read only where its owner, and that
of the folder, is this user or root, and where nobody else may write to either. What is no ordinary
file, such as a FIFO or a link, is neither waited for nor followed, and never written through.

Others could also put another folder in the place of this one, if they may write to a folder above
it. Folders that everyone may write to have the sticky bit for that, as /tmp has: in those only the
owner of a thing may move it. Above the cache folder neither groups nor owners are looked at: where
each user has a group of its own, many folders of a home are open to that group, and in a container
that is no root's, root's folders are nobody's.

Windows has neither owners nor modes of this kind. There the user's own folder is trusted.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import os
import stat
from collections.abc import Iterator

from ._files import write_atomic

__all__ = [
    "Untrusted", "check_folder", "make_folder", "open_ours", "read_file", "seal", "unseal",
    "write_file",
]  # fmt: skip

_DIGEST = 32  # bytes of SHA-256
_MOST_LINKS = 40
_FLAGS = ("O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_BINARY")


class Untrusted(PermissionError):
    """Somebody else could have written this file or folder."""


def seal(name: str, data: bytes) -> bytes:
    """`data` with a digest of it and of the name under which it is kept."""
    return _digest(name, data) + data


def unseal(name: str, content: bytes) -> bytes | None:
    """What was sealed under this name; None if it is damaged, or was sealed under another."""
    data = content[_DIGEST:]
    return data if content[:_DIGEST] == _digest(name, data) else None


def _digest(name: str, data: bytes) -> bytes:
    return hashlib.sha256(name.encode() + b"\0" + data).digest()


def read_file(path: str, most: int) -> tuple[bytes, os.stat_result]:
    """What is in a file of a cache folder, and what the system tells of it.

    Parameters
    ----------
    path
        The file.
    most
        Bytes that it may have.

    Raises
    ------
    OSError
        `Untrusted`, or it is not there, is no ordinary file, or is larger.
    """
    check_folder(os.path.dirname(path))
    with os.fdopen(open_ours(path, os.O_RDONLY), "rb") as file:
        found = os.fstat(file.fileno())
        if found.st_size > most:
            raise OSError(errno.EFBIG, os.strerror(errno.EFBIG), path)
        return file.read(found.st_size), found


def open_ours(path: str, flags: int, mode: int = 0o600) -> int:
    """As ``os.open``, of an ordinary file that nobody else could have written.

    Raises
    ------
    OSError
        `Untrusted`, or it cannot be opened, or is a link or no ordinary file.
    """
    for name in _FLAGS:
        flags |= getattr(os, name, 0)
    handle = os.open(path, flags, mode)
    try:
        found = os.fstat(handle)
        if not stat.S_ISREG(found.st_mode):
            raise OSError(errno.EINVAL, "expected an ordinary file", path)
        _check(path, found)
    except BaseException:
        os.close(handle)
        raise
    return handle


def write_file(path: str, data: bytes) -> None:
    """Write a file that all may read and only this user may write, less the process's umask.

    Its folder is made if it is not there. A link or a FIFO of this name is replaced.

    Raises
    ------
    OSError
        `Untrusted`, or it cannot be written.
    """
    make_folder(os.path.dirname(path))
    write_atomic(path, data, follow=False, mode=0o644)


def make_folder(folder: str) -> None:
    """Make a folder, and those above it, that only this user may write to, or check that it is one.

    A cache that root fills is read by others: all may read it, less the process's umask.

    Raises
    ------
    OSError
        `Untrusted`, or it cannot be made.
    """
    _make(folder)
    check_folder(folder)


def _make(folder: str) -> None:
    try:
        _at_the_end(folder)
    except FileNotFoundError:
        above = os.path.dirname(folder)
        if above == folder:
            raise
        _make(above)
        with contextlib.suppress(FileExistsError):  # another process was faster
            os.mkdir(folder, 0o755)


def check_folder(folder: str) -> None:
    """Check that nobody else could have written this folder, or put it into its place.

    Raises
    ------
    OSError
        `Untrusted`, or there is no such folder.
    """
    path, found = _at_the_end(folder)
    _check(path, found)


def _at_the_end(folder: str) -> tuple[str, os.stat_result]:
    """The folder that this path leads to, if nobody else could have led it elsewhere."""
    path, found = folder, os.stat(folder)
    if _knows_owners():
        sticky = False
        for path, found in _way(folder):
            link = stat.S_ISLNK(found.st_mode)
            open_to_all = not link and bool(found.st_mode & stat.S_IWOTH)
            if (link or sticky) and not _is_ours(found):
                raise Untrusted(errno.EPERM, _told(found), path)
            sticky = open_to_all and bool(found.st_mode & stat.S_ISVTX)
            if open_to_all and not sticky:
                raise Untrusted(errno.EPERM, _told(found), path)
    if not stat.S_ISDIR(found.st_mode):
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)
    return path, found


def _way(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    """Each folder and link that leads to a folder, and at last the folder itself."""
    root = at = os.path.abspath(os.sep)
    # Not `abspath`: it takes "link/.." for nothing, and the system for what is above the target.
    rest = _parts(folder if os.path.isabs(folder) else os.path.join(os.getcwd(), folder))
    links = 0
    while rest:
        yield at, os.lstat(at)
        path = os.path.join(at, rest.pop(0))
        if os.path.basename(path) == os.pardir:
            at = os.path.dirname(at)
        elif stat.S_ISLNK((found := os.lstat(path)).st_mode):
            yield path, found
            links += 1
            if links > _MOST_LINKS:
                raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), folder)
            target = os.readlink(path)
            rest = _parts(target) + rest
            at = root if os.path.isabs(target) else at
        else:
            at = path
    yield at, os.lstat(at)


def _parts(path: str) -> list[str]:
    return [part for part in path.split(os.sep) if part not in ("", os.curdir)]


def _check(path: str, found: os.stat_result) -> None:
    if _knows_owners() and not (_is_ours(found) and not found.st_mode & 0o022):
        raise Untrusted(errno.EPERM, _told(found), path)


def _knows_owners() -> bool:
    return hasattr(os, "geteuid")


def _is_ours(found: os.stat_result) -> bool:
    return found.st_uid in (0, os.geteuid())


def _told(found: os.stat_result) -> str:
    return f"owner {_user(found.st_uid)}, mode {stat.S_IMODE(found.st_mode):04o}"


def _user(number: int) -> str:
    with contextlib.suppress(Exception):
        import pwd

        return f"{pwd.getpwuid(number).pw_name} ({number})"
    return str(number)
