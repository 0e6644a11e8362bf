"""Peers without processes, for tests of the benchmark."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np

from numba_lstm.benchmark import records
from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.engine import QUICK, Engine
from numba_lstm.benchmark.peers import PEERS
from numba_lstm.benchmark.process import PeerFailed

TINY = Case("tiny-2x1x1x1", ("infer", "train", "latency", "cold", "memory"), 2, 1, 1, 1)
MS = {"ours": 2.0, "torch": 3.0, "onnxruntime": 1.0, "openvino": 5.0, "rules": 2.0}
MIB = {"ours": 100.0, "torch": 150.0}
QUIET_MS = 0.5  # ours on one thread


class FakeWorker:
    """Answers what a worker would, at once.

    Parameters
    ----------
    peer : str
    log : list
        Takes (peer, request) for each question, and (peer, "close").
    wrong : str
        The peer whose results are off.
    dead : str
        The peer whose process dies when it is asked to prepare.
    ms : float or None
        What a call takes it; `MS` where it is None.
    environment
        What it was told.
    """

    def __init__(
        self,
        peer: str,
        log: list,
        wrong: str = "",
        dead: str = "",
        ms: float | None = None,
        **environment: str,
    ) -> None:
        self.peer, self.log, self.wrong, self.dead = peer, log, wrong, dead
        self.ms, self.environment = ms or MS[peer], environment

    def ask(self, do: str, **arguments: Any) -> Any:
        self.log.append((self.peer, do))
        if do == "prepare" and self.peer == self.dead:
            raise PeerFailed(f"{self.peer}: its process ended with code -9")
        if do == "results":
            write_results(arguments["path"], self.peer == self.wrong)
        bits = {"x86-64-v3": 256, "x86-64": 128}.get(
            self.environment.get("NUMBA_CPU_NAME", ""), 512
        )
        return {
            "about": {
                "versions": {self.peer: "1.0"},
                "settings": {"threads": 1},
                "machine": {
                    "target_cpu": "fast",
                    "vector_bits": bits,
                    "features": ["avx2", "rdrnd"],
                },
            },
            "time": {"median": self.ms / 1e3, "p99": 2 * self.ms / 1e3, "calls": 7},
            "memory": {"before": 2**20, "peak": int(MIB.get(self.peer, 1.0) * 2**20)},
            "peak": 100.0,
            "bandwidth": 20.0,
        }.get(do)

    def __enter__(self) -> FakeWorker:
        return self

    def __exit__(self, *_: object) -> None:
        self.log.append((self.peer, "close"))


def write_results(path: str, wrong: bool) -> None:
    np.savez(path, y=np.array([1.0, 2.0 + 1e-3 * wrong]))


def fake_engine(log: list, settings=QUICK, peers=("torch", "onnxruntime"), wrong="", dead=""):
    """An engine over fake workers, which notes all questions in `log`."""

    def start(peer, threads, **environment):
        quiet = QUIET_MS if settings.busy and threads == 1 else None
        return FakeWorker(peer, log, wrong, dead, quiet, **environment)

    def cold(peer, threads, case, arrays, results, **environment):
        log.append((peer, "cold", *environment))
        write_results(results, peer == wrong)
        slow = 10.0 if "NUMBA_LSTM_CACHE_DIR" in environment else 0.0
        return {"total": MS[peer], "import": 0.5, "prepare": 0.1, "first": 0.2 + slow}

    chosen = [PEERS[name] for name in peers]
    return Engine(chosen, 2, settings, start=start, cold=cold)


def result(wrong: str = "", repeat: int = 1, isa: str = "native", busy: int = 0) -> dict[str, Any]:
    """What a run over fake peers gives, as far as the report reads it."""
    engine = fake_engine([], replace(QUICK, busy=busy), wrong=wrong)
    runs = [engine.measure(TINY, TINY.kinds) for _ in range(repeat)]
    unheld = [] if isa == "native" else ["onnxruntime"]
    cases = [records.record(same, 100.0, unheld) for same in zip(*runs, strict=True)]
    return {
        "machine": {
            "cpu": "A Fine CPU",
            "caches": {"L2": "1024K"},
            "vector_bits": 256,
            "target_cpu": "haswell",
        },
        "isa": isa,
        "threads": 2,
        "busy_loops": busy,
        "unheld": unheld,
        "peak_gflops": 100.0,
        "bandwidth_gbs": 20.0,
        "versions": {"numba_lstm": "0.1", "torch": "2.0"},
        "peer_settings": {"torch": {}, "onnxruntime": {}},
        "busy": {"warnings": ["the machine is busy: load 3"]},
        "skipped": {"jax": "not installed"},
        "cases": cases,
        "geomean": records.geomeans(cases),
    }
