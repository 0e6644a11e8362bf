"""Recurrent layers as ONNX's nodes LSTM, GRU and RNN: weights, states, lengths, directions."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from .._gates import CELLS
from ..weights import to_onnx
from .export_graph import Graph, Shape, Value, check_last

__all__ = [
    "Outputs",
    "add_cell",
    "add_layer",
    "add_lengths",
    "add_stack",
    "batch_first",
    "reverse",
    "split",
    "stack",
    "state",
    "states",
]

# What has no place in ONNX's operators, and why.
_REFUSED = {
    "proj_size": "the operator has no projection",
    "layer_norm": "the operator has no layer normalisation",
    "zoneout": "in evaluation the state is its expectation over zoneout, which the operator lacks",
    "zoneout_cell": "in evaluation c is its expectation over zoneout, which the operator lacks",
}


class Outputs(NamedTuple):
    """What a recurrent module gives: y, and of each state, h first, each layer's (D, B, H)."""

    y: Value
    finals: list[list[Value]]


# -- modules --------------------------------------------------------------------------------------


def stack(graph: Graph, module: Any, prefix: str, x: Value, direction: str = "forward") -> Outputs:
    """Add an LSTM, a GRU or an RNN whose initial states are zeros, or those that it learnt."""
    initial = _constant_states(graph, module, prefix, x)
    return add_stack(graph, module, prefix, x, initial, direction)


def reverse(graph: Graph, module: Any, prefix: str, x: Value) -> Outputs:
    """Add a Reverse: the layers of the module in it, each from the end."""
    return stack(graph, module.module, f"{prefix}module.", x, "reverse")


def add_stack(
    graph: Graph,
    module: Any,
    prefix: str,
    x: Value,
    initial: Sequence[Sequence[Value]] = (),
    direction: str = "forward",
) -> Outputs:
    """Add the layers of an LSTM, a GRU or an RNN.

    Parameters
    ----------
    graph : Graph
    module : LSTM, GRU or RNN
    prefix : str
        What stands before its parameters' names, with its dot.
    x : Value, (T, B, I), or (B, T, I) with batch_first
    initial : sequence of sequence of Value, optional
        Of each state each layer's, (D, B, H); zeros where not given.
    direction : str
        forward or reverse, where the module has one direction.

    Raises
    ------
    ValueError
        Naming what ONNX has no place for.
    """
    _check(module, prefix)
    check_last(prefix, x, (module.input_size,))
    turned = batch_first(graph, module)
    value = graph.transpose(x, (1, 0, 2)) if turned else x
    directions = 2 if module.bidirectional else 1
    finals: list[list[Value]] = [[] for _ in module.STATES]
    for layer in range(module.num_layers):
        names = module._names[layer * directions : (layer + 1) * directions]
        found = {name: getattr(module, name, None) for some in names for name in some}
        arrays = {name: one.numpy() for name, one in found.items() if one is not None}
        value, ends = add_layer(
            graph,
            CELLS[module.GATES].__name__,
            value,
            to_onnx(arrays, layer=layer),
            names=(prefix, f"_l{layer}"),
            initial=[some[layer] for some in initial],
            direction=direction,
            **_attributes(module, directions),
        )
        for some, end in zip(finals, ends):
            some.append(end)
    return Outputs(graph.transpose(value, (1, 0, 2)) if turned else value, finals)


def add_cell(graph: Graph, module: Any, x: Value, initial: Sequence[Value]) -> list[Value]:
    """Add an LSTMCell, a GRUCell or an RNNCell; x and states are (B, …), and so is what comes."""
    _check(module, "")
    found = {name: getattr(module, name) for name in module._names[0]}
    arrays = {f"{name}_l0": one.numpy() for name, one in found.items() if one is not None}
    _, ends = add_layer(
        graph,
        CELLS[module.GATES].__name__,
        graph.unsqueeze(x, 0),
        to_onnx(arrays),
        names=("", ""),
        initial=[graph.unsqueeze(one, 0) for one in initial],
        **_attributes(module, 1),
    )
    return [graph.squeeze(end, 0) for end in ends]


def _check(module: Any, prefix: str) -> None:
    where = prefix.rstrip(".") or "module"
    for name, why in _REFUSED.items():
        value = getattr(module, name, 0)
        if value:
            kind = type(module).__name__
            raise ValueError(
                f"{where}: expected {kind} without {name}, got {name}={value}; ONNX cannot say it: "
                f"{why}"
            )
    module.weights()  # refuses parameters that were exchanged for others


