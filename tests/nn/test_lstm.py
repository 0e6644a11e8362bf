"""nn.LSTM: torch's numbers at all sizes and options, true gradients, torch's names and defaults."""

from __future__ import annotations

import copy
import itertools
import pickle

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp
from lstm_tool import (
    assert_all_close,
    assert_same_bits,
    by_reference,
    by_torch,
    draw,
    ours,
    torch_twin,
)

from numba_lstm import nn
from numba_lstm.dropout_masks import draw_mask

torch = pytest.importorskip("torch")

ALL_SIZES = [*range(1, 71), 127, 128, 129]
OPTIONS = [
    {"num_layers": layers, "bidirectional": two, "batch_first": first, "bias": bias}
    for layers, two, first, bias in itertools.product((1, 3), *[(False, True)] * 3)
]


def _name(options):
    return "-".join(f"{k}={v}" for k, v in options.items())


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_size_of_input_and_hidden_equals_torch(rng, dtype):
    inputs = rng.permutation(ALL_SIZES)
    for number, (width, hidden) in enumerate(zip(inputs, ALL_SIZES)):
        steps, batch = 1 + number % 5, 1 + number % 14
        module = nn.LSTM(width, hidden, dtype=dtype, seed=number)
        case = draw(rng, module, steps, batch)
        sizes = (steps, batch, width, hidden)
        assert_all_close(ours(module, case), by_torch(module, case), dtype, sizes)


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("options", OPTIONS, ids=_name)
def test_every_option_equals_torch(rng, options, dtype):
    module = nn.LSTM(6, 19, **options, dtype=dtype, seed=1)
    for states, batched in itertools.product((True, False), repeat=2):
        case = draw(rng, module, 4, 3 if batched else 1, states, batched)
        assert_all_close(ours(module, case), by_torch(module, case), dtype, (states, batched))


@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_every_batch_size_and_a_single_step_equal_torch(rng, dtype):
    module = nn.LSTM(3, 35, bidirectional=True, dtype=dtype, seed=1)
    for steps, batch in [*((2, b) for b in range(1, 41)), (1, 1), (1, 7), (1, 129), (200, 1)]:
        case = draw(rng, module, steps, batch)
        assert_all_close(ours(module, case), by_torch(module, case), dtype, (steps, batch))


def test_large_inputs_and_infinite_ones_equal_torch(rng):
    module = nn.LSTM(1, 5, seed=2)
    x = np.array([[1e30], [-1e30], [np.inf], [-np.inf], [3.0]], "f4")[:, None]
    y, _ = module(x)
    expected, _ = torch_twin(module)(torch.from_numpy(x))
    assert np.isfinite(y).all()
    assert_close(y, expected.detach().numpy(), 1e-6)


@pytest.mark.parametrize(
    ("x", "state", "dstate"), [(0, 1e30, 1.0), (0, 1e15, 1e15), (1e30, 1e30, 1e30)]
)
def test_gradients_are_finite_where_torchs_are(rng, x, state, dstate):
    """Products of states and cotangents overflow, but gates that are saturated pass nothing on."""
    module = nn.LSTM(4, 5, seed=0)
    case = draw(rng, module, 3, 2)
    large = [tuple(np.full_like(one, value) for one in case.hx) for value in (state, dstate)]
    case = case._replace(x=case.x + np.float32(x), hx=large[0], dstate=large[1])
    found, expected = ours(module, case), by_torch(module, case)
    for name, value in expected.items():
        assert np.isfinite(value).all() and np.isfinite(found[name]).all(), name
        size = max(np.abs(value).max(), 1.0)
        assert_close(found[name] / size, value / size, 1e-5)


def test_nan_in_one_row_stays_in_that_row(rng):
    module = nn.LSTM(5, 21, num_layers=2, seed=1)
    x = draw(rng, module, 4, 9).x
    clean, _ = module(x)
    x[1, 4] = np.nan
    dirty, _ = module(x)
    assert np.isnan(dirty[1:, 4]).all()
    others = np.arange(9) != 4
    assert np.array_equal(clean[:, others], dirty[:, others])


