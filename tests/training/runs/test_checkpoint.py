"""Run folders: whole or absent, and everything in them comes back."""

from __future__ import annotations

import json
import os
import re

import numpy as np
import pytest

from numba_lstm.interop import safetensors
from numba_lstm.training.lm.config import merge
from numba_lstm.training.runs import checkpoint as module
from numba_lstm.training.runs.checkpoint import Checkpoint, Run, RunError

CONFIG = merge(("", {"steps": 5, "hidden": 8, "threads": 2}))
VOCABULARY = {"level": "char", "tokens": ["\n", "é", "\U0001f600"]}


def make_checkpoint(step=3, value=1.5):
    rng = np.random.default_rng(0)
    return Checkpoint(
        model={"a.w": np.full((2, 3), value, np.float32), "a": rng.normal(size=4)},
        optimizer={"lr": 0.1, "state": {0: {"m": rng.normal(size=3), "t": 7}}, "list": [None, 1]},
        random={"drop.rng": {"state": {"state": 2**127 + 1}}},
        state=(np.ones((1, 2, 3), np.float32), np.zeros((1, 2, 3), np.float32)),
        counters={"step": step, "best_loss": None, "seconds": 0.1 + 0.2},
    )


def same(one, two):
    if isinstance(one, np.ndarray):
        return one.dtype == two.dtype and np.array_equal(one, two)
    if isinstance(one, dict):
        return list(one) == list(two) and all(same(one[k], two[k]) for k in one)
    if isinstance(one, list | tuple):
        return type(one) is type(two) and all(same(a, b) for a, b in zip(one, two, strict=True))
    return one == two and type(one) is type(two)


@pytest.fixture
def run(tmp_path):
    return Run.create(tmp_path / "deep" / "run", CONFIG, VOCABULARY, make_checkpoint())


def test_everything_comes_back_with_its_types(run):
    assert same(vars(Run(run.path).load()), vars(make_checkpoint()))
    assert run.beside() == VOCABULARY
    assert same(dict(sorted(run.model().items())), dict(sorted(make_checkpoint().model.items())))
    assert list(run.metrics()) == []


@pytest.mark.parametrize("state", [None, np.ones((1, 2, 3), np.float32)])
def test_no_state_and_that_of_one_array_come_back(run, state):
    fresh = make_checkpoint()
    fresh.state = state
    run.save(fresh)
    assert same(run.load().state, state)


def test_the_config_is_the_resolved_one_without_the_machines_threads(run):
    assert "threads" not in (run.path / "config.toml").read_text()
    assert run.config({"threads": 2}) == CONFIG
    assert run.config({"minutes": 1.0}).steps is None


def test_equal_checkpoints_make_equal_bytes(run):
    before = {p.name: p.read_bytes() for p in run.path.iterdir()}
    run.save(make_checkpoint())
    run.save_model(make_checkpoint().model)
    assert {p.name: p.read_bytes() for p in run.path.iterdir()} == before


def test_a_new_run_is_complete_and_leaves_nothing_beside_it(run):
    names = {"config.toml", "vocab.json", "metrics.jsonl", "model.safetensors"}
    assert {p.name for p in run.path.iterdir()} == {*names, "resume.safetensors"}
    assert os.listdir(run.path.parent) == ["run"]


def test_a_failure_while_a_run_is_made_leaves_no_folder(tmp_path, monkeypatch):
    def full(self, checkpoint):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "save", full)
    with pytest.raises(OSError, match="No space"):
        Run.create(tmp_path / "run", CONFIG, VOCABULARY, make_checkpoint())
    assert os.listdir(tmp_path) == []


def test_what_exists_is_refused_and_untouched_but_an_empty_folder_serves(tmp_path):
    taken, file, empty = tmp_path / "taken", tmp_path / "file", tmp_path / "empty"
    taken.mkdir()
    (taken / "notes").write_text("mine")
    file.write_text("mine")
    for path in (taken, file):
        with pytest.raises(RunError, match="expected a new or empty folder"):
            Run.create(path, CONFIG, VOCABULARY, make_checkpoint())
    assert os.listdir(taken) == ["notes"]
    assert file.read_text() == "mine"
    empty.mkdir()
    assert Run.create(empty, CONFIG, VOCABULARY, make_checkpoint()).load().counters["step"] == 3


