"""Measuring: each peer in a process of its own, in turns, once all of them agree on the results."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from .arrays import make_arrays, save
from .cases import Case
from .compare import disagreement
from .peers import OURS, Peer
from .process import PeerFailed, Process, run_cold

__all__ = ["FULL", "QUICK", "Engine", "Measurement", "Settings"]


@dataclass(frozen=True)
class Settings:
    """How long is measured; seconds where nothing else is said.

    Attributes
    ----------
    rounds : int
        Rounds of each measurement, in each of which all peers take their turn.
    least_rounds : int
        So many in any case, however long they take.
    block : float
        A peer's turn.
    warm : float
        Its calls before each turn that do not count.
    first_warm : float
        Its calls before the first round.
    limit : float
        No further round begins after so long.
    cold_rounds, memory_rounds, memory_steps : int
    compile : bool
        Whether to measure a first start with an empty compile cache.
    peak : float
        How long to look for the FMA peak, before each case.
    """

    rounds: int = 21
    least_rounds: int = 7
    block: float = 0.04
    warm: float = 0.012
    first_warm: float = 0.3
    limit: float = 12.0
    cold_rounds: int = 7
    memory_rounds: int = 3
    memory_steps: int = 3
    compile: bool = True
    peak: float = 0.15


FULL = Settings()
QUICK = Settings(
    rounds=5,
    least_rounds=2,
    block=0.008,
    warm=0.004,
    first_warm=0.03,
    limit=2.0,
    cold_rounds=2,
    memory_rounds=1,
    memory_steps=2,
    compile=False,
    peak=0.1,
)


@dataclass
class Measurement:
    """One case measured in one way.

    Attributes
    ----------
    values : dict
        For each peer its figure in each round: seconds of a call, bytes for "memory".
    details : dict
        For each peer further figures by name, each a list like `values`.
    error : str or None
        Why there are no figures.
    """

    case: Case
    kind: str
    values: dict[str, list[float]] = field(default_factory=dict)
    details: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    error: str | None = None

    def add(self, peer: str, value: float, **details: float) -> None:
        """Note a round's figures of one peer."""
        self.values.setdefault(peer, []).append(value)
        for name, detail in details.items():
            self.details.setdefault(peer, {}).setdefault(name, []).append(detail)


