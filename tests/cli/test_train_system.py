"""What the system does to a training: signals, full disks, logs that cannot be written, moves."""

from __future__ import annotations

import contextlib
import json
import os
import resource
import shutil
import signal
import subprocess
import time

import pytest
from cache_tool import put_microkernels
from cli_tool import COMMAND, COMPILING, TINY, cli, environment, folder, forked, start, trained
from click.testing import CliRunner
from long_tool import LONG

import numba_lstm
from numba_lstm.cli import _errors, main
from numba_lstm.training.runs.checkpoint import Run

TRAIN = ["train", "lm", *TINY, "--quiet", "--log-every", "1"]
ENDLESS = ["--steps", "100000", "--valid-every", "50"]


def begin(run, *more, prefix=(), **options):
    """Start a training and wait until some steps are logged."""
    args = [*prefix, *COMMAND, *TRAIN, "--data", folder() / "text.txt", "--out", run, *more]
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
    process = subprocess.Popen(list(map(str, args)), env=environment(), text=True, **options)
    deadline = time.monotonic() + 600  # a machine may have ten other programs
    while not (run / "metrics.jsonl").exists() or (run / "metrics.jsonl").stat().st_size < 2000:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.01)
    return process


def computed(process):
    """Seconds of processor time that a process has used; where it is not told, 0."""
    try:
        with open(f"/proc/{process.pid}/stat") as file:
            ticks = file.read().rsplit(")", 1)[1].split()[11:13]
    except FileNotFoundError:
        return 0.0
    return sum(map(int, ticks)) / os.sysconf("SC_CLK_TCK")


def wait_until_computed(process, seconds):
    """Wait until a process has used so much more processor time: beside others it takes longer."""
    before, end = computed(process), time.monotonic() + (60.0 if computed(process) else seconds)
    while computed(process) < before + seconds and time.monotonic() < end:
        assert process.poll() is None
        time.sleep(0.02)


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no SIGHUP here")
def test_a_terminal_that_is_closed_saves_the_run(tmp_path):
    """Its output goes nowhere then, and it says more than once that it is closed."""
    with begin(tmp_path / "run", *ENDLESS, stderr=subprocess.DEVNULL) as process:
        process.send_signal(signal.SIGHUP)
        process.send_signal(signal.SIGHUP)
        assert process.wait(60) == 129
    steps = [record["step"] for record in Run(tmp_path / "run").metrics()]
    assert Run(tmp_path / "run").load().counters["step"] == steps[-1] > 10


@pytest.mark.skipif(not shutil.which("nohup"), reason="no nohup here")
def test_under_nohup_a_closed_terminal_changes_nothing(tmp_path):
    with begin(tmp_path / "run", *ENDLESS, prefix=["nohup"], stdin=subprocess.DEVNULL) as process:
        process.send_signal(signal.SIGHUP)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(1.0)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
@pytest.mark.parametrize("options", [[], ["--quiet", "--json"]])
def test_a_log_on_a_full_disk_does_not_end_the_training(tmp_path, options):
    run, about = tmp_path / "run", trained()[0] / "config.toml"
    with open("/dev/full", "w") as full:
        command = [*forked(), "train", "lm", "--config", about, "--out", run, *options]
        done = subprocess.run(
            list(map(str, command)), env=environment(), stdout=subprocess.PIPE, stderr=full
        )
    assert done.returncode == 0
    for name in ("model.safetensors", "vocab.json"):
        assert (run / name).read_bytes() == (trained()[0] / name).read_bytes()


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no full device here")
def test_figures_that_cannot_be_printed_are_a_failure_in_one_line_and_the_run_is_saved(tmp_path):
    run, about = tmp_path / "run", trained()[0] / "config.toml"
    for command in (
        ["train", "lm", "--config", about, "--out", run, "--quiet", "--json"],
        ["info", "--json"],
    ):
        with open("/dev/full", "w") as full:
            done = subprocess.run(
                list(map(str, [*COMMAND, *command])),  # the interpreter's end writes, too
                env=environment(), stdout=full, stderr=subprocess.PIPE, text=True,
            )  # fmt: skip
        assert (done.returncode, done.stderr) == (1, "error: No space left on device\n")
    assert (run / "model.safetensors").read_bytes() == (
        trained()[0] / "model.safetensors"
    ).read_bytes()


def full_after(size):
    """No file of this process can be larger, as on a disk that is full."""
    return lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