def test_a_new_name_is_another_where_a_run_has_it_and_a_failure_leaves_no_folder(
    tmp_path, monkeypatch
):
    about = CONFIG, VOCABULARY, make_checkpoint()
    made = [Run.create_new(tmp_path / "runs" / "lm", *about).path.name for _ in range(2)]
    assert made == ["lm", "lm-2"]

    def full(self, checkpoint):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Run, "save", full)
    with pytest.raises(OSError, match="No space"):
        Run.create_new(tmp_path / "runs" / "lm", *about)
    assert sorted(os.listdir(tmp_path / "runs")) == ["lm", "lm-2"]


def test_a_claimed_name_that_is_taken_after_all_is_given_up_for_the_next(tmp_path, monkeypatch):
    claim = module.claim

    def claim_too_late(stem):
        folder = claim(stem)
        if folder.name == "lm":
            (folder / "theirs").write_text("theirs")
        return folder

    monkeypatch.setattr(module, "claim", claim_too_late)
    run = Run.create_new(tmp_path / "lm", CONFIG, VOCABULARY, make_checkpoint())
    assert run.path.name == "lm-2"
    assert os.listdir(tmp_path / "lm") == ["theirs"]


def test_a_parameter_that_is_not_finite_is_never_saved(run):
    before = (run.path / "resume.safetensors").read_bytes()
    for value in (np.nan, np.inf):
        with pytest.raises(FloatingPointError):
            run.save(make_checkpoint(step=4, value=value))
    assert (run.path / "resume.safetensors").read_bytes() == before


def test_rewinding_drops_later_metrics_and_half_written_files(run):
    for step in (1, 2, 3, 4):
        run.append_metrics({"step": step, "train_loss": 0.1 * step})
    with open(run.path / "metrics.jsonl", "a") as file:
        file.write('{"step": 5, "tr')
    (run.path / ".model.safetensors.x1.new").write_bytes(b"half")
    assert [record["step"] for record in run.metrics()] == [1, 2, 3, 4]
    kept = (run.path / "metrics.jsonl").read_bytes().splitlines(keepends=True)[:3]
    run.rewind(3)
    assert (run.path / "metrics.jsonl").read_bytes() == b"".join(kept)
    assert not list(run.path.glob(".*"))


def test_damaged_folders_are_refused_by_what_is_wrong(run, tmp_path):
    with pytest.raises(RunError, match="no such folder"):
        Run(tmp_path / "absent")
    with pytest.raises(RunError, match=r"expected a run, but it has no config\.toml"):
        Run(tmp_path)
    state = run.path / "resume.safetensors"
    whole = state.read_bytes()
    state.write_bytes(whole[:-3])
    with pytest.raises(ValueError, match=r"resume\.safetensors: expected a whole"):
        run.load()
    state.write_bytes((run.path / "model.safetensors").read_bytes())
    with pytest.raises(RunError, match=r"resume\.safetensors: expected a run's state"):
        run.load()
    state.unlink()
    with pytest.raises(RunError, match=r"it has no resume\.safetensors"):
        run.load()
    (run.path / "model.safetensors").unlink()
    with pytest.raises(RunError, match=r"it has no model\.safetensors"):
        run.model()
    (run.path / "vocab.json").write_text("{")
    with pytest.raises(RunError, match=r"vocab\.json: expected JSON"):
        run.beside()
    (run.path / "metrics.jsonl").write_text(json.dumps([1]) + "\n")
    with pytest.raises(RunError, match="line 1: expected a JSON object with a step"):
        list(run.metrics())


def test_a_state_of_a_later_format_is_refused(run, monkeypatch):
    monkeypatch.setattr(module, "_FORMAT", 2)
    run.save(make_checkpoint())
    monkeypatch.undo()
    with pytest.raises(RunError, match="expected format 1, got 2"):
        run.load()


def test_a_vocabulary_of_any_characters_comes_back(tmp_path):
    strange = {"level": "char", "tokens": ["\0", "\udc80", "\ufeff", "\U0001f600"]}
    run = Run.create(tmp_path / "run", CONFIG, strange, make_checkpoint())
    assert run.beside() == strange
    assert (run.path / "vocab.json").read_bytes().isascii()


