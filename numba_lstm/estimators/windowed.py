"""How a forecaster learns from windows of series."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import checks, models, training
from ..datasets.frequency import Frequency
from ..datasets.series import Series
from ..datasets.series_scaling import SeriesScaler, SeriesScalers
from ..datasets.windowing import origins_in
from ..models.forecast_losses import of_each, pinball
from ..models.members import Members
from ..training.windowed import members
from ..training.windowed.cuts import auto_window, cut, places
from ..training.windowed.rows import KnownWindows, Rows, Sizes
from .base import LOSSES, ROWS, RecurrentEstimator
from .forecasting import checked_quantiles
from .series import Reading

__all__ = ["WindowedEstimator"]


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
    gaps: Any
    refit: Any

    # What fit sets.
    module_: models.Combination
    scalers_: list[SeriesScaler]
    weights_: dict[str, float]
    window_: int
    _scaling: SeriesScalers  # of the series of the fit that began
    _gaps: str
    _frequency: Frequency | None  # the step in time
    _horizon: int
    _quantiles: tuple[float, ...] | None
    _columns: tuple[int, int, int]  # those forecast, those known ahead, all
    _members: Members
    _ridges: dict[str, float]  # the linear forecasters' penalties
    _seen: bool  # whether the networks have trained on rows up to the end of a series
    _errors: np.ndarray | None  # (windows that validate, horizon, targets), scaled

    def _read(self, first: bool, y: Any, X: Any) -> Reading:
        """Read the series; only where they are the first, keep what kind they are of."""
        raise NotImplementedError

    def _keep_form(self, reading: Reading) -> None:
        """Keep in which form they came, which forecasts without others are given in."""
        raise NotImplementedError

    def _keep_ends(self, reading: Reading) -> None:
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
            held = self._held_out(reading, incremental)
            self._measure(reading, held, first)
            train, valid = self._batches(reading, held, self.shuffle)
            if first:
                self._members = self._make_members(self._seeds())
                self._ridges = members.solve(self._members, train, valid, self._quantiles)
                groups = self._members.groups
                self.module_ = self._members.combined()
                self.weights_ = members.alike(groups)
            # Errors tell of networks that had not trained on the part set aside.
            self._errors = None
            self._seen = valid is None or (not first and self._seen)
            self._keep_ends(reading)
        except BaseException:
            self.__dict__ = before
            raise
        if not first and not incremental:
            self._solve_again(reading, train, valid)
        # The networks alone: by gradients the combination's weights would no longer sum to 1.
        loss, together = of_each(self._loss()), self._members.together
        history = self._train(loss, train, valid, len(train.origins), incremental, together)
        if valid is not None and not self._seen:
            self._weigh(self._members, valid)
            if first and self.refit:
                self._fit_again(reading, valid, history.best_epoch or 1)
        return self

    def _settle(self) -> None:
        """Check and keep those options that forecasts hang on, whatever becomes of them later."""
        self._horizon = checks.size("horizon", self.horizon)
        self._quantiles = checked_quantiles(self.quantiles)
        if self.normalize != "auto" and self.normalize is not None:
            checks.choice("normalize", self.normalize, ("auto", "last"))
        for name in ("deseasonalize", "linear", "refit"):
            checks.flag(name, getattr(self, name))
        self._gaps = checks.choice("gaps", self.gaps, ("error", "few", "fill", "steps"))
        checks.size("n_estimators", self.n_estimators)
        self._loss()

    def _set_window(self, series: Sequence[Series]) -> None:
        if isinstance(self.window, str) and self.window == "auto":
            frequency = series[0].frequency
            season = 1 if frequency is None else frequency.season
            self.window_ = auto_window(self._horizon, season, min(map(len, series)))
        else:
            self.window_ = checks.size("window", self.window)

    def _held_out(self, reading: Reading, incremental: bool) -> np.ndarray | None:
        """How many rows at the end of each series validate, at least the horizon's; or None.

        Series with times are cut at one of them, as many steps before the last end as the series
        of middle length has it. Others are cut each by its own length.
        """
        lengths = np.array([len(one) for one in reading.series])
        if incremental or not self.early_stopping:
            held = np.zeros_like(lengths)
        elif reading.dates is not None:
            valid = int(np.ceil(self.validation_fraction * int(np.median(lengths))))
            pairs = zip(reading.series, reading.dates)
            kept = all(np.array_equal(one.time, dates) for one, dates in pairs)
            grid = places(reading.dates, self._frequency if kept else None)
            cuts = cut(grid, max(valid, self._horizon), 0)
            held = lengths - np.array([one.train for one in cuts])
        else:
            share = np.ceil(self.validation_fraction * lengths).astype(np.int64)
            held = np.maximum(share, self._horizon)
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

    def _measure(self, reading: Reading, held: np.ndarray | None, first: bool) -> None:
        """Find the season and the scale of each series, of the part that trains."""
        cuts = np.zeros(len(reading.series), np.int64) if held is None else held
        parts = [one.part(None, len(one) - out) for one, out in zip(reading.series, cuts)]
        if first:
            self._scaling = SeriesScalers.fit(
                parts, deseasonalize=self.deseasonalize, standardize=self.standardize
            )
            self.scalers_ = list(self._scaling.fitted)
        else:
            self.scalers_ = [self._scaling.of(one) for one in parts]

    def _sizes(self) -> Sizes:
        return Sizes(*self._columns, self.window_, self._horizon)

    def _rows(self, reading: Reading, scalers: Sequence[SeriesScaler]) -> Rows:
        """The rows of all series beneath each other, as the forecasters take them."""
        return Rows.of(reading.series, scalers, reading.real, np.float32)

    def _batches(
        self, reading: Reading, held: np.ndarray | None, shuffle: bool
    ) -> tuple[KnownWindows, KnownWindows | None]:
        """Windows that train and those that validate, if any do."""
        lengths = np.array([len(one) for one in reading.series])
        train, valid = origins_in(lengths, self.window_, self._horizon, held)
        rows = self._rows(reading, self.scalers_)
        batches = self._windows(rows, train, self._seed() if shuffle else None)
        return batches, None if held is None else self._windows(rows, valid, None, ROWS)

    def _windows(
        self, rows: Rows, origins: np.ndarray, seed: int | None, size: int | None = None
    ) -> KnownWindows:
        origins = rows.judged(origins, self._horizon)
        size = self._batch_size(len(origins)) if size is None else size
        return KnownWindows(rows, origins, self._sizes(), size, seed)

    # -- forecasters ------------------------------------------------------------------------------

    def _kinds(self) -> tuple[str | None, ...]:
        return (None, "last") if self.normalize == "auto" else (self.normalize,)

    def _seeds(self) -> list[int]:
        """One for each network; kept, so that the second fit begins as the first."""
        self._network_seeds = [self._seed() for _ in range(len(self._kinds()) * self.n_estimators)]
        return self._network_seeds

    def _make_members(self, seeds: Sequence[int]) -> Members:
        """Networks to be trained, and linear forecasters to be solved."""
        return members.make_members(
            self._sizes(),
            self._kinds(),
            iter(seeds),
            hidden=self.hidden_size,
            count=self.n_estimators,
            quantiles=len(self._quantiles or (0.5,)),
            linear=self.linear,
            **self._network_options(),
        )

    def _solve_again(
        self, reading: Reading, train: KnownWindows, valid: KnownWindows | None
    ) -> None:
        """Solve them on the series of a fit that goes on: on all rows, if no weights follow."""
        if self._seen:
            rows, _ = self._batches(reading, None, False)
            members.solve(self._members, rows, None, self._quantiles, self._ridges)
        else:
            self._ridges = members.solve(self._members, train, valid, self._quantiles)

    def _loss(self) -> Any:
        if self._quantiles is not None:
            return pinball(self._quantiles)
        return LOSSES[checks.choice("loss", self.loss, tuple(LOSSES))]

    def _weigh(self, made: Members, valid: KnownWindows) -> None:
        """Find the weights with which the part that was set aside is forecast best."""
        judge = members.Judge(made, valid, self._quantiles)
        self.weights_ = judge.weights()
        self.module_ = made.combined(self.weights_)
        self._errors = judge.errors(self.weights_)

    def _fit_again(self, reading: Reading, valid: KnownWindows, epochs: int) -> None:
        """Train as many epochs as were best on all rows, those that validated with them."""
        before = dict(self.__dict__)
        try:
            self._measure(reading, None, True)
            train, _ = self._batches(reading, None, self.shuffle)
            made = self._make_members(self._network_seeds)
            members.solve(made, train, None, self._quantiles, self._ridges)
            self._learn_again(made, train, epochs)
            self.module_ = made.combined(self.weights_)
            self._members, self._seen = made, True
            # The errors stay what they are in the units of each series, whose scale is another now.
            which = valid.rows.series_of(valid.origins)
            assert self._errors is not None
            change = valid.rows.scale / train.rows.scale
            self._errors = self._errors * change[which][:, None]
            self._keep_ends(reading)
        except BaseException:
            self.__dict__ = before  # the first fit's forecasts are whole
            raise

    def _learn_again(self, made: Members, train: KnownWindows, epochs: int) -> None:
        optimizer = self._make_optimizer(made.together, len(train.origins))
        training.Trainer(
            made.together,
            of_each(self._loss()),
            optimizer,
            clip=self.clip,
            schedule=self._schedule(optimizer),
            progress=bool(self.verbose),
        ).fit(train, epochs=epochs)
        made.together.eval().zero_grad()
