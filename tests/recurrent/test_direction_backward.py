"""Backward in pieces of time: the same as in one, on any number of threads."""

from __future__ import annotations

import numpy as np
import pytest
from lstm_tool import assert_all_close, assert_same_bits, by_reference, draw, ours, run_python

from numba_lstm import nn, tuning
from numba_lstm.recurrent.direction_backward import _steps_at_once
from numba_lstm.recurrent.steps import whole


def by_token(module, embedding, tokens, case):
    module.zero_grad()
    embedding.zero_grad()
    (_, _), pullback = module.vjp_tokens(embedding, tokens, case.hx)
    _, (dh0, dc0) = pullback(case.dy, case.dstate)
    found = {"dh0": dh0, "dc0": dc0, "embedding": embedding.weight.grad}
    return found | {name: p.grad for name, p in module.named_parameters()}


@pytest.mark.parametrize("batch", [1, 5, 30])
def test_steps_at_onces_give_what_one_call_gives(rng, monkeypatch, batch):
    module = nn.LSTM(3, 18, num_layers=2, bidirectional=True, dtype="f8", seed=0)
    embedding = nn.Embedding(4, 3, dtype="f8", seed=0)
    case = draw(rng, module, 600 // batch, batch)
    tokens = rng.integers(0, 4, (600 // batch, batch))
    expected = ours(module, case)
    expected_by_token = by_token(module, embedding, tokens, case)
    assert_all_close(expected, by_reference(module, case), "f8")
    monkeypatch.setattr(tuning, "PIECE_BYTES", 1)
    found = ours(module, case)
    for name in ("dh0", "dc0", "dx"):  # dz is the same to the bit, only sums over time differ
        assert np.array_equal(found[name], expected[name]), name
    assert_all_close(found, expected, "f8")
    found = by_token(module, embedding, tokens, case)
    assert_all_close(found, expected_by_token, "f8")


def test_steps_at_onces_give_the_same_bits_on_any_number_of_threads():
    run_python(
        """
import numpy as np
import numba_lstm as nl
from numba_lstm import nn, tuning
from lstm_tool import assert_same_bits, draw, ours
tuning.MIN_PARALLEL_WORK = 0
tuning.PIECE_BYTES = 1
for batch in (2, 40):
    module = nn.LSTM(3, 70, bidirectional=True, seed=0)
    case = draw(np.random.default_rng(0), module, 640 // batch, batch)
    results = []
    for nt in (1, 2, 3):
        nl.set_num_threads(nt)
        results.append(ours(module, case))
    assert_same_bits(results[1], results[0])
    assert_same_bits(results[2], results[0])
""",
        NUMBA_NUM_THREADS="4",
    )


def test_a_piece_is_whole_steps_and_all_of_them_where_they_fit(monkeypatch):
    for batch in (1, 3, 64, 257, 5000):
        z = np.empty((2, 0, 64), "f4")
        step = batch * 2 * 64 * 4
        monkeypatch.setattr(tuning, "PIECE_BYTES", 100 * step)
        assert _steps_at_once(z, whole(200, batch)) == 200
        assert 1 <= _steps_at_once(z, whole(10_000, batch)) <= max(100, 256)
        monkeypatch.setattr(tuning, "PIECE_BYTES", 1)
        assert _steps_at_once(z, whole(10_000, batch)) == max(1, 256 // batch)
    assert _steps_at_once(z, whole(7, 0)) == 7


def test_gradients_that_are_there_are_added_to(rng, monkeypatch):
    monkeypatch.setattr(tuning, "PIECE_BYTES", 1)
    module = nn.LSTM(5, 37, dtype="f8", seed=0)
    case = draw(rng, module, 300, 2)
    once = {k: v.copy() for k, v in ours(module, case).items()}
    module.vjp(case.x, case.hx)[1](case.dy, case.dstate)
    found = {name: p.grad for name, p in module.named_parameters()}
    assert_same_bits(found, {name: 2 * once[name] for name in found})
