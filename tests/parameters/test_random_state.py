"""A generator's state goes through JSON and back, whichever of NumPy's bit generators it is."""

from __future__ import annotations

import json

import numpy as np
import pytest

from numba_lstm.parameters import random_state

KINDS = [np.random.PCG64, np.random.MT19937, np.random.Philox, np.random.SFC64]


@pytest.mark.parametrize("kind", KINDS)
def test_a_state_through_json_continues_bit_for_bit(kind):
    rng, other = np.random.Generator(kind(1)), np.random.Generator(kind(2))
    rng.integers(0, 10, 3, np.uint8)  # leaves part of a draw behind
    saved = json.loads(json.dumps(random_state.get(rng)))
    expected = rng.random(5)
    before = random_state.get(other)
    state = random_state.check("drop.rng", other, saved)
    assert random_state.get(other) == before
    other.bit_generator.state = state
    assert np.array_equal(other.random(5), expected)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda s: None, r"expected the keys \['bit_generator', 'state'\]"),
        (lambda s: {**s, "more": 1}, "expected the keys"),
        (lambda s: {**s, "state": {"pos": 1}}, r"expected the keys \['key', 'pos'\]"),
        (lambda s: {**s, "state": {"key": [1, 2], "pos": 1}}, r"expected shape \(624,\), got \(2,"),
        (lambda s: {**s, "state": {"key": [-1] * 624, "pos": 1}}, ""),
        (lambda s: {**s, "bit_generator": "PCG64"}, ""),
    ],
)
def test_what_is_no_state_of_its_kind_is_refused_by_name(change, words):
    rng = np.random.Generator(np.random.MT19937(0))
    state = change(random_state.get(rng))
    with pytest.raises(ValueError, match=rf"^drop.rng: expected a state of MT19937: .*{words}"):
        random_state.check("drop.rng", rng, state)
