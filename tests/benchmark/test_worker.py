"""The worker's protocol: a line asks, a line answers, and errors are answers."""

from __future__ import annotations

import io
import json

import numpy as np

from numba_lstm.benchmark.arrays import make_arrays, save
from numba_lstm.benchmark.cases import Case
from numba_lstm.benchmark.subject import Subject
from numba_lstm.benchmark.worker import Worker, serve

CASE = Case("a", (), 2, 2, 2, 2)


class Library:
    """A peer that counts what it is asked to run."""

    def __init__(self):
        self.threads, self.runs, self.seen = 0, 0, None

    def set_threads(self, n):
        self.threads = n

    def about(self):
        return {"versions": {"library": "1"}}

    def prepare(self, case, kind, arrays):
        if kind == "step":
            raise RuntimeError("no such thing")
        self.seen = (case, kind, arrays["x"].copy())

        def run():
            self.runs += 1

        return Subject(run, lambda: {"y": np.arange(3.0)})


def ask(*requests):
    library, replies = Library(), io.StringIO()
    lines = [json.dumps(each) if isinstance(each, dict) else each for each in requests]
    serve(Worker(library, 5), lines, replies)
    return library, [json.loads(line) for line in replies.getvalue().splitlines()]


def test_a_case_is_prepared_compared_warmed_and_timed(tmp_path):
    arrays, results = str(tmp_path / "a.npz"), str(tmp_path / "r.npz")
    save(arrays, make_arrays(CASE))
    library, replies = ask(
        {"do": "about"},
        {"do": "prepare", "case": CASE.to_json(), "kind": "infer", "arrays": arrays},
        {"do": "results", "path": results},
        {"do": "warm", "seconds": 0.0},
        {"do": "time", "seconds": 0.0, "warm_seconds": 0.0},
        {"do": "memory", "steps": 3},
    )
    assert library.threads == 5
    assert replies[0] == {"ok": {"versions": {"library": "1"}}}
    assert replies[1] == replies[2] == {"ok": None}
    case, kind, x = library.seen
    assert (case, kind) == (CASE, "infer") and np.array_equal(x, make_arrays(CASE)["x"])
    assert np.load(results)["y"].tolist() == [0.0, 1.0, 2.0]
    assert replies[4]["ok"]["calls"] == 1
    assert library.runs == 2 + 2 + 3
    assert set(replies[5]["ok"]) == {"before", "peak"}


def test_what_goes_wrong_is_told_and_the_next_request_is_answered():
    _, replies = ask(
        {"do": "prepare", "case": CASE.to_json(), "kind": "infer", "arrays": "absent.npz"},
        {"do": "time", "seconds": 0.0, "warm_seconds": 0.0},
        {"do": "fly"},
        "no json",
        {"do": "about"},
    )
    assert "absent.npz" in replies[0]["error"]
    assert "nothing was prepared" in replies[1]["error"]
    assert all("error" in reply for reply in replies[:4])
    assert "ok" in replies[4]


def test_settling_ends_at_the_calls_or_the_seconds_whatever_is_first(tmp_path):
    arrays = str(tmp_path / "a.npz")
    save(arrays, make_arrays(CASE))
    prepare = {"do": "prepare", "case": CASE.to_json(), "kind": "infer", "arrays": arrays}
    library, _ = ask(prepare, {"do": "settle", "calls": 30, "seconds": 60.0})
    assert library.runs == 30
    library, _ = ask(prepare, {"do": "settle", "calls": 30, "seconds": 0.0})
    assert library.runs == 0
