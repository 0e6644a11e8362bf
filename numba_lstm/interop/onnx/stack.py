"""Whether a graph is a stack of recurrent layers and nothing else: by its nodes and numbers.

Between layers stand nodes that only move values: Squeeze, Transpose, Reshape. Exporters write them
in many ways, so which way is not looked at. The graph runs on random numbers instead, and each
layer has to read what the layer before gave, and the module has to give what the last layer gives.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from ...nn.module import Module
from .files import label
from .folding import inputs_of, is_recurrent
from .head import MOVERS, Head, close
from .operators import read_node
from .preparing import Prepared
from .running import Session

__all__ = ["Trial", "check_nodes", "same_for_all", "trial"]

# Lengths that the file leaves open are this in the comparison.
_LENGTH = 3

# A value comes from a graph's input, by name, or from a recurrent node, by number and output.
Origin = str | tuple[int, int]


def check_nodes(ready: Prepared, nodes: Sequence[Any], head: Head) -> str:
    """Check that a graph's nodes are a chain of recurrent ones and what moves values.

    Parameters
    ----------
    ready : Prepared
    nodes : sequence of onnx.NodeProto
        The graph's recurrent nodes.
    head : Head
        What follows them.

    Returns
    -------
    str
        The input that the first layer reads.

    Raises
    ------
    ValueError
        Naming the first node that does not belong to a stack.
    """
    graph = ready.model.graph
    origins = _origins(graph, head)
    known = {one.name: one for one in graph.initializer}
    for number, node in enumerate(nodes):
        if "X" not in inputs_of(node):
            raise ValueError(f"{label(node)}: input X: expected a value, got none")
        for role, name in inputs_of(node).items():
            found = origins.get(name, set())
            chained = role == "X" and number > 0
            fits = all(isinstance(one, str) for one in found)
            if role == "X":
                fits = found == {(number - 1, 0)} if chained else fits and len(found) == 1
            if not fits:
                wanted = f"Y of {label(nodes[number - 1])}" if chained else "an input of the graph"
                raise ValueError(f"{label(node)}: input {role}: expected {wanted}, got {name!r}")
    (x_name,) = map(str, origins[nodes[0].input[0]])
    shape = next(one.type.tensor_type.shape for one in graph.input if one.name == x_name)
    sizes = [dim.dim_value for dim in shape.dim][:-1]
    for node in nodes:
        given = known.get(inputs_of(node).get("sequence_lens", ""))
        if given is not None:
            _check_whole(label(node), ready.constants.array(given), sizes)
    return x_name


def _check_whole(about: str, given: np.ndarray, sizes: list[int]) -> None:
    """Refuse constant lengths, unless T and B are fixed and each length is T.

    Parameters
    ----------
    about : str
        What messages call the node.
    given : numpy.ndarray
    sizes : list of int
        Those of x but for its last one: T and B in either order, or T; 0 for what varies.
    """
    lengths = given.ravel().tolist()
    whole = len(set(lengths)) == 1 and sorted(
        [lengths[0], len(lengths)] if len(sizes) == 2 else [lengths[0]]
    ) == sorted(sizes)
    if not whole:
        words = lengths if len(lengths) <= 8 else [*lengths[:8], "…"]
        raise ValueError(
            f"{about}: input sequence_lens: expected an input of the graph, or a fixed T of all "
            f"sequences, got the constants {words}"
        )


def trial(ready: Prepared, nodes: Sequence[Any], inputs: int, x_name: str, head: Head) -> Trial:
    """Run a graph on random numbers, and check that each layer reads the one before.

    Parameters
    ----------
    ready : Prepared
        Its graph passed `check_nodes`.
    nodes : sequence of onnx.NodeProto
        Its recurrent nodes.
    inputs : int
        I.
    x_name : str
        The input that the first layer reads.
    head : Head

    Raises
    ------
    ValueError
        Naming the first node that does not belong to a stack.
    """
    session = Session.of("model", ready)

    def values_of(length: int) -> Mapping[str, Any]:
        try:
            return session.values(_feeds(session, inputs, x_name, length))
        except Exception as error:
            raise ValueError(f"the graph does not run on a trial ({error})") from None

    values = values_of(_LENGTH)
    runs = [_Run(node, values) for node in nodes]
    for below, run in pairwise(runs):
        if not np.array_equal(run.x, below.y):
            raise ValueError(
                f"{run.label}: input X: expected the outputs of {below.label} as they are, got "
                "them changed"
            )
        if not np.array_equal(run.sequence_lens, below.sequence_lens):
            raise ValueError(f"{run.label}: input sequence_lens: expected that of {below.label}")
    origins = _origins(ready.model.graph, head)
    made = Trial(runs, _batch_first(values[x_name], runs[0]), origins)
    made.values, made.x = values, values[x_name]
    if runs[0].sequence_lens is not None and not made.lengths_given:
        # Lengths that are T in one trial may be a constant: another T tells.
        other = _Run(nodes[0], values_of(_LENGTH + 1))
        if (other.sequence_lens != len(other.x)).any():
            raise ValueError(
                f"{other.label}: input sequence_lens: expected an input of the graph, or T of all "
                f"sequences, got {other.sequence_lens.tolist()} of T = {len(other.x)}"
            )
    return made


class Trial:
    """What the nodes of a stack read and gave in a run.

    Attributes
    ----------
    values : mapping of str to numpy.ndarray
        All values of the graph in the run.
    x : numpy.ndarray
        The graph's input.
    batch_first : bool
        Whether that is (B, T, I).
    states_given : bool
        Whether initial states are inputs of the graph.
    states : list of dict of str to numpy.ndarray, (D, H)
        The initial states of each layer that are no inputs of the graph, by initial_h and
        initial_c; empty where they are zero.
    """

    def __init__(
        self, runs: Sequence[_Run], batch_first: bool, origins: Mapping[str, set[Origin]]
    ) -> None:
        self._runs, self.batch_first = runs, batch_first
        self.values: Mapping[str, Any] = {}
        self.x: Any = None
        self.lengths_given = bool(origins.get(runs[0].inputs.get("sequence_lens", "")))
        self.states: list[dict[str, np.ndarray]] = []
        given: list[_Run] = []
        for run in runs:
            own = {role: run.inputs[role] for role in run.states}
            self.states.append(
                {
                    role: same_for_all(run.label, role, run.states[role])
                    for role, name in own.items()
                    if not origins.get(name) and run.states[role].any()
                }
            )
            given += [run for name in own.values() if origins.get(name)]
        self.states_given = bool(given)
        if given and any(self.states):
            raise ValueError(
                f"{given[0].label}: expected initial states that are all constant or all inputs of "
                "the graph, got both"
            )

    @property
    def lengths(self) -> Any:
        """Those that the module was given; none if they are no input of the graph."""
        return self._runs[0].sequence_lens if self.lengths_given else None

    def check(self, module: Module) -> None:
        """Check that a module of the layers, which takes (T, B, I), gives the same.

        Raises
        ------
        ValueError
        """
        first, last = self._runs[0], self._runs[-1]
        hx = None if any(self.states) else _hx(self._runs)
        y, _ = module(first.x, hx, self.lengths)  # type: ignore[operator]
        if not close(y, last.y):
            raise ValueError("the graph's layers give something else than a module of them")


def same_for_all(label: str, role: str, value: np.ndarray) -> np.ndarray:
    """Give the row (D, H) of an initial state (D, B, H) that all sequences start at.

    Raises
    ------
    ValueError
        If they start at different ones, or there are none.
    """
    if not value.shape[1] or (value != value[:, :1]).any():
        raise ValueError(f"{label}: input {role}: expected one state for all sequences")
    return value[:, 0]


class _Run:
    """What a node read and gave, as a module has it: (T, B, I), (T, B, D·H), (D, B, H)."""

    def __init__(self, node: Any, values: Mapping[str, Any]) -> None:
        self.attributes = read_node(node)[0]
        self.label = self.attributes.label
        self.inputs = inputs_of(node)
        layout = self.attributes.layout
        given = {role: values[name] for role, name in self.inputs.items()}
        self.x = given["X"].swapaxes(0, 1) if layout else given["X"]
        y = values[node.output[0]]  # (T, D, B, H), or (B, T, D, H)
        y = y.transpose(1, 0, 2, 3) if layout else y.swapaxes(1, 2)
        self.y = y.reshape(*y.shape[:2], -1)
        self.size = y.shape[3]
        self.sequence_lens: Any = given.get("sequence_lens")
        self.states: dict[str, Any] = {}
        for role in ("initial_h", "initial_c"):
            state = given.get(role)
            if state is not None:
                self.states[role] = state.swapaxes(0, 1) if layout else state


def _origins(graph: Any, head: Head) -> dict[str, set[Origin]]:
    """Where each value comes from: nowhere, if it follows from shapes and constants only.

    What the head gives is left out, and so is what comes of that.
    """
    origins: dict[str, set[Origin]] = {one.name: {one.name} for one in graph.input}
    number = 0
    for node in graph.node:
        if not head.values.isdisjoint(node.output):
            continue
        reads = set().union(*(origins.get(name, set()) for name in node.input))
        if is_recurrent(node):
            for at, name in enumerate(node.output):
                origins[name] = {(number, at)}
            number += 1
            continue
        if node.op_type in ("Shape", "Size"):
            reads = set()
        elif reads and (node.op_type not in MOVERS or node.domain):
            raise ValueError(
                f"{label(node)}: expected recurrent layers and what moves values between them, "
                f"got {node.op_type}"
            )
        for name in node.output:
            origins[name] = reads
    return origins


def _feeds(session: Session, inputs: int, x_name: str, length: int) -> dict[str, Any]:
    """Random numbers for every input; for integers, which are lengths, 1, 2, …"""
    rng = np.random.default_rng(0)
    sizes = {}
    for name, shape, _ in session.get_inputs():
        if name == x_name:
            shape = [*(shape[:-1] or [None, None]), inputs]
        sizes[name] = [one if isinstance(one, int) and one > 0 else length for one in shape]
    longest = min(sizes[x_name][:-1])
    feeds: dict[str, Any] = {}
    for name, _, kind in session.get_inputs():
        if "int" in kind:
            count = int(np.prod(sizes[name]))
            feeds[name] = 1 + np.arange(count).reshape(sizes[name]) % longest
        else:
            feeds[name] = rng.standard_normal(sizes[name])
    return feeds


def _hx(runs: Sequence[_Run]) -> Any:
    """The initial states of all layers as a module takes them."""
    first = runs[0]
    roles = ("initial_h", "initial_c") if first.attributes.operator == "LSTM" else ("initial_h",)
    states: list[Any] = []
    for role in roles:
        parts = []
        for run in runs:
            shape = run.attributes.directions, run.x.shape[1], run.size
            parts.append(run.states.get(role, np.zeros(shape, run.x.dtype)))
        same = len({run.size for run in runs}) == 1
        states.append(np.concatenate(parts) if same else parts)
    return tuple(states) if len(states) == 2 else states[0]


def _batch_first(given: np.ndarray, run: _Run) -> bool:
    """Whether the graph's input is x (T, B, I) with its first axes exchanged."""
    x = run.x
    ways = [(False, x), (True, x.swapaxes(0, 1))]
    if given.ndim == 2:  # a single sequence
        given, ways = given[:, None], ways[:1]
    for first, turned in ways:
        if np.array_equal(given, turned):
            return first
    raise ValueError(f"{run.label}: input X: expected the graph's input as it is, got it changed")
