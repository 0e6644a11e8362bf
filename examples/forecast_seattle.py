"""The weather of Seattle a week ahead, beside what a network has to beat.

The last year of the bundled series is forecast from 52 origins, one each week. Nothing learns from
that year: the forecaster and the linear baselines are fitted once on the three years before it. It
tells the mean absolute error of each, how wide the intervals of the forecaster are, how often they
held the truth, and which part of its forecast comes from the LSTMs.

Run it: ``python examples/forecast_seattle.py``. It needs ``pip install 'numba_lstm[sklearn]'``, and
for the picture, ``python examples/forecast_seattle.py forecast.png``, the extra ``plot``.
"""

from __future__ import annotations

import sys
import time

import numpy as np

from numba_lstm import datasets
from numba_lstm.datasets import baselines
from numba_lstm.estimators import LSTMForecaster

HORIZON, FOLDS = 7, 52


def main(
    target: str = "temp_max", horizon: int = HORIZON, picture: str | None = None, **options: object
) -> dict[str, float]:
    """Forecast, tell, and return the mean absolute errors."""
    series = datasets.load_seattle_weather(target)
    calendar = datasets.with_calendar(series)
    past = len(series) - horizon * FOLDS

    begin = time.perf_counter()
    model = LSTMForecaster(horizon, random_state=0).set_params(**options).fit(series.part(0, past))
    seconds = time.perf_counter() - begin

    results = {
        "seasonal-naive": datasets.backtest(baselines.seasonal_naive(), series, horizon, FOLDS),
        "last value": datasets.backtest(baselines.seasonal_naive(1), series, horizon, FOLDS),
        "linear": datasets.backtest(
            baselines.linear(train=series.part(0, past)), series, horizon, FOLDS
        ),
        "linear, calendar": datasets.backtest(
            baselines.linear(train=calendar.part(0, past)), calendar, horizon, FOLDS
        ),
        "LSTMForecaster": datasets.backtest(
            lambda history, steps, future: model.predict(history), series, horizon, FOLDS
        ),
    }
    errors = {name: result.measures["mae"] for name, result in results.items()}
    print(f"{target}, {horizon} days ahead, {FOLDS} origins; mean absolute error:")
    for name, error in errors.items():
        print(f"  {name:17} {error:.3f}")

    low, high = intervals(model, series, past, horizon)
    truth = results["LSTMForecaster"].truth
    inside = datasets.metrics.coverage(truth, low, high)
    print(f"intervals of 90 %: {np.mean(high - low):.1f} wide, {inside:.0%} of the truth inside")
    print("shares:", ", ".join(f"{name} {share:.2f}" for name, share in model.weights_.items()))
    print(f"fitted in {seconds:.1f} s")
    if picture is not None:
        draw(results["LSTMForecaster"], low, high, picture)
    best = min(error for name, error in errors.items() if name != "LSTMForecaster")
    less = 1 - errors["LSTMForecaster"] / best
    print(f"the forecaster's error is {less:.1%} lower than that of the best of the others")
    return errors


def intervals(
    model: LSTMForecaster, series: datasets.Series, past: int, horizon: int
) -> tuple[np.ndarray, np.ndarray]:
    """The ends of the intervals of 90 %, (folds, horizon, 1) each."""
    origins = range(past, len(series), horizon)
    pairs = [model.predict_interval(series.part(0, origin)) for origin in origins]
    low, high = (np.stack(side) for side in zip(*pairs))
    return low, high


def draw(result: datasets.Backtest, low: np.ndarray, high: np.ndarray, path: str) -> None:
    """Draw the forecasts of all weeks, one after another, beside what came."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot as plt

    figure, axes = plt.subplots(figsize=(11, 4), layout="constrained")
    days = result.time.ravel()
    axes.fill_between(days, low.ravel(), high.ravel(), alpha=0.25, label="interval of 90 %")
    axes.plot(days, result.forecast.ravel(), label="forecast, made once a week")
    axes.plot(days, result.truth.ravel(), "k.", markersize=3, label="what came")
    axes.set(ylabel=result.names[0], xlim=(days[0], days[-1]))
    axes.legend(loc="upper left")
    figure.savefig(path, dpi=100)
    plt.close(figure)


if __name__ == "__main__":
    main(picture=sys.argv[1] if len(sys.argv) > 1 else None)
