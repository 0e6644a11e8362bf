"""Programs of other people: what they compute, and how they are run to their very end."""

from __future__ import annotations

import contextlib
import functools
import hashlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

#: NUMBA_LSTM_LONG=1 pytest tests/programs runs many times as many calls, pools and children.
LONG = os.environ.get("NUMBA_LSTM_LONG", "0") not in ("", "0")
ROOT = Path(__file__).resolve().parents[2]
#: Seconds for a program, which takes 3 to 10 of the CPUs, and for what follows its last line. They
#: are for what never ends: a machine may have ten other programs.
LIMIT, END_LIMIT = (3600 if LONG else 300), 60
# What the program itself is told, not what we tell: Python's own warning of forks beside threads,
# and that of a fit that was stopped early.
_QUIET = "ignore:This process,ignore:max_iter"


# --- what they compute ------------------------------------------------------------------------


class Model(NamedTuple):
    """A module with an input, and a cotangent of its first output."""

    module: Any
    x: np.ndarray
    dy: np.ndarray


def some_models() -> list[Model]:
    """An LSTM, a GRU and a language model, the same ones each time.

    Their calls are shared by threads: as rows, as a team, and by tokens.
    """
    from numba_lstm import models, nn

    rng = np.random.default_rng(0)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    tokens = rng.integers(0, 50, (12, 8))
    return [
        Model(nn.LSTM(24, 64, num_layers=2, seed=0), normal(20, 3, 24), normal(20, 3, 64)),
        Model(nn.GRU(24, 48, bidirectional=True, seed=1), normal(10, 16, 24), normal(10, 16, 96)),
        Model(models.LanguageModel(50, 32, 64, seed=2), tokens, normal(12, 8, 50)),
    ]


def bits(value: Any) -> bytes:
    """All bits of an array, or of arrays in tuples."""
    if isinstance(value, tuple):
        return b"".join(map(bits, value))
    return b"" if value is None else value.tobytes()


def infer(model: Model) -> bytes:
    return bits(model.module(model.x))


def vjp(model: Model) -> bytes:
    """The bits of outputs and of gradients of inputs; parameters get theirs."""
    outputs, pullback = model.module.vjp(model.x)
    return bits(outputs) + bits(pullback(model.dy))


def gradients(model: Model) -> bytes:
    return bits(tuple(p.grad for p in model.module.parameters()))


def trained() -> bytes:
    """Train a new model for a few steps: its weights."""
    from numba_lstm import losses, models, optim, training

    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((64, 10, 8), dtype=np.float32), rng.integers(0, 3, 64)
    model = models.SequenceClassifier(8, 48, 3, dropout=0.1, seed=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    trainer = training.Trainer(model, losses.cross_entropy, optimizer, clip=1.0)
    trainer.fit(training.batches(x, y, 16, seed=0), steps=6)
    return bits(tuple(model.state_dict().values()))


def job(_: object = None) -> str:
    """Infer, differentiate and train on the threads that there are: a digest of all bits.

    Fails if there are several, and none but the caller lives in this process and was given a part.
    """
    import numba_lstm
    from numba_lstm import workers

    before = workers._crew.words[workers.JOB] if workers._crew else 0
    found = hashlib.sha256()
    for model in some_models():
        found.update(infer(model) + vjp(model) + gradients(model))
    found.update(trained())
    if numba_lstm.get_num_threads() > 1:
        assert workers._crew is not None, "no worker was started"
        assert all(worker.is_alive() for worker in workers._crew.workers), "of another process"
        # Where cores are taken by others callers work alone for a while: see `parts`.
        busy = workers._crew.words[workers.ALONE_UNTIL] != 0
        assert busy or workers._crew.words[workers.JOB] > before, "no worker was given a part"
    return found.hexdigest()


def done() -> None:
    """The program's last line."""
    print(f"done at {time.time()!r}", flush=True)


# --- how they are run -------------------------------------------------------------------------


@functools.cache
def _warm() -> None:
    """Have the kernels in the cache: limits of time are for programs, not for compilers."""
    job()


def run(program: str, *arguments: str, **environment: str | None) -> list[str]:
    """Run a program that stands in a file of its own to its end; the lines that it printed.

    It fails unless the program comes to its last line, which is ``done()``, and has ended within
    LIMIT seconds, with exit code 0, nothing on standard error, and no process left behind. A
    variable of the environment that is None is not there.
    """
    import pytest

    if not hasattr(os, "killpg"):
        pytest.skip("this system has no groups of processes")
    _warm()
    places = [os.environ.get("PYTHONPATH"), ROOT, ROOT / "tests" / "tools"]
    path = os.pathsep.join(str(place) for place in places if place)
    about = {"PYTHONPATH": path, "PYTHONWARNINGS": _QUIET, "PYTHONFAULTHANDLER": "1"}
    about |= {"OMP_WAIT_POLICY": None} | environment  # what our tests are run with is not theirs
    given = {k: v for k, v in (os.environ | about).items() if v is not None}
    before = _seconds_of_children()
    with tempfile.TemporaryDirectory() as folder:
        file, out, err = (Path(folder, name) for name in ("program.py", "out", "err"))
        file.write_text(program)
        with open(out, "w") as out_file, open(err, "w") as err_file:
            process = subprocess.Popen(
                [sys.executable, str(file), *arguments], cwd=folder, env=given,
                stdin=subprocess.DEVNULL, stdout=out_file, stderr=err_file, start_new_session=True,
            )  # fmt: skip
            code, left = _end_of(process)
        ended, used = time.time(), _seconds_of_children() - before
        told = f"{out.read_text()}\n--- standard error:\n{err.read_text()}"
        assert code == 0, f"ended with {code}\n{told}"
        assert not left, f"left processes behind\n{told}"
        assert err.read_text() == "", told
        *lines, last = out.read_text().splitlines()
    assert last.startswith("done at "), told
    took = ended - float(last.removeprefix("done at "))
    assert took < END_LIMIT, f"its end took {took:.1f} s"
    print(*lines, f"{used:.1f} s of the CPUs, {took:.1f} s for the end", sep="\n")
    return lines


def _seconds_of_children() -> float:
    times = os.times()
    return times.children_user + times.children_system


def _end_of(process: subprocess.Popen) -> tuple[Any, list[str]]:
    """How a program ended, and which of its processes went on. None does after that."""
    code: Any
    try:
        code = process.wait(LIMIT)
    except subprocess.TimeoutExpired:
        code = f"nothing within {LIMIT} s, at {time.time()!r}"
        os.killpg(process.pid, signal.SIGABRT)  # each process tells where its threads are
        time.sleep(1)
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
    for _ in range(100):  # helpers, such as a tracker of resources, end when the program has
        left = _members(process.pid)
        if not left:
            break
        time.sleep(0.1)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    return code, left


def _members(group: int) -> list[str]:
    """The commands of a group's processes, without those that ended and were not asked for how."""
    if not os.path.exists("/proc/self/stat"):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return []
        return ["a process"]
    found = []
    for one in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, _, its_group = (one / "stat").read_text().rpartition(")")[2].split()[:3]
            if int(its_group) == group and state != "Z":
                found.append((one / "cmdline").read_text().replace("\0", " "))
    return found
