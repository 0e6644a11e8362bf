"""What commands that compute do first: the number of threads, and a word while kernels compile."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

import click

from ._errors import bad_input

__all__ = ["announce_compiling", "set_threads", "threads_option"]

threads_option = click.option(
    "--threads", type=int, default=None, help="Threads (default: one a core)."
)


def set_threads(n: int | None) -> None:
    """Set the number of threads that the user asked for; BadInput if there are not so many."""
    if n is not None:
        from .. import threads

        with bad_input():
            try:
                threads.set_num_threads(n)
            except ValueError as error:
                raise ValueError(str(error).replace("n: ", "threads: ", 1)) from None


def announce_compiling(write: Callable[[str], Any]) -> None:
    """Have one line written if anything must be compiled, which takes a while.

    What is compiled after the command has ended, by a program that called it, is not announced.
    """
    from .. import jit

    told = False

    def tell(_name: str) -> None:
        nonlocal told
        if not told:
            told = True
            write("compiling kernels (kept for next time) ...")

    jit.on_compile(tell)
    if context := click.get_current_context(silent=True):
        context.call_on_close(functools.partial(jit.no_longer_on_compile, tell))
