"""Gradients that reach through thousands of steps are the reference's."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, by_reference, draw, ours
from lstm_tool import assert_all_close


def remembering(kind, rng):
    """A module whose gradients neither vanish nor grow over thousands of steps.

    Gates that keep the state are nearly 1, and an RNN's W_hh is orthogonal. What comes in is small.
    """
    module = MODULES[kind](2, 3, dtype="f8", seed=0)
    if kind.startswith("lstm"):
        bias = module.bias_ih_l0.numpy().copy().reshape(4, 3)
        bias[0], bias[1] = -4.0, 8.0  # i and f
        module.bias_ih_l0[...] = bias.reshape(-1)
    elif kind.startswith("gru"):
        module.bias_ih_l0[3:6] = 8.0  # z
    else:
        module.weight_hh_l0[...] = np.linalg.qr(rng.standard_normal((3, 3)))[0]
        module.weight_ih_l0[...] = 1e-4 * module.weight_ih_l0.numpy()
        module.bias_ih_l0[...], module.bias_hh_l0[...] = 0.0, 0.0
    return module


@pytest.mark.parametrize("steps", [2000, 5000])
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn-tanh", "lstm-projected"])
def test_gradients_through_thousands_of_steps_are_the_references(rng, kind, steps):
    module = remembering(kind, rng)
    case = draw(rng, module, steps, 2)
    if kind.startswith("rnn"):
        case = case._replace(states=[1e-3 * s for s in case.states])
    # Nothing but the last state's cotangent goes in, so that what comes out came all the way.
    case = case._replace(dy=np.zeros_like(case.dy))
    found = ours(module, case)
    last = "dc0" if kind.startswith("lstm") else "dh0"
    assert np.abs(found[last]).max() > 0.05
    assert_all_close(found, by_reference(module, case), "f8", (kind, steps), times=100.0)
