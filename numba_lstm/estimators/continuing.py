"""What a forecaster reads, and what it goes on from: series of fit or others, and their times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import checks
from ..datasets.frequency import Frequency
from ..datasets.series import Series
from .forecasting import forecast
from .samples import Samples
from .series import (
    Form,
    NamedColumns,
    Reading,
    check_step,
    items_of,
    read_columns,
    read_series,
    with_known,
)
from .times import check_following, check_same_times, last_times, time_index
from .windowed import WindowedEstimator

__all__ = ["ContinuingEstimator"]


class ContinuingEstimator(WindowedEstimator):
    """The base of LSTMForecaster; use that."""

    # What fit sets.
    _form: Form
    _frequency: Frequency | None  # the step in time
    _inside: bool  # whether the columns known ahead stand in y, a `datasets.Series`
    _exogenous: NamedColumns | None
    _ends: np.ndarray  # (window, series, columns), scaled
    _last: list[Any]  # the last time of each series

    def _read(self, first: bool, y: Any, X: Any) -> Reading:
        series, form = read_series(self, y, first)
        ready = _ready(y)
        if first:
            self._inside = ready
            self._exogenous = None if X is None else NamedColumns()
            known = [one.frequency for one in series if one.frequency is not None]
            self._frequency = known[0] if known else None
            self._set_window(series)
        check_step(series, form, self._frequency, "another series has" if first else "in fit")
        self._check_kind(ready)
        if ready and X is not None:
            raise ValueError("X: expected None with a datasets.Series, which has its own columns")
        lengths = np.array([len(one) for one in series])
        if not ready:
            exogenous = self._exogenous_of(X, form, lengths, first)
            if exogenous is not None:
                _check_times(X, form, check_same_times, map(time_index, items_of(y, form)))
            series = with_known(series, exogenous)
        columns = (series[0].targets, len(series[0].known), series[0].values.shape[1])
        if not first and columns != self._columns:
            raise ValueError(f"y: expected columns as in fit, {self._columns}, got {columns}")
        if ready and first and columns[1]:
            self._exogenous = NamedColumns()
            self._exogenous.n_features_in_ = columns[1]
        return Reading(series, form, columns, [last_times(one) for one in items_of(y, form)])

    def _check_kind(self, ready: bool) -> None:
        if ready != self._inside:
            expected = "a datasets.Series" if self._inside else "an array or a frame"
            raise TypeError(f"y: expected {expected}, as in fit, got another kind")

    def _keep_form(self, reading: Reading) -> None:
        _, self._form, self._columns, self._last_times = reading

    def _keep_ends(self, series: Sequence[Series]) -> None:
        self._ends = self._tails(series)
        self._last = [one.time[-1] for one in series]

    def _tails(self, series: Sequence[Series]) -> np.ndarray:
        """The last windows, (window, series, columns), scaled."""
        last = [one.part(len(one) - self.window_) for one in series]
        rows = self._values(last).reshape(len(last), self.window_, -1)
        return np.ascontiguousarray(rows.swapaxes(0, 1))

    def _exogenous_of(self, X: Any, form: Form, lengths: np.ndarray, reset: bool) -> Samples | None:
        """X, with so many rows beside each series; None where the model has no such columns."""
        if self._exogenous is None:
            if X is not None:
                raise ValueError("X: expected None, as in fit, got exogenous columns")
            return None
        if X is None:
            raise ValueError("X: expected exogenous columns, as in fit, got None")
        found, its_form = read_columns("X", self._exogenous, X, reset)
        if its_form.many != form.many or len(found) != len(lengths):
            raise ValueError(f"X: expected {len(lengths)} series, as y has, got {len(found)}")
        for n in np.flatnonzero(found.lengths != lengths):
            which = f"X[{n}]" if form.many else "X"
            raise ValueError(f"{which}: expected {lengths[n]} rows, got {found.lengths[n]}")
        return found

    # -- forecasts --------------------------------------------------------------------------------

    def _forecast(self, y: Any, X: Any, horizon: int | None) -> tuple[np.ndarray, Form]:
        """The forecast (horizon, N, k, quantiles), and the form of the series."""
        check_is_fitted(self, "module_")
        targets, known, width = self._columns
        steps = self._horizon if horizon is None else checks.size("horizon", horizon)
        if steps > self._horizon and width > targets + known:
            raise ValueError(
                f"horizon: expected at most {self._horizon}, as there are columns that are known "
                f"of the past only, got {steps}"
            )
        needed = -(-steps // self._horizon) * self._horizon
        x, last, exogenous, form = self._ahead(y, X, needed)
        future = None
        if exogenous is not None:
            rows = exogenous.steps.reshape(len(exogenous), needed, -1)
            future = self._scaled_known(rows.swapaxes(0, 1))
        found = self._unscaled(forecast(self.module_, x, future, targets, needed)[:steps])
        return found + self._regular(last, steps)[..., None], form

    def _ahead(
        self, y: Any, X: Any, needed: int
    ) -> tuple[np.ndarray, list[Any], Samples | None, Form]:
        """Windows, their last times, what is known of the steps ahead, and the form of y."""
        if y is None:
            count = self._ends.shape[1]
            exogenous = self._exogenous_of(X, self._form, np.full(count, needed), False)
            _check_times(X, self._form, check_following, self._last_times)
            return self._ends, self._last, exogenous, self._form
        self._check_kind(_ready(y))
        series, form = read_series(self, y, False)
        check_step(series, form, self._frequency, "in fit")
        for n, one in enumerate(series):
            if len(one) < self.window_:
                which = f"y[{n}]" if form.many else "y"
                raise ValueError(
                    f"{which}: expected at least the window's {self.window_} rows, "
                    f"got n_samples={len(one)}"
                )
        lengths = np.array([len(one) for one in series])
        if self._inside:
            exogenous = self._exogenous_of(X, form, np.full(len(series), needed), False)
        else:
            exogenous = self._exogenous_of(X, form, lengths + needed, False)
            _check_times(X, form, check_same_times, map(time_index, items_of(y, form)))
            if exogenous is not None:
                before, exogenous = _split(exogenous, needed)
                series = with_known(series, before)
        self._check_calendar(series)
        return self._tails(series), [one.time[-1] for one in series], exogenous, form

    def _check_calendar(self, series: Sequence[Series]) -> None:
        if self.seasonal_.found and any(one.time.dtype.kind != "M" for one in series):
            raise ValueError("y: expected times, as in fit, whose season is known by them")

    def _scaled_known(self, values: np.ndarray) -> np.ndarray:
        """Columns that are known ahead, as the forecasters take them."""
        if self.scaler_ is not None:
            known = self._columns[1]
            values = (values - self.scaler_.mean[-known:]) / self.scaler_.scale[-known:]
        return np.ascontiguousarray(values, dtype=np.float32)

    def _regular(self, last: Sequence[Any], steps: int) -> np.ndarray:
        """The season of the steps ahead, (steps, N, k)."""
        targets = self._columns[0]
        frequency = self.seasonal_.frequency
        if not self.seasonal_.found or frequency is None:
            return np.zeros((steps, len(last), targets))
        effects = [self.seasonal_.effect(frequency.after(time, steps)) for time in last]
        return np.stack(effects, axis=1)[..., :targets]


def _ready(y: Any) -> bool:
    """Whether y is a `datasets.Series` or a list of them."""
    first = y[0] if isinstance(y, (list, tuple)) and y else y
    return isinstance(first, Series)


def _split(exogenous: Samples, needed: int) -> tuple[Samples, Samples]:
    """Rows beside a series, and those of the steps ahead."""
    lengths = exogenous.lengths - needed
    parts = np.split(exogenous.steps, exogenous.starts[1:])
    before = np.concatenate([one[:length] for one, length in zip(parts, lengths)])
    after = np.concatenate([one[length:] for one, length in zip(parts, lengths)])
    return Samples(before, lengths), Samples(after, np.full(len(parts), needed))


def _check_times(
    X: Any, form: Form, check: Callable[[str, Any, Any], None], times: Iterable[Any]
) -> None:
    """Check the times of the exogenous rows of each series by those of its y."""
    for n, (one, index) in enumerate(zip(items_of(X, form), times)):
        check(f"X[{n}]" if form.many else "X", one, index)
