"""What type checkers in strict mode say of a user's programs."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import numba_lstm

ROOT = Path(numba_lstm.__file__).parents[1]

RIGHT = """
import numpy as np
from numba_lstm import losses, nn, optim, testing
from numba_lstm.typing import Array, ArrayLike, ArrayPullback

class Halve(nn.Module):
    def __call__(self, x: ArrayLike) -> Array:
        return np.multiply(x, 0.5)

    def vjp(self, x: ArrayLike) -> tuple[Array, ArrayPullback]:
        def pullback(dy: ArrayLike | None) -> Array:
            return np.multiply(0.0 if dy is None else dy, 0.5)
        return self(x), pullback

lstm = nn.LSTM(10, 20, num_layers=2, dropout=0.3, bidirectional=True, seed=0)
head, halve = nn.Linear(40, 3, seed=1), Halve()
optimizer = optim.Adam([*lstm.parameters(), *head.parameters()], lr=1e-2)
x = np.random.default_rng(0).standard_normal((5, 4, 10))

(y, (hn, cn)), lstm_back = lstm.vjp(x)
logits, head_back = head.vjp(y[-1])
halved, halve_back = halve.vjp(logits)
loss, dlogits = losses.cross_entropy(halved, [0, 1, 2, 0])
dy = np.zeros_like(y)
dy[-1] = head_back(halve_back(dlogits))
dx, (dh0, dc0) = lstm_back(dy, (np.zeros_like(hn), None))
optim.clip_grad_norm_(lstm.parameters(), 1.0)
optimizer.step()
optimizer.zero_grad()
print(loss, dx.shape, dh0.shape, dc0.mean(), cn.mean(), lstm.bias_hh_l1_reverse.shape)
lstm.weight_ih_l0[...] = 0.1
y, (hn, cn), cells = lstm.eval()(x, (hn, cn), return_cells=True)
lstm.load_state_dict(lstm.state_dict())
y, states = nn.GRU(10, [20, 30], dtype="float64")(x)
print([state.shape for state in states], cells.shape)
(h, c), cell_back = nn.LSTMCell(10, 20).vjp(x[0])
dx, (dh, dc) = cell_back((h, None))
model = nn.Sequential(nn.Embedding(65, 16), nn.Dropout(0.2), nn.Linear(16, 2))
blocks = nn.ModuleList(nn.Linear(4, 4, dtype="float64") for _ in range(2))
heads = nn.ModuleDict({"a": nn.LayerNorm(4), "b": nn.ReLU()})
for block in blocks.append(nn.Tanh()):
    testing.gradcheck(block, np.ones((2, 4)), tolerance=1e-6)
