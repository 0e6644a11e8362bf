"""Operators of older opsets do what they did then."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor
from onnx_nodes_tool import feeds, make_model, random_node

from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info


def test_softmax_before_opset_13_flattens(rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    for kind in ("Softmax", "LogSoftmax", "Hardmax"):
        for options in ({}, {"axis": 2}, {"axis": 0}):
            model = model_of(
                [make_node(kind, ["x"], ["y"], **options)],
                [info("x", FLOAT, [2, 3, 4])],
                [info("y", FLOAT, [2, 3, 4])],
                opset=11,
            )
            session = onnxruntime.InferenceSession(
                model.SerializeToString(), providers=["CPUExecutionProvider"]
            )
            (wanted,) = session.run(None, {"x": x})
            (y,) = interop.session(model).run(None, {"x": x})
            assert np.abs(y - wanted).max() < 1e-6, (kind, options)


@pytest.mark.parametrize("opset", [8, 9, 13, 14])
def test_batch_normalisation_of_any_opset_takes_the_given_mean(opset, rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    names = ["scale", "bias", "mean", "var"]
    options = {"spatial": 1, "momentum": 0.8} if opset == 8 else {"momentum": 0.8}
    model = model_of(
        [make_node("BatchNormalization", ["x", *names], ["y"], **options)],
        [info("x", FLOAT, [2, 3, 4])],
        [info("y", FLOAT, [2, 3, 4])],
        [tensor(name, rng.uniform(1, 2, 3).astype(np.float32)) for name in names],
        opset=opset,
    )
    x = rng.standard_normal((2, 3, 4)).astype(np.float32)
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    (wanted,) = session.run(None, {"x": x})
    assert np.abs(interop.session(model).run(None, {"x": x})[0] - wanted).max() < 1e-6


def test_a_random_node_runs_at_every_opset():
    node = random_node(np.random.default_rng(3), "GRU")
    node.attributes.pop("layout", None)
    results = [
        interop.session(make_model(node._replace(opset=opset))).run(None, feeds(node))
        for opset in range(7, 23)
    ]
    for outputs in results:
        assert all(np.array_equal(one, other) for one, other in zip(outputs, results[0]))


def test_the_domain_may_be_written_out():
    model = model_of(
        [make_node("Neg", ["x"], ["y"], domain="ai.onnx")],
        [info("x", FLOAT, [1])],
        [info("y", FLOAT, [1])],
    )
    model.opset_import[0].domain = "ai.onnx"
    assert interop.session(model).run(None, {"x": np.float32([3])})[0].tolist() == [-3]
