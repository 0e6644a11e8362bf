"""One direction of a layer: the same bits by every schedule, input source, piece and threads."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from lstm_tool import assert_same_bits, draw, ours, run_python

from numba_lstm import nn, tuning


def computed(module, case):
    """What inference and training give; the former checked against the latter."""
    y, (hn, cn) = module(case.x, case.hx)
    found = ours(module, case)
    assert_same_bits({"y": y, "hn": hn, "cn": cn}, {k: found[k] for k in ("y", "hn", "cn")})
    return {name: np.ascontiguousarray(value) for name, value in found.items()}


# T, B, I, H: fewer and more rows than threads and than a block has, panels that do not fill up.
SIZES = [
    (1, 1, 1, 1),
    (5, 2, 3, 70),
    (3, 3, 129, 17),
    (4, 7, 9, 130),
    (2, 13, 20, 40),
    (9, 1, 5, 200),
]


def test_every_schedule_and_input_source_gives_the_same_bits():
    program = f"""
import json, schedules_tool as t
sizes = {SIZES}
whole = dict(ragged=[False])
print(json.dumps([
    t.forced_bits("lstm", 4, sizes=sizes, **whole),
    t.forced_bits("lstm", 3, sizes=sizes[1:4], dtype="f8", **whole),
]))
"""
    counts = json.loads(run_python(program, NUMBA_NUM_THREADS="4"))
    # Schedules (1,1) (2,1) (2,2) (3,1) (3,3) (4,1) (4,2) (4,4), by two sources.
    assert counts == [len(SIZES) * 8 * 2, 3 * 5 * 2]


def test_the_number_of_threads_changes_no_bit():
    program = """
import numpy as np
import numba_lstm as nl
from numba_lstm import nn, tuning
from lstm_tool import assert_same_bits, draw
from test_direction import computed
tuning.MIN_PARALLEL_WORK = 0
rng = np.random.default_rng(0)
embedding = nn.Embedding(30, 20, seed=0)
sizes = [(7, 20, 33), (6, 2, 140), (50, 1, 5)]
for number, (steps, batch, hidden) in enumerate(sizes):
    module = nn.LSTM(20, hidden, 2, batch_first=number == 1, seed=0)
    linear = nn.Linear(hidden, 71, seed=1)
    case = draw(rng, module, steps, batch)
    dz = rng.standard_normal((*case.dy.shape[:2], 71)).astype("f4")
    tokens = rng.integers(0, 30, case.dy.shape[:2])
    results = []
    for nt in (1, 2, 3, 4):
        nl.set_num_threads(nt)
        found = computed(module, case)
        module.zero_grad(), embedding.zero_grad(), linear.zero_grad()
        (y, _), pullback = module.vjp_tokens(embedding, tokens)
        z, back = linear.vjp(y)
        pullback(back(dz))
        found |= {"z": z, "y by token": np.ascontiguousarray(y)}
        for m in (module, embedding, linear):
            found |= {f"by token {id(m)} {name}": p.grad for name, p in m.named_parameters()}
        results.append(found)
    for nt, found in enumerate(results, 1):
        assert_same_bits(found, results[0], (number, nt))
"""
    about = {"NUMBA_NUM_THREADS": "4"}
    run_python(program, Path(__file__).parent, **about)


@pytest.mark.parametrize("rows", [1, 6, 7, 20])
@pytest.mark.parametrize("batch", [1, 5])
def test_inference_in_pieces_gives_the_same_bits(rng, monkeypatch, rows, batch):
    module = nn.LSTM(3, 18, bidirectional=True, seed=0)
    embedding = nn.Embedding(4, 3, seed=0)
    case = draw(rng, module, 17, batch)
    tokens = rng.integers(0, 4, (17, batch))
    expected, by_token = module(case.x, case.hx), module.infer_tokens(embedding, tokens)
    monkeypatch.setattr(tuning, "INFER_ROWS", rows)
    for found, whole in (
        (module(case.x, case.hx), expected),
        (module.infer_tokens(embedding, tokens), by_token),
    ):
        assert np.array_equal(found[0], whole[0])
        assert np.array_equal(found[1], whole[1])


def test_gradients_that_are_there_are_added_to_in_every_layout(rng):
    # Hidden sizes with and without a remainder of units take different ways through unpacking.
    for hidden in (3, 16, 37, 64):
        module = nn.LSTM(5, hidden, dtype="f8", seed=0)
        case = draw(rng, module, 3, 4)
        once = {k: v.copy() for k, v in ours(module, case).items()}
        module.vjp(case.x, case.hx)[1](case.dy, case.dstate)
        for name, p in module.named_parameters():
            assert np.array_equal(p.grad, 2 * once[name]), (hidden, name)


def test_gradients_of_frozen_parameters_stay_none(rng):
    for frozen in ("weight_ih_l0", "weight_hh_l0", "bias_ih_l0", "bias_hh_l0"):
        module = nn.LSTM(5, 7, seed=0)
        case = draw(rng, module, 3, 4)
        expected = ours(module, case)
        getattr(module, frozen).requires_grad = False
        found = ours(module, case)
        assert found.pop(frozen) is None
        expected.pop(frozen)
        assert_same_bits(found, expected)
