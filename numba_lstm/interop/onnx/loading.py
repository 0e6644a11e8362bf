"""An ONNX graph of recurrent layers as a module of this library, to use and to train."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, overload

from ...nn.module import Module
from ...nn.sequential import Sequential
from .attributes import Attributes
from .constants import Constants
from .files import UNUSED, Source, label, source_name, subgraphs
from .folding import inputs_of, is_recurrent
from .head import Head, read_head
from .modules import make_module
from .node_weights import NodeWeights, check_weights
from .operators import read_node
from .preparing import prepared
from .stack import Trial, check_nodes, same_for_all, trial

__all__ = ["LoadedNode", "load"]

_OUTPUTS = ("Y", "Y_h", "Y_c")


class LoadedNode(NamedTuple):
    """A recurrent node of a graph, as a module, and where it stands."""

    module: Module
    inputs: dict[str, str]  # the values that it reads, by X, sequence_lens, initial_h, initial_c
    outputs: dict[str, str]  # the values that it gives, by Y, Y_h, Y_c


@overload
def load(path: Source, node: None = None) -> Module: ...


@overload
def load(path: Source, node: str) -> LoadedNode: ...


def load(path: Source, node: str | None = None) -> Module | LoadedNode:
    """Make a module of a graph that is a stack of recurrent layers and a head, or of one node.

    Parameters
    ----------
    path : path, bytes or onnx.ModelProto
        The file, or what stands in one.
    node : str, optional
        The name of a recurrent node, or of one of its outputs, anywhere in the graph: then only
        this node is read, whatever is around it.

    Returns
    -------
    Module
        An `nn.LSTM`, `nn.GRU` or `nn.RNN` with the graph's weights, its layers in the graph's
        order; `batch_first` where the graph takes (B, T, I). It gives y and the final states,
        whichever of them the graph gives. Constant initial states become parameters
        (`learn_initial_state`). A layer that runs from the end only is the module inside
        a `Reverse`, which turns time around. A graph that goes on with linear layers and functions
        of each element on y of all steps is a `Sequential` of the recurrent module and those.
    LoadedNode
        With `node`: its module, which takes (T, B, I), or (B, T, I) with layout 1, and the names of
        the values that the node reads and gives.

    Raises
    ------
    ImportError
        If the package onnx is absent.
    ValueError
        Naming the file, and the node and its input or attribute: where the file is damaged, holds
        no recurrent node, or other nodes than layers and what moves values between them; where no
        module has an attribute; where weights do not fit or are not constant. `session` runs such
        graphs.
    TypeError
        If `path` is none of these.
    OSError
        If the file cannot be read.

    Notes
    -----
    What is made of a whole graph was compared with the graph on random numbers first.
    """
    ready, name = prepared(path), source_name(path)
    model, constants = ready
    try:
        scopes = list(_recurrent_nodes(model.graph, {}))
        found = [one for one, _ in scopes]
        if not found:
            raise ValueError(_no_node(model.graph))
        if node is not None:
            chosen = _named(found, node)
            known = next(known for one, known in scopes if one is chosen)
            return _load_node(chosen, constants, known)
        outside = [one for one in model.graph.node if is_recurrent(one)]
        if len(outside) != len(found):
            inner = next(one for one in found if one not in outside)
            raise ValueError(f"{label(inner)}: expected a plain stack, got a graph inside a node")
        head = read_head(ready, outside[-1])
        x_name = check_nodes(ready, outside, head)
        layers = [_layer(one, constants) for one in outside]
        run = trial(ready, outside, layers[0][1].inputs, x_name, head)
        module = make_module(layers, states=run.states)
        run.check(module)
        module = make_module(layers, True, run.states) if run.batch_first else module
        return _with_head(module, head, run, model.graph)
    except ValueError as error:
        hint = ""
        if found and node is None:
            names = ", ".join(label(one) for one in found)
            hint = (
                "; interop.onnx.session runs a graph whole, and load(path, node=NAME) gives one "
                f"of: {names}"
            )
        raise ValueError(f"{name}: {error}{hint}") from None


def _with_head(module: Module, head: Head, run: Trial, graph: Any) -> Module:
    """The stack's module, and the head's behind it if there is one."""
    if not head.modules:
        return module
    if run.states_given:
        raise ValueError(
            "expected no initial states as inputs of a graph with a head, which a Sequential does "
            "not take"
        )
    whole = Sequential(module, *head.modules)
    head.check(graph, whole, run.values, run.x, run.lengths)
    return whole


def _recurrent_nodes(graph: Any, outer: Mapping[str, Any]) -> Iterator[tuple[Any, dict[str, Any]]]:
    """Yield the recurrent nodes of a graph and of the graphs inside, with the constants there."""
    known = dict(outer) | {one.name: one for one in graph.initializer}
    for node in graph.node:
        if is_recurrent(node):
            yield node, known
        for inside in subgraphs(node):
            yield from _recurrent_nodes(inside, known)


def _no_node(graph: Any) -> str:
    kinds = Counter(node.op_type for node in graph.node)
    words = ", ".join(f"{count} {kind}" for kind, count in kinds.most_common())
    return (
        f"expected an LSTM, GRU or RNN node, got none: {words or 'no nodes'}. A cell that was "
        "unrolled into single operators cannot be told from another network; "
        "interop.onnx.session runs it"
    )


def _named(found: list[Any], name: str) -> Any:
    same = [one for one in found if name and one.name == name]
    same = same or [one for one in found if name in one.output]
    if len(same) == 1:
        return same[0]
    names = ", ".join(f"{label(one)} giving {sorted(_outputs(one).values())}" for one in found)
    came = "none" if not same else f"{len(same)}; name one of its outputs"
    raise ValueError(f"node: expected the name of one of {names}; {name!r} names {came}")


def _layer(node: Any, constants: Constants) -> tuple[Attributes, NodeWeights]:
    """A node's attributes and weights."""
    attributes, numbers = read_node(node)
    for role, name in inputs_of(node).items():
        if role in "WRBP":
            raise ValueError(
                f"{attributes.label}: input {role}: expected a constant, got {name!r}, which "
                "depends on the graph's inputs"
            )
    arrays = {role: constants[number] for role, number in numbers.items()}
    return attributes, check_weights(attributes, **{"W": None, "R": None, **arrays})


def _load_node(node: Any, constants: Constants, known: Mapping[str, Any]) -> LoadedNode:
    """A node as a module that starts at its initial states, if they are constants of the graph."""
    attributes, weights = _layer(node, constants)
    inputs = inputs_of(node)
    kept = {
        role: constants.array(known[inputs[role]])
        for role in ("initial_h", "initial_c")
        if inputs.get(role) in known
    }
    states = {}
    for role, value in kept.items():
        value = value.swapaxes(0, 1) if attributes.layout else value
        if value.any():
            states[role] = same_for_all(attributes.label, role, value)
        del inputs[role]
    module = make_module([(attributes, weights)], bool(attributes.layout), [states])
    return LoadedNode(module, inputs, _outputs(node))


def _outputs(node: Any) -> dict[str, str]:
    """The names of a node's outputs that are there, by Y, Y_h and Y_c."""
    named = zip(_OUTPUTS, node.output)
    return {role: name for role, name in named if not name.startswith(UNUSED)}
