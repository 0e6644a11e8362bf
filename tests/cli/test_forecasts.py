"""A table says at a glance how good a forecaster is, and a line whether it is worth its cost."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.cli._forecasts import _times, lines_of, named, rounded
from numba_lstm.datasets import Frequency

DAILY = Frequency(1, "D")


def measures(mae, mase=None):
    return {"mae": mae, "rmse": 1.5 * mae, "mase": mase, "smape": 10 * mae}


def found(model=2.0, linear=2.5, better=0.7, **more):
    weights = more.pop("weights", {"lstm": 0.6, "linear": 0.4})
    test = {
        "folds": 10,
        "horizon": 7,
        "from": "2021-01-01",
        "to": "2021-03-11",
        "filled": 0,
        "model": measures(model),
        "network": measures(2.2),
        "linear": measures(linear),
        "seasonal_naive": measures(4.0),
        "last_value": measures(3.0),
        "better": dict.fromkeys(("linear", "seasonal_naive", "last_value"), better),
        **more,
    }
    intervals = {"level": 0.9, "source": "back-test errors", "coverage": 0.88, "width": 12.3456}
    return {"weights": weights, "backtest": test, "intervals": intervals}


def test_the_best_of_each_measure_is_marked_and_what_is_not_known_is_not():
    lines = lines_of(found(), "lstm", DAILY)
    assert lines[0] == "back-test: 10 forecasts of 7 steps (1 day each), 2021-01-01 to 2021-03-11"
    table = {line[2:29].strip(): line[29:].split() for line in lines[2:7]}
    assert table == {
        "LSTM + linear": ["2*", "3*", "-", "20*"],
        "LSTM alone": ["2.2", "3.3", "-", "22"],
        "linear regression": ["2.5", "3.75", "-", "25"],
        "seasonal naive (7 before)": ["4", "6", "-", "40"],
        "last value": ["3", "4.5", "-", "30"],
    }
    assert "by what validates, the forecast is 60% lstm, 40% linear" in lines
    assert lines[-1] == (
        "intervals of 90% hold 88.0% of the truth; 12.35 wide on average (from back-test errors)"
    )


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({}, "earns its keep: 20.0% less MAE than the best baseline (linear regression), lower er"),
        ({"better": 0.4}, "20.0% less MAE than the best baseline (linear regression), but lower"),
        ({"model": 3.0}, "does not earn its keep here: linear regression has 16.7% less MAE; use"),
        ({"linear": 0.0}, "does not earn its keep here: linear regression makes no error at all"),
        ({"linear": 0.0, "model": 0.0}, "is as good as the baselines: linear regression makes no"),
    ],
)
def test_one_line_says_whether_the_model_earns_its_keep(about, words):
    assert any(words in line for line in lines_of(found(**about), "lstm", DAILY))


def test_of_several_targets_each_has_a_table_and_the_scaled_error_decides():
    by_model = {
        name: measures(2.0, mase)
        for name, mase in zip(
            ("model", "network", "linear", "seasonal_naive", "last_value"), (0.5, 0.6, 0.4, 1, 1)
        )
    }
    both = found(targets={"a\nb": by_model, "c": by_model})
    both["backtest"].update(by_model)
    both["intervals"]["width"] = None
    lines = lines_of(both, "gru", DAILY)
    assert lines[-1] == "intervals of 90% hold 88.0% of the truth (from back-test errors)"
    assert sum(line.startswith("  a\\nb ") for line in lines) == 1
    assert any("GRU + linear does not earn its keep here: linear regression has 20.0% le" in line
               for line in lines)  # fmt: skip


def test_times_are_written_as_short_as_they_can_be():
    days = np.array(["2021-01-01", "2021-01-02"], "datetime64[us]")
    assert _times(days) == ["2021-01-01", "2021-01-02"]
    assert _times(days + np.timedelta64(6, "h"))[0] == "2021-01-01T06:00:00"
    assert _times(days + np.timedelta64(5, "ms"))[0] == "2021-01-01T00:00:00.005000"
    assert _times(np.array([1980.0, 1981.0])) == ["1980", "1981"]
    assert _times(np.array([0.1, 0.2])) == ["0.1", "0.2"]


def test_a_model_is_called_what_it_is_made_of():
    assert named({"lstm": 0.5, "linear last": 0.5}, "lstm") == "LSTM + linear"
    assert named({"gru": 1.0, "linear": 0.0}, "gru") == "GRU"
    assert named({"lstm": 0.0, "linear": 1.0}, "lstm") == "linear"
    lines = lines_of(found(weights={"lstm": 1.0}), "lstm", DAILY)
    assert not any("alone" in line or "by what validates" in line for line in lines)


def test_weights_are_told_with_six_digits():
    assert rounded({"lstm": 0.06000000000000001, "linear": 2 / 3}) == {
        "lstm": 0.06,
        "linear": 0.666667,
    }