def _attributes(module: Any, directions: int) -> dict[str, Any]:
    """The operator's attributes, but for those that follow from the weights."""
    found: dict[str, Any] = {}
    clip = getattr(module, "cell_clip", None)
    if clip is not None and math.isfinite(clip):
        found["clip"] = clip
    if getattr(module, "coupled", False):
        found["input_forget"] = 1
    if module.GATES == 3:
        # torch's place of the reset gate, and the default here, is not ONNX's default.
        found["linear_before_reset"] = int(module.reset_after)
    if getattr(module, "nonlinearity", "tanh") == "relu":
        found["activations"] = ["Relu"] * directions
    return found


def batch_first(graph: Graph, module: Any) -> bool:
    """Whether x of this module is (B, T, …) in the graph."""
    asked = graph.options.batch_first
    return bool(getattr(module, "batch_first", False)) if asked is None else asked


# -- one layer ------------------------------------------------------------------------------------


def add_layer(
    graph: Graph,
    operator: str,
    x: Value,
    weights: Mapping[str, np.ndarray],
    *,
    names: tuple[str, str],
    initial: Sequence[Value] = (),
    direction: str = "forward",
    **attributes: Any,
) -> tuple[Value, list[Value]]:
    """Add one node and what brings its outputs into the form that the next layer takes.

    Parameters
    ----------
    graph : Graph
        Its `lengths` are the node's.
    operator : str
        LSTM, GRU or RNN.
    x : Value, (T, B, I)
    weights : mapping of str to numpy.ndarray
        W, R, and B and P where there are such; as `interop.weights.to_onnx` gives them.
    names : (str, str)
        What stands before and behind the names of the node's constants and outputs.
    initial : sequence of Value, optional
        h, and c of an LSTM, (D, B, H) each.
    direction : str
        Of a node of one direction: forward or reverse. With D = 2 it is bidirectional.
    **attributes
        Its others.

    Returns
    -------
    y : Value, (T, B, D·H)
    finals : list of Value
        h, and c of an LSTM, (D, B, H) each.
    """
    before, behind = names
    directions, _, hidden = weights["R"].shape
    stored = {
        kind: graph.weight(f"{before}{kind}{behind}", array) for kind, array in weights.items()
    }
    given: list[Value | str] = [x, *(stored.get(kind, "") for kind in "WRB"), graph.lengths]
    count = 2 if operator == "LSTM" else 1
    given += initial or [""] * count
    given += [stored["P"]] if "P" in stored else []
    outputs = [f"{before}{operator}{name}{behind}" for name in ("", "_h", "_c")[: 1 + count]]
    graph.nodes(
        operator,
        given,
        outputs,
        hidden_size=hidden,
        direction="bidirectional" if directions == 2 else direction,
        **attributes,
    )
    y = Value(outputs[0], (x.shape[0], directions, x.shape[1], hidden))
    finals = [Value(name, (directions, x.shape[1], hidden)) for name in outputs[1:]]
    if directions == 1:
        return graph.squeeze(y, 1), finals
    y = graph.transpose(y, (0, 2, 1, 3))
    width = directions * hidden
    # 0 keeps a length.
    flat = graph.node("Reshape", [y, graph.constant([0, 0, width])], (*y.shape[:2], width))
    return flat, finals


# -- lengths and states ---------------------------------------------------------------------------


def add_lengths(graph: Graph, x: Value, turned: bool) -> None:
    """Add the input lengths and have it in `graph.lengths`; all sequences are whole by default.

    Parameters
    ----------
    graph : Graph
    x : Value, (T, B, …), or (B, T, …) if `turned`
    turned : bool
    """
    shape: Shape = (x.shape[0 if turned else 1],)
    about = "How long each sequence is, 0 to T."
    if not graph.options.optional:
        graph.lengths = graph.input("lengths", shape, about, dtype=np.int32).name
        return
    about += " -1, the default, is T."
    whole = np.full(_rows(shape[0]), -1, np.int32)
    given = graph.input("lengths", shape, about, dtype=np.int32, default=whole)
    time, batch = (graph.size(x, axis) for axis in ((1, 0) if turned else (0, 1)))
    steps = graph.cast(time, np.int32)
    is_whole = graph.node("Equal", [given, graph.constant([-1], np.int32)], shape)
    chosen = graph.node("Where", [is_whole, steps, given], shape)
    graph.lengths = graph.node("Expand", [chosen, batch], shape).name


