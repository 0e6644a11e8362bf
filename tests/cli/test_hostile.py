"""Files that somebody else made, given to the commands: one line, soon, and in little memory."""

from __future__ import annotations

import json
import os
import resource
import shutil
import subprocess

import forecast_tool
import numpy as np
import pytest
from cli_tool import COMMAND, TEXT, TINY, environment, folder, together, trained
from click.testing import CliRunner

from numba_lstm.cli import main
from numba_lstm.interop import safetensors

#: What importing everything and a tiny run take is less than 1 GiB of addresses.
ROOM = 3 << 30


@pytest.fixture
def run(tmp_path):
    return shutil.copytree(trained()[0], tmp_path / "run")


@pytest.fixture
def ahead(tmp_path):
    """A finished run of ``train forecast``."""
    return shutil.copytree(forecast_tool.trained(folder())[0], tmp_path / "ahead")


def refused(*args, code=2):
    """The one line with which a command ends, in this process."""
    result = CliRunner().invoke(main, list(map(str, args)))
    return line_of((result.exit_code, result.stdout, result.stderr), args, code)


def line_of(end, args, code=2):
    found, out, err = end
    assert (found, out) == (code, ""), (args, out, err)
    (line,) = err.splitlines()
    assert line.startswith("error: ")
    return line


def bounded(*commands):
    """The one line of each command, in a process of their own that can have little memory."""
    first = f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({ROOM}, {ROOM}))"
    ends = together(commands, first=first, NUMBA_NUM_THREADS="1")
    return [
        line_of((code, out.decode(), err.decode()), args)
        for args, (code, out, err) in zip(commands, ends)
    ]


def piped(*args, stdin, seconds=60):
    """The one line of a command that reads a pipe and can have little memory."""
    done = subprocess.run(
        [*COMMAND, *map(str, args)],
        stdin=stdin,
        env=environment(NUMBA_NUM_THREADS="1"),
        capture_output=True,
        text=True,
        timeout=seconds,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (ROOM, ROOM)),
    )
    return line_of((done.returncode, done.stdout, done.stderr), args)


def contents(path):
    return {file.name: file.read_bytes() for file in path.iterdir() if file.is_file()}


# -- data without end -----------------------------------------------------------------------------


def test_a_device_is_no_file(tmp_path, run, ahead):
    text, new, commands = folder() / "text.txt", tmp_path / "new", []
    for name in ("/dev/zero", "/dev/urandom"):
        begin = ["train", "lm", "--out", new, *TINY]
        commands += [
            ["train", "lm", "--resume", name],
            [*begin, "--data", name],
            *([*begin, "--data", text, one, name] for one in ("--valid", "--config", "--init")),
            ["train", "forecast", "--csv", name, "--horizon", 5, "--time", "day", "--out", new],
            ["predict", ahead, "--input", name, "--output", new],
            ["evaluate", ahead, "--data", name],
        ]
    for args, line in zip(commands, bounded(*commands)):
        assert "/dev/zero" in line or "/dev/urandom" in line, args
    assert not new.exists()


