"""The suite's own run leaves out no test of ranks, as a user's without MPI does."""

from __future__ import annotations

import os
import re
import runpy
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
TOOL = ROOT / "tests" / "tools" / "ranks_tool.py"
NAME = "NUMBA_LSTM_TESTS_NEED_MPI"


@pytest.fixture
def no_mpi(monkeypatch):
    monkeypatch.setitem(sys.modules, "mpi4py", None)


@pytest.mark.parametrize("script", ["run", "long"])
def test_the_suite_s_own_runs_say_that_they_need_mpi_before_they_start_the_tests(script):
    text = (ROOT / ".ci" / script).read_text(encoding="utf-8")
    said = re.search(rf"^export {NAME}=.*1", text, re.MULTILINE)
    assert said and said.start() < text.index("python -m pytest")


def test_without_mpi_the_tests_of_ranks_fail_where_they_must_run(no_mpi, monkeypatch):
    monkeypatch.setenv(NAME, "1")
    with pytest.raises(ImportError, match="needs mpi4py and mpiexec: pip install"):
        runpy.run_path(str(TOOL))


def test_without_mpi_a_user_s_tests_of_ranks_are_skipped(no_mpi, monkeypatch):
    monkeypatch.delenv(NAME, raising=False)
    assert runpy.run_path(str(TOOL))["needs_mpi"].args == (True,)


@pytest.mark.skipif(os.environ.get(NAME, "0") in ("", "0"), reason="there may be no MPI here")
def test_where_they_must_run_nothing_is_skipped():
    assert runpy.run_path(str(TOOL))["needs_mpi"].args == (False,)
