"""Classifier and regressor: gradients, torch's numbers, lengths, layouts, seeds, threads."""

from __future__ import annotations

import copy
import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp
from long_tool import LONG

from numba_lstm.models import SequenceClassifier, SequenceRegressor

CELLS = ["lstm", "gru", "rnn"]
POOLINGS = ["last", "mean", "max", None]
LENGTHS = np.array([5, 0, 2, 1])


def make(pooling, cell="lstm", inputs=3, hidden=5, outputs=4, **options):
    """A classifier, or without pooling a regressor."""
    kind = SequenceRegressor if pooling is None else SequenceClassifier
    return kind(inputs, hidden, outputs, cell=cell, pooling=pooling, seed=1, **options)


def inputs(model, shape, lengths, rng):
    """Inputs for which no maximum is nearly shared by two steps: there differences see a corner."""
    state = model.random_state()
    for _ in range(500):
        x = rng.standard_normal(shape)
        y, _ = model.rnn(x, None, lengths)
        model.load_random_state(state)
        y = y if len(shape) == 3 else y[:, None]
        y = y.swapaxes(0, 1) if model.batch_first and len(shape) == 3 else y
        ends = [len(y)] * y.shape[1] if lengths is None else lengths
        # Zoneout keeps values: steps that are equal stay so.
        columns = [np.unique(column) for b, end in enumerate(ends) for column in y[:end, b].T]
        gaps = [column[-1] - column[-2] for column in columns if len(column) > 1]
        if model.pooling != "max" or min(gaps, default=1) > 0.004:
            return x
    raise AssertionError("no such inputs")


# --- gradients ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("shape", "lengths", "options"),
    [
        ((5, 4, 3), None, {}),
        ((5, 4, 3), LENGTHS, {}),
        ((5, 4, 3), LENGTHS, {"bidirectional": True, "num_layers": 2}),
        ((5, 4, 3), LENGTHS, {"bidirectional": True, "hidden_sizes": [4, 7]}),
        ((1, 4, 3), np.array([1, 0, 1, 1]), {"bidirectional": True}),
        ((4, 5, 3), LENGTHS[::-1].clip(0, 5), {"batch_first": True, "num_layers": 2}),
        ((6, 3), None, {"bidirectional": True, "batch_first": True}),
        ((5, 4, 3), LENGTHS, {"num_layers": 2, "dropout": 0.4, "recurrent_dropout": 0.2}),
    ],
)
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_every_gradient_equals_differences(cell, pooling, shape, lengths, options):
    """What is done around the cell does not depend on it: with the others in two forms only."""
    if cell != "lstm" and not LONG and "dropout" not in options and "hidden_sizes" not in options:
        pytest.skip("NUMBA_LSTM_LONG=1 runs it")
    rng = np.random.default_rng(8)
    options = dict(options)
    hidden = options.pop("hidden_sizes", 5)
    model = make(pooling, cell, hidden=hidden, dtype="float64", **options)
    x = inputs(model, shape, lengths, rng)
    check_vjp(model, x, lengths, rng=rng, samples=12 if LONG else 4)


@pytest.mark.parametrize(
    "options", [{"proj_size": 2}, {"peepholes": True, "zoneout": 0.2}, {"layer_norm": True}]
)
@pytest.mark.parametrize("pooling", POOLINGS)
def test_the_cells_own_options_go_through(pooling, options, rng):
    model = make(pooling, bidirectional=True, dtype="float64", **options)
    assert all(getattr(model.rnn, name) == value for name, value in options.items())
    x = inputs(model, (5, 4, 3), LENGTHS, rng)
    check_vjp(model, x, LENGTHS, rng=rng, samples=6, tolerance=1e-7)


# --- torch --------------------------------------------------------------------------------------


