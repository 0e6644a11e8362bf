"""``train lm`` in real processes: results, signals, kills, resuming."""

from __future__ import annotations

import json
import signal
import time
import tomllib

import pytest
from cli_tool import TEXT, TINY, cli, folder, here, start, trained
from click.testing import CliRunner
from refusal_tool import refused

from numba_lstm.cli import main


@pytest.fixture
def text_file():
    return folder() / "text.txt"


def train(text_file, run, *more, **options):
    """In this process: a few of these tests show that another one does the same."""
    return here("train", "lm", "--data", text_file, *TINY, "--out", run, *more, **options)


def losses(run):
    """The metrics without what depends on the clock."""
    lines = (run / "metrics.jsonl").read_text().splitlines()
    records = [json.loads(line) for line in lines]
    return [{k: v for k, v in record.items() if k != "seconds"} for record in records]


def wait_for_step(process, run, step):
    """Wait until a running process has logged a step."""
    path = run / "metrics.jsonl"
    deadline = time.monotonic() + 240
    while time.monotonic() < deadline:
        assert process.poll() is None, process.communicate()[1]
        if path.exists() and path.read_text().count("\n") >= step:
            return
        time.sleep(0.005)
    process.kill()
    raise AssertionError("the run did not get there")


def test_json_is_the_only_output_and_a_run_is_all_its_files():
    run, result = trained()
    assert result.code == 0, result.err
    assert result.out.count("\n") == 1
    summary = json.loads(result.out)
    assert summary["run"] == str(run)
    assert summary["steps"] == 12
    assert summary["tokens"] == 12 * 4 * 8
    assert summary["tokens_per_second"] == pytest.approx(summary["tokens"] / summary["seconds"])
    assert summary["train_loss"] > 0
    assert summary["val_loss"] == min(r["val_loss"] for r in losses(run) if r["val_loss"])
    assert [record["step"] for record in losses(run)] == [3, 4, 6, 8, 9, 12]
    names = {"config.toml", "vocab.json", "metrics.jsonl", "model.safetensors"}
    assert {path.name for path in run.iterdir()} == {*names, "resume.safetensors"}
    # The people's text, a sample among it, goes to the other stream.
    assert "step 12" in result.err
    assert "a sample:" in result.err


def test_two_runs_of_one_config_are_equal_for_any_number_of_threads(tmp_path, text_file):
    run, _ = trained()
    result = cli(
        "train", "lm", "--config", run / "config.toml", "--out", tmp_path / "run", "--threads", 1,
        "--quiet",
    )  # fmt: skip
    assert (result.code, result.out, result.err) == (0, "", "")
    assert losses(tmp_path / "run") == losses(run)
    for name in ("model.safetensors", "vocab.json", "config.toml"):
        assert (tmp_path / "run" / name).read_bytes() == (run / name).read_bytes(), name


def test_killed_and_interrupted_and_resumed_equals_uninterrupted(tmp_path, text_file):
    """A kill -9, then Ctrl-C, then SIGTERM, and still the same bits."""
    steps = ["--steps", 4000, "--valid-every", 100, "--log-every", 1, "--quiet"]
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    uninterrupted = train(text_file, whole, *steps, "--json")
    assert uninterrupted.code == 0, uninterrupted.err

    process = start("train", "lm", "--data", text_file, *TINY, *steps, "--out", parts)
    wait_for_step(process, parts, 250)
    process.kill()
    process.communicate()
    reached = len(losses(parts))
    assert reached >= 250
    for signum, code in ((signal.SIGINT, 130), (signal.SIGTERM, 143)):
        process = start("train", "lm", "--resume", parts, "--json", "--quiet")
        reached += 60
        wait_for_step(process, parts, reached)
        asked = time.monotonic()
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert time.monotonic() - asked < 2.0
        assert process.returncode == code, err
        summary = json.loads(out)
        assert summary["status"] == "interrupted"
        assert summary["steps"] == len(losses(parts)) < 4000
        assert "saved at step" in err
        reached = summary["steps"]

    resumed = cli("train", "lm", "--resume", parts, "--json", "--quiet")
    assert resumed.code == 0, resumed.err
    for name in ("model.safetensors", "vocab.json", "config.toml"):
        assert (parts / name).read_bytes() == (whole / name).read_bytes(), name
    assert losses(parts) == losses(whole)
    one, two = json.loads(uninterrupted.out), json.loads(resumed.out)
    for key in ("steps", "tokens", "train_loss", "val_loss", "best_step", "last_val_loss"):
        assert one[key] == two[key], key


