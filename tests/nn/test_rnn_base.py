"""All recurrent modules: the reference's and torch's numbers, and the same bits by every way."""

from __future__ import annotations

import json

import numpy as np
import pytest
from family_tool import (
    MODULES,
    TORCHS,
    assert_references,
    by_reference,
    by_torch,
    draw,
    given,
    ours,
    taken,
)
from lstm_tool import assert_all_close, assert_same_bits, run_python
from schedules_tool import LONG, SIZES, sizes_of

from numba_lstm import nn


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@pytest.mark.parametrize("kind", MODULES)
def test_every_output_and_gradient_is_the_references(rng, kind, lengths):
    for number, (steps, batch, inputs, hidden) in enumerate(SIZES):
        for dtype in ("f8", "f4"):
            module = MODULES[kind](
                inputs, hidden, 1 + number % 2, bias=number != 2, batch_first=number == 3,
                bidirectional=number % 2 == 0, dtype=dtype, seed=number,
            )  # fmt: skip
            case = draw(rng, module, steps, batch, lengths)
            assert_references(module, case)


@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "packed"])
@pytest.mark.parametrize("kind", TORCHS)
def test_every_output_and_gradient_is_torchs(rng, kind, lengths):
    pytest.importorskip("torch")
    for number, (steps, batch, inputs, hidden) in enumerate(SIZES):
        for dtype in ("f8", "f4"):
            module = MODULES[kind](
                inputs, hidden, 2, bias=number != 1, batch_first=number == 2,
                bidirectional=number % 2 == 1, dtype=dtype, seed=number,
            )  # fmt: skip
            case = draw(rng, module, steps, batch, lengths)
            if lengths:  # torch takes none of length 0
                case = case._replace(lengths=np.maximum(case.lengths, 1))
            assert_all_close(ours(module, case), by_torch(module, case), dtype)


def test_every_schedule_source_and_number_of_threads_gives_the_same_bits():
    program = """
import json, schedules_tool as t
kinds = [kind for kind in t.MODULES if kind != "rnn-relu"]
print(json.dumps({k: t.forced_bits(k, 4, turn=turn) for turn, k in enumerate(kinds)}))
"""
    counts = json.loads(run_python(program, NUMBA_NUM_THREADS="4"))
    # Schedules (1,1) (2,1) (2,2) (3,1) (3,3) (4,1) (4,2) (4,4), two sources, with lengths or not.
    expected = [len(sizes_of(turn)) * 8 * 2 * (1 + LONG) for turn in range(len(counts))]
    assert list(counts.values()) == expected


@pytest.mark.parametrize("kind", MODULES)
def test_what_stands_in_padding_changes_no_bit(rng, kind):
    module = MODULES[kind](5, 20, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 7, 6, lengths=True)
    expected = ours(module, case)
    padding = np.arange(7)[:, None] >= case.lengths
    assert padding.any()
    assert not expected["y"][padding].any() and not expected["dx"][padding].any()
    for rubbish in (np.nan, np.inf, -3.0):
        x, dy = case.x.copy(), case.dy.copy()
        x[padding], dy[padding] = rubbish, rubbish
        assert_same_bits(ours(module, case._replace(x=x, dy=dy)), expected)


@pytest.mark.parametrize("kind", MODULES)
def test_sequences_of_length_0_hand_their_states_on_to_the_bit(rng, kind):
    module = MODULES[kind](5, 20, 2, bidirectional=True, seed=0)
    for lengths in ([3, 0, 4, 0], [0, 0, 0, 0]):
        case = draw(rng, module, 4, 4)._replace(lengths=np.array(lengths))
        found = ours(module, case)
        empty = case.lengths == 0
        for name, before, d in zip(module.STATES, case.states, case.dstates):
            assert np.array_equal(found[f"{name[0]}n"][:, empty], before[:, empty])
            assert np.array_equal(found[f"d{name}"][:, empty], d[:, empty])
        y, states = module(case.x, None, lengths)
        assert not any(state[:, empty].any() for state in taken(states))
        assert not y[:, empty].any()
        if not any(lengths):
            assert not any(p.grad.any() for p in module.parameters())


