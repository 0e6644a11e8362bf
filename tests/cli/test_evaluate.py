"""``evaluate`` finds the loss that training reported, and measures any text."""

from __future__ import annotations

import json
import math
import shutil

import pytest
from cli_tool import TEXT, cli, trained
from click.testing import CliRunner

from numba_lstm.cli import main
from numba_lstm.training.runs.checkpoint import Run


def evaluate(*args):
    return CliRunner().invoke(main, ["evaluate", str(trained()[0]), *map(str, args)])


def test_the_help_names_every_kind_of_run_that_it_takes():
    words = " ".join(CliRunner().invoke(main, ["evaluate", "--help"]).stdout.split())
    assert "of train lm, train classify or train forecast." in words


def test_the_runs_own_validation_text_gives_the_reported_loss():
    result = cli("evaluate", trained()[0], "--json")
    assert (result.code, result.err) == (0, "")
    figures = json.loads(result.out)
    assert figures["loss"] == json.loads(trained()[1].out)["val_loss"]
    assert figures["perplexity"] == pytest.approx(math.exp(figures["loss"]))
    assert figures["bits_per_token"] == pytest.approx(figures["loss"] / math.log(2))
    assert figures["tokens"] == len(TEXT) - int(0.9 * len(TEXT)) - 1
    assert (figures["unknown_tokens"], figures["unknown_share"]) == (0, 0.0)
    assert figures["known_loss"] == figures["loss"]


@pytest.mark.parametrize("batch", [1, 7])
def test_a_loss_does_not_depend_on_the_runs_batch(tmp_path, batch):
    run = tmp_path / "run"
    shutil.copytree(trained()[0], run)
    text = (run / "config.toml").read_text()
    assert "batch = 4\n" in text
    (run / "config.toml").write_text(text.replace("batch = 4\n", f"batch = {batch}\n"))
    (tmp_path / "other.txt").write_text("we pant for peace, so wan we are")
    args = ["--data", tmp_path / "other.txt", "--json"]
    here = CliRunner().invoke(main, ["evaluate", str(run), *map(str, args)])
    figures, expected = json.loads(here.stdout), json.loads(evaluate(*args).stdout)
    assert figures["tokens"] == expected["tokens"]
    assert figures["loss"] == pytest.approx(expected["loss"], rel=1e-6)


def test_any_text_in_the_vocabulary_can_be_measured(tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("we pant for peace")
    result = evaluate("--data", path)
    assert result.exit_code == 0
    assert {line.split()[0] for line in result.stdout.splitlines()} == {
        "loss",
        "perplexity",
        "bits_per_token",
        "tokens",
    }
    assert result.stdout.split()[-1] == "16"


def test_a_strange_character_ends_nothing_where_it_may_be_left_out(tmp_path):
    path = tmp_path / "other.txt"
    path.write_text("we pant \u2014 for peace\n", encoding="utf-8")
    refused = evaluate("--data", path)
    assert refused.exit_code == 2
    assert "U+2014" in refused.stderr
    assert "--unknown skip" in refused.stderr
    figures = json.loads(evaluate("--data", path, "--unknown", "skip", "--json").stdout)
    assert (figures["tokens"], figures["skipped"]) == (18, 1)
    assert evaluate("--data", path, "--unknown", "skip").stdout.split()[-2:] == ["skipped", "1"]
    no_such = evaluate("--data", path, "--unknown", "token")
    assert no_such.exit_code == 2
    assert "trained with --unknown token" in no_such.stderr


def test_several_texts_are_measured_as_one(tmp_path):
    (tmp_path / "1.txt").write_text("we pant for peace\n")
    (tmp_path / "2.txt").write_text("so wan are we")
    for data in (
        ["--data", tmp_path],
        ["--data", tmp_path / "1.txt", "--data", tmp_path / "2.txt"],
    ):
        assert json.loads(evaluate(*data, "--json").stdout)["tokens"] == 18 + 13 - 1
    args = ["evaluate", str(trained()[0]), "--data", "-", "--json"]
    piped = CliRunner().invoke(main, args, input="we pant for peace\nso wan are we")
    assert piped.stdout == evaluate("--data", tmp_path, "--json").stdout


def test_of_a_run_that_has_not_ended_it_says_so(tmp_path):
    run = shutil.copytree(trained()[0], tmp_path / "run")
    told = (
        "note: the run has not ended: it was interrupted, or is being trained; this is the best of "
        "its models so far\n"
    )
    opened = Run(run)
    state = opened.load()
    for ended, words in ((4, told), (None, told), (state.counters["step"], "")):
        state.counters["ended_step"] = ended
        opened.save(state)
        result = CliRunner().invoke(main, ["evaluate", str(run), "--json"])
        assert (result.exit_code, result.stderr) == (0, words)
        assert json.loads(result.stdout)["tokens"] > 0
    del state.counters["ended_step"]  # of an older version
    opened.save(state)
    assert CliRunner().invoke(main, ["evaluate", str(run)]).stderr == ""
    (run / "resume.safetensors").write_bytes(b"damaged")  # what is evaluated is whole
    assert CliRunner().invoke(main, ["evaluate", str(run)]).exit_code == 0


def test_what_tells_how_a_table_is_read_is_refused_for_a_language_model():
    result = evaluate("--id", "who")
    assert result.exit_code == 2 and result.stdout == ""
    assert "id: expected a run of a classifier or of a forecaster, got one of" in result.stderr
    assert "a language model" in result.stderr


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Z\xc3\xbcrich", "is not in the vocabulary"),
        (b"", "empty"),
        (b"s", "too short"),
        (b"\x00\x01", "expected text"),
    ],
)
def test_bad_text_is_refused_by_the_files_name(tmp_path, content, words):
    path = tmp_path / "other.txt"
    path.write_bytes(content)
    result = evaluate("--data", path, "--json")
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert words in line
    assert "other.txt" in line
