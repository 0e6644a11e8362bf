"""The train commands on ranks that mpiexec started: one voice, one folder, and one end of all."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from cli_tool import COMMAND, TEXT, TINY, environment
from jobs_tool import COMMANDS, begin, launch, processes, ranks_in, wait_until_gone
from ranks_tool import OPEN_MPI, needs_mpi

import numba_lstm
from numba_lstm import threads
from numba_lstm.training.runs.checkpoint import Run

pytestmark = needs_mpi

RANKS = 4  # more than there are cores on a small machine, and parts of different sizes
LAST = RANKS - 1
OTHERS = f"ranks 0-{LAST - 1}"  # than the last
TRAIN = ["train", "lm", "--data", "text.txt", *TINY, "--log-every", "1", "--valid-every", "4"]


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    return tmp_path


def test_what_goes_wrong_on_one_rank_or_all_is_told_once_and_ends_all_alike(text):
    short = [*TRAIN, "--steps", "8", "--json", "--out"]
    commands = [
        ("none", [*short, "good"]),
        ("version", [*short, "version"]),
        ("option", [*short, "option"]),
        ("other_text", [*short, "other"]),
        ("no_file", [*short, "lost"]),
        ("none", ["train", "lm", "--data", "gone.txt", "--out", "gone"]),
        ("none", [*short, "small", "--batch", LAST]),
        ("none", [*short, "good"]),
        ("none", ["train", "lm", "--lr", "much"]),
        ("none", ["train", "lm", "--resume", "nowhere"]),
        ("option", ["train", "lm", "--resume", "nowhere"]),
        ("nan_loss", [*short, "nan"]),
        ("nan_gradient", [*short, "gradient"]),
        ("interrupted", [*short, "stopped"]),
        ("none", ["train", "lm", "--resume", "stopped", "--json"]),
        ("threads", ["train", "lm", "--resume", "stopped", "--quiet"]),
        ("interrupted_early", [*short, "early"]),
    ]
    code, out, err = launch(RANKS, COMMANDS, json.dumps(commands), cwd=text)
    assert (code, err) == (0, "")
    ends = json.loads(out)
    codes = [{rank[0] for rank in end} for end in ends]
    assert codes == [{code} for code in (0, *[2] * 10, 3, 3, 130, 0, 0, 143)]
    # Rank 0 speaks for all.
    assert all(rank[1:] == ["", ""] for end in ends for rank in end[1:])
    spoken = [end[0][2].splitlines() for end in ends]
    assert spoken[0][:2] == ["run: good", f"{RANKS} ranks on 1 machine, threads of each: 1"]
    told = json.loads(ends[0][0][1])
    assert (told["status"], told["ranks"], told["threads"]) == ("done", RANKS, 1)
    for lines, words in zip(
        spoken[1:11],
        (
            f"version of numba_lstm: expected the same on all ranks, got {numba_lstm.__version__} "
            f"on {OTHERS} and 0.0.0 on rank {LAST}",
            f"lr: expected the same on all ranks, got 0.003 on {OTHERS} and 0.5 on rank {LAST}",
            "data: expected the same on all ranks, got what has the fingerprint ",
            f"reading the data failed on rank {LAST}: FileNotFoundError: ",
            "gone.txt: no such file",
            f"batch: expected at least {RANKS}, one for each rank, got {LAST}",
            "good: expected a new or empty folder",
            "Invalid value for '--lr': 'much' is not a valid ",
            "nowhere: no such folder",
            f"lr: expected the same on all ranks, got nothing on {OTHERS} and 0.5 on rank {LAST}",
        ),
        strict=True,
    ):
        assert len(lines) == 1 and lines[0].startswith("error: ") and words in lines[0], lines
    assert sorted(os.listdir(text)) == ["early", "good", "gradient", "nan", "stopped", "text.txt"]
    for end, words in (
        (11, f"the loss at step 5 is nan on rank {LAST}"),
        (12, f"others on rank {LAST}: "),
    ):
        assert words in spoken[end][-1] and "the last good checkpoint is kept" in spoken[end][-1]
        assert Run(text / commands[end][1][-1]).load().counters["step"] == 4
    assert spoken[13][-1].startswith("interrupted: saved at step 5; go on: ")
    assert spoken[13][-1].endswith("--resume stopped (behind mpiexec as before, or alone)")
    assert json.loads(ends[14][0][1])["steps"] == 8
    assert spoken[16][-1].startswith("interrupted: saved at step 0; go on: ")
    assert model_bytes(text / "stopped") == model_bytes(text / "good")


def model_bytes(path: Path) -> bytes:
    return (path / "model.safetensors").read_bytes()


def test_a_failure_of_one_rank_is_told_once_and_ends_the_job_within_seconds(text):
    command = ["error", [*TRAIN, "--steps", "100000", "--out", "run"]]
    began = time.monotonic()
    code, out, err = launch(RANKS, COMMANDS, json.dumps([command]), cwd=text)
    assert time.monotonic() - began < 60
    assert (code, out) == (1, "")
    assert err.count("the cable is out") == err.count(f"error: rank {LAST}: the cable is out") == 1
    assert "Traceback" not in err
    assert Run(text / "run").load().counters["step"] == 4


def test_a_wrong_option_of_one_rank_ends_the_others_that_wait_for_it(text):
    command = ["no_number", [*TRAIN, "--steps", "8", "--out", "run"]]
    code, out, err = launch(RANKS, COMMANDS, json.dumps([command]), cwd=text)
    assert (code, out) == (2, "")
    assert err.count(f"error: rank {LAST}: Invalid value for '--lr': 'much' is not a valid ") == 1
    assert os.listdir(text) == ["text.txt"]


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="no /proc here")
def test_signals_save_once_and_leave_no_orphan(text):
    """Both in one run, that goes on after the first."""
    path, steps = text / "run", 0
    args = [*TRAIN, "--steps", "1000000", "--out", "run"]
    for way in signal.SIGINT, signal.SIGTERM:
        with begin(RANKS, *COMMAND[1:], *args, cwd=text) as process:
            wait_until_trained(process, path, steps)
            assert len(ranks_in(text)) == RANKS
            names = [Path(parts[0]).name for parts in processes(text).values()]
            assert OPEN_MPI or "hydra_pmi_proxy" in names, names
            if way == signal.SIGINT:
                os.killpg(process.pid, way)  # a terminal tells all that it started
            else:
                process.send_signal(way)
            began = time.monotonic()
            _, err = process.communicate(timeout=30)
            assert time.monotonic() - began < 10, err
        assert "Traceback" not in err, err
        wait_until_gone(text)
        now = Run(path).load().counters["step"]
        assert now > steps
        numba_lstm.load(path)
        assert process.returncode == 128 + way or (OPEN_MPI and process.returncode), err
        # Open MPI's mpiexec passes nothing on any more once it was told to end.
        told = 1 if "interrupted" in err or not OPEN_MPI else 0
        assert err.count(f"interrupted: saved at step {now}; go on: ") == told, err
        assert err.count("interrupted") == told
        steps, args = now, ["train", "lm", "--resume", "run"]


def wait_until_trained(process, path, steps) -> None:
    """Wait until a run is saved behind some step."""
    end = time.monotonic() + 60
    while not path.exists() or Run(path).load().counters["step"] <= steps:
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < end
        time.sleep(0.05)


@pytest.mark.skipif(threads.most_threads() < 2, reason="one core is nothing to share")
def test_each_rank_runs_on_its_share_of_the_cores_and_the_log_says_so(text):
    """Where nothing in the environment says how many threads there are."""
    code = """
