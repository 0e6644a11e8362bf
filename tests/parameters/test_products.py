"""The products under Linear: the same bits for every thread count, and both ways to dW."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from crew_tool import cut_always, own_crew
from gradcheck import assert_close

from numba_lstm import nn, threads, tuning, workers
from numba_lstm.parameters import products as matmul
from numba_lstm.parameters.parameter import Parameter
from numba_lstm.parameters.scratch import Lease
from numba_lstm.simd import TARGET


@pytest.mark.parametrize("inputs, outputs", [(5, 200), (200, 5), (64, 64), (129, 70)])
def test_two_threads_give_the_bits_of_one(rng, monkeypatch, inputs, outputs):
    monkeypatch.setattr(tuning, "MIN_PARALLEL_WORK", 0)
    if threads.most_threads() < 2:
        pytest.skip("one core; tests of the time loops run in a process of their own")
    rows = 300
    x, dy = (rng.standard_normal((rows, n)).astype("f4") for n in (inputs, outputs))
    results = []
    for nt in (1, 2):
        monkeypatch.setattr(threads, "_chosen", nt)
        weight = Parameter(np.linspace(-1, 1, inputs * outputs, dtype="f4").reshape(outputs, -1))
        bias = Parameter(np.linspace(-1, 1, outputs, dtype="f4"))
        y = matmul.forward(weight, bias, x)
        dx = matmul.backward(weight, bias, x, dy)
        results.append((y, dx, weight.grad, bias.grad))
    for one, two in zip(*results):
        assert np.array_equal(one, two)
    w = weight.numpy().astype("f8")
    expected = (x @ w.T + bias.numpy(), dy @ w, dy.astype("f8").T @ x, dy.sum(0, "f8"))
    for found, value in zip(results[0], expected):
        assert_close(found, value, 2e-6)


def test_bias_gradients_are_summed_in_float64():
    module = nn.Linear(1, 1, seed=0)
    dy = np.full((200_000, 1), 0.1, "f4")
    module.vjp(np.zeros((200_000, 1), "f4"))[1](dy)
    assert_close(module.bias.grad, dy.sum(0, "f8"), 1e-7)


def test_a_weight_shared_with_an_embedding_gets_both_gradients(rng):
    embedding, linear = nn.Embedding(7, 4, dtype="f8", seed=0), nn.Linear(4, 7, False, dtype="f8")
    linear.weight = embedding.weight
    tokens, dy = rng.integers(0, 7, 9), rng.standard_normal((9, 7))
    x, back = embedding.vjp(tokens)
    _, pullback = linear.vjp(x)
    dx = pullback(dy)
    first = embedding.weight.grad.copy()
    back(dx)
    expected = dy.T @ x
    assert_close(first, expected, 1e-14)
    np.add.at(expected, tokens, dx)
    assert_close(embedding.weight.grad, expected, 1e-14)


def test_blocks_are_copied_only_where_rows_outgrow_the_second_cache(monkeypatch):
    """On 16 registers, whose panels take two sweeps, and where enough panels use a copy."""
    monkeypatch.setattr(tuning, "L2_BYTES", 300 << 10)
    wide = 256  # columns: 256 rows of them are 256 KB
    given = {
        # registers that hold a panel, threads, terms, columns, panels
        (False, 1, 300, wide, 8): True,
        (True, 1, 300, wide, 8): False,
        (False, 2, 300, wide, 8): False,
        (False, 2, 300, wide, 16): True,
        (False, 1, 100, wide, 8): False,
        (False, 1, 300, wide // 2, 8): False,
    }
    for (held, nt, terms, columns, panels), copied in given.items():
        monkeypatch.setattr(matmul, "STRIP", matmul.PANEL if held else matmul.PANEL // 2)
        found = matmul.blocks_memory(nt, terms, columns, panels, np.dtype("f4"), Lease())
        assert len(found) == (nt * tuning.PIECES_OF_ROWS if copied else 0)


def test_a_gradient_has_the_same_bits_whether_blocks_are_copied_or_parts_cut(rng, monkeypatch):
    x, dy = (rng.standard_normal((400, n)).astype("f4") for n in (2200, 2100))
    found, pieces, multiply = [], [], matmul.gemm_transposed

    def noting(*arguments):
        multiply(*arguments)
        pieces.append(workers._crew.words[workers.PIECES])

    monkeypatch.setattr(matmul, "gemm_transposed", noting)
    monkeypatch.setattr(tuning, "L2_BYTES", 1 << 10)
    monkeypatch.setattr(threads, "threads_for", lambda work: 2)
    monkeypatch.setattr(threads, "most_threads", lambda: 2)  # also where there is one core
    for cut, held in itertools.product((False, True), (False, True)):
        with own_crew():
            cut_always()
            if not cut:  # nor because a new worker is late by itself
                workers._crew.words[workers.FINE] = 0
            monkeypatch.setattr(matmul, "STRIP", matmul.PANEL if held else matmul.PANEL // 2)
            weight = Parameter(np.zeros((2100, 2200), "f4"))
            matmul.weight_gradient(weight, x, dy)
            found.append(weight.grad)
    # A piece copies blocks for as many panels as a thread must have for copying to be worth it.
    panels = -(-2100 // (matmul.PANEL * TARGET.lanes(4)))
    copying = min(tuning.PIECES_OF_ROWS, panels // (2 * tuning.GEMM_TRANSPOSED_PANELS))
    assert copying > 1 and pieces == [1, 1, copying, tuning.PIECES_OF_PART]
    assert all(np.array_equal(one, found[0]) for one in found)
    assert_close(found[0], dy.T.astype("f8") @ x, 1e-5)
