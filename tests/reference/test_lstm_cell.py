"""The LSTM's step with each of its options: gradients by complex step, onnxruntime's numbers."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from onnx_tool import run_onnx, to_onnx
from recurrent_tool import FLAVOURS, check, draw, draw_parameters

from numba_lstm.reference.lstm_cell import LSTMCell
from numba_lstm.reference.recurrent import recurrent_forward

LSTMS = [name for name in FLAVOURS if name.startswith("lstm")]


@pytest.mark.parametrize("flavour", LSTMS)
@pytest.mark.parametrize("T, B, I, H", [(1, 1, 2, 3), (3, 2, 3, 4)])
def test_gradients_equal_complex_step(rng, flavour, T, B, I, H):
    check(draw(rng, FLAVOURS[flavour], T=T, B=B, I=I, hidden=[H]), rng)


@pytest.mark.parametrize("flavour", ["lstm-clip", "lstm-peepholes-clip-coupled"])
def test_the_clip_holds_some_and_not_all(rng, flavour):
    case = draw(rng, FLAVOURS[flavour])
    own = {name.removesuffix("_l0"): value for name, value in case.parameters.items()}
    *_, saved = recurrent_forward(case.cell, own, case.x, [s[0] for s in case.initial])
    for gate in np.split(np.stack([step.gates.slope for step in saved.steps]), 4, axis=2):
        assert 0 < gate.mean() < 1


def test_coupled_gates_leave_the_rows_of_f_without_gradient(rng):
    cell, H = LSTMCell(coupled=True), 3
    p = draw_parameters(rng, FLAVOURS["lstm-coupled"], 2, H)
    x, h, c, dh, dc = (rng.standard_normal(s) for s in [(4, 2), (4, H), (4, H), (4, H), (4, H)])
    _, saved = cell.forward(p, x, h, (h, c))
    dp = {name: np.zeros(value.shape) for name, value in p.items()}
    cell.backward(p, saved, (dh, dc), dp)
    for gradient in dp.values():
        assert not gradient[H : 2 * H].any()
        assert gradient[:H].all()


@pytest.mark.parametrize("lengths", [None, [5, 2, 0]])
@pytest.mark.parametrize(
    "flavour",
    ["lstm", "lstm-peepholes", "lstm-clip", "lstm-coupled", "lstm-peepholes-clip-coupled"],
)
def test_equals_onnxruntime(rng, flavour, lengths):
    T, B, I, H = 5, 3, 4, 6
    cell = FLAVOURS[flavour].cell
    p = draw_parameters(rng, FLAVOURS[flavour], I, H)
    x, h0, c0 = (rng.standard_normal(s) for s in [(T, B, I), (B, H), (B, H)])
    inputs = to_onnx(p, "ifgo", "iofg") | {"x": x, "h0": h0[None], "c0": c0[None]}
    if "weight_peephole" in p:
        i, f, o = np.split(p["weight_peephole"], 3)
        inputs["p"] = np.concatenate([i, o, f])[None]
    options = {"hidden_size": H, "input_forget": int(cell.coupled)}
    if cell.clip is not None:
        options["clip"] = cell.clip
    found = run_onnx("LSTM", inputs, ["h0", "c0", "p"], 3, lengths, **options)
    (y, _), (hn, cn), _ = recurrent_forward(cell, p, x, (h0, c0), lengths=lengths)
    alive = slice(None)
    if lengths is not None:
        alive = np.asarray(lengths) > 0  # onnxruntime gives zeros, and not h0, for an empty row
    assert_close(found[0][:, 0], y, 1e-5, "y")
    assert_close(found[1][0][alive], hn[alive], 1e-5, "hn")
    assert_close(found[2][0][alive], cn[alive], 1e-5, "cn")
