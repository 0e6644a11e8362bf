"""How a command on real ranks ends where one of them is not like the others: one word, one code."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest
from cli_tool import ROOT, TEXT, TINY, cli
from jobs_tool import launch
from ranks_tool import OPEN_MPI, needs_mpi

import numba_lstm

pytestmark = needs_mpi

TRAIN = ["train", "lm", "--data", "text.txt", *TINY, "--log-every", "1", "--valid-every", "4"]
# Something is done on the last of two ranks, before anything of the package is imported or after.
PROGRAM = """
import os, sys, time, warnings
last = "1" in (os.environ.get("PMI_RANK"), os.environ.get("OMPI_COMM_WORLD_RANK"))
{first}
from numba_lstm.cli import main
from numba_lstm.training.lm import data, task
{then}
main()
"""


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def run(text: Path, first: str = "", then: str = "", *, steps: int = 2, **more: str):
    """Train on two ranks; the code, the lines of errors, and how long it took."""
    program = PROGRAM.format(first=first, then=then)
    args = [*TRAIN, "--steps", steps, "--out", "run"]
    began = time.monotonic()
    code, _, err = launch(2, "-c", program, *args, cwd=text, **more)
    assert "Traceback" not in err, err
    lines = err.splitlines()
    if OPEN_MPI:  # which adds words of its own
        ours = ("error: ", "step ", "rank ")
        lines = [one for one in lines if one.startswith(ours) or "UserWarning" in one]
    return code, lines, time.monotonic() - began


def test_a_full_disk_of_one_rank_is_no_divergence(text):
    """Codes 1 and 2 of two ranks would be 3 of the launcher."""
    then = """
def full(names):
    raise OSError(28, "No space left on device")
if last:
    data.read_sources = full
"""
    code, lines, _ = run(text, then=then)
    assert code == 1
    assert lines == [
        "error: reading the data failed on rank 1: OSError: [Errno 28] No space left on device"
    ]


def test_a_divergence_of_one_rank_alone_is_told_by_it(text):
    then = """
from numba_lstm.training.step import Diverged
def diverge(*args, **more):
    raise Diverged("the loss is nan")
if last:
    task.TextTask.step = diverge
"""
    code, lines, _ = run(text, then=then)
    assert code == 3
    told = [line for line in lines if "diverged" in line]
    words = "error: rank 1: diverged: the loss is nan; the last good checkpoint is kept"
    assert told == [words]


def test_warnings_of_all_are_shown_once_and_those_of_one_with_its_number(text):
    then = """
real, step = data.read_sources, task.TextTask.step
def read(names):
    warnings.warn("on all")
    if last:
        warnings.warn("early on one")
    return real(names)
def late(*args, **more):
    time.sleep(0.3)  # what was printed before has arrived
    if last:
        warnings.warn("late on one")
    return step(*args, **more)
data.read_sources, task.TextTask.step = read, late
"""
    code, lines, _ = run(text, then=then)
    assert code == 0
    told = [line for line in lines if "UserWarning: " in line]
    found = [(line.startswith("rank 1: "), line.split("UserWarning: ")[1]) for line in told]
    assert found == [(False, "on all"), (True, "early on one"), (True, "late on one")]
    first = next(at for at, line in enumerate(lines) if line.startswith("step "))
    assert any("early on one" in line for line in lines[:first])  # a training may take days


def test_another_checkout_of_the_same_version_is_refused_before_any_other_message(text):
    other = text / "other"
    ignored = shutil.ignore_patterns("__pycache__")
    shutil.copytree(ROOT / "numba_lstm", other / "numba_lstm", ignore=ignored)
    with open(other / "numba_lstm" / "distributed" / "ending.py", "a") as file:
        file.write("\nraise SystemExit('this is too late')\n")
    code, lines, _ = run(text, first=f"if last:\n    sys.path.insert(0, {str(other)!r})")
    assert code == 2
    assert len(lines) == 1
    assert lines[0].startswith(
        f"error: source files of numba_lstm {numba_lstm.__version__}: expected the same on all "
        "ranks, got "
    )
    here, there = lines[0].split(", got ")[1].split(" and ")
    assert here.endswith(f" (in {ROOT / 'numba_lstm'}) on rank 0")
    assert there.endswith(f" (in {other / 'numba_lstm'}) on rank 1")
    assert not (text / "run").exists()


def test_a_rank_without_mpi4py_ends_the_others_that_wait_for_it(text):
    first = "if last:\n    sys.modules['mpi4py'] = None"
    code, lines, seconds = run(text, first=first)
    assert code == 2 or (OPEN_MPI and code)
    assert sum("pip install 'numba_lstm[mpi]'" in line for line in lines) == 1
    assert seconds < 40  # and not only after the limit


def test_a_rank_that_never_begins_is_waited_for_so_long_only(text):
    first = "if last:\n    sys.exit(0)"
    code, lines, seconds = run(text, first=first, NUMBA_LSTM_MPI_WAIT="3")
    assert code == 1 or (OPEN_MPI and code)
    told = [line for line in lines if line.startswith("error: ")]
    assert len(told) == 1
    assert told[0].startswith("error: rank 0: waited 3 s for the other ranks of 2, of which some ")
    assert 3 <= seconds < 40
    assert os.listdir(text) == ["text.txt"]


def test_a_command_that_inherits_a_launchers_variables_trains_alone_where_it_is_told_so(text):
    args = [*TRAIN, "--steps", 1, "--out", "run"]
    inherited = {"PMI_SIZE": "4", "PMI_RANK": "2", "PMI_FD": "999"}
    done = cli(*args, cwd=text, **inherited)
    told = done.error(2)
    assert told.startswith("error: PMI_FD: ") and told.endswith("alone with NUMBA_LSTM_MPI=0")
    done = cli(*args, cwd=text, NUMBA_LSTM_MPI="0", **inherited)
    assert done.code == 0, done.err
    assert "ranks" not in done.err


def test_a_rank_that_cannot_tell_what_it_runs_ends_the_others(text):
    then = """
from numba_lstm.distributed import meeting
def broken():
    raise OSError(5, "Input/output error")
if last:
    meeting._mine = broken
"""
    code, lines, seconds = run(text, then=then, NUMBA_LSTM_MPI_WAIT="0")
    assert code == 1 or (OPEN_MPI and code)
    assert "error: rank 1: Input/output error" in lines
    assert seconds < 40


def test_a_limit_that_is_no_number_is_refused_by_name(text):
    done = cli(*TRAIN, cwd=text, PMI_SIZE="2", NUMBA_LSTM_MPI_WAIT="soon")
    assert "NUMBA_LSTM_MPI_WAIT: expected seconds" in done.error(2)
