"""Commands, estimators and interop under strict interpreters; odd locales, names of any bytes."""

from __future__ import annotations

import os
from pathlib import Path

import classify_tool
import forecast_tool
import pytest
from cli_tool import TEXT, TINY, together
from long_tool import LONG


def commands(text: str, table: str, sales: str, place: str) -> list[list[str]]:
    lm, classify, forecast = f"{place}/a run", f"{place}/classes", f"{place}/ahead"
    made = [
        ["train", "lm", "--data", text, *TINY, "--steps", "3", "--out", lm],
        ["train", "lm", "--resume", lm, "--steps", "5"],
        ["train", "lm", "--data", text, "--init", lm, "--steps", "2", "--batch", "4",
         "--seq-len", "8", "--level", "char", "--out", f"{place}/more", "--quiet", "--json"],
        ["sample", lm, "--prompt", "so é wan", "--unknown", "skip", "--length", "5"],
        ["evaluate", lm, "--data", text, "--json"],
        ["export", lm, f"{place}/model.safetensors"],
        ["train", "classify", *classify_tool.options(table), *classify_tool.TINY, "--epochs", "2",
         "--out", classify],
        ["train", "classify", "--resume", classify, "--epochs", "3", "--quiet"],
        ["evaluate", classify],
        ["predict", classify, "--input", table, "--output", f"{place}/classes.csv"],
        ["train", "forecast", "--csv", sales, *forecast_tool.TABLE, *forecast_tool.TINY,
         "--horizon", "5", "--folds", "2", "--epochs", "1", "--out", forecast],
        ["train", "forecast", "--resume", forecast, "--epochs", "2", "--quiet"],
        ["evaluate", forecast, "--json"],
        ["predict", forecast, "--input", sales, "--output", f"{place}/ahead.csv"],
        ["info"],
    ]  # fmt: skip
    return [[str(one) for one in args] for args in made]


def passed(commands, *about, **more):
    """Run commands in one process; all must end well."""
    ends = together(commands, *about, **more)
    for args, (code, out, err) in zip(commands, ends, strict=True):
        assert code == 0, (args, out[-500:], err[-3000:])


@pytest.fixture
def place(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    classify_tool.write_csv(tmp_path / "table.csv")
    forecast_tool.write_csv(tmp_path / "sales.csv", 80)
    return tmp_path


# What others warn of while they are imported is theirs. There are no asserts under -O.
LIBRARIES = """
import warnings
with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import numpy as np, onnx as _, onnxruntime, pandas, sklearn.model_selection, sklearn.pipeline
from numba_lstm import models, nn
from numba_lstm.estimators import LSTMClassifier, LSTMForecaster, LSTMRegressor
from numba_lstm.interop import npz, onnx, safetensors, weights
# Two epochs are few, of which scikit-learn wants a warning.
warnings.simplefilter("ignore", sklearn.exceptions.ConvergenceWarning)
onnxruntime.set_default_logger_severity(3)

rng = np.random.default_rng(0)
X = [rng.normal(size=(n, 2)) for n in (5, 7, 6, 9) * 8]
y = ["up" if x[-1, 0] > 0 else "down" for x in X]
few = dict(hidden_size=4, max_iter=2, random_state=0)
classifier = LSTMClassifier(**few, early_stopping=True).fit(X, y)
shown = [classifier.predict_proba(X), classifier.score(X, y)]
search = sklearn.model_selection.GridSearchCV(LSTMRegressor(**few), {"hidden_size": [4]}, cv=2)
shown += [search.fit(np.stack([x[:5] for x in X]), np.arange(32.0)).best_score_]
sales = pandas.Series(20 + rng.normal(size=70), pandas.date_range("2024-01-01", periods=70))
forecaster = LSTMForecaster(horizon=3, window=8, n_estimators=1, **few).fit(sales)
shown += [forecaster.predict(), *forecaster.predict_interval(), forecaster.score(sales)]
x = rng.standard_normal((4, 3, 5)).astype("f4")
for module in (nn.LSTM(5, 8, seed=0), models.SequenceClassifier(5, 8, 3, seed=0).eval()):
    onnx.save(module, "model.onnx")
    session = onnx.session("model.onnx")
    given = {one.name: x for one in session.get_inputs()[:1]}
    shown += session.run(None, given)
    found = onnxruntime.InferenceSession("model.onnx").run(None, given)
    shown += [1.0] * bool(np.abs(found[0] - shown[-len(found)]).max() < 1e-5)
    for form, name in ((npz, "model.npz"), (safetensors, "model.safetensors")):
        form.save(module.state_dict(), name)
        module.load_state_dict(form.load(name))
onnx.save(nn.LSTM(5, 8, seed=0), "model.onnx")
state = onnx.load("model.onnx").state_dict()
state = weights.from_onnx(**weights.to_onnx(weights.from_keras(weights.to_keras(state))))
shown += [weights.to_module(state)(x)[0]]
if len(shown) != 14 or not all(np.isfinite(one).all() for one in shown):
    raise SystemExit(f"not finite, or not all: {shown}")
"""


# One process may be strict in several ways: each can only refuse more. It has asserts left out only
# where warnings raise, so that each command's own asserts are run by the other process.
@pytest.mark.parametrize(
    ("options", "first", "last"),
    [
        (["-I", "-O", "-bb", "-W", "error"], "", LIBRARIES),
        ([], "import numpy; numpy.seterr(all='raise')", ""),
    ],
    ids=["isolated, no asserts, bytes are no text, warnings raise", "seterr raises"],
)
def test_every_command_runs_under_a_strict_interpreter(place, options, first, last):
    passed(commands("text.txt", "table.csv", "sales.csv", "."), place, options, first, last)


C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

ODD = [b"caf\xe9 \xff", "späte 🙂 Ж".encode(), b"-dash", b"a\nb\tc", b"%s $HOME 'q' \"d\" `x` \\n",
       b"n" * 240, b"[x]*?{a}", b"file:x", b"a=b;c#d", b"shakespeare"]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("locale", [{}, C_LOCALE], ids=["UTF-8", "C"])
def test_names_of_any_bytes_are_names(place, locale):
    args = []
    for number, name in enumerate(ODD):
        odd = Path(os.fsdecode(bytes(place) + b"/" + name))
        odd.mkdir()
        folder = str(odd)
        (odd / name[:200].decode("utf-8", "surrogateescape")).write_text(TEXT)
        text = str(odd / name[:200].decode("utf-8", "surrogateescape"))
        about = [*TINY, "--steps", "2"]
        args += [
            ["train", "lm", "--data", text, *about, "--out", f"{folder}/{'r' * 9}", "--quiet"],
            ["train", "lm", "--resume", f"{folder}/{'r' * 9}", "--steps", "3"],
            ["evaluate", f"{folder}/{'r' * 9}"],
        ]
        if number == 0 and (locale or LONG):  # UTF-8's: the two processes above run them all
            table, sales = f"{folder}/t.csv", f"{folder}/s.csv"
            classify_tool.write_csv(table)
            forecast_tool.write_csv(sales, 80)
            args += commands(text, table, sales, folder)
    passed(args, place, **locale)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("locale", [{}, C_LOCALE], ids=["UTF-8", "C"])
def test_names_of_any_bytes_are_told_in_one_line(place, locale):
    commands = [["sample", b"./" + name + b"/absent"] for name in ODD]
    for code, out, err in together(commands, place, **locale):
        assert (code, out) == (2, b"")
        assert err.startswith(b"error: ") and err.endswith(b"no such folder\n")
        assert err.count(b"\n") == 1
