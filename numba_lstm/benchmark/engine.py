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
from .busy import busy_loops
from .cases import Case
from .compare import disagreement
from .isa import NATIVE, find, told
from .peers import OURS, PEERS, Peer
from .process import PeerFailed, Process, run_cold

__all__ = ["FULL", "QUICK", "Engine", "Measurement", "Settings"]


@dataclass(frozen=True)
class Settings:
    """How it is measured, and how long; seconds where nothing else is said.

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
    settle_calls : int
        So many of ours before the first round, and more until their plans are found, if they do not
        take longer than `settle`.
    settle : float
    limit : float
        No further round begins after so long.
    cold_rounds, memory_rounds, memory_steps : int
    compile : bool
        Whether to measure a first start with an empty compile cache.
    peak : float
        How long to look for the FMA peak, before each case.
    isa : str
        The instruction set that everybody is held to, one of `isa.ISAS`; the machine's own by
        default.
    busy : int
        How many busy loops run beside each measurement.
    """

    rounds: int = 21
    least_rounds: int = 7
    block: float = 0.04
    warm: float = 0.012
    first_warm: float = 0.3
    settle_calls: int = 30
    settle: float = 15.0
    limit: float = 12.0
    cold_rounds: int = 7
    memory_rounds: int = 3
    memory_steps: int = 3
    compile: bool = True
    peak: float = 0.15
    isa: str = NATIVE
    busy: int = 0


FULL = Settings()
QUICK = Settings(
    rounds=5,
    least_rounds=2,
    block=0.008,
    warm=0.004,
    first_warm=0.03,
    settle_calls=8,
    settle=4.0,
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
    quiet : list of float
        Where busy loops ran beside the rounds: our seconds on one thread before they began.
    plans : list of dict
        Ours after the rounds: {"sizes", "plan", "rule"}, names of what ran and of what would have
        run without measured plans.
    error : str or None
        Why there are no figures.
    """

    case: Case
    kind: str
    values: dict[str, list[float]] = field(default_factory=dict)
    details: dict[str, dict[str, list[float]]] = field(default_factory=dict)
    quiet: list[float] = field(default_factory=list)
    plans: list[dict[str, str]] = field(default_factory=list)
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
    start : callable (peer's name, threads, **environment) -> Process
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
        start: Callable[..., Any] = Process,
        cold: Callable[..., dict[str, float]] = run_cold,
        say: Callable[[str], Any] = lambda text: None,
    ) -> None:
        self.peers = [OURS, *peers]
        self.threads = threads
        self.settings = settings
        self._isa = find(settings.isa)
        self.environments = {peer.name: told(self._isa, peer) for peer in self.peers}
        self.peaks: list[float] = []
        self.about: dict[str, dict[str, Any]] = {}
        self._start = start
        self._cold = cold
        self._say = say

    def survey(self) -> float:
        """Ask ours what it runs on, and measure the peak; gives the memory's bandwidth in GB/s.

        Raises
        ------
        PeerFailed
            If our kernels are not held to the instruction set that was asked for.
        """
        self._say("measuring the machine")
        with self._worker(OURS.name) as worker:
            self.about[OURS.name] = worker.ask("about")
            bits = self.about[OURS.name]["machine"]["vector_bits"]
            if self._isa is not None and bits != self._isa.vector_bits:
                raise PeerFailed(f"ours: vectors of {bits} bits, {self._isa.words} was asked for")
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

    def _worker(self, name: str, threads: int | None = None) -> Any:
        """A process of a peer, told what instruction set to use."""
        return self._start(name, threads or self.threads, **self.environments[name])

    def _start_all(self, case: Case, stack: ExitStack) -> dict[str, Any]:
        """A worker for each peer that takes part in any of the case's kinds, all idle."""
        wanted = [p for p in self.peers if any(p.takes(case, kind) for kind in case.kinds)]
        workers = {peer.name: stack.enter_context(self._worker(peer.name)) for peer in wanted}
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
        if self.settings.busy:
            one.quiet = self._measure_quiet(one, arrays)
        with busy_loops(self.settings.busy):
            for worker in turn:
                self._warm(worker)
            end = time.monotonic() + s.limit
            for number in range(s.rounds):
                if number >= s.least_rounds and time.monotonic() > end:
                    break
                # Who comes first changes, so that nobody always follows the same one.
                for worker in turn if number % 2 == 0 else reversed(turn):
                    block = worker.ask("time", seconds=s.block, warm_seconds=s.warm)
                    one.add(worker.peer, block["median"], p99=block["p99"], calls=block["calls"])
        one.plans = workers[OURS.name].ask("plans") or []

    def _warm(self, worker: Any) -> None:
        s = self.settings
        worker.ask("warm", seconds=s.first_warm)
        if worker.peer == OURS.name:
            worker.ask("settle", calls=s.settle_calls, seconds=s.settle)

    def _measure_quiet(self, one: Measurement, arrays: str) -> list[float]:
        """Our seconds on one thread, with nothing beside it."""
        s = self.settings
        with self._worker(OURS.name, 1) as worker:
            worker.ask("prepare", case=one.case.to_json(), kind=one.kind, arrays=arrays)
            self._warm(worker)
            blocks = [
                worker.ask("time", seconds=s.block, warm_seconds=s.warm)
                for _ in range(s.least_rounds)
            ]
        return [block["median"] for block in blocks]

    def _measure_memory(self, one: Measurement, arrays: str) -> None:
        """Each figure comes from a fresh process: a peak cannot be taken back."""
        for _ in range(self.settings.memory_rounds):
            for peer in self.peers:
                if not peer.takes(one.case, one.kind):
                    continue
                with busy_loops(self.settings.busy), self._worker(peer.name) as worker:
                    worker.ask("prepare", case=one.case.to_json(), kind=one.kind, arrays=arrays)
                    found = worker.ask("memory", steps=self.settings.memory_steps)
                if found["peak"] is None:
                    raise PeerFailed("this system does not tell a process's peak memory")
                one.add(peer.name, found["peak"], before=found["before"] or 0)

    def _measure_cold(self, one: Measurement, folder: str, arrays: str) -> None:
        names = [peer.name for peer in self.peers if peer.takes(one.case, one.kind)]

        def run(name: str, **environment: str) -> dict[str, float]:
            path = _results(folder, name)
            environment = {**self.environments[name], **environment}
            return self._cold(name, self.threads, one.case, arrays, path, **environment)

        for name in names:  # fills the compile cache, and the system's cache of files
            run(name)
        _agree(names, folder)
        with busy_loops(self.settings.busy):
            for _ in range(self.settings.cold_rounds):
                for name in names:
                    seconds = run(name)
                    one.add(name, seconds.pop("total"), **seconds)
        if self.settings.compile:
            with tempfile.TemporaryDirectory(prefix="numba_lstm-cache-") as empty:
                first = run(OURS.name, NUMBA_LSTM_CACHE_DIR=empty)["first"]
            one.details[OURS.name]["first_with_compiling"] = [first]


_TOLERANCES = {name: peer.tolerance for name, peer in PEERS.items()}


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
                difference = disagreement(ours, theirs, _TOLERANCES[name])
            if difference:
                raise Disagreement(f"{name} disagrees: {difference}")
