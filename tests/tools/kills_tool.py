"""A run that the system ends at random moments, begun or gone on with until it is done.

    python tests/tools/kills_tool.py KIND KILLS    (in an empty folder)

Every time the folder that is left must be absent or whole, and its model must load; in the end all
of its files must be those of a run that nobody disturbed, to the bit. Of the ends every third is
SIGTERM, which saves the run, and the others SIGKILL. Prints how many there were of which.
"""

from __future__ import annotations

import json
import os
import random
import signal
import sys
import time
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]
os.environ["NUMBA_LSTM_TUNE"] = "0"

import classify_tool  # noqa: E402
import forecast_tool  # noqa: E402
import numpy as np  # noqa: E402
from cli_tool import TEXT  # noqa: E402

import numba_lstm  # noqa: E402
from numba_lstm.training import load_classifier, load_forecaster  # noqa: E402
from numba_lstm.training.classify import results as classified  # noqa: E402
from numba_lstm.training.forecast import results as forecast  # noqa: E402
from numba_lstm.training.interrupt import Interrupted  # noqa: E402
from numba_lstm.training.runs import session, trainer  # noqa: E402
from numba_lstm.training.runs.checkpoint import Run  # noqa: E402
from numba_lstm.training.runs.kinds import KINDS  # noqa: E402
from numba_lstm.training.runs.options import merge_options  # noqa: E402

STEPS = 60
ABOUT: dict[str, dict[str, Any]] = {
    "lm": {"data": "text.txt", "embedding": 6, "batch": 2, "seq_len": 5},
    "classify": {
        "data": "table.csv", "id": "series", "time": "when", "label": "kind", "batch": 8,
        "test_fraction": 0.2,
    },
    "forecast": {
        "data": "sales.csv", "time": "day", "target": "sales", "horizon": 5, "folds": 2,
        "networks": 1, "batch": 16,
    },
}  # fmt: skip
LOAD = {"lm": numba_lstm.load, "classify": load_classifier, "forecast": load_forecaster}
FINISH = {"classify": classified.measure, "forecast": forecast.measure}


def make_data() -> None:
    Path("text.txt").write_text(TEXT)
    classify_tool.write_csv("table.csv", 30)
    forecast_tool.write_csv("sales.csv", 80)


def ended(work: Callable[[], None], signum: int, seconds: float) -> bool:
    """Do some work in a child that is sent a signal after so long; whether that ended it."""
    child = os.fork()
    if child == 0:
        code = 1
        try:
            work()
            code = 0
        except Interrupted:
            code = 128 + signum
        except BaseException:
            traceback.print_exc()
        finally:
            os._exit(code)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        done, status = os.waitpid(child, os.WNOHANG)
        if done:
            break
        time.sleep(0.0005)
    else:
        os.kill(child, signum)
        _, status = os.waitpid(child, 0)
    code = os.waitstatus_to_exitcode(status)
    assert code in (0, -signum, 128 + signum), code
    return code != 0


class Kills:
    """The runs of one kind.

    Parameters
    ----------
    kind
        What stands behind ``train``.
    kills
        How many there are in the training; a third of that while a run is made.
    """

    def __init__(self, kind: str, kills: int) -> None:
        self.kind, self.kills = kind, kills
        more = {"hidden": 8, "dropout": 0.3, "steps": STEPS, "valid_every": 7, "log_every": 2}
        self.config = merge_options(KINDS[kind], ("", {**ABOUT[kind], **more}))
        self.rng = random.Random(5)
        self.told = {"made": 0, "making": 0, "SIGKILL": 0, "SIGTERM": 0, "rounds": 0}

    def begin(self, path: Path) -> None:
        session.start(self.config, path)

    def go_on(self, path: Path) -> None:
        found, run = session.resume(path)
        self.finish(found, run)

    def finish(self, found: Any, run: Run) -> None:
        measure = FINISH.get(self.kind)
        found.run(run, None if measure is None else lambda: measure(found.task, run))

    def all(self) -> dict[str, Any]:
        self.finish(*session.start(self.config, "whole"))
        took = []
        for work in (self.begin, self.go_on):
            began = time.monotonic()
            assert not ended(lambda work=work: work(Path("new/first")), signal.SIGKILL, 60.0)
            took.append(time.monotonic() - began)
        self.make(took[0])
        while self.told["SIGKILL"] + self.told["SIGTERM"] < self.kills:
            self.train(Path(f"run{self.told['rounds']}"), took[1])
        return self.told

    def make(self, took: float) -> None:
        """Kill what makes a run: there is a whole folder, or none."""
        while self.told["making"] < max(1, self.kills // 3) or not self.told["made"]:
            path = Path("new") / str(self.told["made"])
            seconds = self.rng.uniform(0.0, took)
            killed = ended(lambda p=path: self.begin(p), signal.SIGKILL, seconds)
            self.told["making"] += killed
            # Half of them are made, and half are not, however busy the machine becomes or was.
            took *= 1.1 if killed else 1 / 1.1
            if path.exists():
                assert Run(path).load().counters["step"] == 0 and len(list(path.iterdir())) == 5
                LOAD[self.kind](path)
                self.told["made"] += 1
        session.start(self.config, "new/last")
        assert not [name for name in os.listdir("new") if name.startswith(".")]

    def train(self, path: Path, took: float) -> None:
        """End what trains a run until it is done: it is as it would have been at once."""
        session.start(self.config, path)
        step = 0
        while True:
            third = (self.told["SIGKILL"] + self.told["SIGTERM"]) % 3 == 2
            signum = signal.SIGTERM if third else signal.SIGKILL
            seconds = self.rng.uniform(0.0, 0.6 * took)
            if not ended(lambda: self.go_on(path), signum, seconds):
                break
            self.told[signal.Signals(signum).name] += 1
            before, step = step, Run(path).load().counters["step"]
            took *= 1.0 if step > before else 1.1  # a machine that got busy goes on more slowly
            LOAD[self.kind](path)
            list(Run(path).metrics())
        self.told["rounds"] += 1
        assert_same(path, Path("whole"))


def assert_same(path: Path, whole: Path) -> None:
    """The files of two runs are the same, but for how long it took."""
    names = sorted(os.listdir(whole))
    assert sorted(os.listdir(path)) == names
    for name in names:
        if name not in ("metrics.jsonl", "resume.safetensors"):
            assert (path / name).read_bytes() == (whole / name).read_bytes(), name
    one, two = Run(path).load(), Run(whole).load()
    assert one.model.keys() == two.model.keys()
    for name, value in two.model.items():
        assert np.array_equal(one.model[name], value), name
    for found in (one, two):
        found.counters.pop("seconds")
    assert one.counters == two.counters
    assert (one.random, one.other_random) == (two.random, two.other_random)
    lines = [
        [{k: v for k, v in line.items() if k != "seconds"} for line in Run(p).metrics()]
        for p in (path, whole)
    ]
    assert lines[0] == lines[1]


if __name__ == "__main__":
    trainer._SAVE_SECONDS = 0.0  # after each step
    make_data()
    print(json.dumps(Kills(sys.argv[1], int(sys.argv[2])).all()))
