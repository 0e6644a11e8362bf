"""The LSTM's peepholes, clip and coupled gates: the reference's and onnxruntime's numbers."""

from __future__ import annotations

import copy
import itertools
import json
import pickle

import numpy as np
import pytest
from family_tool import Case, assert_references, by_reference, draw, given, ours
from lstm_tool import assert_all_close, assert_same_bits, run_python
from masks_tool import draw_masks, fix
from onnx_tool import run_onnx, to_onnx
from schedules_tool import LONG, SIZES, sizes_of

from numba_lstm import nn
from numba_lstm.kernels.cells import lstm, lstm_options

CLIP = 0.3  # half of all arguments are beyond it
COMBINATIONS = {
    "-".join(names): {name: CLIP if name == "cell_clip" else True for name in names}
    for count in (1, 2, 3)
    for names in itertools.combinations(("peepholes", "cell_clip", "coupled"), count)
}
ALL = COMBINATIONS["peepholes-cell_clip-coupled"]
every_combination = pytest.mark.parametrize("options", COMBINATIONS.values(), ids=COMBINATIONS)


@pytest.mark.parametrize("projected", [False, True], ids=["", "projected"])
@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@every_combination
def test_every_output_and_gradient_is_the_references(rng, options, lengths, projected):
    for number, (steps, batch, inputs, hidden) in enumerate(SIZES):
        module = nn.LSTM(
            inputs, hidden, 1 + number % 2, bias=number != 2, batch_first=number == 3,
            bidirectional=number % 2 == 0, proj_size=projected * max(1, hidden // 2), dtype="f8",
            seed=number, **options,
        )  # fmt: skip
        case = draw(rng, module, steps, batch, lengths)
        if number % 3:
            case = case._replace(reset=rng.random(case.x.shape[:2]) < 0.3)
        assert_all_close(ours(module, case), by_reference(module, case), "f8")


@every_combination
def test_the_same_in_float32(rng, options):
    # Few numbers, so that none lies within a rounding of the clip, where gradients jump.
    # A projection's kernels are compiled for 12 s, and are those of float64 with other lanes.
    for number, (steps, batch, inputs, hidden) in enumerate(SIZES[:2]):
        for proj_size in (0, 1) if LONG else (0,):
            module = nn.LSTM(
                inputs, hidden, 2, bidirectional=number == 1, proj_size=proj_size, seed=0, **options
            )
            case = draw(rng, module, steps, batch, lengths=True)
            assert_all_close(ours(module, case), by_reference(module, case), "f4")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_options_that_do_nothing_change_no_bit(rng, dtype):
    for proj_size in (0, 11) if dtype == "f8" else (0,):
        about = {"num_layers": 2, "bidirectional": True, "proj_size": proj_size, "dtype": dtype}
        plain = nn.LSTM(5, 37, seed=0, **about)
        case = draw(rng, plain, 6, 9, lengths=True)
        expected = ours(plain, case)
        for clip in (1e30, 1e300, np.inf):
            module = nn.LSTM(5, 37, **about, peepholes=True, cell_clip=clip)
            zeros = {n: np.zeros(p.shape) for n, p in module.named_parameters() if "peephole" in n}
            assert len(zeros) == 4
            module.load_state_dict(plain.state_dict() | zeros)
            found = ours(module, case)
            assert all(found.pop(name).any() for name in zeros)
            assert_same_bits(found, expected, clip)


def test_every_schedule_source_and_number_of_threads_gives_the_same_bits():
    # No clip: the reference's float32 comparison there would not forgive an argument beside it.
    program = """
import json, schedules_tool as t
from numba_lstm import nn
make = lambda *a, **k: nn.LSTM(*a, peepholes=True, coupled=True, **k)
print(json.dumps(t.forced_bits(make, 4)))
"""
    count = json.loads(run_python(program, NUMBA_NUM_THREADS="4"))
    assert count == len(sizes_of(0)) * 8 * 2 * (1 + LONG)


@every_combination
def test_outputs_are_onnxruntimes(rng, options):
    steps, batch, inputs, hidden = 5, 3, 4, 19
    module = nn.LSTM(inputs, hidden, seed=0, **options)
    case = draw(rng, module, steps, batch)
    y, (hn, cn) = module(case.x, given(case.states))
    p = {name.removesuffix("_l0"): value for name, value in module.state_dict().items()}
    inputs_ = to_onnx(p, "ifgo", "iofg")
    inputs_ |= {"x": case.x, "h0": case.states[0], "c0": case.states[1]}
    about = {"hidden_size": hidden, "input_forget": int(module.coupled)}
    if module.peepholes:
        p_i, p_f, p_o = np.split(p["weight_peephole"], 3)
        inputs_["p"] = np.concatenate([p_i, p_o, p_f])[None]
    if module.cell_clip is not None:
        about["clip"] = module.cell_clip
    found = run_onnx("LSTM", inputs_, ["h0", "c0", "p"], 3, **about)
    expected = dict(zip(("y", "hn", "cn"), (found[0][:, 0], found[1], found[2])))
    assert_all_close({"y": y, "hn": hn, "cn": cn}, expected, "f4")


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("clip", [1e-6, 0.5, 4.0])
def test_nothing_goes_back_through_an_argument_at_or_beyond_the_clip(dtype, clip):
    # Each row is one argument for all four gates; many of them round to the gate of the clip's.
    clip = float(np.dtype(dtype).type(clip))
    some = np.array([-2, -1.001, -1, -0.999, -0.5, 0.5, 0.999, 1, 1.001, 2])
    module = nn.LSTM(1, 1, bias=False, cell_clip=clip, dtype=dtype)
    module.weight_ih_l0[...] = 1
    module.weight_hh_l0[...] = 0
    x = (clip * some).astype(dtype)[None, :, None]
    ones = np.ones((1, 10, 1), dtype)
    case = Case(x, [ones, ones], ones, [ones, ones])
    found = ours(module, case)
    inside = np.abs(some) < 1
    assert np.array_equal(found["dx"].ravel() != 0, inside)
    expected = by_reference(module, case)
    # The weights' gradients are sums that cancel.
    assert_all_close(found, {name: expected[name] for name in ("y", "dx", "dc0")}, dtype)


@every_combination
def test_gradients_are_finite_where_gates_are_saturated(options):
    """As the plain LSTM's, which are torch's: products of states and cotangents overflow."""
    module = nn.LSTM(4, 5, seed=0, **{**options, "cell_clip": None})
    large = np.full((1, 2, 5), 1e30, "f4")
    x = np.full((3, 2, 4), 1e30, "f4")
    (_, state), pullback = module.vjp(x, (large, large))
    dx, dstate = pullback(None, (large, large))
    for value in (*state, dx, *dstate, *(p.grad for p in module.parameters())):
        assert np.isfinite(value).all()


def test_nan_goes_forward_and_back(rng):
    for options in COMBINATIONS.values():
        module = nn.LSTM(3, 20, seed=0, **options)
        case = draw(rng, module, 4, 5)
        case.x[2, 1] = np.nan
        found = ours(module, case)
        assert np.isnan(found["y"][2:, 1]).all() and not np.isnan(found["y"][:2]).any()
        assert np.isnan(found["dx"][:3, 1]).all()
        assert not np.isnan(np.delete(found["y"], 1, 1)).any()


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_gradients_add_up_and_a_frozen_parameter_takes_none(rng, dtype):
    module = nn.LSTM(3, 20, 2, dtype=dtype, seed=0, **ALL)
    case = draw(rng, module, 4, 5)
    once = ours(module, case)["weight_peephole_l0"]
    (_, _), pullback = module.vjp(case.x, given(case.states))
    pullback(case.dy, given(case.dstates))
    assert np.array_equal(module.weight_peephole_l0.grad, 2 * once)
    module.zero_grad()
    module.weight_peephole_l0.requires_grad = False
    _, pullback = module.vjp(case.x, given(case.states))
    pullback(case.dy, given(case.dstates))
    assert module.weight_peephole_l0.grad is None
    assert module.weight_peephole_l1.grad.any()


def test_written_peephole_weights_are_used(rng):
    module = nn.LSTM(3, 20, peepholes=True, dtype="f8", seed=0)
    case = draw(rng, module, 4, 5)
    before = ours(module, case)
    module.weight_peephole_l0[20:40] += 1
    found = ours(module, case)
    assert not np.array_equal(found["y"], before["y"])
    assert_all_close(found, by_reference(module, case), "f8")
    module.weight_peephole_l0 = nn.Parameter(np.zeros(60))
    assert_all_close(ours(module, case), by_reference(module, case), "f8")


def test_long_sequences_run_in_pieces(rng, monkeypatch):
    from numba_lstm import tuning

    module = nn.LSTM(3, 20, dtype="f8", seed=0, **ALL)
    case = draw(rng, module, 50, 7)._replace(reset=rng.random((50, 7)) < 0.1)
    expected = ours(module, case)
    monkeypatch.setattr(tuning, "PIECE_BYTES", 1000)
    monkeypatch.setattr(tuning, "GEMM_TRANSPOSED_K", 1)
    monkeypatch.setattr(tuning, "INFER_ROWS", 9)
    found = ours(module, case)
    # The products' sums are cut elsewhere; those of the peepholes are not.
    assert np.array_equal(found["weight_peephole_l0"], expected["weight_peephole_l0"])
    assert_all_close(found, by_reference(module, case), "f8")


@pytest.mark.parametrize("batch_first", [False, True])
def test_with_every_mask_they_are_the_references_too(rng, monkeypatch, batch_first):
    module = nn.LSTM(
        4, 33, 2, batch_first=batch_first, recurrent_dropout=0.5, dtype="f8", seed=0, **ALL
    )
    case = draw(rng, module, 6, 7)
    masks = draw_masks(rng, module, case, ("inputs", "state", "recurrent", "zoneout"))
    fix(monkeypatch, module, None, masks)
    assert_references(module, case, masks)


def test_tokens_and_a_stream_are_the_sequence(rng):
    module = nn.LSTM(8, 21, 2, dtype="f8", seed=0, **ALL)
    embedding = nn.Embedding(5, 8, dtype="f8", seed=1)
    tokens = rng.integers(0, 5, (6, 7))
    (y, states), back = module.vjp_tokens(embedding, tokens)
    dy = np.cos(y)
    back(dy)
    by_token = {n: p.grad for n, p in module.named_parameters()} | {"e": embedding.weight.grad}
    module.zero_grad(), embedding.zero_grad()
    x, embedding_back = embedding.vjp(tokens)
    (y1, _), back = module.vjp(x)
    embedding_back(back(dy)[0])
    by_row = {n: p.grad for n, p in module.named_parameters()} | {"e": embedding.weight.grad}
    assert np.array_equal(y, y1)
    assert_all_close(by_token, by_row, "f8")

    state, rows = None, []
    for t in range(6):
        row, state = module.step(x[t], state)
        rows.append(row)
    assert np.array_equal(np.stack(rows), y)
    assert all(np.array_equal(one, other) for one, other in zip(state, states))


def test_what_stands_in_padding_changes_no_bit(rng):
    module = nn.LSTM(5, 20, 2, bidirectional=True, seed=0, **ALL)
    case = draw(rng, module, 7, 6, lengths=True)
    expected = ours(module, case)
    padding = np.arange(7)[:, None] >= case.lengths
    case.x[padding], case.dy[padding] = np.nan, np.inf
    assert_same_bits(ours(module, case), expected)


def test_copies_compute_the_same_bits(rng):
    module = nn.LSTM(5, 20, seed=0, **ALL)
    case = draw(rng, module, 3, 2)
    expected = ours(module, case)
    for other in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        assert repr(other) == repr(module)
        assert_same_bits(ours(other, case), expected)


def test_no_rows_give_zero_gradients():
    module = nn.LSTM(2, 3, 2, bidirectional=True, seed=0, **ALL)
    for batch, lengths in ((0, None), (2, [0, 0])):
        (y, _), back = module.vjp(np.zeros((4, batch, 2)), None, lengths)
        back(y)
        assert all(not p.grad.any() for p in module.parameters())
        module.zero_grad()


def test_names_shapes_and_initial_values():
    plain = nn.LSTM(3, 50, 2, bidirectional=True, seed=0)
    module = nn.LSTM(3, 50, 2, bidirectional=True, peepholes=True, seed=0)
    names = [name for name, _ in module.named_parameters()]
    tails = "_l0", "_l0_reverse", "_l1", "_l1_reverse"
    added = {f"weight_peephole{tail}": (150,) for tail in tails}
    shapes = {name: p.shape for name, p in module.named_parameters()}
    assert shapes == {name: p.shape for name, p in plain.named_parameters()} | added
    assert names[4] == "weight_peephole_l0"
    for name in added:
        assert 0.8 * 50**-0.5 < np.abs(getattr(module, name).numpy()).max() <= 50**-0.5
    clipped = nn.LSTM(3, 50, 2, bidirectional=True, cell_clip=1, coupled=True, seed=0)
    assert_same_bits(dict(clipped.state_dict()), dict(plain.state_dict()))


def test_without_options_the_cell_is_the_plain_one():
    assert nn.LSTM(3, 4).cell() is lstm.LSTM
    assert nn.LSTM(3, 4, proj_size=2).cell() is lstm.PROJECTED_LSTM
    for options in COMBINATIONS.values():
        assert nn.LSTM(3, 4, **options).cell() is lstm_options.LSTM_OPTIONS
        cell = nn.LSTM(3, 4, proj_size=2, **options).cell()
        assert cell is lstm_options.PROJECTED_LSTM_OPTIONS


def test_a_plain_call_compiles_nothing_of_the_options():
    program = """
import numpy as np
from numba_lstm import jit, nn
import sys
module = nn.LSTM(2, 3)
module.vjp(np.zeros((1, 1, 2)))[1](np.zeros((1, 1, 3)))
print("numba_lstm.kernels.cells.lstm_options" in sys.modules)
"""
    assert run_python(program).split() == ["False"]


def test_repr_names_what_differs_from_the_defaults():
    assert repr(nn.LSTM(3, 5)) == "LSTM(3, 5)"
    module = nn.LSTM(3, 5, batch_first=True, proj_size=2, peepholes=True, cell_clip=3)
    assert repr(module) == (
        "LSTM(3, 5, proj_size=2, batch_first=True, peepholes=True, cell_clip=3.0)"
    )
    assert repr(nn.LSTM(3, 5, coupled=True)) == "LSTM(3, 5, coupled=True)"


@pytest.mark.parametrize("clip", [0, 0.0, -1.5, float("nan"), -float("inf")])
def test_a_clip_that_is_not_above_0_is_refused_by_name(clip):
    with pytest.raises(ValueError, match=r"^cell_clip: expected a number above 0, got "):
        nn.LSTM(3, 5, cell_clip=clip)


@pytest.mark.parametrize("clip", ["1", True, 1j, [1.0], np.ones(1)])
def test_a_clip_that_is_no_number_is_refused_by_name(clip):
    with pytest.raises(TypeError, match=r"^cell_clip: expected a number above 0, got "):
        nn.LSTM(3, 5, cell_clip=clip)


def test_options_are_keywords():
    with pytest.raises(TypeError, match="positional argument"):
        nn.LSTM(3, 5, 1, True, False, 0.0, False, 0, True)