def test_a_pipe_without_end_is_left(tmp_path):
    with open("/dev/zero", "rb") as endless:
        about = ["--data", "-", "--out", tmp_path / "run", *TINY]
        line = piped("train", "lm", *about, stdin=endless)
    assert line == "error: standard input: expected text, got binary: a NUL byte at byte offset 0"
    with subprocess.Popen(["yes"], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as yes:
        line = piped("train", "lm", *about, stdin=yes.stdout)
        yes.kill()
    assert "standard input: expected at most 1,024 MiB, got more" in line or "1 GiB" in line


def test_a_fifo_is_not_waited_for(tmp_path, run, ahead):
    os.mkfifo(tmp_path / "fifo.txt")
    about = ["--out", tmp_path / "new", *TINY]
    for args in (
        ["train", "lm", "--data", tmp_path / "fifo.txt", *about],
        ["train", "lm", "--config", tmp_path / "fifo.txt", *about],
        ["evaluate", run, "--data", tmp_path / "fifo.txt"],
    ):
        assert "fifo.txt: expected an ordinary file, got a FIFO" in refused(*args)
    for name in ("config.toml", "vocab.json", "model.safetensors", "resume.safetensors"):
        shutil.move(run / name, tmp_path / "kept")
        os.mkfifo(run / name)
        assert name in refused("train", "lm", "--resume", run)
        os.unlink(run / name)
        shutil.move(tmp_path / "kept", run / name)
    os.unlink(run / "metrics.jsonl")
    os.mkfifo(run / "metrics.jsonl")
    for args in (["plot", run, "-o", tmp_path / "a.png"], ["train", "lm", "--resume", run]):
        assert "metrics.jsonl: expected an ordinary file, got a FIFO" in refused(*args)
    about = ["--input", tmp_path / "fifo.txt", "--output", tmp_path / "out.csv"]
    assert "fifo.txt: expected an ordinary file, got a FIFO" in refused("predict", ahead, *about)
    sales = forecast_tool.trained(folder())[1]
    for name in ("data.json", "model.safetensors", "linear.safetensors", "results.json"):
        shutil.move(ahead / name, tmp_path / "kept")
        os.mkfifo(ahead / name)
        assert name in refused("predict", ahead, "--input", sales, "--output", tmp_path / "out.csv")
        assert name in refused("train", "forecast", "--resume", ahead, "--epochs", "9")
        os.unlink(ahead / name)
        shutil.move(tmp_path / "kept", ahead / name)


def test_a_file_of_holes_fills_no_memory(tmp_path, run, ahead):
    picture, commands = ["-o", tmp_path / "a.png"], {}
    for of, name, command, more in (
        (run, "text.txt", "evaluate", ["--data"]),
        (run, "config.toml", "sample", []),
        (run, "vocab.json", "sample", []),
        (run, "metrics.jsonl", "plot", picture),
        (ahead, "sales.csv", "evaluate", ["--data"]),
        (ahead, "data.json", "evaluate", []),
        (ahead, "linear.safetensors", "evaluate", []),
        (ahead, "results.json", "plot", picture),
    ):
        place = shutil.copytree(of, tmp_path / f"holes in {name}")
        with open(place / name, "ab") as stream:
            stream.truncate(3 << 30)
        commands[name] = [command, place, *more, *([place / name] if "--data" in more else [])]
    for name, line in zip(commands, bounded(*commands.values())):
        assert f"{name}: " in line and "expected" in line


# -- options that ask for too much ----------------------------------------------------------------

TOO_LARGE = [
    ("hidden", 20_000, "expected a model of 1,6"),
    ("embedding", 10**7, "expected a model of "),
    ("layers", 1000, "expected a model of "),
    ("layers", 10**6, "layers: expected a whole number of at least 1 and at most 1000"),
    ("hidden", 10**90, "hidden: expected a whole number"),
    ("seed", 10**90, "seed: expected a whole number"),
    ("seq_len", 2**62, ""),  # of what only a training reads: too short a text
    ("batch", 2**62, ""),
]
TOO_LARGE_AHEAD = [
    ("config.toml", "hidden", 20_000, "expected a model of "),
    ("config.toml", "layers", 10**6, "expected a model of "),
    ("config.toml", "networks", 10**9, "expected a model of "),
    ("config.toml", "hidden", 10**90, "hidden: expected a whole number"),
    ("config.toml", "folds", 2**62, ""),  # of what only a training reads
    ("config.toml", "batch", 2**62, ""),
    ("data.json", "window", 10**9, ""),
    ("data.json", "horizon", 10**9, "expected a model of "),
    ("data.json", "targets", 10**9, "targets: expected 1 to "),
]


def with_option(folder, name, value):
    """Change one option of a run."""
    file = folder / "config.toml"
    lines = [line for line in file.read_text().splitlines() if not line.startswith(f"{name} =")]
    file.write_text("\n".join([*lines, f"{name} = {value}"]))
    return folder


def with_meaning(folder, name, value):
    """Change what a run's numbers mean."""
    file = folder / "data.json"
    found = json.loads(file.read_text())
    assert name in found
    file.write_text(json.dumps({**found, name: value}))
    return folder


def test_options_that_the_model_has_not_take_no_memory(tmp_path, run, ahead):
    sales = forecast_tool.trained(folder())[1]
    expected, before = [], {}
    for number, (name, value, words) in enumerate(TOO_LARGE):
        made = with_option(shutil.copytree(run, tmp_path / f"lm {number}"), name, value)
        before[made] = contents(made)
        expected.append((["train", "lm", "--resume", made], words))
        if words:
            expected.append((["sample", made], words))
    for number, (file, name, value, words) in enumerate(TOO_LARGE_AHEAD):
        change = with_option if file == "config.toml" else with_meaning
        made = change(shutil.copytree(ahead, tmp_path / f"forecast {number}"), name, value)
        before[made] = contents(made)
        expected.append((["train", "forecast", "--resume", made, "--epochs", 9], words))
        if words:
            about = ["--input", sales, "--output", tmp_path / "out.csv"]
            expected.append((["predict", made, *about], words))
    lines = bounded(*(args for args, _ in expected))
    for (args, words), line in zip(expected, lines):
        told = [words, "does not fit", "fits in memory"] if "--resume" in args else [words]
        assert any(one in line for one in told), (args, line)
    for made, found in before.items():
        assert contents(made) == found, made
    assert not (tmp_path / "out.csv").exists()


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("a." * 100_000 + "b = 1", "line 1: expected a key of at most 16 names"),
        ("data = " + "[" * 5000, "line 1: expected at most 64 brackets"),
        ("steps = 1\nseed = " + "9" * 5000, "line 2: expected a number of at most 100 digits"),
        ("minutes = inf", "minutes: expected a number above 0, got inf"),
        ("minutes = nan", "minutes: expected a number above 0, got nan"),
        ('data = "a\\u0000b"', r"data: expected names of texts, got 'a\x00b'"),
        ('"\\u001b[31m" = 1', r"\x1b[31m: no such option"),
        ("x" * 50_000 + " = 1", "xxx...: no such option"),
        (f"seed = '{'x' * 50_000}'", "xxx..."),
    ],
)
def test_a_file_of_options_that_nobody_would_write_is_named(tmp_path, text, words):
    (tmp_path / "options.toml").write_text(text)
    line = refused("train", "lm", "--config", tmp_path / "options.toml", "--out", tmp_path / "run")
    assert f"{tmp_path}/options.toml: " in line
    assert words in line
    assert len(line) < 2100 and line.isprintable()


