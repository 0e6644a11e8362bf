"""A graph made ready to run: what is constant computed once, weights kept by their recurrent nodes.

Weights often reach a recurrent node through Slice, Concat, Unsqueeze or DequantizeLinear. After
folding they are arrays, here and in the graphs inside nodes. The node itself then has their
numbers, as attributes of its own: so it can pack them when it is made, and knows that they stay as
they are.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np

from ...user_warning import warn
from . import opsets
from .attributes import OPERATORS
from .constants import Constants, is_reference
from .files import UNUSED, label, replace, subgraphs
from .growth import grows
from .quantised import dequantised_lstm, is_quantised_lstm

__all__ = ["CONSTANT", "ROLES", "fold", "inputs_of", "is_recurrent"]

# The inputs of the recurrent operators; P of an LSTM only.
ROLES = ("X", "W", "R", "B", "sequence_lens", "initial_h", "initial_c", "P")
_WEIGHTS = ("W", "R", "B", "P")
# The attribute that holds the number of a constant input is called this and the input's name.
CONSTANT = "constant_"

_RANDOM = {
    "Bernoulli",
    "Dropout",  # in training
    "Multinomial",
    "RandomNormal",
    "RandomNormalLike",
    "RandomUniform",
    "RandomUniformLike",
}


class _Constant(NamedTuple):
    value: np.ndarray
    quantised: bool = False  # whether it comes from integers with a scale
    reference: Any = None  # the tensor that stands for it, where there is one


def is_recurrent(node: Any) -> bool:
    """Whether a node is an LSTM, a GRU or an RNN of ONNX's own."""
    return node.domain == "" and node.op_type in OPERATORS


def inputs_of(node: Any) -> dict[str, str]:
    """The names of a recurrent node's inputs that are there, by `ROLES`."""
    return {role: name for role, name in zip(ROLES, node.input) if name}


def fold(
    model: Any, name: str, constants: Constants, optional: frozenset[str] = frozenset()
) -> None:
    """Make a model ready, in place; it may be folded already, with other optional inputs.

    Parameters
    ----------
    model : onnx.ModelProto
        Its local functions inlined.
    name : str
        What messages call it.
    constants : Constants
        Takes the arrays; the model's initializers then stand for them.
    optional : frozenset of str
        Inputs that stay inputs although they have a value.

    Warns
    -----
    UserWarning
        Once, naming the recurrent nodes whose weights are integers with a scale: they run in
        floating point.
    """
    versions = {one.domain: one.version for one in model.opset_import}
    folding = _Folding(versions, constants, optional)
    # Before IR version 4 initializers had to be inputs, too; some exporters keep them there.
    constant = {one.name for one in model.graph.initializer} - optional
    replace(model.graph.input, [one for one in model.graph.input if one.name not in constant])
    folding.graph(model.graph, {})
    if folding.dequantised:
        warn(
            f"{name}: the int8 weights of {', '.join(folding.dequantised)} were dequantised; "
            "these nodes run in floating point"
        )


