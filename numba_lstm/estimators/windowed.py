"""How a forecaster learns from windows of series, and what it forecasts from."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from .. import checks, models
from .base import LOSSES, RecurrentEstimator
from .forecasting import checked_quantiles, forecast, pinball
from .samples import Samples
from .series import (
    ExogenousColumns,
    Form,
    WindowBatches,
    items_of,
    origins,
    read_series,
    tails,
)
from .times import check_following, check_same_times, last_times, time_index

__all__ = ["WindowedEstimator"]


class WindowedEstimator(RecurrentEstimator):
    """The base of LSTMForecaster; use that."""

    # The options of a forecaster alone.
    horizon: Any
    window: Any
    difference: Any
    loss: Any
    quantiles: Any

    # What fit sets.
    window_: int
    scaler_: Any

    def _prepare(self, incremental: bool, y: Any, X: Any) -> Any:
        first = self._begins(incremental)
        series, form = read_series("y", self, y, first)
        if first:
            self._settle(series, X is not None)
        values = self._beside(series, y, X, form, first)
        held_out = self._held_out(series)
        train, valid = origins(series, self.window_, self._horizon, held_out)
        if first:
            rows = np.arange(len(values)) - np.repeat(series.starts, series.lengths)
            trained = rows < np.repeat(series.lengths - held_out, series.lengths)
            self.scaler_ = self._scaler(values[trained])
            self.module_ = self._network(values.shape[1])
        values = self._scaled(values)
        self._form = form
        self._last_times = [last_times(one) for one in items_of(y, form)]
        self._ends = tails(series.replace(values), self.window_)
        batches = self._windows(values, train, self._seed() if self.shuffle else None)
        validation = self._windows(values, valid, None) if self.early_stopping else None
        return self._loss(), batches, validation, len(train)

    def _settle(self, series: Samples, has_exogenous: bool) -> None:
        """Keep those options that forecasts hang on, whatever becomes of the others later."""
        self._horizon = checks.size("horizon", self.horizon)
        self._difference = checks.flag("difference", self.difference)
        self._quantiles = checked_quantiles(self.quantiles)
        self._exogenous = ExogenousColumns() if has_exogenous else None
        if isinstance(self.window, str) and self.window == "auto":
            most = (int(series.lengths.min()) - self._horizon) // 2
            self.window_ = max(1, min(max(2 * self._horizon, 24), most))
        else:
            self.window_ = checks.size("window", self.window)

    def _held_out(self, series: Samples) -> np.ndarray:
        """How many rows at the end of each series validate: at least the horizon's."""
        if not self.early_stopping:
            return np.zeros(len(series), np.int64)
        share = np.ceil(self.validation_fraction * series.lengths).astype(np.int64)
        return np.maximum(share, self._horizon)

    def _windows(self, values: np.ndarray, begin: np.ndarray, seed: int | None) -> WindowBatches:
        return WindowBatches(
            values,
            begin,
            self.n_features_in_,
            self.window_,
            self._horizon,
            difference=self._difference,
            batch_size=self._batch_size(len(begin)),
            seed=seed,
        )

    def _network(self, columns: int) -> Any:
        return models.Forecaster(
            columns,
            self.hidden_size,
            self.n_features_in_ * len(self._quantiles or (0.5,)),
            self._horizon,
            future_size=columns - self.n_features_in_,
            **self._network_options(),
        )

    def _loss(self) -> Any:
        if self._quantiles is not None:
            return pinball(self._quantiles)
        return LOSSES[checks.choice("loss", self.loss, tuple(LOSSES))]

    # -- values ---------------------------------------------------------------------------------

    def _beside(self, series: Samples, y: Any, X: Any, form: Form, reset: bool) -> np.ndarray:
        """The rows of y and beside them those of X."""
        exogenous = self._exogenous_of(X, form, series.lengths, reset)
        _check_times(X, form, check_same_times, map(time_index, items_of(y, form)))
        return series.steps if exogenous is None else np.hstack([series.steps, exogenous.steps])

    def _exogenous_of(self, X: Any, form: Form, lengths: np.ndarray, reset: bool) -> Samples | None:
        """X, with so many rows beside each series; None where the model has no such columns."""
        if self._exogenous is None:
            if X is not None:
                raise ValueError("X: expected None, as in fit, got exogenous columns")
            return None
        if X is None:
            raise ValueError("X: expected exogenous columns, as in fit, got None")
        found, its_form = read_series("X", self._exogenous, X, reset)
        if its_form.many != form.many or len(found) != len(lengths):
            raise ValueError(f"X: expected {len(lengths)} series, as y has, got {len(found)}")
        for n in np.flatnonzero(found.lengths != lengths):
            which = f"X[{n}]" if form.many else "X"
            raise ValueError(f"{which}: expected {lengths[n]} rows, got {found.lengths[n]}")
        return found

    def _scaled(self, values: np.ndarray, columns: slice = slice(None)) -> np.ndarray:
        """Values of all columns, or of some, as the network takes them."""
        if self.scaler_ is not None:
            values = (values - self.scaler_.mean_[columns]) / self.scaler_.scale_[columns]
        return values.astype(np.float32)

    def _unscaled(self, values: np.ndarray) -> np.ndarray:
        """Values (…, k) or (…, k, quantiles) on the series' own scale, float64."""
        if self.scaler_ is None:
            return values.astype(np.float64)
        columns = slice(self.n_features_in_)
        mean, scale = self.scaler_.mean_[columns], self.scaler_.scale_[columns]
        return values * scale[:, None] + mean[:, None]

    def _forecast(self, y: Any, X: Any, horizon: int | None) -> tuple[np.ndarray, Form]:
        """The forecast (horizon, N, k, quantiles), and the form of the series."""
        check_is_fitted(self, "module_")
        block, columns = self._horizon, self.n_features_in_
        steps = block if horizon is None else checks.size("horizon", horizon)
        needed = -(-steps // block) * block
        if y is None:
            form, x = self._form, self._ends
            exogenous = self._exogenous_of(X, form, np.full(x.shape[1], needed), False)
            _check_times(X, form, check_following, self._last_times)
        else:
            series, form = read_series("y", self, y, False)
            for n in np.flatnonzero(series.lengths < self.window_):
                which = f"y[{n}]" if form.many else "y"
                raise ValueError(
                    f"{which}: expected at least the window's {self.window_} rows, "
                    f"got n_samples={series.lengths[n]}"
                )
            x = tails(series, self.window_)
            exogenous = self._exogenous_of(X, form, series.lengths + needed, False)
            _check_times(X, form, check_same_times, map(time_index, items_of(y, form)))
            if exogenous is not None:
                x = np.concatenate([x, tails(exogenous, self.window_, needed)], axis=-1)
            x = self._scaled(x)
        future = None
        if exogenous is not None:
            future = self._scaled(tails(exogenous, needed), slice(columns, None))
        found = forecast(self.module_, x, future, self._difference, columns, needed)
        return self._unscaled(found[:steps]), form


def _check_times(
    X: Any, form: Form, check: Callable[[str, Any, Any], None], times: Iterable[Any]
) -> None:
    """Check the times of the exogenous rows of each series by those of its y."""
    for n, (one, index) in enumerate(zip(items_of(X, form), times)):
        check(f"X[{n}]" if form.many else "X", one, index)