@pytest.mark.parametrize(
    "options",
    [{"bidirectional": True, "num_layers": 2}, {"batch_first": True}, {"bias": False}],
    ids=_name,
)
def test_every_gradient_equals_differences_and_the_reference(rng, options):
    module = nn.LSTM(3, 7, **options, dtype="f8", seed=4)
    case = draw(rng, module, 4, 3)
    check_vjp(module, case.x, case.hx, rng=rng)
    if not module.batch_first:
        assert_all_close(ours(module, case), by_reference(module, case), "f8")


def test_an_empty_batch_gives_empty_outputs_and_zero_gradients(rng):
    for options in OPTIONS:
        module = nn.LSTM(5, 7, **options, seed=0)
        for states in (True, False):
            case = draw(rng, module, 3, 0, states)
            found = ours(module, case)
            rows = 7 * (2 if module.bidirectional else 1)
            assert found["y"].shape == ((0, 3, rows) if module.batch_first else (3, 0, rows))
            assert found["dx"].shape == case.x.shape
            for name in ("hn", "cn", "dh0", "dc0"):
                assert found[name].shape == case.dstate[0].shape
            for name, p in module.named_parameters():
                assert not found[name].any() and found[name].shape == p.shape
            assert module(case.x, case.hx)[0].shape == found["y"].shape


def test_an_empty_batch_adds_nothing_to_gradients_that_are_there(rng):
    module = nn.LSTM(5, 7, seed=0)
    before = {k: v.copy() for k, v in ours(module, draw(rng, module, 2, 3)).items()}
    case = draw(rng, module, 3, 0)
    module.vjp(case.x)[1](case.dy)
    for name, p in module.named_parameters():
        assert np.array_equal(p.grad, before[name])


# -- names, defaults, copies -------------------------------------------------------------------


@pytest.mark.parametrize("options", OPTIONS, ids=_name)
def test_parameters_have_torchs_names_shapes_and_order(options):
    module, twin = nn.LSTM(3, 5, **options), torch.nn.LSTM(3, 5, **options)
    expected = [(name, tuple(p.shape)) for name, p in twin.named_parameters()]
    assert [(name, p.shape) for name, p in module.named_parameters()] == expected
    assert list(module.state_dict()) == list(twin.state_dict())


@pytest.mark.parametrize("options", [*OPTIONS, {"num_layers": 2, "dropout": 0.25}], ids=_name)
def test_repr_is_torchs(options):
    assert repr(nn.LSTM(3, 5, **options)) == repr(torch.nn.LSTM(3, 5, **options))


def test_arguments_stand_in_torchs_order():
    module = nn.LSTM(3, 5, 2, False, True, 0.25, True)
    assert repr(module) == repr(torch.nn.LSTM(3, 5, 2, False, True, 0.25, True))


def test_initial_values_are_torchs_uniform_distribution():
    module = nn.LSTM(40, 100, seed=3)
    for _, p in module.named_parameters():
        values = p.numpy()
        assert np.abs(values).max() <= 0.1
        assert np.abs(values).max() > 0.098
        assert abs(values.mean()) < 4 * 0.1 / np.sqrt(3 * values.size)


def test_copies_and_pickles_compute_the_same_and_share_nothing(rng):
    module = nn.LSTM(3, 5, num_layers=2, dropout=0.5, seed=0)
    case = draw(rng, module, 4, 2)
    module(case.x)  # a copy must not carry packed weights along, nor fail over them
    for twin in (copy.deepcopy(module), pickle.loads(pickle.dumps(module))):
        state = module.random_state()
        found = ours(module, case)
        assert_same_bits(found, ours(twin, case))  # the dropout masks, too
        module.load_random_state(state)
        twin.weight_hh_l1[...] = 0
        assert_same_bits(found, ours(module, case))
        module.load_random_state(state)


