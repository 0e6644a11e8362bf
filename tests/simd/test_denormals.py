"""Denormals are zero inside kernels, and as they were for the caller."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest
from lstm_tool import draw, ours

import numba_lstm as nl
from numba_lstm import nn, threads, tuning
from numba_lstm.jit import driver
from numba_lstm.simd import denormals, flush_denormals, restore_denormals

TINY = np.float32(1e-40)
needs_x86 = pytest.mark.skipif(not denormals.IS_X86, reason="only x86 flushes")


@driver
def _halve(crew, nt, flush, x, y):
    for _ in range(nt):
        if flush:
            state = flush_denormals()
            for i in range(x.size):
                y[i] = x[i] * x.dtype.type(0.5)
            restore_denormals(state)
        else:
            for i in range(x.size):
                y[i] = x[i] * x.dtype.type(0.5)


def denormals_work():
    """Whether this thread computes with denormals: in Python, in NumPy, in a kernel."""
    x = np.full(64, TINY)
    y = np.zeros_like(x)
    _halve(1, False, x, y)
    return bool(5e-324 * 1.0 > 0 and (x * np.float32(0.5) > 0).all() and (y > 0).all())


def test_a_thread_computes_with_denormals_after_every_call_as_before(rng, monkeypatch):
    assert denormals_work()
    module, linear = nn.LSTM(5, 20, seed=0), nn.Linear(20, 3, seed=0)
    embedding = nn.Embedding(4, 5, seed=0)
    case = draw(rng, module, 3, 4)
    tokens = rng.integers(0, 4, (3, 4))

    def everything():
        module(case.x)
        assert denormals_work()
        found = ours(module, case)
        assert denormals_work()
        linear.vjp(found["y"])[1](np.ones((3, 4, 3)))
        assert denormals_work()
        (y, _), pullback = module.vjp_tokens(embedding, tokens)
        pullback(y)
        assert denormals_work()

    everything()
    monkeypatch.setattr(tuning, "MIN_PARALLEL_WORK", 0)
    before = nl.get_num_threads()
    nl.set_num_threads(min(2, threads.most_threads()))
    everything()
    failures = []

    def in_a_thread():
        try:
            everything()
        except BaseException as error:
            failures.append(error)

    worker = threading.Thread(target=in_a_thread)
    worker.start()
    worker.join()
    nl.set_num_threads(before)
    assert not failures


@needs_x86
def test_denormals_are_zero_between_flush_and_restore():
    x, y = np.array([TINY, 1.0, 1.5e-38], "f4"), np.ones(3, "f4")
    _halve(1, True, x, y)
    assert np.array_equal(y, [0, 0.5, 0])
    _halve(1, False, x, y)
    assert (y > 0).all()


def decaying(dtype="f4"):
    """A layer whose gradient halves with each step back: all weights 0, all gates a half."""
    module = nn.LSTM(8, 64, dtype=dtype, seed=0)
    for p in module.parameters():
        p[...] = 0
    return module


@needs_x86
def test_states_and_gradients_decay_to_zero_and_never_to_denormals():
    module = decaying()
    steps = 400  # 2^-400 is far below float32's least denormal
    ones = np.ones((1, 4, 64), "f4")
    (y, (hn, cn)), pullback = module.vjp(np.zeros((steps, 4, 8), "f4"), (ones, ones))
    dx, (dh0, dc0) = pullback(None, (ones, ones))
    tiny = np.finfo("f4").tiny
    for name, array in {"y": y, "hn": hn, "cn": cn, "dx": dx, "dh0": dh0, "dc0": dc0}.items():
        found = np.abs(array)
        assert ((found == 0) | (found >= tiny)).all(), name
    assert not cn.any() and not dc0.any()
    assert y[0].all()


def test_decaying_gradients_do_not_slow_training():
    module, steps = decaying(), 500
    x = np.zeros((steps, 4, 8), "f4")
    full, last = np.ones((steps, 4, 64), "f4"), np.zeros((steps, 4, 64), "f4")
    last[-1] = 1
    best = {"full": np.inf, "last": np.inf}
    for _ in range(5):
        for name, dy in (("full", full), ("last", last)):
            (_, _), pullback = module.vjp(x)
            start = time.perf_counter()
            pullback(dy)
            best[name] = min(best[name], time.perf_counter() - start)
    # With denormals it takes from 3 to over 20 times as long, by machine.
    assert best["last"] < 2.5 * best["full"]