@pytest.mark.parametrize("kind", MODULES)
def test_a_sequence_in_a_batch_is_the_sequence_alone(rng, kind):
    module = MODULES[kind](4, 9, bidirectional=True, dtype="f8", seed=0)
    case = draw(rng, module, 6, 5, lengths=True)
    y, states = module(case.x, given(case.states), case.lengths)
    for row, length in enumerate(case.lengths):
        if length:
            alone = given([s[:, row] for s in case.states])
            y1, states1 = module(case.x[:length, row], alone)
            assert np.array_equal(y[:length, row], y1)
            for one, other in zip(taken(states), taken(states1)):
                assert np.array_equal(one[:, row], other)


@pytest.mark.parametrize("kind", MODULES)
def test_lengths_that_are_all_t_are_none(rng, kind):
    module = MODULES[kind](4, 9, 2, seed=0)
    case = draw(rng, module, 6, 5)
    expected = ours(module, case)
    assert_same_bits(ours(module, case._replace(lengths=[6] * 5)), expected)


@pytest.mark.parametrize("kind", MODULES)
def test_tokens_are_the_embeddings_rows(rng, kind):
    for batch_first in (False, True):
        module = MODULES[kind](8, 21, 2, batch_first=batch_first, dtype="f8", seed=0)
        embedding = nn.Embedding(5, 8, dtype="f8", seed=1)
        tokens = rng.integers(0, 5, (6, 7) if not batch_first else (7, 6))
        for lengths in (None, [6, 0, 3, 2, 6, 1, 5]):
            results = []
            for by_token in (True, False):
                module.zero_grad(), embedding.zero_grad()
                if by_token:
                    (y, states), back = module.vjp_tokens(embedding, tokens, None, lengths)
                    y1, _ = module.infer_tokens(embedding, tokens, None, lengths)
                    assert np.array_equal(y, y1)
                    assert back(np.cos(y))[0] is None
                else:
                    x, embedding_back = embedding.vjp(tokens)
                    (y, states), back = module.vjp(x, None, lengths)
                    embedding_back(back(np.cos(y))[0])
                found = {"y": y, "embedding": embedding.weight.grad}
                found |= {f"state {k}": s for k, s in enumerate(taken(states))}
                found |= {n: p.grad for n, p in module.named_parameters()}
                results.append(found)
            assert_all_close(results[0], results[1], "f8")


BAD_LENGTHS = [
    ([1, 2], ValueError, r"lengths: expected shape \(3,\), got \(2,\)"),
    ([[1, 2, 3]], ValueError, r"lengths: expected shape \(3,\)"),
    ([1, -1, 2], ValueError, "lengths: expected 0 to 4, got -1 at index 1"),
    ([1, 2, 5], ValueError, "lengths: expected 0 to 4, got 5 at index 2"),
    ([1.0, 2.0, 3.0], TypeError, "lengths: expected integers"),
    (["a", "b", "c"], TypeError, "lengths: expected real numbers"),
    ([True, True, False], TypeError, "lengths: expected integers"),
]


@pytest.mark.parametrize("lengths, error, message", BAD_LENGTHS)
def test_lengths_are_refused_by_name(lengths, error, message):
    module = nn.GRU(2, 3, seed=0)
    for method in (module, module.vjp):
        with pytest.raises(error, match=message):
            method(np.zeros((4, 3, 2)), None, lengths)


def test_a_single_sequence_takes_no_lengths():
    with pytest.raises(ValueError, match="lengths: expected none for a single sequence"):
        nn.RNN(2, 3, seed=0)(np.zeros((4, 2)), None, [4])


@pytest.mark.parametrize("kind", MODULES)
def test_an_empty_batch_gives_empty_arrays_and_zero_gradients(kind):
    module = MODULES[kind](2, 3, 2, bidirectional=True, seed=0)
    for lengths in (None, []):
        (y, states), back = module.vjp(np.zeros((4, 0, 2)), None, lengths)
        assert y.shape == (4, 0, 2 * module.sizes[0])
        assert [s.shape for s in taken(states)] == [(4, 0, size) for size in module.sizes]
        dx, dstates = back(y)
        assert dx.shape == (4, 0, 2) and taken(dstates)[0].shape == taken(states)[0].shape
        assert all(not p.grad.any() for p in module.parameters())
        module.zero_grad()


