"""The parent's end of a worker process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from .cases import Case

__all__ = ["PeerFailed", "Process", "run_cold"]

_PACKAGE = __package__.split(".")[0]


class PeerFailed(Exception):
    """A peer raised an error, or its process died."""


def _command(peer: str, threads: int, *more: str) -> list[str]:
    # -P: what lies in the current folder must not be taken for one of the libraries.
    return [sys.executable, "-P", "-m", f"{__package__}.worker", peer, str(threads), *more]


def _environment(threads: int, **more: str) -> dict[str, str]:
    root = str(Path(sys.modules[_PACKAGE].__file__ or "").resolve().parent.parent)
    path = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    # More threads than cores are refused otherwise, and are measured when asked for.
    return {**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": str(threads), **more}


class Process:
    """A worker, started at once; ask it things, and close it.

    Parameters
    ----------
    peer : str
        A peer's name.
    threads : int
        On how many threads it is to compute.
    """

    def __init__(self, peer: str, threads: int, **environment: str) -> None:
        self.peer = peer
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 (closed with the process)
        self._process = subprocess.Popen(
            _command(peer, threads),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._errors,
            text=True,
            encoding="utf-8",
            env=_environment(threads, **environment),
        )

    def ask(self, do: str, **arguments: Any) -> Any:
        """Have it do something, and wait for what it answers.

        Raises
        ------
        PeerFailed
            If it raised or died.
        """
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        try:
            process.stdin.write(json.dumps({"do": do, **arguments}) + "\n")
            process.stdin.flush()
        except BrokenPipeError:
            raise PeerFailed(self._death()) from None
        line = process.stdout.readline()
        if not line:
            raise PeerFailed(self._death())
        reply = json.loads(line)
        if "error" in reply:
            raise PeerFailed(f"{self.peer}: {reply['error']}")
        return reply["ok"]

    def _death(self) -> str:
        code = self._process.wait()
        self._errors.seek(0)
        last = self._errors.read().decode(errors="replace").strip().splitlines()[-1:]
        return f"{self.peer}: its process ended with code {code} {' '.join(last)}".rstrip()

    def close(self) -> None:
        """End the process, whatever it is doing."""
        process = self._process
        assert process.stdin is not None and process.stdout is not None
        with contextlib.suppress(BrokenPipeError):
            process.stdin.close()
        try:
            process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()
        self._errors.close()

    def __enter__(self) -> Process:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def run_cold(
    peer: str, threads: int, case: Case, arrays: str, results: str, **environment: str
) -> dict[str, float]:
    """Start a process that infers once and ends.

    Returns
    -------
    dict
        Seconds: ``total`` from the process's start until the result is known here; of these
        ``import`` for the library, ``prepare`` for building the module, ``first`` for the first
        call.

    Raises
    ------
    PeerFailed
        If it gave no result.
    """
    command = _command(peer, threads, json.dumps(case.to_json()), arrays, results)
    begin = time.perf_counter()
    with (
        tempfile.TemporaryFile() as errors,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            encoding="utf-8",
            env=_environment(threads, **environment),
        ) as process,
    ):
        assert process.stdout is not None
        line = process.stdout.readline()
        total = time.perf_counter() - begin
        code = process.wait()
        if not line or code:
            errors.seek(0)
            last = errors.read().decode(errors="replace").strip().splitlines()[-1:]
            raise PeerFailed(f"{peer}: its process ended with code {code} {' '.join(last)}")
    return {"total": total, **json.loads(line)["ok"]}
