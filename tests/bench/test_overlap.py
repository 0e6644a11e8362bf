"""The ways to sum gradients are compared, and layers are told when they are ready."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from ranks_tool import needs_mpi

from numba_lstm import losses, models
from numba_lstm.distributed.gradients import FlatGradients
from numba_lstm.parameters import parameter

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def overlap(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import overlap

    return overlap


def test_layers_are_ready_from_the_last_to_the_first_and_are_all_there_is(overlap, monkeypatch):
    for owner, name in ((parameter._Accumulation, "__exit__"), (parameter.Parameter, "add_grad")):
        monkeypatch.setattr(owner, name, getattr(owner, name))  # to be put back
    model = models.LanguageModel(9, 6, 8, 2, dropout=0.2, seed=0)
    layers = overlap.layers_of(model)
    assert [len(layer) for layer in layers] == [1, 4, 4, 2]
    flat = FlatGradients(list(model.parameters()), 2)
    told, ready = [], overlap.Ready(layers)
    tokens = np.random.default_rng(0).integers(0, 9, (6, 4))
    (logits, _), pullback = model.vjp(tokens[:-1])
    ready.expect(lambda k: told.append((k, [p.grad.copy() for p in layers[k]])))
    pullback(losses.cross_entropy(logits, tokens[1:])[1])
    assert [k for k, _ in told] == [3, 2, 1, 0]
    for k, early in told:  # nothing is added to a gradient that counted as ready
        for p, one in zip(layers[k], early):
            assert np.array_equal(p.grad, one) and one.any()
    parts = overlap.parts_of(flat.arrays[0], layers)
    for part in parts:
        part += 1.0
    assert all(np.shares_memory(p.grad, part) for part, of in zip(parts, layers) for p in of)
    assert sum(part.size for part in parts) >= sum(p.size for p in model.parameters())
    assert not flat.arrays[0][-4:].any()  # the flags behind the gradients are in no part


@needs_mpi
def test_two_ranks_compare_the_ways(tmp_path):
    command = [sys.executable, str(BENCH / "overlap.py"), "--json", "a.json", "--rows", "4"]
    command += ["--seconds", "0.05", "--model", "tiny=9,6,8,2,8"]
    done = subprocess.run(
        command, capture_output=True, text=True, cwd=tmp_path, timeout=300, stdin=subprocess.DEVNULL
    )
    assert done.returncode == 0, done.stderr
    result = json.loads((tmp_path / "a.json").read_text())
    (one,) = result["overlap"]
    assert (result["ranks"], one["name"], one["turns"] >= 3) == (2, "tiny", True)
    assert list(one["ms"]) == ["no sum", "one message", "a message a layer"]
    when = [layer["ms"] for layer in one["layers"]]
    assert len(when) == 4 and when == sorted(when) and one["sum_ms"] > 0
    assert one["ms"]["no sum"] > when[0] > 0 and min(one["ms"].values()) > 0
