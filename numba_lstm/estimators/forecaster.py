"""A forecaster of time series with scikit-learn's interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from .. import checks, models
from ..typing import Array
from .base import LOSSES, ROWS, RecurrentEstimator
from .forecasting import checked_quantiles, forecast, median, pinball
from .samples import Samples
from .series import ExogenousColumns, Form, WindowBatches, origins, read_series, tails

__all__ = ["LSTMForecaster"]


class LSTMForecaster(RecurrentEstimator):
    """Forecast time series many steps ahead by an LSTM, a GRU or an RNN.

    The network reads a window of each series and gives all steps of the horizon at once. It learns
    from every window of every series.

    Parameters
    ----------
    horizon : int
        The steps ahead.
    window : int or 'auto'
        The steps that a forecast is made from; 'auto' is twice the horizon, at least 24, and at
        most half of what the shortest series leaves.
    hidden_size : int or list of int
        The units of each recurrent layer.
    num_layers : int
        The recurrent layers.
    cell : {'lstm', 'gru', 'rnn'}
        What the layers are made of.
    bidirectional : bool
        Whether a second direction reads each window from its end.
    dropout : float
        In training, the probability with which each output between layers, and each feature before
        the last, linear layer, is dropped.
    input_dropout, recurrent_dropout : float
        In training, the probability with which elements of a layer's inputs, and of its state, are
        dropped at all steps of a window.
    difference : bool
        Whether the network forecasts differences from the last value of a window. It then follows a
        trend beyond the values it was trained on.
    loss : {'squared_error', 'huber'}
        What is minimised, of values on the scale of `standardize`. Not looked at with `quantiles`.
    quantiles : list of float or None
        Quantiles to learn by the pinball loss, such as [0.05, 0.5, 0.95]: between 0 and 1, rising,
        0.5 in the middle. `predict` gives the median, and `predict_quantiles` all.
    standardize : bool
        Whether each column is brought to mean 0 and variance 1, as the part that trains has it.
        Forecasts are on the series' own scale.
    solver : {'adam', 'adamw', 'sgd'}
        The optimizer.
    alpha : float
        The strength of the L2 penalty, which is divided by the number of windows; with 'adamw'
        the decoupled weight decay itself.
    batch_size : int or 'auto'
        Windows of a step; 'auto' is 32.
    learning_rate : {'constant', 'cosine'}
        The course of the learning rate; 'cosine' falls to 0 at `max_iter` epochs.
    learning_rate_init : float
        The learning rate at the start.
    max_iter : int
        The epochs at most.
    shuffle : bool
        Whether windows come in another order in each epoch.
    random_state : int, RandomState instance or None
        For initial weights, order and dropout. An int gives the same bits each time, on any number
        of threads.
    tol : float
        A loss must be lower by this to count as better.
    verbose : bool
        Whether a progress bar, or where there is no terminal a few lines, go to standard error.
    warm_start : bool
        Whether a further fit goes on with the weights and the scale of the last one.
    momentum : float
        Of 'sgd'.
    clip : float or None
        The greatest norm of the gradient.
    early_stopping : bool
        Whether the end of each series is set aside, training stops when its loss gets no better in
        `n_iter_no_change` epochs, and the best weights are kept. Without it the training loss
        decides when to stop, and the last weights are kept.
    validation_fraction : float
        The share of each series set aside, at its end.
    n_iter_no_change : int
        Epochs in a row without a better loss that end the training.

    Attributes
    ----------
    module_ : models.Forecaster
        The network.
    window_ : int
        The window's steps.
    scaler_ : sklearn.preprocessing.StandardScaler or None
        Means and variances of the columns, those of X behind those of y.
    loss_curve_, validation_loss_curve_ : list of float
        The mean loss of each epoch, over all fits that went on from another; the second is None
        without `early_stopping`.
    n_iter_ : int
        The epochs.
    loss_, best_loss_ : float
        The last training loss, and the best loss of the last fit: on the part set aside, with
        `early_stopping`.
    n_features_in_ : int
        The columns of y.
    feature_names_in_ : numpy.ndarray of str
        Their names, where y was a frame with names that are all strings.

    See Also
    --------
    LSTMRegressor : for sequences with targets of their own.

    Notes
    -----
    **y** is one series, (time,) or (time, columns), or several: (series, time, columns), or a list
    of them of any lengths. Arrays, frames and lists of frames are taken. All columns are forecast.
    Rows follow each other in time at equal distances; a column of times is not taken. An index of
    times is looked at: rows out of order are refused, and gaps are warned of.

    **X** holds exogenous columns, whose future is known when a forecast is made: days of the week,
    prices, weather forecasts. It has a row for each row of y, and is a list where y is one. Columns
    whose future is not known belong into y.

    NaN, infinity, complex numbers and text are refused with a ValueError that names y or X.

    A fitted estimator may forecast from several threads.

    Examples
    --------
    >>> import numpy as np
    >>> t = np.arange(200)
    >>> y = np.sin(2 * np.pi * t / 12) + 0.01 * t
    >>> model = LSTMForecaster(horizon=12, window=24, hidden_size=16, max_iter=30, random_state=0)
    >>> forecast = model.fit(y[:188]).predict()
    >>> forecast.shape, bool(np.abs(forecast - y[188:]).max() < 0.5)
    ((12,), True)
    """

    window_: int
    scaler_: Any

    def __init__(
        self,
        horizon: Any = 1,
        window: Any = "auto",
        hidden_size: Any = 64,
        *,
        num_layers: Any = 1,
        cell: Any = "lstm",
        bidirectional: Any = False,
        dropout: Any = 0.0,
        input_dropout: Any = 0.0,
        recurrent_dropout: Any = 0.0,
        difference: Any = True,
        loss: Any = "squared_error",
        quantiles: Any = None,
        standardize: Any = True,
        solver: Any = "adam",
        alpha: Any = 0.0,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.005,
        max_iter: Any = 100,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        clip: Any = 1.0,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        n_iter_no_change: Any = 10,
    ) -> None:
        self._keep(locals())

    # -- fitting --------------------------------------------------------------------------------

    def fit(self, y: Any, X: Any = None) -> LSTMForecaster:
        """Train the network, and remember where the series end.

        Parameters
        ----------
        y : array_like or list
            The series; see the class's notes. Each has at least `window` + `horizon` rows, with
            `early_stopping` some more.
        X : array_like or list, optional
            Exogenous columns, (time,) or (time, columns) for each series.

        Returns
        -------
        LSTMForecaster
            Itself.

        Raises
        ------
        TypeError, ValueError
            Naming y, X or an option.
        training.Diverged
            If the loss is no longer finite.
        """
        return self._fit(y, X, incremental=False)

    def partial_fit(self, y: Any, X: Any = None) -> LSTMForecaster:
        """Train for one epoch, going on from where the last call left the network.

        The first call sets the scale, and makes the network. `predict` goes on from the end of the
        series of the last call.

        Parameters
        ----------
        y, X
            As for `fit`.

        Returns
        -------
        LSTMForecaster
            Itself.

        Raises
        ------
        TypeError, ValueError
            As `fit`; with `early_stopping`.
        """
        return self._fit(y, X, incremental=True)

    def _fit(self, y: Any, X: Any, incremental: bool) -> LSTMForecaster:
        first = self._begins(incremental)
        checks.size("horizon", self.horizon)
        checks.flag("difference", self.difference)
        series, form = read_series("y", self, y, first)
        if first:
            self._exogenous = None if X is None else ExogenousColumns()
            self._quantiles = checked_quantiles(self.quantiles)
            self.window_ = self._window(int(series.lengths.min()))
        values = self._beside(series, X, form, first)
        held_out = self._held_out(series)
        train, valid = origins(series, self.window_, self.horizon, held_out)
        if first:
            rows = np.arange(len(values)) - np.repeat(series.starts, series.lengths)
            trained = rows < np.repeat(series.lengths - held_out, series.lengths)
            self.scaler_ = self._scaler(values[trained])
            self.module_ = self._network(values.shape[1])
        values = self._scaled(values)
        self._form = form
        self._ends = tails(series.replace(values), self.window_)
        batches = self._windows(values, train, self._seed() if self.shuffle else None)
        validation = self._windows(values, valid, None) if self.early_stopping else None
        self._train(self._loss(), batches, validation, len(train), incremental)
        return self

    def _window(self, shortest: int) -> int:
        if isinstance(self.window, str) and self.window == "auto":
            return max(1, min(max(2 * self.horizon, 24), (shortest - self.horizon) // 2))
        return checks.size("window", self.window)

    def _held_out(self, series: Samples) -> np.ndarray:
        """How many rows at the end of each series validate: at least the horizon's."""
        if not self.early_stopping:
            return np.zeros(len(series), np.int64)
        share = np.ceil(self.validation_fraction * series.lengths).astype(np.int64)
        return np.maximum(share, self.horizon)

    def _windows(self, values: np.ndarray, begin: np.ndarray, seed: int | None) -> WindowBatches:
        return WindowBatches(
            values,
            begin,
            self.n_features_in_,
            self.window_,
            self.module_.horizon,
            difference=self.difference,
            batch_size=self._batch_size(len(begin)),
            seed=seed,
        )

    def _network(self, columns: int) -> Any:
        return models.Forecaster(
            columns,
            self.hidden_size,
            self.n_features_in_ * len(self._quantiles or (0.5,)),
            self.horizon,
            future_size=columns - self.n_features_in_,
            **self._network_options(),
        )

    def _loss(self) -> Any:
        if self._quantiles is not None:
            return pinball(self._quantiles)
        return LOSSES[checks.choice("loss", self.loss, tuple(LOSSES))]

    # -- values ---------------------------------------------------------------------------------

    def _beside(self, series: Samples, X: Any, form: Form, reset: bool) -> np.ndarray:
        """The rows of y and beside them those of X."""
        exogenous = self._exogenous_of(X, form, series.lengths, reset)
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

    # -- forecasting ----------------------------------------------------------------------------

    def predict(self, y: Any = None, X: Any = None, horizon: int | None = None) -> Array:
        """Forecast what follows.

        Parameters
        ----------
        y : array_like or list, optional
            The series so far, of at least the window's rows each; those of `fit` where it is not
            given.
        X : array_like or list, optional
            Exogenous columns, where the model was fitted with some. Without y, of the steps to be
            forecast; with y, of the steps of y and then of those to be forecast.
        horizon : int, optional
            Other steps ahead than `horizon` of the constructor. Further ones are forecast from the
            forecast. Then X has rows for a whole multiple of the constructor's.

        Returns
        -------
        numpy.ndarray of float64, (horizon,) or (horizon, columns)
            In the form of y; (series, horizon) or (series, horizon, columns) for several.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming y, X or horizon.
        """
        found, form = self._forecast(y, X, horizon)
        return form.of_forecast(median(found))

    def predict_quantiles(self, y: Any = None, X: Any = None, horizon: int | None = None) -> Array:
        """Forecast the quantiles of what follows.

        Parameters
        ----------
        y, X
            As for `predict`.
        horizon : int, optional
            At most that of the constructor, which it is where it is not given.

        Returns
        -------
        numpy.ndarray of float64
            The shape that `predict` gives, and an axis of the quantiles. They do not cross.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict`; if the model was fitted without quantiles.
        """
        check_is_fitted(self, "module_")
        if self._quantiles is None:
            raise ValueError("quantiles: expected some in the constructor, got None")
        if horizon is not None and horizon > self.module_.horizon:
            raise ValueError(f"horizon: expected at most {self.module_.horizon}, got {horizon}")
        found, form = self._forecast(y, X, horizon)
        return form.of_forecast(np.sort(found, axis=-1))

    def score(self, y: Any, X: Any = None) -> float:
        """Give the coefficient of determination R² of forecasts from every window of y.

        Parameters
        ----------
        y : array_like or list
            Series as for `fit`.
        X : array_like or list, optional
            Exogenous columns as for `fit`.

        Returns
        -------
        float
            1 is the best; 0 is what the mean would give.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming y or X.
        """
        check_is_fitted(self, "module_")
        series, form = read_series("y", self, y, False)
        values = self._scaled(self._beside(series, X, form, False))
        begin, _ = origins(series, self.window_, self.module_.horizon)
        windows = self._windows(values, begin, None)
        true, ours = [], []
        for at in range(0, len(begin), ROWS):
            (x, future), targets = windows.batch(begin[at : at + ROWS])
            found = forecast(self.module_, x, future, self.difference, self.n_features_in_)
            if self.difference:
                targets = targets + x[-1, :, : self.n_features_in_]
            true.append(self._unscaled(targets[..., None]))
            ours.append(self._unscaled(median(found)[..., None]))
        rows = (-1, self.n_features_in_)
        return float(
            r2_score(
                np.concatenate(true, axis=1).reshape(rows),
                np.concatenate(ours, axis=1).reshape(rows),
            )
        )

    def _forecast(self, y: Any, X: Any, horizon: int | None) -> tuple[np.ndarray, Form]:
        """The forecast (horizon, N, k, quantiles), and the form of the series."""
        check_is_fitted(self, "module_")
        block, columns = self.module_.horizon, self.n_features_in_
        steps = block if horizon is None else checks.size("horizon", horizon)
        needed = -(-steps // block) * block
        if y is None:
            form, x = self._form, self._ends
            exogenous = self._exogenous_of(X, form, np.full(x.shape[1], needed), False)
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
            if exogenous is not None:
                x = np.concatenate([x, tails(exogenous, self.window_, needed)], axis=-1)
            x = self._scaled(x)
        future = None
        if exogenous is not None:
            future = self._scaled(tails(exogenous, needed), slice(columns, None))
        found = forecast(self.module_, x, future, self.difference, columns, needed)
        return self._unscaled(found[:steps]), form