@pytest.mark.parametrize("name", ["GRU", "RNN"])
def test_names_shapes_defaults_and_repr_are_torchs(name):
    torch = pytest.importorskip("torch")
    options = {"num_layers": 2, "bidirectional": True, "batch_first": True, "dropout": 0.25}
    ours_, theirs = getattr(nn, name)(3, 5, **options), getattr(torch.nn, name)(3, 5, **options)
    expected = [(n, tuple(p.shape)) for n, p in theirs.named_parameters()]
    assert sorted((n, p.shape) for n, p in ours_.named_parameters()) == sorted(expected)
    bound = 5**-0.5
    assert all(np.abs(p.numpy()).max() <= bound for p in ours_.parameters())
    assert repr(ours_) == repr(theirs)


def test_proj_size_has_torchs_parameters_and_repr():
    torch = pytest.importorskip("torch")
    options = {"num_layers": 2, "bidirectional": True, "proj_size": 3}
    ours_, theirs = nn.LSTM(3, 5, **options), torch.nn.LSTM(3, 5, **options)
    expected = [(n, tuple(p.shape)) for n, p in theirs.named_parameters()]
    assert sorted((n, p.shape) for n, p in ours_.named_parameters()) == sorted(expected)
    assert repr(ours_) == repr(theirs)
    for wrong in (5, 6):
        with pytest.raises(ValueError, match="proj_size: expected less than hidden_size, 5, got"):
            nn.LSTM(3, 5, proj_size=wrong)
    with pytest.raises(ValueError, match="proj_size: expected at least 0, got -1"):
        nn.LSTM(3, 5, proj_size=-1)


@pytest.mark.parametrize("kind", MODULES)
def test_steps_of_a_stream_are_the_sequence(rng, kind):
    for batch_first in (False, True):
        module = MODULES[kind](5, 37, 2, batch_first=batch_first, seed=0)
        case = draw(rng, module, 6, 3)
        y, states = module(case.x, given(case.states))
        state, rows = given(case.states), []
        for t in range(6):
            row, state = module.step(case.x[:, t] if batch_first else case.x[t], state)
            rows.append(row)
        assert np.array_equal(np.stack(rows, 1 if batch_first else 0), y)
        for one, other in zip(taken(state), taken(states)):
            assert np.array_equal(one, other)
    alone, _ = module.step(case.x[0, 0])
    assert alone.shape == (module.sizes[0],)
    with pytest.raises((TypeError, ValueError), match=r"^(state|h0): expected"):
        module.step(case.x[0, 0], "wrong")
    with pytest.raises(ValueError, match="step: expected one direction"):
        MODULES[kind](5, 4, bidirectional=True).step(np.zeros((1, 5)))
    with pytest.raises(ValueError, match=r"x: expected shape \(B, 5\)"):
        module.step(np.zeros((3, 4)))


@pytest.mark.parametrize("dropout", [0.0, 0.5])  # with and without the short way
@pytest.mark.parametrize("kind", MODULES)
def test_a_single_sequence_is_stepped_as_a_batch_of_one(rng, kind, dropout):
    for batch_first in (False, True):
        one, batch = (
            MODULES[kind](5, 37, 2, batch_first=batch_first, dropout=dropout, seed=0) for _ in "12"
        )
        case = draw(rng, one, 4, 1)
        of_one, of_batch = given([s[:, 0] for s in case.states]), given(case.states)
        for row in case.x.reshape(4, 5):
            y, of_one = one.step(row, of_one)
            expected, of_batch = batch.step(row[None], of_batch)
            assert y.shape == expected[0].shape and np.array_equal(y, expected[0])
            for found, state in zip(taken(of_one), taken(of_batch), strict=True):
                assert found.shape == state[:, 0].shape and np.array_equal(found, state[:, 0])
    few = given([s[:, 0, :-1] for s in case.states])
    came = r"\(5,\)" if not dropout else r"\(1, 5\)"
    with pytest.raises(
        ValueError, match=r"h0: expected shape \(2, \d+\), .* with x of shape " + came
    ):
        one.step(np.zeros(5), few)


# Not of a ReLU, whose state is infinite then: what inf - inf meets depends on the order of a sum.
@pytest.mark.parametrize("kind", [kind for kind in MODULES if kind != "rnn-relu"])
def test_an_infinite_input_does_not_reach_gradients_by_way_of_padding(rng, kind):
    for hidden in (5, 21, 64):
        module = MODULES[kind](3, hidden, dtype="f8", seed=0)
        case = draw(rng, module, 4, 3)
        case.x[1, 1, 0] = np.inf
        with np.errstate(all="ignore"):
            expected = by_reference(module, case)
        found = ours(module, case)
        for name in ("y", "hn", "dx", "dh0"):
            finite = np.isfinite(expected[name])
            assert np.isfinite(found[name][finite]).all(), (hidden, name)


