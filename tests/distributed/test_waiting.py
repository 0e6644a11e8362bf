"""Ranks that do not come are waited for so long only, whatever the launcher."""

from __future__ import annotations

import math
import os
import signal
import subprocess
import sys
import time

import pytest
from cli_tool import environment

from numba_lstm.distributed.waiting import limit_of, waiting_for_ranks

pytestmark = pytest.mark.skipif(os.name == "nt", reason="there it has no limit")


@pytest.mark.parametrize(
    "text, seconds",
    [
        ("", 300.0),
        ("5", 5.0),
        (" 0.5 ", 0.5),
        ("0", math.inf),
        ("inf", math.inf),
        ("1e9", math.inf),
    ],
)
def test_the_limit_is_what_the_environment_says(text, seconds):
    assert limit_of({"NUMBA_LSTM_MPI_WAIT": text}) == seconds
    assert limit_of({}) == 300.0


@pytest.mark.parametrize("text", ["-1", "nan", "a minute"])
def test_another_word_is_refused_by_the_variables_name(text):
    with pytest.raises(ValueError, match=rf"NUMBA_LSTM_MPI_WAIT: expected .*, got '{text}'"):
        limit_of({"NUMBA_LSTM_MPI_WAIT": text})


def test_ranks_that_come_leave_no_process_behind(monkeypatch):
    monkeypatch.delitem(sys.modules, "mpi4py.MPI", raising=False)
    started = []
    real = subprocess.Popen

    def begin(*args, **more):
        started.append(real(*args, **more))
        return started[-1]

    monkeypatch.setattr(subprocess, "Popen", begin)
    with waiting_for_ranks():
        assert len(started) == 1 and started[0].poll() is None
    assert started[0].returncode == 0
    monkeypatch.setenv("NUMBA_LSTM_MPI_WAIT", "0")
    with waiting_for_ranks():
        assert len(started) == 1
    monkeypatch.delenv("NUMBA_LSTM_MPI_WAIT")
    monkeypatch.setitem(sys.modules, "mpi4py.MPI", math)  # MPI runs already
    with waiting_for_ranks():
        assert len(started) == 1


PROGRAM = """
import time
from numba_lstm.distributed.waiting import waiting_for_ranks
with waiting_for_ranks():
    time.sleep(60)
"""


def test_without_a_launcher_that_listens_the_waiting_rank_is_killed_with_a_word():
    """Other launchers than MPICH's end the job then."""
    about = {"OMPI_COMM_WORLD_SIZE": "4", "OMPI_COMM_WORLD_RANK": "1", "NUMBA_LSTM_MPI_WAIT": "0.3"}
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], capture_output=True, text=True, env=environment(**about)
    )
    # Rank 1 leaves it to rank 0 to speak, for half a second.
    assert 0.8 <= time.monotonic() - began < 30.0
    assert done.returncode == -signal.SIGKILL
    assert done.stderr.startswith("error: rank 1: waited 0.3 s for the other ranks of 4, of which ")
    assert done.stderr.count("\n") == 1 and "NUMBA_LSTM_MPI_WAIT=SECONDS" in done.stderr


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="there is no full device")
def test_a_limit_holds_where_nothing_can_be_written():
    about = {"OMPI_COMM_WORLD_SIZE": "2", "OMPI_COMM_WORLD_RANK": "0", "NUMBA_LSTM_MPI_WAIT": "0.3"}
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-c", PROGRAM], stderr=full, env=environment(**about), timeout=30
        )
    assert done.returncode == -signal.SIGKILL
