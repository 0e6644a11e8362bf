"""What a run keeps of its back-test is read again, or refused by what is wrong in the file."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from forecast_tool import days, write_csv

from numba_lstm.training import load_forecaster
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.prediction import predict, read_for
from numba_lstm.training.forecast.results import measure, read_results
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import Run, RunError
from numba_lstm.training.runs.options import merge_options

OPTIONS = {"time": "day", "target": ("sales", "visitors"), "horizon": 3, "window": 10, "hidden": 4,
           "folds": 2, "networks": 1}  # fmt: skip


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("results")
    path = write_csv(folder / "d.csv", 90)
    config = merge_options(ForecastConfig, ("", {**OPTIONS, "data": str(path)}))
    trainer, run = session.start(config, folder / "run")
    measure(trainer.task, run)
    return run


@pytest.mark.parametrize("options", [{}, {"loss": "quantile"}, {"target": "sales", "folds": 1}])
def test_what_is_written_is_read(tmp_path, options):
    """Of learnt intervals and of none, of one target and of several series, too."""
    path = write_csv(tmp_path / "d.csv", 90, ids=("a", "b"))
    given = {**OPTIONS, "id": "shop", "data": str(path), **options}
    trainer, run = session.start(merge_options(ForecastConfig, ("", given)), tmp_path / "run")
    assert read_results(run) == {}
    found = measure(trainer.task, run)
    assert read_results(run) == json.loads(json.dumps(found))


def two_sizes(path, size):
    """A small series, and a large one of another season beside it."""
    rng, lines = np.random.default_rng(0), ["shop,day,sales"]
    for name, factor, shape in (
        ("small", 1.0, [0, 1, 2, 2, 4, 9, 7]),
        ("large", size, [9, 1, 0] * 3),
    ):
        values = factor * (20 + np.resize(shape, 300) + rng.normal(size=300).cumsum() / 5)
        lines += [f"{name},{day},{value:.9g}" for day, value in zip(days(300), values)]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_a_small_series_beside_a_large_one_is_forecast_as_well_as_alone(tmp_path):
    given = {"time": "day", "target": "sales", "id": "shop", "horizon": 7, "folds": 8, "hidden": 8,
             "networks": 1, "epochs": 12, "lr": 0.01}  # fmt: skip
    both = two_sizes(tmp_path / "both.csv", 1000.0)
    alone = tmp_path / "alone.csv"
    alone.write_text("\n".join(both.read_text().splitlines()[:301]) + "\n")
    mase, said = {}, {}
    for path in (alone, both, two_sizes(tmp_path / "like.csv", 1.0)):
        config = merge_options(ForecastConfig, ("", {**given, "data": str(path)}))
        trainer, run = session.start(config, tmp_path / path.stem)
        trainer.run(run)
        found = measure(trainer.task, run)
        small = found["drawn"][0]
        mase[path.stem] = found["backtest"].get("series", {"small": {}})["small"]
        mase[path.stem] = mase[path.stem].get("model", found["backtest"]["model"]["mase"])
        said[path.stem] = np.array(small["model"])
        assert small["id"] == "small"
    assert mase["both"] < 1.1 * mase["alone"] and mase["both"] < 1.0, mase
    # However large the other one is, the small one is forecast the same.
    np.testing.assert_allclose(said["both"], said["like"], rtol=1e-3)


def test_a_series_that_ended_before_the_back_test_has_intervals_like_others(tmp_path):
    """It is not judged; `errors` has those of series in general for it."""
    lines = ["shop,day,sales"]
    for name, count in (("a", 120), ("early", 80)):
        lines += [f"{name},{day},{n % 7 + n % 5}" for n, day in enumerate(days(count))]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(lines) + "\n")
    given = {**OPTIONS, "target": "sales", "id": "shop", "data": str(path)}
    trainer, run = session.start(merge_options(ForecastConfig, ("", given)), tmp_path / "run")
    found = measure(trainer.task, run)
    assert list(found["errors"]["ids"]) == ["a"] and "series" not in found["backtest"]
    assert read_results(run) == json.loads(json.dumps(found))
    loaded = load_forecaster(run.path)
    _, early = predict(loaded, read_for(loaded, str(path), "input", {}, 10), found)
    assert (early.low < early.high).all() and str(early.time[0]).startswith("2021-03-25")


@pytest.mark.parametrize("end", [100, 130, 153])
def test_no_series_is_judged_on_days_that_the_model_has_seen(tmp_path, end):
    """Of another one, which goes on for longer."""
    lines = ["shop,day,sales"]
    for name, count in (("long", 160), ("early", end)):
        lines += [f"{name},{day},{n % 7 + n % 5}" for n, day in enumerate(days(count))]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(lines) + "\n")
    given = {**OPTIONS, "target": "sales", "id": "shop", "folds": 5, "data": str(path)}
    trainer, run = session.start(merge_options(ForecastConfig, ("", given)), tmp_path / "run")
    found = measure(trainer.task, run)
    until = load_forecaster(run.path).meaning.until
    judged = [found["backtest"]["from"], *(one["time"][0][0][:10] for one in found["drawn"])]
    assert all(day > until for day in judged), (until, judged)


def test_without_a_back_test_the_errors_are_those_of_what_validates(tmp_path):
    path = write_csv(tmp_path / "d.csv", 120, ids=("a", "b"))
    given = {**OPTIONS, "target": "sales", "id": "shop", "folds": 0, "data": str(path)}
    trainer, run = session.start(merge_options(ForecastConfig, ("", given)), tmp_path / "run")
    found = measure(trainer.task, run)
    assert set(found) == {"weights", "errors"} and list(found["errors"]["ids"]) == ["a", "b"]
    assert read_results(run) == json.loads(json.dumps(found))
    wide = [
        np.ptp([one["low"], one["high"]], axis=0).mean() for one in found["errors"]["ids"].values()
    ]
    assert 1.3 < wide[1] / wide[0] < 3.0  # b is twice as large as a
    (run.path / "results.json").write_text(json.dumps({**found, "errors": {}}))
    with pytest.raises(RunError, match="errors: expected 'ids', 'other'"):
        read_results(run)
    path = write_csv(tmp_path / "d.csv", 120)
    for options in ({"valid_fraction": 0.0}, {"loss": "quantile"}):
        given = {**OPTIONS, "target": "sales", "folds": 0, "data": str(path), **options}
        folder = tmp_path / next(iter(options))
        trainer, run = session.start(merge_options(ForecastConfig, ("", given)), folder)
        assert measure(trainer.task, run)["errors"] is None


def changed(run, place, value):
    """The results with another value at a place; without it where the value is DELETED."""
    found = json.loads((run.path / "results.json").read_text())
    *way, last = place.split(".")
    one = found
    for key in way:
        one = one[int(key) if isinstance(one, list) else key]
    if value is DELETED:
        del one[last]
    else:
        one[int(last) if isinstance(one, list) else last] = value
    return found


DELETED = object()


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        ("errors.other", DELETED, "errors: expected 'ids', 'other', got ['ids']"),
        ("drawn.0.truth", DELETED, "drawn.0: expected 'id', 'names'"),
        ("backtest.folds", "many", "backtest.folds: expected a whole number above 0, got 'many'"),
        ("backtest.folds", -3, "backtest.folds: expected a whole number above 0, got -3"),
        ("backtest.folds", True, "backtest.folds: expected a whole number above 0, got True"),
        ("backtest.folds", 3, "drawn.0.time: expected times of shape (3, 3)"),
        ("backtest.horizon", 4, "backtest.horizon: expected 3, got 4"),
        ("backtest.model.mae", None, "backtest.model.mae: expected a number from 0, got None"),
        ("backtest.model.mase", -1, "backtest.model.mase: expected a number from 0, or null"),
        ("backtest.better.linear", 1.5, "backtest.better.linear: expected a number from 0 to 1"),
        ("backtest.targets.sales", [], "backtest.targets.sales: expected 'model', 'network'"),
        ("backtest.targets", DELETED, "backtest: expected 'folds', 'horizon'"),
        ("intervals.level", 1, "intervals.level: expected a number above 0 and below 1, got 1"),
        ("intervals.coverage", 1.01, "intervals.coverage: expected a number from 0 to 1, or null"),
        ("weights", {"lstm": 0.5}, "weights: expected numbers from 0 that sum to 1"),
        ("errors.ids", {"x": {}}, "errors.ids: expected some of '', got ['x']"),
        ("errors.other.low", [[0.0, 0.0]], "errors.other.low: expected numbers of shape (3, 2)"),
        ("errors.other.low.0.1", 0.5, "errors.other: expected low up to 0 and high from 0"),
        ("errors.other.high.0.1", "0", "errors.other.high: expected numbers of shape (3, 2)"),
        ("errors.other.high.0.1", 1e200, "errors.other.high: expected numbers of shape (3, 2)"),
        ("drawn", [], "drawn: expected a list, got []"),
        ("drawn.0.names", ["sales"], "drawn.0.names: expected ['sales', 'visitors']"),
        ("drawn.0.low", None, "drawn.0: expected both low and high, got high"),
        ("drawn.0.model.1.2", [1.0], "drawn.0.model: expected numbers of shape (2, 3, 2)"),
        ("drawn.0.history.time.0", "soon", "drawn.0.history.time: expected times, got"),
        ("drawn.0.history.time", [], "drawn.0.history.time: expected times, got []"),
        ("drawn.0.history.values", [], "drawn.0.history.values: expected numbers of shape (6, 2)"),
        ("drawn.0.time.0.0", "NaT", "drawn.0.time: expected times of shape (2, 3)"),
        ("drawn.0.time.0.0", "2021-03-01T00:00Z", "drawn.0.time: expected times of shape (2, 3)"),
        ("drawn.0.time.0.0", "19999-01-01", "drawn.0.time: expected times of shape (2, 3)"),
        ("drawn.0.time", [["1", "2", "3"]] * 2, "drawn.0.time: expected times like those of the"),
    ],
)
def test_what_is_damaged_is_named_with_its_file(run, tmp_path, place, value, words):
    text = (run.path / "results.json").read_text()
    path = run.path / "results.json"
    try:
        path.write_text(json.dumps(changed(run, place, value)))
        with pytest.raises(RunError, match=rf"^{re.escape(f'{path}: {words}')}"):
            read_results(Run(run.path))
    finally:
        path.write_text(text)


@pytest.mark.parametrize("text", ["[]", "null", "{", '{"backtest": NaN}'])
def test_what_is_no_object_is_refused(run, text):
    path = run.path / "results.json"
    kept = path.read_text()
    try:
        path.write_text(text)
        with pytest.raises(RunError, match=re.escape(str(path))):
            read_results(run)
    finally:
        path.write_text(kept)
