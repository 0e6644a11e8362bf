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


def loop_of(count, condition, go_on=True):
    """A Loop that doubles its state; of each step it gives arrays of 0, 2 and 4 dimensions."""
    bool_, int64 = onnx.TensorProto.BOOL, onnx.TensorProto.INT64
    body = onnx.helper.make_graph(
        [
            make_node("Add", ["a", "a"], ["b"]),
            make_node("Identity", ["go"], ["on"]),
            make_node("ReduceSum", ["b"], ["s0"], keepdims=0),
            make_node("Identity", ["a"], ["s2"]),
            make_node("Unsqueeze", ["b", "axes"], ["s4"]),
        ],
        "body",
        [info("t", int64, []), info("go", bool_, []), info("a", FLOAT, [2, 3])],
        [info("on", bool_, []), info("b", FLOAT, [2, 3]), info("s0", FLOAT, []),
         info("s2", FLOAT, [2, 3]), info("s4", FLOAT, [1, 2, 1, 3])],
        [tensor("axes", np.array([0, 2]))],
    )  # fmt: skip
    names = ["last", "sums", "rows", "cubes"]
    return model_of(
        [make_node("Loop", ["count", condition, "x"], names, body=body, name="the loop")],
        [info("x", FLOAT, [2, 3])],
        [info(name, FLOAT, None) for name in names],
        [tensor("count", np.array(count)), tensor("go_on", np.array(go_on))],
    )


@pytest.mark.parametrize("count", [0, 1, 3])
@pytest.mark.parametrize("condition, go_on", [("", True), ("go_on", True), ("go_on", False)])
def test_a_loop_stacks_what_its_steps_give(count, condition, go_on, rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    model, x = loop_of(count, condition, go_on), rng.standard_normal((2, 3)).astype(np.float32)
    theirs = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(None, {"x": x})
    ours = interop.session(model).run(None, {"x": x})
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        assert np.allclose(one, other, rtol=1e-6, atol=1e-6)
    steps = count if go_on else 0
    assert [one.shape for one in ours[1:]] == [(steps,), (steps, 2, 3), (steps, 1, 2, 1, 3)]


def test_a_loop_of_no_steps_whose_outputs_have_no_type_is_refused_by_node():
    model = loop_of(0, "")
    model.graph.node[0].attribute[0].g.output[3].type.Clear()
    with pytest.raises(ValueError, match=r"node 'the loop' \(Loop\): .*output 's2'"):
        interop.session(model).run(None, {"x": np.ones((2, 3), np.float32)})


@pytest.mark.parametrize(
    "options",
    [
        {"scan_input_axes": [0, -1]},
        {"scan_input_axes": [1, 0]},
        {"scan_input_directions": [0, 1]},
        {"scan_output_axes": [-1]},
        {"scan_output_directions": [1]},
    ],
    ids=str,
)
def test_a_scan_that_would_run_along_another_axis_is_refused_by_node(options):
    body = onnx.helper.make_graph(
        [make_node("Add", ["a", "b"], ["c"])],
        "body",
        [info("a", FLOAT, None), info("b", FLOAT, None)],
        [info("c", FLOAT, None)],
    )
    with pytest.raises(ValueError, match=rf"node 'it' \(Scan\): attribute {next(iter(options))}: "):
        interop.session(scan_of(body, options))
    (y,) = interop.session(scan_of(body, {"scan_input_axes": [0, 0]})).run(
        None, {"x": np.ones((2, 2)), "z": np.ones((2, 2))}
    )
    assert y.tolist() == [[2, 2], [2, 2]]


def scan_of(body, options):
    scan = make_node("Scan", ["x", "z"], ["y"], body=body, num_scan_inputs=2, name="it", **options)
    inputs = [info("x", FLOAT, [2, 2]), info("z", FLOAT, [2, 2])]
    return model_of([scan], inputs, [info("y", FLOAT, None)])
