"""Small ONNX models by hand."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np


def tensor(name: str, value: Any) -> Any:
    """An initializer."""
    from onnx import numpy_helper

    return numpy_helper.from_array(np.asarray(value), name)


def model_of(
    nodes: Sequence[Any],
    inputs: Sequence[Any],
    outputs: Sequence[Any],
    initializers: Sequence[Any] = (),
    *,
    opset: int = 17,
    ir_version: int = 8,
    functions: Sequence[Any] = (),
) -> Any:
    """A model of one graph; its opsets are ONNX's, onnxruntime's and one called "own"."""
    from onnx import helper

    graph = helper.make_graph(nodes, "g", inputs, outputs, list(initializers))
    opsets = [
        helper.make_opsetid(domain, version)
        for domain, version in (("", opset), ("com.microsoft", 1), ("own", 1))
    ]
    return helper.make_model(
        graph, opset_imports=opsets, ir_version=ir_version, functions=functions
    )
