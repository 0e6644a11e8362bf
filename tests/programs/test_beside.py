"""Programs that use torch, scikit-learn and onnxruntime beside ours, before and after, and fork."""

from __future__ import annotations

import os

import pytest
from programs_tool import run

BESIDE = """
import multiprocessing, os, signal, sys, threading
import numpy as np
from programs_tool import LIMIT, LONG, done, job

X = np.random.default_rng(0).standard_normal((400, 8, 16), dtype=np.float32)

class Torch:
    def __init__(self):
        import torch
        self.torch = torch
        torch.manual_seed(0)
        self.lstm, self.x = torch.nn.LSTM(16, 64), torch.from_numpy(X)

    def __call__(self):
        self.lstm.zero_grad()
        y, _ = self.lstm(self.x)
        y.sum().backward()
        a = self.torch.ones(400, 400)
        return float(y.detach().sum() + self.lstm.weight_hh_l0.grad.sum() + (a @ a).sum())

class ScikitLearn:
    "Its histograms are filled by threads of OpenMP."

    def __init__(self):
        from sklearn.ensemble import HistGradientBoostingClassifier
        self.make = HistGradientBoostingClassifier

    def __call__(self):
        x = X.reshape(400, 128)[:, :20]
        model = self.make(max_iter=5, random_state=0).fit(x, x[:, 0] > 0)
        return float(model.predict_proba(x).sum())

class OnnxRuntime:
    def __init__(self):
        import onnxruntime
        from numba_lstm import nn
        from numba_lstm.interop import onnx
        ours = nn.LSTM(16, 64, seed=0)
        onnx.save(ours, "lstm.onnx")
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # it would warn of initial states that may be given
        about = {"providers": ["CPUExecutionProvider"]}
        self.session = onnxruntime.InferenceSession("lstm.onnx", options, **about)
        self.name, self.expected = self.session.get_inputs()[0].name, ours(X)[0]

    def __call__(self):
        y = self.session.run(None, {self.name: X})[0]
        assert np.allclose(y, self.expected, atol=1e-5)
        return float(y.sum())

OTHERS = {"torch": Torch, "scikit-learn": ScikitLearn, "onnxruntime": OnnxRuntime}

def in_a_child(then):
    "Fork; the child calls ours only."
    child = os.fork()
    if child == 0:
        status = 1
        try:
            signal.alarm(LIMIT // 5)  # for what never ends
            then()
            status = 0
        finally:
            os._exit(status)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    assert code == 0, f"a child ended with {code}"

def ours():
    assert job() == expected

def of_the_child():
    ours()
    in_a_child(ours)
    ours()

def theirs():
    return [one() for one in others]

def beside():
    "Both at once: ours in this thread, theirs in another."
    found, stop = [], threading.Event()

    def work():
        while not stop.is_set():
            found.append(theirs())

    thread = threading.Thread(target=work, daemon=True)
    thread.start()
    calls = 0
    while calls < (10 if LONG else 4) or not found:
        ours()
        calls += 1
    stop.set()
    thread.join()
    assert np.allclose(found, said)
    return calls

if __name__ == "__main__":
    order, *names = sys.argv[1:]
    if order == "ours first":
        expected = job()
    others = [OTHERS[name]() for name in names]
    said = theirs()
    if order == "theirs first":
        expected = job()
    ours()
    assert np.allclose(theirs(), said)
    ours()
    calls = beside()
    forks = 30 if LONG else 2
    for _ in range(forks):
        in_a_child(of_the_child)
    with multiprocessing.get_context("fork").Pool(2) as pool:
        assert set(pool.map(job, range(4))) == {expected}
    assert np.allclose(theirs(), said)
    ours()
    print(f"{order}, {', '.join(names)}: {calls} calls at once, {2 * forks} forks and a pool")
    done()
"""
PACKAGES = {"torch": "torch", "scikit-learn": "sklearn", "onnxruntime": "onnxruntime"}


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.parametrize("order", ["ours first", "theirs first"])
def test_beside_torch_scikit_learn_and_onnxruntime_all_compute_on_and_children_of_a_fork_too(order):
    for package in (*PACKAGES.values(), "onnx"):
        pytest.importorskip(package)
    run(BESIDE, order, *PACKAGES, NUMBA_NUM_THREADS="2")
