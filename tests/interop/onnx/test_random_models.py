"""Random recurrent nodes, any attribute, give what onnxruntime gives."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_nodes_tool import by_time, feeds, for_onnxruntime, make_model, random_node

from numba_lstm.interop import onnx as interop

COUNT = 300
TOLERANCE = 2e-6  # of the largest value, or of 1


def onnxruntime_outputs(node):
    """What onnxruntime gives."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 4
    session = onnxruntime.InferenceSession(
        make_model(node), options, providers=["CPUExecutionProvider"]
    )
    return session.run(None, feeds(node))


@pytest.mark.parametrize("seed", range(COUNT))
def test_a_random_node_gives_what_onnxruntime_gives(seed):
    node = random_node(np.random.default_rng(seed))
    theirs = onnxruntime_outputs(for_onnxruntime(node))
    ours = by_time(node, interop.session(make_model(node)).run(None, feeds(node)))
    # For a sequence of length 0 onnxruntime's final states are zero, and ours the initial ones.
    lengths = node.arrays.get("sequence_lens")
    some = slice(None) if lengths is None else lengths > 0
    for name, own, other in zip(("Y", "Y_h", "Y_c"), ours, theirs):
        scale = max(1.0, float(np.abs(other[..., some, :]).max(initial=0)))
        error = np.abs(own[..., some, :] - other[..., some, :]).max(initial=0)
        assert error <= TOLERANCE * scale, (name, error, node.operator, node.attributes)


def test_weights_that_are_inputs_give_the_same():
    for seed in range(8):
        node = random_node(np.random.default_rng(seed))
        constant = interop.session(make_model(node)).run(None, feeds(node))
        varying = interop.session(make_model(node, False)).run(None, feeds(node, False))
        for one, other in zip(constant, varying):
            assert np.array_equal(one, other)


def test_sequences_of_length_0_keep_their_initial_states():
    found = 0
    for seed in range(40):
        node = random_node(np.random.default_rng(seed))
        lengths = node.arrays.get("sequence_lens")
        if lengths is None or lengths.all() or "initial_h" not in node.arrays:
            continue
        found += 1
        y, hn, *_ = by_time(node, interop.session(make_model(node)).run(None, feeds(node)))
        assert not y[:, :, lengths == 0].any()
        assert np.array_equal(hn[:, lengths == 0], node.arrays["initial_h"][:, lengths == 0])
    assert found > 1
