"""A forecaster of time series with scikit-learn's interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_is_fitted

from ..checks import probability
from ..datasets.rolling import interval_errors
from ..datasets.windowing import origins_in
from ..models.documented import documented
from ..models.forecast_losses import by_quantile, median
from ..training.linear_forecasts import outputs_of
from ..typing import Array
from .base import ROWS
from .continuing import ContinuingEstimator
from .options import options_of

__all__ = ["LSTMForecaster"]


@documented(**options_of("window", "window"))
class LSTMForecaster(ContinuingEstimator):
    """Forecast time series many steps ahead by LSTMs, GRUs or RNNs, and linear forecasters.

    All read a window of each series and give all steps of the horizon at once. They learn from
    every window of every series. The last part of the series tells how long to train, and with
    which weights the forecasts are put together.

    Parameters
    ----------
    horizon : int
        The steps ahead.
    window : int or 'auto'
        The steps that a forecast is made from; 'auto' is twice the horizon or the season, at least
        28, and at most a third of what the shortest series leaves.
    {network}
    normalize : 'auto', 'last' or None
        Whether a window's last value is taken from it, and added to the forecast: it then follows
        a trend beyond the values it was trained on. 'auto' trains networks of both kinds.
    deseasonalize : bool
        Whether what comes again each day, week or year is taken out before, and put back: see
        `datasets.Deseasonalizer`. Without times there is nothing to know it by.
    linear : bool
        Whether linear forecasters are put together with the networks.
    n_estimators : int
        Networks of each kind of `normalize`, from different initial weights.
    loss : {'huber', 'squared_error'}
        What is minimised, of values on the scale of `standardize`. Not looked at with `quantiles`.
    quantiles : list of float or None
        Quantiles to learn by the pinball loss, such as [0.05, 0.5, 0.95]: between 0 and 1, rising,
        0.5 in the middle. `predict` gives the median, and `predict_quantiles` all.
    standardize : bool
        Whether each column of each series is brought to mean 0 and variance 1, as its part that
        trains has it. Forecasts are on the series' own scale; a `StandardScaler` before the
        estimator would have them on its.
    {training}
    warm_start : bool
        Whether a further fit goes on with the networks of the last one, and with the scales of
        series that it knows again; others have their own. It solves the linear forecasters anew,
        and has no second training (`refit`). Where no fit before has trained on all rows, as
        `refit` does, and a part is set aside, the weights of the combination and the errors of
        `predict_interval` are found anew. Else the weights stay, and there are no intervals: the
        networks may know the part that would tell.
    {steps}
    early_stopping : bool or 'auto'
        Whether the end of each series is set aside, training stops when its loss gets no better in
        `n_iter_no_change` epochs, and the best weights are kept. Without it the training loss
        decides when to stop, the last weights are kept, and all kinds of forecasters weigh alike.
        'auto' is True in `fit` where the series are long enough, and False in `partial_fit`.
    validation_fraction : float
        The share set aside, at the end: of each series its own, or where series have times the
        same time of all, so that nothing is learnt that comes later in another one. It is the share
        of the series of middle length then, before the end of the last one. One that ended
        earlier has less to validate, or nothing.
    n_iter_no_change : int
        Epochs in a row without a better loss that end the training.
    refit : bool
        Whether, after early stopping, all is trained anew on the whole series, for as many epochs
        as were best. The weights of the combination stay.
    gaps : {'few', 'error', 'fill', 'steps'}
        What becomes of rows that are missing in the times of y, and of NaN in series that have
        times: filled on straight lines where they are at most a tenth, and told by a warning;
        refused; filled however many; or each row taken for a step, whatever the time between, and
        NaN refused. What was filled is no truth: it counts neither for a loss nor for an error.

    Attributes
    ----------
    module_ : models.Combination
        The networks and the linear forecasters, as one module.
    weights_ : dict of str to float
        Those of the combination: 'lstm', 'lstm last', 'linear', 'linear last', where 'last' is
        that of `normalize`; 'linear alone' reads no columns but those that are forecast, where
        there are others. They tell whether the networks earn their keep.
    window_ : int
        The window's steps.
    scalers_ : list of datasets.SeriesScaler
        Of each series what comes again each day, week or year (`seasonal`), and the means and
        deviations of its columns without that (`scaler`), those of X behind those of y.
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
    times is looked at: rows out of order are refused, and gaps filled, or refused (`gaps`). All
    series have one step in time, that of `fit`; another one is refused.

    **The scale** of each series is its own. `predict` and `score` know a series again where `fit`
    had one alone, or by the `id` of a `datasets.Series`. Any other one that they are given is
    scaled by the rows that are given of it; cycles that it is too short for have the mean shape of
    those of `fit`.

    **X** holds exogenous columns, whose future is known when a forecast is made: days of the week,
    prices, weather forecasts. It has a row for each row of y, and is a list where y is one. Columns
    whose future is not known belong into y.

    Where frames of pandas have times, those of X must be those of y, and follow them in `predict`.

    NaN without times, infinity, complex numbers and text are refused with a ValueError that names y
    or X; columns of times, and masked arrays that hide values, with a TypeError.

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

    def __init__(
        self,
        horizon: Any = 1,
        window: Any = "auto",
        hidden_size: Any = 32,
        *,
        num_layers: Any = 1,
        cell: Any = "lstm",
        bidirectional: Any = False,
        dropout: Any = 0.0,
        input_dropout: Any = 0.0,
        recurrent_dropout: Any = 0.0,
        normalize: Any = "auto",
        deseasonalize: Any = True,
        linear: Any = True,
        n_estimators: Any = 5,
        loss: Any = "huber",
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
        early_stopping: Any = "auto",
        validation_fraction: Any = 0.2,
        n_iter_no_change: Any = 10,
        refit: Any = True,
        gaps: Any = "few",
    ) -> None:
        self._keep(locals())

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
        KeyboardInterrupt
            After Ctrl-C. The network has then learnt what it has, as `loss_curve_` tells; with
            `early_stopping` it has the best weights.
        """
        return self._fit(False, y, X)

    def partial_fit(self, y: Any, X: Any = None) -> LSTMForecaster:
        """Train for one epoch, going on from where the last call left the network.

        The first call sets the scales, makes the networks and solves the linear forecasters; all
        weigh alike. Later calls train the networks only: the linear forecasters and the weights of
        the combination stay as they are, those of a `fit` before, too. There are no intervals.
        `predict` goes on from the end of the series of the last call.

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
        return self._fit(True, y, X)

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
        found, form, _ = self._forecast(y, X, horizon)
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
        if horizon is not None and horizon > self._horizon:
            raise ValueError(f"horizon: expected at most {self._horizon}, got {horizon}")
        found, form, _ = self._forecast(y, X, horizon)
        return form.of_forecast(found)

    def predict_interval(
        self, y: Any = None, X: Any = None, *, level: float = 0.9
    ) -> tuple[Array, Array]:
        """Forecast between which two values what follows will lie.

        The ends are those of the errors of the part that was set aside, of each step ahead (split
        conformal): of forecasts that did not know it, by networks that had not trained on it. The
        same part has told the epochs, the penalties of the linear forecasters and the weights of
        the combination, so that its errors are somewhat smaller than those to come, and the share
        is only about `level`.

        Parameters
        ----------
        y, X
            As for `predict`.
        level : float
            The share of what comes that should lie between them.

        Returns
        -------
        low, high : numpy.ndarray of float64
            Each of the shape that `predict` gives.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            As `predict`; if no part was set aside, or the last fit went on from one that may have
            trained on it; or level is no probability.
        """
        check_is_fitted(self, "module_")
        if self._errors is None:
            raise ValueError(
                "early_stopping: expected a fit that set a part aside that no network had trained "
                "on, got one without; fit anew with early_stopping=True and warm_start=False"
            )
        sides = interval_errors(self._errors, probability("level", level))
        found, form, scale = self._forecast(y, X, None)
        middle = median(found)
        low, high = (form.of_forecast(middle + side[:, None] * scale) for side in sides)
        return low, high

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
        reading = self._read(False, y, X)
        series, targets = reading.series, reading.columns[0]
        self._check_calendar(series)
        lengths = np.array([len(one) for one in series])
        self._check_lengths(lengths, np.zeros_like(lengths))
        rows = self._rows(reading, [self._scaling.of(one) for one in series])
        origins, _ = origins_in(lengths, self.window_, self._horizon)
        windows = self._windows(rows, origins, None, ROWS)
        scaled = by_quantile(outputs_of(self.module_, windows), targets).swapaxes(0, 1)
        ours = median(rows.unscaled(scaled, windows.origins)).reshape(-1, targets)
        steps = windows.origins[:, None] + np.arange(self._horizon)
        raw = np.concatenate([one.target for one in series])[steps].reshape(-1, targets)
        if rows.real is None:
            return float(r2_score(raw, ours))
        real = rows.real[steps].reshape(-1, targets)
        pairs = [(raw[there, k], ours[there, k]) for k, there in enumerate(real.T)]
        return float(np.mean([r2_score(*pair) for pair in pairs]))
