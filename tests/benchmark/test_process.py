"""Real worker processes: they answer, they die, they leave nothing behind."""

from __future__ import annotations

import os
import signal
import sys

import numpy as np
import pytest

from numba_lstm.benchmark.arrays import make_arrays, save
from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.process import PeerFailed, Process, run_cold

CASE = Case("a", (), 3, 2, 4, 5)


@pytest.fixture
def arrays(tmp_path):
    save(str(tmp_path / "arrays.npz"), make_arrays(CASE))
    return str(tmp_path / "arrays.npz")


def test_a_worker_infers_on_the_threads_asked_for_wherever_it_is_started(
    arrays, tmp_path, monkeypatch
):
    (tmp_path / "json.py").write_text("raise SystemExit('the wrong json')")
    monkeypatch.chdir(tmp_path)
    with Process("ours", 3) as worker:
        about = worker.ask("about")
        worker.ask("prepare", case=CASE.to_json(), kind="infer", arrays=arrays)
        worker.ask("results", path=str(tmp_path / "r.npz"))
        worker.ask("warm", seconds=0.0)
        block = worker.ask("time", seconds=0.0, warm_seconds=0.0)
        memory = worker.ask("memory", steps=1)
        assert worker.ask("peak", seconds=0.01) > 0.1
    assert {"versions", "machine"} <= set(about)
    assert np.load(tmp_path / "r.npz")["y"].shape == (3, 2, 5)
    assert block["median"] > 0.0
    if sys.platform == "linux":
        assert memory["peak"] >= memory["before"] > 10 << 20


def test_an_error_in_a_worker_is_raised_here_and_it_goes_on(arrays):
    with Process("ours", 1) as worker:
        with pytest.raises(PeerFailed, match=r"^ours: .*absent\.npz"):
            worker.ask("prepare", case=CASE.to_json(), kind="infer", arrays="absent.npz")
        worker.ask("prepare", case=CASE.to_json(), kind="infer", arrays=arrays)


@pytest.mark.skipif(sys.platform == "win32", reason="no signals there")
def test_a_worker_that_is_killed_is_told_apart_from_one_that_answers():
    with Process("ours", 1) as worker:
        worker.ask("about")
        os.kill(worker._process.pid, signal.SIGKILL)
        for _ in range(2):  # also when asked again
            with pytest.raises(PeerFailed, match="process ended with code -9"):
                worker.ask("about")


def test_a_worker_that_cannot_start_tells_its_last_line():
    with Process("nobody", 1) as worker, pytest.raises(PeerFailed, match="KeyError: 'nobody'"):
        worker.ask("about")


def test_a_closed_worker_is_gone():
    with Process("ours", 1) as worker:
        process = worker._process
    assert process.returncode == 0


def test_a_cold_start_tells_its_parts_and_leaves_its_results(arrays, tmp_path):
    path = str(tmp_path / "r.npz")
    told = run_cold("ours", 1, CASE, arrays, path)
    assert 0.0 < told["import"] + told["prepare"] + told["first"] < told["total"]
    assert np.load(path)["y"].shape == (3, 2, 5)


def test_a_cold_start_that_fails_is_told():
    with pytest.raises(PeerFailed, match="absent"):
        run_cold("ours", 1, CASE, "absent.npz", "r.npz")
