"""The documented `train classify` of the Japanese Vowels, beside the same model in torch.

Each training is a process of its own, and they take turns, seed by seed. All have the same
sequences, scaling, batches in the same order, sizes, dropouts, epochs, optimizer, schedule and
clipping. torch runs in both ways that its users have: `torch-packed` packs the sequences,
`torch-padded` runs its dense LSTM on padded batches, once forward and once on reversed sequences.
Seconds are those of training, without imports, reading, compiling and the test. The data come with
sktime: pip install 'numba_lstm[timeseries,bench]'.
"""

from __future__ import annotations

import json
import os
import re
import statistics
import sys
import tempfile
import tomllib
from pathlib import Path
from typing import Any

from tools import ROOT, apart, finish, parser

PEERS = ("torch-padded", "torch-packed")


def documented() -> list[str]:
    """The options in the help of `train classify`, as words."""
    from numba_lstm.cli.train_classify import classify

    found = re.search(r"numba-lstm train classify (--data japanese-vowels.*)", classify.help, re.S)
    assert found is not None
    return found[1].replace("\\", "").split()


def ours(options: list[str], seed: int, threads: int) -> tuple[dict[str, Any], dict[str, Any]]:
    """Train by the command; gives what it found, and all options that it had."""
    with tempfile.TemporaryDirectory() as folder:
        run = Path(folder) / "run"
        words = [*options, "--seed", seed, "--threads", threads, "--out", run, "--json", "--quiet"]
        out = apart("-m", "numba_lstm", "train", "classify", *words)
        config = tomllib.loads((run / "config.toml").read_text(encoding="utf-8"))
    told = json.loads(out)
    return {"accuracy": told["test_accuracy"], "seconds": told["seconds"]}, config


def main() -> None:
    given_options = parser(__doc__, timed=False)
    given_options.add_argument("--seeds", type=int, default=5)
    given_options.add_argument("--threads", type=int, default=os.cpu_count() or 1)
    given_options.add_argument("--epochs", type=int, help="others than the command's, for a trial")
    given_options.add_argument("--peers", nargs="*", choices=PEERS, default=PEERS)
    given = given_options.parse_args()
    options = documented() + (["--epochs", str(given.epochs)] if given.epochs else [])
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in ("ours", *given.peers)}
    show = given.json != "-"
    for seed in range(given.seeds):
        one, config = ours(options, seed, given.threads)
        found["ours"].append(one)
        for peer in given.peers:
            about = json.dumps(config | {"peer": peer, "threads": given.threads})
            found[peer].append(json.loads(apart(ROOT / "bench" / "vowels_torch.py", about)))
        if show:
            figures = ", ".join(
                f"{name} {runs[-1]['accuracy']:.2%} in {runs[-1]['seconds']:.2f} s"
                for name, runs in found.items()
            )
            print(f"seed {seed}: {figures}", flush=True)
    result: dict[str, Any] = {"command": options, "threads": given.threads, "runs": found}
    medians = {
        name: statistics.median(run["seconds"] for run in runs) for name, runs in found.items()
    }
    result["accuracy"] = {
        name: statistics.mean(run["accuracy"] for run in runs) for name, runs in found.items()
    }
    result["median_seconds"] = medians
    result["ratio"] = {name: medians[name] / medians["ours"] for name in given.peers}
    if show:
        for name, share in result["accuracy"].items():
            times = "" if name == "ours" else f", {result['ratio'][name]:.2f} times ours"
            print(f"{name:<13} mean accuracy {share:.2%}, median {medians[name]:.2f} s{times}")
    finish(result, given.json)


if __name__ == "__main__":
    sys.exit(main())
