"""A run begins, goes on and is read, or is refused before anything is written."""

from __future__ import annotations

import os

import numpy as np
import pytest

import numba_lstm
from numba_lstm.training.lm import loading
from numba_lstm.training.lm.config import ConfigError, merge
from numba_lstm.training.progress import Progress
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import RunError

TEXT = "so shaken as we are, so wan with care,\nfind we a time.\n" * 3


@pytest.fixture
def config(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    options = {"hidden": 8, "embedding": 6, "batch": 2, "seq_len": 5, "steps": 4}
    return merge(("", {"data": str(tmp_path / "text.txt"), **options}))


@pytest.fixture
def run(config, tmp_path):
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    return run


def snapshot(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def test_files_are_remembered_from_the_root(config, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    _, run = session.start(merge(("", {**config.values(), "data": "text.txt"})), "run")
    assert run.config().data == str(tmp_path / "text.txt")


def test_a_finished_run_resumed_is_as_it_was(run):
    before = snapshot(run.path)
    trainer, again = session.resume(run.path)
    trainer.run(again)
    assert trainer.counters.step == 4
    assert snapshot(run.path) == before


def test_going_on_drops_the_lines_that_a_killed_process_left(run):
    run.append_metrics({"step": 5, "train_loss": 1.0})
    (run.path / ".model.safetensors.x1.new").write_bytes(b"half")
    session.resume(run.path, {"steps": 9})
    assert [record["step"] for record in run.metrics()] == [4]
    assert not list(run.path.glob(".*.new"))


def test_a_run_can_be_made_longer(run):
    trainer, again = session.resume(run.path, {"steps": 9})
    trainer.run(again)
    assert [record["step"] for record in run.metrics()] == [4, 9]
    assert run.config().steps == 9


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        ({"hidden": 9}, "hidden: expected the run's 8, got 9"),
        ({"seed": 1}, "seed: expected the run's 0, got 1"),
        ({"steps": 9, "minutes": 1.0}, "steps and minutes"),
        ({"data": "absent.txt"}, r"absent\.txt"),
    ],
)
def test_a_resumed_run_cannot_become_another(run, flags, words):
    before = snapshot(run.path)
    with pytest.raises((ConfigError, OSError), match=words):
        session.resume(run.path, flags)
    assert snapshot(run.path) == before


def test_the_same_value_again_is_no_change_and_the_text_may_move(run, tmp_path):
    moved = tmp_path / "moved.txt"
    os.rename(tmp_path / "text.txt", moved)
    trainer, _ = session.resume(run.path, {"hidden": 8, "data": str(moved)})
    assert trainer.config.data == str(moved)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (TEXT + "Q", "the character 'Q' .* --init RUN begins a new run"),
        (TEXT[:-20] + TEXT[:20], "expected the text .* got another; --init RUN begins a new run"),
        (TEXT[:-20], "got another"),
        ("so we " + TEXT, "got another"),
    ],
)
def test_a_text_that_changed_is_refused(run, tmp_path, text, words):
    (tmp_path / "text.txt").write_text(text)
    before = snapshot(run.path)
    with pytest.raises(ValueError, match=words):
        session.resume(run.path)
    assert snapshot(run.path) == before


def test_a_validation_text_that_changed_is_named(config, tmp_path):
    (tmp_path / "valid.txt").write_text(TEXT[:60])
    options = {**config.values(), "valid": str(tmp_path / "valid.txt")}
    del options["valid_fraction"]
    run = session.start(merge(("", options)), tmp_path / "run")[1]
    (tmp_path / "valid.txt").write_text(TEXT[:70])
    with pytest.raises(ConfigError, match=r"^valid: .*valid\.txt: .* validates on, got another"):
        session.resume(run.path)
    (tmp_path / "text.txt").write_text(TEXT[10:])
    with pytest.raises(ConfigError, match=r"^data: .*text\.txt: .* got another"):
        session.resume(run.path)


def test_a_run_of_an_older_version_goes_on_and_its_text_may_grow_from_then_on(run, tmp_path):
    checkpoint = run.load()
    for name in ("windows", "text_length", "text_digest", "valid_digest", "since_best"):
        del checkpoint.counters[name]
    del checkpoint.counters["best_known_loss"]
    checkpoint.counters["best_loss"] = 9.0  # its way of measuring was another
    run.save(checkpoint)
    trainer, again = session.resume(run.path, {"steps": 5})
    assert trainer.counters.position == 4
    trainer.run(again)
    assert trainer.counters.best_loss < 9.0
    (tmp_path / "text.txt").write_text(TEXT + TEXT)
    assert session.resume(run.path, {"steps": 6})[0].task.data.grown_by == len(TEXT)


class Told(Progress):
    """Keeps the lines that stay."""

    def __init__(self):
        super().__init__(quiet=True)
        self.lines = []

    def note(self, text):
        self.lines.append(text)


