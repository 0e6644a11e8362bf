"""What ``train lm`` refuses, each in one line, and what it then leaves as it was."""

from __future__ import annotations

import os
import shutil

import pytest
from cli_tool import TEXT, TINY, cli, folder, trained
from refusal_tool import refused


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """An empty folder to be in, with some files to be refused."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.txt").write_bytes(b"")
    (tmp_path / "binary.txt").write_bytes(bytes(range(256)))
    (tmp_path / "short.txt").write_text("to be")
    (tmp_path / "good.txt").write_text(TEXT)
    (tmp_path / "strange.txt").write_text("so wan \u2014 so", encoding="utf-8")
    (tmp_path / "folder").mkdir()
    (tmp_path / "options.toml").write_text("hidden = 8\nhiden = 9\n")
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "thesis.txt").write_text("mine")
    return tmp_path


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["--data", "absent.txt"], "absent.txt: no such file"),
        (["--data", "good.txt/x"], "good.txt/x: "),
        (["--data", "empty.txt"], "empty.txt: expected text, got an empty file"),
        (["--data", "binary.txt"], "binary.txt: expected"),
        (["--data", "short.txt"], "too short"),
        (["--data", "taken"], "too short"),
        (["--data", "folder"], "folder: expected a text file or a folder of *.txt files, got none"),
        (["--data", "-", "--data", "-"], "data: expected - once"),
        (
            ["--data", "good.txt", "--valid", "strange.txt"],
            "strange.txt: text: the character",
        ),
        (["--data", "good.txt", "--min-count", "999999"], "min_count: expected at most"),
        (["--data", "good.txt", "--valid", "absent.txt"], "absent.txt"),
        (["--data", "good.txt", "--hidden", "0"], "hidden: expected a whole number of at least 1"),
        (["--data", "good.txt", "--dropout", "1.5"], "dropout: expected"),
        (["--data", "good.txt", "--lr", "nan"], "lr: expected"),
        (["--data", "good.txt", "--steps", "3", "--minutes", "1"], "steps and minutes"),
        (["--data", "good.txt", "--tie-weights"], "tie_weights: expected"),
        (["--data", "good.txt", "--threads", "100000"], "threads: expected 1 to"),
        (["--data", "good.txt", "--out", "taken"], "expected a new or empty folder"),
        (["--data", "good.txt", "--out", "good.txt"], "expected a new or empty folder"),
        (["--data", "good.txt", "--out", ""], "out: expected"),
        (["--data", "good.txt", "--out", "good.txt/x/y"], "but good.txt is a file"),
        (["--hidden", "99999999999"], "hidden: expected a model that fits"),
        (["--embedding", "99999999999"], "embedding: expected a model that"),
        (
            ["--layers", "99999999999"],
            "layers: expected a whole number of at least 1 and at most 1000",
        ),
        (["--config", "options.toml"], "options.toml: hiden: no such option; did you mean hidden"),
        (["--config", "absent.toml"], "absent.toml: no such file"),
        (["--resume", "absent"], "absent: no such folder"),
        (["--resume", "taken"], "expected a run, but it has no config.toml"),
        (["--resume", "taken", "--out", "new"], "resume and out"),
        (["--seed", "-1"], "seed: expected"),
        (["--init", "absent"], "absent: no such folder"),
        (["--init", "taken"], "expected a run, but it has no config.toml"),
        (["--init", "taken", "--resume", "taken"], "resume and init: expected one of them"),
        (["--patience", "0"], "patience: expected a whole number of at least 1"),
        (["--patience", "3", "--valid-fraction", "0"], "patience: expected a run that validates"),
        (["--cell", "lstn"], "'lstn' is not one of 'lstm', 'gru', 'rnn'"),
    ],
)
def test_bad_input_is_refused_in_one_line_and_nothing_is_written(workplace, args, words):
    assert words in refused(args, workplace)


def test_an_existing_run_is_refused_and_untouched_without_resume():
    run, _ = trained()
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    data = folder() / "text.txt"
    line = cli("train", "lm", "--data", data, *TINY, "--out", run, "--steps", 1).error(2)
    assert "expected a new or empty folder" in line
    assert "--resume" in line
    assert {path.name: path.read_bytes() for path in run.iterdir()} == before


def test_a_resumed_run_refuses_another_vocabulary_and_other_options(workplace):
    run, _ = trained()
    (workplace / "other.txt").write_text(TEXT + "Zürich")
    line = refused(["--resume", run, "--data", "other.txt"], run)
    assert "'Z' (U+005A)" in line and "--init RUN begins a new run" in line
    assert "hidden: expected the run's 8, got 16" in refused(["--resume", run, "--hidden", 16], run)


def test_a_damaged_checkpoint_is_refused(tmp_path, workplace):
    run = tmp_path / "run"
    shutil.copytree(trained()[0], run)
    state = run / "resume.safetensors"
    state.write_bytes(state.read_bytes()[:-7])
    assert "resume.safetensors: expected a whole safetensors file" in refused(
        ["--resume", run], run
    )


def test_a_run_without_its_model_is_refused_when_it_is_resumed(tmp_path, workplace):
    run = shutil.copytree(trained()[0], tmp_path / "run")
    (run / "model.safetensors").unlink()
    line = refused(["--resume", run, "--steps", 14], run)
    assert line == f"error: {run}: expected a run, but it has no model.safetensors"


def test_of_several_option_files_the_later_wins_and_none_is_passed_by(workplace):
    (workplace / "one.toml").write_text("hidden = 8\nsteps = 3\nbatch = 7\n")
    (workplace / "two.toml").write_text("hidden = 0\nminutes = 2\n")
    files = ["--config", "one.toml", "--config", "two.toml"]
    assert "two.toml: hidden: expected" in refused([*files, "--data", "good.txt"], workplace)
    (workplace / "two.toml").write_text("hidden = 9\nminutes = 2\n")
    words = refused([*files, "--data", "good.txt", "--out", "taken"], workplace)
    assert "taken: expected a new or empty folder" in words


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root may write anywhere")
def test_a_folder_that_cannot_be_written_is_refused(workplace):
    workplace.chmod(0o500)
    try:
        assert "ermission" in refused(["--data", "good.txt", "--out", "new/run"], workplace)
    finally:
        workplace.chmod(0o700)
