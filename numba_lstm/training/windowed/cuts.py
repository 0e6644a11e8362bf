"""Where series are cut into parts: by date, at the same one in all of them.

A model that learns from several series and is judged on one of them must not know what came later
in another one. So a date ends the part that trains, and a later one that which validates, whatever
rows a series has. One that ends early has fewer rows to be judged on, or none; one that begins late
has fewer to learn from.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ...datasets.frequency import Frequency

__all__ = ["MOST_WINDOW", "Cut", "auto_window", "cut", "places"]

_LEAST_WINDOW = 28
#: Two weeks of hours.
MOST_WINDOW = 336


class Cut(NamedTuple):
    """Where the parts of a series end.

    Attributes
    ----------
    train
        Rows that train.
    first
        Rows before the back-test, at which its first forecast begins.
    """

    train: int
    first: int


def places(times: Sequence[np.ndarray], frequency: Frequency | None) -> list[np.ndarray]:
    """Number the rows of series on one grid of time.

    Parameters
    ----------
    times
        (T_i,) of each series, rising.
    frequency
        The step that all of them keep. Without one each time that occurs is a step.

    Returns
    -------
    list of numpy.ndarray
        (T_i,) int64, from 0 on.
    """
    if frequency is None:
        grid = np.unique(np.concatenate(list(times)))
        return [np.searchsorted(grid, one) for one in times]
    earliest = min(one[0] for one in times)
    found = []
    for one in times:
        # Between two steps a row counts as the later one: it is not known at the earlier one.
        start = frequency.places(np.array([earliest, one[0]]))[1]
        found.append(int(np.ceil(start - 0.02)) + np.arange(len(one)))
    return found


def cut(places: Sequence[np.ndarray], valid: int, test: int) -> list[Cut]:
    """Cut series so many steps before the end of the last one.

    Parameters
    ----------
    places
        Of `places`.
    valid, test
        Steps that validate, and those behind them that are tested.
    """
    end = max(int(one[-1]) for one in places) + 1
    ends = end - test - valid, end - test
    return [Cut(*(int(np.searchsorted(one, at)) for at in ends)) for one in places]


def auto_window(horizon: int, season: int, rows: int) -> int:
    """The rows that a forecast is made from, where nobody says how many.

    Parameters
    ----------
    horizon, season
        In rows; the season is 1 where there is none.
    rows
        Of the part that trains.

    Returns
    -------
    int
        Twice the horizon or the season, at least 28; at most 336, and a third of the rows.
    """
    most = min((rows - horizon) // 3, MOST_WINDOW)
    return max(1, min(max(2 * horizon, 2 * season, _LEAST_WINDOW), most))
