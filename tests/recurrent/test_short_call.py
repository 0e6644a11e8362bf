"""The short way gives what a `Call` gives, to the bit, and hands on what it cannot do."""

from __future__ import annotations

import copy

import numpy as np
import pytest
from family_tool import MODULES, draw, given, taken

from numba_lstm import nn
from numba_lstm.recurrent import short_call
from numba_lstm.recurrent.call import Call
from numba_lstm.recurrent.short_call import infer, step


def same(found, expected):
    (y, states), (y0, states0) = found, expected
    assert np.array_equal(y, y0) and type(states) is type(states0)
    for one, other in zip(taken(states), taken(states0), strict=True):
        assert np.array_equal(one, other)


@pytest.fixture
def no_call(monkeypatch):
    def refuse(*args, **options):
        raise AssertionError("a Call was made")

    monkeypatch.setattr(short_call, "new_call", refuse)


@pytest.mark.parametrize("batch", [0, 1, 3])
@pytest.mark.parametrize("kind", ["lstm", "gru", "lstm-projected"])
def test_a_sequence_takes_the_short_way_and_gives_the_same_bits(rng, no_call, kind, batch):
    module = MODULES[kind](3, 5, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 4, batch)
    for hx in (None, given(case.states)):
        same(infer(module, case.x, hx), Call(module, hx, x=case.x).infer())


@pytest.mark.parametrize(
    ("options", "change"),
    [
        ({"batch_first": True}, lambda x: x),
        ({"dropout": 0.5, "num_layers": 2}, lambda x: x),
        ({"zoneout": 0.5}, lambda x: x),
        ({}, lambda x: x.astype("f8")),
        ({}, lambda x: x[:, 0]),
        ({}, lambda x: x[:, ::2]),
        ({}, lambda x: x.tolist()),
    ],
)
def test_anything_else_goes_to_a_call(rng, no_call, options, change):
    module = nn.GRU(3, 5, seed=0, **options)
    if "zoneout" in options:  # which evaluation has, too
        module.eval()
    with pytest.raises(AssertionError, match="a Call was made"):
        infer(module, change(rng.standard_normal((4, 4, 3), dtype=np.float32)), None)


@pytest.mark.parametrize("kind", ["lstm", "gru"])
def test_steps_of_a_single_sequence_and_of_a_batch_are_those_of_a_call(rng, no_call, kind):
    module = MODULES[kind](3, 5, 2, seed=0)
    case = draw(rng, module, 4, 2)
    y, states = Call(module, None, x=case.x).infer()
    state, alone = None, None
    for t in range(4):
        y_t, state = step(module, case.x[t], state)
        y_alone, alone = step(module, case.x[t, 1], alone)
        assert np.array_equal(y_t, y[t]) and np.array_equal(y_alone, y[t, 1])
    same((y, state), (y, states))
    same((y, alone), (y, given([one[:, 1] for one in taken(states)])))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("batch_first", True),
        ("zoneout", 0.5),
        ("dropout", 0.5),
        ("weight_hh_l1", nn.Parameter(np.full((15, 5), 0.1, np.float32))),
        ("bias_ih_l0", nn.Parameter(np.ones(15, np.float32))),
    ],
)
def test_what_is_set_after_a_call_holds_for_the_next(rng, name, value):
    module = nn.GRU(5, 5, 2, seed=0)
    module.eval()
    x = rng.standard_normal((4, 4, 5), dtype=np.float32)
    y, _ = module(x)
    setattr(module, name, value)
    same(module(x), Call(module, None, x=x).infer())
    expected = Call(
        module, None, x=x[:1].swapaxes(0, 1) if name == "batch_first" else x[:1]
    ).infer()
    assert np.array_equal(module.step(x[0])[0], np.squeeze(expected[0], int(name == "batch_first")))
    same(copy.deepcopy(module)(x), module(x))
    assert np.array_equal(y, module(x)[0]) == (name == "dropout")
    if name == "dropout":
        module.train()
        assert not np.array_equal(y, module(x)[0])
        module.eval()
        assert np.array_equal(y, module(x)[0])
