"""What the tests of the recurrent reference share: flavours of cells, cases, and their checks."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import recurrent_oracle as oracle
from gradcheck import COMPLEX_STEP, assert_close

from numba_lstm.reference import recurrent, stack
from numba_lstm.reference.gru_cell import GRUCell
from numba_lstm.reference.lstm_cell import LSTMCell
from numba_lstm.reference.rnn_cell import RNNCell

# Relative to the largest element, float64.
FORWARD, GRADIENT = 1e-13, 1e-11
# Absolute, of sums of terms of order 1.
ROUNDING = 1e-14
GATES = {LSTMCell: 4, GRUCell: 3, RNNCell: 1}


class Flavour(NamedTuple):
    """A cell with its options, and which of the optional parameters it has."""

    cell: Any
    bias: bool = True
    layer_norm: bool = False
    peepholes: bool = False
    projection: bool = False


FLAVOURS = {
    "lstm": Flavour(LSTMCell()),
    "lstm-no-bias": Flavour(LSTMCell(), bias=False),
    "lstm-peepholes": Flavour(LSTMCell(), peepholes=True),
    "lstm-clip": Flavour(LSTMCell(clip=0.5)),
    "lstm-coupled": Flavour(LSTMCell(coupled=True)),
    "lstm-projection": Flavour(LSTMCell(), projection=True),
    "lstm-layer-norm": Flavour(LSTMCell(), layer_norm=True),
    "lstm-layer-norm-no-bias": Flavour(LSTMCell(), layer_norm=True, bias=False),
    "lstm-peepholes-clip-coupled": Flavour(LSTMCell(clip=0.7, coupled=True), peepholes=True),
    "lstm-onnx-projection": Flavour(LSTMCell(0.7, True), peepholes=True, projection=True),
    "lstm-everything": Flavour(LSTMCell(0.7, True), True, True, True, True),
    "gru-after": Flavour(GRUCell()),
    "gru-before": Flavour(GRUCell(reset_after=False)),
    "gru-no-bias": Flavour(GRUCell(), bias=False),
    "gru-after-layer-norm": Flavour(GRUCell(), layer_norm=True),
    "gru-before-layer-norm": Flavour(GRUCell(reset_after=False), layer_norm=True),
    "rnn-tanh": Flavour(RNNCell()),
    "rnn-relu": Flavour(RNNCell("relu")),
    "rnn-no-bias": Flavour(RNNCell(), bias=False),
    "rnn-layer-norm": Flavour(RNNCell(), layer_norm=True),
}
OPTIONS = ["lengths", "reset", "inputs", "state", "weight_hh", "zoneout", "between"]


class Case(NamedTuple):
    """Everything that a stack's forward and backward take."""

    cell: Any
    parameters: dict[str, np.ndarray]
    x: np.ndarray
    initial: list[list[np.ndarray]]
    options: dict[str, Any]
    dy: np.ndarray
    dfinals: list[list[np.ndarray]]
    dsequences: list[list[np.ndarray]]


def widths(flavour, hidden):
    """The widths of a flavour's states in a layer of `hidden` units."""
    h = hidden - 1 if flavour.projection else hidden
    return [h, hidden] if isinstance(flavour.cell, LSTMCell) else [h]


def draw_parameters(rng, flavour, inputs, hidden, tail=""):
    """One direction's parameters, each name with `tail`."""
    rows, h = GATES[type(flavour.cell)] * hidden, widths(flavour, hidden)[0]
    shapes = {"weight_ih": (rows, inputs), "weight_hh": (rows, h)}
    if flavour.bias:
        shapes |= {"bias_ih": (rows,), "bias_hh": (rows,)}
    if flavour.projection:
        shapes["weight_hr"] = (h, hidden)
    if flavour.peepholes:
        shapes["weight_peephole"] = (3 * hidden,)
    if flavour.layer_norm:
        shapes |= {"weight_ln_ih": (rows,), "weight_ln_hh": (rows,)}
        if isinstance(flavour.cell, LSTMCell):
            shapes["weight_ln_c"] = (hidden,)
            if flavour.bias:
                shapes["bias_ln_c"] = (hidden,)
    return {name + tail: rng.standard_normal(shape) * 0.7 for name, shape in shapes.items()}


def draw_dropout(rng, flavour, wanted, T, B, inputs, hidden):
    sizes = widths(flavour, hidden)
    rows = GATES[type(flavour.cell)] * hidden

    def mask(*shape):
        return rng.integers(0, 2, shape) / 0.5

    zoneout = ()
    if "zoneout" in wanted:
        zoneout = tuple(rng.integers(0, 2, (T, B, size)).astype(float) for size in sizes)
    if "zoneout expected" in wanted:
        zoneout = (0.15, None)[: len(sizes)]
    return recurrent.Dropout(
        mask(B, inputs) if "inputs" in wanted else None,
        mask(B, sizes[0]) if "state" in wanted else None,
        mask(rows, sizes[0]) if "weight_hh" in wanted else None,
        zoneout,
    )


