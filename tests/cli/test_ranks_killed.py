"""A rank killed at any moment of a job ends the job, and the run goes on to the same bits."""

from __future__ import annotations

import os
import random
import signal
import time
from pathlib import Path

import pytest
from cli_tool import COMMAND, TEXT, TINY
from jobs_tool import begin, launch, ranks_in, wait_until_gone
from kills_tool import assert_same
from long_tool import LONG
from ranks_tool import needs_mpi

import numba_lstm
from numba_lstm.training.runs.checkpoint import Run

pytestmark = [
    needs_mpi,
    pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here"),
]

RANKS, STEPS = 4, 120 if LONG else 40
# With lines of metrics behind each checkpoint, which a run that goes on takes back.
OFTEN = ["--valid-every", "4", "--log-every", "1"]
TRAIN = ["train", "lm", "--data", "text.txt", *TINY, "--steps", STEPS, *OFTEN]
# In a run's life one after the other.
MOMENTS = ("starting", "making", "resuming", "training", "ending")
DAILY = ("making", "training")


class Life:
    """The jobs of one folder, which are killed: each goes on with what the one before left.

    Parameters
    ----------
    folder
        Where the jobs work; it has ``text.txt``.
    whole
        A run that nobody disturbed.
    begun
        How long that took until it had its folder.
    """

    def __init__(self, folder: Path, whole: Path, begun: float) -> None:
        self.folder, self.whole, self.rng = folder, whole, random.Random(7)
        self.begun, self.rounds = begun, 0
        self.told = dict.fromkeys((*MOMENTS, "too late", "unclear"), 0)

    def round(self, moments: tuple[str, ...]) -> None:
        """A run from its first job to its end, with a kill at each of some moments."""
        self.path = self.folder / "runs" / str(self.rounds)
        for moment in moments:
            self.kill(moment)
        code, _, err = launch(RANKS, *self.job(), cwd=self.folder)
        assert code == 0, err
        assert_same(self.path, self.whole)
        # What a killed creation has left is gone.
        assert set(os.listdir(self.folder / "runs")) == {str(n) for n in range(self.rounds + 1)}
        self.rounds += 1

    def job(self) -> list[object]:
        relative = self.path.relative_to(self.folder)
        more = ["train", "lm", "--resume"] if self.path.exists() else [*TRAIN, "--out"]
        return [COMMAND[1], *more, relative]

    def kills(self) -> int:
        return sum(self.told[moment] for moment in MOMENTS)

    def step(self) -> int:
        return Run(self.path).load().counters["step"] if self.path.exists() else -1

    def kill(self, moment: str) -> None:
        before = self.step()
        with begin(RANKS, *self.job(), cwd=self.folder) as process:
            self.wait(process, moment, before)
            pids = []
            while not pids and process.poll() is None:
                pids = ranks_in(self.folder)
            try:
                if pids:
                    os.kill(self.rng.choice(pids), signal.SIGKILL)
            except ProcessLookupError:
                pids = []
            began = time.monotonic()
            out, err = process.communicate(timeout=30)
            assert time.monotonic() - began < 10, err
        assert "Traceback" not in err, err
        if process.returncode == 0 or not pids:
            assert self.step() == STEPS
            moment = "too late"
        else:
            # What was killed is mpiexec's word; on a busy machine MPICH's may only say, once in a
            # while, that it has lost what it started.
            clear = "illed" in out + err
            assert clear or "[mpiexec@" in err, (out, err)
            self.told["unclear"] += not clear
        self.told[moment] += 1
        wait_until_gone(self.folder)
        assert self.step() >= before
        if self.path.exists():
            numba_lstm.load(self.path)
            list(Run(self.path).metrics())

    def wait(self, process, moment: str, before: int) -> None:
        """Until the moment has come, and a while of a random length behind it."""
        some = max(before, 0) + self.rng.randrange(1, STEPS // 2)
        came, longest = {
            "starting": (lambda: True, self.begun),
            "making": (lambda: self.path.parent.exists() and os.listdir(self.path.parent), 0.02),
            "resuming": (lambda: True, self.begun),
            "training": (lambda: self.step() >= min(some, STEPS - 4), 0.01),
            "ending": (lambda: self.step() == STEPS, 0.1),
        }[moment]
        while process.poll() is None and not came():
            time.sleep(0.001)
        time.sleep(self.rng.uniform(0.0, longest))


def whole(folder: Path) -> float:
    """Train a run at once; how long it took until it had its folder."""
    began, begun = time.monotonic(), 0.0
    with begin(RANKS, COMMAND[1], *TRAIN, "--out", "whole", cwd=folder) as process:
        while process.poll() is None and not begun:
            begun = time.monotonic() - began if (folder / "whole").exists() else 0.0
            time.sleep(0.005)
        _, err = process.communicate(timeout=60)
    assert process.returncode == 0, err
    return begun


def test_a_rank_killed_at_any_moment_ends_the_job_and_the_run_goes_on_to_the_same_bits(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    life = Life(tmp_path, tmp_path / "whole", whole(tmp_path))
    while (kills := life.kills()) < (50 if LONG else 2):
        assert life.rounds < kills + 2  # a busy machine may have missed a moment
        life.round(MOMENTS if LONG else DAILY)
    print({"rounds": life.rounds, **life.told})
    assert life.told["unclear"] <= max(2, kills // 2)
