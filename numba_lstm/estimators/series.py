"""What a forecaster is given, in one form: a `datasets.Series` for each series."""

from __future__ import annotations

import numbers
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_array, validate_data

from ..datasets.frequency import Frequency
from ..datasets.regularity import regular, values_there
from ..datasets.series import Series, shown
from ..user_warning import warn
from .samples import Samples, is_many, read_many
from .times import check_times, moments, time_index
from .values import check_values, named

__all__ = [
    "Form",
    "NamedColumns",
    "Reading",
    "check_step",
    "items_of",
    "read_columns",
    "read_series",
    "with_known",
    "without_gaps",
]

_FLOATS = [np.float64, np.float32]


class NamedColumns(BaseEstimator):
    """Remembers the number and the names of columns, as an estimator does of its own."""


class Form(NamedTuple):
    """How a caller's series came.

    Attributes
    ----------
    many : bool
        Whether they were several.
    columns : bool
        Whether each had an axis of columns.
    """

    many: bool
    columns: bool

    def of_forecast(self, found: np.ndarray) -> np.ndarray:
        """A forecast (horizon, N, k, …) in this form: ([N,] horizon[, k], …)."""
        found = found.swapaxes(0, 1)
        if not self.columns:
            found = found[:, :, 0]
        return np.ascontiguousarray(found if self.many else found[0])


class Reading(NamedTuple):
    """What a forecaster read.

    Attributes
    ----------
    series : list of Series
        With all columns: those that are forecast, those of the past, those known ahead. Without
        gaps.
    real : list of numpy.ndarray or None
        (T, columns) of each, whether a value was there before gaps were filled; None where all
        were.
    dates : list of numpy.ndarray or None
        When each row is, also where rows are taken for steps; None where series have no times.
    form : Form
    columns : tuple of int
        How many are forecast, how many are known ahead, and how many there are.
    last_times : list
        The last times of each series as it came, for what follows it; None where it had none.
    """

    series: list[Series]
    real: list[np.ndarray | None]
    dates: list[np.ndarray] | None
    form: Form
    columns: tuple[int, int, int]
    last_times: list[Any]


def read_series(owner: Any, y: Any, reset: bool) -> tuple[list[Series], Form]:
    """Bring y to one form: its columns, those that are forecast first, and its times.

    Parameters
    ----------
    owner : estimator
        It keeps the number and the names of the columns.
    y : array_like, list or datasets.Series
        As `read_columns` takes it, whose columns are all forecast; or a `datasets.Series` or a list
        of them.
    reset : bool
        Whether these are the first that `owner` sees.

    Returns
    -------
    list of Series
        Their columns are the targets, then those of which only the past is known, then those known
        ahead.
    Form

    Raises
    ------
    TypeError, ValueError
        Naming y.
    """
    several = isinstance(y, (list, tuple))
    items = list(y) if several else [y]
    if any(isinstance(one, Series) for one in items):
        return _read_ready(owner, items, reset), Form(several, True)
    samples, form = read_columns("y", owner, y, reset)
    names = tuple(f"y {column}" for column in range(samples.steps.shape[1]))
    found = []
    parts = np.split(samples.steps, samples.starts[1:])
    for n, (one, item) in enumerate(zip(parts, _each(y, form, samples))):
        time = moments(item)
        time = np.arange(len(one)) if time is None or len(time) != len(one) else time
        source = f"y[{n}]" if form.many else "y"
        found.append(Series(one, time, names, one.shape[1], source=source))
    return found, form


def _read_ready(owner: Any, items: list[Any], reset: bool) -> list[Series]:
    """Those that are `datasets.Series` already."""
    found = []
    for n, one in enumerate(items):
        which = f"y[{n}]" if len(items) > 1 else "y"
        if not isinstance(one, Series):
            raise TypeError(f"{which}: expected a datasets.Series, got {type(one).__name__}")
        order = list(one.names[: one.targets])
        order += [name for name in one.names if name not in order and name not in one.known]
        order += one.known
        columns = [one.names.index(name) for name in order]
        values = one.values[:, columns]
        about = one.frequency, one.id, which
        found.append(Series(values, one.time, tuple(order), one.targets, one.known, *about))
        first = found[0]
        if (found[n].names, found[n].targets, found[n].known) != (
            first.names,
            first.targets,
            first.known,
        ):
            raise ValueError(f"{which}: expected the columns {first.names}, got {found[n].names}")
    with named("y"):
        validate_data(owner, found[0].values, skip_check_array=True, reset=reset)
    return found


def without_gaps(
    series: Sequence[Series], gaps: str
) -> tuple[list[Series], list[np.ndarray | None], list[np.ndarray]]:
    """Fill or refuse what is missing, as ``train forecast`` does.

    First rows without any target are left out.

    Parameters
    ----------
    series : list of Series
    gaps : str
        As `datasets.regular` takes it.

    Returns
    -------
    series : list of Series
    real : list of numpy.ndarray or None
        As `Reading` has them.
    dates : list of numpy.ndarray

    Raises
    ------
    ValueError
        Naming y: more is missing than may be filled, the rows keep no step, or the last row has no
        target.

    Warns
    -----
    UserWarning
        Of what was filled or left out.
    """
    found, real, dates = [], [], []
    for one in series:
        there = np.flatnonzero(~np.isnan(one.target).all(axis=1))
        if not there.size or there[-1] != len(one) - 1:
            raise ValueError(
                f"{one.source}: expected a value in the last row, from which forecasts go on, got "
                f"none at {shown(one.time[-1])}"
            )
        cut = one.part(int(there[0])) if there[0] else one
        try:
            whole = regular(cut, gaps)
        except ValueError as error:
            raise ValueError(f"{error} (gaps=)") from None
        for note in whole.notes[len(one.notes) :]:
            warn(f"{one.source}: {note}")
        found.append(whole)
        real.append(values_there(cut, whole))
        dates.append(cut.time if len(cut) == len(whole) else whole.time)
    return found, real, dates


