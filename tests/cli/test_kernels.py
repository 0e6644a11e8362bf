"""Threads are set or refused by name, and compiling is announced once."""

from __future__ import annotations

import click
import pytest

from numba_lstm import jit, threads
from numba_lstm.cli import _kernels
from numba_lstm.cli._errors import BadInput


def test_threads_are_set_and_none_leaves_them(monkeypatch):
    chosen = []
    monkeypatch.setattr(threads, "set_num_threads", chosen.append)
    _kernels.set_threads(None)
    _kernels.set_threads(1)
    assert chosen == [1]


def test_more_threads_than_there_are_is_bad_input():
    with pytest.raises(BadInput, match="threads: expected 1 to"):
        _kernels.set_threads(10**6)


def test_compiling_is_announced_once_however_many_kernels(monkeypatch):
    callbacks, lines = [], []
    monkeypatch.setattr(jit, "on_compile", callbacks.append)
    _kernels.announce_compiling(lines.append)
    (told,) = callbacks
    told("gemm")
    told("adam")
    assert lines == ["compiling kernels (kept for next time) ..."]


def test_what_is_compiled_after_a_command_is_not_announced(monkeypatch):
    callbacks, lines = [print], []
    monkeypatch.setattr(jit, "_on_compile", callbacks)
    with click.Context(click.Command("train")):
        _kernels.announce_compiling(lines.append)
        callbacks[1]("gemm")
    assert len(lines) == 1 and callbacks == [print]
