from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference import ctc as ref

LABELS, LENGTHS = [[1, 2], [], [2, 2], [1]], [5, 2, 4, 1]


def test_it_is_the_sum_over_all_paths(rng):
    x = rng.standard_normal((4, 1, 3))
    p = np.exp(x[:, 0]) / np.exp(x[:, 0]).sum(axis=1, keepdims=True)
    for labels in ([], [2], [1, 1], [1, 2]):
        total = 0.0
        for path in itertools.product(range(3), repeat=4):
            if [label for label, _ in itertools.groupby(path) if label] == labels:
                total += math.prod(p[t, label] for t, label in enumerate(path))
        found = ref.ctc(x, [labels], [4])
        assert found == pytest.approx(-math.log(total) / max(len(labels), 1), rel=1e-13)


def test_the_gradient_equals_complex_step(rng):
    x = rng.standard_normal((5, 4, 3))
    numeric = complex_gradient(lambda z: ref.ctc(z, LABELS, LENGTHS), x)
    assert_close(ref.ctc_gradient(x, LABELS, LENGTHS), numeric, 1e-12)


def test_it_equals_torch(rng):
    torch = pytest.importorskip("torch")
    x = rng.standard_normal((5, 4, 3))
    tensor = torch.tensor(x, requires_grad=True)
    targets = torch.tensor([[1, 2], [0, 0], [2, 2], [1, 0]])
    counts = torch.tensor([len(one) for one in LABELS])
    theirs = torch.nn.functional.ctc_loss(
        tensor.log_softmax(2), targets, torch.tensor(LENGTHS), counts
    )
    theirs.backward()
    assert_close(ref.ctc(x, LABELS, LENGTHS), theirs.item(), 1e-13)
    assert_close(ref.ctc_gradient(x, LABELS, LENGTHS), tensor.grad.numpy(), 1e-12)
