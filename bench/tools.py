"""What the programs of this folder share. They run from a checkout, installed or not."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

# Seconds after which a search for plans is not waited for any more.
SETTLE = 8.0

__all__ = [
    "ROOT",
    "apart",
    "describe",
    "finish",
    "mpiexec",
    "parser",
    "stack",
    "time_of",
    "warn_if_busy",
]


def parser(about: str, timed: bool = True) -> argparse.ArgumentParser:
    """A parser with the options that all programs have, `timed` ones also a time."""
    made = argparse.ArgumentParser(
        description=about, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    made.add_argument("--json", metavar="FILE", help="write the figures there; - for stdout")
    if timed:
        made.add_argument("--seconds", type=float, default=0.3, help="for each figure")
    return made


def mpiexec(ranks: int) -> tuple[str, ...]:
    """The words that start so many ranks: of the MPI beside this Python, else of the system's."""
    beside = Path(sys.executable).parent / "mpiexec"
    program = str(beside) if beside.exists() else shutil.which("mpiexec")
    if program is None:
        sys.exit("mpiexec: not found; pip install 'numba_lstm[mpi]' brings one")
    return (program, "-n", str(ranks))


def apart(*words: Any, launcher: Sequence[str] = ()) -> str:
    """Run Python with these words in a process of its own, or in several that a launcher starts.

    Gives what it prints.
    """
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH")]))
    done = subprocess.run(
        [*launcher, sys.executable, *map(str, words)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    if done.returncode:
        sys.exit(f"{' '.join(map(str, words[:4]))}: ended with code {done.returncode}")
    return done.stdout


def numbers(text: str) -> list[int]:
    """``"1,2,4"`` as integers."""
    return [int(part) for part in text.split(",")]


def describe() -> dict[str, Any]:
    """The machine, as `numba-lstm bench` records it."""
    from numba_lstm.benchmark import machine, ours

    about = ours.about()
    return {"machine": machine.describe(about["machine"]), "versions": about["versions"]}


def warn_if_busy() -> None:
    """Say on standard error where others use the machine: what is measured then is noise."""
    from numba_lstm.benchmark.machine import Watch

    for warning in Watch().at_start():
        print(f"warning: {warning}", file=sys.stderr, flush=True)


def time_of(run: Callable[[], Any], seconds: float) -> float:
    """Seconds of a call: the least median of five blocks; a neighbour's burst spoils some only.

    What comes before is longer than asked for where plans are still searched for.
    """
    from numba_lstm.benchmark.settling import settle
    from numba_lstm.benchmark.timing import time_calls, warm_up

    call = warm_up(run, seconds / 6)
    settle(run, 0, SETTLE)
    return min(time_calls(run, seconds / 6, 0.0, call).median for _ in range(5))


def stack(kind: str, T: int, B: int, I: int, H: int, layers: int = 1) -> Any:
    """(case, run): an LSTM stack of these sizes and its "infer" or "train" call."""
    from numba_lstm.benchmark import ours
    from numba_lstm.benchmark.arrays import make_arrays
    from numba_lstm.benchmark.cases import Case

    case = Case(f"{T}x{B}x{I}x{H}-L{layers}", (kind,), T, B, I, H, layers)
    return case, ours.prepare(case, kind, make_arrays(case)).run


def finish(result: dict[str, Any], file: str | None) -> None:
    """Write the figures as JSON where asked for."""
    text = json.dumps(describe() | result, indent=1) + "\n"
    if file == "-":
        print(text, end="")
    elif file:
        Path(file).write_text(text)


def at_most_threads(n: int) -> None:
    """Let this process use `n` threads, more than there are cores if need be."""
    os.environ["NUMBA_NUM_THREADS"] = str(n)
