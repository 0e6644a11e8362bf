"""A graph of ONNX while it is built: nodes, constants, inputs and outputs, each with a name."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..._version import __version__
from ...parameters.parameter import Parameter
from .files import package

__all__ = ["Graph", "Options", "Shape", "Value", "check_last"]

# Sizes; a word stands for one that varies from call to call.
Shape = tuple[int | str, ...]


class Value(NamedTuple):
    """A tensor in a graph: its name and its shape."""

    name: str
    shape: Shape


def check_last(prefix: str, x: Value, expected: tuple[int, ...]) -> None:
    """Refuse an input whose last sizes are known and others than a module's.

    Raises
    ------
    ValueError
        Naming the module by `prefix`, which ends with a dot.
    """
    found = x.shape[-len(expected) :]
    if len(found) < len(expected) or any(
        isinstance(size, int) and size != wanted for size, wanted in zip(found, expected)
    ):
        wanted = ", ".join(map(str, expected))
        where = prefix.rstrip(".") or "shape"
        raise ValueError(f"{where}: expected an input of shape (…, {wanted}), got {x.shape}")


@dataclass(frozen=True)
class Options:
    """What `save` was asked for; see there."""

    batch_first: bool | None = None
    shape: Shape | None = None
    lengths: bool = True
    states: bool = True
    optional: bool = True


class _Node(NamedTuple):
    operator: str
    inputs: list[str]
    outputs: list[str]
    attributes: dict[str, Any]


class Graph:
    """A graph that grows by its methods, and is made a model of at the end.

    What no output depends on is left out of the model.

    Parameters
    ----------
    dtype : numpy.dtype
        Of all floats: float32 or float64.
    opset : int
        The version of ONNX's operators.
    options : Options
        For those who build the graph.

    Attributes
    ----------
    lengths : str
        The value (B,), int32, that tells how long each sequence is; empty where all are whole.
    """

    def __init__(self, dtype: Any, opset: int = 22, options: Options | None = None) -> None:
        package()
        self.dtype = np.dtype(dtype)
        self.opset = opset
        self.options = options or Options()
        self.lengths = ""
        self._nodes: list[_Node] = []
        self._constants: dict[str, np.ndarray] = {}
        self._inputs: dict[str, Any] = {}
        self._outputs: dict[str, Any] = {}
        self._renamed: dict[str, str] = {}
        self._once: dict[Any, Any] = {}
        self._counts: dict[str, int] = {}

    # -- what goes in and out -----------------------------------------------------------------

    def input(
        self,
        name: str,
        shape: Shape,
        about: str,
        *,
        dtype: Any = None,
        default: np.ndarray | None = None,
    ) -> Value:
        """Add an input of the graph; with a default it need not be given."""
        self._inputs[name] = self._info(name, shape, about, dtype)
        if default is not None:
            self._constants[name] = default.astype(dtype or self.dtype)
        return Value(name, shape)

    def output(self, name: str, value: Value, about: str) -> None:
        """Make a value an output of the graph, under a name of its own."""
        made = {output for node in self._nodes for output in node.outputs}
        if value.name in self._renamed or value.name not in made:
            value = self.node("Identity", [value], value.shape)
        self._renamed[value.name] = name
        self._outputs[name] = self._info(name, value.shape, about)

    def _info(self, name: str, shape: Shape, about: str, dtype: Any = None) -> Any:
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype or self.dtype))
        return helper.make_tensor_value_info(name, kind, list(shape), doc_string=about)

    # -- constants ----------------------------------------------------------------------------

    def weight(self, name: str, array: np.ndarray) -> str:
        """Store an array under this name."""
        self._constants[name] = np.asarray(array, self.dtype)
        return name

    def parameter(self, name: str, parameter: Parameter) -> Value:
        """Store a parameter; one that is stored already keeps its first name."""
        if id(parameter) not in self._once:
            self._once[id(parameter)] = self.weight(name, parameter.numpy())
        return Value(self._once[id(parameter)], parameter.shape)

    def constant(self, values: Any, dtype: Any = np.int64) -> Value:
        """Store a small constant; equal ones are one."""
        array = np.array(values, dtype)
        key = array.dtype.str, array.shape, array.tobytes()
        if key not in self._once:
            self._once[key] = self._new("constant")
            self._constants[self._once[key]] = array
        return Value(self._once[key], array.shape)

    # -- nodes --------------------------------------------------------------------------------

    def node(
        self, operator: str, inputs: Iterable[Value | str], shape: Shape, **attributes: Any
    ) -> Value:
        """Add a node of one output, and return that; an empty name is an input left out."""
        name = self._new(operator.lower())
        self.nodes(operator, inputs, [name], **attributes)
        return Value(name, shape)

    def nodes(
        self,
        operator: str,
        inputs: Iterable[Value | str],
        outputs: Sequence[str],
        **attributes: Any,
    ) -> None:
        """Add a node with names for its outputs; the first one is the node's own, too."""
        names = [one.name if isinstance(one, Value) else one for one in inputs]
        while names and not names[-1]:
            names.pop()
        self._nodes.append(_Node(operator, names, list(outputs), attributes))

    def _new(self, kind: str) -> str:
        self._counts[kind] = self._counts.get(kind, 0) + 1
        return f"{kind}_{self._counts[kind]}"

    def size(self, value: Value, axis: int) -> Value:
        """Give the length of one axis, (1,) int64."""
        length = value.shape[axis]
        if isinstance(length, int):
            return self.constant([length])
        if length not in self._once:
            axis %= len(value.shape)
            self._once[length] = self.node("Shape", [value], (1,), start=axis, end=axis + 1)
        return self._once[length]

    def steps(self, value: Value, axis: int) -> Value:
        """Give the numbers 0, 1, … of one axis, int32."""
        length = value.shape[axis]
        if isinstance(length, int):
            return self.constant(range(length), np.int32)
        count = self.squeeze(self.cast(self.size(value, axis), np.int32), 0)
        first, by = self.constant(0, np.int32), self.constant(1, np.int32)
        return self.node("Range", [first, count, by], (length,))

    def cast(self, value: Value, dtype: Any) -> Value:
        """Convert to another dtype."""
        from onnx import helper

        kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
        return self.node("Cast", [value], value.shape, to=kind)

    def transpose(self, value: Value, axes: Sequence[int]) -> Value:
        """Reorder axes."""
        shape = tuple(value.shape[axis] for axis in axes)
        return self.node("Transpose", [value], shape, perm=list(axes))

    def squeeze(self, value: Value, axis: int) -> Value:
        """Leave out an axis of length 1."""
        shape = value.shape[:axis] + value.shape[axis + 1 :]
        return self.node("Squeeze", [value, self.constant([axis])], shape)

    def unsqueeze(self, value: Value, axis: int) -> Value:
        """Put in an axis of length 1; -1 is behind all others."""
        at = axis % (len(value.shape) + 1)
        shape = (*value.shape[:at], 1, *value.shape[at:])
        return self.node("Unsqueeze", [value, self.constant([at])], shape)

    # -- the model ----------------------------------------------------------------------------

    def model(self, name: str, about: str = "", metadata: Mapping[str, str] | None = None) -> Any:
        """Make an ``onnx.ModelProto``.

        Parameters
        ----------
        name : str
            The graph's.
        about : str
            In words what it is.
        metadata : mapping of str to str, optional
            Kept in the file.

        Raises
        ------
        ValueError
            If the installed package onnx does not know the opset.
        """
        from onnx import helper, numpy_helper

        kept, needed = self._needed()
        graph = helper.make_graph(
            [
                helper.make_node(one.operator, one.inputs, one.outputs, one.outputs[0], **more)
                for one in kept
                for more in [one.attributes]
            ],
            name,
            list(self._inputs.values()),
            list(self._outputs.values()),
            [
                numpy_helper.from_array(np.ascontiguousarray(array), name)
                for name, array in self._constants.items()
                if name in needed or name in self._inputs
            ],
        )
        opsets = [helper.make_opsetid("", self.opset)]
        model = helper.make_model(
            graph,
            opset_imports=opsets,
            ir_version=helper.find_min_ir_version_for(opsets),
            producer_name="numba_lstm",
            producer_version=__version__,
            doc_string=about,
        )
        helper.set_model_props(model, dict(metadata or {}))
        return model

    def _needed(self) -> tuple[list[_Node], set[str]]:
        """The nodes that outputs depend on, with their final names, and all names they read."""
        needed = set(self._outputs)
        kept = []
        for operator, inputs, outputs, attributes in reversed(self._nodes):
            outputs = [self._renamed.get(name, name) for name in outputs]
            outputs = [name if name in needed else "" for name in outputs]
            if not any(outputs):
                continue
            while not outputs[-1]:
                outputs.pop()
            inputs = [self._renamed.get(name, name) for name in inputs]
            needed.update(inputs)
            kept.append(_Node(operator, inputs, outputs, attributes))
        return kept[::-1], needed
