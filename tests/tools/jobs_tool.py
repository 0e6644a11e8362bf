"""Jobs of several ranks with one thread each, that are begun, watched and ended from outside."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from cli_tool import COMMAND, COMPILING, environment
from ranks_tool import MPIEXEC

from numba_lstm._files import locked

PROGRAM = Path(__file__).with_name("ranks_program.py")
COMMANDS = Path(__file__).with_name("ranks_commands.py")


def begin(ranks: int, *args: Any, cwd: Path | None = None, **more: str) -> subprocess.Popen:
    """Start Python on some ranks and go on. Of variables in ``more`` empty ones are taken away."""
    variables = environment(**{"NUMBA_NUM_THREADS": "1", **more})
    return subprocess.Popen(
        [str(MPIEXEC), "-n", str(ranks), sys.executable, *map(str, args)],
        cwd=cwd,
        env={name: value for name, value in variables.items() if value != ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,  # as a terminal's job: a group of its own
    )


def launch(ranks: int, *args: Any, cwd: Path | None = None, **more: str) -> tuple[int, str, str]:
    """Run Python on some ranks to the end; the exit code, the output and the errors of all."""
    with begin(ranks, *args, cwd=cwd, **more) as process:
        try:
            out, err = process.communicate(timeout=120)
        except BaseException:
            process.kill()
            raise
    return process.returncode, out, err.replace(COMPILING, "")


def made_once(
    temporary: pytest.TempPathFactory, name: str, make: Callable[[Path], Any]
) -> tuple[Path, Any]:
    """A folder, and what ``make(folder)`` gave, for JSON: once for all processes of the tests."""
    shared = temporary.getbasetemp()
    if os.environ.get("PYTEST_XDIST_WORKER"):
        shared = shared.parent
    folder = shared / name
    folder.mkdir(exist_ok=True)
    with locked_and_waiting(folder):
        told = folder / "told.json"
        if not told.exists():
            told.write_text(json.dumps(make(folder)))
        return folder, json.loads(told.read_text())


@contextlib.contextmanager
def locked_and_waiting(folder: Path) -> Iterator[None]:
    """Hold a folder, waiting for whoever has it."""
    while True:
        try:
            with locked(folder):
                yield
                return
        except BlockingIOError:
            time.sleep(0.1)


def processes(folder: Path) -> dict[int, list[str]]:
    """The arguments of all processes that work in a folder, by their ids; zombies work nowhere."""
    found = {}
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            if os.path.samefile(f"/proc/{name}/cwd", folder):
                parts = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                found[int(name)] = [os.fsdecode(part) for part in parts]
        except OSError:
            continue
    return found


def ranks_in(folder: Path) -> list[int]:
    """The processes of a command's ranks in a folder, as far as they have been started."""
    start = [sys.executable, COMMAND[1]]
    return [pid for pid, parts in processes(folder).items() if parts[:2] == start]


def wait_until_gone(folder: Path) -> None:
    """Nothing of a job may be left: no rank, and none of what the launcher put above them."""
    end = time.monotonic() + 5
    while processes(folder) and time.monotonic() < end:
        time.sleep(0.05)
    assert processes(folder) == {}