def test_a_parameter_put_in_place_of_another_is_used(rng):
    module, other = nn.LSTM(3, 5, seed=0), nn.LSTM(3, 5, seed=1)
    x = draw(rng, module, 2, 2).x
    module(x)
    module.weight_hh_l0 = other.weight_hh_l0
    fresh = nn.LSTM(3, 5)
    fresh.load_state_dict(module.state_dict())
    assert np.array_equal(module(x)[0], fresh(x)[0])


@pytest.mark.parametrize(
    ("argument", "value", "error"),
    [
        ("input_size", 0, ValueError),
        ("input_size", 2.5, TypeError),
        ("input_size", True, TypeError),
        ("hidden_size", -1, ValueError),
        ("hidden_size", "9", TypeError),
        ("num_layers", 0, ValueError),
        ("num_layers", None, TypeError),
        ("dropout", 1.5, ValueError),
        ("dropout", -0.1, ValueError),
        ("dropout", float("nan"), ValueError),
        ("dropout", "a", TypeError),
        ("dtype", "float16", ValueError),
        ("dtype", np.int64, ValueError),
        ("dtype", "nonsense", TypeError),
        ("seed", -1, ValueError),
        ("seed", "a", TypeError),
    ],
)
def test_the_constructor_refuses_by_name(argument, value, error):
    with pytest.raises(error, match=f"^{argument}: expected"):
        nn.LSTM(**{"input_size": 3, "hidden_size": 5, argument: value})


# -- dropout -----------------------------------------------------------------------------------


@pytest.mark.parametrize("bidirectional", [False, True])
def test_dropout_masks_the_outputs_between_layers_and_follows_the_seed(rng, bidirectional):
    options = {"num_layers": 3, "dropout": 0.4, "bidirectional": bidirectional, "dtype": "f8"}
    module = nn.LSTM(4, 6, **options, seed=5)
    case = draw(rng, module, 5, 3)
    masks_rng = copy.deepcopy(module.rng)
    shape = (5, 3, 12 if bidirectional else 6)
    masks = [draw_mask(masks_rng, shape, 0.4, np.dtype("f8")) for _ in range(2)]
    found = ours(module, case)
    assert_all_close(found, by_reference(module, case, masks), "f8")
    again = nn.LSTM(4, 6, **options, seed=5)
    assert_same_bits(found, ours(again, case))
    assert not np.array_equal(found["y"], ours(module, case)["y"])  # the next mask is another


def test_dropout_applies_to_calls_in_training_and_never_in_evaluation(rng):
    module = nn.LSTM(4, 6, num_layers=2, dropout=0.4, seed=5)
    plain = nn.LSTM(4, 6, num_layers=2)
    plain.load_state_dict(module.state_dict())
    case = draw(rng, module, 5, 3)
    state = module.random_state()
    called, _ = module(case.x, case.hx)
    module.load_random_state(state)
    assert np.array_equal(called, ours(module, case)["y"])
    module.eval()
    state = module.random_state()
    assert_same_bits(ours(module, case), ours(plain, case))
    assert np.array_equal(module(case.x, case.hx)[0], plain(case.x, case.hx)[0])
    assert module.random_state() == state


def test_dropout_of_everything_cuts_the_layers_apart(rng):
    module = nn.LSTM(4, 6, num_layers=2, dropout=1.0, seed=5)
    case = draw(rng, module, 3, 2)
    module.zero_grad()
    (y, _), pullback = module.vjp(case.x)
    zeros = nn.LSTM(6, 6, seed=0)
    zeros.load_state_dict(
        {k.replace("_l1", "_l0"): v for k, v in module.state_dict().items() if k.endswith("_l1")}
    )
    assert np.array_equal(y, zeros(np.zeros((3, 2, 6)))[0])
    dx, _ = pullback(case.dy)
    assert not dx.any() and not module.weight_ih_l0.grad.any()


# -- tokens ------------------------------------------------------------------------------------


