"""Whether ``results.json`` is what `results.measure` writes: each key, shape and range."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from .combining import are_weights
from .comparison import BASELINES, LINEAR_MEMBERS, MODELS
from .meaning import Meaning

__all__ = ["check_results"]

# Pictures have years of four digits; the squares of greater numbers are infinite.
_YEARS = np.array(["0001", "9999"], "datetime64[Y]")
_LARGEST = 1e150


def check_results(found: Any, meaning: Meaning) -> None:
    """Check the results of a run.

    Parameters
    ----------
    found
        What the file holds.
    meaning
        What the run's numbers mean, from which shapes and names follow.

    Raises
    ------
    ValueError
        Naming the place in the file, what was expected and what came.
    """
    tested = not isinstance(found, dict) or set(found) != {"weights", "errors"}
    parts = ("backtest", "intervals", "drawn") if tested else ()
    about = _parts(found, "", ("weights", "errors", *parts))
    if not are_weights(about["weights"]):
        raise _wrong("weights", "numbers from 0 that sum to 1", about["weights"])
    if about["errors"] is not None:
        _check_errors(about["errors"], meaning)
    if not tested:
        return
    lines = any(name.startswith("linear") for name in about["weights"])
    _check_back_test(about["backtest"], meaning, (LINEAR_MEMBERS,) if lines else ())
    intervals = _parts(about["intervals"], "intervals", ("level", "source", "coverage", "width"))
    _check(intervals, "intervals", "level", "a number above 0 and below 1", _is_level)
    _check(intervals, "intervals", "source", "text", _is_text)
    _check(intervals, "intervals", "coverage", "a number from 0 to 1, or null", _or_none(_is_share))
    _check(intervals, "intervals", "width", "a number from 0, or null", _or_none(_is_size))
    drawn = about["drawn"]
    if not isinstance(drawn, list) or not drawn:
        raise _wrong("drawn", "a list", drawn)
    for number, one in enumerate(drawn):
        _check_drawn(one, f"drawn.{number}", meaning, about["backtest"]["folds"])


def _check_back_test(found: Any, meaning: Meaning, members: tuple[str, ...]) -> None:
    where, models, rivals = "backtest", (*MODELS, *members), (*BASELINES, *members)
    several = ("targets",) if meaning.targets > 1 else ()
    # Of several series those that are tested, where these are several.
    many = ("series",) if len(meaning.ids) > 1 and _has(found, "series") else ()
    own = ("folds", "horizon", "from", "to", "filled")
    test = _parts(found, where, (*own, *models, "better", *several, *many))
    _check(test, where, "folds", "a whole number above 0", lambda n: _is_count(n) and n > 0)
    _check(test, where, "horizon", f"{meaning.horizon}", lambda n: n == meaning.horizon)
    _check(test, where, "from", "text", _is_text)
    _check(test, where, "to", "text", _is_text)
    _check(test, where, "filled", "a whole number from 0", _is_count)
    _check_models(test, where, models)
    better = _parts(test["better"], f"{where}.better", rivals)
    for name in rivals:
        _check(better, f"{where}.better", name, "a number from 0 to 1", _is_share)
    if several:
        targets = _parts(test["targets"], f"{where}.targets", meaning.names)
        for name in meaning.names:
            place = f"{where}.targets.{name}"
            _check_models(_parts(targets[name], place, models), place, models)
    if many:
        series = _some(test["series"], f"{where}.series", meaning.ids)
        for id in series:
            place = f"{where}.series.{id}"
            mase = _parts(series[id], place, models)
            for name in models:
                _check(mase, place, name, "a number from 0, or null", _or_none(_is_size))


def _check_models(found: dict[str, Any], where: str, models: Collection[str]) -> None:
    for name in models:
        place = f"{where}.{name}"
        measures = _parts(found[name], place, ("mae", "rmse", "mase", "smape"))
        for measure in ("mae", "rmse", "smape"):
            _check(measures, place, measure, "a number from 0", _is_size)
        _check(measures, place, "mase", "a number from 0, or null", _or_none(_is_size))


def _check_errors(found: Any, meaning: Meaning) -> None:
    errors = _parts(found, "errors", ("ids", "other"))
    ids = _some(errors["ids"], "errors.ids", meaning.ids)
    shape = (meaning.horizon, meaning.targets)
    for where, one in (
        *((f"errors.ids.{name}", one) for name, one in ids.items()),
        ("errors.other", errors["other"]),
    ):
        sides = _parts(one, where, ("low", "high"))
        low, high = (_array(sides[side], f"{where}.{side}", shape) for side in ("low", "high"))
        if not (np.all(low <= 0) and np.all(high >= 0)):
            raise ValueError(f"{where}: expected low up to 0 and high from 0")


def _check_drawn(found: Any, where: str, meaning: Meaning, folds: int) -> None:
    own = ("id", "names", "history", "time", "truth", "low", "high")
    one = _parts(found, where, (*own, *MODELS))
    _check(one, where, "id", "text", _is_text)
    _check(one, where, "names", f"{list(meaning.names)}", lambda v: v == list(meaning.names))
    history = _parts(one["history"], f"{where}.history", ("time", "values"))
    times = _times(history["time"], f"{where}.history.time", None)
    _array(history["values"], f"{where}.history.values", (len(times), meaning.targets))
    ahead = _times(one["time"], f"{where}.time", (folds, meaning.horizon))
    if ahead.dtype.kind != times.dtype.kind:
        raise ValueError(f"{where}.time: expected times like those of the history")
    ends = [name for name in ("low", "high") if one[name] is not None]
    if len(ends) == 1:
        raise ValueError(f"{where}: expected both low and high, got {ends[0]}")
    for name in ("truth", *ends, *MODELS):
        _array(one[name], f"{where}.{name}", (folds, meaning.horizon, meaning.targets))


# -- the kinds of values --------------------------------------------------------------------------


def _parts(found: Any, where: str, names: Collection[str]) -> dict[str, Any]:
    """The object of these names, and of no others."""
    if not isinstance(found, dict) or set(found) != set(names):
        got = sorted(found) if isinstance(found, dict) else found
        raise _wrong(where, ", ".join(map(repr, names)), got)
    return found


def _some(found: Any, where: str, names: Collection[str]) -> dict[str, Any]:
    """The object of some of these names, and of no others."""
    if not isinstance(found, dict) or not found or not set(found) <= set(names):
        got = sorted(found) if isinstance(found, dict) else found
        raise _wrong(where, f"some of {', '.join(map(repr, names))}", got)
    return found


def _has(found: Any, name: str) -> bool:
    return isinstance(found, dict) and name in found


def _check(
    found: dict[str, Any], where: str, name: str, expected: str, good: Callable[[Any], bool]
) -> None:
    if not good(found[name]):
        raise _wrong(f"{where}.{name}", expected, found[name])


def _array(found: Any, where: str, shape: tuple[int, ...]) -> np.ndarray:
    """Nested lists of numbers of one shape."""

    def is_of(one: Any, shape: tuple[int, ...]) -> bool:
        if not shape:
            return _is_number(one)
        return (
            isinstance(one, list)
            and len(one) == shape[0]
            and all(is_of(part, shape[1:]) for part in one)
        )

    if not is_of(found, shape):
        raise _wrong(where, f"numbers of shape {shape}", found)
    return np.array(found, dtype=np.float64).reshape(shape)


def _times(found: Any, where: str, shape: tuple[int, int] | None) -> np.ndarray:
    """Times as text, all dates or all numbers; of any length in one list without a shape."""
    rows = [found] if shape is None else found
    good = isinstance(rows, list) and all(
        isinstance(row, list) and row and all(isinstance(one, str) for one in row) for row in rows
    )
    if good and shape is not None:
        good = [len(row) for row in rows] == [shape[1]] * shape[0]
    if good:
        flat = [one for row in rows for one in row]
        for kind in (np.float64, "datetime64[us]"):
            try:
                with warnings.catch_warnings():  # of zones, which our times have none of
                    warnings.simplefilter("error")
                    times = np.array(flat, dtype=kind)
            except (ValueError, OverflowError, Warning):
                continue
            years = times if times.dtype.kind == "f" else times.astype("datetime64[Y]")
            least, most = (-_LARGEST, _LARGEST) if times.dtype.kind == "f" else _YEARS
            if np.all((years >= least) & (years <= most)):  # NaN and NaT are not
                return times
    expected = "times" if shape is None else f"times of shape {shape}"
    raise _wrong(where, expected, found)


def _is_number(one: Any) -> bool:
    return type(one) in (int, float) and math.isfinite(one) and abs(one) <= _LARGEST


def _is_size(one: Any) -> bool:
    return _is_number(one) and one >= 0


def _is_share(one: Any) -> bool:
    return _is_number(one) and 0 <= one <= 1


def _is_level(one: Any) -> bool:
    return _is_number(one) and 0 < one < 1


def _is_count(one: Any) -> bool:
    return type(one) is int and 0 <= one < 2**53


def _is_text(one: Any) -> bool:
    return isinstance(one, str)


def _or_none(good: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda one: one is None or good(one)


def _wrong(where: str, expected: str, found: Any) -> ValueError:
    words = repr(found)
    got = words if len(words) <= 60 else f"{words[:57]}..."
    return ValueError(f"{where}: expected {expected}, got {got}".removeprefix(": "))