def test_ids_in_the_padding_may_be_anything(rng):
    module, embedding = nn.LSTM(4, 5, seed=0), nn.Embedding(7, 4, seed=0)
    tokens = rng.integers(0, 7, (3, 2))
    expected, _ = module.infer_tokens(embedding, tokens, None, [3, 1])
    for rubbish in (-1, -100, 7):
        tokens[1:, 1] = rubbish
        found, _ = module.infer_tokens(embedding, tokens, None, [3, 1])
        assert np.array_equal(found, expected)
    tokens[0, 1] = -1
    with pytest.raises(ValueError, match="tokens: expected ids from 0 to 6, got -1"):
        module.infer_tokens(embedding, tokens, None, [3, 1])


@pytest.mark.parametrize("kind", MODULES)
def test_few_tokens_are_looked_up_and_many_projected_by_kind_with_the_same_bits(
    rng, kind, monkeypatch
):
    from numba_lstm.recurrent import call

    asked = []
    table = call.token_table
    monkeypatch.setattr(call, "token_table", lambda *about: asked.append(1) or table(*about))
    for batch_first in (False, True):
        module = MODULES[kind](8, 21, 2, batch_first=batch_first, bidirectional=True, seed=0)
        embedding = nn.Embedding(24, 8, seed=1)
        for batch, lengths in (
            (3, None),
            (4, None),
            (5, None),
            (6, [6, 0, 3, 2, 6, 6]),
            (6, [3] * 6),
        ):
            shape = (batch, 6) if batch_first else (6, batch)
            tokens = rng.integers(0, 24, shape)
            asked.clear()
            y, states = module.infer_tokens(embedding, tokens, None, lengths)
            count = 6 * batch if lengths is None else sum(lengths)
            by_rows = count < 24 or "normalised" in kind
            assert len(asked) == (0 if by_rows else 2), (batch, lengths)
            (y1, states1), _ = module.vjp_tokens(embedding, tokens, None, lengths)
            y2, states2 = module(embedding(tokens), None, lengths)
            assert np.array_equal(y, y1) and np.array_equal(y, y2)
            for one, other, third in zip(*map(taken, (states, states1, states2)), strict=True):
                assert np.array_equal(one, other) and np.array_equal(one, third)


def test_errors_of_few_tokens_are_those_of_tokens(rng):
    module, embedding = nn.LSTM(4, 5, seed=0), nn.Embedding(70, 4, seed=0)
    with pytest.raises(ValueError, match=r"^h0: .* with tokens of shape \(3, 2\)"):
        module.infer_tokens(embedding, rng.integers(0, 7, (3, 2)), [np.ones((1, 3, 5))] * 2)
    with pytest.raises(ValueError, match=r"^tokens: expected at least one time step"):
        module.infer_tokens(embedding, np.zeros((0, 2), int))
    y, _ = module.infer_tokens(embedding, np.zeros((3, 0), int))
    assert y.shape == (3, 0, 5)


def exchanged(shape, dtype="f4"):
    return nn.Parameter(np.ones(shape, dtype))


