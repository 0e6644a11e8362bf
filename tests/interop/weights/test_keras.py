"""Keras's lists of weights give Keras's figures.

The published figures are those of Keras 3's own unit tests, keras/src/layers/rnn/lstm_test.py and
gru_test.py (https://github.com/keras-team/keras, Apache 2.0): small layers whose kernels, recurrent
kernels and biases are all 0.01, 0.02 and 0.03, over a range of numbers. Keras's tests hold them to
1e-5.
"""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import weights

GATES = {"lstm": 4, "gru": 3, "rnn": 1}


def constant(cell, inputs, units, *, bias=True, unit_forget_bias=True, reset_after=True):
    """What ``get_weights()`` gives of such a layer."""
    rows = GATES[cell] * units
    arrays = [np.full((inputs, rows), 0.01), np.full((units, rows), 0.02)]
    if bias:
        b = np.full((2, rows) if cell == "gru" and reset_after else rows, 0.03)
        if cell == "lstm" and unit_forget_bias:
            b[units : 2 * units] = 1.0
        arrays.append(b)
    return [array.astype("f4") for array in arrays]


def layer(cell, inputs, units, **options):
    state = weights.from_keras(constant(cell, inputs, units, **options))
    about = {"reset_after": False} if options.get("reset_after") is False else {}
    return weights.to_module(state, batch_first=True, **about)


def h_of(module, x, state=None, lengths=None):
    """The last output, as Keras gives it."""
    _, final = module(x, state, lengths)
    return (final[0] if isinstance(final, tuple) else final)[0]


def columns(*values, units=3):
    return np.repeat(np.array(values)[:, None], units, axis=1)


def check(found, expected):
    print("largest difference from Keras's figures:", np.abs(found - expected).max())
    np.testing.assert_allclose(found, expected, atol=1e-5, rtol=1e-5)


LONG = np.arange(72, dtype="f4").reshape(3, 6, 4)


@pytest.mark.parametrize(
    ("cell", "options", "backwards", "figures"),
    [
        ("lstm", {}, False, (0.6288687, 0.86899155, 0.9460773)),
        ("lstm", {}, True, (0.35622165, 0.74789524, 0.8872726)),
        ("lstm", {"unit_forget_bias": False}, False, (0.57019705, 0.8661914, 0.9459622)),
        ("lstm", {"bias": False}, False, (0.54986924, 0.86226785, 0.9443936)),
        ("gru", {}, False, (0.5217289, 0.6371659, 0.39384964)),
        ("gru", {}, True, (0.24406259, 0.611516, 0.3928808)),
        ("gru", {"reset_after": False}, False, (0.51447755, 0.6426879, 0.40208298)),
        ("gru", {"bias": False}, False, (0.49988455, 0.64701194, 0.4103359)),
    ],
)
def test_the_published_figures_of_correctness(cell, options, backwards, figures):
    x = LONG[:, ::-1] if backwards else LONG
    check(h_of(layer(cell, 4, 3, **options), x), columns(*figures))


@pytest.mark.parametrize(
    ("cell", "figures"), [("lstm", (0.3124785, 0.6863672)), ("gru", (0.29542392, 0.5885018))]
)
def test_the_published_figures_of_a_layer_that_keeps_its_state(cell, figures):
    x, module = np.arange(24, dtype="f4").reshape(2, 3, 4), layer(cell, 4, 4)
    _, state = module(x)
    check(h_of(module, x, state), columns(*figures, units=4))


@pytest.mark.parametrize(
    ("cell", "backwards", "figures"),
    [
        ("lstm", False, [[0.20574439, 0.3558822], [0.64930826, 0.66276]]),
        ("lstm", True, [[0.13281618, 0.2790356], [0.5839337, 0.5992567]]),
        ("gru", False, [[0.23774096, 0.33508456], [0.83659905, 1.0227708]]),
        ("gru", True, [[0.13486053, 0.23261218], [0.78257304, 0.9691353]]),
    ],
)
def test_the_published_figures_of_an_initial_state(cell, backwards, figures):
    x, state = np.arange(24, dtype="f4").reshape(2, 4, 3), np.arange(4.0).reshape(1, 2, 2)
    x = x[:, ::-1] if backwards else x
    check(h_of(layer(cell, 3, 2), x, (state, state) if cell == "lstm" else state), figures)