def torchs(ours):
    """The same network in torch, as its users write it: (x, lengths) -> outputs."""
    torch = pytest.importorskip("torch")

    class Theirs(torch.nn.Module):
        def __init__(self):
            super().__init__()
            kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU, "rnn": torch.nn.RNN}[ours.cell]
            self.rnn = kind(
                ours.input_size,
                ours.hidden_size,
                ours.num_layers,
                bidirectional=ours.bidirectional,
                batch_first=ours.batch_first,
            )
            self.head = torch.nn.Linear(ours.features, ours.head.out_features)

        def forward(self, x, lengths):
            first = ours.batch_first
            packed = torch.nn.utils.rnn.pack_padded_sequence(
                x, torch.from_numpy(lengths), batch_first=first, enforce_sorted=False
            )
            y, hn = self.rnn(packed)
            hn = hn[0] if ours.cell == "lstm" else hn
            y, _ = torch.nn.utils.rnn.pad_packed_sequence(
                y, batch_first=first, total_length=x.shape[1 if first else 0]
            )
            time = 1 if first else 0
            count = torch.arange(y.shape[time])
            valid = count[:, None] < torch.from_numpy(lengths)
            valid = (valid.T if first else valid)[..., None]
            if ours.pooling == "last":
                pooled = torch.cat([hn[-2], hn[-1]], dim=1) if ours.bidirectional else hn[-1]
            elif ours.pooling == "mean":
                pooled = (y * valid).sum(time) / torch.from_numpy(lengths)[:, None]
            elif ours.pooling == "max":
                pooled = y.masked_fill(~valid, -torch.inf).amax(time)
            else:
                return self.head(y) * valid
            return self.head(pooled)

    theirs = Theirs().double()
    theirs.load_state_dict({k: torch.from_numpy(v) for k, v in ours.state_dict().items()})
    return theirs


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2}])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
def test_the_same_network_in_torch_gives_the_same(cell, pooling, batch_first, options, rng):
    torch = pytest.importorskip("torch")
    ours = make(pooling, cell, dtype="float64", batch_first=batch_first, **options)
    theirs = torchs(ours)
    x = rng.standard_normal((4, 7, 3) if batch_first else (7, 4, 3))
    lengths = np.array([3, 7, 1, 6])
    x_theirs = torch.from_numpy(x).requires_grad_()
    expected = theirs(x_theirs, lengths)
    outputs, pullback = ours.vjp(x, lengths)
    assert_close(outputs, expected.detach().numpy(), 1e-12)
    cotangent = rng.standard_normal(outputs.shape)
    assert_close(pullback(cotangent), torch_gradient(expected, cotangent, x_theirs), 1e-11)
    found = dict(ours.named_parameters())
    for name, parameter in theirs.named_parameters():
        assert_close(found[name].grad, parameter.grad.numpy(), 1e-11, name)


def torch_gradient(outputs, cotangent, x):
    import torch

    outputs.backward(torch.from_numpy(cotangent))
    return x.grad.numpy()


# --- lengths and layouts ------------------------------------------------------------------------


@pytest.mark.parametrize("pooling", POOLINGS)
@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_a_call_in_evaluation_equals_vjp_to_the_bit(dtype, cell, pooling, rng):
    model = make(pooling, cell, hidden=19, num_layers=2, bidirectional=True, dropout=0.5).eval()
    x = rng.standard_normal((9, 4, 3)).astype(dtype)
    for lengths in (None, [9, 0, 4, 8]):
        assert np.array_equal(model(x, lengths), model.vjp(x, lengths)[0])
        assert np.array_equal(model(x, lengths), model(x, lengths))


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_an_empty_sequence_has_the_heads_bias_for_its_logits(pooling, rng):
    model = make(pooling, bidirectional=True, num_layers=2)
    logits, pullback = model.vjp(rng.standard_normal((5, 4, 3)), LENGTHS)
    assert np.array_equal(logits[1], model.head.bias.numpy())
    only_empty = np.zeros_like(logits)
    only_empty[1] = 1
    assert not pullback(only_empty).any()
    assert (model.head.bias.grad == 1).all()
    others = [p for name, p in model.named_parameters() if name != "head.bias"]
    assert not any(p.grad.any() for p in others)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("pooling", POOLINGS)
def test_what_stands_in_the_padding_changes_no_bit(pooling, batch_first, rng):
    model = make(pooling, bidirectional=True, batch_first=batch_first)
    x = rng.standard_normal((4, 5, 3)).astype("f4")
    beyond = np.arange(5) >= LENGTHS[:, None]
    found = []
    for value in (0, np.nan, 7):
        filled, cotangent = x.copy(), np.ones((4, 5, 4) if pooling is None else (4, 4), "f4")
        filled[beyond] = value
        if pooling is None:
            cotangent[beyond] = value
        if not batch_first:
            filled = filled.swapaxes(0, 1)
            cotangent = cotangent.swapaxes(0, 1) if pooling is None else cotangent
        before = cotangent.copy()
        model.zero_grad()
        outputs, pullback = model.vjp(filled, LENGTHS)
        dx = pullback(cotangent)
        assert np.array_equal(cotangent, before, equal_nan=True)
        found.append([outputs, dx, *(p.grad for p in model.parameters())])
    for other in found[1:]:
        assert all(np.array_equal(a, b) for a, b in zip(found[0], other))