def check_step(
    series: Sequence[Series], form: Form, frequency: Frequency | None, origin: str
) -> None:
    """Refuse series of another step in time: their season would come at another pace.

    Dates and plain numbers cannot be compared. A few dates may look like another step than all of
    them, such as Monday to Friday of business days: they need only follow each other.

    Parameters
    ----------
    series : list of Series
    form : Form
    frequency : Frequency or None
        The step that is expected; None where it is not known.
    origin : str
        Whose step that is, for messages.

    Raises
    ------
    ValueError
        Naming the series in y.
    """
    for n, one in enumerate(series):
        if frequency is None or one.frequency in (None, frequency):
            continue
        if (one.time.dtype.kind == "M") != (frequency.unit != "step"):
            continue
        if not np.allclose(np.diff(frequency.places(one.time)), 1.0, atol=0.01):
            which = f"y[{n}]" if form.many else "y"
            raise ValueError(
                f"{which}: expected a step of {frequency.words}, as {origin}, "
                f"got {one.frequency.words}"
            )


def _each(value: Any, form: Form, samples: Samples) -> Sequence[Any]:
    """What a caller gave for each series; for those of one array, the array each time."""
    items = items_of(value, form)
    return items if len(items) == len(samples) else [None] * len(samples)


def with_known(series: Sequence[Series], exogenous: Samples | None) -> list[Series]:
    """Put columns that are known ahead beside series, as many rows as these have."""
    if exogenous is None:
        return list(series)
    names = [f"X {column}" for column in range(exogenous.steps.shape[1])]
    return [
        one.with_columns(exogenous.steps[start : start + len(one)], names, known=True)
        for one, start in zip(series, exogenous.starts)
    ]


def read_columns(name: str, owner: Any, value: Any, reset: bool) -> tuple[Samples, Form]:
    """Bring one table of columns or several to one form.

    Parameters
    ----------
    name : str
        What messages call it.
    owner : estimator
        It keeps the number and the names of the columns.
    value : array_like or list
        One series, (T,) or (T, k); several, (N, T, k), or a list of (T_n,) or (T_n, k).
    reset : bool
        Whether these are the first that `owner` sees.

    Returns
    -------
    Samples
        Float64 values, one sequence a series.
    Form

    Raises
    ------
    TypeError, ValueError
        Naming the argument: one number, values that are no finite numbers, times, masked values, no
        rows, other columns than before, a frame whose index is not in order of time. NaN is taken
        where a frame or series of pandas has times: it is missing then, as a row may be.
    """
    if isinstance(value, numbers.Number):
        raise TypeError(f"{name}: expected a series, got {value!r}")
    check_values(name, value)
    with named(name):
        samples, form = _read(name, owner, value, reset)
    for n, one in enumerate(items_of(value, form)):
        check_times(f"{name}[{n}]" if form.many else name, one)
    return samples.replace(samples.steps.astype(np.float64, copy=False)), form


def items_of(value: Any, form: Form) -> Sequence[Any]:
    """What a caller gave for each series; an array of several is one thing."""
    return value if form.many and is_many(value) else [value]


def _read(name: str, owner: Any, value: Any, reset: bool) -> tuple[Samples, Form]:
    if is_many(value):
        samples = read_many(name, value, owner, [time_index(one) is not None for one in value])
        form = Form(True, np.ndim(value[0]) == 2)
        features = value[0] if hasattr(value[0], "columns") else samples.steps
    else:
        array = check_array(
            value,
            dtype=_FLOATS,
            ensure_2d=False,
            allow_nd=True,
            ensure_all_finite=True if time_index(value) is None else "allow-nan",
            input_name=name,
            estimator=owner,
        )
        if array.ndim not in (1, 2, 3) or 0 in array.shape:
            raise ValueError(
                f"{name}: expected (time,), (time, columns) or (series, time, columns), "
                f"got shape {array.shape}"
            )
        if array.ndim == 1 and not reset and owner.n_features_in_ != 1:
            raise ValueError(
                f"{name}: expected {owner.n_features_in_} columns, as in fit, got shape "
                f"{array.shape}. Reshape your data: array.reshape(1, -1) if it is one row"
            )
        form = Form(array.ndim == 3, array.ndim > 1)
        count, length = (array.shape if form.many else (1, *array.shape))[:2]
        steps = array.reshape(count * length, -1)
        samples = Samples(steps, np.full(count, length, np.int64))
        features = value if array.ndim == 2 else steps
    validate_data(owner, features, skip_check_array=True, reset=reset)
    return samples, form
