"""How this package compiles: the one place for compiler flags and for the compile cache.

`kernel` marks code that is compiled into its callers. `driver` marks what Python calls: it is
compiled at first use and kept on disk, under a key of all that its code follows from: see
`compile_cache`.
"""

from __future__ import annotations

import contextlib
import functools
import os
import sys
import threading
import types as pytypes
from collections.abc import Callable
from typing import Any

from numba import njit
from numba.core import config as numba_config
from numba.core.compiler_lock import global_compiler_lock

from . import compile_cache, fingerprint, simd, workers
from .inlining import intermediate_only

__all__ = ["driver", "kernel", "load_microkernels", "named_driver", "on_compile"]

# No fast-math at all: every flag lets LLVM choose between roundings, and it chooses differently in
# inference and in training (f·c + i·g becomes either of two FMAs). The same bits everywhere need
# explicit vectors and explicit `simd.fma`, which are as fast. error_model='python' would check
# every division, which blocks vectorisation.
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
    # If another thread held it, the child has no such thread that would release it.
    global _compile_lock
    _compile_lock = threading.RLock()
    global_compiler_lock.release()


# A fork waits until no thread compiles. In the middle of it numba's lock would stay locked in the
# child for ever, with numba and its options as `kernel` changes them for a moment.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(
        before=global_compiler_lock.acquire,
        after_in_parent=global_compiler_lock.release,
        after_in_child=_after_fork,
    )


def on_compile(callback: Callable[[str], None] | None) -> None:
    """Have `callback` called with a driver's name before it is compiled (not when it is loaded).

    While there is none, and ``NUMBA_LSTM_QUIET`` is not set to 1, the first one that is compiled is
    announced by one line on standard error if that is a terminal.

    Parameters
    ----------
    callback : callable or None
        None takes all callbacks away.
    """
    if callback is None:
        _on_compile.clear()
    else:
        _on_compile.append(callback)


def _missing(name: str) -> None:
    for callback in _on_compile:
        callback(name)
    if not _on_compile:
        _tell_a_terminal()


@functools.cache
def _tell_a_terminal() -> None:
    """Say once why the first call takes so long, where somebody is likely to wait for it."""
    if os.environ.get("NUMBA_LSTM_QUIET", "0") not in ("", "0"):
        return
    # It may be None, closed, or an object of the program's that knows nothing but `write`.
    with contextlib.suppress(AttributeError, OSError, ValueError):
        if sys.stderr.isatty():
            print("numba_lstm: compiling kernels (kept for next time) ...", file=sys.stderr)


def load_microkernels() -> None:
    """Make the microkernels known to the JIT, which looks them up when it links a driver."""
    simd.load_microkernels(compile_cache.read, compile_cache.write, compile_cache.entry_name)


def _compiled(function: Callable[..., Any], name: str) -> Any:
    load_microkernels()
    copy = pytypes.FunctionType(
        function.__code__, function.__globals__, name, function.__defaults__, function.__closure__
    )
    copy.__kwdefaults__ = function.__kwdefaults__
    copy.__module__ = function.__module__
    copy.__doc__ = function.__doc__
    entries = compile_cache.Entries(copy, _OPTIONS, _missing)
    # Symbols are named after it. Entries of two functions of one name, from two processes, would
    # else have the same ones, and a process that loads both would run one's code as the other's.
    copy.__qualname__ = f"{name}_{entries.key[:16]}"
    dispatcher = njit(**FLAGS)(copy)
    dispatcher._cache = entries
    return dispatcher


# How kernels and drivers are compiled is a part of what their code follows from.
_OPTIONS = (
    sorted(FLAGS.items()),
    *(fingerprint.of_code(made.__code__) for made in (kernel, _compiled)),
)


class driver:
    """A function that Python calls, ``f(nt, *arrays)``, to run on `nt` threads.

    The function itself is written as ``f(crew, nt, *arrays)``; `crew` stands for the threads that
    help, see `parts`. It is compiled when it is first needed.
    """

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.__name__: str
        functools.update_wrapper(self, function)
        self._dispatcher: Any = None

    def __call__(self, nt: int, *args: Any) -> Any:
        crew = 0 if nt == 1 else workers.crew(nt)
        return (self._dispatcher or self.compiled())(crew, nt, *args)

    def compiled(self) -> Any:
        """The function as numba's dispatcher, which takes `crew`, too."""
        with _compile_lock:
            if self._dispatcher is None:
                self._dispatcher = _compiled(self.function, self.__name__)
            return self._dispatcher


def named_driver(name: str) -> Callable[[Callable[..., Any]], driver]:
    """As `driver`, for a function that is made several times over from different kernels.

    Each must have a name of its own, under which its machine code is kept.
    """

    def make(function: Callable[..., Any]) -> driver:
        function.__name__ = name
        return driver(function)

    return make
