"""A picture shows each forecast from its origin on, with its interval, beside the truth."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("matplotlib")

from numba_lstm.cli._forecast_plot import draw

MODELS = ("model", "network", "linear", "seasonal_naive", "last_value")


def results(folds=3, horizon=2, targets=1, numbers=False):
    days = np.datetime64("2021-01-01") + np.arange(4 + folds * horizon)
    time = [str(n) for n in range(len(days))] if numbers else [f"{day}T00:00:00" for day in days]
    shape = (folds, horizon, targets)
    values = np.arange(float(np.prod(shape))).reshape(shape)
    one = {
        "id": "shop",
        "names": [f"t{k}" for k in range(targets)],
        "history": {"time": time[:4], "values": np.zeros((4, targets)).tolist()},
        "time": np.reshape(time[4:], (folds, horizon)).tolist(),
        "truth": values.tolist(),
        "low": (values - 1).tolist(),
        "high": (values + 1).tolist(),
        **{name: (values + 0.5).tolist() for name in MODELS},
    }
    backtest = {"folds": folds, "horizon": horizon, **{n: {"mae": 0.5} for n in MODELS}}
    return {"drawn": [one], "backtest": backtest, "intervals": {"level": 0.9}}


def panels(found):
    losses = []
    figure = draw("run", (found, "LSTM"), losses.append)
    assert len(losses) == 1
    return [axis for axis in figure.axes if axis.get_ylabel()]


def test_the_truth_goes_through_and_each_forecast_is_a_line_with_a_band():
    (axis,) = panels(results())
    truth, *others = [line for line in axis.lines if len(line.get_xdata()) > 1 and
                      line.get_marker() == "."]  # fmt: skip
    assert truth.get_ydata().tolist() == [0.0] * 4 + [0.0, 1.0, 2.0, 3.0, 4.0, 5.0]
    assert [line.get_ydata().tolist() for line in others] == [[0.5, 1.5], [2.5, 3.5], [4.5, 5.5]]
    assert others[0].get_xdata()[0] == np.datetime64("2021-01-05")
    assert len(axis.collections) == 3
    assert axis.get_ylabel() == "t0 (shop)"
    labels = [text.get_text() for text in axis.get_legend().get_texts()]
    assert labels == ["truth", "linear", "seasonal naive", "LSTM", "90% interval"]


def test_a_panel_is_of_one_target_and_of_not_too_many_steps():
    axes = panels(results(folds=60, horizon=5, targets=2, numbers=True))
    assert [axis.get_ylabel() for axis in axes] == ["t0 (shop)", "t1 (shop)"]
    assert len(axes[0].collections) == 40
    truth = axes[0].lines[0]
    assert truth.get_xdata()[-1] == 4 + 60 * 5 - 1
    assert len(truth.get_xdata()) == len(truth.get_ydata()) == 42 * 5
