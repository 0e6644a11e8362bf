"""A session keeps each array once, however many of its inputs are optional."""

from __future__ import annotations

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm import nn
from numba_lstm.interop import onnx as interop
from numba_lstm.interop.onnx.constants import Constants, is_reference

onnx = pytest.importorskip("onnx")
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT


def test_a_reference_gives_the_array_itself_and_is_told_from_a_tensor():
    constants, array = Constants(), np.arange(3.0)
    stands = constants.reference("a", array)
    assert stands.name == "a" and is_reference(stands) and constants.array(stands) is array
    own = tensor("a", array)
    assert not is_reference(own) and np.array_equal(constants.array(own), array)


def test_what_is_made_of_weights_is_made_once_and_they_are_let_go():
    constants = Constants()
    number = constants.add(np.ones(2))
    made = [constants.made_of("LSTM", {"W": number}, dict) for _ in range(2)]
    assert made[0] is made[1] and made[0]["W"].tolist() == [1, 1]
    with pytest.raises(KeyError):
        constants[number]


_MEASURE = """
import ctypes, gc, sys
import numpy as np
from numba_lstm.interop import onnx

def kept():
    gc.collect()
    ctypes.CDLL(None).malloc_trim(0)
    line = next(line for line in open("/proc/self/status") if line.startswith("VmRSS"))
    return int(line.split()[1]) * 1024

path, small, size = sys.argv[1], sys.argv[2], int(sys.argv[3])
x = np.zeros((2, 1, 3), np.float32)
onnx.session(small).run(None, {"x": x, "lengths": np.int32([2])})
before = kept()
session = onnx.session(path)
x = np.zeros((2, 1, 600), np.float32)
for given in ({}, {"lengths": np.int32([2])}, {"h0": np.zeros((3, 1, 600), "f4")}):
    session.run(None, {"x": x, **given})
print((kept() - before) / size)
"""


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="memory is read from /proc")
def test_a_session_keeps_the_parameters_and_their_packed_copies_and_nothing_else(tmp_path):
    large = nn.LSTM(600, 600, num_layers=3, seed=0)
    interop.save(large, tmp_path / "large.onnx")
    interop.save(nn.LSTM(3, 3, seed=0), tmp_path / "small.onnx")
    size = sum(one.numpy().nbytes for one in large.parameters())
    places = [str(tmp_path / name) for name in ("large.onnx", "small.onnx")]
    done = subprocess.run(
        [sys.executable, "-c", _MEASURE, *places, str(size)],
        capture_output=True,
        text=True,
        check=True,
    )
    print("memory by the size of the parameters:", done.stdout)
    assert float(done.stdout) < 2.5


def optional_weights(both):
    """An LSTM whose R is an optional input, and with `both` W is one, too."""
    rng = np.random.default_rng(0)
    arrays = {"w": rng.standard_normal((1, 20, 3)), "r": rng.standard_normal((1, 20, 5)) * 0.3}
    arrays = {name: value.astype("f4") for name, value in arrays.items()}
    inputs = [info("r", FLOAT, [1, 20, 5])] + [info("w", FLOAT, [1, 20, 3])] * both
    model = model_of(
        [make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=5)],
        [info("x", FLOAT, ["T", "B", 3]), *inputs],
        [info("y", FLOAT, None)],
        [tensor(name, value) for name, value in arrays.items()],
    )
    return model, arrays


@pytest.mark.parametrize("both", [False, True])
def test_weights_that_may_be_given_are_those_of_the_file_where_they_are_not(both):
    model, arrays = optional_weights(both)
    session = interop.session(model)
    x = np.random.default_rng(1).standard_normal((4, 2, 3)).astype("f4")
    wanted = session.run(None, {"x": x})[0]
    assert np.array_equal(session.run(None, {"x": x, "r": arrays["r"]})[0], wanted)
    assert np.array_equal(session.run(None, {"x": x})[0], wanted)
    other = session.run(None, {"x": x, "r": 2 * arrays["r"]})[0]
    assert not np.array_equal(other[1], wanted[1])
    if both:
        assert np.array_equal(session.run(None, {"x": x, **arrays})[0], wanted)
        assert np.array_equal(session.run(None, {"x": x, "w": arrays["w"]})[0], wanted)


def test_sessions_of_all_sets_of_optional_inputs_share_one_packed_copy(monkeypatch, tmp_path):
    from numba_lstm.interop.onnx import layer

    made, real = [], layer.make_module
    monkeypatch.setattr(layer, "make_module", lambda *a: made.append(1) or real(*a))
    interop.save(nn.LSTM(3, 5, seed=0), tmp_path / "lstm.onnx")
    session = interop.session(tmp_path / "lstm.onnx")
    x = np.ones((4, 2, 3), "f4")
    sets = [{}, {"lengths": [4, 4]}, {"h0": np.zeros((1, 2, 5), "f4")}] * 3
    with ThreadPoolExecutor(3) as pool:
        results = list(pool.map(lambda given: session.run(["y"], {"x": x, **given})[0], sets))
    assert len(made) == 1
    assert all(np.array_equal(one, results[0]) for one in results)