def test_the_published_figures_of_masks_at_the_end():
    x, module = np.arange(24, dtype="f4").reshape(2, 4, 3), layer("lstm", 3, 2)
    y, _ = module(x, lengths=[3, 2])
    check(h_of(module, x, lengths=[3, 2]), columns(0.11755939, 0.28556206, units=2))
    # Keras's zero_output_for_mask.
    check(y[0], columns(0.01588910, 0.05552048, 0.11755939, 0.0, units=2))
    check(y[1], columns(0.14185596, 0.28556206, 0.0, 0.0, units=2))
    # go_backwards with masks at the beginning.
    check(h_of(module, x[:, ::-1], lengths=[3, 2]), columns(0.15341201, 0.3844719, units=2))


def test_the_published_figures_of_masks_anywhere():
    """A masked step keeps the state: as if it was not there."""
    x, module = np.arange(24, dtype="f4").reshape(2, 4, 3), layer("gru", 3, 2)
    mask = np.array([[True, True, False, True], [True, False, False, True]])
    for order, figures in (
        (slice(None), (0.19393763, 0.30818558)),
        (slice(None, None, -1), (0.11669192, 0.28380975)),
    ):
        found = [h_of(module, one[order][kept[order]][None])[0] for one, kept in zip(x, mask)]
        check(np.stack(found), columns(*figures, units=2))


# -- random weights against Keras's equations -------------------------------------------------


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def keras_steps(arrays, x):
    """Keras's equations, step by step; x (B, T, I)."""
    kernel, recurrent, *bias = (np.asarray(array, "f8") for array in arrays)
    units = recurrent.shape[0]
    count = kernel.shape[1] // units
    b = bias[0] if bias else np.zeros(count * units)
    after = b.ndim == 2 or not bias
    b, d = b if b.ndim == 2 else (b, 0 * b)
    h = c = np.zeros((len(x), units))
    outputs = []
    for x_t in x.swapaxes(0, 1):
        a = x_t @ kernel + b
        if count == 4:
            i, f, g, o = np.split(a + h @ recurrent, 4, axis=1)
            c = sigmoid(f) * c + sigmoid(i) * np.tanh(g)
            h = sigmoid(o) * np.tanh(c)
        elif count == 3:
            u = h @ recurrent + d
            z, r = (sigmoid((a + u)[:, k * units : (k + 1) * units]) for k in (0, 1))
            n = slice(2 * units, None)
            inner = r * u[:, n] if after else (r * h) @ recurrent[:, n]
            h = z * h + (1 - z) * np.tanh(a[:, n] + inner)
        else:
            h = np.tanh(a + h @ recurrent)
        outputs.append(h)
    return np.stack(outputs, axis=1)


def random_list(rng, cell, bias, inputs=3, units=5):
    rows = GATES[cell] * units
    shapes = [(inputs, rows), (units, rows)]
    if bias:
        shapes.append((bias, rows) if bias == 2 else (rows,))
    return [rng.standard_normal(shape).astype("f4") for shape in shapes]


CASES = [("lstm", 0), ("lstm", 1), ("gru", 0), ("gru", 1), ("gru", 2), ("rnn", 0), ("rnn", 1)]


def about(cell, bias):
    return {"reset_after": False} if (cell, bias) == ("gru", 1) else {}


@pytest.mark.parametrize(("cell", "bias"), CASES)
def test_random_weights_follow_keras_equations(rng, cell, bias):
    arrays = random_list(rng, cell, bias)
    module = weights.to_module(
        weights.from_keras(arrays), batch_first=True, dtype="f8", **about(cell, bias)
    )
    assert type(module) is {"lstm": nn.LSTM, "gru": nn.GRU, "rnn": nn.RNN}[cell]
    x = rng.standard_normal((2, 6, 3))
    np.testing.assert_allclose(module(x)[0], keras_steps(arrays, x), atol=1e-12)


