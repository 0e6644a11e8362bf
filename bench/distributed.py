"""Ranks against threads: `train lm` on 2 and 4 ranks of one thread each, and in one process.

    python bench/distributed.py --json FILE

Each training is the command with its default model on the bundled text, and the same seed, batch
and number of steps. They take turns. Tokens a second are told twice: of training alone, from the
lines of metrics between the first one and the validation at the end; and with that validation and
saving, as the command tells them. Then the parts of a step are measured, to see where time is lost:
see `step_parts.py`. What two ranks of one thread lose against two threads is in the rows of that
table. The record is written after each training.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

from tools import ROOT, apart, describe, mpiexec, numbers, parser, warn_if_busy

# The default model of `train lm`: V,E,H,L,T, and its batch.
MODEL = [65, 128, 384, 1, 64]
ROWS = 16


def train(ranks: int, threads: int, words: list[Any]) -> dict[str, float]:
    """Train once; gives tokens a second of the training alone and of all, and the loss."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = ["-m", "numba_lstm", "train", "lm", "--threads", threads, "--out", run, *words]
        launcher = mpiexec(ranks) if ranks > 1 else ()
        told = json.loads(apart(*words, "--json", "--quiet", launcher=launcher))
        lines = (run / "metrics.jsonl").read_text(encoding="utf-8").splitlines()
    logged = [one for one in map(json.loads, lines) if one["val_loss"] is None]
    first, last = logged[0], logged[-1]
    training = (last["tokens"] - first["tokens"]) / (last["seconds"] - first["seconds"])
    return {"training": training, "all": told["tokens_per_second"], "val_loss": told["val_loss"]}


def compare(runs: dict[str, list[dict[str, float]]]) -> dict[str, Any]:
    """Medians, and their ratios to the first kind of run."""
    medians = {
        kind: {name: statistics.median(one[name] for one in some) for name in some[0]}
        for kind, some in runs.items()
        if some
    }
    first = next(iter(medians.values()))
    return {
        kind: {
            **of,
            "ratio": of["training"] / first["training"],
            "ratio_of_all": of["all"] / first["all"],
            "val_loss_beside": of["val_loss"] - first["val_loss"],
        }
        for kind, of in medians.items()
    }


def parts(ranks: int, threads: int, rows: int, model: list[int], seconds: float) -> dict[str, Any]:
    """The parts of a step, in milliseconds, with so many rows for all ranks together."""
    sizes = ",".join(map(str, model))
    words = [ROOT / "bench" / "step_parts.py", sizes, "--rows", rows, "--threads", threads]
    launcher = mpiexec(ranks) if ranks > 1 else ()
    told = json.loads(apart(*words, "--seconds", seconds, launcher=launcher))
    return told["figures"][0]


def losses_of_time(found: dict[str, dict[str, Any]]) -> dict[str, float]:
    """Where the time of a step on two ranks goes beyond that of two threads, in milliseconds.

    The first three are what two ranks would lose if they did not disturb each other, the next is
    what they do; the rest is messages.
    """
    threads, alone, ranks = found["1 x 2"], found["half of it on 1"], found["2 x 1"]

    def rest(one: dict[str, Any]) -> float:
        return one["norm"] + one["update"]

    return {
        "gradients of half the rows on one thread": alone["gradients"] - threads["gradients"],
        "norm and update on one thread": rest(alone) - rest(threads),
        "gradients beside the other rank": ranks["gradients"] - alone["gradients"],
        "norm and update beside the other rank": rest(ranks) - rest(alone),
        "waiting for the other rank": ranks["waiting"],
        "looking for NaN, Allreduce": ranks["allreduce"],
    }


def tell(result: dict[str, Any]) -> None:
    """Print what was found."""
    for kind, of in result["medians"].items():
        print(
            f"{kind:<6} {of['training']:8.0f} tokens/s, x{of['ratio']:.3f}; with validation "
            f"{of['all']:8.0f}, x{of['ratio_of_all']:.3f}; validation loss {of['val_loss']:.4f} "
            f"({of['val_loss_beside']:+.4f})"
        )
    for kind, of in result["parts"].items():
        told = ", ".join(
            f"{name} {of[name]:.2f}"
            for name in ("gradients", "waiting", "allreduce", "norm", "update", "step")
        )
        print(f"{kind:<16} {told} ms")
    for name, ms in result["lost_ms"].items():
        print(f"{ms:+7.2f} ms  {name}")


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--steps", type=int, default=1000)
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--ranks", type=numbers, default=[2, 4], help="2 among them")
    options.add_argument("--model", type=numbers, default=MODEL, help="for a trial: V,E,H,L,T")
    options.add_argument("--rows", type=int, default=ROWS, help="for a trial")
    options.add_argument("--option", action="append", default=[], help="another of `train lm`")
    given = options.parse_args()
    warn_if_busy()
    cores = os.cpu_count() or 1
    log = max(1, given.steps // 20)
    words = ["--steps", given.steps, "--log-every", log, "--seed", 0, *given.option]
    kinds = {"1 x 2": (1, min(2, cores))} | {f"{ranks} x 1": (ranks, 1) for ranks in given.ranks}
    result: dict[str, Any] = {"steps": given.steps, "runs": {kind: [] for kind in kinds}}
    result |= describe()
    show = given.json != "-"

    def keep() -> None:
        if show and given.json:
            Path(given.json).write_text(json.dumps(result, indent=1) + "\n")

    for _ in range(given.repeats):
        for kind, (ranks, threads) in kinds.items():
            result["runs"][kind].append(train(ranks, threads, words))
            result["medians"] = compare(result["runs"])
            keep()
    measured = kinds | {"half of it on 1": (1, 1)}
    result["parts"] = {
        kind: parts(*of, given.rows // (2 if "half" in kind else 1), given.model, given.seconds)
        for kind, of in measured.items()
    }
    result["lost_ms"] = losses_of_time(result["parts"])
    keep()
    if show:
        tell(result)
    else:
        print(json.dumps(result, indent=1))


if __name__ == "__main__":
    sys.exit(main())
