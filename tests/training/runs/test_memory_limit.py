"""A model is refused for its parameters' size, and they are counted right."""

from __future__ import annotations

import os

import pytest

from numba_lstm import models
from numba_lstm.training.classify.config import ClassifyConfig
from numba_lstm.training.classify.meaning import Meaning
from numba_lstm.training.classify.session import make_classifier
from numba_lstm.training.runs.memory_limit import recurrent_parameters, refuse_too_large
from numba_lstm.training.runs.options import ConfigError, merge_options


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
    told = {"SC_PAGE_SIZE": needed, "SC_PHYS_PAGES": 1}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    make_classifier(config, meaning)
    told["SC_PAGE_SIZE"] = needed - 1
    monkeypatch.setattr(models, "SequenceClassifier", None)  # nothing is made
    with pytest.raises(ConfigError, match=r"^hidden: expected a model that fits in memory, got 5"):
        make_classifier(config, meaning)


def test_where_the_memory_is_not_told_it_is_what_can_be_addressed(monkeypatch):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": -1}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    refuse_too_large(2**45, "float32", "hidden: got 9")
    with pytest.raises(ConfigError, match="hidden: got 9: its parameters alone take 262,144 GiB"):
        refuse_too_large(2**46, "float32", "hidden: got 9")
