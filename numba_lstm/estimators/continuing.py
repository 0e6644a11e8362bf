"""What a forecaster reads, and what it goes on from: series of fit or others, and their times."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import checks
from ..datasets.series import Series
from ..datasets.series_scaling import SeriesScaler
from ..training.windowed.rows import Rows
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
    without_gaps,
)
from .times import check_following, check_same_times, last_times, moments, time_index
from .windowed import WindowedEstimator

__all__ = ["ContinuingEstimator"]


class ContinuingEstimator(WindowedEstimator):
    """The base of LSTMForecaster; use that."""

    # What fit sets.
    _form: Form
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
        self._check_kind(ready)
        if ready and X is not None:
            raise ValueError("X: expected None with a datasets.Series, which has its own columns")
        lengths = np.array([len(one) for one in series])
        if not ready:
            exogenous = self._exogenous_of(X, form, lengths, first)
            if exogenous is not None:
                _check_times(X, form, check_same_times, map(time_index, items_of(y, form)))
            series = with_known(series, exogenous)
        series, real, dates = without_gaps(series, self._gaps)
        if first:
            known = [one.frequency for one in series if one.frequency is not None]
            self._frequency = known[0] if known else None
            self._set_window(series)
        check_step(series, form, self._frequency, "another series has" if first else "in fit")
        columns = (series[0].targets, len(series[0].known), series[0].values.shape[1])
        if not first and columns != self._columns:
            raise ValueError(f"y: expected columns as in fit, {self._columns}, got {columns}")
        if ready and first and columns[1]:
            self._exogenous = NamedColumns()
            self._exogenous.n_features_in_ = columns[1]
        timed = ready or all(moments(one) is not None for one in items_of(y, form))
        last = [last_times(one) for one in items_of(y, form)]
        return Reading(series, real, dates if timed else None, form, columns, last)

    def _check_kind(self, ready: bool) -> None:
        if ready != self._inside:
            expected = "a datasets.Series" if self._inside else "an array or a frame"
            raise TypeError(f"y: expected {expected}, as in fit, got another kind")

    def _keep_form(self, reading: Reading) -> None:
        self._form, self._columns, self._last_times = reading[3:]

    def _keep_ends(self, reading: Reading) -> None:
        self._ends = self._tails(reading.series, reading.real, self.scalers_)
        self._last = [one.time[-1] for one in reading.series]

    def _tails(
        self,
        series: Sequence[Series],
        real: Sequence[np.ndarray | None],
        scalers: Sequence[SeriesScaler],
    ) -> np.ndarray:
        """The last windows as they are known at the end, (window, series, columns), scaled."""
        rows = Rows.of(series, scalers, real, np.float32)
        ends = rows.starts + [len(one) for one in series]
        return np.ascontiguousarray(rows.before(ends, self.window_))

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

    def _forecast(self, y: Any, X: Any, horizon: int | None) -> tuple[np.ndarray, Form, np.ndarray]:
        """The forecast (horizon, N, k, quantiles), the form of the series, and their scales."""
        check_is_fitted(self, "module_")
        targets, known, width = self._columns
        steps = self._horizon if horizon is None else checks.size("horizon", horizon)
        if steps > self._horizon and width > targets + known:
            raise ValueError(
                f"horizon: expected at most {self._horizon}, as there are columns that are known "
                f"of the past only, got {steps}"
            )
        needed = -(-steps // self._horizon) * self._horizon
        x, scalers, last, exogenous, form = self._ahead(y, X, needed)
        mean, scale = (
            np.stack([getattr(one.scaler, name) for one in scalers]) for name in ("mean", "scale")
        )
        future = None
        if exogenous is not None:
            if np.isnan(exogenous.steps).any():
                raise ValueError("X: expected numbers for all steps ahead, got NaN")
            rows = exogenous.steps.reshape(len(exogenous), needed, -1).swapaxes(0, 1)
            scaled = (rows - mean[:, -known:]) / scale[:, -known:]
            future = np.ascontiguousarray(scaled, dtype=np.float32)
        said = forecast(self.module_, x, future, targets, needed)[:steps].astype(np.float64)
        found = said * scale[:, :targets, None] + mean[:, :targets, None]
        found += self._regular(scalers, last, steps)[..., None]
        return found, form, scale[:, :targets]

    def _ahead(
        self, y: Any, X: Any, needed: int
    ) -> tuple[np.ndarray, list[SeriesScaler], list[Any], Samples | None, Form]:
        """Windows, their scalers and last times, what is known ahead, and the form of y."""
        if y is None:
            count = self._ends.shape[1]
            exogenous = self._exogenous_of(X, self._form, np.full(count, needed), False)
            _check_times(X, self._form, check_following, self._last_times)
            return self._ends, self.scalers_, self._last, exogenous, self._form
        self._check_kind(_ready(y))
        series, form = read_series(self, y, False)
        lengths = np.array([len(one) for one in series])
        if self._inside:
            exogenous = self._exogenous_of(X, form, np.full(len(series), needed), False)
        else:
            exogenous = self._exogenous_of(X, form, lengths + needed, False)
            _check_times(X, form, check_same_times, map(time_index, items_of(y, form)))
            if exogenous is not None:
                before, exogenous = _split(exogenous, needed)
                series = with_known(series, before)
        series, real, _ = without_gaps(series, self._gaps)
        check_step(series, form, self._frequency, "in fit")
        for one in series:
            if len(one) < self.window_:
                raise ValueError(
                    f"{one.source}: expected at least the window's {self.window_} rows, "
                    f"got n_samples={len(one)}"
                )
        self._check_calendar(series)
        scalers = [self._scaling.of(one) for one in series]
        tails = self._tails(series, real, scalers)
        return tails, scalers, [one.time[-1] for one in series], exogenous, form

    def _check_calendar(self, series: Sequence[Series]) -> None:
        found = self._scaling.others.seasonal.found
        if found and any(one.time.dtype.kind != "M" for one in series):
            raise ValueError("y: expected times, as in fit, whose season is known by them")

    def _regular(
        self, scalers: Sequence[SeriesScaler], last: Sequence[Any], steps: int
    ) -> np.ndarray:
        """The season of the steps ahead, (steps, N, k)."""
        effects = np.zeros((steps, len(last), self._columns[0]))
        for n, (one, time) in enumerate(zip(scalers, last)):
            if one.seasonal.found:
                assert self._frequency is not None
                times = self._frequency.after(time, steps)
                effects[:, n] = one.seasonal.effect(times)[:, : self._columns[0]]
        return effects


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
