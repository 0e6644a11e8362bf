"""Peers without processes, for tests of the benchmark."""

from __future__ import annotations

from typing import Any

import numpy as np

from numba_lstm.benchmark import records
from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.engine import QUICK, Engine
from numba_lstm.benchmark.peers import PEERS
from numba_lstm.benchmark.process import PeerFailed

TINY = Case("tiny-2x1x1x1", ("infer", "train", "latency", "cold", "memory"), 2, 1, 1, 1)
MS = {"ours": 2.0, "torch": 3.0, "onnxruntime": 1.0}
MIB = {"ours": 100.0, "torch": 150.0}


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
    """

    def __init__(self, peer: str, log: list, wrong: str = "", dead: str = "") -> None:
        self.peer, self.log, self.wrong, self.dead = peer, log, wrong, dead

    def ask(self, do: str, **arguments: Any) -> Any:
        self.log.append((self.peer, do))
        if do == "prepare" and self.peer == self.dead:
            raise PeerFailed(f"{self.peer}: its process ended with code -9")
        if do == "results":
            write_results(arguments["path"], self.peer == self.wrong)
        ms = MS[self.peer]
        return {
            "about": {
                "versions": {self.peer: "1.0"},
                "settings": {"threads": 1},
                "machine": {
                    "target_cpu": "fast",
                    "vector_bits": 512,
                    "features": ["avx2", "rdrnd"],
                },
            },
            "time": {"median": ms / 1e3, "p99": 2 * ms / 1e3, "calls": 7},
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

    def cold(peer, threads, case, arrays, results, **environment):
        log.append((peer, "cold", *environment))
        write_results(results, peer == wrong)
        slow = 10.0 if environment else 0.0
        return {"total": MS[peer], "import": 0.5, "prepare": 0.1, "first": 0.2 + slow}

    return Engine(
        [PEERS[name] for name in peers],
        1,
        settings,
        start=lambda peer, threads: FakeWorker(peer, log, wrong, dead),
        cold=cold,
    )


def result(wrong: str = "", repeat: int = 1) -> dict[str, Any]:
    """What a run over fake peers gives, as far as the report reads it."""
    engine = fake_engine([], QUICK, wrong=wrong)
    runs = [engine.measure(TINY, TINY.kinds) for _ in range(repeat)]
    cases = [
        records.record(one, 100.0, same)
        for one, same in zip(records.pooled(runs), zip(*runs, strict=True))
    ]
    return {
        "machine": {
            "cpu": "A Fine CPU",
            "caches": {"L2": "1024K"},
            "vector_bits": 256,
            "target_cpu": "haswell",
        },
        "threads": 2,
        "peak_gflops": 100.0,
        "bandwidth_gbs": 20.0,
        "versions": {"numba_lstm": "0.1", "torch": "2.0"},
        "peer_settings": {"torch": {}, "onnxruntime": {}},
        "busy": {"warnings": ["the machine is busy: load 3"]},
        "skipped": {"jax": "not installed"},
        "cases": cases,
        "geomean": records.geomeans(cases),
    }
