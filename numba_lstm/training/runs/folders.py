"""How a new run gets its folder: whole or not at all, and never one that another run has.

Several processes may begin at the same moment. What decides between them is always one step of the
file system that succeeds for one process only: ``mkdir``, a rename, or making a file that must not
exist yet.
"""

from __future__ import annotations

import contextlib
import itertools
import os
import re
import secrets
import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from ..._files import locked, sync_folder

__all__ = ["FolderTaken", "RunError", "claim", "put_in_place", "refuse_existing"]


class RunError(ValueError):
    """A run's folder that cannot be used for what was asked."""


class FolderTaken(RunError):
    """A folder that holds files already, perhaps since a moment ago."""

    def __init__(self, path: Path) -> None:
        super().__init__(
            f"{path}: expected a new or empty folder, got one that holds files; "
            "continue it with --resume, or choose another"
        )


def refuse_existing(path: str | os.PathLike[str]) -> None:
    """Raise RunError unless ``path`` can become a new run: absent, or an empty folder."""
    target = Path(path)
    # In this order: another process may put its folder there at any moment.
    if os.path.lexists(target) and not target.is_dir():
        raise RunError(f"{target}: expected a new or empty folder, got {_what(target)}")
    if target.is_dir() and any(target.iterdir()):
        raise FolderTaken(target)
    for above in target.parents:
        if os.path.lexists(above) and not above.is_dir():
            raise RunError(f"{target}: expected a folder's name, but {above} is {_what(above)}")


def _what(path: Path) -> str:
    return "a file" if path.exists() else "a link that leads nowhere"


def claim(stem: str | os.PathLike[str]) -> Path:
    """Make a folder that nothing had before: ``stem``, or else ``stem-2``, ``stem-3`` and so on.

    Parameters
    ----------
    stem
        The wanted name; folders above it are made.

    Returns
    -------
    pathlib.Path
        The folder, empty.

    Raises
    ------
    RunError
        When what should be a folder above it is a file, or a link that leads nowhere.
    OSError
        When it cannot be made.
    """
    first = Path(stem)
    for number in itertools.count(1):
        path = first if number == 1 else first.with_name(f"{first.name}-{number}")
        try:
            path.mkdir(parents=True)
            return path
        except FileExistsError:
            if os.path.lexists(path):
                continue
            refuse_existing(path)  # of a folder above it: a link that leads nowhere
            raise
        except NotADirectoryError:
            refuse_existing(path)
            raise
    raise AssertionError


def put_in_place(target: Path, fill: Callable[[Path], None], names: Sequence[str]) -> None:
    """Fill a folder and let it be seen under its name only when it is complete.

    Parameters
    ----------
    target
        Absent, or an empty folder; folders above it are made.
    fill
        Writes the files into the folder that it is given.
    names
        Of these files. Where a complete folder cannot be put in the place of an empty one (where
        something is mounted, through a symbolic link, or the current folder) the first of them,
        which only one process can make, says whose the folder is.

    Raises
    ------
    RunError
        When there is something already; FolderTaken also when another process was faster.
    OSError
        When it cannot be written. Nothing is left then.
    """
    refuse_existing(target)
    if _is_current(target):
        # A rename would take the folder from under this process, and from under the shell.
        _fill_in_place(target, fill, names)
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(target.parent, names)
    with _stage(target) as stage:
        fill(stage)
        if not _renamed(stage, target):
            _fill_in_place(target, fill, names)
    sync_folder(target.parent)


#: The hidden folder in which a run is made. The run's own name may be as long as the system allows.
_STAGE = re.compile(r"\.[0-9a-f]{16}\.new")


@contextlib.contextmanager
def _stage(target: Path) -> Iterator[Path]:
    """Make a hidden folder beside ``target``, and take away what is left of it.

    Its lock is held, so that nobody takes it for abandoned.
    """
    with contextlib.ExitStack() as held:
        while True:
            stage = target.with_name(f".{secrets.token_hex(8)}.new")
            try:
                stage.mkdir()
            except OSError as error:
                error.filename = os.fspath(target)  # nobody knows the stage's name
                raise
            held.callback(shutil.rmtree, stage, ignore_errors=True)
            # Before it was locked another process may have taken it for abandoned.
            with contextlib.suppress(BlockingIOError, FileNotFoundError):
                held.enter_context(locked(stage))
                if stage.is_dir():
                    break
        yield stage


def _remove_abandoned(parent: Path, names: Sequence[str]) -> None:
    """Take away the hidden folders of processes that were killed while they made a run.

    Nothing is touched that is linked, or is called like none of a run's files.
    """
    with contextlib.suppress(OSError):
        for entry in list(os.scandir(parent)):
            if not _STAGE.fullmatch(entry.name) or not entry.is_dir(follow_symlinks=False):
                continue
            # One that is locked is being filled; where there are no locks, all may be.
            with contextlib.suppress(OSError), locked(entry.path, follow=False) as handle:
                if handle is not None:
                    _empty(handle, names)
                    os.rmdir(entry.path)


def _empty(handle: int, names: Sequence[str]) -> None:
    for name in os.listdir(handle):
        # A file is written under its name with something before and behind it.
        if any(name == own or name.startswith(f".{own}.") for own in names):
            os.unlink(name, dir_fd=handle)


def _is_current(folder: Path) -> bool:
    try:
        return os.path.samefile(folder, os.curdir)
    except OSError:  # there is no such folder yet, or the current one is gone
        return False


def _renamed(stage: Path, target: Path) -> bool:
    """Rename a folder to where nothing, or an empty folder, stands; False where that cannot be."""
    try:
        os.rename(stage, target)
        return True
    except OSError:
        if not target.is_dir():
            raise
    refuse_existing(target)  # another process was faster
    if os.name != "nt":
        return False
    # Windows renames onto no folder at all. Whoever loses in the moment between finds it taken.
    with contextlib.suppress(OSError):
        target.rmdir()
        os.rename(stage, target)
        return True
    refuse_existing(target)
    return False


def _fill_in_place(target: Path, fill: Callable[[Path], None], names: Sequence[str]) -> None:
    first = target / names[0]
    try:
        open(first, "x").close()
    except FileExistsError:
        raise FolderTaken(target) from None
    if os.listdir(target) != [names[0]]:  # somebody else's files came meanwhile
        first.unlink()
        raise FolderTaken(target)
    try:
        fill(target)
    except BaseException:
        for name in names:
            (target / name).unlink(missing_ok=True)
        raise
