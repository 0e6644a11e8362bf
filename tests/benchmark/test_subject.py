"""What each peer computes for a case: the same results, of every kind."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib import import_module

import numpy as np
import pytest

from numba_lstm.benchmark import ours
from numba_lstm.benchmark.arrays import make_arrays
from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.compare import disagreement
from numba_lstm.benchmark.subject import parameters

CASES = {
    "one layer": Case("a", (), 4, 3, 5, 6),
    "two layers": Case("b", (), 4, 3, 5, 6, layers=2),
    "both directions": Case("c", (), 4, 3, 5, 6, layers=2, bidirectional=True),
    "language model": Case("d", (), 4, 3, 5, 6, layers=2, vocab=9),
}
STACKS = [name for name in CASES if name != "language model"]
CELLS = {
    f"{cell}, {name}": replace(CASES[name], cell=cell)
    for cell in ("gru", "rnn")
    for name in ("one layer", "both directions")
}
NEEDS = {"torch_peer": "torch", "onnx_peer": "onnxruntime", "openvino_peer": "openvino"}


def peer(name):
    pytest.importorskip(NEEDS[name])
    if name != "torch_peer":
        pytest.importorskip("onnx")
    return import_module(f"numba_lstm.benchmark.{name}")


def both(case, kind, library, **changed):
    """Our results and theirs, theirs of changed arrays."""
    case = (CASES | CELLS)[case]
    arrays = make_arrays(case) | changed
    # In a thread of its own: onnxruntime has the thread that calls it flush denormals from then on.
    with ThreadPoolExecutor(1) as pool:
        theirs = pool.submit(lambda: library.prepare(case, kind, arrays).results()).result()
    return ours.prepare(case, kind, make_arrays(case)).results(), theirs


@pytest.mark.parametrize("case", [*STACKS, *CELLS])
@pytest.mark.parametrize("name", NEEDS)
def test_inference_agrees(name, case):
    assert disagreement(*both(case, "infer", peer(name))) is None


@pytest.mark.parametrize("case", STACKS)
def test_every_gradient_agrees_with_torch(case):
    found, theirs = both(case, "train", peer("torch_peer"))
    stack = CASES[case]
    weights = 4 * stack.layers * stack.directions
    assert len(found) == 3 + 3 + weights
    assert disagreement(found, theirs) is None


def test_a_language_model_s_step_agrees_with_torch_optimizer_included():
    found, theirs = both("language model", "step", peer("torch_peer"))
    assert found["losses"].shape == (3,)
    assert len(found) == 1 + 8 + 3
    assert disagreement(found, theirs) is None


@pytest.mark.parametrize(
    "kind, name", [("infer", "onnx_peer"), ("infer", "openvino_peer"), ("train", "torch_peer")]
)
def test_a_peer_with_another_weight_is_found_out(kind, name):
    key = "parameter/weight_hh_l0"
    weight = make_arrays(CASES["one layer"])[key].copy()
    weight[1, 2] += 0.05
    found, theirs = both("one layer", kind, peer(name), **{key: weight})
    assert disagreement(found, theirs) is not None


@pytest.mark.parametrize("what", ["LEARNING_RATE", "CLIP"])
def test_an_optimizer_that_does_something_else_is_found_out(monkeypatch, what):
    torch_peer = peer("torch_peer")
    monkeypatch.setattr(torch_peer, what, 1e-9 if what == "CLIP" else 2e-3)
    assert disagreement(*both("language model", "step", torch_peer)).startswith("losses")


def test_training_again_gives_the_same_gradients_not_their_sum():
    for library in (ours, peer("torch_peer")):
        subject = library.prepare(CASES["one layer"], "train", make_arrays(CASES["one layer"]))
        first = {name: np.array(a) for name, a in subject.results().items()}
        subject.run()
        assert disagreement(first, subject.results()) is None


def test_our_training_packs_weights_each_time_as_after_an_optimizer(monkeypatch):
    from numba_lstm.parameters.parameter import Parameter

    versions = []
    original = Parameter.packed

    def packed(self, key, make):
        versions.append(self.version)
        return original(self, key, make)

    monkeypatch.setattr(Parameter, "packed", packed)
    subject = ours.prepare(CASES["one layer"], "train", make_arrays(CASES["one layer"]))
    subject.run()
    first = set(versions)
    versions.clear()
    subject.run()
    assert versions and min(versions) > max(first)


def test_parameters_go_by_their_own_names():
    arrays = {"parameter/lstm.weight": np.ones(2), "x": np.ones(3)}
    assert list(parameters(arrays)) == ["lstm.weight"]