# What would be read past its end, or be ignored without a word.
@pytest.mark.parametrize("kind, options, name, value, error, message", [
    (nn.GRU, {}, "weight_ih_l0", exchanged((24, 4000)), ValueError,
     r"expected shape \(24, 8\) of float32, got \(24, 4000\) of float32"),
    (nn.GRU, {}, "weight_hh_l0", exchanged((48, 16)), ValueError, r"expected shape \(24, 8\)"),
    (nn.GRU, {"num_layers": 2}, "weight_ih_l1", exchanged((24, 4)), ValueError, "expected shape"),
    (nn.RNN, {"bidirectional": True}, "weight_hh_l0_reverse", exchanged((8, 9)), ValueError,
     "expected shape"),
    (nn.LSTM, {"proj_size": 3}, "weight_hr_l0", exchanged((8, 3)), ValueError, "expected shape"),
    (nn.LSTM, {"peepholes": True}, "weight_peephole_l0", exchanged(8), ValueError, "expected"),
    (nn.LSTM, {}, "bias_hh_l0", exchanged(31), ValueError, "expected shape"),
    (nn.LSTM, {}, "weight_ih_l0", exchanged((32, 8), "f8"), ValueError, ".* of float64$"),
    (nn.LSTM, {"dtype": "f8"}, "bias_ih_l0", exchanged(32), ValueError, ".* of float32$"),
    (nn.LSTM, {}, "weight_hh_l0", None, TypeError, "expected a Parameter .* got NoneType"),
    (nn.LSTM, {}, "weight_peephole_l0", exchanged(24), ValueError, "expected None"),
])  # fmt: skip
def test_an_exchanged_parameter_that_does_not_fit_is_refused_by_name(
    kind, options, name, value, error, message
):
    module = kind(8, 8, seed=0, **options)
    x = np.ones((3, 2, 8), module.dtype)
    before = module(x)[0]
    had = getattr(module, name, None)
    setattr(module, name, value)
    ids, table = np.zeros((3, 2), int), nn.Embedding(5, 8, dtype=module.dtype)
    for call in (
        lambda: module(x),
        lambda: module.vjp(x),
        lambda: module.step(x[0]) if not module.bidirectional else module(x),
        lambda: module.vjp_tokens(table, ids),
    ):
        with pytest.raises(error, match=f"^{name}: {message}"):
            call()
    setattr(module, name, had)
    assert np.array_equal(module(x)[0], before)


@pytest.mark.parametrize("missing, other", [("ih", "hh"), ("hh", "ih")])
def test_one_bias_without_the_other_is_refused_by_name(missing, other):
    for bias in (True, False):
        module = nn.LSTM(3, 4, bias=bias, seed=0)
        if bias:
            setattr(module, f"bias_{missing}_l0", None)
        else:
            setattr(module, f"bias_{other}_l0", exchanged(16))
        with pytest.raises(ValueError, match=f"^bias_{missing}_l0: expected a Parameter .*None$"):
            module(np.ones((2, 1, 3), "f4"))


def test_both_biases_may_be_taken_away_and_given():
    module, plain = nn.LSTM(3, 4, seed=0), nn.LSTM(3, 4, bias=False, seed=1)
    plain.weight_ih_l0, plain.weight_hh_l0 = module.weight_ih_l0, module.weight_hh_l0
    x = np.ones((2, 1, 3), "f4")
    biased = module(x)[0]
    plain.bias_ih_l0, plain.bias_hh_l0 = module.bias_ih_l0, module.bias_hh_l0
    assert np.array_equal(plain(x)[0], biased)
    for one in (module, plain):
        one.bias_ih_l0 = one.bias_hh_l0 = None
    assert np.array_equal(plain(x)[0], module(x)[0])
    assert not np.array_equal(plain(x)[0], biased)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_dropout_with_one_layer_is_warned_of_where_it_is_asked_for(kind):
    with pytest.warns(UserWarning, match="^dropout: expected 0 with num_layers=1, got 0.5") as got:
        kind(3, 4, dropout=0.5)
    assert [one.filename for one in got] == [__file__]


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_dropout_between_layers_is_not_warned_of(kind):
    kind(3, 4)
    kind(3, 4, 2, dropout=0.5)
    kind(3, [4, 5], dropout=0.5)


def test_a_parameter_that_is_deleted_is_not_used_again(rng):
    module, x = nn.GRU(3, 4, seed=0), rng.standard_normal((5, 2, 3), dtype=np.float32)
    module(x)
    del module.bias_ih_l0, module.bias_hh_l0
    without = nn.GRU(3, 4, bias=False)
    without.load_state_dict(module.state_dict())
    assert np.array_equal(module(x)[0], without(x)[0])
    del module.weight_hh_l0
    with pytest.raises(TypeError, match=r"^weight_hh_l0: expected a Parameter .* got NoneType"):
        module(x)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
@pytest.mark.parametrize("name", ["dropout", "input_dropout", "recurrent_dropout", "zoneout"])
def test_a_probability_out_of_range_is_refused_by_its_name(kind, name):
    for wrong in (-0.1, 1.1):
        with pytest.raises(ValueError, match=rf"^{name}: expected"):
            kind(3, 4, 2, **{name: wrong})