@pytest.mark.parametrize("between_steps", [True, False])
def test_an_interrupted_run_tells_the_step_that_is_on_disk(
    tmp_path, text_file, monkeypatch, between_steps
):
    from numba_lstm.training.interrupt import Interrupted
    from numba_lstm.training.runs import trainer as run_loop

    step = run_loop.RunTrainer._step

    def stop_after_six(self):
        step(self)
        if self.counters.step == 6:
            if not between_steps:
                raise Interrupted(signal.SIGINT)
            self.interrupts._heard = signal.SIGINT

    monkeypatch.setattr(run_loop.RunTrainer, "_step", stop_after_six)
    options = ["--steps", 12, "--valid-every", 4, "--out", tmp_path / "run", "--quiet", "--json"]
    args = ["train", "lm", "--data", text_file, *TINY, *options]
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == 130
    (line,) = result.stderr.splitlines()
    saved = 6 if between_steps else 4
    assert line.startswith(f"interrupted: saved at step {saved}; go on: numba-lstm train lm")
    summary = json.loads(result.stdout)
    assert (summary["status"], summary["steps"]) == ("interrupted", saved)
    assert summary["tokens"] == saved * 4 * 8


def test_a_resumed_run_at_its_end_says_that_nothing_was_trained(tmp_path, text_file):
    about = ["train", "lm", "--resume", tmp_path / "run"]
    assert (
        here(
            "train", "lm", "--data", text_file, *TINY, "--steps", 3, "--out", tmp_path / "run"
        ).code
        == 0
    )
    assert "nothing was trained" not in here(*about, "--steps", 4).err
    result = here(*about)
    assert result.code == 0
    told = "nothing was trained: the run had come to its end before; a greater --steps, --epochs or"
    assert result.err.count(told) == 1 and "--patience" not in result.err


def test_a_run_whose_patience_ended_goes_on_with_more_of_it_only(tmp_path, text_file):
    # With so high a learning rate no validation is better than the first one.
    about = ["--steps", 40, "--valid-every", 1, "--patience", 1, "--lr", 9, "--clip", 1000]
    run = tmp_path / "run"
    first = here("train", "lm", "--data", text_file, *TINY, *about, "--out", run, "--json")
    steps = json.loads(first.out)["steps"]
    assert steps < 40, first.err
    result = here("train", "lm", "--resume", run, "--steps", 50)
    (line,) = [line for line in result.err.splitlines() if "nothing was trained" in line]
    assert line == (
        "nothing was trained: no better validation in the last 1; a greater --patience goes on"
    )
    more = here("train", "lm", "--resume", run, "--steps", 50, "--patience", 99, "--json")
    assert json.loads(more.out)["steps"] > steps


def test_an_interrupted_run_without_a_checkpoint_says_that_nothing_was_saved(
    tmp_path, text_file, monkeypatch
):
    from numba_lstm.training.interrupt import Interrupted
    from numba_lstm.training.runs import trainer as run_loop

    def lose_the_folder(self):
        (tmp_path / "run" / "resume.safetensors").unlink()
        raise Interrupted(signal.SIGINT)

    monkeypatch.setattr(run_loop.RunTrainer, "_step", lose_the_folder)
    options = ["--steps", 12, "--out", tmp_path / "run", "--quiet"]
    args = ["train", "lm", "--data", text_file, *TINY, *options]
    result = CliRunner().invoke(main, list(map(str, args)))
    assert (result.exit_code, result.stdout) == (130, "")
    assert result.stderr == "interrupted: nothing was saved\n"


def test_a_run_out_of_patience_says_so_and_is_done(tmp_path, text_file):
    # Without a learning rate to speak of no validation is better than the first.
    run, options = tmp_path / "run", ["--steps", 50, "--valid-every", 2, "--lr", 1e-30]
    result = train(text_file, run, *options, "--patience", 3)
    assert result.code == 0, result.err
    assert "trained 8 steps" in result.out
    assert "stopped early: no better validation in the last 3" in result.out
    again = here("train", "lm", "--resume", run, "--patience", 5, "--json", "--quiet")
    told = json.loads(again.out)
    assert (told["steps"], told["best_step"], told["stopped_early"]) == (12, 2, True)


