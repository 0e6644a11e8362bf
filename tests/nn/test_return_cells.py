"""An LSTM's cell states at every step, and what reaches them from outside."""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, assert_references, draw, given, ours
from lstm_tool import assert_all_close, assert_same_bits
from masks_tool import draw_masks, fix

from numba_lstm import nn, tuning
from numba_lstm.recurrent.steps import Steps, whole

KINDS = ("lstm", "lstm-projected", "lstm-normalised")
# T, B, I, H
SIZES = [(1, 1, 1, 2), (5, 2, 3, 17), (3, 3, 70, 33), (4, 7, 5, [129, 31]), (9, 13, 20, 65)]


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_output_and_gradient_is_the_references(rng, kind, lengths):
    for number, (steps, batch, inputs, hidden) in enumerate(SIZES):
        for dtype in ("f8", "f4"):
            layers = 1 + (number % 2 if isinstance(hidden, int) else 0)
            module = MODULES[kind](
                inputs, hidden, layers, bias=number != 2, batch_first=number == 3,
                bidirectional=number % 2 == 0 or lengths, dtype=dtype, seed=number,
            )  # fmt: skip
            case = draw(rng, module, steps, batch, lengths, cells=True)
            if number == 4:
                case = case._replace(reset=rng.random((steps, batch)) < 0.3)
            found = assert_references(module, case)
            assert found["cells"].shape == (*case.x.shape[:2], case.dcells.shape[2])
            without = ours(module, case._replace(dcells=None))
            for name in ("y", "hn", "cn") if isinstance(hidden, int) else ("y",):
                assert np.array_equal(found[name], without[name])


@pytest.mark.parametrize("kind", KINDS)
def test_with_masks_they_are_the_references_too(rng, monkeypatch, kind):
    module = MODULES[kind](
        4, 33, 2, bidirectional=True, recurrent_dropout=0.5, dtype="f8", seed=0
    )  # fmt: skip
    case = draw(rng, module, 6, 5, cells=True)._replace(reset=rng.random((6, 5)) < 0.3)
    masks = draw_masks(rng, module, case, ("inputs", "state", "recurrent", "zoneout"))
    fix(monkeypatch, module, None, masks)
    assert_references(module, case, masks)


@pytest.mark.parametrize("kind", KINDS)
def test_the_last_ones_are_the_final_states(rng, kind):
    module = MODULES[kind](3, 18, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 6, 5, lengths=True, cells=True)
    found = ours(module, case)
    for row, length in enumerate(case.lengths):
        cells = found["cells"][:, row]
        assert not cells[length:].any()
        if length:
            assert np.array_equal(cells[length - 1, :18], found["cn"][2, row])
            assert np.array_equal(cells[0, 18:], found["cn"][3, row])


@pytest.mark.parametrize("kind", KINDS)
def test_what_stands_in_padding_changes_no_bit(rng, kind):
    module = MODULES[kind](5, 20, bidirectional=True, seed=0)
    case = draw(rng, module, 7, 6, lengths=True, cells=True)
    expected = ours(module, case)
    dcells = case.dcells.copy()
    dcells[np.arange(7)[:, None] >= case.lengths] = np.nan
    assert_same_bits(ours(module, case._replace(dcells=dcells)), expected)


@pytest.mark.parametrize("kind", KINDS)
def test_a_cotangent_of_zeros_changes_no_value(rng, kind):
    module = MODULES[kind](3, 37, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 4, 5, cells=True)
    found = ours(module, case._replace(dcells=np.zeros_like(case.dcells)))
    expected = ours(module, case._replace(dcells=None))
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name  # -0 + 0 is 0, and equal
    _, back = module.vjp(case.x, given(case.states), return_cells=True)
    dx, _ = back(case.dy, given(case.dstates), None)
    assert dx.tobytes() == expected["dx"].tobytes()


def test_cotangents_of_cells_alone_reach_everything(rng):
    module = nn.LSTM(3, 6, dtype="f8", seed=0)
    case = draw(rng, module, 4, 2, cells=True)
    zero = case._replace(dy=0 * case.dy, dstates=[0 * d for d in case.dstates])
    expected = ours(module, zero)
    module.zero_grad()
    _, back = module.vjp(case.x, given(case.states), return_cells=True)
    dx, (dh0, dc0) = back(None, None, case.dcells)
    found = {"dx": dx, "dh0": dh0, "dc0": dc0}
    found |= {name: p.grad for name, p in module.named_parameters()}
    assert_all_close(found, {name: expected[name] for name in found}, "f8")
    assert all(np.abs(value).max() > 1e-3 for value in found.values())


