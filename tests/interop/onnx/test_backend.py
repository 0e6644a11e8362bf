"""ONNX's own node tests run against the backend."""

from __future__ import annotations

import unittest
import warnings
from importlib import import_module

import numpy as np
import pytest
from long_tool import LONG

from numba_lstm.interop.onnx import backend

onnx = pytest.importorskip("onnx")


SHARED = "defaults", "with_initial_bias", "batchwise", "reverse", "bidirectional"
KINDS = "lstm", "gru", "simple_rnn"
NAMES = [f"test_{kind}_{name}" for kind in KINDS for name in SHARED]
NAMES += ["test_lstm_with_peepholes", "test_gru_seq_length", "test_rnn_seq_length"]


def import_recurrent(cases):
    """Make the cases of recurrent operators."""
    for name in ("lstm", "gru", "rnn"):
        import_module(f"{cases.__name__}.{name}")


@pytest.fixture(scope="module")
def onnx_tests():
    """ONNX's runner of its own test cases, on this backend.

    It makes the cases of all operators, for 5 s; daily of the recurrent ones alone.
    """
    import onnx.backend.test
    from onnx.backend.test import loader

    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore")
        if not LONG:
            patch.setattr(loader, "import_recursive", import_recurrent, raising=False)
        return onnx.backend.test.BackendTest(backend, __name__).test_cases[
            "OnnxBackendNodeModelTest"
        ]


@pytest.mark.parametrize("name", NAMES)
def test_onnx_node_test(onnx_tests, name):
    result = unittest.TestResult()
    onnx_tests(f"{name}_cpu").run(result)
    assert result.testsRun == 1 and result.wasSuccessful(), result.failures + result.errors
    assert not result.skipped


def test_there_are_no_others(onnx_tests):
    kinds = "test_lstm_", "test_gru_", "test_simple_rnn_", "test_rnn_"
    found = {name for name in dir(onnx_tests) if name.startswith(kinds) and name.endswith("_cpu")}
    assert found == {f"{name}_cpu" for name in NAMES} and len(NAMES) == 18


def lstm_node():
    return onnx.helper.make_node("LSTM", ["x", "w", "r"], ["", "hn"], hidden_size=2)


def lstm_inputs():
    rng = np.random.default_rng(0)
    shapes = (3, 1, 4), (1, 8, 4), (1, 8, 2)
    return [rng.standard_normal(shape).astype(np.float32) for shape in shapes]


def test_a_node_runs_alone():
    (hn,) = backend.run_node(lstm_node(), lstm_inputs())
    assert hn.shape == (1, 1, 2)
    (old,) = backend.run_node(lstm_node(), lstm_inputs(), opset_version=7)
    assert np.array_equal(hn, old)


def test_outputs_come_by_name_and_in_order():
    info = onnx.helper.make_tensor_value_info
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Add", ["a", "b"], ["sum"])],
        "add",
        [info(name, onnx.TensorProto.FLOAT, [2]) for name in "ab"],
        [info("sum", onnx.TensorProto.FLOAT, [2])],
    )
    model = onnx.helper.make_model(graph)
    outputs = backend.run_model(model, [np.float32([1, 2]), np.float32([3, 4])])
    assert outputs.sum.tolist() == outputs[0].tolist() == outputs["sum"].tolist() == [4, 6]
    rep = backend.prepare(model)
    assert rep.run({"a": np.float32([1, 2]), "b": np.float32([0, 0])})[0].tolist() == [1, 2]
    with pytest.raises(ValueError, match=r"inputs: expected 2 .*got 1"):
        rep.run([np.float32([1, 2])])


def test_only_the_cpu_is_supported():
    assert backend.supports_device("CPU") and not backend.supports_device("CUDA:1")
    with pytest.raises(ValueError, match="device: expected CPU, got 'CUDA'"):
        backend.run_node(lstm_node(), lstm_inputs(), "CUDA")
    with pytest.raises(onnx.checker.ValidationError):
        backend.prepare(onnx.ModelProto())
