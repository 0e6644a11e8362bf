"""Trainings of each kind on however many ranks a launcher started, or in this process alone.

Prints on rank 0, as JSON, what the tests compare. Run in an empty folder, first on `MOST` ranks.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import sys
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

import numpy as np  # noqa: E402
from kills_tool import ABOUT, FINISH, make_data  # noqa: E402

from numba_lstm.distributed import Alone, Group, group_of, launched  # noqa: E402
from numba_lstm.training.interrupt import Interrupted  # noqa: E402
from numba_lstm.training.runs import session  # noqa: E402
from numba_lstm.training.runs.kinds import KINDS  # noqa: E402
from numba_lstm.training.runs.options import merge_options  # noqa: E402

MOST = 4
# Several ranks share these batches unevenly; with four the last batch of a pass has fewer samples
# than ranks.
SIZES = {
    "lm": {"batch": 6, "layers": 2, "seq_len": 5, "embedding": 6},
    "classify": {"batch": 7, "valid_fraction": 0.2},
    "forecast": {"batch": 9},
}
STEPS, STOP = 20, 11
COMMON = {"hidden": 8, "lr": 0.01, "steps": STEPS, "valid_every": 10, "log_every": 1}


def options(kind: str, **more: Any) -> Any:
    """The options of a small run of a kind."""
    return merge_options(KINDS[kind], ("", {**ABOUT[kind], **COMMON, **SIZES[kind], **more}))


def finish(group: Group, trainer: Any, run: Any) -> None:
    """Train to the end, with what the command does there."""
    measure = FINISH.get(trainer.config.kind)
    trainer.run(run, None if measure is None else lambda: measure(trainer.task, run))


def interrupt(group: Group, trainer: Any) -> None:
    """Have the last rank hear a signal in the step with the number `STOP`."""
    step = trainer.task.step

    def heard(batch: Any, optimizer: Any, clip: Any, number: int) -> Any:
        if number == STOP and group.rank == group.size - 1:
            signal.raise_signal(signal.SIGTERM)
        return step(batch, optimizer, clip, number)

    trainer.task.step = heard


def go_on(group: Group, path: Path) -> None:
    trainer, run = session.resume(path, group=group)
    finish(group, trainer, run)


def gradients(group: Group, kind: str) -> None:
    """Keep the gradients of a first step in float64."""
    path = f"{kind}-double-{group.size}"
    config = options(kind, dropout=0.0, dtype="float64", clip=0.0)
    trainer, _ = session.start(config, path, group=group)

    def keep(**_: Any) -> None:
        named = dict(trainer.model.named_parameters())
        found = {name: p.grad for name, p in named.items() if p.grad is not None}
        if group.rank == 0:
            np.savez(f"{path}/gradients.npz", **found)

    trainer.optimizer.step = keep
    trainer.model.train()
    trainer._step()


def all_of(group: Group, kind: str) -> dict[str, Any]:
    """Whole runs, one in two parts, and the rest of what `MOST` ranks began."""
    ranks, told = group.size, {}
    gradients(group, kind)
    trainer, run = session.start(options(kind, dropout=0.0), f"{kind}-plain-{ranks}", group=group)
    finish(group, trainer, run)
    told["summary"] = {k: trainer.summary()[k] for k in ("steps", "tokens", "ranks", "val_loss")}
    trainer, run = session.start(options(kind, dropout=0.3), f"{kind}-whole-{ranks}", group=group)
    finish(group, trainer, run)
    for name, dropout in (("parts", 0.3), ("begun", 0.0)):
        path = Path(f"{kind}-{name}-{ranks}")
        trainer, run = session.start(options(kind, dropout=dropout), path, group=group)
        interrupt(group, trainer)
        try:
            finish(group, trainer, run)
        except Interrupted as stopped:
            told[name] = stopped.signum, stopped.between_steps, trainer.counters.step
        if name == "parts":
            go_on(group, path)
    other = Path(f"{kind}-taken-over-{ranks}")
    if group.rank == 0:
        shutil.copytree(f"{kind}-begun-{MOST}", other)
    group.barrier()
    go_on(group, other)
    return told


if __name__ == "__main__":
    ranks = group_of() if launched() > 1 else Alone()
    if ranks.rank == 0 and not os.path.exists("text.txt"):
        make_data()
    ranks.barrier()
    found = {kind: all_of(ranks, kind) for kind in sys.argv[1:]}
    if ranks.rank == 0:
        print(json.dumps(found))
