"""Classes of a user's own are written by functions of theirs."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import onnx as interop
from numba_lstm.interop.onnx import export_modules

pytest.importorskip("onnx")


@pytest.fixture(autouse=True)
def forgotten(monkeypatch):
    """What a test registers is gone after it."""
    monkeypatch.setattr(export_modules, "_REGISTERED", {})


class Tagger(nn.Module):
    """Two parts and a parameter of its own, which is added to the logits."""

    def __init__(self):
        self.rnn = nn.LSTM(3, 5, bidirectional=True, seed=0)
        self.head = nn.Linear(10, 4, seed=1)
        self.shift = nn.Parameter(np.arange(4, dtype="f4"))

    def __call__(self, x, lengths=None):
        y, _ = self.rnn(x, lengths=lengths)
        return self.head(y) + self.shift.numpy()


def write_tagger(graph, module, prefix, x):
    y = interop.add(graph, module.rnn, f"{prefix}rnn.", x)
    logits = interop.add(graph, module.head, f"{prefix}head.", y)
    shift = graph.parameter(f"{prefix}shift", module.shift)
    return graph.node("Add", [logits, shift], logits.shape)


class Swish(nn.Module):
    def __call__(self, x):
        return x / (1 + np.exp(-x))


def write_swish(graph, module, prefix, x):
    return graph.node("Mul", [x, graph.node("Sigmoid", [x], x.shape)], x.shape)


def run(path, **given):
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return session.run(None, given)[0], interop.session(path).run(None, given)[0]


def test_a_module_of_parts_is_written_with_lengths(tmp_path, rng):
    interop.register(Tagger, write_tagger, size=lambda module: module.rnn.input_size, sequence=True)
    tagger, path = Tagger(), tmp_path / "tagger.onnx"
    interop.save(tagger, path)
    x = rng.standard_normal((6, 2, 3)).astype("f4")
    for given in ({}, {"lengths": np.int32([6, 2])}):
        for found in run(path, x=x, **given):
            np.testing.assert_allclose(found, tagger(x, **given), atol=2e-6)


def test_a_module_stands_in_others_and_tells_no_size_if_it_has_none(tmp_path, rng):
    interop.register(Swish, write_swish)
    model = nn.Sequential(nn.Linear(3, 5, seed=0), Swish(), nn.Linear(5, 2, seed=1))
    interop.save(model, tmp_path / "model.onnx")
    x = rng.standard_normal((2, 3)).astype("f4")
    for found in run(tmp_path / "model.onnx", x=x):
        np.testing.assert_allclose(found, model(x), atol=2e-6)
    with pytest.raises(ValueError, match="shape: expected that of x"):
        interop.save(Swish(), tmp_path / "swish.onnx")
    interop.save(Swish(), tmp_path / "swish.onnx", shape=("n", 3))
    for found in run(tmp_path / "swish.onnx", x=x):
        np.testing.assert_allclose(found, Swish()(x), atol=1e-6)


def test_subclasses_are_written_alike_unless_they_call_otherwise(tmp_path):
    interop.register(Swish, write_swish)
    same = type("Same", (Swish,), {})
    interop.save(same(), tmp_path / "same.onnx", shape=("n",))
    other = type("Other", (Swish,), {"__call__": lambda self, x: x})
    with pytest.raises(TypeError, match=r"Other, which .*interop\.onnx\.register takes"):
        interop.save(other(), tmp_path / "other.onnx", shape=("n",))


def test_a_class_without_a_way_names_register(tmp_path):
    with pytest.raises(
        TypeError, match=r"1: expected one of .* got Swish; interop\.onnx\.register"
    ):
        interop.save(nn.Sequential(nn.Linear(3, 5), Swish()), tmp_path / "model.onnx")


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ((nn.Linear(1, 1), write_swish), "cls: expected a subclass of Module, got Linear"),
        ((int, write_swish), "cls: expected a subclass of Module, got <class 'int'>"),
        ((Swish, 3), "write: expected a function, got int"),
    ],
)
def test_other_arguments_are_refused_by_name(arguments, words):
    with pytest.raises(TypeError, match=words):
        interop.register(*arguments)
    with pytest.raises(TypeError, match="size: expected a function, got int"):
        interop.register(Swish, write_swish, size=3)
