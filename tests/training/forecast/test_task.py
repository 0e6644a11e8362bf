"""A forecaster's run learns, resumes to the same bits, and sees nothing of the future."""

from __future__ import annotations

import signal

import numpy as np
import pytest
from forecast_tool import days, sales, write_csv
from loop_tool import stop_after

from numba_lstm import losses
from numba_lstm.training import load_forecaster
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.results import measure, read_results
from numba_lstm.training.forecast.task import forecast, loss_of
from numba_lstm.training.interrupt import Interrupted
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import RunError
from numba_lstm.training.runs.options import ConfigError, merge_options

OPTIONS = {
    "time": "day",
    "target": "sales",
    "exog": "visitors",
    "horizon": 7,
    "window": 14,
    "folds": 3,
    "hidden": 8,
    "batch": 16,
    "lr": 0.01,
    "dropout": 0.2,
    "log_every": 4,
    "epochs": 4,
    "valid_fraction": 0.15,
    "networks": 1,
}


@pytest.fixture
def config(tmp_path):
    path = write_csv(tmp_path / "data.csv")
    return merge_options(ForecastConfig, ("", {**OPTIONS, "data": str(path)}))


def changed(config, **options):
    return merge_options(ForecastConfig, ("", {**config.values(), **options}))


def contents(run):
    names = ("model.safetensors", "data.json", "config.toml")
    files = {name: (run.path / name).read_bytes() for name in names}
    found = run.load()
    lines = [{k: v for k, v in record.items() if k != "seconds"} for record in run.metrics()]
    counters = {k: v for k, v in found.counters.items() if k != "seconds"}
    arrays = {name: array.tobytes() for name, array in found.model.items()}
    return files, lines, counters, arrays, found.random


def test_it_learns_what_repeats(config, tmp_path):
    trainer, run = session.start(changed(config, epochs=30, dropout=0.0), tmp_path / "run")
    trainer.run(run)
    summary = trainer.summary()
    assert summary["rows"] == {"train": 118, "valid": 21, "test": 21}
    assert (summary["series"], summary["frequency"]) == (1, "D")
    assert (summary["window"], summary["horizon"]) == (14, 7)
    found = measure(trainer.task, run)["backtest"]
    assert found["model"]["mae"] < found["last_value"]["mae"]


@pytest.mark.parametrize("stop", [1, 7, 9, 23])
def test_an_interrupted_run_goes_on_to_the_same_bits(config, tmp_path, monkeypatch, stop):
    trainer, whole = session.start(config, tmp_path / "whole")
    trainer.run(whole)
    assert trainer.counters.step == 28
    trainer, run = session.start(config, tmp_path / "parts")
    stop_after(monkeypatch, trainer, stop, signal.SIGTERM)
    with pytest.raises(Interrupted):
        trainer.run(run)
    assert run.load().counters["step"] == stop
    trainer, run = session.resume(run.path)
    trainer.run(run)
    assert contents(run) == contents(whole)


def test_what_comes_after_the_parts_that_learn_changes_no_bit(config, tmp_path):
    """The rows of the back-test are others, and some of them are missing."""
    whole = sales(160)
    runs = []
    for k, holes in enumerate(((), (141, 142))):
        values = whole.copy()
        values[139:] += 50.0 * k
        lines = [f"{day},{values[n]:.3f},{n}" for n, day in enumerate(days(160)) if n not in holes]
        path = tmp_path / f"{k}.csv"
        path.write_text("\n".join(["day,sales,visitors", *lines]) + "\n")
        trainer, run = session.start(changed(config, data=str(path)), tmp_path / f"run{k}")
        trainer.run(run)
        measure(trainer.task, run)
        runs.append(run.path)
    for name in ("model.safetensors", "linear.safetensors", "data.json"):
        one, other = ((path / name).read_bytes() for path in runs)
        assert one == other, name