def test_arrays_are_kept_under_the_names_of_their_places():
    arrays, _ = make_checkpoint().pack()
    expected = ["model.a.w", "model.a", "optimizer.state.0.m", "state.0", "state.1"]
    assert list(arrays) == expected


def test_the_current_folder_is_a_run_by_its_name_only(run, monkeypatch):
    monkeypatch.chdir(run.path)
    assert Run(".").config() == run.config()
    with pytest.raises(RunError, match=r"^run: expected a folder's name, got ''$"):
        Run("")


def test_the_model_says_which_step_it_is_of(run):
    run.save_model(make_checkpoint().model, step=7, val_loss=1.25)
    _, metadata = safetensors.load_with_metadata(run.path / "model.safetensors")
    assert json.loads(metadata["numba_lstm"]) == {"format": 1, "step": 7, "val_loss": 1.25}


def test_a_number_that_json_does_not_have_is_refused(run):
    before = {path.name: path.read_bytes() for path in run.path.iterdir()}
    bad = make_checkpoint()
    bad.counters["seconds"] = float("nan")
    for act in (
        lambda: run.save(bad),
        lambda: run.save_model(bad.model, val_loss=float("inf")),
        lambda: run.append_metrics({"step": 1, "train_loss": float("nan")}),
    ):
        with pytest.raises(ValueError, match="not JSON compliant"):
            act()
    assert {path.name: path.read_bytes() for path in run.path.iterdir()} == before


NAMES = ("config.toml", "vocab.json", "metrics.jsonl", "model.safetensors", "resume.safetensors")


def test_what_a_link_points_to_is_never_written(run, tmp_path):
    """Somebody else's folder may have links in the place of its files."""
    outside = tmp_path / "outside"
    outside.write_text("mine")
    for act, name in (
        (lambda: run.save_model(make_checkpoint().model), "model.safetensors"),
        (lambda: run.save(make_checkpoint()), "resume.safetensors"),
        (lambda: run.write_config(CONFIG), "config.toml"),
        (lambda: run.write("results.json", "{}"), "results.json"),
    ):
        (run.path / name).unlink(missing_ok=True)
        (run.path / name).symlink_to(outside)
        act()
        assert outside.read_text() == "mine", name
        assert not (run.path / name).is_symlink()
    (run.path / "metrics.jsonl").unlink()
    (run.path / "metrics.jsonl").symlink_to(outside)
    with pytest.raises(OSError, match=r"metrics\.jsonl"):
        run.append_metrics({"step": 1})
    (run.path / "results.json").unlink()
    (run.path / "results.json").symlink_to(outside)
    outside.write_text('{"step": 1}\n')
    run.rewind(9)
    assert outside.read_text() == '{"step": 1}\n'
    assert not (run.path / "metrics.jsonl").is_symlink()


def test_a_hard_link_is_not_written_through_once_a_run_goes_on(run, tmp_path):
    (tmp_path / "mine").write_text('{"step": 1}\n')
    (run.path / "metrics.jsonl").unlink()
    os.link(tmp_path / "mine", run.path / "metrics.jsonl")
    run.rewind(9)
    run.append_metrics({"step": 2})
    assert (tmp_path / "mine").read_text() == '{"step": 1}\n'
    assert [record["step"] for record in run.metrics()] == [1, 2]


@pytest.mark.parametrize("name", [*NAMES, "results.json"])
def test_a_run_with_a_link_for_a_file_is_read_but_not_gone_on_with(run, name):
    moved = run.path.parent / "moved"
    (run.path / "results.json").write_text("{}")
    os.rename(run.path / name, moved)
    (run.path / name).symlink_to(moved)
    again = Run(run.path)
    assert same(again.load().model, make_checkpoint().model)
    with pytest.raises(RunError, match=rf"{name}: expected a file of the run's own, got a link"):
        again.require_own_files()
    (run.path / name).unlink()
    os.rename(moved, run.path / name)
    again.require_own_files()


@pytest.mark.parametrize("kind", ["fifo", "folder", "device"])
@pytest.mark.parametrize("name", NAMES)
def test_what_is_no_file_in_the_place_of_one_is_refused_at_once(run, name, kind):
    (run.path / name).unlink()
    if kind == "fifo":
        os.mkfifo(run.path / name)
    elif kind == "folder":
        (run.path / name).mkdir()
    else:
        (run.path / name).symlink_to("/dev/zero")

    def read():
        again = Run(run.path)
        return again.config(), again.beside(), again.model(), again.load(), list(again.metrics())

    with pytest.raises((RunError, IsADirectoryError), match=name):
        read()


