"""Recurrent nodes as modules, where the kernels have what the nodes' attributes say."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from ...nn.module import Module
from .._gates import CELLS
from ..weights import from_onnx
from .attributes import DEFAULT_ACTIVATIONS, Attributes
from .node_weights import NodeWeights
from .reverse import Reverse

__all__ = ["make_module", "unsupported"]


def unsupported(attributes: Attributes) -> str | None:
    """Say which attribute of a node no module has, or give None."""
    a = attributes
    if a.clip is not None and a.operator != "LSTM":
        return f"attribute clip: nn.{a.operator} has none (got {a.clip})"
    names = [[one.name for one in some] for some in a.activations]
    wanted = [list(DEFAULT_ACTIVATIONS[a.operator])] * len(names)
    if names != wanted and not (a.operator == "RNN" and names == [["Relu"]] * len(names)):
        flat = [name for some in names for name in some]
        choice = ", or Relu" if a.operator == "RNN" else ""
        return (
            f"attribute activations: nn.{a.operator} has {', '.join(wanted[0])}{choice}, "
            f"got {', '.join(flat)}"
        )
    return None


def make_module(
    layers: Sequence[tuple[Attributes, NodeWeights]],
    batch_first: bool = False,
    states: Sequence[Mapping[str, np.ndarray]] = (),
) -> Module:
    """Make one module of a stack of nodes, the first layer first; it has copies of the weights.

    Parameters
    ----------
    layers : sequence of (Attributes, NodeWeights)
    batch_first : bool
        Whether the module takes and gives (B, T, …).
    states : sequence of mapping of str to numpy.ndarray, (D, H)
        For each layer the initial states that it starts at where none are given, by initial_h and
        initial_c.

    Raises
    ------
    ValueError
        Naming a node and an attribute that no module has, or in which two layers differ.
    """
    for attributes, _ in layers:
        reason = unsupported(attributes)
        if reason is not None:
            raise ValueError(f"{attributes.label}: {reason}")
    first = layers[0][0]
    options = _options(layers[0], layers)
    for layer in layers[1:]:
        _check_alike(first, layer[0], options, _options(layer, layers))
    weights = [one for _, one in layers]
    sizes = [one.hidden for one in weights]
    module = CELLS[first.gates](
        weights[0].inputs,
        sizes if len(set(sizes)) > 1 else sizes[0],
        num_layers=len(sizes),
        bias=any(one.B is not None for one in weights),
        batch_first=batch_first,
        bidirectional=first.directions == 2,
        learn_initial_state=any(states),
        dtype=weights[0].W.dtype,
        seed=0,
        **options,
    )
    values: dict[str, np.ndarray] = {}
    for number, one in enumerate(weights):
        values |= from_onnx(one.W, one.R, one.B, one.P, layer=number)
    for number, state in enumerate(states):
        for role, both in state.items():
            for value, suffix in zip(both, ("", "_reverse")):
                values[f"{role[-1]}_0_l{number}{suffix}"] = value
    for name, parameter in module.named_parameters():
        # A bias, a peephole or a state that only other layers have is zero.
        parameter[...] = values.get(name, 0)
    return Reverse(module) if first.direction == "reverse" else module


def _options(
    layer: tuple[Attributes, NodeWeights], layers: Sequence[tuple[Attributes, NodeWeights]]
) -> dict[str, Any]:
    """The keyword arguments of the module that come from a layer's attributes."""
    attributes, _ = layer
    if attributes.operator == "LSTM":
        return {
            "peepholes": any(weights.P is not None for _, weights in layers),
            "cell_clip": attributes.clip,
            "coupled": attributes.input_forget,
        }
    if attributes.operator == "GRU":
        return {"reset_after": attributes.linear_before_reset}
    return {"nonlinearity": attributes.activations[0][0].name.lower()}


def _check_alike(
    first: Attributes, other: Attributes, options: dict[str, Any], others: dict[str, Any]
) -> None:
    """Refuse a layer that cannot stand in one module with the first."""
    for name in ("operator", "direction"):
        a, b = getattr(first, name), getattr(other, name)
        if a != b:
            raise ValueError(f"{other.label}: {name}: expected {a}, as in {first.label}, got {b}")
    for name, value in options.items():
        if others[name] != value:
            raise ValueError(
                f"{other.label}: {name}: expected {value}, as in {first.label}, got {others[name]}"
            )