def test_a_full_disk_ends_a_new_run_with_a_line_and_leaves_nothing(tmp_path):
    args = [*COMMAND, *TRAIN, "--data", folder() / "text.txt", "--out", tmp_path / "run"]
    done = subprocess.run(
        list(map(str, args)), env=environment(), capture_output=True, text=True,
        preexec_fn=full_after(3000),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {tmp_path}/") and line.endswith("safetensors: File too large")
    assert os.listdir(tmp_path) == []


def test_a_disk_that_fills_while_training_leaves_the_checkpoint_before_whole(tmp_path):
    run = shutil.copytree(trained()[0], tmp_path / "run")
    before = {path.name: path.read_bytes() for path in run.iterdir()}
    done = subprocess.run(
        [*COMMAND, "train", "lm", "--resume", str(run), "--steps", "400", "--quiet"],
        env=environment(), capture_output=True, text=True, preexec_fn=full_after(4000),
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (line,) = done.stderr.splitlines()
    assert line.startswith(f"error: {run}/") and line.endswith(": File too large")
    for name in ("resume.safetensors", "vocab.json"):
        assert (run / name).read_bytes() == before[name], name
    assert numba_lstm.load(run).metrics[-1]["step"] > 12
    assert not list(run.glob(".*"))
    resumed = cli("train", "lm", "--resume", run, "--steps", 13, "--quiet", "--json")
    assert json.loads(resumed.out)["steps"] == 13


@pytest.mark.parametrize("number", sorted(_errors._DISK))
def test_a_disk_s_failure_is_never_the_inputs_fault(number):
    error = OSError(number, os.strerror(number), "run")
    with pytest.raises(OSError) as caught, _errors.bad_input():
        raise error
    assert _errors.exit_code(caught.value) == 1


@pytest.mark.parametrize("act", ["removed", "moved", "replaced"])
def test_a_run_s_folder_that_goes_ends_the_training_in_a_line(tmp_path, monkeypatch, act):
    from numba_lstm.training.runs import trainer

    run, step = tmp_path / "run", trainer.RunTrainer._step

    def lose_the_folder(self):
        step(self)
        if self.counters.step == 6:
            if act == "removed":
                shutil.rmtree(run)
            else:
                run.rename(tmp_path / "moved")
            if act == "replaced":
                run.mkdir()

    monkeypatch.setattr(trainer.RunTrainer, "_step", lose_the_folder)
    args = [*TRAIN, "--data", folder() / "text.txt", "--steps", 12, "--out", run]
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == 1
    (line,) = result.stderr.splitlines()
    assert line.startswith(f"error: {run}")
    assert not run.exists() or os.listdir(run) == []
    if act != "removed":
        assert Run(tmp_path / "moved").load().counters["step"] == 0


def test_two_trainings_of_one_run_are_one(tmp_path):
    pytest.importorskip("fcntl")
    with begin(tmp_path / "run", *ENDLESS) as process:
        line = cli("train", "lm", "--resume", tmp_path / "run").error(2)
        assert "another process is training this run" in line
        process.send_signal(signal.SIGINT)
        assert process.wait(60) == 130


def test_runs_begun_in_one_second_have_names_of_their_own(tmp_path):
    args = [*TRAIN, "--data", folder() / "text.txt", "--steps", 2, "--json"]
    several = [start(*args, cwd=tmp_path) for _ in range(4 if LONG else 2)]
    told = [json.loads(process.communicate(timeout=120)[0]) for process in several]
    assert len({one["run"] for one in told}) == len(several)
    for one in told:
        assert Run(tmp_path / one["run"]).load().counters["step"] == 2


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, *[signal.SIGHUP] * LONG])
def test_a_signal_while_kernels_compile_ends_at_once_and_leaves_a_run_to_go_on_with(
    tmp_path, signum
):
    """A cold cache: compiling takes seconds."""
    put_microkernels(tmp_path / "cold" / "numba_lstm")
    options = {"NUMBA_CACHE_DIR": str(tmp_path / "cold")}
    args = ["--data", folder() / "text.txt", "--steps", 5, "--out", tmp_path / "run"]
    with start("train", "lm", *TINY, *args, **options) as process:
        deadline = time.monotonic() + 60
        while not (tmp_path / "run").exists() and time.monotonic() < deadline:
            time.sleep(0.02)
        wait_until_computed(process, 0.8)
        process.send_signal(signum)
        out, err = process.communicate(timeout=60)
        assert process.returncode == 128 + signum, err
    assert out == "" and "Traceback" not in err
    assert Run(tmp_path / "run").load().counters["step"] == 0
    assert cli("train", "lm", "--resume", tmp_path / "run", "--quiet").code == 0


def test_a_clock_that_is_set_back_changes_nothing(tmp_path, monkeypatch):
    """Only the monotonic clock is asked; the wall clock gives a folder its name and no more."""
    jumps = iter([0.0, 2e9, 1.0, 3e9])
    monkeypatch.setattr(time, "time", lambda: next(jumps, -1e9))
    about = ["--config", trained()[0] / "config.toml", "--quiet", "--json"]
    args = ["train", "lm", *about, "--out", tmp_path / "run"]
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == 0, result.output
    assert 0 < json.loads(result.stdout)["seconds"] < 100
    name = "model.safetensors"
    assert (tmp_path / "run" / name).read_bytes() == (trained()[0] / name).read_bytes()


@pytest.mark.parametrize("command", ["sample", "evaluate"])
def test_a_signal_ends_a_long_command_at_once_and_ctrl_c_in_one_line(tmp_path, command):
    """Nothing is to be saved: the other signals end it as they end any process.

    Daily each of those ends one of the commands.
    """
    (tmp_path / "long.txt").write_text("so shaken as we are, so wan with care,\n" * 200_000)
    more = {"sample": ["--length", 10**8], "evaluate": ["--data", tmp_path / "long.txt"]}[command]
    args = list(map(str, [*COMMAND, command, trained()[0], *more]))
    others = [signal.SIGTERM, signal.SIGHUP]
    ends = {signal.SIGINT: 130}
    ends |= {one: -one for one in (others if LONG else others[command == "sample" :][:1])}
    with contextlib.ExitStack() as stack:
        started = {}
        for signum in ends:
            started[signum] = process = stack.enter_context(
                subprocess.Popen(
                    args,
                    env=environment(NUMBA_NUM_THREADS="1"),
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    # What a shell starts in the background has it ignored.
                    preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
                )
            )
            stack.callback(process.kill)
        for signum, process in started.items():
            # Importing and reading take one.
            wait_until_computed(process, 2.0 - computed(process))
            process.send_signal(signum)
        for signum, process in started.items():
            _, err = process.communicate(timeout=60)
            assert process.returncode == ends[signum], (signum, err)
            line = "error: interrupted" if signum == signal.SIGINT else ""
            assert err.replace(COMPILING, "").strip() == line
