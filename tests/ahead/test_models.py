"""After a warm-up no command, model or estimator asks the cache for what it has not got."""

from __future__ import annotations

import functools
import tempfile
from pathlib import Path

import pytest
from classify_tool import options, write_csv
from cli_tool import TEXT, TINY
from entries_tool import asked, asked_by_command

ESTIMATORS = """
import numpy as np
from numba_lstm.estimators import LSTMClassifier, LSTMForecaster, LSTMRegressor
rng = np.random.default_rng(0)
X = [rng.normal(size=(rng.integers(5, 12), 3)) for _ in range(100)]
y = [int(x[-1, 0] > 0) for x in X]
even, about = np.ones((100, 10, 3)), {"max_iter": 2, "random_state": 0}
"""
MODULES = """
import numpy as np
from numba_lstm import losses, models, optim, training
x = np.ones((40, 24, 5))
lengths = np.arange(40) % 24 + 1
"""


@functools.cache
def warmed(*args):
    """What `numba-lstm warmup` with these arguments leaves in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        return asked_by_command(Path(folder), "warmup", *args)


def assert_covered(found, *args):
    assert found and found <= warmed(*args), sorted(found - warmed(*args))


@pytest.mark.parametrize(
    "about",
    [
        [],
        ["--layers", "2", "--bidirectional", "--pooling", "max", "--dropout", "0.5"],
        ["--hidden", "200", "--pooling", "mean", "--recurrent-dropout", "0.2"],
        ["--input-dropout", "0.2", "--optimizer", "sgd"],
    ],
)
def test_of_classifiers_and_what_is_done_with_their_runs(about, tmp_path):
    table = write_csv(tmp_path / "table.csv")
    length = ["--epochs", 2, "--quiet", "--out", tmp_path / "run"]
    assert_covered(
        asked_by_command(tmp_path, "train", "classify", *options(table), *length, *about)
    )
    predict = "predict", tmp_path / "run", "--input", table, "--output", tmp_path / "found.csv"
    assert_covered(asked_by_command(tmp_path, *predict))
    assert_covered(asked_by_command(tmp_path, "evaluate", tmp_path / "run"))


def test_of_language_models_and_their_samples(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    about = ["--data", tmp_path / "text.txt", *TINY, "--steps", 4, "--out", tmp_path / "run"]
    assert_covered(asked_by_command(tmp_path, "train", "lm", *about, "--quiet"))
    assert_covered(asked_by_command(tmp_path, "sample", tmp_path / "run", "--length", 5))


@pytest.mark.parametrize(
    "fit",
    [
        "LSTMClassifier(**about).fit(X, y).predict(X[:1])",
        "LSTMClassifier(bidirectional=True, early_stopping=True, **about).fit(even, y)",
        "LSTMRegressor(solver='sgd', recurrent_dropout=0.1, **about).fit(X, y).predict(X)",
        "LSTMRegressor(loss='huber', return_sequences=True, **about).fit(even, even[:, :, 0])",
        "LSTMForecaster(horizon=5, **about).fit(np.arange(200.0)).predict()",
        "LSTMForecaster(horizon=5, quantiles=[0.1, 0.5, 0.9], hidden_size=256, **about).fit("
        "np.arange(200.0), np.ones(200)).predict(X=np.ones(5))",
    ],
)
def test_of_estimators(fit, tmp_path):
    pytest.importorskip("sklearn")
    assert_covered(asked(tmp_path, ESTIMATORS + fit))


@pytest.mark.parametrize("cell", ["lstm", "gru"])
@pytest.mark.parametrize(
    "model",
    [
        "SequenceRegressor(5, 32, 2, 3, pooling=None, dropout=0.1",
        "SequenceClassifier(5, 32, 2, bidirectional=True, input_dropout=0.1",
        "SequenceRegressor(5, 500, 2, recurrent_dropout=0.1",
    ],
)
def test_of_models_that_a_trainer_trains(model, cell, tmp_path):
    program = f"""
model = models.{model}, cell={cell!r}, seed=0)
y = np.zeros(model(np.ones((24, 40, 5)), lengths).shape)
y = y.swapaxes(0, 1) if y.ndim == 3 else y
trainer = training.Trainer(model, losses.mse, optim.AdamW(model.parameters()), clip=1.0)
trainer.fit(training.batches(x, y, 16, lengths=lengths, seed=0), epochs=1)
"""
    assert_covered(
        asked(tmp_path, MODULES + program), *(() if cell == "lstm" else ("--cell", cell))
    )


def test_a_cell_that_was_not_asked_for_is_not_covered(tmp_path):
    table = write_csv(tmp_path / "table.csv")
    about = [*options(table), "--epochs", 1, "--quiet", "--cell", "rnn"]
    assert not asked_by_command(tmp_path, "train", "classify", *about) <= warmed()
