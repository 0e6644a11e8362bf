"""The process in which one peer computes: ``python -m numba_lstm.benchmark.worker PEER THREADS``.

Each line of standard input is a request ``{"do": …, …}``, each line of standard output its reply,
``{"ok": …}`` or ``{"error": "…"}``. A reply is sent when this process no longer uses the CPU.
"""

from __future__ import annotations

import contextlib
import json
import os
import sys
import time
from collections.abc import Callable
from importlib import import_module
from typing import IO, Any

from .arrays import save
from .cases import Case
from .peers import OURS, PEERS
from .subject import Subject
from .timing import time_calls, wait_until_idle, warm_up

__all__ = ["Worker", "main", "serve"]


class Worker:
    """What a worker can do; a request's "do" is the name of a method.

    Parameters
    ----------
    library
        The module that speaks for the peer: `load`, `set_threads`, `about`, `prepare`.
    threads : int
    """

    def __init__(self, library: Any, threads: int) -> None:
        self._library = library
        self._threads = threads
        self._subject: Subject | None = None
        self._call = 0.0
        library.set_threads(threads)

    def about(self) -> dict[str, Any]:
        """Versions and settings of the peer."""
        return self._library.about()

    def prepare(self, case: dict[str, Any], kind: str, arrays: str) -> None:
        """Build a case from the weights in the file `arrays`."""
        import numpy as np

        self._subject = None  # two at a time would count twice as memory
        with np.load(arrays) as given:
            self._subject = self._library.prepare(Case.from_json(case), kind, given)

    def results(self, path: str) -> None:
        """Compute once and leave the results in a file."""
        save(path, self._ready().results())

    def warm(self, seconds: float) -> float:
        """Run for a while; gives the seconds of one call."""
        self._call = warm_up(self._ready().run, seconds)
        return self._call

    def settle(self, calls: int, seconds: float) -> None:
        """Run until all plans are found, see `settling.settle`."""
        from .settling import settle

        settle(self._ready().run, calls, seconds)

    def time(self, seconds: float, warm_seconds: float) -> dict[str, Any]:
        """Time a block of calls."""
        return time_calls(self._ready().run, seconds, warm_seconds, self._call).to_json()

    def plans(self) -> list[dict[str, str]]:
        """What runs by a measured plan, what would by the rules, what is known; of ours only."""
        from ..plans.registry import report

        names = ("sizes", "plan", "rule", "state")
        return [{name: one[name] for name in names} for one in report()]

    def memory(self, steps: int) -> dict[str, Any]:
        """Run a few times; gives bytes resident before and at the peak."""
        from .memory import peak_bytes, resident_bytes

        before = resident_bytes()
        for _ in range(steps):
            self._ready().run()
        return {"before": before, "peak": peak_bytes()}

    def peak(self, seconds: float) -> float:
        """Measure the machine's FMA peak."""
        from .peak import peak_gflops

        return peak_gflops(self._threads, seconds)

    def bandwidth(self, seconds: float) -> float:
        """Measure how fast the machine reads memory."""
        from .peak import bandwidth_gbs

        return bandwidth_gbs(self._threads, seconds)

    def _ready(self) -> Subject:
        if self._subject is None:
            raise RuntimeError("nothing was prepared")
        return self._subject


def _reply(worker: Worker, line: str) -> dict[str, Any]:
    try:
        request = json.loads(line)
        method: Callable[..., Any] = getattr(worker, request.pop("do"))
        return {"ok": method(**request)}
    except Exception as error:  # whatever a peer raises is the answer
        return {"error": f"{type(error).__name__}: {error}"}


def serve(worker: Worker, requests: IO[str], replies: IO[str]) -> None:
    """Answer until there are no more requests."""
    for line in requests:
        reply = _reply(worker, line)
        wait_until_idle()
        replies.write(json.dumps(reply) + "\n")
        replies.flush()


def main() -> None:
    """Serve the peer that the command line names; ``cold`` runs it once, as fast as can be."""
    library, threads = _library(sys.argv[1]), int(sys.argv[2])
    # What a peer prints must not come between our replies.
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    with contextlib.suppress(KeyboardInterrupt, BrokenPipeError):
        if sys.argv[3:]:
            case, arrays, results = sys.argv[3:]
            _cold(library, threads, case, arrays, results, replies)
        else:
            serve(Worker(library, threads), sys.stdin, replies)


def _library(name: str) -> Any:
    peer = {OURS.name: OURS, **PEERS}[name]
    return import_module(f".{peer.module}", __package__)


def _cold(library: Any, threads: int, case: str, arrays: str, path: str, replies: IO[str]) -> None:
    """Tell when the first result is there, then leave the results for a comparison."""
    begin = time.perf_counter()
    library.load()
    loaded = time.perf_counter()
    library.set_threads(threads)
    import numpy as np

    with np.load(arrays) as given:
        subject = library.prepare(Case.from_json(json.loads(case)), "infer", given)
        prepared = time.perf_counter()
        subject.run()
        first = time.perf_counter()
        told = {
            "import": loaded - begin,
            "prepare": prepared - loaded,
            "first": first - prepared,
        }
        replies.write(json.dumps({"ok": told}) + "\n")
        replies.flush()
        save(path, subject.results())


if __name__ == "__main__":
    main()
