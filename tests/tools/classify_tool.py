"""Files of labelled sequences for tests of ``train classify``."""

from __future__ import annotations

import csv

import numpy as np

TINY = ["--hidden", "8", "--batch", "8", "--lr", "0.02", "--log-every", "2"]


def sequences(count=60, seed=0):
    """(x, labels): rising, falling and level noise of 4 to 9 steps; a second column is reversed."""
    rng = np.random.default_rng(seed)
    x, labels = [], []
    for k in range(count):
        slope = k % 3 - 1
        steps = np.arange(rng.integers(4, 10))
        one = 5.0 + slope * steps + 0.3 * rng.normal(size=len(steps))
        x.append(np.stack([one, 100.0 - 10.0 * one], axis=1))
        labels.append(("falls", "level", "rises")[slope + 1])
    return x, labels


def write_csv(path, count=60, seed=0, labelled=True, columns=("up", "down")):
    """A long table: a row for each step, those of a sequence together."""
    x, labels = sequences(count, seed)
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["series", "when", *columns, *(["kind"] if labelled else [])])
        for k, (one, label) in enumerate(zip(x, labels)):
            for step, row in enumerate(one):
                table.writerow([f"s{k}", step, *row.tolist(), *([label] if labelled else [])])
    return path


def options(path):
    """What the command is told of such a table."""
    return ["--data", path, "--id", "series", "--time", "when", "--label", "kind"]
