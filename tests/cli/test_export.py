"""``export`` writes a run's model for other programs."""

from __future__ import annotations

import json
import sys
import types

import classify_tool
import forecast_tool
import numpy as np
import pytest
from cli_tool import here, trained
from click.testing import CliRunner
from safetensors import safe_open

import numba_lstm
from numba_lstm import interop, training
from numba_lstm.cli import main
from numba_lstm.interop import safetensors
from numba_lstm.text.vocabulary import vocabulary_from_json


def export(*args):
    return CliRunner().invoke(main, ["export", str(trained()[0]), *map(str, args)])


def test_a_models_parameters_are_written_as_safetensors(tmp_path):
    out = tmp_path / "model.safetensors"
    result = export(out)
    assert result.exit_code == 0, result.stderr
    assert result.stdout == f"wrote {out} (safetensors, {out.stat().st_size:,} bytes)\n"
    expected = numba_lstm.load(trained()[0]).model.state_dict()
    found = safetensors.load(out)
    assert found.keys() == expected.keys()
    assert all(np.array_equal(found[name], expected[name]) for name in expected)


def test_torch_takes_the_file(tmp_path):
    torch = pytest.importorskip("torch")
    torch_files = pytest.importorskip("safetensors.torch")
    export(tmp_path / "weights", "--format", "safetensors")
    arrays = torch_files.load_file(tmp_path / "weights")
    theirs = torch.nn.LSTM(6, 8)
    theirs.load_state_dict(
        {name.removeprefix("lstm."): v for name, v in arrays.items() if name.startswith("lstm.")}
    )


def test_json_is_one_object(tmp_path):
    out = tmp_path / "m.safetensors"
    result = here("export", trained()[0], out, "--json")
    assert (result.code, result.err) == (0, "")
    assert json.loads(result.out) == {
        "file": str(out),
        "format": "safetensors",
        "bytes": out.stat().st_size,
    }


def fake_onnx(monkeypatch, save):
    room = types.ModuleType("numba_lstm.interop.onnx")
    room.save = save
    monkeypatch.setitem(sys.modules, "numba_lstm.interop.onnx", room)
    monkeypatch.setattr(interop, "onnx", room, raising=False)


def test_onnx_is_written_by_its_own_room(tmp_path, monkeypatch):
    saved = []

    def save(module, path, metadata):
        saved.append(module)
        open(path, "wb").close()

    fake_onnx(monkeypatch, save)
    result = export(tmp_path / "model.onnx")
    assert result.exit_code == 0, result.stderr
    assert result.stdout.endswith("model.onnx (onnx, 0 bytes)\n")
    (module,) = saved
    assert isinstance(module, numba_lstm.models.LanguageModel) and not module.training


def test_a_package_that_is_missing_is_one_line(tmp_path, monkeypatch):
    def save(module, path, metadata):
        raise ImportError("onnx is not installed: pip install 'numba_lstm[onnx]'")

    fake_onnx(monkeypatch, save)
    result = export(tmp_path / "model.onnx")
    assert result.exit_code == 2
    assert result.stderr == "error: onnx is not installed: pip install 'numba_lstm[onnx]'\n"


def test_onnxruntime_runs_what_was_exported(tmp_path):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("numba_lstm.interop.onnx")
    result = export(tmp_path / "model.onnx")
    assert result.exit_code == 0, result.stderr
    onnxruntime.InferenceSession(tmp_path / "model.onnx", providers=["CPUExecutionProvider"])


@pytest.fixture(scope="module")
def classifier(tmp_path_factory):
    """A run of ``train classify``, and the sequences of its data."""
    folder = tmp_path_factory.mktemp("classifier")
    data = classify_tool.write_csv(folder / "data.csv")
    args = [*classify_tool.options(data), *classify_tool.TINY, "--steps", "2"]
    done = here("train", "classify", *args, "--out", folder / "run")
    assert done.code == 0, done.err
    return folder / "run"


