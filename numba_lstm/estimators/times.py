"""Rows and their times: in order, at equal distances, the same beside each other."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..datasets.frequency import find_frequency, gaps

__all__ = [
    "check_following",
    "check_same_times",
    "check_times",
    "last_times",
    "moments",
    "time_index",
]

# So many of the last times tell what comes next.
_LAST = 50


def time_index(value: Any) -> Any:
    """The index of a frame or series of pandas, if it is one of times; else None."""
    index: Any = getattr(value, "index", None)
    return index if hasattr(index, "freq") else None  # which only times have


def moments(value: Any) -> np.ndarray | None:
    """The times of a frame or series of pandas as datetime64, by which the calendar is known.

    Days are those of the time zone; hours are the world's, which come once each. Durations are
    whole microseconds.
    """
    index = time_index(value)
    if index is None:
        return None
    if hasattr(index, "to_timestamp"):  # periods
        index = index.to_timestamp()
    if getattr(index, "tz", None) is not None:
        here = index.tz_localize(None)
        index = here if (here == here.normalize()).all() else index.tz_convert(None)
    found = index.to_numpy()
    if found.dtype.kind == "m":
        return found.astype("timedelta64[us]").astype(np.int64)
    return found if found.dtype.kind == "M" else None


def check_times(name: str, value: Any) -> None:
    """Look at the index of a frame of pandas, if it is one of times: its rows follow each other.

    Raises
    ------
    ValueError
        Naming the argument, if a row does not come after the one before.
    """
    index = time_index(value)
    if index is None:
        return
    if not (index.is_monotonic_increasing and index.is_unique):
        raise ValueError(
            f"{name}: expected rows in order of time, each time once; sort_index() sorts them"
        )


def check_same_times(name: str, value: Any, index: Any) -> None:
    """Look at the times of rows that lie beside others; without times in both, nothing is known.

    Parameters
    ----------
    name : str
        What messages call it.
    value : array_like or frame
        Its rows, or the first of them, lie beside those of `index`.
    index : pandas.Index or None
        The times of y.

    Raises
    ------
    ValueError
        Naming the argument, if the times of a row differ.
    """
    ours = time_index(value)
    if ours is None or index is None:
        return
    ours = _of_one_kind(name, ours, index)[: len(index)]
    differ = np.flatnonzero(np.asarray(ours != index))
    if len(differ):
        row = differ[0]
        raise ValueError(
            f"{name}: expected the times of y, got {ours[row]} beside {index[row]} in row {row}"
        )


def check_following(name: str, value: Any, index: Any) -> None:
    """Look at the times of rows that come after others; without times in both, nothing is known.

    Parameters
    ----------
    name : str
        What messages call it.
    value : array_like or frame
    index : pandas.Index or None
        The last times of y.

    Raises
    ------
    ValueError
        Naming the argument, if its first row is not the next one, or, where the rows of either
        keep no step in time, not a later one.
    """
    ours = time_index(value)
    if ours is None or index is None:
        return
    ours = _of_one_kind(name, ours, index)
    regular = not (_fault(index) or _fault(ours))
    if ours[0] <= index[-1] or (regular and _fault(index.append(ours))):
        raise ValueError(
            f"{name}: expected the rows after {index[-1]}, where y ends, got them from {ours[0]} on"
        )


def last_times(value: Any) -> Any:
    """The last times of a frame or series of pandas, so many as `check_following` needs."""
    index = time_index(value)
    return None if index is None else index[-_LAST:]


def _of_one_kind(name: str, ours: Any, index: Any) -> Any:
    """Times that can be compared with those of y, in its time zone."""
    zones = [getattr(one, "tz", None) for one in (ours, index)]
    if None not in zones:
        ours = ours.tz_convert(index.tz)
    same = type(ours) is type(index) and (zones[0] is None) == (zones[1] is None)
    if not same or (hasattr(index, "to_timestamp") and ours.dtype != index.dtype):
        raise ValueError(f"{name}: expected times as y has, {index.dtype}, got {ours.dtype}")
    return ours


def _fault(index: Any) -> str:
    """What is wrong with the distances of an index of times, in words; "" for nothing."""
    if hasattr(index, "to_timestamp"):  # periods
        index = index.to_timestamp()
    clocks = [index]
    if getattr(index, "tz", None) is not None:
        # Days are of one length by the clock of the place, hours by that of the world.
        clocks = [index.tz_convert(None), index.tz_localize(None)]
    found = [_fault_of(clock.to_numpy()) for clock in clocks]
    return found[0] if all(found) else ""


def _fault_of(times: np.ndarray) -> str:
    """What is wrong with the distances of times, in words; "" for nothing."""
    if len(times) < 3:
        return ""
    if times.dtype.kind == "M":
        times = times.astype("datetime64[us]")
    else:  # since some moment
        times = times.astype("timedelta64[us]").astype(np.int64)
    frequency = find_frequency(times)
    if frequency is None:
        return "times that keep no step"
    missing = gaps(times, frequency, limit=1)
    return f"none for {missing[0]}" if missing else ""
