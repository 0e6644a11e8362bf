"""Running the command line as users do: in processes of its own."""

from __future__ import annotations

import atexit
import functools
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import commands_tool
from click.testing import CliRunner

from numba_lstm.cli import main

ROOT = Path(__file__).resolve().parents[2]
COMMAND = [sys.executable, str(ROOT / "cli.py")]
TINY = ["--hidden", "8", "--embedding", "6", "--batch", "4", "--seq-len", "8", "--dropout", "0.2"]
COMPILING = "compiling kernels (kept for next time) ...\n"
TEXT = "so shaken as we are, so wan with care,\nfind we a time for frighted peace to pant.\n" * 12


@dataclass
class Result:
    """How a command ended; ``err`` lacks the line that says that kernels are compiled."""

    code: int
    out: str
    err: str
    compiled: bool

    def error(self, code: int) -> str:
        """Its one line of error, having ended with this code and printed nothing else."""
        assert self.code == code, (self.code, self.err)
        assert self.out == ""
        lines = self.err.splitlines()
        assert len(lines) == 1, self.err
        assert lines[0].startswith("error: "), self.err
        return lines[0]


def environment(**more: str) -> dict[str, str]:
    """This process's environment, with the package importable from anywhere."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    return {**os.environ, "PYTHONPATH": path, "COLUMNS": "80", **more}


def start(
    *args: Any, cwd: Path | None = None, command: Sequence[str] = COMMAND, **more: str
) -> subprocess.Popen:
    """Start a command and go on."""
    return subprocess.Popen(
        [*command, *map(str, args)],
        cwd=cwd,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


@functools.cache
def forked() -> list[str]:
    """As `COMMAND`, but a fork of a process that has imported what commands do: see `Commands`.

    Signals and limits that are set for it do not reach the command, and its interpreter does not
    end as one of its own would: what is tested of either takes `COMMAND`.
    """
    if not hasattr(os, "fork"):
        return COMMAND
    program = folder() / "numba-lstm"
    server = subprocess.Popen(
        [sys.executable, "-P", commands_tool.__file__, str(program)],
        env=environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert server.stdin is not None and server.stdout is not None
    assert server.stdout.readline() == "ready\n"
    atexit.register(server.communicate)  # which closes its input, and waits
    return [str(program)]


def cli(*args: Any, cwd: Path | None = None, **more: str) -> Result:
    """Run a command to its end."""
    with start(*args, cwd=cwd, command=forked(), **more) as process:
        try:
            out, err = process.communicate(timeout=300)
        except BaseException:
            process.kill()
            raise
    return Result(process.returncode, out, err.replace(COMPILING, ""), COMPILING in err)


def here(*args: Any, **more: str) -> Result:
    """As `cli`, in this process, which has imported everything already."""
    end = CliRunner().invoke(main, list(map(str, args)), env={"COLUMNS": "80", **more})
    if end.exception is not None and not isinstance(end.exception, SystemExit):
        raise end.exception
    err = end.stderr.replace(COMPILING, "")
    return Result(end.exit_code, end.stdout, err, COMPILING in end.stderr)


# Each command has streams of its own, as a process would give it; a mark behind what it printed
# tells its exit code.
_TOGETHER = """
import io, json, os, sys
{first}
sys.path.insert(0, {root!r})
from numba_lstm.cli import main
kinds = [(stream.encoding, stream.errors) for stream in (sys.stdout, sys.stderr)]
for args in json.loads(sys.argv[1]):
    for number, name in enumerate(("stdout", "stderr")):
        buffer = io.BufferedWriter(io.FileIO(1 + number, "wb", closefd=False))
        made = io.TextIOWrapper(buffer, *kinds[number], line_buffering=number == 1)
        setattr(sys, name, made)
    code = 0
    try:
        main([os.fsdecode(bytes.fromhex(one)) for one in args])  # as the system hands them over
    except SystemExit as end:
        code = end.code or 0
    for number, stream in enumerate((sys.stdout, sys.stderr)):
        stream.flush()
        os.write(1 + number, b"\\0end %d\\0" % code)
{last}
"""
_MARK = re.compile(rb"\0end (\d+)\0")


def together(
    commands: Iterable[Sequence[Any]],
    cwd: Path | None = None,
    options: Sequence[str] = (),
    first: str = "",
    last: str = "",
    **more: str,
) -> list[tuple[int, bytes, bytes]]:
    """Run commands in one process of their own: importing takes longer than most of them.

    Parameters
    ----------
    commands
        The arguments of each, of which some may be bytes.
    cwd, more
        Where, and variables of the environment; those that are empty are taken away.
    options
        The interpreter's.
    first
        Python that is run before anything is imported.
    last
        Python that is run at the end; it prints nothing.

    Returns
    -------
    list of (int, bytes, bytes)
        Each one's exit code, output and errors.
    """
    plain = [[os.fsencode(one).hex() for one in _texts(args)] for args in commands]
    program = _TOGETHER.format(first=first, last=last, root=str(ROOT))
    done = subprocess.run(
        [sys.executable, *options, "-c", program, json.dumps(plain)],
        cwd=cwd,
        env={name: value for name, value in environment(**more).items() if value != ""},
        capture_output=True,
        timeout=300,
    )
    out, err = _MARK.split(done.stdout), _MARK.split(done.stderr)
    assert done.returncode == 0 and out.pop() == err.pop() == b"", done.stderr[-3000:]
    told = [text.replace(COMPILING.encode(), b"") for text in err[::2]]
    ends = list(zip(map(int, out[1::2]), out[::2], told, strict=True))
    assert len(ends) == len(plain) and not any(b"Traceback" in text for text in told), told
    return ends


def _texts(args: Iterable[Any]) -> list[str | bytes]:
    return [one if isinstance(one, bytes) else str(one) for one in args]


@functools.cache
def folder() -> Path:
    """A folder for all of the tests of this session, with a text to train on."""
    path = Path(tempfile.mkdtemp(prefix="numba_lstm-tests-"))
    atexit.register(shutil.rmtree, path, ignore_errors=True)
    (path / "text.txt").write_text(TEXT, encoding="utf-8")
    return path


@functools.cache
def trained() -> tuple[Path, Result]:
    """A tiny finished run, and how training it ended."""
    run = folder() / "trained"
    options = ["--steps", 12, "--valid-every", 4, "--log-every", 3, "--json"]
    return run, cli("train", "lm", "--data", folder() / "text.txt", *TINY, *options, "--out", run)
