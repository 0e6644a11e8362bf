"""What the end of a run needs is refused at its beginning."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from forecast_tool import write_csv

from numba_lstm import system
from numba_lstm.models import LinearForecaster
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.data import load_data
from numba_lstm.training.forecast.session import check_linear, new_task
from numba_lstm.training.linear_forecasts import MOST_WINDOWS
from numba_lstm.training.runs.options import ConfigError, merge_options

OPTIONS = {"time": "day", "target": "sales", "horizon": 5, "window": 40, "hidden": 4, "folds": 2,
           "networks": 1, "batch": 4, "exog": "visitors"}  # fmt: skip


@pytest.fixture
def config(tmp_path):
    path = write_csv(tmp_path / "d.csv", 600)
    return merge_options(ForecastConfig, ("", {**OPTIONS, "data": str(path)}))


def needed(config, meaning, windows):
    """The bytes with which the linear forecasters are let through, and with one fewer not."""
    low, high = 0, 2**50
    with pytest.MonkeyPatch.context() as patch:
        while high - low > 1:
            middle = (low + high) // 2
            patch.setattr(system, "memory", lambda middle=middle: middle)
            try:
                check_linear(config, meaning, windows)
                high = middle
            except ConfigError:
                low = middle
    return high


def test_linear_forecasters_are_refused_before_anything_is_trained(config, monkeypatch):
    data = load_data(config)
    needs = needed(config, data.meaning, len(data.learnt_origins))
    monkeypatch.setattr(system, "memory", lambda: needs - 1)
    with pytest.raises(ConfigError) as refused:
        new_task(config)
    words = str(refused.value)
    assert words.startswith("window: expected one whose linear forecasters fit in memory, or none ")
    assert "(--no-linear), got 40 rows of 2 columns: at least " in words and "\n" not in words
    new_task(merge_options(ForecastConfig, ("", {**config.values(), "linear": False})))
    monkeypatch.setattr(system, "memory", lambda: needs)
    new_task(config)


@pytest.mark.parametrize(
    ("dtype", "count"), [("float32", 3000), ("float64", 3000), ("float32", 50)]
)
def test_they_take_at_least_the_estimate_and_not_much_more(config, dtype, count):
    config = merge_options(ForecastConfig, ("", {**config.values(), "dtype": dtype}))
    meaning = load_data(config).meaning
    model = LinearForecaster(2, 1, 5, 40, targets=1, normalize="last", dtype=dtype)
    tracemalloc.start()
    try:
        x = np.random.default_rng(0).standard_normal((40, count, 2)).astype(dtype)
        model.equations(x, np.zeros((5, count, 1), dtype))
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert 0.4 < needed(config, meaning, count) / peak < 1


def test_of_many_windows_no_more_are_counted_than_are_looked_at(config):
    meaning = load_data(config).meaning
    most = needed(config, meaning, MOST_WINDOWS)
    assert most == needed(config, meaning, 10 * MOST_WINDOWS) > needed(config, meaning, 999)