def draw(rng, flavour, wanted=(), *, T=4, B=3, I=2, hidden=(3,), directions=1):
    """A case of a stack with as many layers as `hidden` has numbers.

    `wanted` are of OPTIONS, or "zoneout expected". Lengths run from 0 to T; one reset stands at
    step 0, one within a row, one in the padding.
    """
    parameters, dropout, between = {}, {}, []
    states, sequences, inputs = [], [], I
    for layer, units in enumerate(hidden):
        sizes = widths(flavour, units)
        for direction in ["", "_reverse"][:directions]:
            tail = f"_l{layer}{direction}"
            parameters |= draw_parameters(rng, flavour, inputs, units, tail)
            dropout[tail] = draw_dropout(rng, flavour, wanted, T, B, inputs, units)
            states.append([(B, size) for size in sizes])
        inputs = directions * sizes[0]
        sequences.append([(T, B, directions * size) for size in sizes])
        between.append(rng.integers(0, 2, (T, B, inputs)) / 0.5)
    options: dict[str, Any] = {"dropout": dropout}
    if "lengths" in wanted:
        options["lengths"] = [2, 0, T, *rng.integers(0, T + 1, B)][:B]
    if "reset" in wanted:
        options["reset"] = np.zeros((T, B), bool)
        options["reset"][[0, 2, T - 1], [2 % B, 2 % B, 0]] = True
        options["reset"] |= rng.random((T, B)) < 0.2
    if "between" in wanted:
        options["between"] = between[:-1]

    def normal(shapes):
        return [[rng.standard_normal(shape) for shape in each] for each in zip(*shapes)]

    x, dy = rng.standard_normal((T, B, I)), rng.standard_normal(sequences[-1][0])
    return Case(
        flavour.cell, parameters, x, normal(states), options, dy, normal(states), normal(sequences)
    )


def inputs_of(case):
    """Everything that is differentiated, by name."""
    named = {"x": case.x}
    for k, states in enumerate(case.initial):
        named |= {f"{'hc'[k]}0[{which}]": state for which, state in enumerate(states)}
    return named | case.parameters


def scalar(case, changed):
    """The oracle's loss: every output times its cotangent."""
    initial = [
        [changed.get(f"{'hc'[k]}0[{which}]", state) for which, state in enumerate(states)]
        for k, states in enumerate(case.initial)
    ]
    parameters = {name: changed.get(name, value) for name, value in case.parameters.items()}
    y, finals, sequences = oracle.stack(
        case.cell, parameters, changed.get("x", case.x), initial, **case.options
    )
    total = (y * case.dy).sum()
    for outputs, cotangents in ((finals, case.dfinals), (sequences, case.dsequences)):
        for each, given in zip(outputs, cotangents):
            total = total + sum((o * d).sum() for o, d in zip(each, given))
    return total


def check(case, rng, samples=10**6):
    """Fail unless the reference's outputs are the oracle's and its gradients a complex step's.

    Of arguments with more than `samples` elements that many are checked, and one random direction
    through all.
    """
    output, saved = stack.stack_forward(
        case.cell, case.parameters, case.x, case.initial, **case.options
    )
    y, finals, sequences = oracle.stack(
        case.cell, case.parameters, case.x, case.initial, **case.options
    )
    assert_close(output.y, y, FORWARD, "y")
    for found, wanted in ((output.finals, finals), (output.sequences, sequences)):
        for each, expected in zip(found, wanted, strict=True):
            for one, other in zip(each, expected, strict=True):
                assert_close(one, other, FORWARD, "a state")

    back = stack.stack_backward(saved, case.dy, case.dfinals, case.dsequences)
    assert list(back.parameters) == list(case.parameters)
    gradients = {"x": back.dx} | back.parameters
    for k, states in enumerate(back.dinitial):
        gradients |= {f"{'hc'[k]}0[{which}]": state for which, state in enumerate(states)}
    for name, value in inputs_of(case).items():
        assert gradients[name].shape == value.shape, name
        check_gradient(case, name, value, gradients[name], rng, samples)


def check_gradient(case, name, value, gradient, rng, samples, tolerance=GRADIENT):
    def slope(towards):
        moved = value + 1j * COMPLEX_STEP * towards
        return np.imag(scalar(case, {name: moved})) / COMPLEX_STEP

    places = np.arange(value.size)
    if value.size > samples:
        places = rng.choice(value.size, samples, replace=False)
        towards = rng.standard_normal(value.shape)
        along = abs((gradient * towards).sum() - slope(towards))
        # Terms of order 1 may cancel, as a normalised input's scale does; their rounding stays.
        most = tolerance * np.abs(gradient * towards).sum() + ROUNDING
        assert along <= most, f"{name} along a direction: error {along:.3g}, at most {most:.3g}"
    units = (np.eye(1, value.size, place).reshape(value.shape) for place in places)
    numeric = np.array([slope(unit) for unit in units])
    scale = max(np.abs(numeric).max(), np.abs(gradient).max()) or 1.0
    found = np.abs(gradient.ravel()[places] - numeric).max() / scale
    assert found <= tolerance, f"{name}: error {found:.3g}"