def test_backward_in_pieces_gives_the_same(rng, monkeypatch):
    for lengths in (False, True):
        module = nn.LSTM(3, 18, bidirectional=True, dtype="f8", seed=0)
        case = draw(rng, module, 17, 3, lengths, cells=True)
        expected = ours(module, case)
        with monkeypatch.context() as patch:
            patch.setattr(tuning, "PIECE_BYTES", 1)
            patch.setattr(tuning, "GEMM_TRANSPOSED_K", 5)
            assert_all_close(ours(module, case), expected, "f8")


def test_a_single_sequence_and_the_batch_axis_first(rng):
    module = nn.LSTM(3, 5, bidirectional=True, dtype="f8", seed=0)
    turned = nn.LSTM(3, 5, bidirectional=True, batch_first=True, dtype="f8", seed=0)
    x, dcells = rng.standard_normal((6, 1, 3)), rng.standard_normal((6, 1, 10))
    (*_, cells), back = module.vjp(x, return_cells=True)
    (*_, alone), back_alone = module.vjp(x[:, 0], return_cells=True)
    (*_, other), back_other = turned.vjp(x.swapaxes(0, 1), return_cells=True)
    assert np.array_equal(cells[:, 0], alone) and np.array_equal(cells[:, 0], other[0])
    dx = back(None, None, dcells)[0]
    assert np.array_equal(back_alone(None, None, dcells[:, 0])[0], dx[:, 0])
    assert np.array_equal(back_other(None, None, dcells.swapaxes(0, 1))[0][0], dx[:, 0])


def test_an_empty_batch_and_nothing_but_empty_sequences(rng):
    module = nn.LSTM(2, 3, bidirectional=True, seed=0)
    (*_, cells), back = module.vjp(np.zeros((4, 0, 2)), return_cells=True)
    assert cells.shape == (4, 0, 6) and back(None, None, cells)[0].shape == (4, 0, 2)
    x = np.zeros((4, 2, 2))
    (*_, cells), back = module.vjp(x, None, [0, 0], return_cells=True)
    assert cells.shape == (4, 2, 6) and not cells.any()
    assert not back(None, None, cells + 1)[0].any()
    assert np.array_equal(module(x, None, [0, 0], return_cells=True)[2], cells)


def test_results_alias_nothing_that_is_used_again(rng):
    module = nn.LSTM(3, 8, seed=0)
    x = rng.standard_normal((4, 2, 3)).astype("f4")
    cells = module(x, return_cells=True)[2]
    before = cells.copy()
    for _ in range(3):
        module.vjp(-x)[1](np.ones((4, 2, 8), "f4"))
    assert np.array_equal(cells, before)


@pytest.mark.parametrize("dcells", [np.zeros((4, 2, 4)), np.zeros((4, 2, 6)) * 1j])
def test_a_wrong_cotangent_is_refused_by_name_and_adds_nothing(dcells):
    module = nn.LSTM(3, 6, proj_size=4, seed=0)
    _, back = module.vjp(np.zeros((4, 2, 3)), return_cells=True)
    with pytest.raises((TypeError, ValueError), match=r"^dcells: expected"):
        back(None, None, dcells)
    assert all(p.grad is None for p in module.parameters())
    back(None, None, np.zeros((4, 2, 6)))
    # A call that gives no cells takes no cotangent of them.
    with pytest.raises(TypeError, match="positional argument"):
        module.vjp(np.zeros((4, 2, 3)))[1](None, None, np.zeros((4, 2, 6)))


def test_rows_after_a_step_are_its_next_steps_rows():
    steps = Steps.of_lengths(np.array([3, 2, 2]))  # rows 0 1 2 | 3 4 5 | 6
    assert steps.after(False).tolist() == [3, 4, 5, 6, 8, 9, 7]
    assert steps.after(True).tolist() == [7, 8, 9, 0, 1, 2, 3]
    assert whole(3, 2).after(False).tolist() == [2, 3, 4, 5, 6, 7]
    assert whole(3, 2).after(True).tolist() == [6, 7, 0, 1, 2, 3]


def test_a_word_is_no_answer_to_whether_cells_are_wanted():
    module = nn.LSTM(3, 4)
    for run in (module, module.vjp):
        with pytest.raises(TypeError, match="return_cells: expected True or False"):
            run(np.zeros((2, 1, 3), "f4"), return_cells="no")
