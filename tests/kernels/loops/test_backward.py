"""The time loop backward: dz of the reference, in one call or in calls that follow each other."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from lstm_tool import TOLERANCE, draw

from numba_lstm import nn
from numba_lstm.kernels import pack
from numba_lstm.recurrent.call import Call
from numba_lstm.reference.lstm import lstm_cell_backward, lstm_forward
from numba_lstm.simd import TARGET

SIZES = [(1, 1, 1, 1), (5, 2, 3, 17), (3, 3, 2, 129), (3, 13, 20, 33), (4, 7, 5, 200)]


def reference_dz(weights, x, states, dy, dhn, dcn):
    """dz (T, B, 4H), dh0 and dc0, step by step from the last."""
    *_, saved = lstm_forward(x, *states, *weights)
    dh, dc, dz = dhn, dcn, np.empty_like(saved.gates)
    for t in reversed(range(len(x))):
        dz[t], dc = lstm_cell_backward(dh + dy[t], dc, saved.gates[t], saved.c[t + 1], saved.c[t])
        dh = dz[t] @ saved.w_hh
    return dz, dh, dc


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("sizes", SIZES)
def test_dz_is_the_references(rng, sizes, dtype):
    steps, batch, inputs, hidden = sizes
    module = nn.LSTM(inputs, hidden, bidirectional=True, dtype=dtype, seed=0)
    case = draw(rng, module, steps, batch)
    call = Call(module, case.hx, x=case.x)
    call.forward()
    saved = [one.saved for one in call.layers[0].directions]
    _, (dh0, dc0) = call.backward(case.dy, case.dstate)
    v = TARGET.lanes(np.dtype(dtype).itemsize)
    for direction, suffix in enumerate(("", "_reverse")):
        turn = -1 if suffix else 1
        names = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")
        weights = [getattr(module, f"{n}_l0{suffix}").numpy().astype("f8") for n in names]
        half = case.dy[..., direction * hidden : (direction + 1) * hidden]
        dz, dh, dc = reference_dz(
            weights,
            case.x[::turn].astype("f8"),
            [s[direction].astype("f8") for s in case.hx],
            half[::turn].astype("f8"),
            *(s[direction].astype("f8") for s in case.dstate),
        )
        z = saved[direction].z
        rows = [np.ascontiguousarray(z[:, r]) for r in range(steps * batch)]
        found = np.stack([pack.unpack_bias(row, 4, hidden, np.arange(4), v) for row in rows])
        found = found.reshape(steps, batch, -1)[::turn]
        assert_close(found, dz, TOLERANCE[np.dtype(dtype)], "dz")
        assert_close(dh0[direction], dh, TOLERANCE[np.dtype(dtype)], "dh0")
        assert_close(dc0[direction], dc, TOLERANCE[np.dtype(dtype)], "dc0")


def test_no_cotangent_of_y_is_a_cotangent_of_zeros_to_the_bit(rng):
    module = nn.LSTM(3, 37, bidirectional=True, seed=0)
    case = draw(rng, module, 4, 5)
    results = []
    for dy in (None, np.zeros_like(case.dy)):
        dx, (dh0, dc0) = module.vjp(case.x, case.hx)[1](dy, case.dstate)
        results.append((dx, dh0, dc0))
    for one, two in zip(*results):
        assert np.array_equal(one, two)