@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("padding_idx", [None, 2])
@pytest.mark.parametrize(
    "options", [{}, {"num_layers": 2, "bidirectional": True, "batch_first": True}], ids=_name
)
def test_tokens_give_what_their_embedding_gives(rng, options, padding_idx, dtype):
    embedding = nn.Embedding(11, 13, padding_idx, dtype=dtype, seed=2)
    module = nn.LSTM(13, 21, **options, dtype=dtype, seed=3)
    tokens = rng.integers(0, 11, (8, 6))
    steps, batch = (6, 8) if module.batch_first else (8, 6)
    case = draw(rng, module, steps, batch)
    x, back_to_embedding = embedding.vjp(tokens)
    expected = ours(module, case._replace(x=x))
    back_to_embedding(expected.pop("dx"))
    expected["embedding"] = embedding.weight.grad
    module.zero_grad()
    embedding.zero_grad()
    (y, (hn, cn)), pullback = module.vjp_tokens(embedding, tokens, case.hx)
    dx, (dh0, dc0) = pullback(case.dy, case.dstate)
    assert dx is None
    found = {"y": y, "hn": hn, "cn": cn, "dh0": dh0, "dc0": dc0, "embedding": embedding.weight.grad}
    found |= {name: p.grad for name, p in module.named_parameters()}
    for name in ("y", "hn", "cn"):
        assert np.array_equal(found[name], expected[name]), name
    assert_all_close(found, expected, dtype)
    y, (hn, cn) = module.infer_tokens(embedding, tokens, case.hx)
    assert_same_bits({"y": y, "hn": hn, "cn": cn}, {k: found[k] for k in ("y", "hn", "cn")})


def test_tokens_may_be_overwritten_before_the_pullback(rng):
    embedding, module = nn.Embedding(5, 3, seed=0), nn.LSTM(3, 4, seed=0)
    tokens = rng.integers(0, 5, (6, 2))
    gradients = []
    for spoil in (False, True):
        embedding.zero_grad()
        (y, _), pullback = module.vjp_tokens(embedding, tokens)
        if spoil:
            tokens[...] = (tokens + 1) % 5
        pullback(np.ones_like(y))
        gradients.append(embedding.weight.grad)
    assert np.array_equal(*gradients)


def test_a_frozen_embedding_or_weight_gets_no_gradient(rng):
    embedding, module = nn.Embedding(5, 3, seed=0), nn.LSTM(3, 4, seed=0)
    embedding.weight.requires_grad = False
    module.weight_ih_l0.requires_grad = module.bias_hh_l0.requires_grad = False
    tokens = rng.integers(0, 5, (6, 2))
    (y, _), pullback = module.vjp_tokens(embedding, tokens)
    pullback(np.ones_like(y))
    assert embedding.weight.grad is module.weight_ih_l0.grad is module.bias_hh_l0.grad is None
    assert module.weight_hh_l0.grad.any() and module.bias_ih_l0.grad.any()


@pytest.mark.parametrize(
    ("tokens", "error", "message"),
    [
        ([[0, 5]], ValueError, r"^tokens: expected ids from 0 to 4, got 5 at index \(0, 1\)"),
        ([[0], [-1]], ValueError, r"^tokens: expected ids from 0 to 4, got -1 at index \(1, 0\)"),
        ([0, 1], ValueError, "^tokens: expected 2 dimensions"),
        ([[0.0]], TypeError, "^tokens: expected integers"),
        ([[True]], TypeError, "^tokens: expected integers"),
        (None, TypeError, "^tokens: expected"),
        (np.empty((0, 3), int), ValueError, "^tokens: expected at least one time step"),
    ],
)
def test_tokens_are_refused_by_name(tokens, error, message):
    embedding, module = nn.Embedding(5, 3), nn.LSTM(3, 4)
    for method in (module.vjp_tokens, module.infer_tokens):
        with pytest.raises(error, match=message):
            method(embedding, tokens)


@pytest.mark.parametrize("embedding", [nn.Embedding(5, 4), nn.Embedding(5, 3, dtype="f8")])
def test_an_embedding_that_does_not_fit_is_refused_by_name(embedding):
    with pytest.raises(ValueError, match=r"^embedding: expected 3 columns of float32"):
        nn.LSTM(3, 4).vjp_tokens(embedding, [[0]])
