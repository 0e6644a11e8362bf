"""The step by step form gives what the kernels give where both exist."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_nodes_tool import random_node

from numba_lstm.interop.onnx.attributes import read_attributes
from numba_lstm.interop.onnx.layer import Layer
from numba_lstm.interop.onnx.modules import unsupported
from numba_lstm.interop.onnx.node_weights import check_weights


def parts_of(node):
    attributes = {name: value for name, value in node.attributes.items() if name != "layout"}
    read = read_attributes("n", node.operator, attributes)
    weights = [node.arrays.get(role) for role in "WRBP"]
    return read, check_weights(read, *weights)


@pytest.mark.parametrize("seed", range(40))
def test_steps_give_what_the_kernels_give(seed):
    node = random_node(np.random.default_rng(seed))
    if node.operator != "LSTM":
        node.attributes.pop("clip", None)
    node.attributes.pop("activations", None)
    attributes, weights = parts_of(node)
    layer = Layer(attributes, weights)
    assert layer.module is not None and layer.weights is None  # the module has its own
    given = [node.arrays.get(name) for name in ("X", "sequence_lens", "initial_h", "initial_c")]
    fast = layer.run(*given)
    layer.module, layer.weights = None, weights
    count = 3 if node.operator == "LSTM" else 2
    for one, other in zip(fast[:count], layer.run(*given)):
        assert one.shape == other.shape and np.abs(one - other).max() < 2e-6


def test_infinite_and_huge_inputs_warn_of_nothing():
    node = random_node(np.random.default_rng(1), "LSTM")
    node.attributes["activations"] = ["HardSigmoid", "Softplus", "Elu"] * node.arrays["W"].shape[0]
    node.arrays["X"][...] = 1e30
    layer = Layer(*parts_of(node))
    assert unsupported(layer.attributes)
    layer.run(node.arrays["X"])
