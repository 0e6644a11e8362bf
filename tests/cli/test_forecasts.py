"""A table says at a glance how good a forecaster is, and a line whether it is worth its cost."""

from __future__ import annotations

import csv

import numpy as np
import pytest

from numba_lstm.cli._forecasts import _as_csv, lines_of, named, rounded
from numba_lstm.datasets import Frequency, read_series
from numba_lstm.training.forecast.prediction import Prediction

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
        "better": dict.fromkeys(
            ("linear_members", "linear", "seasonal_naive", "last_value"), better
        ),
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
        (
            {},
            "earns its keep: 20.0% less MAE than the best without a network (linear regression)",
        ),
        (
            {"better": 0.4},
            "than the best without a network (linear regression), but lower error in 40% of",
        ),
        ({"model": 2.5 + 1e-7}, "keep here: linear regression has the same MAE, and costs less"),
        ({"model": 3.0}, "does not earn its keep here: linear regression has 16.7% less MAE; use"),
        ({"linear": 0.0}, "does not earn its keep here: linear regression makes no error at all"),
        ({"linear": 0.0, "model": 0.0}, "is as good as the baselines: linear regression makes no"),
    ],
)
def test_one_line_says_whether_the_model_earns_its_keep(about, words):
    assert any(words in line for line in lines_of(found(**about), "lstm", DAILY))


def test_networks_that_the_linear_members_do_as_well_without_do_not_earn_their_keep():
    lines = lines_of(found(linear_members=measures(1.9)), "lstm", DAILY)
    assert any("does not earn its keep here: linear members alone has 5.0% less" in line
               for line in lines)  # fmt: skip
    assert sum(line.startswith("  linear members alone ") for line in lines) == 1


def test_of_networks_without_weight_it_says_so():
    weights = {"lstm": 0.0, "linear": 1.0}
    lines = lines_of(found(weights=weights, linear_members=measures(2.0)), "lstm", DAILY)
    verdict = "the LSTM does not earn its keep here: by what validates it got no weight; "
    assert verdict + "a linear forecaster is enough" in lines
    assert not any("linear members alone" in line for line in lines)
    lines = lines_of(found(model=3.0, weights=weights), "lstm", DAILY)
    assert verdict + "linear regression has 16.7% less MAE; use that" in lines


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


def test_of_several_series_each_has_a_line_and_the_scaled_error_decides():
    """By MAE the model is better, as the large series has it; not so in the mean of all."""
    mase = {"linear": 0.8, "seasonal_naive": 1.0, "last_value": 1.2, "network": 1.1}
    series = {f"shop{n}": {"model": n / 10, **mase} for n in range(3)}
    about = {name: measures(3.0, value) for name, value in mase.items()}
    about.update(model=measures(2.0, 1.0), series=series)
    lines = lines_of({**found(), "backtest": {**found()["backtest"], **about}}, "lstm", DAILY)
    at = next(n for n, line in enumerate(lines) if line.startswith("  MASE of each series "))
    assert lines[at + 2].split() == ["shop1", "0.1", "1.1", "0.8", "1", "1.2"]
    assert any("does not earn its keep here: linear regression has 20.0% less MASE" in line
               for line in lines)  # fmt: skip
    about["series"] = {f"shop{n}": {"model": n / 10, **mase} for n in range(12)}
    lines = lines_of({**found(), "backtest": {**found()["backtest"], **about}}, "lstm", DAILY)
    at = next(n for n, line in enumerate(lines) if "MASE of the worst 10 of 12 series" in line)
    ids = [line.split()[0] for line in lines[at + 1 : at + 11]]
    assert ids == [f"shop{n}" for n in range(11, 1, -1)]


def follows(path, time="when", id=None, steps=3):
    """A prediction for each series of a file, without a model: values 0, 1, … and their times."""
    found = []
    for one in read_series(path, time=time, target="sales", id=id):
        values = np.arange(float(steps))[:, None] * [1, 10]
        after = one.frequency.after(one.time[-1], steps)
        found.append(Prediction(one.id, after, values, values - 1, values + 1, one.form))
    return found


@pytest.mark.parametrize(
    "cells",
    [
        [f"20{20 + n // 12}-{n % 12 + 1:02}" for n in range(20)],
        [f"{n + 1:02}/03/2021" for n in range(20)],
        [f"2021-W{n + 1:02}" for n in range(20)],
        [f"2021-03-28T{n:02}:00+0{1 + (n > 1)}:00" for n in range(20) if n != 2],
        [str(1900 + n) for n in range(20)],
    ],
)
def test_forecasts_can_be_put_behind_their_table_and_read_with_it(tmp_path, cells):
    path = tmp_path / "sales.csv"
    rows = [f"{shop},{cell},{n}" for shop in ("007", "b") for n, cell in enumerate(cells)]
    path.write_text("\n".join(["shop,when,sales", *rows]) + "\n")
    found = follows(path, id="shop")
    told = list(csv.DictReader(_as_csv(found, ("sales",), "shop").splitlines()))
    assert list(told[0]) == ["shop", "when", "step", "sales", "sales_low", "sales_high"]
    with open(path, "a") as file:
        file.writelines(f"{row['shop']},{row['when']},{row['sales']}\n" for row in told)
    before = len(cells)
    for one, part in zip(read_series(path, time="when", target="sales", id="shop"), found):
        assert one.id == part.id and len(one) == before + 3 and not one.gaps
        np.testing.assert_array_equal(one.time[before:], part.time)
        assert one.values[before:, 0].tolist() == [0.0, 1.0, 2.0]


def test_columns_of_the_table_keep_their_names_and_others_make_room(tmp_path):
    path = tmp_path / "sales.csv"
    path.write_text("step,sales\n" + "".join(f"{n},{n}\n" for n in range(9)))
    text = _as_csv(follows(path, "step"), ("sales", "sales_low"), None).splitlines()[0]
    assert text == "step,step_,sales,sales_low_,sales_high,sales_low,sales_low_low,sales_low_high"


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