# -- run folders that are not ours ----------------------------------------------------------------


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("lm", "model.safetensors"),
        ("lm", "metrics.jsonl"),
        ("lm", "resume.safetensors"),
        ("forecast", "linear.safetensors"),
        ("forecast", "results.json"),
        ("forecast", "data.json"),
    ],
)
def test_a_link_in_a_run_is_not_written_through(tmp_path, run, ahead, kind, name):
    place, precious = run if kind == "lm" else ahead, tmp_path / "precious"
    shutil.move(place / name, precious)
    (place / name).symlink_to(precious)
    before, kept = contents(place), precious.read_bytes()
    line = refused("train", kind, "--resume", place, "--steps", 140)
    assert f"{name}: expected a file of the run's own, got a link" in line
    assert precious.read_bytes() == kept and (place / name).is_symlink()
    assert contents(place) == before


def tampered(run, change):
    """Change the tree of a run's state."""
    file = run / "resume.safetensors"
    arrays, metadata = safetensors.load_with_metadata(file)
    tree = json.loads(metadata["numba_lstm"])
    change(tree, arrays)
    safetensors.save(arrays, file, {"numba_lstm": json.dumps(tree)})


def set_counter(name, value):
    def change(tree, _arrays):
        pairs = tree["counters"]["dict"]
        pairs[:] = [pair for pair in pairs if pair[0] != name] + [[name, value]]

    return change


def set_state(*arrays):
    def change(tree, held):
        tree["state"] = [{"array": f"s{k}"} for k in range(len(arrays))]
        held.update({f"s{k}": one for k, one in enumerate(arrays)})

    return change


def set_option(name, value):
    def change(tree, _arrays):
        groups = dict(tree["optimizer"]["dict"])["param_groups"]
        pairs = groups[0]["dict"]
        pairs[:] = [pair for pair in pairs if pair[0] != name] + [[name, value]]

    return change


GOOD = np.zeros((1, 4, 8), np.float32)


@pytest.mark.parametrize(
    "change",
    [
        set_counter("step", -1),
        set_counter("step", "7"),
        set_counter("step", None),
        set_counter("step", 1.5),
        set_counter("step", True),
        set_counter("step", 10**50),
        set_counter("measured_step", 10**6),
        set_counter("position", -3),
        set_counter("position", [1]),
        set_counter("seconds", -1.0),
        set_counter("seconds", "long"),
        set_counter("loss_sum", {}),
        set_counter("best_loss", "x"),
        set_counter("best_step", 10**6),
        set_counter("windows", "x"),
        set_counter("text_length", "x"),
        set_counter("text_length", -5),
        set_counter("digest", 3),
        set_counter("laps", 3),
        set_state(GOOD),
        set_state(GOOD, GOOD, GOOD),
        set_state(GOOD[:, :2], GOOD[:, :2]),
        set_state(GOOD.astype(np.float64), GOOD.astype(np.float64)),
        set_state(GOOD + np.nan, GOOD),
        set_state(GOOD[..., None], GOOD[..., None]),
        lambda tree, _: tree.update(state=3),
        lambda tree, _: tree.update(state="x"),
        lambda tree, _: tree.update(random=[]),
        lambda tree, _: tree.update(counters=[]),
        lambda tree, _: tree.update(optimizer=None),
        lambda tree, _: tree.update(model={"dict": []}),
        lambda tree, _: tree.pop("state"),
        lambda tree, _: tree.update(optimizer={"dict": [["state", 3], ["param_groups", 3]]}),
        set_option("lr", "fast"),
        set_option("lr", -1.0),
        set_option("weight_decay", []),
        set_option("betas", 3),
        set_option("betas", [0.9, 10**50]),
        set_option("params", 3),
        set_option("params", [10**50]),
        set_option("new", 3),
    ],
)
def test_a_state_that_does_not_fit_is_refused_before_anything_is_written(run, change):
    tampered(run, change)
    before = contents(run)
    line = refused("train", "lm", "--resume", run, "--steps", 14)
    assert str(run) in line
    assert contents(run) == before


