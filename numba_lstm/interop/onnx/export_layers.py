"""Layers without a state, and Sequential, as ONNX's nodes.

Each function takes the graph, a module, what stands before its parameters' names, and the value
that the module reads, and gives what it returns.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from .export_graph import Graph, Value, check_last

__all__ = ["activation", "embedding", "identity", "layer_norm", "linear", "softmax"]

_ACTIVATIONS = {"ReLU": "Relu", "Sigmoid": "Sigmoid", "Tanh": "Tanh"}


def linear(graph: Graph, module: Any, prefix: str, x: Value) -> Value:
    """x·Wᵀ + b. W is stored as it is, as the embedding of a model may have the same one."""
    weight, bias = module._parameters()
    check_last(prefix, x, (module.in_features,))
    stored = graph.parameter(f"{prefix}weight", weight)
    turned = graph.transpose(stored, (1, 0))
    shape = (*x.shape[:-1], module.out_features)
    y = graph.node("MatMul", [x, turned], shape)
    if bias is None:
        return y
    return graph.node("Add", [y, graph.parameter(f"{prefix}bias", bias)], shape)


def embedding(graph: Graph, module: Any, prefix: str, tokens: Value) -> Value:
    """The rows of W."""
    weight = graph.parameter(f"{prefix}weight", module.checked_weight())
    shape = (*tokens.shape, module.embedding_dim)
    return graph.node("Gather", [weight, tokens], shape, axis=0)


def layer_norm(graph: Graph, module: Any, prefix: str, x: Value) -> Value:
    """ONNX's LayerNormalization; of float64 step by step, as that operator rounds to float32."""
    shape = module.normalized_shape
    gain, shift = module._parameters()
    check_last(prefix, x, shape)
    weights = [graph.parameter(f"{prefix}weight", gain)] if gain is not None else []
    biases = [graph.parameter(f"{prefix}bias", shift)] if shift is not None else []
    if graph.dtype == np.float32:
        scale = weights or [graph.constant(np.ones(shape), graph.dtype)]
        about = {"axis": -len(shape), "epsilon": module.eps}
        return graph.node("LayerNormalization", [x, *scale, *biases], x.shape, **about)

    axes = graph.constant(range(-len(shape), 0))
    rows = (*x.shape[: -len(shape)], *[1] * len(shape))

    def mean(value: Value) -> Value:
        return graph.node("ReduceMean", [value, axes], rows, keepdims=1)

    centred = graph.node("Sub", [x, mean(x)], x.shape)
    variance = mean(graph.node("Mul", [centred, centred], x.shape))
    eps = graph.constant(module.eps, graph.dtype)
    deviation = graph.node("Sqrt", [graph.node("Add", [variance, eps], rows)], rows)
    y = graph.node("Div", [centred, deviation], x.shape)
    for operator, operands in (("Mul", weights), ("Add", biases)):
        for operand in operands:
            y = graph.node(operator, [y, operand], x.shape)
    return y


def activation(graph: Graph, module: Any, prefix: str, x: Value) -> Value:
    """ReLU, Sigmoid or Tanh."""
    kind = next(one.__name__ for one in type(module).__mro__ if one.__name__ in _ACTIVATIONS)
    return graph.node(_ACTIVATIONS[kind], [x], x.shape)


def softmax(graph: Graph, module: Any, prefix: str, x: Value) -> Value:
    """Softmax over one axis."""
    if module.dim not in (-1, len(x.shape) - 1) and graph.options.batch_first is not None:
        raise ValueError(
            f"batch_first: expected None with {prefix.rstrip('.')} over axis {module.dim}, which "
            f"it would exchange, got {graph.options.batch_first}"
        )
    return graph.node("Softmax", [x], x.shape, axis=module.dim)


def identity(graph: Graph, module: Any, prefix: str, x: Value) -> Value:
    """Nothing, as of Dropout in evaluation."""
    return x
