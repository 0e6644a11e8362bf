"""Zoneout: the reference's numbers with the same masks, what is drawn, and its expectation."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from family_tool import MODULES, assert_references, draw, given, ours, taken
from lstm_tool import assert_all_close, assert_same_bits, run_python
from masks_tool import draw_masks, fix, tails
from schedules_tool import LONG, sizes_of

from numba_lstm import nn, tuning
from numba_lstm.dropout_masks import draw_mask, draw_ones
from numba_lstm.recurrent import call as stack
from numba_lstm.recurrent.masks import draw_direction
from numba_lstm.recurrent.steps import Steps, whole
from numba_lstm.reference.recurrent import Dropout

# T, B, I, H
SIZES = [(1, 2, 3, 5), (6, 7, 4, 33), (5, 13, 19, 70)]
STATES = [
    (kind, state)
    for kind in MODULES
    for state in ("h", "c")
    if state == "h" or kind.startswith("lstm")
]


def make(kind, *sizes, c=0.4, **options):
    """A module with zoneout on all its states."""
    if kind.startswith("lstm"):
        options["zoneout_cell"] = c
    return MODULES[kind](*sizes, zoneout=0.3, **options)


@pytest.mark.parametrize("kind, state", STATES)
def test_of_one_state_alone_is_the_references(rng, monkeypatch, kind, state):
    for steps, batch, inputs, hidden in SIZES:
        for dtype in ("f8", "f4"):
            module = make(kind, inputs, hidden, 2, bidirectional=True, dtype=dtype, seed=0)
            case = draw(rng, module, steps, batch, lengths=hidden == 33)
            if hidden == 70:
                case = case._replace(reset=rng.random((steps, batch)) < 0.3)
            masks = draw_masks(rng, module, case, [f"zoneout of {state}"])
            fix(monkeypatch, module, case.lengths, masks)
            assert_references(module, case, masks)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("kind", MODULES)
def test_the_masks_that_are_drawn_are_the_ones_that_are_used(rng, monkeypatch, kind, batch_first):
    module = make(
        kind, 4, 33, 2, bidirectional=True, batch_first=batch_first, input_dropout=0.2,
        weight_dropout=0.3, dtype="f8", seed=1,
    )  # fmt: skip
    case, drawn = draw(rng, module, 5, 7), []

    def draw_and_tell(*about):
        drawn.append(draw_direction(*about))
        return drawn[-1]

    monkeypatch.setattr(stack, "draw_direction", draw_and_tell)
    found = ours(module, case)
    masks = {}
    for tail, m in zip(tails(module), drawn, strict=True):
        zoneout = [k.reshape(5, 7, -1) for k in m.zoneout if k is not None]
        masks[tail] = Dropout(m.inputs, m.state, m.recurrent, zoneout)
    fix(monkeypatch, module, None, masks)
    assert_same_bits(assert_references(module, case, masks), found)


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", MODULES)
def test_evaluation_takes_the_expectation(rng, kind, lengths):
    for steps, batch, inputs, hidden in SIZES:
        for dtype in ("f8", "f4"):
            module = make(
                kind, inputs, hidden, 2, bidirectional=True, dropout=0.5, recurrent_dropout=0.5,
                dtype=dtype, seed=0,
            ).eval()  # fmt: skip
            case = draw(rng, module, steps, batch, lengths)
            if hidden == 33:
                case = case._replace(reset=rng.random((steps, batch)) < 0.3)
            found = assert_references(module, case)
            plain = MODULES[kind](inputs, hidden, 2, bidirectional=True, dtype=dtype, seed=0)
            assert not np.allclose(found["y"], plain(case.x, given(case.states), case.lengths)[0])


def test_cell_states_at_every_step_are_those_that_were_kept(rng, monkeypatch):
    for projection in (0, 20):
        module = make("lstm", 4, 33, 2, proj_size=projection, dtype="f8", seed=0)
        for training in (True, False):
            case = draw(rng, module.train(training), 6, 5, lengths=True, cells=True)
            masks = draw_masks(rng, module, case, ["zoneout"]) if training else None
            with monkeypatch.context() as patch:
                if training:
                    fix(patch, module, case.lengths, masks)
                assert_references(module, case, masks)


@pytest.mark.parametrize("kind", MODULES)
def test_steps_of_a_stream_are_the_sequence_in_evaluation(rng, kind):
    module = make(kind, 5, 37, 2, seed=0).eval()
    case = draw(rng, module, 6, 3)
    y, states = module(case.x, given(case.states))
    state, rows = given(case.states), []
    for x in case.x:
        row, state = module.step(x, state)
        rows.append(row)
    assert np.array_equal(np.stack(rows), y)
    for one, other in zip(taken(state), taken(states)):
        assert np.array_equal(one, other)


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
@pytest.mark.parametrize("kind", MODULES)
def test_tokens_are_the_embeddings_rows(rng, monkeypatch, kind, training):
    module = make(kind, 8, 21, 2, dtype="f8", seed=0).train(training)
    embedding = nn.Embedding(5, 8, dtype="f8", seed=1)
    tokens = rng.integers(0, 5, (6, 7))
    case = draw(rng, module, 6, 7)
    if training:
        fix(monkeypatch, module, None, draw_masks(rng, module, case, ["zoneout"]))
    results = []
    for by_token in (True, False):
        module.zero_grad(), embedding.zero_grad()
        if by_token:
            (y, _), back = module.vjp_tokens(embedding, tokens)
            assert np.array_equal(module.infer_tokens(embedding, tokens)[0], y)
            back(case.dy)
        else:
            x, embedding_back = embedding.vjp(tokens)
            (y, _), back = module.vjp(x)
            embedding_back(back(case.dy)[0])
        grads = {n: p.grad.copy() for n, p in module.named_parameters()}
        results.append({"y": y, "embedding": embedding.weight.grad.copy()} | grads)
    assert_all_close(results[0], results[1], "f8")


@pytest.mark.parametrize("kind", MODULES)
def test_a_probability_of_1_keeps_the_initial_states(rng, kind):
    module = make(kind, 4, 9, 2, c=1.0, bidirectional=True, seed=0)
    module.zoneout = 1.0
    for training in (True, False):
        case = draw(rng, module.train(training), 5, 3)
        found = ours(module, case)
        assert not found["dx"].any()
        for name, before in zip(module.STATES, case.states):
            assert np.array_equal(found[f"{name[0]}n"], before)
        h = case.states[0]
        assert np.array_equal(found["y"][2], np.concatenate([h[2], h[3]], axis=1))


@pytest.mark.parametrize("kind", MODULES)
def test_a_probability_of_0_changes_no_bit(rng, kind):
    plain = MODULES[kind](4, 9, 2, seed=0)
    module = make(kind, 4, 9, 2, c=0.0, seed=0)
    module.zoneout = 0.0
    assert not module.drops
    case = draw(rng, plain, 5, 3)
    assert_same_bits(ours(module, case), ours(plain, case))


@pytest.mark.parametrize("kind", MODULES)
def test_what_stands_in_padding_changes_no_bit(rng, monkeypatch, kind):
    module = make(kind, 5, 20, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 7, 6, lengths=True)
    fix(monkeypatch, module, case.lengths, draw_masks(rng, module, case, ["zoneout"]))
    expected = ours(module, case)
    padding = np.arange(7)[:, None] >= case.lengths
    case.x[padding], case.dy[padding] = np.nan, np.inf
    assert_same_bits(ours(module, case), expected)
    empty = case.lengths == 0
    for name, before in zip(module.STATES, case.states):
        assert np.array_equal(expected[f"{name[0]}n"][:, empty], before[:, empty])


@pytest.mark.parametrize("training", [False, True], ids=["evaluation", "training"])
def test_not_even_nan_passes_a_reset(rng, monkeypatch, training):
    for kind in MODULES:
        module = make(kind, 3, 5, 2, seed=0).train(training)
        case = draw(rng, module, 6, 2)._replace(reset=np.zeros((6, 2), bool))
        case.reset[3, 0] = True
        with monkeypatch.context() as patch:
            if training:
                fix(patch, module, None, draw_masks(rng, module, case, ["zoneout"]))
            expected = ours(module, case)
            case.x[1, 0] = np.nan
            y = ours(module, case)["y"]
        assert kind == "rnn-relu" or np.isnan(y[2, 0]).any()
        assert np.array_equal(y[3:, 0], expected["y"][3:, 0])
        assert np.array_equal(y[:, 1], expected["y"][:, 1])


def test_no_rows_give_no_errors():
    for kind in MODULES:
        module = make(kind, 2, 3, 2, bidirectional=True, seed=0)
        for training in (True, False):
            module.train(training)
            for batch, lengths in ((0, None), (2, [0, 0])):
                (y, _), back = module.vjp(np.zeros((4, batch, 2)), None, lengths)
                assert not y.any() and not module(np.zeros((4, batch, 2)), None, lengths)[0].any()
                back(y)
                assert all(not p.grad.any() for p in module.parameters())
                module.zero_grad()


def test_long_sequences_run_in_pieces(rng, monkeypatch):
    monkeypatch.setattr(tuning, "PIECE_BYTES", 1000)
    monkeypatch.setattr(tuning, "GEMM_TRANSPOSED_K", 1)
    monkeypatch.setattr(tuning, "INFER_ROWS", 9)
    for kind in ("lstm", "gru", "lstm-projected", "lstm-normalised"):
        module = make(kind, 3, 20, dtype="f8", seed=0)
        case = draw(rng, module, 50, 7)._replace(reset=rng.random((50, 7)) < 0.1)
        masks = draw_masks(rng, module, case, ["zoneout"])
        with monkeypatch.context() as patch:
            fix(patch, module, None, masks)
            assert_references(module, case, masks)
        assert_references(module.eval(), case)


def test_every_schedule_source_and_number_of_threads_gives_the_same_bits():
    program = """
