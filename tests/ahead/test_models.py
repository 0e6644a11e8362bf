"""After a warm-up no command, model or estimator asks the cache for what it has not got."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest
from classify_tool import options, write_csv
from cli_tool import TEXT, TINY
from entries_tool import asked, command

ESTIMATORS = """
import numpy as np
from numba_lstm.estimators import LSTMClassifier, LSTMForecaster, LSTMRegressor
rng = np.random.default_rng(0)
X = [rng.normal(size=(rng.integers(5, 12), 3)) for _ in range(100)]
y = [int(x[-1, 0] > 0) for x in X]
even, about = np.ones((100, 10, 3)), {"max_iter": 2, "random_state": 0}
one_of_a_kind = {**about, "n_estimators": 1}
"""
MODULES = """
import numpy as np
from numba_lstm import losses, models, optim, training
x = np.ones((40, 24, 5))
lengths = np.arange(40) % 24 + 1
"""


@functools.cache
def warmed(*args):
    """What `numba-lstm warmup` with these arguments asks for."""
    with tempfile.TemporaryDirectory() as folder:
        return asked(Path(folder), command("warmup", *args))[0]


def assert_covered(folder, programs, *args):
    """Programs that run one after another ask for nothing else than a warm-up."""
    found = asked(folder, *programs)
    # The first loads what is common; if the others ask for more, they are told by their number.
    assert found[0]
    for number, names in enumerate(found):
        assert names <= warmed(*args), (programs[number], sorted(names - warmed(*args)))


def test_of_classifiers_and_what_is_done_with_their_runs(tmp_path):
    table = write_csv(tmp_path / "table.csv")
    programs = []
    for number, about in enumerate(
        (
            [],
            ["--layers", "2", "--bidirectional", "--pooling", "max", "--dropout", "0.5"],
            ["--hidden", "200", "--pooling", "mean", "--recurrent-dropout", "0.2"],
            ["--input-dropout", "0.2", "--optimizer", "sgd"],
        )
    ):
        run = tmp_path / f"run {number}"
        length = ["--epochs", 2, "--quiet", "--out", run]
        predict = ["--input", table, "--output", tmp_path / "found.csv"]
        programs += [
            command("train", "classify", *options(table), *length, *about),
            command("predict", run, *predict),
            command("evaluate", run),
        ]
    assert_covered(tmp_path, programs)


def test_of_language_models_and_their_samples(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    about = ["--data", tmp_path / "text.txt", *TINY, "--steps", 4, "--out", tmp_path / "run"]
    sample = command("sample", tmp_path / "run", "--length", 5)
    assert_covered(tmp_path, [command("train", "lm", *about, "--quiet"), sample])


def test_of_estimators(tmp_path):
    pytest.importorskip("sklearn")
    fits = (
        "LSTMClassifier(**about).fit(X, y).predict(X[:1])",
        "LSTMClassifier(bidirectional=True, early_stopping=True, **about).fit(even, y)",
        "LSTMRegressor(solver='sgd', recurrent_dropout=0.1, **about).fit(X, y).predict(X)",
        "LSTMRegressor(loss='huber', return_sequences=True, **about).fit(even, even[:, :, 0])",
        "LSTMForecaster(horizon=5, **one_of_a_kind).fit(np.arange(200.0)).predict()",
        "LSTMForecaster(horizon=5, quantiles=[0.1, 0.5, 0.9], hidden_size=256, **one_of_a_kind)"
        ".fit(np.arange(200.0), np.ones(200)).predict(X=np.ones(5))",
    )
    assert_covered(tmp_path, [ESTIMATORS + fit for fit in fits])


@pytest.mark.parametrize("cell", ["lstm", "gru"])
def test_of_models_that_a_trainer_trains(cell, tmp_path):
    programs = []
    for model in (
        "SequenceRegressor(5, 32, 2, 3, pooling=None, dropout=0.1",
        "SequenceClassifier(5, 32, 2, bidirectional=True, input_dropout=0.1",
        "SequenceRegressor(5, 500, 2, recurrent_dropout=0.1",
    ):
        program = f"""
model = models.{model}, cell={cell!r}, seed=0)
y = np.zeros(model(np.ones((24, 40, 5)), lengths).shape)
y = y.swapaxes(0, 1) if y.ndim == 3 else y
trainer = training.Trainer(model, losses.mse, optim.AdamW(model.parameters()), clip=1.0)
trainer.fit(training.batches(x, y, 16, lengths=lengths, seed=0), epochs=1)
"""
        programs.append(MODULES + program)
    assert_covered(tmp_path, programs, *(() if cell == "lstm" else ("--cell", cell)))


def test_a_cell_that_was_not_asked_for_is_not_covered(tmp_path):
    table = write_csv(tmp_path / "table.csv")
    about = [*options(table), "--epochs", 1, "--quiet", "--cell", "rnn"]
    assert not asked(tmp_path, command("train", "classify", *about))[0] <= warmed()