def test_a_resumed_run_may_go_on_for_longer_and_change_nothing_else(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    trainer, run = session.resume(run.path, {"epochs": 6})
    trainer.run(run)
    assert trainer.counters.step == 42
    with pytest.raises(ConfigError, match="horizon: expected the run's 7, got 9"):
        session.resume(run.path, {"horizon": 9})


def test_other_data_are_refused(config, tmp_path):
    _, run = session.start(config, tmp_path / "run")
    write_csv(tmp_path / "data.csv", seed=5)
    with pytest.raises(ConfigError, match=r"data\.csv: expected the series that the run was tra"):
        session.resume(run.path)


def test_warming_up_changes_nothing(config, tmp_path):
    trainer, _ = session.start(config, tmp_path / "run")
    before = trainer.checkpoint().pack()
    trainer.warm_up()
    after = trainer.checkpoint().pack()
    assert before[1] == after[1]
    assert all(np.array_equal(before[0][name], after[0][name]) for name in before[0])


def test_the_folder_is_a_run_like_others(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    assert sorted(path.name for path in run.path.iterdir()) == [
        "config.toml",
        "data.json",
        "metrics.jsonl",
        "model.safetensors",
        "resume.safetensors",
    ]
    assert (run.path / "config.toml").read_text().startswith('kind = "forecast"\n')
    assert run.config() == trainer.config
    measure(trainer.task, run)
    ends = {"linear.safetensors", "results.json"}
    assert ends < {path.name for path in run.path.iterdir()}
    session.resume(run.path, {"epochs": 9})
    assert not ends & {path.name for path in run.path.iterdir()}


def test_before_its_end_a_run_has_networks_and_then_linear_forecasters_too(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    loaded = load_forecaster(run.path)
    assert not loaded.model.training and loaded.meaning == trainer.task.data.meaning
    # Linear forecasters are solved at the end.
    assert loaded.weights == {"lstm": 0.5, "lstm last": 0.5}
    results = measure(trainer.task, run)
    loaded = load_forecaster(run.path)
    assert loaded.weights == results["weights"]
    lines = {"linear", "linear alone", "linear last", "linear last alone"}
    assert set(loaded.weights) == {"lstm", "lstm last", *lines}
    assert sum(loaded.weights.values()) == pytest.approx(1.0)
    windows = trainer.task.valid.passes
    scaled = windows.batch(windows.origins)[1].swapaxes(0, 1)
    truth = windows.rows.unscaled(scaled, windows.origins)
    found = {
        name: np.abs(forecast(model, windows)[..., 0] - truth)
        for name, model in (
            ("model", loaded.model),
            ("network", loaded.network),
            ("linear", loaded.linear),
        )
    }
    error = {name: one.mean() for name, one in found.items()}
    assert error["model"] <= error["network"]
    assert error["model"] <= error["linear"] * 1.02  # but for the rounds that find weights
    assert set(results["backtest"]["linear_members"]) == set(results["backtest"]["model"])
    (run.path / "linear.safetensors").write_bytes(b"{}")
    with pytest.raises(ValueError, match=r"linear\.safetensors"):
        load_forecaster(run.path)


@pytest.mark.parametrize("folds", [0, 3])
def test_a_run_that_lost_its_linear_forecasters_is_refused(config, tmp_path, folds):
    trainer, run = session.start(changed(config, folds=folds), tmp_path / "run")
    trainer.run(run)
    measure(trainer.task, run)
    assert ("backtest" in read_results(run)) == bool(folds)
    before = (run.path / "linear.safetensors").read_bytes()
    (run.path / "linear.safetensors").unlink()
    with pytest.raises(RunError, match=r"linear\.safetensors: no such file, but results"):
        load_forecaster(run.path)
    # What the message says: going on with the run makes it again.
    trainer, run = session.resume(run.path)
    trainer.run(run)
    measure(trainer.task, run)
    assert (run.path / "linear.safetensors").read_bytes() == before
    load_forecaster(run.path)


def test_a_damaged_file_is_named(config, tmp_path):
    _, run = session.start(config, tmp_path / "run")
    (run.path / "data.json").write_text("{}")
    with pytest.raises(RunError, match=r"data\.json: expected columns, targets"):
        load_forecaster(run.path)


def test_losses_are_of_targets_and_their_gradients_have_the_outputs_shape():
    rng = np.random.default_rng(0)
    y, t = rng.normal(size=(7, 3, 2)), rng.normal(size=(7, 3, 2))

    def loss(name, outputs, **options):
        return loss_of(merge_options(ForecastConfig, ("", {"loss": name, **options})))(outputs, t)

    assert loss("mse", y)[0] == losses.mse(y, t)[0]
    assert loss("huber", y)[0] == losses.huber(y, t)[0]
    value, gradient = loss("mae", y)
    assert value == pytest.approx(np.abs(y - t).mean()) and gradient.shape == y.shape
    three = np.repeat(y, 3, axis=-1)
    value, gradient = loss("quantile", three, level=0.8)
    expected, _ = losses.quantile(three.reshape(7, 3, 2, 3), t, (0.1, 0.5, 0.9))
    assert value == pytest.approx(expected) and gradient.shape == three.shape
