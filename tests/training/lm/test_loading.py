"""A run opened from Python: its model, its words, and what is told of a folder that is none."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys

import numpy as np
import pytest
from cli_tool import environment, trained
from long_tool import LONG

import numba_lstm
from numba_lstm.training.lm import loading
from numba_lstm.training.lm.config import ConfigError, merge
from numba_lstm.training.runs.checkpoint import Run, RunError


@pytest.fixture
def path(tmp_path):
    return shutil.copytree(trained()[0], tmp_path / "run")


def test_a_run_is_opened_by_its_folders_name():
    path, result = trained()
    run = numba_lstm.load(str(path))
    assert run.path == path
    assert not run.model.training
    assert (len(run.vocabulary), run.config.hidden) == (run.model.vocab_size, 8)
    for name, array in Run(path).model().items():
        assert np.array_equal(run.model.state_dict()[name], array)
    best = min(one["val_loss"] for one in run.metrics if one["val_loss"] is not None)
    assert best == json.loads(result.out)["val_loss"]


def test_an_opened_model_reads_text():
    run = numba_lstm.load(trained()[0])
    tokens = run.vocabulary.encode("so shaken")
    logits, _ = run.model(tokens[:, None])
    assert logits.shape == (9, 1, len(run.vocabulary))


def change(path, name, before, after):
    text = (path / name).read_text()
    assert before in text
    (path / name).write_text(text.replace(before, after, 1))


@pytest.mark.parametrize(
    ("damage", "error", "words"),
    [
        (lambda path: shutil.rmtree(path), RunError, "run: no such folder"),
        (lambda path: os.unlink(path / "config.toml"), RunError, r"it has no config\.toml"),
        (lambda path: os.unlink(path / "vocab.json"), RunError, r"it has no vocab\.json"),
        (lambda path: os.unlink(path / "model.safetensors"), RunError, r"no model\.safetensors"),
        (lambda path: change(path, "config.toml", "hidden = 8", "hidden = 9"), RunError, "not fit"),
        (lambda path: change(path, "config.toml", "hidden", "hiden"), ConfigError, "mean hidden"),
        (lambda path: change(path, "vocab.json", "char", "byte"), RunError, r"vocab\.json: .*byte"),
        (
            lambda path: change(path, "vocab.json", "{", "["),
            RunError,
            "expected JSON",
        ),
        (
            lambda path: (path / "model.safetensors").write_bytes(b"none"),
            ValueError,
            r"model\.safetensors: expected a whole safetensors file",
        ),
    ],
)
def test_a_folder_that_is_no_whole_run_is_told_by_what_is_wrong(path, damage, error, words):
    damage(path)
    with pytest.raises(error, match=words):
        numba_lstm.load(path)


def test_what_is_no_folder_is_refused_by_name(tmp_path):
    with pytest.raises(TypeError, match="path: expected a folder's name, got int"):
        numba_lstm.load(3)
    (tmp_path / "file").write_text("")
    with pytest.raises(RunError, match="expected a folder, got a file"):
        numba_lstm.load(tmp_path / "file")


@pytest.mark.parametrize("pages", [2**20, -1])
def test_a_model_beyond_the_memory_is_refused_and_one_that_fits_is_not(monkeypatch, pages):
    told = {"SC_PAGE_SIZE": 4096, "SC_PHYS_PAGES": pages}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    loading.make_model(merge(("", {"hidden": 8})), 30)
    with pytest.raises(ConfigError, match="hidden: expected a model that fits in memory"):
        loading.make_model(merge(("", {"hidden": 10**8})), 30)
    words = r"min_count: .* a vocabulary of 1,000,000,000,000 tokens at min_count 2"
    with pytest.raises(ConfigError, match=words):
        loading.make_model(merge(("", {"hidden": 8, "level": "word", "min_count": 2})), 10**12)


# Kernels without docstrings are others to the cache, and compile for 13 s.
@pytest.mark.parametrize(("options", "length"), [({"-OO"}, 20 * LONG), (set(), 20)])
def test_a_run_is_opened_and_read_without_docstrings_and_in_the_posix_locale(options, length):
    code = (
        "import json, sys, numba_lstm\n"
        "from numba_lstm.models import generate_text\n"
        "run = numba_lstm.load(sys.argv[1])\n"
        "length, text = int(sys.argv[2]), ''\n"
        "if length:\n"
        "    text = ''.join(generate_text(run.model, run.vocabulary, 'so ', length, seed=1))\n"
        "print(json.dumps([text, len(run.metrics)]))"
    )
    done = subprocess.run(
        [sys.executable, *options, "-c", code, trained()[0], str(length)],
        env=environment(LC_ALL="C", PYTHONUTF8="0", PYTHONCOERCECLOCALE="0"),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    text, lines = json.loads(done.stdout)
    assert (len(text), lines) == (length, 6)
