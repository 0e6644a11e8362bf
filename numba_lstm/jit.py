"""How this package compiles: the one place for compiler flags and for the compile cache.

`kernel` marks serial code that is compiled into its callers. `driver` marks what Python calls: it
is compiled at first use, once as serial code and once with ``prange`` in parallel, whichever is
asked for, and kept on disk.

Numba keys a cached function by its own file alone, so that an edit in a *callee's* file leaves
stale machine code behind. Here the cache folder is named after a hash of every source file of the
package and of the versions of the compiler, so nothing stale can ever be found in it; the target
CPU and its features are part of each entry's key (numba's own doing).
"""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import tempfile
import threading
import types as pytypes
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numba
from numba import njit, prange
from numba.core import config as numba_config
from numba.core.caching import (
    CompileResultCacheImpl,
    FunctionCache,
    IndexDataCacheFile,
    _CacheLocator,
)
from numba.core.compiler_lock import global_compiler_lock

from . import simd, threads
from .inlining import intermediate_only

__all__ = ["cache_folder", "driver", "kernel", "named_driver", "on_compile", "prange"]

# No fast-math at all: every flag lets LLVM choose between roundings, and it chooses differently in
# the serial and the parallel variant, in inference and in training (f·c + i·g becomes either of two
# FMAs). The same bits on any number of threads need explicit vectors and explicit `simd.fma`, which
# are as fast. error_model='python' would check every division, which blocks vectorisation.
FLAGS: dict[str, Any] = {
    "error_model": "numpy",
    "fastmath": False,
    "nogil": True,
    "no_cfunc_wrapper": True,  # nothing calls them from C, and each costs its compilation
}


def kernel(function: Callable[..., Any]) -> Any:
    """Compile `function` into the kernels and drivers that call it."""
    # Kernels hold no arrays of their own. Without _nrt=False each use of an array in a tuple would
    # count references, in innermost loops: the forward pass took a third longer.
    flags = {"forceinline": True, "_nrt": False, "no_cpython_wrapper": True}
    options: dict[str, Any] = flags | FLAGS
    dispatcher = njit(**options)(function)
    compile_fully = dispatcher.compile

    def compile_to_be_inlined(signature: Any) -> Any:
        # Numba optimises each function on its own, with all that it calls inlined, and then once
        # more within its caller: a forward pass took 10 s, of which the driver alone is 3.
        with global_compiler_lock, intermediate_only():
            level, config.OPT = config.OPT, config._OptLevel(0)
            try:
                return compile_fully(signature)
            finally:
                config.OPT = level

    def keep(compiled: Any) -> None:
        # For kernels and drivers only: there is nothing that Python could call.
        dispatcher.overloads[tuple(compiled.signature.args)] = compiled

    @functools.cache
    def twin() -> Any:
        return njit(**FLAGS)(function)

    def compile_for_python(*args: Any, **kws: Any) -> Any:
        return twin()._compile_for_args(*args, **kws)

    dispatcher.compile = compile_to_be_inlined
    dispatcher.add_overload = keep
    dispatcher._compile_for_args = compile_for_python
    return dispatcher


config: Any = numba_config  # its names are made when it is imported

_on_compile: list[Callable[[str], None]] = []
_compile_lock = threading.RLock()


def _after_fork() -> None:
    # Another thread may have held it, which the child does not have: nobody would let go of it.
    global _compile_lock
    _compile_lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def on_compile(callback: Callable[[str], None] | None) -> None:
    """Have `callback` called with a driver's name before it is compiled (not when it is loaded).

    Parameters
    ----------
    callback : callable or None
        None takes all callbacks away.
    """
    if callback is None:
        _on_compile.clear()
    else:
        _on_compile.append(callback)


def _sources_hash() -> str:
    digest = hashlib.sha256()
    package = Path(__file__).parent
    for path in sorted(package.rglob("*.py")):
        digest.update(str(path.relative_to(package)).encode())
        digest.update(path.read_bytes())
    digest.update(f"{numba.__version__} {simd.LLVMLITE_VERSION} {sys.version}".encode())
    return digest.hexdigest()[:20]


def _user_cache() -> Path:
    if folder := os.environ.get("NUMBA_LSTM_CACHE_DIR"):
        return Path(folder)
    if folder := os.environ.get("NUMBA_CACHE_DIR"):
        return Path(folder) / "numba_lstm"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "numba_lstm"
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA", str(Path.home()))) / "numba_lstm" / "cache"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "numba_lstm"