def test_outputs_of_every_step_are_zero_after_a_sequences_end(rng):
    y = make(None)(rng.standard_normal((5, 4, 3)), LENGTHS)
    beyond = np.arange(5)[:, None] >= LENGTHS
    assert y.shape == (5, 4, 4) and not y[beyond].any() and y[~beyond].all()


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_single_sequence_is_a_batch_of_one(pooling, rng):
    x = rng.standard_normal((6, 3)).astype("f4")
    for batch_first in (False, True):
        model = make(pooling, bidirectional=True, batch_first=batch_first)
        batch = model(x[None] if batch_first else x[:, None])
        assert_close(model(x), batch.reshape(model(x).shape), 1e-6)
        outputs, pullback = model.vjp(x)
        assert pullback(np.ones_like(outputs)).shape == x.shape


@pytest.mark.parametrize("pooling", POOLINGS)
def test_batch_first_is_the_same_in_another_layout(pooling, rng):
    first, other = make(pooling, batch_first=True), make(pooling)
    x = rng.standard_normal((4, 5, 3)).astype("f4")
    y, expected = first(x, LENGTHS), other(x.swapaxes(0, 1), LENGTHS)
    assert np.array_equal(y, expected.swapaxes(0, 1) if pooling is None else expected)


@pytest.mark.parametrize("pooling", POOLINGS)
def test_a_batch_of_no_sequences_works(pooling):
    model = make(pooling)
    outputs, pullback = model.vjp(np.zeros((5, 0, 3)), np.zeros(0, int))
    assert outputs.shape == ((5, 0, 4) if pooling is None else (0, 4))
    assert pullback(outputs).shape == (5, 0, 3)


def test_last_is_the_final_state_of_both_directions(rng):
    model = make("last", num_layers=2, bidirectional=True)
    x = rng.standard_normal((5, 4, 3)).astype("f4")
    _, (hn, _) = model.rnn(x, lengths=LENGTHS)
    assert np.array_equal(model(x, LENGTHS), model.head(np.concatenate([hn[-2], hn[-1]], axis=1)))


# --- the same as of every module ----------------------------------------------------------------


def test_parameters_are_named_rnn_and_head():
    names = list(make("last", num_layers=2).state_dict())
    assert names[0] == "rnn.weight_ih_l0" and names[-2:] == ["head.weight", "head.bias"]
    assert len(names) == 10


def test_repr_shows_the_pooling_and_the_layers():
    text = repr(SequenceClassifier(3, 5, 4, 2, cell="gru", pooling="mean", dropout=0.25))
    assert text == (
        "SequenceClassifier(\n"
        "  pooling='mean'\n"
        "  (rnn): GRU(3, 5, num_layers=2, dropout=0.25)\n"
        "  (dropout): Dropout(p=0.25)\n"
        "  (head): Linear(in_features=5, out_features=4, bias=True)\n"
        ")"
    )


@pytest.mark.filterwarnings("error")
def test_dropout_of_one_layer_stands_before_the_head(rng):
    model = make("last", dropout=0.5)
    assert model.rnn.dropout == 0 and model.dropout.p == 0.5
    x = rng.standard_normal((5, 4, 3))
    assert not np.array_equal(model(x), model(x))
    assert np.array_equal(model.eval()(x), model(x))
    assert make("last", hidden=[4, 5], dropout=0.5).rnn.dropout == 0.5


def test_a_seed_fixes_parameters_and_masks(rng):
    x = rng.standard_normal((5, 4, 3))
    one, two = (make("mean", num_layers=2, dropout=0.5) for _ in range(2))
    assert np.array_equal(one(x), two(x))
    state = one.random_state()
    after = one(x)
    copied = pickle.loads(pickle.dumps(two))
    assert np.array_equal(copied(x), after)
    assert np.array_equal(copy.deepcopy(two)(x), after)
    one.load_random_state(state)
    assert np.array_equal(one(x), after)


def test_the_dtype_is_float32_unless_another_is_given(rng):
    x = rng.standard_normal((5, 4, 3))
    assert make("mean")(x).dtype == make("mean", dtype=None)(x).dtype == np.float32
    assert make("mean", dtype="float64")(x).dtype == np.float64


