"""Files of time series for tests of ``train forecast``."""

from __future__ import annotations

import csv
import functools
from pathlib import Path

import numpy as np
from cli_tool import here

TINY = ["--hidden", "8", "--networks", "1", "--batch", "16", "--lr", "0.01", "--log-every", "4"]
TABLE = ["--time", "day", "--target", "sales"]


def sales(count=160, seed=0):
    """(count,): a weekly pattern, a slow wave, and noise."""
    rng = np.random.default_rng(seed)
    t = np.arange(count)
    return 20 + np.array([0, 1, 2, 2, 4, 9, 7])[t % 7] + 3 * np.sin(t / 15) + rng.normal(size=count)


def days(count, first="2021-01-04"):
    return np.datetime64(first) + np.arange(count)


def write_csv(path, count=160, seed=0, ids=("",), more=0, left_out=(), holes=()):
    """A row for each day and id.

    Parameters
    ----------
    ids
        Names in a column ``shop``, which is left out where there is one without a name.
    more
        Rows behind the last one, with the holiday but without sales.
    left_out, holes
        Days whose rows are left out, and whose sales are.
    """
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        shop = ["shop"] if ids != ("",) else []
        table.writerow([*shop, "day", "sales", "visitors", "holiday"])
        for k, name in enumerate(ids):
            values = (1 + k) * sales(count, seed + k)
            for n, day in enumerate(days(count + more)):
                if n in left_out:
                    continue
                told = n < count and n not in holes
                cells = (
                    [round(float(values[n]), 3), round(10 * float(values[n]))] if told else ["", ""]
                )
                table.writerow([*([name] if shop else []), day, *cells, int(n % 30 == 0)])
    return path


@functools.cache
def trained(folder):
    """A tiny finished run in this folder, and the table that it was trained on; made once."""
    data, run = write_csv(Path(folder) / "sales.csv", 80), Path(folder) / "ahead"
    about = ["--csv", data, *TABLE, "--horizon", 5, "--folds", 2, *TINY, "--epochs", 1]
    result = here("train", "forecast", *about, "--out", run, "--quiet")
    assert result.code == 0, result.err
    return run, data