@pytest.mark.parametrize("cell", ["gru", "rnn"])
def test_a_run_of_another_cell_is_trained_resumed_evaluated_and_sampled(tmp_path, text_file, cell):
    run = tmp_path / "run"
    result = train(text_file, run, "--cell", cell, "--steps", 6, "--json", "--quiet")
    assert result.code == 0, result.err
    assert f'cell = "{cell}"' in (run / "config.toml").read_text()
    first = json.loads(result.out)["val_loss"]
    loss = json.loads(here("evaluate", run, "--json").out)["loss"]
    assert loss == pytest.approx(first, rel=1e-6)
    longer = json.loads(here("train", "lm", "--resume", run, "--steps", 20, "--json").out)
    assert longer["steps"] == 20
    assert longer["val_loss"] < first
    assert len(here("sample", run, "--prompt", "so ", "--length", 9).out) == 13
    other = "gru" if cell == "rnn" else "lstm"
    assert f"cell: expected the run's {cell}, got {other}" in refused(
        ["--resume", run, "--cell", other], tmp_path
    )


def test_a_run_begins_with_anothers_weights_on_a_text_with_new_letters(tmp_path):
    run, new = trained()[0], tmp_path / "new.txt"
    new.write_text("Zwölf Boxkämpfer jagen Viktor quer über den Sylter Deich.\n" * 6)
    options = ["--data", new, "--init", run, "--out", tmp_path / "run", "--quiet"]
    sizes = ["--batch", 4, "--seq-len", 8, "--steps", 12]
    result = here("train", "lm", *options, *sizes, "--json")
    assert result.code == 0, result.err
    text = (tmp_path / "run" / "config.toml").read_text()
    assert f'init = "{run}"' in text and "hidden = 8" in text
    sampled = here("sample", tmp_path / "run", "--prompt", "find Zwölf", "--length", 5)
    assert sampled.out.startswith("find Zwölf")
    # On its old text, before it has learnt anything else, it is as good as it was.
    options = ["--init", run, "--data", folder() / "text.txt", "--out", tmp_path / "same"]
    same = here(
        "train", "lm", *options, *sizes[:4], "--steps", 1, "--lr", 1e-9, "--json", "--quiet"
    )
    before = json.loads(here("evaluate", run, "--json").out)["loss"]
    assert json.loads(same.out)["val_loss"] == pytest.approx(before, rel=1e-4)


def test_a_run_whose_text_has_grown_says_so_and_goes_on(tmp_path):
    text = tmp_path / "text.txt"
    text.write_text(TEXT)
    run = tmp_path / "run"
    assert train(text, run, "--steps", 4, "--quiet").code == 0
    text.write_text(TEXT + "find we a time with care.\n")
    result = here("train", "lm", "--resume", run, "--steps", 8, "--json")
    assert result.code == 0, result.err
    assert f"data: {text}: 26 characters longer than before" in result.err
    assert json.loads(result.out)["steps"] == 8


def test_a_diverged_loss_exits_3_and_keeps_the_last_good_checkpoint(tmp_path, text_file):
    run = tmp_path / "run"
    result = train(
        text_file, run, "--steps", 300, "--lr", 1e39, "--optimizer", "sgd", "--clip", 0,
        "--warmup", 0, "--dropout", 0, "--json",
    )  # fmt: skip
    assert result.code == 3
    assert json.loads(result.out)["status"] == "diverged"
    assert "error: diverged: " in result.err.splitlines()[-1]
    assert "Traceback" not in result.err
    assert here("evaluate", run, "--json").code == 0


def test_minutes_bound_the_time_and_a_word_model_trains(tmp_path, text_file):
    result = train(
        text_file, tmp_path / "run", "--minutes", 0.02, "--level", "word", "--min-count", 2,
        "--layers", 2, "--embedding", 8, "--tie-weights", "--valid-fraction", 0.2,
    )  # fmt: skip
    assert result.code == 0, result.err
    assert "validation loss" in result.out
    assert "a sample:" in result.out
    assert "minutes = 0.02" in (tmp_path / "run" / "config.toml").read_text()
    assert 1.2 <= losses_seconds(tmp_path / "run") < 4.0


def test_unknown_words_are_told_with_the_loss_on_known_ones(tmp_path, text_file):
    (tmp_path / "valid.txt").write_text("so wan a zebra as we are, so wan a zebra")
    args = ["--level", "word", "--valid", tmp_path / "valid.txt", "--steps", 2, "--json"]
    result = train(text_file, tmp_path / "run", *args)
    summary = json.loads(result.out)
    assert summary["val_unknown_share"] == pytest.approx(2 / 11)
    line = f"unknown; on the others the loss is {summary['val_known_loss']:.4f}"
    assert "of its tokens 18.2% are " + line in result.err
    measured = json.loads(here("evaluate", tmp_path / "run", "--json").out)
    assert (measured["unknown_tokens"], measured["tokens"]) == (2, 11)
    assert measured["unknown_share"] == summary["val_unknown_share"]
    assert measured["known_loss"] == summary["val_known_loss"] != measured["loss"]
    (told,) = [
        line for line in here("evaluate", tmp_path / "run").out.splitlines() if "known_l" in line
    ]
    assert told.split() == ["known_loss", f"{measured['known_loss']:.4f}"]