@pytest.mark.parametrize("pooling", POOLINGS)
def test_threads_share_one_model_and_lose_no_gradient(pooling, rng):
    model = make(pooling, dtype="float64", bidirectional=True)
    x = rng.standard_normal((8, 5, 4, 3))

    def gradient(one):
        outputs, pullback = model.vjp(one, LENGTHS)
        return outputs, pullback(np.ones_like(outputs))

    expected = [gradient(one) for one in x]
    alone = {name: p.grad for name, p in model.named_parameters()}
    model.zero_grad()
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(gradient, x))
    for one, other in zip(found, expected):
        assert all(np.array_equal(a, b) for a, b in zip(one, other))
    for name, p in model.named_parameters():
        assert_close(p.grad, alone[name], 1e-13, name)


def test_a_refused_pullback_adds_nothing_and_may_be_called_again(rng):
    for pooling, name in (("last", "dlogits"), (None, "dy")):
        model = make(pooling)
        outputs, pullback = model.vjp(rng.standard_normal((5, 4, 3)))
        with pytest.raises(ValueError, match=rf"^{name}: expected shape"):
            pullback(outputs[:2])
        assert all(p.grad is None for p in model.parameters())
        pullback(outputs)
        with pytest.raises(RuntimeError, match="called already"):
            pullback(outputs)


def test_no_cotangent_is_one_of_zeros(rng):
    model = make("max")
    _, pullback = model.vjp(rng.standard_normal((5, 4, 3)))
    assert not pullback(None).any()


def test_lengths_that_change_after_the_call_change_nothing(rng):
    x, lengths = rng.standard_normal((5, 4, 3)), LENGTHS.copy()
    for pooling in POOLINGS:
        model = make(pooling)
        outputs, pullback = model.vjp(x, lengths)
        expected = pullback(np.ones_like(outputs))
        outputs, pullback = model.vjp(x, lengths)
        lengths[:] = 3
        assert np.array_equal(pullback(np.ones_like(outputs)), expected)
        lengths[:] = LENGTHS


@pytest.mark.parametrize("pooling", POOLINGS)
def test_no_floating_point_error_comes_out(pooling):
    with np.errstate(all="raise"):
        for size in (1e-45, 1.0, 3e38):
            model = make(pooling, cell="rnn", nonlinearity="relu")
            model.rnn.weight_ih_l0[...] = size
            outputs, pullback = model.vjp(np.full((5, 4, 3), size, "f4"), LENGTHS)
            pullback(np.full_like(outputs, size))


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"cell": "lstn"}, ValueError, r"cell: expected .*lstm.*gru.*rnn.*got 'lstn'"),
        ({"pooling": "first"}, ValueError, r"pooling: expected 'last' or 'mean' or 'max', got"),
        ({"dropout": 1.5}, ValueError, "dropout: expected a number from 0 to 1"),
        ({"hidden_size": 0}, ValueError, "hidden_size: expected at least 1"),
        ({"num_layers": 0}, ValueError, "num_layers: expected at least 1"),
        ({"bidirectional": "no"}, TypeError, "bidirectional: expected True or False"),
        ({"dtype": "f2"}, ValueError, "dtype: expected float32 or float64"),
    ],
)
@pytest.mark.parametrize("kind", [SequenceClassifier, SequenceRegressor])
def test_wrong_arguments_are_refused_by_name(kind, arguments, error, words):
    outputs = {"num_classes" if kind is SequenceClassifier else "output_size": 2}
    with pytest.raises(error, match=rf"^{words}"):
        kind(**{"input_size": 3, "hidden_size": 4, **outputs, **arguments})


@pytest.mark.parametrize("pooling", POOLINGS)
def test_wrong_inputs_are_refused_by_name(pooling):
    model = make(pooling)
    for call in (model, model.vjp):
        with pytest.raises(ValueError, match=r"^x: "):
            call(np.zeros((5, 4, 2)))
        with pytest.raises(ValueError, match=r"^x: expected at least one time step"):
            call(np.zeros((0, 4, 3)))
        with pytest.raises(ValueError, match=r"^lengths: "):
            call(np.zeros((5, 4, 3)), [5, 4, 3, 6])
        with pytest.raises(TypeError, match=r"^lengths: "):
            call(np.zeros((5, 4, 3)), [1.0] * 4)
