"""The time loop forward: the reference's states and gates, and padding that stays exactly zero."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from lstm_tool import TOLERANCE, draw

from numba_lstm import nn
from numba_lstm.kernels import pack
from numba_lstm.recurrent.call import Call
from numba_lstm.reference.lstm import lstm_forward
from numba_lstm.simd import PANEL, TARGET

# T, B, I, H; few rows are projected beforehand, many are not.
SIZES = [(1, 1, 1, 1), (5, 2, 3, 17), (3, 13, 20, 33), (4, 7, 5, 129), (6, 40, 9, 64)]


def run(module, case):
    """What one call keeps: a `Saved` for each direction."""
    call = Call(module, case.hx, x=case.x)
    call.forward()
    return call, [one.saved for one in call.layers[0].directions]


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("sizes", SIZES)
def test_saved_gates_and_states_are_the_references(rng, sizes, dtype):
    steps, batch, inputs, hidden = sizes
    module = nn.LSTM(inputs, hidden, bidirectional=True, dtype=dtype, seed=0)
    case = draw(rng, module, steps, batch)
    _call, saved = run(module, case)
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    for direction, suffix in enumerate(("", "_reverse")):
        turn = -1 if suffix else 1
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(module, f"{n}_l0{suffix}").numpy().astype("f8") for n in names]
        states = [s[direction].astype("f8") for s in case.hx]
        *_, expected = lstm_forward(case.x[::turn].astype("f8"), *states, *weights)
        kept = saved[direction]
        h_columns = kept.h_column
        for states, value in ((kept.u[:, h_columns:], expected.h), (kept.gate_state, expected.c)):
            # What each step read, in order of time, and the last states behind.
            states = states[:, :hidden].reshape(steps + 1, batch, hidden)
            assert_close(states[:-1][::turn], value[:-1], TOLERANCE[np.dtype(dtype)])
            assert_close(states[-1], value[-1], TOLERANCE[np.dtype(dtype)])
        rows = kept.z[:, : steps * batch]
        gates = np.stack(
            [
                pack.unpack_bias(np.ascontiguousarray(rows[:, r]), 4, hidden, np.arange(4), v)
                for r in range(steps * batch)
            ]
        )
        gates = gates.reshape(steps, batch, -1)[::turn]
        assert_close(gates, expected.gates, TOLERANCE[np.dtype(dtype)])
        if h_columns:  # the inputs stand beside the states
            inside = kept.u[: steps * batch, :inputs]
            assert np.array_equal(inside, case.x.reshape(inside.shape))


@pytest.mark.parametrize("sizes", SIZES)
def test_units_of_padding_are_exactly_zero_forward_and_backward(rng, sizes):
    steps, batch, inputs, hidden = sizes
    module = nn.LSTM(inputs, hidden, bidirectional=True, seed=0)
    case = draw(rng, module, steps, batch)
    call, saved = run(module, case)
    for kept in saved:
        padded = kept.z.shape[0] * TARGET.lanes(4)
        assert not kept.gate_state[:, hidden:padded].any()
        assert not kept.u[:, kept.h_column + hidden : kept.h_column + padded].any()
    call.backward(case.dy, case.dstate)
    v = TARGET.lanes(4)
    unit = np.arange(saved[0].z.shape[0])[:, None] * v + np.tile(np.arange(v), PANEL)
    for kept in saved:
        dz = kept.z[:, : steps * batch]
        padding = (unit >= hidden)[:, None, :]
        assert not (dz * padding).any()
        assert (dz * ~padding).any()


def test_old_contents_of_scratch_memory_change_nothing(rng):
    from numba_lstm.parameters import scratch

    module = nn.LSTM(5, 19, num_layers=2, bidirectional=True, seed=0)
    case = draw(rng, module, 4, 3)

    def everything():
        call = Call(module, case.hx, x=case.x)
        (y, (hn, cn)), (dx, (dh0, dc0)) = call.forward(), call.backward(case.dy, case.dstate)
        y2, _ = module(case.x, case.hx)
        grads = [p.grad for p in module.parameters()]
        module.zero_grad()
        return [y, hn, cn, dx, dh0, dc0, y2, *grads]

    expected = everything()
    for buffers in scratch._free.values():
        for buffer in buffers:
            buffer[...] = 255  # NaN
    assert scratch._blocks
    for block in scratch._blocks:
        np.frombuffer(block, np.uint8)[...] = 255
    for one, two in zip(everything(), expected):
        assert np.array_equal(one, two)
