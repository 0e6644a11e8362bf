"""Forks wait until no thread compiles, from ``import numba_lstm`` on.

While a thread compiles, or loads what was compiled, it holds numba's lock and, inside of LLVM,
llvmlite's; kernels change numba's options for a moment, too. A child that is made meanwhile lacks
that thread: the locks would stay locked in it, and its first call would wait for ever. So whoever
forks takes both locks first, and parent and child give them back. Only what has been imported by
then has locks; nothing is imported for them.

While another thread imports a module no fork is safe: the lock of that module is Python's own.
Programs that fork import what they need before they start threads.

A thread takes locks in this order, and none that stands above one that it holds:

1. those of this package's objects: a parameter, the plans, a session of ONNX. A fork takes none of
   them; their modules give the child new ones;
2. the turn of this process to compile an entry, see `compile_cache.turn`. Another thread may wait
   for numba's lock in its turn, so that who has that lock waits for no turn: see `jit`;
3. numba's compiler lock: while a driver is made, loaded or compiled, and the microkernels are;
4. llvmlite's lock: in each call of LLVM;
5. logging's lock, which numba takes while it compiles. A fork takes it, too, by a handler of
   logging's own. Handlers run in the reverse order of their registration, so that logging, imported
   below, has to be there before this module's are registered.
"""

from __future__ import annotations

import contextlib
import logging  # noqa: F401 (it registers a handler of its own, see above)
import os
import sys
import threading
from collections.abc import Iterator
from typing import Any

__all__ = ["register"]


class _Held(threading.local):
    """What forks of this thread hold: one stack each, as a signal's handler may fork in between."""

    def __init__(self) -> None:
        self.stacks: list[contextlib.ExitStack] = []


_held = _Held()


def _locks() -> Iterator[Any]:
    """The compilers' locks that there are, in the order in which threads take them."""
    for module, *path in (
        ("numba.core.compiler_lock", "global_compiler_lock"),
        ("llvmlite.binding.ffi", "lib", "_lock"),
    ):
        lock: Any = sys.modules.get(module)
        for name in path:
            lock = getattr(lock, name, None)
        if lock is not None:
            yield lock


def _before() -> None:
    stack = contextlib.ExitStack()
    _held.stacks.append(stack)
    for lock in _locks():
        stack.enter_context(lock)


def _after() -> None:
    # What was taken, and nothing else: another thread may have imported numba since then.
    _held.stacks.pop().close()


def register() -> None:
    """Have all forks of this process wait for the compilers, where the system has forks."""
    if hasattr(os, "register_at_fork"):
        os.register_at_fork(before=_before, after_in_parent=_after, after_in_child=_after)