@pytest.mark.parametrize("kind", ["fifo", "folder", "nowhere"])
@pytest.mark.parametrize("name", ["results.json", "linear.safetensors", "resume.safetensors"])
def test_what_is_no_file_is_not_an_absent_one(run, name, kind):
    """A run without these is one that has not ended, or begun."""
    path = run.path / name
    path.unlink(missing_ok=True)
    assert not run.has(name)
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    else:
        path.symlink_to(run.path / "absent")
    came = {"fifo": "a FIFO", "folder": "a folder", "nowhere": "a link that leads nowhere"}[kind]
    with pytest.raises(RunError, match=rf"^{re.escape(str(path))}: expected .*, got {came}$"):
        run.has(name)
    with pytest.raises(RunError, match=re.escape(name)):
        run.require_own_files()


@pytest.mark.parametrize("name", NAMES)
def test_a_file_of_holes_is_refused_before_it_is_read(run, name):
    with open(run.path / name, "r+b") as file:
        file.truncate(2**42)
    again = None
    with pytest.raises(ValueError, match=rf"{name}: expected at most .*, got 4,096 GiB"):
        again = Run(run.path)
        again.beside(), again.model(), again.load(), list(again.metrics())


def test_a_run_that_could_not_be_read_again_is_not_made(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_MOST_JSON", 50)
    with pytest.raises(RunError, match=r"^vocab\.json: expected at most 50 bytes, got more"):
        Run.create(tmp_path / "run", CONFIG, VOCABULARY, make_checkpoint())
    assert os.listdir(tmp_path) == []


def test_a_folder_with_the_name_of_a_half_written_file_blocks_nothing(run):
    (run.path / ".model.safetensors.x1.new").mkdir()
    (run.path / ".other.new").write_text("somebody else's")
    run.rewind(3)
    left = sorted(path.name for path in run.path.glob(".*"))
    assert left == [".model.safetensors.x1.new", ".other.new"]


def test_a_folder_that_was_moved_is_not_gone_on_with_in_another_one(run, tmp_path):
    pytest.importorskip("fcntl")
    with run.exclusive():
        os.rename(run.path, tmp_path / "moved")
        with pytest.raises(OSError, match="No such file"):
            run.save(make_checkpoint())
        run.path.mkdir()
        for act in (
            lambda: run.save(make_checkpoint()),
            lambda: run.save_model(make_checkpoint().model),
            lambda: run.append_metrics({"step": 1}),
        ):
            with pytest.raises(RunError, match="the run's folder has been moved"):
                act()
        assert os.listdir(run.path) == []
    assert len(os.listdir(tmp_path / "moved")) == 5


@pytest.mark.parametrize(
    ("tree", "words"),
    [
        ("[" * 5000 + "]" * 5000, "expected JSON nested at most 64 deep"),
        ("9" * 5000, "a number of at most 100 digits"),
        ("[]", "expected format 1, got None"),
        ('{"format": 1}', "expected a run's state"),
        ('{"format": NaN}', "finite numbers, got NaN"),
        ('{"format": {"a": 1}}', "expected format 1, got {'a': 1}"),
        ('{"format": 1, "model": 3, "optimizer": 3, "random": 3, "counters": 3, "state": null}',
         "expected a run's state"),
        ('{"format": 1, "model": {"dict": [["a", 3]]}, "optimizer": {"dict": []}, '
         '"random": {"dict": []}, "counters": {"dict": []}, "state": null}', "else than arrays"),
        ('{"format": 1, "model": {"dict": [[["a"], 3]]}}', "expected a run's state"),
        ('{"format": 1, "model": {"array": "absent"}}', "expected a run's state"),
    ],
)  # fmt: skip
def test_a_state_that_is_something_else_is_refused(run, tree, words):
    about = {"numba_lstm": tree}
    safetensors.save(make_checkpoint().model, run.path / "resume.safetensors", about)
    with pytest.raises(RunError, match=rf"resume\.safetensors: .*{words}"):
        run.load()