@pytest.mark.parametrize("how", ["appended", "another file"])
def test_a_text_that_has_grown_is_gone_on_with_and_a_line_says_so(run, tmp_path, how):
    more = "we are so wan, a time with care.\n" * 9
    flags = {"steps": 9}
    if how == "appended":
        (tmp_path / "text.txt").write_text(TEXT + more)
    else:
        (tmp_path / "more.txt").write_text(more)
        flags["data"] = [str(tmp_path / "text.txt"), str(tmp_path / "more.txt")]
    told, kept = Told(), run.model()
    trainer, again = session.resume(run.path, flags, told)
    (line,) = told.lines
    assert f"{len(more)} characters longer than before" in line
    assert trainer.task.streams.position % len(trainer.task.streams) == 0
    assert trainer.task.data.train.size > len(TEXT)
    # The best so far is judged by what validates now.
    model = numba_lstm.load(run.path).model
    expected = trainer.task._evaluate(model, trainer.task.data.valid)
    losses = []
    loop = trainer._loop
    trainer._loop = lambda: (losses.append(trainer.counters.best_loss), loop())
    trainer.run(again)
    assert losses == [expected.loss]
    assert trainer.counters.step == 9
    if trainer.counters.best_step == 4:
        assert all(np.array_equal(again.model()[name], array) for name, array in kept.items())
    # From here on it is a run of that text, which resumes to the same bits.
    before, told = snapshot(run.path), Told()
    trainer, again = session.resume(run.path, progress=told)
    trainer.run(again)
    assert (told.lines, snapshot(run.path)) == ([], before)


def test_passes_over_a_text_that_has_grown_are_counted_on(config, tmp_path):
    config = merge(("", {**config.values(), "steps": None, "epochs": 2}))
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    before = len(trainer.task.streams)
    assert trainer.counters.step == 2 * before
    (tmp_path / "text.txt").write_text(TEXT * 2)
    trainer, run = session.resume(run.path, {"epochs": 3})
    assert trainer.total_steps == 2 * before + len(trainer.task.streams)
    assert trainer.summary()["epochs"] == 2
    trainer.run(run)
    assert trainer.counters.step == 2 * before + len(trainer.task.streams)
    trainer, _ = session.resume(run.path)
    assert (trainer.fraction(), trainer.summary()["epochs"]) == (1.0, 3)


def test_a_grown_text_with_a_validation_file_keeps_its_best(config, tmp_path):
    (tmp_path / "valid.txt").write_text(TEXT[:60])
    values = {k: v for k, v in config.values().items() if k != "valid_fraction"}
    config = merge(("", {**values, "valid": str(tmp_path / "valid.txt")}))
    trainer, run = session.start(config, tmp_path / "run")
    trainer.run(run)
    best = trainer.counters.best_loss
    (tmp_path / "text.txt").write_text(TEXT * 2)
    trainer, run = session.resume(run.path)
    trainer.run(run)
    assert trainer.counters.best_loss == best


@pytest.mark.parametrize("damage", ["absent", "cut"])
def test_a_run_whose_best_model_is_lost_is_not_resumed(run, damage):
    path = run.path / "model.safetensors"
    if damage == "absent":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:-1])
    before = snapshot(run.path)
    with pytest.raises(ValueError, match=r"model\.safetensors"):
        session.resume(run.path)
    assert snapshot(run.path) == before


def test_nothing_is_written_when_the_data_cannot_be_used(config, tmp_path):
    (tmp_path / "text.txt").write_text("short")
    with pytest.raises(ConfigError, match="too short"):
        session.start(config, tmp_path / "new")
    assert os.listdir(tmp_path) == ["text.txt"]


def test_a_run_that_another_trains_is_left_as_it_is(run):
    pytest.importorskip("fcntl")
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    with run.exclusive():
        with pytest.raises(RunError, match="another process is training this run"):
            session.resume(run.path)
        with pytest.raises(RunError, match="another process is training this run"), run.exclusive():
            pass
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before
    session.resume(run.path)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"layers": 3, "dtype": "float64"},
        {"hidden": 6, "tie_weights": True},
        {"layers": 2, "cell": "gru"},
        {"layers": 2, "cell": "rnn"},
    ],
)
def test_the_memory_a_model_needs_is_that_of_its_parameters(config, monkeypatch, options):
    config = merge(("", {**config.values(), **options}))
    needed = sum(p.numpy().nbytes for p in loading.make_model(config, 30).parameters())
    told = {"SC_PAGE_SIZE": needed, "SC_PHYS_PAGES": 1}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    loading.make_model(config, 30)
    told["SC_PAGE_SIZE"] = needed - 1
    with pytest.raises(ConfigError, match="fits in memory"):
        loading.make_model(config, 30)


@pytest.mark.parametrize("name", ["hidden", "embedding", "layers"])
def test_of_a_model_too_large_the_greatest_size_is_named(config, monkeypatch, name):
    told = {"SC_PAGE_SIZE": 1, "SC_PHYS_PAGES": 1}
    monkeypatch.setattr(os, "sysconf", told.__getitem__, raising=False)
    with pytest.raises(ConfigError, match=rf"^{name}: expected a model that fits in memory, got 9"):
        loading.make_model(merge(("", {**config.values(), name: 9})), 30)


@pytest.mark.parametrize(
    ("name", "old", "new", "words"),
    [
        ("config.toml", "hidden = 8", "hidden = 9", "run: the state does not fit the options: "),
        ("vocab.json", '"level": "char"', '"level": "rune"', r"vocab\.json: vocabulary: expected"),
    ],
)
def test_files_that_do_not_fit_each_other_are_named(run, name, old, new, words):
    text = (run.path / name).read_text()
    assert old in text
    (run.path / name).write_text(text.replace(old, new))
    with pytest.raises(RunError, match=words):
        session.resume(run.path)


def test_a_state_that_counts_something_else_is_refused(run):
    checkpoint = run.load()
    checkpoint.counters["laps"] = 3
    run.save(checkpoint)
    with pytest.raises(RunError, match=r"the state does not fit the options: .*laps"):
        session.resume(run.path)


def test_the_progress_that_is_given_is_shown(config, tmp_path):
    progress = Progress(quiet=True)
    trainer, run = session.start(config, tmp_path / "run", progress)
    assert trainer.progress is progress
    assert session.resume(run.path, progress=progress)[0].progress is progress