@pytest.mark.parametrize("kind", ["lm", "forecast"])
def test_a_best_model_that_is_not_finite_is_not_gone_on_with(run, ahead, kind):
    """No later one need be better, so that it would be the run's model for ever."""
    place = run if kind == "lm" else ahead
    arrays, metadata = safetensors.load_with_metadata(place / "model.safetensors")
    name = next(iter(arrays))
    arrays[name] = np.full_like(arrays[name], np.inf)
    safetensors.save(arrays, place / "model.safetensors", metadata)
    before = contents(place)
    line = refused("train", kind, "--resume", place, "--steps", 140)
    assert f"model.safetensors: expected finite numbers, got infinity or NaN in {name}" in line
    assert contents(place) == before


@pytest.mark.parametrize("kind", ["lm", "forecast"])
def test_a_best_model_of_other_names_or_shapes_is_not_gone_on_with(run, ahead, kind):
    """It is read when the training has ended, which would be in vain."""
    place = run if kind == "lm" else ahead
    good, metadata = safetensors.load_with_metadata(place / "model.safetensors")
    name = next(iter(good))
    for changed in ({f"{name}s": good[name]}, {name: good[name][:-1]}):
        arrays = {other: array for other, array in good.items() if other != name} | changed
        safetensors.save(arrays, place / "model.safetensors", metadata)
        before = contents(place)
        line = refused("train", kind, "--resume", place, "--steps", 140)
        assert "model.safetensors: the state does not fit the options: " in line and name in line
        assert contents(place) == before


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('{"step": "one"}', "expected a JSON object with a step"),
        ('{"step": 1, "train_loss": "x", "seconds": 1}', "train_loss: expected a number"),
        ('{"step": 1, "val_loss": [], "seconds": 1}', "val_loss: expected a number"),
        ('{"step": 1, "seconds": "x"}', "seconds: expected a number"),
        ('{"step": 1, "train_loss": 1.0}', "expected seconds in each line"),
        ('{"step": 1, "train_loss": 1.0, "seconds": null}', "expected seconds in each line"),
        ('{"step": 1, "train_loss": ' + "[" * 5000 + "]" * 5000 + "}", "nested at most 64 deep"),
        ('{"step": 1, "train_loss": NaN}', "finite numbers, got NaN"),
    ],
)
def test_metrics_of_wrong_types_are_no_picture(tmp_path, run, line, words):
    pytest.importorskip("matplotlib")
    (run / "metrics.jsonl").write_text(line + "\n")
    assert words in refused("plot", run, "-o", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_names_with_signs_of_formulas_are_names(tmp_path, run):
    pytest.importorskip("matplotlib")
    other = tmp_path / "a$\\frac{$b"
    shutil.move(run, other)
    result = CliRunner().invoke(main, ["plot", str(other), "-o", str(tmp_path / "a.png")])
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize(
    "text",
    ["[" * 5000, "9" * 5000, "{" + '"a":{' * 5000, '{"level": ' + "[" * 60 + "]" * 60 + "}",
     '{"level": "char", "tokens": ' + "9" * 90 + "}", '{"level": "char", "tokens": [1e999]}'],
)  # fmt: skip
def test_a_vocabulary_that_is_none_is_named(run, text):
    (run / "vocab.json").write_text(text)
    line = refused("sample", run)
    assert f"{run}/vocab.json: " in line and len(line) < 500


def test_a_text_of_any_size_and_a_good_run_still_go(run, tmp_path):
    """What is refused above is not refused here."""
    (tmp_path / "more.txt").write_text(TEXT * 100)
    for args in (
        ["evaluate", run, "--data", tmp_path / "more.txt"],
        ["train", "lm", "--resume", run, "--steps", "13", "--quiet"],
        ["sample", run, "--length", "5"],
    ):
        result = CliRunner().invoke(main, list(map(str, args)))
        assert result.exit_code == 0, result.output