print(heads["a"].eval(), nn.LayerNorm(4, bias=False)(np.ones((2, 4))).mean())
print(model([[1, 2]]).shape, dh.shape, dc.shape, len(model[1:]))
"""

# Each line of these is a mistake, and what it is stands in what mypy and pyright say of it.
SETTING = """
import numpy as np
from numba_lstm import interop, load, losses, models, nn, optim, training
x = np.zeros((5, 1, 10), np.float32)
lstm, gru, head, cell = nn.LSTM(10, 20), nn.GRU(10, 20), nn.Linear(20, 3), nn.LSTMCell(10, 20)
y, (h, c) = lstm(x)
pullback = lstm.vjp(x)[1]
"""
WRONG = {
    'nn.LSTM("a", 20)': "str|Literal",
    "nn.LSTM(10, 20, droput=0.3)": "droput",
    "nn.GRU(10, 20, zonout=0.3)": "zonout",
    "nn.RNN(10, 20, sed=0)": "sed",
    "nn.LSTMCell(10, 20, sed=0)": "sed",
    "head(x, 3)": "positional|Too many",
    "lstm.weight_ih_l0.nmupy()": "nmupy",
    "lstm.weight_ih_l0 = x": "Parameter",
    "lstm.hiden_size + 1": "Parameter",
    "lstm(x, h)": "",
    "lstm(x)[1].mean()": "mean",
    "y.maen()": "maen",
    "h.maen()": "maen",
    "gru(x)[1].maen()": "maen",
    "gru.vjp(x)[1](y)[0].maen()": "maen",
    "gru.step(x[0])[0].maen()": "maen",
    "cell(x[0])[1].maen()": "maen",
    "pullback(y, h)": "",
    "pullback(y)[1][1].maen()": "maen",
    "nn.Banana": "Banana",
    "nn.init.unifrm_": "unifrm_",
    "models.LanguageModel(65, 16, 32, sed=1)": "sed",
    "models.LanguageModel(65, 16, 32)([[1]])[0].maen()": "maen",
    'models.LanguageModel(65, 16, 32, cel="gru")': "cel",
    "models.LanguageModel(65, 16, 32).stack.vpj + 1": "Parameter",
    'load("run").modle': "modle",
    'load("run").model([[1]])[0].maen()': "maen",
    "load(3)": "int|Literal",
    "training.lop": "lop",
    "interop.safetensor": "safetensor",
    "losses.mse(y, y)[1].maen()": "maen",
    "losses.mse(y, y, with_gradients=True)": "",
    "optim.Adam(3)": "int|Literal",
    "next(head.parameters()).nmupy()": "nmupy",
    "head.weight.version()": "int",
    "nn.LayerNorm(4, esp=1e-3)": "esp",
    "nn.LayerNorm(4)(y).maen()": "maen",
    "nn.ReLU(0.1)": "positional|Too many",
    "nn.Tanh().vjp(y)[1](y).maen()": "maen",
    "nn.ModuleList([3])": "int",
    'nn.ModuleDict({"a": nn.ReLU()})["a"].forward_()': "forward_",
}


def scripts(folder: Path) -> None:
    (folder / "right.py").write_text(RIGHT)
    (folder / "wrong.py").write_text(SETTING + "".join(f"{line}\n" for line in WRONG))


def check(said: dict[str, list[tuple[int, str]]]) -> None:
    """Compare what a checker said, by file and line, with the mistakes that there are."""
    assert said.pop("right.py", []) == []
    first = len(SETTING.splitlines()) + 1
    lines = [line for line, _ in said["wrong.py"]]
    assert all(line >= first for line in lines), said
    for number, (statement, word) in enumerate(WRONG.items(), first):
        found = [text for line, text in said["wrong.py"] if line == number]
        assert found, f"nothing was said of {statement}"
        assert re.search(word, "\n".join(found)), f"{statement}: {found}"


def test_mypy_finds_the_mistakes_and_passes_the_right_program(tmp_path):
    pytest.importorskip("mypy")
    scripts(tmp_path)
    environment = dict(os.environ)
    if "site-packages" not in ROOT.parts:  # mypy finds what is installed itself
        environment["MYPYPATH"] = str(ROOT)
    # Silent, as mypy is about packages that are installed.
    options = ["--strict", "--follow-imports=silent", "--cache-dir=.cache", "--config-file="]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *options, "right.py", "wrong.py"],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 1, done.stdout + done.stderr
    said: dict[str, list[tuple[int, str]]] = {}
    for file, line, text in re.findall(r"^(.+?):(\d+): error: (.*)$", done.stdout, re.M):
        said.setdefault(file, []).append((int(line), text))
    check(said)


def test_pyright_finds_the_mistakes_and_passes_the_right_program(tmp_path):
    pytest.importorskip("pyright")
    pyright = [sys.executable, "-m", "pyright"]
    version = subprocess.run([*pyright, "--version"], capture_output=True, text=True)
    if version.returncode:
        pytest.skip(f"pyright cannot run here; pyright[nodejs] brings node: {version.stderr}")
    scripts(tmp_path)
    settings = {"typeCheckingMode": "strict", "extraPaths": [str(ROOT)]}
    # A statement that only looks something up is no mistake here.
    settings["reportUnusedExpression"] = False
    (tmp_path / "pyrightconfig.json").write_text(json.dumps(settings))
    done = subprocess.run(
        [*pyright, "--outputjson", "--pythonpath", sys.executable],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    report = json.loads(done.stdout)
    assert report["summary"]["filesAnalyzed"] == 2
    said: dict[str, list[tuple[int, str]]] = {}
    for entry in report["generalDiagnostics"]:
        line = entry["range"]["start"]["line"] + 1
        said.setdefault(Path(entry["file"]).name, []).append((line, entry["message"]))
    check(said)


def test_the_right_program_runs():
    done = subprocess.run([sys.executable, "-c", RIGHT], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