import json, schedules_tool as t, test_zoneout as z
kinds = "lstm", "gru", "gru-before", "lstm-projected", "lstm-normalised"
counts = []
for turn, kind in enumerate(kinds):
    expectation = lambda *a, **k: z.make(kind, *a, **k).eval()
    counts.append(t.forced_bits(kind, 4, ("zoneout",), turn=turn))
    counts.append(t.forced_bits(expectation, 4, turn=turn + 1))
print(json.dumps(counts))
"""
    about = {"NUMBA_NUM_THREADS": "4"}
    counts = json.loads(run_python(program, Path(__file__).parent, **about))
    turns = [turn + evaluated for turn in range(5) for evaluated in (0, 1)]
    assert counts == [len(sizes_of(turn)) * 8 * 2 * (1 + LONG) for turn in turns]


# -- what is drawn ---------------------------------------------------------------------------------


def drawn(module, steps, at=0):
    return draw_direction(module, module.weights()[at], steps).zoneout


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_masks_have_a_row_for_each_row_that_is_computed(dtype):
    module = nn.LSTM(3, 20, proj_size=7, zoneout=0.3, zoneout_cell=0.4, dtype=dtype, seed=0)
    for steps in (whole(4, 5), Steps.of_lengths(np.array([4, 2, 1, 0])), whole(4, 0)):
        for mask, width in zip(drawn(module, steps), (7, 20)):
            assert mask.shape == (steps.rows, width) and mask.dtype == dtype and mask.flags.carray
            assert np.isin(mask, (0, 1)).all()
    for mask, p, width in zip(drawn(module.eval(), whole(4, 5)), (0.3, 0.4), (7, 20)):
        assert mask.shape == (1, width) and mask.dtype == dtype
        assert (mask == module.dtype.type(p)).all()


def test_a_state_without_zoneout_has_no_mask():
    for name, there in (("zoneout", [True, False]), ("zoneout_cell", [False, True])):
        module = nn.LSTM(3, 4, seed=0, **{name: 0.1})
        for training in (True, False):
            found = drawn(module.train(training), whole(2, 3))
            assert [mask is not None for mask in found] == there
    assert drawn(nn.GRU(3, 4, zoneout=0.1, seed=0), whole(2, 3))[1] is None
    assert drawn(nn.GRU(3, 4, 2, dropout=0.1, seed=0), whole(2, 3)) == (None, None)


def test_each_element_keeps_its_value_with_its_probability_anew_at_each_step():
    module = nn.LSTM(3, 100, zoneout=0.1, zoneout_cell=0.7, seed=0)
    masks = [mask.reshape(50, 200, 100) for mask in drawn(module, whole(50, 200))]
    for mask, p in zip(masks, (0.1, 0.7)):
        bound = 4.5 * np.sqrt(p * (1 - p))
        assert abs(mask.mean() - p) < bound / 1000
        # Of each unit, each row and each step, too.
        for axes, count in (((0, 1), 100), ((0, 2), 70.7), ((1, 2), 141)):
            assert np.abs(mask.mean(axes) - p).max() < bound / count
        one, other = (mask[1:] - p), (mask[:-1] - p)
        assert abs((one * other).mean() / (p * (1 - p))) < 4.5 / np.sqrt(one.size)
    both = (masks[0] - 0.1) * (masks[1] - 0.7)
    assert abs(both.mean()) < 4.5 * np.sqrt(0.09 * 0.21 / both.size)


@pytest.mark.parametrize("p", [1e-4, 0.001, 0.1, 1 / 3, 0.5, 0.9, 0.9999])
def test_the_probability_is_honoured_finer_than_a_byte(p):
    ones = draw_ones(np.random.default_rng(0), (4_000_000,), p, np.dtype("f4"))
    assert abs(ones.mean(dtype="f8") - p) < 4.5 * np.sqrt(p * (1 - p) / ones.size)


@pytest.mark.parametrize("shape", [(), (0, 3), (1,), (5, 7)])
def test_ones_of_any_shape(shape):
    for p in (0.0, 0.3, 1.0):
        ones = draw_ones(np.random.default_rng(0), shape, p, np.dtype("f8"))
        assert ones.shape == shape and ones.dtype == "f8"
        assert p == 0.3 or (ones == p).all()
    mask = draw_mask(np.random.default_rng(1), shape, 0.25, np.dtype("f4"))
    ones = draw_ones(np.random.default_rng(1), shape, 0.75, np.dtype("f4"))
    assert np.array_equal(ones, mask > 0)


@pytest.mark.parametrize("kind", MODULES)
def test_the_same_seed_gives_the_same_results_and_each_call_draws_anew(rng, kind):
    module, twin = (make(kind, 6, 20, 2, seed=3) for _ in range(2))
    case = draw(rng, module, 4, 5)
    first, second = ours(module, case), ours(module, case)
    assert_same_bits(ours(twin, case), first)
    assert_same_bits(ours(twin, case), second)
    assert not np.array_equal(first["y"], second["y"])
    plain = MODULES[kind](6, 20, 2, seed=3)
    for one, other in zip(module.parameters(), plain.parameters(), strict=True):
        assert np.array_equal(one.numpy(), other.numpy())


def test_evaluation_draws_nothing(rng):
    module = make("lstm", 6, 20, 2, input_dropout=0.5, seed=3).eval()
    before = module.random_state()
    ours(module, draw(rng, module, 4, 5))
    assert module.random_state() == before


# -- arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["zoneout", "zoneout_cell"])
def test_what_is_no_probability_is_refused_by_name(name):
    for value in (-0.1, 1.5, float("nan")):
        with pytest.raises(ValueError, match=f"^{name}: expected a number from 0 to 1, got"):
            nn.LSTM(3, 5, **{name: value})
    with pytest.raises(TypeError, match=f"^{name}: expected a number from 0 to 1, got"):
        nn.LSTM(3, 5, **{name: True})


def test_only_an_lstm_has_a_cell_state_to_keep():
    for kind in (nn.GRU, nn.RNN):
        with pytest.raises(TypeError, match="zoneout_cell"):
            kind(3, 5, zoneout_cell=0.1)


def test_repr_names_what_differs_from_the_defaults():
    assert repr(nn.RNN(3, 5, zoneout=0.25)) == "RNN(3, 5, zoneout=0.25)"
    module = nn.LSTM(3, 5, weight_dropout=0.5, zoneout=0.25, zoneout_cell=0.5, coupled=True)
    assert repr(module) == (
        "LSTM(3, 5, weight_dropout=0.5, zoneout=0.25, zoneout_cell=0.5, coupled=True)"
    )


def test_training_differs_from_evaluation():
    assert nn.GRU(3, 5, zoneout=0.1).drops and nn.LSTM(3, 5, zoneout_cell=0.1).drops
    assert not nn.LSTM(3, 5).drops
