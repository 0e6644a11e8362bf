"""Recurrent nodes as modules, where the kernels have what the nodes' attributes say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from ...nn.gru import GRU
from ...nn.lstm import LSTM
from ...nn.module import Module
from ...nn.rnn import RNN
from .attributes import DEFAULT_ACTIVATIONS, Attributes
from .node_weights import NodeWeights, torch_peepholes, torch_rows
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
    layers: Sequence[tuple[Attributes, NodeWeights]], batch_first: bool = False
) -> Module:
    """Make one module of a stack of nodes, the first layer first; it has copies of the weights.

    Parameters
    ----------
    layers : sequence of (Attributes, NodeWeights)
    batch_first : bool
        Whether the module takes and gives (B, T, …).

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
    make: Any = {"LSTM": LSTM, "GRU": GRU, "RNN": RNN}[first.operator]
    module = make(
        weights[0].inputs,
        sizes if len(set(sizes)) > 1 else sizes[0],
        num_layers=len(sizes),
        bias=any(one.B is not None for one in weights),
        batch_first=batch_first,
        bidirectional=first.directions == 2,
        dtype=weights[0].W.dtype,
        seed=0,
        **options,
    )
    for parameter in module.parameters():  # a bias or peephole that only other layers have is zero
        parameter[...] = 0
    for number, one in enumerate(weights):
        for name, value in _parameters(first.operator, one):
            suffix = "_reverse" if name[1] else ""
            getattr(module, f"{name[0]}_l{number}{suffix}")[...] = value
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


def _parameters(operator: str, weights: NodeWeights) -> Iterator[tuple[tuple[str, int], Any]]:
    """Yield ((kind, direction), values) of a layer; no biases where it has none."""
    for direction in range(weights.W.shape[0]):
        yield ("weight_ih", direction), torch_rows(operator, weights.W[direction])
        yield ("weight_hh", direction), torch_rows(operator, weights.R[direction])
        if weights.B is not None:
            bias_ih, bias_hh = weights.biases(direction)
            yield ("bias_ih", direction), torch_rows(operator, bias_ih)
            yield ("bias_hh", direction), torch_rows(operator, bias_hh)
        if weights.P is not None:
            yield ("weight_peephole", direction), torch_peepholes(weights.P[direction])
