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
import types as pytypes
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

from numba import njit
from numba.core import config as numba_config
from numba.core.compiler_lock import global_compiler_lock

from . import compile_cache, fingerprint, simd, workers
from .inlining import intermediate_only

__all__ = ["driver", "kernel", "load_microkernels", "named_driver", "on_compile", "part_of_driver"]

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


def part_of_driver(function: Callable[..., Any]) -> Any:
    """Make `function` a part of each driver that calls it, which may own the arrays it makes."""
    return njit(inline="always", **FLAGS)(function)


config: Any = numba_config  # its names are made when it is imported

_on_compile: list[Callable[[str], None]] = []


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


def no_longer_on_compile(callback: Callable[[str], None]) -> None:
    """Take one callback of `on_compile` away, if it is still there."""
    with contextlib.suppress(ValueError):
        _on_compile.remove(callback)


class _Absent(Exception):
    """There is no entry, and it is not this process's turn to compile one."""


_only_load = False  # for who holds numba's lock


def _missing(name: str) -> None:
    if _only_load:
        raise _Absent
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


def _turn(name: str) -> AbstractContextManager[Any]:
    """This process's turn to compile what is kept under this name.

    A thread that has numba's lock already, as a callback of `on_compile` has that computes, waits
    for no turn: see the order in `_forks`.
    """
    if global_compiler_lock.is_locked():  # by this thread
        return contextlib.nullcontext()
    return compile_cache.turn(name)


def load_microkernels() -> None:
    """Make the microkernels known to the JIT, which looks them up when it links a driver."""
    simd.load_microkernels(compile_cache.read, compile_cache.write, compile_cache.entry_name, _turn)


@contextlib.contextmanager
def _loading_only() -> Iterator[None]:
    """Within it a driver that is not kept raises `_Absent`."""
    global _only_load
    with global_compiler_lock:
        before, _only_load = _only_load, True
        try:
            yield
        finally:
            _only_load = before


@contextlib.contextmanager
def _settings_stay() -> Iterator[None]:
    """Within it numba does not read its environment anew, as it does before it compiles.

    The keys of entries tell the settings at the import. And once numba's own threads run, which
    other packages start, it refuses to compile at all after ``NUMBA_NUM_THREADS``, or the CPUs that
    it stands for, have changed. No kernel runs on them.
    """
    with global_compiler_lock:
        read, config.reload_config = config.reload_config, lambda: None
        try:
            yield
        finally:
            config.reload_config = read


def _in_turns(dispatcher: Any, key: str) -> Callable[[Any], Any]:
    """What compiles a driver so that of all processes that miss an entry one compiles it.

    The others wait meanwhile, and then load it.
    """
    compile_now = dispatcher.compile

    def compile_in_turn(signature: Any) -> Any:
        turn: AbstractContextManager[Any] = contextlib.nullcontext()
        if key:
            with contextlib.suppress(_Absent), _loading_only():
                return compile_now(signature)
            if not _on_compile:
                _tell_a_terminal()
            turn = _turn(f"{dispatcher.__name__}.{key}{signature}")
        with turn, _settings_stay():
            return compile_now(signature)

    return compile_in_turn


def _compiled(function: Callable[..., Any], name: str) -> Any:
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
    dispatcher.compile = _in_turns(dispatcher, entries.key)
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
        function, crew = self.on(nt)
        return function(crew, nt, *args)

    def on(self, nt: int) -> tuple[Any, int]:
        """(function, crew), to be called as ``function(crew, nt, *arrays)``.

        A call that takes microseconds asks for it: to hand 30 arguments on takes 0.3 of them.
        """
        return self._dispatcher or self.compiled(), 0 if nt == 1 else workers.crew(nt)

    def compiled(self) -> Any:
        """The function as numba's dispatcher, which takes `crew`, too."""
        if self._dispatcher is None:
            load_microkernels()
            with global_compiler_lock:  # for which forks wait, see `_forks`
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
