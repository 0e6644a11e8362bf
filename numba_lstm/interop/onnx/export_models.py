"""Whole models as ONNX graphs: language model, classifier, regressor, forecaster."""

from __future__ import annotations

from typing import Any

import numpy as np

from .export_graph import Graph, Shape, Value
from .export_layers import embedding, linear
from .export_recurrent import Outputs, add_stack, batch_first, stack, states

__all__ = ["encoder", "forecaster", "language_model"]


def language_model(graph: Graph, model: Any, tokens: Value) -> Outputs:
    """Logits of the next tokens, and the states; the states are inputs, too, if asked for."""
    x = embedding(graph, model.embedding, "embedding.", tokens)
    prefix = f"{model.cell}."
    if graph.options.states:
        y, finals = add_stack(graph, model.stack, prefix, x, states(graph, model.stack, x))
    else:
        y, finals = stack(graph, model.stack, prefix, x)
    return Outputs(linear(graph, model.decoder, "decoder.", y), finals)


def encoder(graph: Graph, model: Any, prefix: str, x: Value) -> Value:
    """The outputs of a SequenceClassifier or SequenceRegressor."""
    y, finals = stack(graph, model.rnn, f"{prefix}rnn.", x)
    if model.pooling is not None:
        features = _POOLINGS[model.pooling](graph, model, y, finals)
        return linear(graph, model.head, f"{prefix}head.", features)
    outputs = linear(graph, model.head, f"{prefix}head.", y)
    if not graph.lengths:
        return outputs
    inside, zero = _inside(graph, model, y), graph.constant(0, graph.dtype)
    return graph.node("Where", [inside, outputs, zero], outputs.shape)


def forecaster(graph: Graph, model: Any, prefix: str, x: Value) -> Value:
    """The steps ahead, (K, B, O), or (B, K, O) with batch_first."""
    if model.normalize is not None:
        raise ValueError(
            f"{prefix.rstrip('.') or 'module'}: expected normalize=None, got {model.normalize!r}, "
            "which is not written as ONNX yet"
        )
    turned = batch_first(graph, model)
    y, finals = stack(graph, model.rnn, f"{prefix}rnn.", x)
    features = _last(graph, model, y, finals)
    batch, steps = features.shape[0], model.horizon
    if model.future_size:
        if prefix:
            raise ValueError(
                f"{prefix.rstrip('.')}: expected future_size=0 inside another module, which gives "
                f"one array, got {model.future_size}"
            )
        shape = _by_step(turned, steps, batch, model.future_size)
        future = graph.input("future", shape, "What is known of the steps ahead.")
        if not turned:
            future = graph.transpose(future, (1, 0, 2))
        width = steps * model.future_size
        rows = graph.node("Reshape", [future, graph.constant([0, width])], (batch, width))
        together = (batch, int(features.shape[1]) + width)
        features = graph.node("Concat", [features, rows], together, axis=1)
    outputs = linear(graph, model.head, f"{prefix}head.", features)
    sizes = graph.constant([0, steps, model.output_size])
    by_step = graph.node("Reshape", [outputs, sizes], (batch, steps, model.output_size))
    return by_step if turned else graph.transpose(by_step, (1, 0, 2))


def _by_step(turned: bool, steps: int, batch: int | str, width: int) -> Shape:
    return (batch, steps, width) if turned else (steps, batch, width)


# -- pooling: from (T, B, D·H), or (B, T, D·H) with batch_first, to (B, D·H) -----------------------


def _last(graph: Graph, model: Any, y: Value, finals: list[list[Value]]) -> Value:
    h = finals[0][-1]  # (D, B, H)
    directions, batch, hidden = h.shape
    if directions == 1:
        return graph.squeeze(h, 0)
    width = 2 * int(hidden)
    turned = graph.transpose(h, (1, 0, 2))
    return graph.node("Reshape", [turned, graph.constant([0, width])], (batch, width))


def _mean(graph: Graph, model: Any, y: Value, finals: list[list[Value]]) -> Value:
    axis, shape = _time(graph, model, y)
    total = graph.node("ReduceSum", [y, graph.constant([axis])], shape, keepdims=0)
    if graph.lengths:
        # Without a step there is nothing to add, and the mean is 0.
        one = graph.constant([1], np.int32)
        count = graph.node("Max", [graph.lengths, one], shape[:1])
        count = graph.unsqueeze(count, -1)
    else:
        count = graph.size(y, axis)
    return graph.node("Div", [total, graph.cast(count, graph.dtype)], shape)


def _max(graph: Graph, model: Any, y: Value, finals: list[list[Value]]) -> Value:
    axis, shape = _time(graph, model, y)
    if graph.lengths:
        least = graph.constant(-np.inf, graph.dtype)
        y = graph.node("Where", [_inside(graph, model, y), y, least], y.shape)
    features = graph.node("ReduceMax", [y, graph.constant([axis])], shape, keepdims=0)
    if not graph.lengths:
        return features
    zero = graph.constant([0], np.int32)
    some = graph.node("Greater", [graph.lengths, zero], shape[:1])
    some = graph.unsqueeze(some, -1)
    return graph.node("Where", [some, features, graph.constant(0, graph.dtype)], shape)


_POOLINGS = {"last": _last, "mean": _mean, "max": _max}


def _time(graph: Graph, model: Any, y: Value) -> tuple[int, Shape]:
    """The axis of time, and the shape without it."""
    axis = 1 if batch_first(graph, model) else 0
    return axis, y.shape[:axis] + y.shape[axis + 1 :]


def _inside(graph: Graph, model: Any, y: Value) -> Value:
    """Where sequences have not ended, in the layout of y, (…, 1) bool."""
    axis, _ = _time(graph, model, y)
    lengths = Value(graph.lengths, y.shape[1 - axis : 2 - axis])
    steps = graph.steps(y, axis)  # (T,)
    steps, ends = graph.unsqueeze(steps, 1 - axis), graph.unsqueeze(lengths, axis)
    return graph.unsqueeze(graph.node("Less", [steps, ends], y.shape[:2]), -1)
