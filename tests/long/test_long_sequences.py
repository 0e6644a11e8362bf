"""A sequence of a hundred thousand steps: finite, and what its pieces give."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from family_tool import MODULES, draw, given, taken
from gradcheck import error

T = 100_000
ENDS = (0, 1, 30_000, 30_007, 77_777, T)
# Relative to the largest value. A weight's gradient sums 200,000 rows in another order.
BOUND = {"f4": 1e-4, "f8": 1e-12}


@pytest.mark.parametrize("dtype", BOUND)
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn-tanh"])
def test_a_hundred_thousand_steps_are_what_their_pieces_give(rng, kind, dtype):
    module = MODULES[kind](3, 8, dtype=dtype, seed=0)
    case = draw(rng, module, T, 2)
    (y, finals), pullback = module.vjp(case.x, given(case.states))
    dx, dinitial = pullback(case.dy, given(case.dstates))
    grads = {name: p.grad.copy() for name, p in module.named_parameters()}
    for array in (y, dx, *taken(finals), *taken(dinitial), *grads.values()):
        assert np.isfinite(array).all()
    assert np.abs(dx[0]).max() > 0 and np.abs(dx[-1]).max() > 0

    module.zero_grad()
    states, pieces = given(case.states), []
    for begin, end in pairwise(ENDS):
        (part, states), back = module.vjp(case.x[begin:end], states)
        assert part.tobytes() == y[begin:end].tobytes(), (begin, end)
        pieces.append((begin, end, back))
    for one, other in zip(taken(states), taken(finals)):
        assert one.tobytes() == other.tobytes()
    dstates = given(case.dstates)
    for begin, end, back in reversed(pieces):
        part, dstates = back(case.dy[begin:end], dstates)
        assert error(part, dx[begin:end]) < BOUND[dtype], (begin, end)
    for one, other in zip(taken(dstates), taken(dinitial)):
        assert error(one, other) < BOUND[dtype]
    for name, p in module.named_parameters():
        assert error(p.grad, grads[name]) < BOUND[dtype], name
