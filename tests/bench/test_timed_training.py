"""The parts of a training's steps are timed, each moment in one part only."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

from ranks_tool import MPIEXEC, needs_mpi

BENCH = Path(__file__).resolve().parents[2] / "bench"
TINY = ["--hidden", "8", "--embedding", "6", "--seq-len", "8", "--steps", "12", "--threads", "1"]


def test_time_within_a_part_is_that_of_the_inner_one(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import timed_training

    now = iter([1.0, 3.0, 7.0, 15.0, 31.0, 63.0])
    monkeypatch.setattr(timed_training.time, "perf_counter", lambda: next(now))
    clock, told = timed_training.Clock(), []
    owner = SimpleNamespace(norm=lambda: told.append(list(clock.within)))
    clock.time(owner, "norm", "norm")
    owner.norm()  # outside a step it counts nowhere
    with clock.part("gradients"):
        owner.norm()
        with clock.part("summing"):
            owner.norm()  # the sum looks for NaN by a norm
    (step,) = clock.steps
    assert told == [[], ["gradients", "norm"], ["gradients", "summing"]]
    assert step["gradients"] == (3 - 1) + (15 - 7) + (63 - 31)
    assert (step["norm"], step["summing"], step["update"]) == (7 - 3, 31 - 15, 0.0)


@needs_mpi
def test_every_step_of_a_training_has_its_parts(tmp_path):
    """On two ranks; the long test of distributed.py has one process, too."""
    command = [MPIEXEC, "-n", "2", sys.executable]
    command += [str(BENCH / "timed_training.py"), str(tmp_path), "train", "lm"]
    command += [*TINY, "--out", str(tmp_path / "run"), "--json", "--quiet"]
    done = subprocess.run(
        command, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    for rank in range(2):
        told = json.loads((tmp_path / f"{rank}.json").read_text())
        assert result["steps"] == 12 <= len(told["update"])
        for part, some in told.items():
            assert len(some) == len(told["update"]) and min(some[-12:]) > 0.0, part
        assert sum(sum(some[-12:]) for some in told.values()) < result["seconds"]