class _Folding:
    """One pass over a model."""

    def __init__(
        self, versions: dict[str, int], constants: Constants, optional: frozenset[str]
    ) -> None:
        self.versions, self.constants, self.optional = versions, constants, optional
        self.unnamed = 0
        self.dequantised: list[str] = []

    def graph(self, graph: Any, outer: Mapping[str, _Constant]) -> None:
        """Fold a graph; `outer` are the constants of the graphs around it."""
        own = {
            one.name: _Constant(self.constants.array(one), reference=one)
            for one in graph.initializer
        }
        given = {one.name for one in graph.input}
        known = {key: one for key, one in (dict(outer) | own).items() if key not in given}
        nodes = []
        for node in graph.node:
            self._name_outputs(node)
            weights = self._dequantised(node, known) if is_quantised_lstm(node) else {}
            for inside in subgraphs(node):
                self.graph(inside, known)
            if is_recurrent(node):
                self._keep_weights(node, known, weights)
            values = self._values(node, known)
            if values is None:
                nodes.append(node)
                continue
            own |= values
            known |= values
        replace(graph.node, nodes)
        needed = set(_names_used(graph)) | self.optional
        kept = [(key, constant) for key, constant in own.items() if key in needed]
        replace(graph.initializer, [self._reference(*one) for one in kept])

    def _reference(self, name: str, constant: _Constant) -> Any:
        if constant.reference is not None and is_reference(constant.reference):
            return constant.reference
        return self.constants.reference(name, constant.value)

    def _name_outputs(self, node: Any) -> None:
        """Give outputs that nobody wants names: ONNX's evaluator would take '' for a value."""
        for at, name in enumerate(node.output):
            if not name:
                self.unnamed += 1
                node.output[at] = f"{UNUSED}{self.unnamed}"

    def _dequantised(self, node: Any, known: Mapping[str, _Constant]) -> Mapping[str, np.ndarray]:
        """Make it an LSTM of ONNX's own, and give its weights."""
        self.dequantised.append(label(node))
        arrays = {key: known[key].value for key in node.input if key in known}
        made, weights = dequantised_lstm(node, arrays)
        node.CopyFrom(made)
        return weights

    def _keep_weights(
        self, node: Any, known: Mapping[str, _Constant], weights: Mapping[str, np.ndarray]
    ) -> None:
        """Give a recurrent node the numbers of these weights, and of its inputs that are constant.

        Parameters
        ----------
        node : onnx.NodeProto
        known : mapping of str to _Constant
        weights : mapping of str to numpy.ndarray
            By role; they are no inputs.
        """
        from onnx import helper

        found = dict(weights)
        quantised = False
        for at, (role, name) in enumerate(zip(ROLES, node.input)):
            if role not in _WEIGHTS or name not in known:
                continue
            found[role] = known[name].value
            node.input[at] = ""
            quantised |= known[name].quantised
        if quantised:
            self.dequantised.append(label(node))
        for attribute in node.attribute if found else ():
            # The model is folded again, and the node of another session, which lacks some of these
            # weights, has the old numbers: see `Constants.made_of`.
            if attribute.name.startswith(CONSTANT):
                attribute.i = self.constants.add(self.constants[attribute.i])
        for role, array in found.items():
            number = self.constants.add(array)
            node.attribute.append(helper.make_attribute(CONSTANT + role, number))

    def _values(self, node: Any, known: Mapping[str, _Constant]) -> dict[str, _Constant] | None:
        """What a node gives if it always gives the same, else None."""
        names = [name for name in node.input if name]
        if (
            node.domain != ""
            or node.op_type in _RANDOM
            or is_recurrent(node)
            or any(True for _ in subgraphs(node))
            or not all(name in known for name in names)
        ):
            return None
        results = _evaluate(node, {name: known[name].value for name in names}, self.versions)
        if not all(isinstance(one, np.ndarray) and one.dtype.kind not in "OSU" for one in results):
            return None
        quantised = node.op_type == "DequantizeLinear" or any(known[n].quantised for n in names)
        return {key: _Constant(one, quantised) for key, one in zip(node.output, results)}


def _evaluate(node: Any, values: Mapping[str, np.ndarray], versions: dict[str, int]) -> list[Any]:
    """Run a single node; [None] where it cannot be run."""
    from onnx import GraphProto, ValueInfoProto
    from onnx.reference import ReferenceEvaluator

    if node.op_type == "Constant" and node.attribute and node.attribute[0].HasField("t"):
        # Most are, and an evaluator takes a millisecond.
        return [Constants().array(node.attribute[0].t)]
    if grows(node, values, versions):
        return [None]
    graph = GraphProto(
        name="constant",
        node=[node],
        input=[ValueInfoProto(name=name) for name in values],
        output=[ValueInfoProto(name=name) for name in node.output],
    )
    try:
        evaluator = ReferenceEvaluator(
            graph, opsets=versions, new_ops=opsets.operators(versions.get("", 0))
        )
        return evaluator.run(None, dict(values))  # type: ignore[return-value]
    except Exception:  # the run of the whole graph then says what is wrong with it
        return [None]


def _names_used(graph: Any) -> Iterator[str]:
    """Names that a graph's nodes, the graphs inside them, and its outputs read."""
    for output in graph.output:
        yield output.name
    for node in graph.node:
        yield from node.input
        for inside in subgraphs(node):
            yield from _names_used(inside)
