"""Machine code on disk: which folder, which entries, and what happens where it cannot be written.

Each entry is one file. Its name ends in a hash of all that its code follows from: the function with
everything it reaches (see `fingerprint`), compiler options, argument types, the target CPU and the
versions of the compiler. So an entry is never stale: what changed has another name. Entries that
nothing used for 90 days are removed when another one is written.

Numba's own cache asks a function's file alone, numbers its entries, and writes where it may not:
edits of a callee go unseen, two processes that compile at once swap signatures, and a cache that
was filled while an image was built is not read by those who cannot write to it.

What others could have written is not read: see `_entries`.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import pickle
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
from numba.core import caching, compiler, config, serialize, sigutils

from . import _entries, _turns, fingerprint, inlining, simd
from .fingerprint import Unknown
from .user_warning import warn

__all__ = ["Entries", "cache_folder", "entry_name", "read", "turn", "write"]

_DAY = 24 * 3600.0
KEPT_DAYS = 90
_OURS = re.compile(r"[\w-]+\.[0-9a-f]{32}\.bin")
_LEFT = re.compile(r"\.[\w-]+\.[0-9a-f]{32}\.bin\..*\.new")  # of a process that was killed
_MOST_BYTES = 64 << 20  # the largest driver takes half a megabyte
_LOCKS = "compiling.lock"

# What numba reads from the environment and puts into machine code, and its own caches forget.
_CONFIGURATION = (
    "OPT", "LOOP_VECTORIZE", "SLP_VECTORIZE", "BOUNDSCHECK", "DEBUGINFO_DEFAULT", "DEBUG_NRT",
    "LLVM_PASS_TIMINGS",
)  # fmt: skip
_settings: Any = config  # its names are made when it is imported


def _home() -> Path:
    """The home folder; OSError if there is none that a cache belongs into."""
    if sys.platform != "win32" and not os.environ.get("HOME"):
        import pwd

        try:
            home = Path(pwd.getpwuid(os.getuid()).pw_dir)
        except KeyError:
            home = Path()
        if home == Path("/"):
            home = Path()
    else:
        home = Path(os.path.expanduser("~"))
    if not home.is_absolute():
        raise FileNotFoundError("there is no home folder")
    return home


def _user_cache() -> Path:
    if folder := os.environ.get("NUMBA_LSTM_CACHE_DIR"):
        return Path(folder).absolute()
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(folder).absolute() / "numba_lstm"
    if sys.platform == "darwin":
        return _home() / "Library" / "Caches" / "numba_lstm"
    if sys.platform == "win32":
        local = os.environ.get("LOCALAPPDATA")
        return (Path(local) if local else _home()) / "numba_lstm" / "cache"
    chosen = Path(os.environ.get("XDG_CACHE_HOME") or ".")
    return (chosen if chosen.is_absolute() else _home() / ".cache") / "numba_lstm"


@functools.cache
def cache_folder() -> str | None:
    """The folder that holds compiled kernels, which need not be there yet; None without a home.

    ``NUMBA_LSTM_CACHE_DIR`` or ``NUMBA_CACHE_DIR`` choose another place than the user's cache
    folder.
    """
    try:
        return str(_user_cache())
    except OSError:
        return None


def read(name: str) -> bytes | None:
    """What `write` left under this name, if it is there, whole, and by nobody else."""
    folder = cache_folder()
    if folder is None:
        return None
    path = os.path.join(folder, name)
    try:
        content, found = _entries.read_file(path, _MOST_BYTES)
    except _entries.Untrusted as error:
        _warn_untrusted(error)
        return None
    except OSError:
        return None
    data = _entries.unseal(name, content)
    if data is not None and time.time() - found.st_mtime > _DAY:  # entries in use are kept
        with contextlib.suppress(OSError):
            os.utime(path)
    return data


def write(name: str, data: bytes) -> None:
    """Keep `data` under this name; where that cannot be, warn once in this process."""
    folder = cache_folder()
    try:
        if folder is None:
            raise FileNotFoundError("there is no home folder")
        _entries.write_file(os.path.join(folder, name), _entries.seal(name, data))
    except _entries.Untrusted as error:
        _warn_untrusted(error)
    except OSError as error:
        _warn_unkept(error)
    else:
        _prune(folder)


@contextlib.contextmanager
def turn(name: str) -> Iterator[None]:
    """Let one process at a time inside for a name, to compile what the others then find.

    The others wait, for two minutes at most, and whoever comes in looks in the cache again. Where
    no lock can be had, or where this process could keep nothing, it is entered at once. Do not wait
    here with one of numba's locks: other threads, and forks, would wait, too.

    Parameters
    ----------
    name : str
        What is to be compiled, such as the name of an entry.
    """
    folder = None if _warned else cache_folder()
    with contextlib.ExitStack() as inside:
        with contextlib.suppress(OSError):
            if folder is not None:
                _entries.make_folder(folder)
                inside.enter_context(_turns.turn(os.path.join(folder, _LOCKS), name))
        yield


_warned = False


def _warn_unkept(why: Exception) -> None:
    _warn(
        f"compiled kernels cannot be kept ({why}), so that each process compiles them anew. Set "
        "NUMBA_LSTM_CACHE_DIR to a folder that can be written to."
    )


def _warn_untrusted(why: _entries.Untrusted) -> None:
    _warn(
        f"compiled kernels in {cache_folder()} are not used, because somebody else could have put "
        f"them there ({why.filename}: {why.strerror}), so that each process compiles them anew. "
        "Set NUMBA_LSTM_CACHE_DIR to a folder that belongs to you or to root and that nobody else "
        "can write to: chmod go-w takes that right away."
    )


def _warn(message: str) -> None:
    global _warned
    if not _warned:
        _warned = True
        warn(f"numba_lstm: {message}")


@functools.cache
def _prune(folder: str) -> None:
    """Remove entries that nothing used for long; once in a process."""
    now = time.time()
    with contextlib.suppress(OSError), os.scandir(folder) as found:
        for entry in found:
            days = KEPT_DAYS if _OURS.fullmatch(entry.name) else 1
            if days == 1 and not _LEFT.fullmatch(entry.name):
                continue
            with contextlib.suppress(OSError):
                if now - entry.stat(follow_symlinks=False).st_mtime > days * _DAY:
                    os.unlink(entry.path)


def _hash(*parts: Any) -> str:
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:32]


def _configuration() -> list[tuple[str, str]]:
    return [(name, repr(getattr(_settings, name, None))) for name in _CONFIGURATION]


def _compiler() -> str:
    """A text for what all machine code follows from, the code that emits it included."""
    modules = [name for name in sys.modules if f"{name}.".startswith(f"{simd.__name__}.")]
    return _hash(
        fingerprint.of_modules([*modules, inlining.__name__]),
        (numba.__version__, simd.LLVMLITE_VERSION, np.__version__, sys.version),
        (simd.TARGET, simd.TARGET.blocking),
        _CONFIGURED,
    )


# Read at once: what is hashed must be what was imported, and files may change later.
_CONFIGURED = _configuration()
_COMPILER = _compiler()


def entry_name(name: str, *parts: Any) -> str:
    """Name the entry whose code follows from the compiler and from `parts`, by their ``repr``."""
    return f"{re.sub(r'[^a-zA-Z0-9_]', '', name)[:80]}.{_hash(_COMPILER, parts)}.bin"


def _fingerprints() -> fingerprint.Fingerprints:
    return fingerprint.Fingerprints(by_name=(simd.__name__,))  # its code is in _COMPILER


_first_read = _fingerprints()

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_first_read.forget_unfinished)


class Entries(caching._Cache):
    """The entries of one function, one for each signature and target: a dispatcher's cache.

    Parameters
    ----------
    function : function
    options : tuple
        What else its code follows from, such as the compiler's flags.
    when_missing : callable
        Called with the function's name when there is no entry, before it is compiled.

    Attributes
    ----------
    key : str
        A text for the function and the options; empty where no entry can be kept.
    """

    def __init__(
        self, function: Any, options: tuple[Any, ...], when_missing: Callable[[str], Any]
    ) -> None:
        self._function = function
        self._when_missing = when_missing
        self._read = self.key = ""
        try:
            self._read = _first_read.of(function)
            self.key = _hash(self._read, options)
        except Unknown as error:
            warn(
                f"numba_lstm: {function.__name__} is compiled anew in each process, because it "
                f"depends on {error}"
            )

    @property
    def cache_path(self) -> str:
        return cache_folder() or ""

    def enable(self) -> None:
        """Numba asks for it; there is no other state."""

    disable = flush = enable

    def _entry(self, arguments: Any, codegen: Any) -> str:
        about = self.key, fingerprint.of_types(arguments), codegen.magic_tuple()
        return entry_name(self._function.__name__, *about)

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """The compiled function for these arguments, or None."""
        target_context.refresh()
        arguments, _ = sigutils.normalize_signature(sig)
        found = None
        if self.key and (data := read(self._entry(arguments, target_context.codegen()))):
            # A whole entry of this compiler may still name a class that is not there any more.
            with contextlib.suppress(Exception):
                found = compiler.CompileResult._rebuild(target_context, *pickle.loads(data))
        if found is None or tuple(found.signature.args) != tuple(arguments):
            self._when_missing(self._function.__name__)
            return None
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        """Keep a compiled function, unless its code is not what its key says, or is bound here."""
        if not self.key or data.lifted or data.library.has_dynamic_globals:
            return
        if _fingerprints().of(self._function) != self._read:
            return  # a global has another value than when it was first read
        if _configuration() != _CONFIGURED:
            return  # a program has changed numba's options since the import, which keys tell
        arguments, _ = sigutils.normalize_signature(sig)
        write(self._entry(arguments, data.codegen), serialize.dumps(data._reduce()))