def test_a_classifier_says_what_its_numbers_mean(classifier, tmp_path):
    out = tmp_path / "m.safetensors"
    assert here("export", classifier, out).code == 0
    with safe_open(out, "numpy") as file:
        data = json.loads(file.metadata()["data"])
    assert data["columns"] == ["up", "down"] and data["classes"] == ["falls", "level", "rises"]
    expected = training.load_classifier(classifier).model.state_dict()
    assert all(np.array_equal(a, expected[name]) for name, a in safetensors.load(out).items())


def test_an_exported_classifier_scores_alike_in_onnxruntime(classifier, tmp_path):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    out = tmp_path / "m.onnx"
    assert here("export", classifier, out).code == 0
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    data = json.loads(session.get_modelmeta().custom_metadata_map["data"])
    x = np.array(classify_tool.sequences(1)[0][0])  # (T, I)
    x = ((x - data["mean"]) / data["scale"]).astype("f4")[:, None]
    expected = training.load_classifier(classifier).model(x)
    np.testing.assert_allclose(session.run(["logits"], {"x": x})[0], expected, atol=2e-6)


def test_an_exported_forecaster_says_the_same_in_onnxruntime(tmp_path):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    data = forecast_tool.write_csv(tmp_path / "data.csv", 120)
    about = ["--csv", data, *forecast_tool.TABLE, "--horizon", 5, "--folds", 2, "--epochs", 1]
    run = tmp_path / "run"
    done = here("train", "forecast", *about, *forecast_tool.TINY, "--out", run)
    assert done.code == 0, done.err
    out = tmp_path / "m.onnx"
    assert here("export", run, out).code == 0
    session = onnxruntime.InferenceSession(out, providers=["CPUExecutionProvider"])
    told = json.loads(session.get_modelmeta().custom_metadata_map["forecast"])
    assert told["inputs"] == {"x": ["sales"]} and list(told["series"]) == [""]
    assert session.get_inputs()[0].shape == [told["window"], "batch", 1]
    x = np.random.default_rng(0).normal(size=(told["window"], 2, 1)).astype("f4")
    expected = training.load_forecaster(run).model(x)
    np.testing.assert_allclose(session.run(["y"], {"x": x})[0], expected, atol=4e-6)
    refused = here("export", run, run / "linear.safetensors")
    assert "the run's own linear.safetensors" in refused.error(2)


def test_a_language_model_brings_its_vocabulary(tmp_path):
    out = tmp_path / "m.safetensors"
    assert export(out).exit_code == 0
    with safe_open(out, "numpy") as file:
        found = vocabulary_from_json(json.loads(file.metadata()["vocab"]))
    assert found.to_json() == numba_lstm.load(trained()[0]).vocabulary.to_json()


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["model.bin"], "OUT: expected a name that ends in .safetensors or .onnx, or --format"),
        (["-", "--format", "onnx"], "OUT: expected a file's name, got '-'"),
        (["absent/m.safetensors"], "OUT: expected a file in an existing folder"),
        ([".", "--format", "safetensors"], "OUT: expected a file, got the folder '.'"),
        (["m", "--format", "keras"], "'keras' is not one of"),
    ],
)
def test_what_cannot_be_written_is_refused(tmp_path, monkeypatch, args, words):
    monkeypatch.chdir(tmp_path)
    result = export(*args)
    assert result.exit_code == 2
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and words in line


def test_the_runs_own_files_are_not_written_over(classifier):
    for name in ("resume.safetensors", "config.toml", "data.json"):
        before = (classifier / name).read_bytes()
        done = here("export", classifier, classifier / name, "--format", "safetensors")
        assert done.code == 2 and f"the run's own {name}" in done.err
        assert (classifier / name).read_bytes() == before


def test_a_run_that_is_none_is_refused(tmp_path):
    result = CliRunner().invoke(main, ["export", str(tmp_path), str(tmp_path / "m.safetensors")])
    assert result.exit_code == 2 and result.stderr.startswith("error: ")
