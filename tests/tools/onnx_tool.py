"""A recurrent node of ONNX, run by onnxruntime: what its definitions are checked with."""

from __future__ import annotations

import numpy as np
import pytest


def to_onnx(p, ours, theirs):
    """W, R and B with one direction, from parameters whose gates stand in the order `ours`."""

    def turned(value):
        parts = dict(zip(ours, np.split(value, len(ours))))
        return np.concatenate([parts[gate] for gate in theirs])

    biases = [turned(p[name]) for name in ("bias_ih", "bias_hh")]
    return {
        "w": turned(p["weight_ih"])[None],
        "r": turned(p["weight_hh"])[None],
        "b": np.concatenate(biases)[None],
    }


def run_onnx(kind, inputs, states, outputs, lengths=None, **options):
    """The node's outputs in float32, from named inputs; `states` are the names after lengths."""
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    given = {name: value.astype(np.float32) for name, value in inputs.items()}
    if lengths is not None:
        given["lengths"] = np.array(lengths, np.int32)
    names = [name if name in given else "" for name in ["x", "w", "r", "b", "lengths", *states]]
    results = ["y", "hn", "cn"][:outputs]
    types = {np.dtype("f4"): onnx.TensorProto.FLOAT, np.dtype("i4"): onnx.TensorProto.INT32}
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node(kind, names, results, **options)],
        "one_node",
        [info(name, types[value.dtype], value.shape) for name, value in given.items()],
        [info(name, onnx.TensorProto.FLOAT, None) for name in results],
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 14)])
    model.ir_version = 8
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, given)
