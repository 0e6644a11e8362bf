"""Running the command line as users do: in processes of its own."""

from __future__ import annotations

import functools
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

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


def start(*args: Any, cwd: Path | None = None, **more: str) -> subprocess.Popen:
    """Start a command and go on."""
    return subprocess.Popen(
        [*COMMAND, *map(str, args)],
        cwd=cwd,
        env=environment(**more),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    )


def cli(*args: Any, cwd: Path | None = None, **more: str) -> Result:
    """Run a command to its end."""
    with start(*args, cwd=cwd, **more) as process:
        try:
            out, err = process.communicate(timeout=300)
        except BaseException:
            process.kill()
            raise
    return Result(process.returncode, out, err.replace(COMPILING, ""), COMPILING in err)


@functools.cache
def folder() -> Path:
    """A folder for all of the tests of this session, with a text to train on."""
    import atexit

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
