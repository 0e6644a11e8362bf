"""Int8 weights are dequantised, and that is said once."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT
D, H, I = 2, 4, 3


def quantised(rng, shape, axes):
    """int8 numbers, scale and zero point, and what they stand for."""
    q = rng.integers(-127, 128, shape).astype(np.int8)
    scale = rng.uniform(0.002, 0.01, axes).astype(np.float32)
    zero = rng.integers(-3, 4, axes).astype(np.int8)
    return q, scale, zero


def lstm_model(arrays):
    """The same LSTM in floating point."""
    return model_of([make_node("LSTM", ["x", "W", "R", "B"], ["y", "h", "c"],
                               hidden_size=H, direction="bidirectional")], arrays)  # fmt: skip


def model_of(nodes, arrays, opset=14):
    graph = onnx.helper.make_graph(
        nodes, "g", [info("x", FLOAT, ["T", "B", I])],
        [info(name, FLOAT, None) for name in ("y", "h", "c")],
        [onnx.numpy_helper.from_array(value, name) for name, value in arrays.items()],
    )  # fmt: skip
    opsets = [onnx.helper.make_opsetid("", opset), onnx.helper.make_opsetid("com.microsoft", 1)]
    return onnx.helper.make_model(graph, opset_imports=opsets, ir_version=8)


@pytest.mark.parametrize("channels", [False, True])
def test_onnxruntimes_dynamic_lstm_runs_in_floating_point(channels, rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    axes = (D, 4 * H) if channels else (D,)
    qw, sw, zw = quantised(rng, (D, I, 4 * H), axes)
    qr, sr, zr = quantised(rng, (D, H, 4 * H), axes)
    if channels:  # onnxruntime takes zero points of channels only if they are zero
        zw[...], zr[...] = 0, 0
    bias = rng.standard_normal((D, 8 * H)).astype(np.float32)
    arrays = {"W": qw, "R": qr, "B": bias, "sw": sw, "zw": zw, "sr": sr, "zr": zr}
    names = ["x", "W", "R", "B", "", "", "", "", "sw", "zw", "sr", "zr"]
    node = make_node("DynamicQuantizeLSTM", names, ["y", "h", "c"], name="int8",
                     domain="com.microsoft", hidden_size=H, direction="bidirectional")  # fmt: skip
    model = model_of([node], arrays)
    with pytest.warns(UserWarning, match="the int8 weights of node 'int8' .* were dequantised"):
        session = interop.session(model)
    x = rng.standard_normal((5, 2, I)).astype(np.float32)
    outputs = session.run(None, {"x": x})

    def floats(q, s, z):
        rows = (D, 1, -1)
        values = (q.astype("f4") - z.reshape(rows).astype("f4")) * s.reshape(rows)
        return np.ascontiguousarray(values.swapaxes(1, 2))

    exact = {"W": floats(qw, sw, zw), "R": floats(qr, sr, zr), "B": bias}
    for one, other in zip(outputs, interop.session(lstm_model(exact)).run(None, {"x": x})):
        assert np.array_equal(one, other)
    theirs = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(None, {"x": x})
    # It rounds inputs and states to 8 bits at every step.
    assert max(np.abs(one - other).max() for one, other in zip(outputs, theirs)) < 0.05


@pytest.mark.parametrize("opset", [13, 19, 21])
def test_weights_behind_dequantize_linear_are_packed_once_and_loaded(opset, rng):
    qw, sw, _ = quantised(rng, (D, 4 * H, I), ())
    qr, sr, _ = quantised(rng, (D, 4 * H, H), ())
    bias = np.zeros((D, 8 * H), np.float32)
    nodes = [
        make_node("DequantizeLinear", ["qw", "sw"], ["W"]),
        make_node("DequantizeLinear", ["qr", "sr"], ["R"]),
        make_node("LSTM", ["x", "W", "R", "B"], ["y", "h", "c"], name="it",
                  hidden_size=H, direction="bidirectional"),
    ]  # fmt: skip
    model = model_of(nodes, {"qw": qw, "sw": sw, "qr": qr, "sr": sr, "B": bias}, opset)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        session = interop.session(model)
    assert len(caught) == 1 and "node 'it'" in str(caught[0].message)
    assert caught[0].filename == __file__
    x = rng.standard_normal((5, 2, I)).astype(np.float32)
    exact = {"W": qw.astype("f4") * sw, "R": qr.astype("f4") * sr, "B": bias}
    wanted = interop.session(lstm_model(exact)).run(None, {"x": x})
    for one, other in zip(session.run(None, {"x": x}), wanted):
        assert np.array_equal(one, other)
    with pytest.warns(UserWarning, match="dequantised"):
        assert isinstance(interop.load(model), nn.LSTM)


def test_integer_products_around_a_node_run(rng):
    onnxruntime = pytest.importorskip("onnxruntime")
    q, scale, zero = quantised(rng, (2 * H, 5), ())
    arrays = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in
              (("W", (D, 4 * H, I)), ("R", (D, 4 * H, H)))}  # fmt: skip
    arrays |= {"q": q, "scale": scale, "zero": zero, "shape": np.array([0, 0, -1])}
    nodes = [
        make_node("LSTM", ["x", "W", "R"], ["raw", "h", "c"], hidden_size=H,
                  direction="bidirectional"),
        make_node("Transpose", ["raw"], ["turned"], perm=[0, 2, 1, 3]),
        make_node("Reshape", ["turned", "shape"], ["flat"]),
        make_node("DynamicQuantizeLinear", ["flat"], ["a", "as", "az"]),
        make_node("MatMulInteger", ["a", "q", "az", "zero"], ["i"]),
        make_node("Cast", ["i"], ["f"], to=FLOAT),
        make_node("Mul", ["as", "scale"], ["both"]),
        make_node("Mul", ["f", "both"], ["y"]),
    ]  # fmt: skip
    model = model_of(nodes, arrays)
    x = rng.standard_normal((5, 2, I)).astype(np.float32)
    (y,) = interop.session(model).run(["y"], {"x": x})
    (wanted,) = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    ).run(["y"], {"x": x})
    # A number on the edge may be rounded the other way.
    assert np.abs(y - wanted).max() < 0.02 and np.abs(y - wanted).mean() < 1e-4


def test_a_damaged_dynamic_lstm_is_refused_by_node_and_input(rng):
    qw, sw, zw = quantised(rng, (D, I, 4 * H), (D,))
    arrays = {"W": qw, "R": qw, "sw": sw, "zw": zw}
    names = ["x", "W", "R", "", "", "", "", "", "sw", "zw", "absent", "zw"]
    node = make_node("DynamicQuantizeLSTM", names, ["y", "h", "c"], name="int8",
                     domain="com.microsoft", hidden_size=H)  # fmt: skip
    with pytest.raises(ValueError, match=r"node 'int8' .*: input R_scale: expected a constant"):
        interop.session(model_of([node], arrays))
    node.input[8] = "zw2"
    arrays["zw2"] = np.zeros(5, np.float32)
    with pytest.raises(ValueError, match=r"input W_scale: expected shape \(2,\) or \(2, 16\)"):
        interop.session(model_of([node], arrays))