@pytest.mark.parametrize(("cell", "bias"), CASES)
def test_bidirectional_lists_hold_the_forward_direction_first(rng, cell, bias):
    forward, backward = random_list(rng, cell, bias), random_list(rng, cell, bias)
    state = weights.from_keras([*forward, *backward], bidirectional=True)
    module = weights.to_module(state, batch_first=True, dtype="f8", **about(cell, bias))
    assert module.bidirectional
    x = rng.standard_normal((2, 6, 3))
    expected = keras_steps(forward, x), keras_steps(backward, x[:, ::-1])[:, ::-1]
    np.testing.assert_allclose(module(x)[0], np.concatenate(expected, axis=2), atol=1e-12)


@pytest.mark.parametrize(("cell", "bias"), CASES)
@pytest.mark.parametrize("both", [False, True])
def test_lists_come_back_exactly(rng, cell, bias, both):
    arrays = [a for _ in range(1 + both) for a in random_list(rng, cell, bias)]
    state = weights.from_keras(arrays, bidirectional=both, layer=1)
    assert all(name.endswith(("_l1", "_l1_reverse")) for name in state)
    back = weights.to_keras(state, layer=1, reset_after=bias != 1)
    assert len(back) == len(arrays)
    for one, other in zip(back, arrays, strict=True):
        assert one.dtype == other.dtype and one.flags.c_contiguous and np.array_equal(one, other)


def test_a_stack_of_keras_layers_is_one_module(rng):
    first, second = random_list(rng, "gru", 2), random_list(rng, "gru", 2, inputs=5)
    state = weights.from_keras(first) | weights.from_keras(second, layer=1)
    module = weights.to_module(state, batch_first=True, dtype="f8")
    x = rng.standard_normal((2, 6, 3))
    expected = keras_steps(second, keras_steps(first, x))
    np.testing.assert_allclose(module(x)[0], expected, atol=1e-12)


def test_ours_in_keras_is_the_same_function(rng):
    for module in (nn.LSTM(3, 5, dtype="f8", seed=0), nn.GRU(3, 5, dtype="f8", seed=0)):
        x = rng.standard_normal((2, 6, 3))
        expected = module(x.swapaxes(0, 1))[0].swapaxes(0, 1)
        arrays = weights.to_keras(
            {f"a.{k}": v for k, v in module.state_dict().items()}, prefix="a."
        )
        np.testing.assert_allclose(keras_steps(arrays, x), expected, atol=1e-12)


@pytest.mark.parametrize(
    ("arrays", "options", "words"),
    [
        ([np.ones((3, 20))], {}, "arrays: expected 2 or 3, got 1"),
        ([np.ones((3, 20))] * 6, {}, "got 6; a Bidirectional's list wants bidirectional=True"),
        ([np.ones((3, 20))] * 3, {"bidirectional": True}, "arrays: expected 4 or 6, got 3"),
        ([np.ones((3, 20)), np.ones((5, 25))], {}, r"arrays\[1\]: expected 4 .* 5 units, got 25"),
        ([np.ones((3, 24)), np.ones((5, 20))], {}, r"arrays\[0\]: expected shape \(I, 20\)"),
        (
            [np.ones((3, 20)), np.ones((5, 20)), np.ones(40)],
            {},
            r"arrays\[2\]: expected shape \(20,\), got \(40,\)",
        ),
        (
            [np.ones((3, 15)), np.ones((5, 15)), np.ones((3, 15))],
            {},
            r"arrays\[2\]: expected shape \(2, 15\)",
        ),
    ],
)
def test_a_list_that_does_not_fit_names_the_array(arrays, options, words):
    with pytest.raises(ValueError, match=words):
        weights.from_keras(arrays, **options)


@pytest.mark.parametrize(
    ("module", "words"),
    [
        (nn.LSTM(3, 5, peepholes=True), "no peepholes"),
        (nn.LSTM(3, 5, proj_size=2), "weight_hr_l0, for which these arrays have no place"),
        (nn.GRU(3, 5, layer_norm=True), "weight_ln_ih_l0"),
        (nn.GRU(3, 5, learn_initial_state=True), "h_0_l0"),
        (nn.Linear(3, 5), "expected weight_ih_l0, got bias, weight"),
    ],
)
def test_what_keras_has_no_place_for_is_refused(module, words):
    with pytest.raises(ValueError, match=words):
        weights.to_keras(module.state_dict())
