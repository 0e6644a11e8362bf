"""The model that peers run computes what ours computes."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.benchmark import onnx_model
from numba_lstm.benchmark.arrays import make_arrays
from numba_lstm.benchmark.cases import Case


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("bidirectional", [False, True])
def test_the_model_of_a_case_gives_what_our_module_gives(cell, bidirectional):
    onnx = pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    case = Case("a-1", (), 5, 3, 4, 6, layers=2, cell=cell, bidirectional=bidirectional)
    arrays = make_arrays(case)
    content = onnx_model.make_model(case, arrays)
    kinds = [node.op_type for node in onnx.load_from_string(content).graph.node]
    assert kinds.count(cell.upper()) == 2
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    outputs = session.run(None, onnx_model.feeds(case, arrays))
    found = onnx_model.results(case, outputs)

    module = getattr(nn, cell.upper())(4, 6, num_layers=2, bidirectional=bidirectional)
    module.load_state_dict(onnx_model.parameters(arrays))
    states = tuple(arrays[f"{letter}0"] for letter in case.states)
    y, last = module(arrays["x"], states if cell == "lstm" else states[0])
    wanted = {"y": y} | dict(zip(("hn", "cn"), last if cell == "lstm" else (last,)))
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        np.testing.assert_allclose(found[name], value, atol=2e-6)
