"""Ranks against threads: `train lm` on 2 and 4 ranks of one thread each, and in one process.

    python bench/distributed.py --json bench/results/MACHINE-distributed.json
    python bench/ranks_report.py        # the tables of docs/scale.md from that record

Each training is the command with its default model on the bundled text, and the same seed, batch
and number of steps. They take turns, and a ratio is the geometric mean of the turns' own. Tokens a
second are those of training alone, from the first line of metrics to the last one before the
validation at the end. The same trainings tell the parts of their steps: see `timed_training.py`.
One more kind trains on half the batch on one thread, alone on the machine: it does what each of two
ranks has to do, with nobody beside it. The record is written after each training.
"""

from __future__ import annotations

import json
import os
import sys
import tempfile
from pathlib import Path
from statistics import fmean
from typing import Any

from ranks_report import beside_table, lost_table
from timed_training import PARTS
from tools import ROOT, apart, describe, mpiexec, numbers, parser, warn_if_busy

ROWS = 16  # of all ranks together, as `train lm` has by default


def parts_of(folder: Path, ranks: int, window: slice) -> dict[str, float]:
    """Milliseconds of each part of a step, the mean of ranks and of the steps of a window."""
    told = [json.loads((folder / f"{rank}.json").read_text()) for rank in range(ranks)]
    return {part: 1e3 * fmean(fmean(one[part][window]) for one in told) for part in PARTS}


def train(ranks: int, threads: int, words: list[Any]) -> dict[str, Any]:
    """Train once: tokens a second, the loss, and milliseconds of a step and of its parts.

    `rest` is what the step takes beyond its parts: the next batch, the log, the loop.
    """
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ["train", "lm", "--threads", threads, "--out", run, *words, "--json", "--quiet"]
        launcher = mpiexec(ranks) if ranks > 1 else ()
        program = ROOT / "bench" / "timed_training.py"
        told = json.loads(apart(program, folder, *words, launcher=launcher))
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
        logged = [one for one in map(json.loads, lines) if one["val_loss"] is None]
        first, last = logged[0], logged[-1]
        # A run warms up before its first step, so steps count from the end.
        window = slice(first["step"] - told["steps"], last["step"] - told["steps"])
        parts = parts_of(Path(folder), ranks, window)
    seconds = last["seconds"] - first["seconds"]
    step = 1e3 * seconds / (last["step"] - first["step"])
    return {
        "tokens_per_second": (last["tokens"] - first["tokens"]) / seconds,
        "val_loss": told["val_loss"],
        "step": step,
        **parts,
        "rest": step - sum(parts.values()),
    }


def main() -> None:
    options = parser(__doc__, timed=False)
    options.add_argument("--steps", type=int, default=800)
    options.add_argument("--repeats", type=int, default=5)
    options.add_argument("--ranks", type=numbers, default=[2, 4], help="2 among them")
    options.add_argument("--rows", type=int, default=ROWS, help="of all ranks together")
    options.add_argument("--option", action="append", default=[], help="another of `train lm`")
    given = options.parse_args()
    if 2 not in given.ranks:
        options.error("--ranks: expected 2 among them, whose parts are told")
    warn_if_busy()
    log = max(1, given.steps // 20)
    words = ["--steps", given.steps, "--log-every", log, "--seed", 0, *given.option]
    cores = min(2, os.cpu_count() or 1)
    kinds = {"1 x 2": (1, cores, given.rows), "half of it on 1": (1, 1, given.rows // 2)}
    kinds |= {f"{ranks} x 1": (ranks, 1, given.rows) for ranks in given.ranks}
    result: dict[str, Any] = {"steps": given.steps, "rows": given.rows, **describe()}
    result["runs"] = {kind: [] for kind in kinds}
    for _ in range(given.repeats):
        for kind, (ranks, threads, rows) in kinds.items():
            result["runs"][kind].append(train(ranks, threads, [*words, "--batch", rows]))
            if given.json and given.json != "-":
                Path(given.json).write_text(json.dumps(result, indent=1) + "\n")
    if given.json == "-":
        print(json.dumps(result, indent=1))
    else:
        print(beside_table(result), lost_table(result), sep="\n\n")


if __name__ == "__main__":
    sys.exit(main())
