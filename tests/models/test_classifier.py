"""What is the classifier's own; `test_encoder.py` tests what it shares."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses, optim
from numba_lstm.models import SequenceClassifier


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_it_learns_where_a_one_stood(pooling):
    rng = np.random.default_rng(0)
    model = SequenceClassifier(3, 16, 3, pooling=pooling, seed=0)
    optimizer = optim.Adam(model.parameters(), lr=0.02)
    lengths, labels = rng.integers(2, 9, 60), rng.integers(0, 3, 60)
    x = 0.1 * rng.standard_normal((8, 60, 3))
    x[0, np.arange(60), labels] += 1
    for _ in range(60):
        logits, pullback = model.vjp(x, lengths)
        _, dlogits = losses.cross_entropy(logits, labels)
        optimizer.zero_grad()
        pullback(dlogits)
        optimizer.step()
    assert (model.eval()(x, lengths).argmax(1) == labels).mean() == 1


def test_every_step_is_not_what_a_classifier_keeps():
    with pytest.raises(ValueError, match=r"^pooling: expected 'last' or 'mean' or 'max', got None"):
        SequenceClassifier(3, 4, 2, pooling=None)


def test_no_classes_are_refused():
    with pytest.raises(ValueError, match=r"^num_classes: expected at least 1, got 0"):
        SequenceClassifier(3, 4, 0)