class Engine:
    """Measures cases.

    Parameters
    ----------
    peers : sequence of Peer
        Whom to compare with.
    threads : int
        For everybody.
    settings : Settings
    start : callable (peer's name, threads) -> Process
    cold : callable
        As `run_cold`.
    say : callable (str)
        Told what is measured, for people who wait.
    """

    def __init__(
        self,
        peers: Sequence[Peer],
        threads: int,
        settings: Settings = FULL,
        *,
        start: Callable[[str, int], Any] = Process,
        cold: Callable[..., dict[str, float]] = run_cold,
        say: Callable[[str], Any] = lambda text: None,
    ) -> None:
        self.peers = [OURS, *peers]
        self.threads = threads
        self.settings = settings
        self.peaks: list[float] = []
        self.about: dict[str, dict[str, Any]] = {}
        self._start = start
        self._cold = cold
        self._say = say

    def survey(self) -> float:
        """Ask ours what it runs on, and measure the peak; gives the memory's bandwidth in GB/s."""
        self._say("measuring the machine")
        with self._start(OURS.name, self.threads) as worker:
            self.about[OURS.name] = worker.ask("about")
            self._peak(worker, 3)
            return worker.ask("bandwidth", seconds=self.settings.peak)

    def measure(self, case: Case, kinds: Iterable[str]) -> list[Measurement]:
        """Measure one case in several ways; a failure is noted, never raised."""
        found = []
        with ExitStack() as stack:
            folder = stack.enter_context(tempfile.TemporaryDirectory(prefix="numba_lstm-bench-"))
            arrays = str(Path(folder) / "arrays.npz")
            save(arrays, make_arrays(case))
            workers: dict[str, Any] = {}
            for kind in kinds:
                self._say(f"{case.name} {kind}")
                one = Measurement(case, kind)
                try:
                    if kind == "cold":
                        self._measure_cold(one, folder, arrays)
                    elif kind == "memory":
                        self._measure_memory(one, arrays)
                    else:
                        if not workers:
                            workers = self._start_all(case, stack)
                        self._measure_time(one, workers, folder, arrays)
                except (PeerFailed, Disagreement) as error:
                    one = Measurement(case, kind, error=str(error))
                found.append(one)
        return found

    # -- parts --------------------------------------------------------------------------------

    def _start_all(self, case: Case, stack: ExitStack) -> dict[str, Any]:
        """A worker for each peer that takes part in any of the case's kinds, all idle."""
        wanted = [p for p in self.peers if any(p.takes(case, kind) for kind in case.kinds)]
        workers = {
            peer.name: stack.enter_context(self._start(peer.name, self.threads)) for peer in wanted
        }
        for name, worker in workers.items():  # they import at the same time
            self.about[name] = worker.ask("about")
        self._peak(workers[OURS.name], 1)
        return workers

    def _peak(self, worker: Any, times: int) -> None:
        for _ in range(times):
            self.peaks.append(worker.ask("peak", seconds=self.settings.peak))

    def _measure_time(
        self, one: Measurement, workers: dict[str, Any], folder: str, arrays: str
    ) -> None:
        s = self.settings
        turn = [workers[peer.name] for peer in self.peers if peer.takes(one.case, one.kind)]
        case = one.case.to_json()
        for worker in turn:
            worker.ask("prepare", case=case, kind=one.kind, arrays=arrays)
            worker.ask("results", path=_results(folder, worker.peer))
        _agree([worker.peer for worker in turn], folder)
        for worker in turn:
            worker.ask("warm", seconds=s.first_warm)
        end = time.monotonic() + s.limit
        for number in range(s.rounds):
            if number >= s.least_rounds and time.monotonic() > end:
                break
            # Who comes first changes, so that nobody always follows the same one.
            for worker in turn if number % 2 == 0 else reversed(turn):
                block = worker.ask("time", seconds=s.block, warm_seconds=s.warm)
                one.add(worker.peer, block["median"], p99=block["p99"], calls=block["calls"])

    def _measure_memory(self, one: Measurement, arrays: str) -> None:
        """Each figure comes from a fresh process: a peak cannot be taken back."""
        for _ in range(self.settings.memory_rounds):
            for peer in self.peers:
                if not peer.takes(one.case, one.kind):
                    continue
                with self._start(peer.name, self.threads) as worker:
                    worker.ask("prepare", case=one.case.to_json(), kind=one.kind, arrays=arrays)
                    told = worker.ask("memory", steps=self.settings.memory_steps)
                if told["peak"] is None:
                    raise PeerFailed("this system does not tell a process's peak memory")
                one.add(peer.name, told["peak"], before=told["before"] or 0)

    def _measure_cold(self, one: Measurement, folder: str, arrays: str) -> None:
        names = [peer.name for peer in self.peers if peer.takes(one.case, one.kind)]

        def run(name: str, **environment: str) -> dict[str, float]:
            path = _results(folder, name)
            return self._cold(name, self.threads, one.case, arrays, path, **environment)

        for name in names:  # fills the compile cache, and the system's cache of files
            run(name)
        _agree(names, folder)
        for _ in range(self.settings.cold_rounds):
            for name in names:
                told = run(name)
                one.add(name, told.pop("total"), **told)
        if self.settings.compile:
            with tempfile.TemporaryDirectory(prefix="numba_lstm-cache-") as empty:
                first = run(OURS.name, NUMBA_LSTM_CACHE_DIR=empty)["first"]
            one.details[OURS.name]["first_with_compiling"] = [first]


class Disagreement(Exception):
    """A peer computed something else."""


def _results(folder: str, peer: str) -> str:
    return str(Path(folder) / f"results-{peer}.npz")


def _agree(names: Sequence[str], folder: str) -> None:
    """Compare everybody's results with ours, the first.

    Raises
    ------
    Disagreement
        If anything differs by more than rounding.
    """
    with np.load(_results(folder, names[0])) as ours:
        for name in names[1:]:
            with np.load(_results(folder, name)) as theirs:
                difference = disagreement(ours, theirs)
            if difference:
                raise Disagreement(f"{name} disagrees: {difference}")
