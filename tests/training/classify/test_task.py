"""A classifier's run learns, resumes to the same bits, and measures what it holds back."""

from __future__ import annotations

import json
import os
import signal

import numpy as np
import pytest
from classify_tool import write_csv
from loop_tool import stop_after

import numba_lstm
from numba_lstm import losses
from numba_lstm.training import load_classifier
from numba_lstm.training.classify.config import ClassifyConfig
from numba_lstm.training.classify.results import measure, read_results
from numba_lstm.training.classify.session import held_back
from numba_lstm.training.classify.task import Classified, classify, classify_part
from numba_lstm.training.interrupt import Interrupted
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import Run, RunError
from numba_lstm.training.runs.options import ConfigError, merge_options

OPTIONS = {
    "id": "series",
    "time": "when",
    "label": "kind",
    "hidden": 8,
    "batch": 8,
    "lr": 0.02,
    "dropout": 0.2,
    "log_every": 2,
    "epochs": 4,
    "valid_fraction": 0.2,
}


@pytest.fixture
def config(tmp_path):
    path = write_csv(tmp_path / "data.csv")
    return merge_options(ClassifyConfig, ("", {**OPTIONS, "data": str(path)}))


def contents(run):
    names = ("model.safetensors", "resume.safetensors", "data.json", "config.toml")
    files = {name: (run.path / name).read_bytes() for name in names if "resume" not in name}
    found = run.load()
    lines = [{k: v for k, v in record.items() if k != "seconds"} for record in run.metrics()]
    counters = {k: v for k, v in found.counters.items() if k != "seconds"}
    arrays = {name: array.tobytes() for name, array in found.model.items()}
    return files, lines, counters, arrays, found.random


def test_it_learns_to_tell_the_classes(config, tmp_path):
    trainer, run = session.start(
        merge_options(ClassifyConfig, ("", {**config.values(), "epochs": 40})), tmp_path / "run"
    )
    trainer.run(run)
    summary = trainer.summary()
    assert summary["val_accuracy"] > 0.9
    assert summary["sequences"] == {"train": 48, "valid": 12, "test": 0}
    assert (summary["steps"], summary["epochs"]) == (240, 40)
    records = [record for record in run.metrics() if record["val_loss"] is not None]
    assert [record["step"] for record in records] == list(range(6, 241, 6))
    assert min(record["val_loss"] for record in records) == summary["val_loss"]


@pytest.mark.parametrize("stop", [1, 6, 8, 23])
def test_an_interrupted_run_goes_on_to_the_same_bits(config, tmp_path, monkeypatch, stop):
    trainer, whole = session.start(config, tmp_path / "whole")
    trainer.run(whole)
    trainer, run = session.start(config, tmp_path / "parts")
    stop_after(monkeypatch, trainer, stop, signal.SIGTERM)
    with pytest.raises(Interrupted):
        trainer.run(run)
    assert run.load().counters["step"] == stop
    trainer, run = session.resume(run.path)
    trainer.run(run)
    assert contents(run) == contents(whole)


def test_a_resumed_run_may_go_on_for_longer_and_change_nothing_else(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    trainer, run = session.resume(run.path, {"epochs": 6})
    trainer.run(run)
    assert trainer.counters.step == 36
    with pytest.raises(ConfigError, match="hidden: expected the run's 8, got 9"):
        session.resume(run.path, {"hidden": 9})


def test_other_data_are_refused(config, tmp_path):
    _, run = session.start(config, tmp_path / "run")
    write_csv(tmp_path / "data.csv", seed=5)
    with pytest.raises(ConfigError, match=r"data\.csv: expected the sequences that the run was tr"):
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
    assert (run.path / "config.toml").read_text().startswith('kind = "classify"\n')
    assert run.config() == trainer.config


def test_a_run_of_another_kind_is_refused_by_its_name(config, tmp_path):
    _, run = session.start(config, tmp_path / "run")
    with pytest.raises(RunError, match="run: expected a run of train lm, got one of train class"):
        numba_lstm.load(run.path)
    with pytest.raises(RunError, match="expected a run of train lm"):
        session.resume(run.path, kind="lm")
    text = (run.path / "config.toml").read_text().replace("classify", "banana")
    (run.path / "config.toml").write_text(text)
    with pytest.raises(ConfigError, match="kind: expected lm or classify or forecast, got 'ban"):
        Run(run.path)


def test_the_kept_model_is_opened_and_measured(config, tmp_path):
    config = merge_options(ClassifyConfig, ("", {**config.values(), "test_fraction": 0.2}))
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    assert read_results(run) == {}
    found = measure(trainer.task, run)
    assert read_results(run) == found == json.loads((run.path / "results.json").read_text())
    loaded = load_classifier(run.path)
    assert not loaded.model.training
    valid = classify_part(loaded.model, trainer.task.data.valid)
    assert found["valid"]["loss"] == valid.loss == trainer.summary()["val_loss"]
    assert found["valid"]["accuracy"] == trainer.summary()["val_accuracy"]
    assert found["test"]["sequences"] == np.sum(found["test"]["confusion"]) == 12


def test_a_run_that_goes_on_has_no_results_until_it_ends_again(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    measure(trainer.task, run)
    with pytest.raises(ConfigError, match="hidden"):
        session.resume(run.path, {"hidden": 9})
    assert "valid" in read_results(run)
    session.resume(run.path, {"epochs": 9})
    assert read_results(run) == {}


def test_what_is_held_back_is_that_of_the_runs_own_data(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    loaded = load_classifier(run.path)
    assert held_back(loaded).digest() == trainer.task.data.valid.digest()
    write_csv(tmp_path / "data.csv", 61)
    with pytest.raises(
        ConfigError, match=r"^data: .*data\.csv has changed since the run; give --da"
    ):
        held_back(loaded)


def test_classifying_does_not_depend_on_the_order_or_the_batches(config, tmp_path):
    trainer, _ = session.start(config, tmp_path / "run")
    model, part = trainer.model, trainer.task.data.train
    logits = classify(model, part)
    assert model.training
    model.eval()
    for k in (0, 7, 31):
        alone = model(part.x[k][:, None])[0]
        np.testing.assert_allclose(logits[k], alone, rtol=1e-5, atol=1e-6)
    loss, _ = losses.cross_entropy(logits, part.labels)
    assert classify_part(model, part).loss == pytest.approx(loss)


def test_the_accuracy_is_what_stands_on_the_diagonal():
    assert Classified(0.0, np.array([[3, 1], [2, 4]])).accuracy == 0.7


def test_a_damaged_file_is_named(config, tmp_path):
    _, run = session.start(config, tmp_path / "run")
    (run.path / "results.json").write_text('{"test": {}}')
    with pytest.raises(RunError, match=r"results\.json: expected for each part loss"):
        read_results(run)
    (run.path / "results.json").unlink()
    os.mkfifo(run.path / "results.json")
    with pytest.raises(RunError, match=r"results\.json: expected an ordinary file, got a FIFO"):
        read_results(run)
    (run.path / "data.json").write_text("{}")
    with pytest.raises(RunError, match=r"data\.json: expected columns, classes"):
        load_classifier(run.path)
    (run.path / "data.json").unlink()
    with pytest.raises(RunError, match=r"expected a run, but it has no data\.json"):
        load_classifier(run.path)
