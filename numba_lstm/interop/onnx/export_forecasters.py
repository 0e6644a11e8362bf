"""Forecasters as ONNX graphs: networks, linear forecasters, and several put together."""

from __future__ import annotations

from typing import Any

import numpy as np

from .export_graph import Graph, Shape, Value
from .export_layers import linear
from .export_models import last
from .export_recurrent import batch_first, stack

__all__ = ["combination", "forecaster", "future_of", "steps_ahead"]

_FAR = np.iinfo(np.int64).max


def forecaster(graph: Graph, model: Any, prefix: str, x: Value) -> Value:
    """The steps ahead, (K, B, O), or (B, K, O) with batch_first."""
    if model.future_size and prefix:
        raise ValueError(
            f"{prefix.rstrip('.')}: expected future_size=0 inside another module, which gives "
            f"one array, got {model.future_size}"
        )
    return steps_ahead(graph, model, prefix, x, future_of(graph, model, x))


def combination(graph: Graph, model: Any, x: Value, future: Value | None) -> Value:
    """The weighted sum of what all members give."""
    total: Value | None = None
    for number, (weight, member) in enumerate(zip(model.weights.numpy(), model.members)):
        y = steps_ahead(graph, member, f"members.{number}.", x, future)
        y = graph.node("Mul", [y, graph.constant(weight, graph.dtype)], y.shape)
        total = y if total is None else graph.node("Add", [total, y], y.shape)
    assert total is not None
    return total


def future_of(graph: Graph, model: Any, x: Value) -> Value | None:
    """The input of what is known of the steps ahead, as rows (B, K·F); None where nothing is."""
    steps, width = model.horizon, model.future_size
    if not width:
        return None
    turned = batch_first(graph, model)
    batch = x.shape[0 if turned else 1]
    shape: Shape = (batch, steps, width) if turned else (steps, batch, width)
    future = graph.input("future", shape, "What is known of the steps ahead.")
    if not turned:
        future = graph.transpose(future, (1, 0, 2))
    return graph.node(
        "Reshape", [future, graph.constant([0, steps * width])], (batch, steps * width)
    )


def steps_ahead(graph: Graph, model: Any, prefix: str, x: Value, rows: Value | None) -> Value:
    """What one forecaster gives, with its level where it has one."""
    turned = batch_first(graph, model)
    level = None
    if model.normalize is not None:
        level = _level(graph, model, x, turned)
        x = _taken_from(graph, model, x, level, turned)
    features = _features(graph, model, prefix, x, turned)
    batch = features.shape[0]
    if rows is not None:
        together = (batch, int(features.shape[1]) + int(rows.shape[1]))
        features = graph.node("Concat", [features, rows], together, axis=1)
    outputs = linear(graph, model.head, f"{prefix}head.", features)
    if level is not None:
        outputs = _spread(graph, model, outputs, level)
    sizes = graph.constant([0, model.horizon, model.output_size])
    y = graph.node("Reshape", [outputs, sizes], (batch, model.horizon, model.output_size))
    return y if turned else graph.transpose(y, (1, 0, 2))


def _features(graph: Graph, model: Any, prefix: str, x: Value, turned: bool) -> Value:
    """What the head reads of x: the last state of a network, or all of a linear one's window."""
    if hasattr(model, "rnn"):
        y, finals = stack(graph, model.rnn, f"{prefix}rnn.", x)
        return last(graph, model, y, finals)
    axis, width = 1 if turned else 0, model.window * model.reads
    if model.reads < model.input_size:
        x = _slice(graph, x, (*x.shape[:-1], model.reads), 0, model.reads, -1)
    shape = (*x.shape[:axis], model.window, *x.shape[axis + 1 :])
    window = _slice(graph, x, shape, -model.window, _FAR, axis)
    if not turned:
        window = graph.transpose(window, (1, 0, 2))
    batch = window.shape[0]
    return graph.node("Reshape", [window, graph.constant([0, width])], (batch, width))


def _level(graph: Graph, model: Any, x: Value, turned: bool) -> Value:
    """The last values of the targets, (B, C); zero of a sequence of length 0."""
    axis = 1 if turned else 0
    targets = _slice(graph, x, (*x.shape[:-1], model.targets), 0, model.targets, -1)
    batch = x.shape[1 - axis]
    if not graph.lengths:
        shape = (*x.shape[:axis], 1, *x.shape[axis + 1 : -1], model.targets)
        return graph.squeeze(_slice(graph, targets, shape, -1, _FAR, axis), axis)
    one = graph.constant(1, np.int32)
    ends = graph.node("Sub", [graph.lengths, one], (batch,))
    steps = graph.unsqueeze(graph.steps(x, axis), 1 - axis)
    there = graph.node("Equal", [steps, graph.unsqueeze(ends, axis)], x.shape[:2])
    zero = graph.constant(0, graph.dtype)
    chosen = graph.node("Where", [graph.unsqueeze(there, -1), targets, zero], targets.shape)
    axes = graph.constant([axis])
    return graph.node("ReduceSum", [chosen, axes], (batch, model.targets), keepdims=0)


def _taken_from(graph: Graph, model: Any, x: Value, level: Value, turned: bool) -> Value:
    """x less the level of its targets; other features are as they were."""
    count, width = model.targets, model.input_size
    shape = (*x.shape[:-1], count)
    targets = _slice(graph, x, shape, 0, count, -1)
    below = graph.unsqueeze(level, 1 if turned else 0)
    taken = graph.node("Sub", [targets, below], shape)
    if count == width:
        return taken
    others = _slice(graph, x, (*x.shape[:-1], width - count), count, width, -1)
    return graph.node("Concat", [taken, others], x.shape, axis=-1)


def _spread(graph: Graph, model: Any, outputs: Value, level: Value) -> Value:
    """The outputs (B, K·O) with the level of each one's target added."""
    batch, copies = outputs.shape[0], model.output_size // model.targets
    by_target = (batch, model.horizon, model.targets, copies)
    split = graph.node("Reshape", [outputs, graph.constant([0, *by_target[1:]])], by_target)
    ends = graph.constant([0, 1, model.targets, 1])
    beside = graph.node("Reshape", [level, ends], (batch, 1, model.targets, 1))
    return graph.node("Add", [split, beside], by_target)


def _slice(graph: Graph, x: Value, shape: Shape, start: int, stop: int, axis: int) -> Value:
    bounds = [graph.constant([number]) for number in (start, stop, axis)]
    return graph.node("Slice", [x, *bounds], shape)
