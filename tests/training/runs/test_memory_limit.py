"""A model is refused for the memory that it or its training needs, which is counted right."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest

from numba_lstm import models, system
from numba_lstm.parameters import scratch
from numba_lstm.training.classify.config import ClassifyConfig
from numba_lstm.training.classify.data import Part, SequenceData
from numba_lstm.training.classify.meaning import Meaning
from numba_lstm.training.classify.session import make_classifier
from numba_lstm.training.classify.task import ClassifyTask
from numba_lstm.training.lm import loading
from numba_lstm.training.lm.config import merge
from numba_lstm.training.runs import session
from numba_lstm.training.runs.folders import RunError
from numba_lstm.training.runs.memory_limit import check_values, recurrent_parameters
from numba_lstm.training.runs.options import ConfigError, merge_options
from numba_lstm.training.step import make_optimizer, train_step


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("layers", [1, 3])
@pytest.mark.parametrize("both", [False, True])
def test_a_classifier_is_refused_for_one_byte_more_than_there_are(monkeypatch, cell, layers, both):
    about = {"cell": cell, "layers": layers, "bidirectional": both, "hidden": 5}
    config = merge_options(ClassifyConfig, ("", about))
    meaning = Meaning(("a", "b"), ("x", "y", "z"), (0.0, 0.0), (1.0, 1.0))
    needed = sum(p.numpy().nbytes for p in make_classifier(config, meaning).parameters())
    assert needed == 4 * (
        recurrent_parameters(cell, 2, 5, layers, 1 + both) + (5 * (1 + both) + 1) * 3
    )
    assert estimated(lambda: make_classifier(config, meaning)) == needed
    monkeypatch.setattr(system, "memory", lambda: needed - 1)
    monkeypatch.setattr(models, "SequenceClassifier", None)  # nothing is made
    with pytest.raises(ConfigError, match=r"^hidden: expected a model that fits in memory, got 5"):
        make_classifier(config, meaning)


def peak_of(train):
    """The most bytes that a training holds at once, after another one has compiled its kernels."""
    train()
    scratch._after_fork()  # memory that was kept for the next one is not counted again
    tracemalloc.start()
    try:
        train()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def estimated(make):
    """The bytes for which a model is made, and for one fewer of which it is refused."""
    low, high = 0, 2**40
    with pytest.MonkeyPatch.context() as patch:
        while high - low > 1:
            middle = (low + high) // 2
            patch.setattr(system, "memory", lambda middle=middle: middle)
            try:
                make()
                high = middle
            except ConfigError:
                low = middle
    return high


@pytest.mark.parametrize(
    "options",
    [
        {"cell": "lstm", "batch": 4, "seq_len": 16},
        {"cell": "lstm", "batch": 64, "seq_len": 64, "hidden": 64},
        {"cell": "gru", "layers": 2, "batch": 16, "dropout": 0.0},
        {"cell": "rnn", "layers": 2, "optimizer": "sgd", "hidden": 400},
        {"cell": "lstm", "dtype": "float64", "optimizer": "adam", "clip": 0.0},
    ],
)
def test_a_language_models_training_takes_at_least_the_estimate_and_not_much_more(options):
    config = merge(("", {"hidden": 256, "embedding": 32, "seq_len": 32, "steps": 1, **options}))
    needs = estimated(lambda: loading.make_model(config, 80, training=True))

    def train():
        model = loading.make_model(config, 80)
        optimizer = make_optimizer(config, model)
        window = np.zeros((config.seq_len, config.batch), np.int64)
        for _ in range(2):
            train_step(model, optimizer, window, window, None, config.clip)

    assert 0.4 < needs / peak_of(train) < 1


@pytest.mark.parametrize(
    "options",
    [{"bidirectional": True, "pooling": "max"}, {"cell": "gru", "layers": 2, "batch": 50}],
)
def test_so_does_a_classifiers(options):
    config = merge_options(ClassifyConfig, ("", {"hidden": 128, **options}))
    rng = np.random.default_rng(0)
    x = [rng.standard_normal((n, 3)).astype("f4") for n in rng.integers(20, 60, 90)]
    part = Part(x, rng.integers(0, 2, 90), tuple(map(str, range(90))))
    meaning = Meaning(("a", "b", "c"), ("x", "y"), (0.0,) * 3, (1.0,) * 3)
    needs = estimated(lambda: make_classifier(config, meaning, part))

    def train():
        data = SequenceData(meaning, part, None, None)
        task = ClassifyTask(config, data, make_classifier(config, meaning))
        optimizer = make_optimizer(config, task.model)
        for number in range(len(task.batches)):
            task.step(task.next(), optimizer, config.clip, number)

    assert 0.4 < needs / peak_of(train) < 1


def test_a_refusal_says_in_one_line_what_needs_the_memory(monkeypatch):
    monkeypatch.setattr(system, "memory", lambda: 2**30)
    with pytest.raises(ConfigError) as refused:
        loading.make_model(merge(("", {"hidden": 9000})), 80, training=True)
    assert str(refused.value) == (
        "hidden: expected a model that fits in memory, got 9000: at least 6.4 GiB (parameters 1.2, "
        "gradients 1.2, packed copies 1.2, adamw 2.5, a batch 0.28) are needed, of which "
        "there are 1"
    )
    loading.make_model(merge(("", {"hidden": 3000})), 80)  # to write samples with
    for name in ("batch", "seq_len"):
        words = rf"^{name}: expected a batch that fits in memory, got 9999: "
        with pytest.raises(ConfigError, match=words):
            loading.make_model(merge(("", {name: 9999})), 80, training=True)
    meaning = Meaning(("a",), ("x", "y"), (0.0,), (1.0,))
    many = Part([np.zeros((2**16, 1), "f4")] * 64, np.zeros(64, int), ("s",) * 64)
    config = merge_options(ClassifyConfig, ("", {"batch": 64}))
    with pytest.raises(ConfigError, match="batch: expected a batch that fits in memory, got 64:"):
        make_classifier(config, meaning, many)


def test_a_run_is_refused_before_anything_is_written(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    needed = estimated(lambda: loading.make_model(merge(("", {"hidden": 300})), 66))
    monkeypatch.setattr(system, "memory", lambda: 2 * needed)  # enough but to train it
    with pytest.raises(ConfigError, match="hidden: expected a model that fits in memory, got 300"):
        session.start(merge(("", {"hidden": 300, "steps": 1})))
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [float("nan"), float("inf")])
def test_a_file_s_values_are_enough_and_finite_before_a_model_is_made(bad):
    values = {"a": np.ones((2, 3)), "b": np.ones(4, np.int64)}
    check_values(values, 10, "run")
    with pytest.raises(RunError, match=r"^run: expected a model of 11 numbers, got 10$"):
        check_values(values, 11, "run")
    values["a"][1, 1] = bad
    with pytest.raises(RunError, match=r"^run: expected finite numbers, got infinity or NaN in a$"):
        check_values(values, 10, "run")
