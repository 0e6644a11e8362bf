"""Every recurrent module with every option: outputs and gradients against a complex step.

The oracle is `recurrent_oracle`, which shares nothing with the kernels, nor with the reference:
row by row and gate by gate. What it is differentiated by is exact to the last digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import recurrent_oracle as oracle
from family_tool import given, taken
from gradcheck import assert_close
from masks_tool import fix, tails
from recurrent_tool import FLAVOURS, OPTIONS, check_gradient, draw, inputs_of

from numba_lstm import nn
from numba_lstm.reference.gru_cell import GRUCell
from numba_lstm.reference.lstm_cell import LSTMCell

# Of the largest element of each array.
FORWARD, GRADIENT = 1e-12, 1e-9
# The reference has more than the modules: these options do not go together here.
MISSING = {"lstm-everything", "gru-before-layer-norm", "rnn-layer-norm"}
KINDS = [name for name in FLAVOURS if name not in MISSING]


def module_of(flavour: Any, hidden: tuple[int, ...], directions: int, **options: Any) -> Any:
    """The module of a flavour, for two inputs as `recurrent_tool.draw` has."""
    options |= {"bias": flavour.bias, "bidirectional": directions == 2, "dtype": np.float64}
    if isinstance(flavour.cell, LSTMCell):
        return nn.LSTM(
            2, list(hidden), proj_size=(hidden[0] - 1) * flavour.projection,
            peepholes=flavour.peepholes, cell_clip=flavour.cell.clip, coupled=flavour.cell.coupled,
            layer_norm=flavour.layer_norm, **options,
        )  # fmt: skip
    if isinstance(flavour.cell, GRUCell):
        after = flavour.cell.reset_after
        return nn.GRU(2, list(hidden), reset_after=after, layer_norm=flavour.layer_norm, **options)
    return nn.RNN(2, list(hidden), nonlinearity=flavour.cell.nonlinearity, **options)


def check(rng, monkeypatch, kind, wanted, hidden=(11,), directions=1, samples=4, T=4):
    """Fail unless the module's outputs are the oracle's and its gradients a complex step's."""
    flavour = FLAVOURS[kind]
    case = draw(rng, flavour, wanted, T=T, hidden=hidden, directions=directions)
    # Not so large that gates saturate: what is left of their gradients would be roundings.
    parameters = {
        name: value / np.sqrt(4 * value.shape[1]) if value.ndim == 2 else value
        for name, value in case.parameters.items()
    }
    case = case._replace(parameters=parameters)
    # Of the layers' sequences a module gives the last one's cell states, and y.
    *before, last = case.dsequences[-1]
    is_lstm = len(case.initial) == 2
    nothing = [np.zeros(()) for _ in hidden]
    cells = [nothing, [*(0 * d for d in before), last]] if is_lstm else []
    case = case._replace(dsequences=cells)
    lengths, reset = case.options.get("lengths"), case.options.get("reset")

    expected_too = "zoneout expected" in wanted
    drops = {"zoneout": 0.15} if expected_too else {"recurrent_dropout": 0.5, "dropout": 0.5}
    if "between" not in wanted:
        drops.pop("dropout", None)
    module = module_of(flavour, hidden, directions, **drops).train(not expected_too)
    module.load_state_dict(case.parameters)
    if not expected_too:
        masks = case.options["dropout"]
        assert list(masks) == tails(module)
        fix(monkeypatch, module, lengths, masks, case.options.get("between", ()))

    def states(arrays: list[list[np.ndarray]]) -> Any:
        return given([grouped(module, some, directions) for some in arrays])

    about = case.x, states(case.initial), lengths, reset
    options = {"return_cells": True} if is_lstm else {}
    (y, finals, *sequences), pullback = module.vjp(*about, **options)
    wide, ends, hidden_sequences = oracle.stack(
        case.cell, case.parameters, case.x, case.initial, **case.options
    )
    assert_close(y, wide, FORWARD, "y")
    assert np.array_equal(module(*about)[0], y)
    for state, final, end in zip(module.STATES, taken(finals), ends, strict=True):
        for one, other in zip(flat(final), end, strict=True):
            assert_close(one, other, FORWARD, state)
    if is_lstm:
        assert_close(sequences[0], hidden_sequences[1][-1], FORWARD, "cells")

    dx, dstates = pullback(case.dy, states(case.dfinals), *([last] if is_lstm else []))
    gradients = {name: p.grad for name, p in module.named_parameters()} | {"x": dx}
    for state, d in zip("hc", taken(dstates)):
        gradients |= {f"{state}0[{which}]": one for which, one in enumerate(flat(d))}
    arguments = inputs_of(case)
    assert set(gradients) == set(arguments)
    for name, value in arguments.items():
        assert gradients[name].shape == value.shape, name
        check_gradient(case, name, value, gradients[name], rng, samples, GRADIENT)


def flat(state: Any) -> list[np.ndarray]:
    """The arrays (B, width) of a state, one for each layer and direction."""
    return [one for layer in state for one in layer] if isinstance(state, list) else list(state)


def grouped(module: Any, arrays: list[np.ndarray], directions: int) -> Any:
    """The inverse: one array, or a list of arrays where layers differ."""
    if len({array.shape for array in arrays}) == 1:
        return np.stack(arrays)
    return [np.stack(arrays[k : k + directions]) for k in range(0, len(arrays), directions)]


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", KINDS)
def test_a_layer_of_every_kind(rng, monkeypatch, kind, directions):
    check(rng, monkeypatch, kind, [], directions=directions)


@pytest.mark.parametrize("kind", KINDS)
def test_a_single_step_of_every_kind(rng, monkeypatch, kind):
    check(rng, monkeypatch, kind, [], T=1, hidden=(17,))
    check(rng, monkeypatch, kind, ["inputs", "state", "weight_hh", "zoneout"], T=1, hidden=(3, 3))


@pytest.mark.parametrize("option", [*OPTIONS[:-1], "zoneout expected"])
@pytest.mark.parametrize("kind", KINDS)
def test_every_option_alone(rng, monkeypatch, kind, option):
    directions = 2 if option in ("lengths", "reset") else 1
    check(rng, monkeypatch, kind, [option], directions=directions, samples=2)


@pytest.mark.parametrize("kind", KINDS)
def test_all_options_together_in_two_bidirectional_layers(rng, monkeypatch, kind):
    check(rng, monkeypatch, kind, OPTIONS, hidden=(9, 9), directions=2, samples=2)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if "projection" not in kind])
def test_all_options_together_in_layers_of_different_sizes(rng, monkeypatch, kind):
    check(rng, monkeypatch, kind, OPTIONS, hidden=(5, 18), directions=1, samples=2)


@pytest.mark.parametrize("kind", KINDS)
def test_evaluation_with_lengths_and_resets(rng, monkeypatch, kind):
    wanted = ["lengths", "reset", "zoneout expected"]
    check(rng, monkeypatch, kind, wanted, hidden=(6, 6), directions=2, samples=2)