@functools.cache
def cache_folder() -> str:
    """The folder that holds compiled kernels; it exists and can be written to.

    ``NUMBA_LSTM_CACHE_DIR`` or ``NUMBA_CACHE_DIR`` choose another place than the user's cache
    folder. Where none can be written to, a temporary folder of this process serves, with one
    warning.
    """
    key = _sources_hash()
    try:
        folder = _user_cache() / key
        folder.mkdir(parents=True, exist_ok=True)
        tempfile.TemporaryFile(dir=folder).close()
    except (OSError, RuntimeError) as error:  # RuntimeError: there is no home directory
        folder = Path(tempfile.mkdtemp(prefix="numba_lstm-"))
        warnings.warn(
            f"numba_lstm: the compile cache cannot be written to ({error}); kernels are kept in "
            f"{folder} for this process only. Set NUMBA_LSTM_CACHE_DIR to a folder that can.",
            stacklevel=2,
        )
    return str(folder)


class _Locator(_CacheLocator):
    def __init__(self, py_func: Any, py_file: str) -> None:
        self._py_file = py_file

    def get_cache_path(self) -> str:
        return cache_folder()

    def get_source_stamp(self) -> str:
        return "in the folder's name"

    def get_disambiguator(self) -> str:
        parts = Path(self._py_file).parts[-2:]
        return hashlib.sha256("/".join(parts).encode()).hexdigest()[:8]

    @classmethod
    def from_function(cls, py_func: Any, py_file: str) -> _Locator:
        return cls(py_func, py_file)


class _Impl(CompileResultCacheImpl):
    _locator_classes = [_Locator]  # noqa: RUF012 (numba's own attribute)


class _Entries(IndexDataCacheFile):
    """One file for each signature and target, named after them.

    Numba numbers its files and keeps an index beside them: two processes that compile at the same
    time both take the next number, and one's signature then finds the other's machine code.
    """

    def _name(self, key: Any) -> str:
        digest = hashlib.sha256(repr(key).encode()).hexdigest()[:16]
        return f"{Path(self._index_name).stem}.{digest}.nbc"

    def flush(self) -> None:
        for path in Path(self._cache_path).glob(f"{Path(self._index_name).stem}.*.nbc"):
            path.unlink(missing_ok=True)

    def load(self, key: Any) -> Any:
        try:
            return self._load_data(self._name(key))
        except FileNotFoundError:
            return None

    def save(self, key: Any, data: Any) -> None:
        self._save_data(self._name(key), data)


class _Cache(FunctionCache):
    """Numba's function cache in our folder; a damaged or unwritable entry only costs a compile."""

    _impl_class = _Impl

    def __init__(self, py_func: Any) -> None:
        super().__init__(py_func)
        self._cache_file = _Entries(cache_folder(), self._impl.filename_base, "")

    def _index_key(self, sig: Any, codegen: Any) -> Any:
        # Numba adds a hash of what a closure holds, pickled: a cell's gates are functions, whose
        # pickles differ from process to process. Their drivers have names of their own.
        return sig, codegen.magic_tuple()

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        try:
            found = super().load_overload(sig, target_context)
        except Exception:  # a truncated or foreign file: any unpickling error at all
            found = None
        if found is None:
            for callback in _on_compile:
                callback(self._py_func.__name__)
        return found

    def save_overload(self, sig: Any, data: Any) -> None:
        try:
            super().save_overload(sig, data)
        except OSError as error:
            warnings.warn(f"numba_lstm: a kernel could not be cached: {error}", stacklevel=2)


def _variant(function: Callable[..., Any], base: str, parallel: bool) -> Any:
    simd.load_microkernels(cache_folder())
    # The same source under another name: numba's cache does not tell flags apart.
    name = f"{base}_{'parallel' if parallel else 'serial'}"
    copy = pytypes.FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )
    copy.__qualname__ = name
    copy.__module__ = function.__module__
    copy.__doc__ = function.__doc__
    dispatcher = njit(parallel=parallel, **FLAGS)(copy)
    dispatcher._cache = _Cache(copy)
    return dispatcher


class driver:
    """A function that Python calls, ``f(nt, *arrays)``: its ``prange`` runs on `nt` threads.

    With ``nt == 1`` serial machine code runs and no thread pool is woken. Both variants are
    compiled only when they are first needed, and compute the same bits.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__: str
        functools.update_wrapper(self, function)
        self._serial: Any = None
        self._parallel: Any = None

    def __call__(self, nt: int, *args: Any) -> Any:
        if nt == 1:
            return (self._serial or self._compiled(False))(1, *args)
        parallel = self._parallel or self._compiled(True)
        if threads.ready(nt):
            return parallel(nt, *args)
        with threads.pool(nt):
            return parallel(nt, *args)

    def _compiled(self, parallel: bool) -> Any:
        name = "_parallel" if parallel else "_serial"
        with _compile_lock:
            if getattr(self, name) is None:
                setattr(self, name, _variant(self.function, self.__name__, parallel))
            return getattr(self, name)


def named_driver(name: str) -> Callable[[Callable[..., Any]], driver]:
    """As `driver`, for a function that is made several times over from different kernels.

    Each must have a name of its own, under which its machine code is kept.
    """

    def make(function: Callable[..., Any]) -> driver:
        function.__name__ = name
        return driver(function)

    return make