def states(graph: Graph, module: Any, x: Value) -> list[list[Value]]:
    """Add the inputs h0, and c0 of an LSTM; give each layer's, (D, B, H).

    Where the layers' sizes differ there is an input for each layer: h0_l0, h0_l1, ….

    Parameters
    ----------
    graph : Graph
    module : LSTM, GRU or RNN
    x : Value
        In the layout of the module.

    Raises
    ------
    ValueError
        If the states must be given, and those that the module learnt would be lost.
    """
    if not graph.options.optional and getattr(module, "initial_names", None):
        raise ValueError(
            "optional: expected True, or states=False, of a module with learn_initial_state: the "
            "file would lose the initial states that it learnt; got False"
        )
    axis = 0 if batch_first(graph, module) else 1
    found = []
    for name, layers in zip(module.STATES, _defaults(module)):
        about = f"The initial {name[0]} of each layer and direction."
        if len({one.shape for one in layers}) == 1:
            whole = state(graph, name, np.concatenate(layers), x, axis, about)
            found.append(split(graph, name, whole, len(layers)))
        else:
            names = [f"{name}_l{layer}" for layer in range(len(layers))]
            found.append(
                [state(graph, *one, x, axis, about) for one in zip(names, layers, strict=True)]
            )
    return found


def state(graph: Graph, name: str, default: np.ndarray, x: Value, axis: int, about: str) -> Value:
    """Add an input for a state.

    Parameters
    ----------
    graph : Graph
    name : str
    default : numpy.ndarray, (…, 1, H)
        That of one sequence, which is taken for all where the input is not given.
    x : Value
        Its axis `axis` is the batch.
    axis : int
    about : str

    Returns
    -------
    Value, (…, B, H)
    """
    shape: Shape = (*default.shape[:-2], x.shape[axis], default.shape[-1])
    if not graph.options.optional:
        return graph.input(name, shape, about)
    about += " By default that of the module." if default.any() else " By default zeros."
    default = np.repeat(default, _rows(x.shape[axis]), axis=-2)
    return _for_all(graph, graph.input(name, shape, about, default=default), x, axis)


def _rows(batch: int | str) -> int:
    """How many rows a default has: one, for all sequences, where their number varies."""
    return batch if isinstance(batch, int) else 1


def split(graph: Graph, name: str, whole: Value, layers: int) -> list[Value]:
    """Divide a state (L·D, B, H) into each layer's (D, B, H)."""
    if layers == 1:
        return [whole]
    directions = int(whole.shape[0]) // layers
    names = [f"{name}_l{layer}" for layer in range(layers)]
    graph.nodes("Split", [whole, graph.constant([directions] * layers)], names, axis=0)
    return [Value(one, (directions, *whole.shape[1:])) for one in names]


def _for_all(graph: Graph, one: Value, x: Value, axis: int) -> Value:
    """Repeat a state (…, 1, H) for all sequences; one (…, B, H) stays as it is."""
    ones = [graph.constant([1])]
    sizes = [*ones * (len(one.shape) - 2), graph.size(x, axis), *ones]
    wanted = graph.node("Concat", sizes, (len(sizes),), axis=0)
    return graph.node("Expand", [one, wanted], (*one.shape[:-2], x.shape[axis], one.shape[-1]))


def _constant_states(graph: Graph, module: Any, prefix: str, x: Value) -> list[list[Value]]:
    """What a module starts at that is given no states: none, for zeros, or those that it learnt."""
    if not getattr(module, "initial_names", None):
        return []
    axis = 0 if batch_first(graph, module) else 1
    found = []
    for name, layers in zip(module.STATES, _defaults(module)):
        values = [
            Value(graph.weight(f"{prefix}{name}_l{layer}", one), one.shape)
            for layer, one in enumerate(layers)
        ]
        found.append([_for_all(graph, value, x, axis) for value in values])
    return found


def _defaults(module: Any) -> list[list[np.ndarray]]:
    """Of each state what each layer starts at, (D, 1, H)."""
    directions = 2 if module.bidirectional else 1
    learnt = getattr(module, "initial_names", None)
    found = []
    for at, widths in enumerate(module.widths):
        rows = [np.zeros((directions, 1, width), module.dtype) for width in widths]
        for k, name in enumerate(learnt[at] if learnt else ()):
            rows[k // directions][k % directions, 0] = getattr(module, name).numpy()
        found.append(rows)
    return found
