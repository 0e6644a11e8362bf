"""Another program makes the forecast of `predict` from the model and what is told beside it."""

from __future__ import annotations

import csv
import json

import numpy as np
import pytest
from forecast_tool import days, sales

from numba_lstm.training import load_forecaster
from numba_lstm.training.forecast import combining, exported
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.data import load_data
from numba_lstm.training.forecast.prediction import predict, read_for
from numba_lstm.training.runs import session
from numba_lstm.training.runs.options import merge_options

TABLE = {"time": "day", "target": ["sales", "visitors"], "exog": "wind", "known": "holiday"}


def write_table(path, count=120, ahead=4):
    rng = np.random.default_rng(0)
    with open(path, "w", newline="") as file:
        table = csv.writer(file)
        table.writerow(["holiday", "wind", "day", "visitors", "sales"])
        for n, (day, value) in enumerate(zip(days(count + ahead), sales(count + ahead))):
            told = [round(10 * value), round(value, 3)] if n < count else ["", ""]
            table.writerow([int(n % 9 == 0), round(rng.gamma(2.0), 3), day, *told])
    return path


def made(tmp_path, **options):
    """A run with networks that are not trained and solved linear forecasters, and its table."""
    tmp_path.mkdir(exist_ok=True)
    path = write_table(tmp_path / "data.csv")
    given = {**TABLE, "horizon": 4, "window": 10, "hidden": 4, "folds": 2, "networks": 1}
    config = merge_options(ForecastConfig, ("", {**given, "data": str(path), **options}))
    _, run = session.start(config, tmp_path / "run")
    combining.combine(config, load_data(config), run)
    return load_forecaster(run.path), path


def regular_part(about, weights, times):
    """As a reader makes it of the page's words."""
    total = np.zeros(len(times))
    for name, weight in weights.items():
        wave = about["calendar"][name]
        own = wave["since"] == "year"
        start = times.astype("datetime64[Y]") if own else np.datetime64(wave["since"])
        hours = (times - start) / np.timedelta64(1, "h")
        phase = 2 * np.pi * wave["harmonic"] * hours / wave["period"]
        total += weight * {"sin": np.sin, "cos": np.cos}[wave["function"]](phase)
    return total


def forecast(about, model, path, id=""):
    """(outputs, horizon) of the last rows of a table that has the rows to come behind it."""
    with open(path) as file:
        rows = list(csv.DictReader(file))
    times = np.array([row["day"] for row in rows], "datetime64[s]")
    ahead, series = about["horizon"], about["series"][id]

    def scaled(name, part):
        values = np.array([float(row[name]) for row in rows[part]])
        values -= regular_part(about, series["seasonal"][name], times[part])
        of = series["scaling"][name]
        return (values - of["mean"]) / of["deviation"]

    seen, coming = slice(-ahead - about["window"], -ahead), slice(-ahead, None)
    arrays = [
        np.stack([scaled(name, part) for name in about["inputs"][key]], -1)[:, None].astype("f4")
        for key, part in (("x", seen), ("future", coming))
    ]
    y = np.asarray(model(*arrays), dtype=float)[:, 0].T
    found = []
    for output, values in zip(about["outputs"]["y"], y):
        of, weights = (series[key][output["target"]] for key in ("scaling", "seasonal"))
        part = regular_part(about, weights, times[coming])
        found.append(values * of["deviation"] + of["mean"] + part)
    return np.array(found)


