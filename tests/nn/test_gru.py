"""The GRU's reset gate before the product: onnxruntime's numbers, Cho et al.'s equation."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from family_tool import assert_references, draw, given, ours
from lstm_tool import assert_all_close, assert_same_bits, run_python
from onnx_tool import run_onnx, to_onnx

from numba_lstm import nn, tuning


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


@pytest.mark.parametrize("reset_after", [True, False])
def test_a_step_is_the_papers_equation(rng, reset_after):
    module = nn.GRU(4, 6, reset_after=reset_after, dtype="f8", seed=0)
    x, h = rng.standard_normal((1, 3, 4)), rng.standard_normal((3, 6))
    y, _ = module(x, h[None])
    w_ih, w_hh, b_ih, b_hh = (p.numpy() for p in module.parameters())
    w_r, w_z, w_n = np.split(w_ih, 3)
    u_r, u_z, u_n = np.split(w_hh, 3)
    b_r, b_z, b_n = np.split(b_ih, 3)
    d_r, d_z, d_n = np.split(b_hh, 3)
    r = sigmoid(x[0] @ w_r.T + b_r + h @ u_r.T + d_r)
    z = sigmoid(x[0] @ w_z.T + b_z + h @ u_z.T + d_z)
    product = r * (h @ u_n.T + d_n) if reset_after else (r * h) @ u_n.T + d_n
    n = np.tanh(x[0] @ w_n.T + b_n + product)
    assert_all_close({"y": y[0]}, {"y": (1 - z) * n + z * h}, "f8")


@pytest.mark.parametrize("reset_after", [True, False])
def test_outputs_are_onnxruntimes(rng, reset_after):
    for steps, batch, inputs, hidden in ((5, 3, 4, 19), (1, 1, 1, 1), (4, 7, 20, 65)):
        module = nn.GRU(inputs, hidden, reset_after=reset_after, seed=0)
        case = draw(rng, module, steps, batch)
        y, hn = module(case.x, given(case.states))
        p = {name.removesuffix("_l0"): value for name, value in module.state_dict().items()}
        inputs_ = to_onnx(p, "rzn", "zrn") | {"x": case.x, "h0": case.states[0]}
        about = {"hidden_size": hidden, "linear_before_reset": int(reset_after)}
        found = run_onnx("GRU", inputs_, ["h0"], 2, **about)
        assert_all_close({"y": y, "hn": hn}, {"y": found[0][:, 0], "hn": found[1]}, "f4")


def test_the_places_differ_and_torchs_is_the_default(rng):
    after, before = nn.GRU(4, 9, seed=0), nn.GRU(4, 9, reset_after=False, seed=0)
    assert_same_bits(dict(after.state_dict()), dict(before.state_dict()))
    case = draw(rng, after, 3, 2)
    default = ours(after, case)
    assert_same_bits(ours(nn.GRU(4, 9, reset_after=True, seed=0), case), default)
    assert not np.allclose(ours(before, case)["y"], default["y"])


@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_layers_of_any_sizes_are_the_references(rng, dtype, bias):
    # Sizes about those of a vector and of a panel, and where the products are cut.
    for hidden in (1, 8, 15, 16, 17, 64, [33, 130, 5]):
        module = nn.GRU(
            7, hidden, bias=bias, bidirectional=True, reset_after=False, dtype=dtype, seed=0
        )
        case = draw(rng, module, 4, 5, lengths=True)
        assert_references(module, case._replace(reset=rng.random((4, 5)) < 0.3))


def test_long_sequences_run_in_pieces(rng, monkeypatch):
    module = nn.GRU(3, 20, reset_after=False, dtype="f8", seed=0)
    case = draw(rng, module, 50, 7)._replace(reset=rng.random((50, 7)) < 0.1)
    monkeypatch.setattr(tuning, "PIECE_BYTES", 1000)
    monkeypatch.setattr(tuning, "GEMM_TRANSPOSED_K", 1)
    monkeypatch.setattr(tuning, "INFER_ROWS", 9)
    assert_references(module, case)


def test_gradients_add_up_and_a_frozen_parameter_takes_none(rng):
    module = nn.GRU(3, 20, 2, reset_after=False, dtype="f8", seed=0)
    case = draw(rng, module, 4, 5)
    once = ours(module, case)
    module.vjp(case.x, given(case.states))[1](case.dy, given(case.dstates))
    for name, p in module.named_parameters():
        assert_all_close({name: p.grad}, {name: 2 * once[name]}, "f8")
    module.zero_grad()
    module.weight_hh_l0.requires_grad = False
    module.vjp(case.x, given(case.states))[1](case.dy, given(case.dstates))
    assert module.weight_hh_l0.grad is None
    assert np.array_equal(module.weight_hh_l1.grad, once["weight_hh_l1"])


def test_nan_goes_forward_and_back_in_its_row_only(rng):
    module = nn.GRU(3, 20, reset_after=False, seed=0)
    case = draw(rng, module, 4, 5)
    case.x[2, 1] = np.nan
    found = ours(module, case)
    assert np.isnan(found["y"][2:, 1]).all() and not np.isnan(found["y"][:2]).any()
    assert np.isnan(found["dx"][:3, 1]).all()
    assert not np.isnan(np.delete(found["y"], 1, 1)).any()
    assert not np.isnan(np.delete(found["dx"], 1, 1)).any()


def test_copies_compute_the_same_bits(rng):
    module = nn.GRU(5, 20, reset_after=False, seed=0)
    case = draw(rng, module, 3, 2)
    expected = ours(module, case)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module) == "GRU(5, 20, reset_after=False)"
        assert_same_bits(ours(other, case), expected)


def test_repr_and_refusals():
    assert repr(nn.GRU(3, 5, reset_after=True)) == "GRU(3, 5)"
    assert repr(nn.GRUCell(3, 5, bias=False, reset_after=False)) == (
        "GRUCell(3, 5, bias=False, reset_after=False)"
    )
    for kind in (nn.GRU, nn.GRUCell):
        with pytest.raises(TypeError, match="reset_after: expected True or False, got 0"):
            kind(3, 5, reset_after=0)
    with pytest.raises(TypeError, match="positional argument"):
        nn.GRU(3, 5, 1, True, False, 0.0, False, False)


def test_a_plain_call_compiles_nothing_of_it():
    program = """
import numpy as np
from numba_lstm import nn
import sys
module = nn.GRU(2, 3)
module.vjp(np.zeros((1, 1, 2)))[1](np.zeros((1, 1, 3)))
cells = [f"numba_lstm.kernels.cells.{name}" for name in ("gru_before", "normalised")]
print([name in sys.modules for name in cells])
"""
    assert run_python(program).strip() == "[False, False]"
