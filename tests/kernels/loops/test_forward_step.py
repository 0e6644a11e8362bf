"""A step forward: z by three sources to the bit, and which vectors each product reaches."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import draw, given
from gradcheck import assert_close
from kept_tool import kept_by, of_direction, slots_of, states_of

from numba_lstm import nn
from numba_lstm.kernels.loops.forward_step import FUSED, PROJECTED
from numba_lstm.recurrent import plan
from numba_lstm.recurrent.call import Call

MAKE = {
    "lstm": nn.LSTM,
    "gru": nn.GRU,
    "gru-before": lambda *a, **k: nn.GRU(*a, reset_after=False, **k),
    "rnn": nn.RNN,
}


@pytest.mark.parametrize("kind", MAKE)
def test_every_source_of_the_inputs_part_leaves_the_same_bits(rng, monkeypatch, kind):
    for batch, hidden in ((1, 5), (3, 140), (13, 33)):  # panels at once, and blocks of rows
        module = MAKE[kind](3, hidden, seed=0)
        embedding = nn.Embedding(6, 3, seed=0)
        tokens = rng.integers(0, 6, (4, batch))
        case = draw(rng, module, 4, batch)._replace(x=embedding.weight.numpy()[tokens])
        by_token = Call(module, given(case.states), tokens=tokens, embedding=embedding)
        by_token.forward()
        calls, found = [by_token], [by_token.layers[0].directions[0].saved]  # calls own the memory
        for source in (FUSED, PROJECTED):
            with monkeypatch.context() as patch:
                patch.setattr(plan, "input_source", lambda *a, s=source: s)
                again = MAKE[kind](3, hidden, seed=0)  # that has no plan yet
                call, (saved,) = kept_by(again, case)
                calls.append(call)
                found.append(saved)
        width = found[0].u.shape[1]
        slots = 3 if kind == "gru-before" else 4  # the last one has no gate
        lanes = found[0].z.shape[2] // 4
        for one in found[1:]:
            a, b = (z[:, : 4 * batch, : slots * lanes] for z in (found[0].z, one.z))
            assert np.array_equal(a, b)
            assert np.array_equal(found[0].u, one.u[:, one.h_column : one.h_column + width])


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_inputs_and_state_reach_the_vectors_of_their_windows_only(rng, dtype):
    """A GRU's last vector is of h alone, whatever x is, and its first one, before tanh, of x."""
    module = nn.GRU(3, 19, dtype=dtype, seed=0)
    case = draw(rng, module, 3, 7)
    call, (kept,) = kept_by(module, case)
    p, rows = of_direction(module, 0), kept.steps.rows
    h_prev = states_of(kept, call.weights[0].padded_h)[:rows, :19]
    expected = h_prev @ p["weight_hh"][38:].T + p["bias_hh"][38:]
    n, r, _, h_n = slots_of(kept.z, rows)[..., :19]
    assert_close(h_n, expected, {"f4": 1e-6, "f8": 1e-14}[dtype])
    of_x = case.x.reshape(rows, 3) @ p["weight_ih"][38:].T + p["bias_ih"][38:]
    assert_close(n, np.tanh(of_x + r * expected), {"f4": 1e-5, "f8": 1e-13}[dtype])