@pytest.mark.parametrize("kind", ["python", "onnxruntime"])
@pytest.mark.parametrize("options", [{}, {"loss": "quantile", "level": 0.8}], ids=["", "quantile"])
def test_what_is_told_makes_the_forecast_of_predict(tmp_path, kind, options):
    loaded, path = made(tmp_path, **options)
    errors = {side: [[n + 0.5, n + 1.5] for n in range(4)] for side in ("low", "high")}
    results = {"errors": {"ids": {"": errors}}} if not options else {"errors": None}
    (expected,) = predict(loaded, read_for(loaded, str(path), "input", {}, 10), results)
    about = json.loads(json.dumps(exported.about_forecaster(loaded, results), allow_nan=False))
    assert any(about["series"][""]["seasonal"]["sales"].values())  # a week, so that it counts
    model = loaded.model
    if kind == "onnxruntime":
        runtime = pytest.importorskip("onnxruntime")
        from numba_lstm.interop import onnx

        onnx.save(loaded.model, tmp_path / "m.onnx")
        opened = runtime.InferenceSession(tmp_path / "m.onnx", providers=["CPUExecutionProvider"])

        def model(x, future):
            return opened.run(["y"], {"x": x, "future": future})[0]

    found = forecast(about, model, path)
    if options:
        assert [one["quantile"] for one in about["outputs"]["y"][:3]] == pytest.approx(
            [0.1, 0.5, 0.9]
        )
        low, middle, high = np.sort(found.reshape(2, 3, 4), axis=1).swapaxes(0, 1)
    else:
        middle = found
        ends = [about["series"][""]["intervals"][name] for name in ("sales", "visitors")]
        low, high = (middle + [one[side] for one in ends] for side in ("low", "high"))
    assert about["level"] == options.get("level", 0.9)
    for ours, theirs in ((low, expected.low), (middle, expected.values), (high, expected.high)):
        np.testing.assert_allclose(ours.T, theirs, rtol=2e-5)


def test_each_of_several_series_has_its_own_scale_and_season(tmp_path):
    head, *rows = write_table(tmp_path / "one.csv").read_text().splitlines()
    cells = [row.split(",") for row in rows]
    larger = [
        [*row[:3], *(f"{1000 * float(one)}" if one else "" for one in row[3:])] for row in cells
    ]
    for name, parts in (("data", {"a": cells, "b": larger}), ("b", {"b": larger})):
        lines = [f"{id},{','.join(row)}" for id, part in parts.items() for row in part]
        (tmp_path / f"{name}.csv").write_text("\n".join([f"shop,{head}", *lines]) + "\n")
    given = {**TABLE, "id": "shop", "horizon": 4, "window": 10, "hidden": 4, "folds": 2}
    options = {**given, "networks": 1, "data": str(tmp_path / "data.csv")}
    config = merge_options(ForecastConfig, ("", options))
    _, run = session.start(config, tmp_path / "run")
    combining.combine(config, load_data(config), run)
    loaded = load_forecaster(run.path)
    about = json.loads(json.dumps(exported.about_forecaster(loaded, {})))
    assert list(about["series"]) == ["a", "b"]
    deviations = [one["scaling"]["sales"]["deviation"] for one in about["series"].values()]
    assert deviations[1] == pytest.approx(1000 * deviations[0], rel=1e-6)
    path = tmp_path / "b.csv"
    (expected,) = predict(loaded, read_for(loaded, str(path), "input", {}, 10), {})
    found = forecast(about, loaded.model, path, "b")
    np.testing.assert_allclose(found.T, expected.values, rtol=2e-5)


def test_every_number_has_a_name(tmp_path):
    loaded, _ = made(tmp_path)
    about = exported.about_forecaster(loaded, {})
    assert about["inputs"] == {"x": ["sales", "visitors", "wind", "holiday"], "future": ["holiday"]}
    assert about["frequency"] == {"count": 1, "unit": "D"} and "level" not in about
    assert [one["target"] for one in about["outputs"]["y"]] == ["sales", "visitors"]
    (one,) = about["series"].values()
    assert set(one) == {"scaling", "seasonal"}
    assert list(one["scaling"]) == list(one["seasonal"]) == about["inputs"]["x"]
    assert {tuple(weights) for weights in one["seasonal"].values()} == {tuple(about["calendar"])}
    assert about["calendar"]["week sin 1"] == {
        "function": "sin", "harmonic": 1, "period": 168.0, "since": "1970-01-05",
    }  # fmt: skip
    bare, _ = made(tmp_path / "bare", deseasonalize=False)
    about = exported.about_forecaster(bare, {})
    assert about["calendar"] == {} and about["series"][""]["seasonal"]["sales"] == {}
