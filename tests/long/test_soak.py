"""A stream that is stepped ten thousand times, or a million with NUMBA_LSTM_LONG=1."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, reference_cell, taken
from long_tool import LONG

from numba_lstm.reference import stack

STEPS = 1_000_000 if LONG else 10_000
AT_ONCE = 10_000 if LONG else 5_000  # what a call takes, and the reference keeps in memory
BOUND = {"f4": 1e-5, "f8": 1e-13}


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn-tanh"])
def test_a_stream_stays_finite_and_is_one_call_and_the_reference(rng, kind, dtype):
    """Steps give a call's bits, and with states of its own the reference never leaves them."""
    module = MODULES[kind](2, 5, dtype=dtype, seed=0)
    parameters = {name: p.numpy().astype("f8") for name, p in module.named_parameters()}
    stepped = called = None
    wide = [np.zeros((1, 1, 5)) for _ in module.STATES]
    taken_steps, worst = 0, 0.0
    while taken_steps < STEPS:
        x = rng.standard_normal((AT_ONCE, 1, 2)).astype(dtype)
        rows = np.empty((AT_ONCE, 1, 5), dtype)
        for t in range(AT_ONCE):
            rows[t], stepped = module.step(x[t], stepped)
        y, called = module(x, called)
        assert np.isfinite(rows).all() and rows.tobytes() == y.tobytes(), taken_steps
        for one, other in zip(taken(stepped), taken(called)):
            assert one.tobytes() == other.tobytes(), taken_steps
        output, _ = stack.stack_forward(reference_cell(module), parameters, x.astype("f8"), wide)
        wide = [np.stack(parts) for parts in output.finals]
        worst = max(worst, float(np.abs(rows - output.y).max()))
        taken_steps += AT_ONCE
    print(f"{kind} {dtype}: {taken_steps} steps, at most {worst:.2g} from the reference")
    assert worst < BOUND[dtype]
