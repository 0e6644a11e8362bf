"""The GRU's step, reset gate in both places: gradients by complex step, onnxruntime's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from onnx_tool import run_onnx, to_onnx
from recurrent_tool import FLAVOURS, check, draw, draw_parameters

from numba_lstm.reference.recurrent import recurrent_forward


@pytest.mark.parametrize("flavour", [name for name in FLAVOURS if name.startswith("gru")])
@pytest.mark.parametrize("T, B, I, H", [(1, 1, 2, 3), (3, 2, 3, 4)])
def test_gradients_equal_complex_step(rng, flavour, T, B, I, H):
    check(draw(rng, FLAVOURS[flavour], T=T, B=B, I=I, hidden=[H]), rng)


@pytest.mark.parametrize("lengths", [None, [5, 2, 0]])
@pytest.mark.parametrize("flavour", ["gru-after", "gru-before"])
def test_equals_onnxruntime(rng, flavour, lengths):
    T, B, I, H = 5, 3, 4, 6
    cell = FLAVOURS[flavour].cell
    p = draw_parameters(rng, FLAVOURS[flavour], I, H)
    x, h0 = rng.standard_normal((T, B, I)), rng.standard_normal((B, H))
    inputs = to_onnx(p, "rzn", "zrn") | {"x": x, "h0": h0[None]}
    options = {"hidden_size": H, "linear_before_reset": int(cell.reset_after)}
    found = run_onnx("GRU", inputs, ["h0"], 2, lengths, **options)
    (y,), (hn,), _ = recurrent_forward(cell, p, x, (h0,), lengths=lengths)
    alive = slice(None)
    if lengths is not None:
        alive = np.asarray(lengths) > 0  # onnxruntime gives zeros, and not h0, for an empty row
    assert_close(found[0][:, 0], y, 1e-5, "y")
    assert_close(found[1][0][alive], hn[alive], 1e-5, "hn")