from numba_lstm import threads, workers
from numba_lstm.cli import main
alone = threads.get_num_threads()
try:
    main()
finally:
    crew = workers._crew
    helpers = len(crew.workers) if crew else 0  # beside the thread that calls
    print(f"threads {alone} {threads.get_num_threads()} {helpers}.", flush=True)
"""
    # Products that are worth all threads that there are.
    wide = ["--hidden", "128", "--embedding", "64", "--batch", "32"]
    args = [*TRAIN, *wide, "--steps", "2", "--out", "run"]
    code, out, err = launch(
        2, "-c", code, *args, cwd=text, NUMBA_NUM_THREADS="", OMP_NUM_THREADS=""
    )
    assert code == 0, err
    found = re.findall(r"threads (\d+) (\d+) (\d+)\.", out)  # lines of ranks may run into another
    alone = int(found[0][0])
    share = max(1, alone // 2)
    assert found == [(str(alone), str(share), str(share - 1))] * 2
    assert f"2 ranks on 1 machine, threads of each: {share}\n" in err


def test_without_mpi4py_it_says_what_to_install_and_writes_nothing(text):
    code = "import sys; sys.modules['mpi4py'] = None\nfrom numba_lstm.cli import main\nmain()"
    code, out, err = launch(RANKS, "-c", code, *TRAIN, "--steps", "2", "--out", "run", cwd=text)
    assert (code, out) == (2, "")
    lines = err.splitlines()
    if OPEN_MPI:
        lines = [line for line in lines if line.startswith("error: ")]
    assert lines and all("pip install 'numba_lstm[mpi]'" in line for line in lines)
    assert all(line.startswith("error: training on several ranks needs mpi4py") for line in lines)
    assert os.listdir(text) == ["text.txt"]


def test_a_command_of_one_process_imports_no_mpi(text):
    code = (
        "import sys\nfrom numba_lstm.cli import main\n"
        "try:\n    main()\nfinally:\n    assert 'mpi4py' not in sys.modules"
    )
    args = [*TRAIN, "--steps", "1", "--quiet", "--out", "run"]
    done = subprocess.run(
        [sys.executable, "-c", code, *args], cwd=text, env=environment(), capture_output=True
    )
    assert (done.returncode, done.stderr) == (0, b"")
