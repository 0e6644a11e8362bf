"""The memory that a process may have is the least that anybody says."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest
from cli_tool import environment

from numba_lstm import _memory


@pytest.fixture
def alone(monkeypatch):
    """No container and no limit of the shell."""
    monkeypatch.setattr(_memory, "_GROUPS", ())
    monkeypatch.setattr(resource, "getrlimit", lambda _: (-1, -1))


def test_it_is_the_machine_s(alone, monkeypatch):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": 1000}
    monkeypatch.setattr(os, "sysconf", told.__getitem__)
    assert _memory.memory_bytes() == 4_096_000


@pytest.mark.parametrize("pages", [-1, 0])
def test_where_nothing_is_told_it_is_what_can_be_addressed(alone, monkeypatch, pages):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": pages}
    monkeypatch.setattr(os, "sysconf", told.__getitem__)
    assert _memory.memory_bytes() == 2**47


@pytest.mark.parametrize(("text", "expected"), [("123456\n", 123456), ("max\n", None), ("", None)])
def test_a_container_may_allow_less(alone, monkeypatch, tmp_path, text, expected):
    whole = _memory.memory_bytes()
    (tmp_path / "memory.max").write_text(text)
    monkeypatch.setattr(_memory, "_GROUPS", (str(tmp_path / "memory.max"), "/absent"))
    assert _memory.memory_bytes() == (expected or whole)


def test_the_shell_may_allow_less():
    program = (
        "import resource; resource.setrlimit(resource.RLIMIT_AS, (2**30, 2**30))\n"
        "from numba_lstm._memory import memory_bytes; print(memory_bytes())"
    )
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment(), capture_output=True, text=True
    )
    assert done.stdout == f"{2**30}\n", done.stderr
