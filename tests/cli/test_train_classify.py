"""``train classify`` as people use it, and what the other commands do with its run."""

from __future__ import annotations

import csv
import functools
import json
import shutil
import signal
import tempfile
from pathlib import Path

import numpy as np
import pytest
from classify_tool import TINY, options, write_csv
from cli_tool import cli, here, start
from click.testing import CliRunner

from numba_lstm.cli import main
from numba_lstm.cli._classified import confusion_table


@functools.cache
def trained():
    """A run with a test part, and the command's result; made once."""
    folder = Path(tempfile.mkdtemp())
    data = write_csv(folder / "data.csv", 90)
    result = cli(
        "train", "classify", *options(data), *TINY, "--test-fraction", 0.2, "--epochs", 30,
        "--bidirectional", "--out", folder / "run", "--json",
    )  # fmt: skip
    assert result.code == 0, result.err
    return folder, result


def test_the_figures_are_one_json_object_and_peoples_text_is_beside_it():
    folder, result = trained()
    summary = json.loads(result.out)
    assert summary["status"] == "done"
    assert summary["run"] == str(folder / "run")
    assert {
        "steps",
        "time_steps",
        "time_steps_per_second",
        "seconds",
        "train_loss",
        "val_loss",
    } <= set(summary)
    assert not [name for name in summary if "token" in name]
    assert summary["test_accuracy"] > 0.9
    assert summary["val_accuracy"] > 0.9
    assert summary["sequences"] == {"train": 65, "valid": 7, "test": 18}
    assert f"test loss {summary['test_loss']:.4f}, accuracy" in result.err


def test_evaluate_measures_what_was_held_back_or_a_file():
    folder, result = trained()
    own = json.loads(here("evaluate", folder / "run", "--json").out)
    summary = json.loads(result.out)
    assert (own["loss"], own["accuracy"]) == (summary["test_loss"], summary["test_accuracy"])
    assert own["classes"] == ["falls", "level", "rises"]
    other = write_csv(folder / "other.csv", 30, seed=4)
    found = json.loads(here("evaluate", folder / "run", "--data", other, "--json").out)
    assert found["sequences"] == 30 and found["accuracy"] > 0.8
    people = here("evaluate", folder / "run", "--data", other)
    assert f"accuracy  {found['accuracy']:.2%} of 30 sequences" in people.out
    assert "true / found  falls  level  rises" in people.out


