"""How a forecaster learns from windows of series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import checks, models, training
from ..datasets.scaling import Scaler
from ..datasets.seasonal import Deseasonalizer
from ..datasets.series import Series
from ..datasets.sizes import sizes_apart
from ..datasets.windowing import WindowBatches, origins_in
from ..models.forecast_losses import of_each, pinball
from ..models.members import Members
from ..training.linear_forecasts import best_ridge, outputs_of, solve_linear, targets_of
from ..user_warning import warn
from .base import LOSSES, ROWS, RecurrentEstimator
from .forecasting import by_quantile, checked_quantiles, median
from .series import Reading

__all__ = ["WindowedEstimator"]

# The penalty of the linear forecasters, where no part is set aside that could tell.
_RIDGE = 0.1


class WindowedEstimator(RecurrentEstimator):
    """The base of LSTMForecaster; use that.

    A subclass reads the series; here networks and linear forecasters are made, trained on windows,
    and put together.
    """

    _MORE_EARLY_STOPPING = ("auto",)

    # The options of a forecaster alone.
    horizon: Any
    window: Any
    normalize: Any
    deseasonalize: Any
    linear: Any
    n_estimators: Any
    loss: Any
    quantiles: Any
    refit: Any

    # What fit sets.
    module_: models.Combination
    seasonal_: Deseasonalizer
    scaler_: Scaler | None
    weights_: dict[str, float]
    window_: int
    _horizon: int
    _quantiles: tuple[float, ...] | None
    _columns: tuple[int, int, int]  # those forecast, those known ahead, all
    _members: Members
    _ridges: dict[str, float]  # the linear forecasters' penalties
    _seen: bool  # whether the networks have trained on rows up to the end of a series
    _errors: np.ndarray | None  # (windows that validate, horizon, targets)

    def _read(self, first: bool, y: Any, X: Any) -> Reading:
        """Read the series; only where they are the first, keep what kind they are of."""
        raise NotImplementedError

    def _keep_form(self, reading: Reading) -> None:
        """Keep in which form they came, which forecasts without others are given in."""
        raise NotImplementedError

    def _keep_ends(self, series: Sequence[Series]) -> None:
        """Keep what forecasts go on from."""
        raise NotImplementedError

    def _fit(self, incremental: bool, *data: Any) -> Any:
        before = dict(self.__dict__)
        try:
            first = self._begins(incremental)
            if first:
                self._settle()
            reading = self._read(first, *data)
            self._keep_form(reading)
            series = reading.series
            held = self._held_out(series, incremental)
            if first:
                self._measure(series, held)
                told = sizes_apart([one.target for one in series])
                if told is not None:
                    warn(f"y: {told}")
            train, valid = self._batches(series, held, self.shuffle)
            if first:
                self._members = self._make_members(self._seeds())
                self._ridges = self._solve(self._members, train, valid)
                groups = self._members.groups
                self.module_ = self._members.combined()
                self.weights_ = dict.fromkeys(groups, 1 / len(groups))
            # Errors tell of networks that had not trained on the part set aside.
            self._errors = None
            self._seen = valid is None or (not first and self._seen)
            self._keep_ends(series)
        except BaseException:
            self.__dict__ = before
            raise
        if not first and not incremental:
            self._solve_again(series, train, valid)
        # The networks alone: by gradients the combination's weights would no longer sum to 1.
        loss, together = of_each(self._loss()), self._members.together
        history = self._train(loss, train, valid, len(train.origins), incremental, together)
        if valid is not None and not self._seen:
            self._weigh(self._members, valid)
            if first and self.refit:
                self._fit_again(series, history.best_epoch or 1)
        return self

    def _settle(self) -> None:
        """Check and keep those options that forecasts hang on, whatever becomes of them later."""
        self._horizon = checks.size("horizon", self.horizon)
        self._quantiles = checked_quantiles(self.quantiles)
        if self.normalize != "auto" and self.normalize is not None:
            checks.choice("normalize", self.normalize, ("auto", "last"))
        for name in ("deseasonalize", "linear", "refit"):
            checks.flag(name, getattr(self, name))
        checks.size("n_estimators", self.n_estimators)
        self._loss()

    def _set_window(self, series: Sequence[Series]) -> None:
        if isinstance(self.window, str) and self.window == "auto":
            frequency = series[0].frequency
            season = 1 if frequency is None else frequency.season
            most = (min(map(len, series)) - self._horizon) // 3
            self.window_ = max(1, min(max(2 * self._horizon, 2 * season, 28), most))
        else:
            self.window_ = checks.size("window", self.window)

    def _held_out(self, series: Sequence[Series], incremental: bool) -> np.ndarray | None:
        """How many rows at the end of each series validate, at least the horizon's; or None."""
        lengths = np.array([len(one) for one in series])
        validates = bool(self.early_stopping) and not incremental
        share = np.ceil(self.validation_fraction * lengths).astype(np.int64)
        held = np.maximum(share, self._horizon) * validates
        need = self.window_ + self._horizon
        if self.early_stopping == "auto" and (lengths - held < need).any():
            held = np.zeros_like(held)
        self._check_lengths(lengths, held)
        return held if held.any() else None

    def _check_lengths(self, lengths: np.ndarray, held: np.ndarray) -> None:
        """Refuse series without a window to train on, or to score."""
        need = self.window_ + self._horizon
        short = np.flatnonzero(lengths - held < need)
        if len(short):
            n = short[0]
            which = f"y[{n}]" if len(lengths) > 1 else "y"
            more = f", and {held[n]} more to validate on" if held[n] else ""
            raise ValueError(
                f"{which}: expected at least window + horizon = {need} rows{more}, "
                f"got n_samples={lengths[n]}"
            )

    # -- values -----------------------------------------------------------------------------------

    def _measure(self, series: Sequence[Series], held: np.ndarray | None) -> None:
        """Find the season and the scale of the part that trains."""
        cuts = np.zeros(len(series), np.int64) if held is None else held
        parts = [one.part(None, len(one) - cut) for one, cut in zip(series, cuts)]
        if self.deseasonalize:
            self.seasonal_ = Deseasonalizer.fit(parts)
        else:
            self.seasonal_ = Deseasonalizer.of_nothing(series[0].names)
        self.scaler_ = self._scaler(
            np.concatenate([self.seasonal_.transform(one).values for one in parts])
        )

    def _values(self, series: Sequence[Series]) -> np.ndarray:
        """The rows of all series beneath each other, as the forecasters take them."""
        values = np.concatenate([self.seasonal_.transform(one).values for one in series])
        return self._scaled(values)

    def _scaled(self, values: np.ndarray) -> np.ndarray:
        if self.scaler_ is not None:
            values = self.scaler_.transform(values)
        return values.astype(np.float32)

    def _unscaled(self, values: np.ndarray) -> np.ndarray:
        """Values (…, k, quantiles) of the targets on their own scale, float64."""
        if self.scaler_ is None:
            return values.astype(np.float64)
        return np.moveaxis(self.scaler_.inverse(np.moveaxis(values, -2, -1)), -1, -2)

    def _batches(
        self, series: Sequence[Series], held: np.ndarray | None, shuffle: bool
    ) -> tuple[WindowBatches, WindowBatches | None]:
        """Windows that train and those that validate, if any do."""
        lengths = np.array([len(one) for one in series])
        train, valid = origins_in(lengths, self.window_, self._horizon, held)
        values = self._values(series)
        batches = self._windows(values, train, self._seed() if shuffle else None)
        return batches, None if held is None else self._windows(values, valid, None, ROWS)

    def _windows(
        self, values: np.ndarray, origins: np.ndarray, seed: int | None, size: int | None = None
    ) -> WindowBatches:
        targets, known, width = self._columns
        return WindowBatches(
            values,
            origins,
            self.window_,
            self._horizon,
            targets=targets,
            known=tuple(range(width - known, width)),
            batch_size=self._batch_size(len(origins)) if size is None else size,
            seed=seed,
        )

    # -- forecasters ------------------------------------------------------------------------------

    def _kinds(self) -> tuple[str | None, ...]:
        return (None, "last") if self.normalize == "auto" else (self.normalize,)

    def _seeds(self) -> list[int]:
        """One for each network; kept, so that the second fit begins as the first."""
        self._network_seeds = [self._seed() for _ in range(len(self._kinds()) * self.n_estimators)]
        return self._network_seeds

    def _make_members(self, seeds: Sequence[int]) -> Members:
        """Networks to be trained, and linear forecasters to be solved."""
        targets, known, width = self._columns
        outputs = targets * len(self._quantiles or (0.5,))
        network = {**self._network_options(), "future_size": known, "targets": targets}
        networks: dict[str, list[models.Forecaster]] = {}
        lines, left = {}, list(seeds)
        for kind in self._kinds():
            suffix = "" if kind is None else f" {kind}"
            group = networks.setdefault(f"{self.cell}{suffix}", [])
            for _ in range(self.n_estimators):
                network.update(normalize=kind, seed=left.pop(0))
                size = self.hidden_size
                group.append(models.Forecaster(width, size, outputs, self._horizon, **network))
            about: dict[str, Any] = {
                "future_size": known,
                "normalize": kind,
                "targets": targets,
                "seed": 0,
            }
            for alone in self._alone():
                reads = targets if alone else width
                lines[f"linear{suffix}{' alone' if alone else ''}"] = models.LinearForecaster(
                    width, outputs, self._horizon, self.window_, reads=reads, **about
                )
        return Members(networks, lines)

    def _solve(
        self,
        members: Members,
        train: WindowBatches,
        valid: WindowBatches | None,
        ridges: dict[str, float] | None = None,
    ) -> dict[str, float]:
        """Solve the linear forecasters on `train`; their penalties, found where none are given."""
        found = {}
        for name, line in members.lines.items():
            if ridges is not None:
                found[name] = ridges[name]
            else:
                found[name] = _RIDGE if valid is None else best_ridge(line, train, valid)
            solve_linear(line, train, found[name], self._quantiles)
        return found

    def _solve_again(
        self, series: Sequence[Series], train: WindowBatches, valid: WindowBatches | None
    ) -> None:
        """Solve them on the series of a fit that goes on: on all rows, if no weights follow."""
        if self._seen:
            rows, _ = self._batches(series, None, False)
            self._solve(self._members, rows, None, self._ridges)
        else:
            self._ridges = self._solve(self._members, train, valid)

    def _alone(self) -> tuple[bool, ...]:
        """Which linear forecasters there are: of all columns, and of the targets alone."""
        targets, known, width = self._columns
        if not self.linear:
            return ()
        return (False, True) if width > targets + known else (False,)

    def _loss(self) -> Any:
        if self._quantiles is not None:
            return pinball(self._quantiles)
        return LOSSES[checks.choice("loss", self.loss, tuple(LOSSES))]

    def _weigh(self, members: Members, valid: WindowBatches) -> None:
        """Find the weights with which the part that was set aside is forecast best."""
        truth = targets_of(valid)
        forecasts = {
            name: np.mean([outputs_of(one.eval(), valid) for one in group], axis=0)
            for name, group in members.groups.items()
        }
        loss = None
        if self._quantiles is not None:
            measure = pinball(self._quantiles)

            def loss(found: np.ndarray, true: np.ndarray) -> float:
                in_order = by_quantile(found, true.shape[-1]).reshape(found.shape)
                return float(measure(in_order, true, with_gradient=False)[0])

        weights = models.combination_weights(list(forecasts.values()), truth, loss)
        self.weights_ = dict(zip(forecasts, weights.tolist()))
        self.module_ = members.combined(self.weights_)
        found = sum(weight * one for weight, one in zip(weights, forecasts.values()))
        errors = truth - median(by_quantile(np.asarray(found), truth.shape[-1]))
        if self.scaler_ is not None:
            errors = errors * self.scaler_.scale[: self._columns[0]]
        self._errors = errors.swapaxes(0, 1).astype(np.float64)

    def _fit_again(self, series: Sequence[Series], epochs: int) -> None:
        """Train as many epochs as were best on all rows, those that validated with them."""
        before = dict(self.__dict__)
        try:
            self._measure(series, None)
            train, _ = self._batches(series, None, self.shuffle)
            members = self._make_members(self._network_seeds)
            self._solve(members, train, None, self._ridges)
            self._learn_again(members, train, epochs)
            self.module_ = members.combined(self.weights_)
            self._members, self._seen = members, True
            self._keep_ends(series)
        except BaseException:
            self.__dict__ = before  # the first fit's forecasts are whole
            raise

    def _learn_again(self, members: Members, train: WindowBatches, epochs: int) -> None:
        optimizer = self._make_optimizer(members.together, len(train.origins))
        training.Trainer(
            members.together,
            of_each(self._loss()),
            optimizer,
            clip=self.clip,
            schedule=self._schedule(optimizer),
            progress=bool(self.verbose),
        ).fit(train, epochs=epochs)
        members.together.eval().zero_grad()