def test_several_texts_and_a_folder_and_a_pipe_train_alike(tmp_path, text_file):
    texts = tmp_path / "texts"
    texts.mkdir()
    half = len(TEXT) // 2 // 82 * 82
    (texts / "1.txt").write_text(TEXT[:half])
    (texts / "2.txt").write_text(TEXT[half:])
    options = [*TINY, "--steps", 3, "--quiet"]
    for name, data, piped in (
        ("one", ["--data", text_file], None),
        ("two", ["--data", texts / "1.txt", "--data", texts / "2.txt"], None),
        ("folder", ["--data", texts], None),
        ("pipe", ["--data", "-"], TEXT.encode()),
    ):
        args = ["train", "lm", *data, *options, "--out", tmp_path / name]
        result = CliRunner().invoke(main, list(map(str, args)), input=piped)
        assert (result.exit_code, result.output) == (0, ""), name
        model = (tmp_path / name / "model.safetensors").read_bytes()
        assert model == (tmp_path / "one" / "model.safetensors").read_bytes(), name
    config = tomllib.loads((tmp_path / "two" / "config.toml").read_text())
    assert config["data"] == [str(texts / "1.txt"), str(texts / "2.txt")]
    for run, piped, code in (("two", None, 0), ("pipe", TEXT, 0), ("pipe", TEXT + "x", 2)):
        args = ["train", "lm", "--resume", str(tmp_path / run), "--quiet"]
        assert CliRunner().invoke(main, args, input=piped).exit_code == code


def test_a_prepared_corpus_trains_and_samples_lines(tmp_path):
    (tmp_path / "corpus.txt").write_text(" we do n't <unk> 1 @,@ 000 \n" * 40)
    args = ["--level", "whitespace", "--steps", 60, "--lr", 0.05, "--json"]
    result = train(tmp_path / "corpus.txt", tmp_path / "run", *args)
    assert result.code == 0, result.err
    assert json.loads(result.out)["val_unknown_share"] == pytest.approx(1 / 8, abs=0.01)
    assert "\nwe do n't <unk> 1 @,@ 000\n" in result.err
    told = json.loads((tmp_path / "run" / "vocab.json").read_text())
    assert told["level"] == "whitespace"
    figures = json.loads(here("evaluate", tmp_path / "run", "--json").out)
    assert figures["loss"] == json.loads(result.out)["val_loss"]


def test_what_a_validation_text_has_too_much_is_left_out_and_told(tmp_path, text_file):
    (tmp_path / "valid.txt").write_text("so wan \u2014 so \u00e9 wan", encoding="utf-8")
    args = ["--valid", tmp_path / "valid.txt", "--unknown", "skip", "--steps", 2, "--json"]
    result = train(text_file, tmp_path / "run", *args)
    assert json.loads(result.out)["val_skipped"] == 2
    assert "2 characters of the validation text were left out" in result.err


@pytest.mark.parametrize(("place", "code"), [("make_model", 2), ("_step", 1)])
def test_a_lack_of_memory_names_the_vocabulary_and_what_makes_it_smaller(
    tmp_path, text_file, monkeypatch, place, code
):
    from numba_lstm.training.lm import session as text_session
    from numba_lstm.training.runs import trainer as run_loop

    def ask_too_much(*_, **__):
        raise MemoryError("Unable to allocate 398 MiB")

    owner = text_session if place == "make_model" else run_loop.RunTrainer
    monkeypatch.setattr(owner, place, ask_too_much)
    options = [*TINY, "--level", "word", "--steps", 1, "--quiet", "--out", tmp_path / "run"]
    args = ["train", "lm", "--data", text_file, *options]
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == code
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: not enough memory: Unable to allocate 398 MiB, with a vocab")
    assert "vocabulary of 23 tokens" in line
    assert "--min-count above 1" in line


def losses_seconds(run):
    return json.loads((run / "metrics.jsonl").read_text().splitlines()[-1])["seconds"]


def test_a_new_run_without_a_name_gets_one_that_nothing_has(tmp_path, text_file):
    result = cli(
        "train", "lm", "--data", text_file, *TINY, "--steps", 1, "--json", "--quiet", cwd=tmp_path
    )
    assert result.code == 0, result.err
    (made,) = (tmp_path / "runs").iterdir()
    assert json.loads(result.out)["run"] == str(made.relative_to(tmp_path))
    assert made.name.startswith("lm-")