def test_predict_writes_a_row_for_each_sequence():
    folder, _ = trained()
    source = write_csv(folder / "new.csv", 30, seed=4, labelled=False)
    about = ["predict", folder / "run", "--input", source, "--output"]
    result = here(*about, folder / "found.csv", "--json")
    assert result.code == 0, result.err
    with open(folder / "found.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["id"] for row in rows] == [f"s{k}" for k in range(30)]
    names = ["falls", "level", "rises"]
    for row in rows:
        shares = [float(row[f"probability_{name}"]) for name in names]
        assert sum(shares) == pytest.approx(1.0, abs=1e-5)
        assert row["predicted"] == names[int(np.argmax(shares))]
    right = sum(row["predicted"] == names[k % 3] for k, row in enumerate(rows))
    assert right > 24
    told = json.loads(result.out)
    assert told["sequences"] == 30 and sum(told["predicted"].values()) == 30
    printed = here(*about, "-")
    assert printed.out == (folder / "found.csv").read_text()


def test_plot_draws_losses_and_the_confusion_matrix():
    pytest.importorskip("matplotlib")
    folder, _ = trained()
    result = here("plot", folder / "run", "-o", folder / "run.svg")
    assert result.code == 0, result.err
    picture = (folder / "run.svg").read_text()
    assert picture.startswith("<?xml")
    (folder / "run" / "results.json").rename(folder / "kept.json")
    try:
        assert here("plot", folder / "run", "-o", folder / "bare.svg").code == 0
    finally:
        (folder / "kept.json").rename(folder / "run" / "results.json")
    assert len((folder / "bare.svg").read_text()) < len(picture)


def test_evaluating_on_changed_data_is_refused(tmp_path):
    folder, _ = trained()
    run = shutil.copytree(folder / "run", tmp_path / "run")
    changed = write_csv(tmp_path / "data.csv", 91)
    text = (run / "config.toml").read_text()
    (run / "config.toml").write_text(text.replace(str(folder / "data.csv"), str(changed)))
    result = CliRunner().invoke(main, ["evaluate", str(run)])
    assert (result.exit_code, result.stdout) == (2, "")
    assert f"error: data: {changed} has changed since the run; give --data" in result.stderr


def test_what_was_inferred_is_told_on_standard_error(tmp_path):
    folder, _ = trained()
    comma = write_csv(tmp_path / "comma.csv", 30, seed=4)
    data = tmp_path / "semicolon.csv"
    data.write_text(comma.read_text().replace(",", ";"))
    note = f"note: {data}: separated by ';'"
    about = ["--epochs", 1, "--out", tmp_path / "run"]
    made = here("train", "classify", *options(data), *TINY, *about, "--json")
    assert note in made.err.splitlines() and json.loads(made.out)["status"] == "done"
    found = here("evaluate", folder / "run", "--data", data, "--json")
    assert note in found.err.splitlines() and json.loads(found.out)["sequences"] == 30
    told = here("predict", folder / "run", "--input", data, "--output", "-")
    assert note in told.err.splitlines() and told.out.startswith("id,predicted,")
    assert "note:" not in here("evaluate", folder / "run", "--data", comma).err


def test_a_table_of_other_columns_is_evaluated_and_predicted(tmp_path):
    folder, _ = trained()
    source = write_csv(tmp_path / "other.csv", 30, seed=4)
    text = source.read_text().replace("series,when,up,down,kind", "who,at,up,down,what")
    source.write_text(text.replace(",", "|"))
    told = ["--id", "who", "--time", "at", "--delimiter", "|"]
    about = ["--data", source, *told, "--label", "what", "--json"]
    measured = here("evaluate", folder / "run", *about)
    assert json.loads(measured.out)["sequences"] == 30, measured.err
    written = here("predict", folder / "run", "--input", source, *told, "--output", "-")
    assert len(written.out.splitlines()) == 31, written.err


def test_the_confusion_tables_rows_are_lines():
    table = confusion_table([[1, 0], [2, 3]], ("a\nb", "c"))
    assert [line.split() for line in table.splitlines()] == [
        ["true", "/", "found", "a\\nb", "c"],
        ["a\\nb", "1", "0"],
        ["c", "2", "3"],
    ]


def test_an_interrupted_run_is_saved_and_resumed(tmp_path):
    data = write_csv(tmp_path / "data.csv")
    run = tmp_path / "run"
    about = ["train", "classify", *options(data), *TINY, "--steps", 100_000, "--log-every", 1]
    process = start(*about, "--out", run, "--quiet", "--json")
    while not (run / "metrics.jsonl").is_file() or not (run / "metrics.jsonl").read_text():
        assert process.poll() is None, process.communicate()
        signal.sigtimedwait([], 0.05)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130, err
    summary = json.loads(out)
    assert summary["status"] == "interrupted"
    assert "note: the run has not ended: it was interrupted" in cli("evaluate", run).err
    assert f"go on: numba-lstm train classify --resume {run}" in err
    more = ["--steps", summary["steps"] + 3, "--json", "--quiet"]
    resumed = here("train", "classify", "--resume", run, *more)
    assert resumed.code == 0, resumed.err
    assert json.loads(resumed.out)["steps"] == summary["steps"] + 3


def test_options_come_from_a_file(tmp_path):
    data = write_csv(tmp_path / "data.csv")
    file = tmp_path / "options.toml"
    file.write_text('kind = "classify"\nhidden = 4\nepochs = 2\nid = "series"\nlabel = "kind"\n')
    about = ["train", "classify", "--config", file, "--data", data, "--time", "when"]
    result = here(*about, "--out", tmp_path / "run", "--json", "--quiet")
    assert result.code == 0, result.err
    assert "hidden = 4\n" in (tmp_path / "run" / "config.toml").read_text()
    again = here("train", "lm", "--config", tmp_path / "run" / "config.toml")
    assert "kind: expected lm, got 'classify'" in again.error(2)


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["train", "classify"], "data: expected a file of sequences (--data FILE), got nothing"),
        (["train", "classify", "--data", "absent.csv", "--id", "a"], "absent.csv"),
        (["train", "classify", "--resume", "RUN", "--hidden", 9], "hidden: expected the run's 8"),
        (["train", "classify", "--pooling", "sum"], "--pooling"),
        (["train", "lm", "--resume", "RUN"], "expected a run of train lm, got one of train clas"),
        (["train", "lm", "--init", "RUN"], "expected a run of train lm, got one of train clas"),
        (["sample", "RUN"], "expected a run of train lm, got one of train classify"),
        (["evaluate", "RUN", "--unknown", "skip"], "unknown: expected a run of a language model"),
        (["evaluate", "RUN", "--data", "a", "--data", "b"], "data: expected one file of sequences"),
        (["evaluate", "RUN", "--id", "who"], "id: expected with a file (--data) only"),
        (["predict", "RUN", "--input", "absent.csv", "--output", "x.csv"], "absent.csv"),
        (["predict", "RUN", "--input", "DATA", "--output", "x.xlsx"], "output: expected a .csv"),
        (["predict", "RUN", "--input", "DATA", "--output", "no/x.csv"], "output: expected a file"),
        (["predict", "RUN", "--input", "DATA", "--output", "-", "--json"], "output: expected a f"),
    ],
)
def test_wrong_usage_is_one_line_and_code_2(args, words):
    folder, _ = trained()
    places = {"RUN": folder / "run", "DATA": folder / "data.csv"}
    # In this process: what is refused needs no kernels.
    result = CliRunner().invoke(main, [str(places.get(arg, arg)) for arg in args])
    assert (result.exit_code, result.stdout) == (2, "")
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ") and words in line


def test_predicting_with_a_language_model_is_refused(tmp_path):
    from cli_tool import trained as trained_lm

    run = trained_lm()[0]
    about = ["--input", "x.csv", "--output", "y.csv"]
    assert "expected a run of train classify" in here("predict", run, *about).error(2)


@pytest.mark.parametrize("link", [None, Path.symlink_to, Path.hardlink_to])
def test_predict_does_not_write_over_what_it_reads(tmp_path, link):
    folder, _ = trained()
    data = write_csv(tmp_path / "data.csv")
    before, output = data.read_bytes(), data
    if link is not None:
        output = tmp_path / "other.csv"
        link(output, data)
    told = here("predict", folder / "run", "--input", data, "--output", output)
    assert "output: expected another file than the one that is read" in told.error(2)
    assert data.read_bytes() == before


def test_predict_and_plot_do_not_write_over_the_runs_files(tmp_path):
    folder, _ = trained()
    data, inside = write_csv(tmp_path / "data.csv"), folder / "run" / "metrics.jsonl"
    before = inside.read_bytes()
    for name, args in (("x.csv", ["predict", "--input", data]), ("x.png", ["plot"])):
        (tmp_path / name).symlink_to(inside)
        told = here(args[0], folder / "run", *args[1:], "--output", tmp_path / name)
        assert "output: expected another file than the run's own metrics.jsonl" in told.error(2)
    assert inside.read_bytes() == before
