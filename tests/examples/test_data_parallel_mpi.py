"""The example of training on several processes trains the same model on one and on two."""

from __future__ import annotations

import re
import runpy

from ranks_tool import ROOT, mpiexec, needs_mpi

from numba_lstm import distributed

EXAMPLE = ROOT / "examples" / "data_parallel_mpi.py"


@needs_mpi
def test_two_processes_reach_the_loss_of_one(monkeypatch):
    done = mpiexec(2, EXAMPLE)
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert len(lines) == 4 and lines[0].startswith("update    0   loss 4.")
    end = re.fullmatch(r"2 processes: (\d\.\d\d) nats a letter on text .*", lines[-1])
    monkeypatch.setattr(distributed, "group_of", distributed.Alone)
    loss = runpy.run_path(str(EXAMPLE))["main"]()
    assert end and abs(float(end[1]) - loss) < 0.02 and loss < 2.5
