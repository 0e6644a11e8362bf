"""What another library in the same process costs: calls of both in turns, against each alone.

Many libraries have threads that wait for work by looping, for milliseconds after each call. Where
there are as many of them as cores, whoever calls next shares its cores with them. Each figure comes
from a process of its own: this library's calls alone, the other's alone, and both in turns.
"""

from __future__ import annotations

import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tools import SETTLE, apart, finish, numbers, parser, stack

OTHERS = ("torch", "sklearn", "onnxruntime", "numpy")
SHAPES = ("20,16,32,64", "35,20,64,128", "64,64,128,256")
# Environment variables that let OpenMP's threads sleep at once.
PASSIVE = {"OMP_WAIT_POLICY": "PASSIVE", "KMP_BLOCKTIME": "0"}


def other_call(name: str, T: int, B: int, I: int, H: int) -> Callable[[], Any]:
    """A call of another library that uses all of its threads and takes about as long as ours."""
    import numpy as np

    rng = np.random.default_rng(0)
    if name == "torch":
        import torch

        lstm, x = torch.nn.LSTM(I, H), torch.randn(T, B, I)
        return lambda: lstm(x)[0].sum().backward()
    if name == "onnxruntime":
        from numba_lstm.benchmark import onnx_peer
        from numba_lstm.benchmark.arrays import make_arrays
        from numba_lstm.benchmark.cases import Case

        case = Case("beside", ("infer",), T, B, I, H)
        onnx_peer.set_threads(os.cpu_count() or 1)
        return onnx_peer.prepare(case, "infer", make_arrays(case)).run
    if name == "sklearn":
        from sklearn.ensemble import HistGradientBoostingClassifier

        rows = rng.standard_normal((T * B, I))
        trees = HistGradientBoostingClassifier(max_iter=20, early_stopping=False)
        trees.fit(rows, rows[:, 0] > 0)
        return lambda: trees.predict(rows)
    a = rng.standard_normal((T * B, I + H), np.float32)
    b = rng.standard_normal((I + H, 4 * H), np.float32)
    return lambda: a @ b


def child(shape: list[int], name: str, who: str, seconds: float) -> dict[str, float]:
    """Median seconds of the calls of "ours", of "other", or of "both" in turns."""
    from numba_lstm.benchmark.settling import settle

    calls: dict[str, Callable[[], Any]] = {}
    if who != "other":
        calls["ours"] = stack("train", *shape)[1]
        settle(calls["ours"], 20, SETTLE)
    if who != "ours":
        calls["other"] = other_call(name, *shape)
    took: dict[str, list[float]] = {one: [] for one in calls}
    for _ in range(5):
        for call in calls.values():
            call()
    end = time.perf_counter() + seconds * len(calls)
    while time.perf_counter() < end or len(took[next(iter(took))]) < 5:
        for one, call in calls.items():
            begin = time.perf_counter()
            call()
            took[one].append(time.perf_counter() - begin)
    return {one: statistics.median(times) for one, times in took.items()}


def measure(shape: str, name: str, rounds: int, seconds: float) -> dict[str, Any]:
    """Milliseconds alone and in turns, medians of `rounds` processes each, and their ratios."""
    found: dict[str, list[float]] = {}
    for _ in range(rounds):
        for who in ("ours", "other", "both"):
            about = json.dumps({"shape": numbers(shape), "name": name, "who": who})
            told = json.loads(apart(__file__, "--child", about, "--seconds", seconds))
            for one, value in told.items():
                found.setdefault(f"{one} {'beside' if who == 'both' else 'alone'}", []).append(
                    1e3 * value
                )
    ms = {one: statistics.median(values) for one, values in found.items()}
    return {
        "shape": shape,
        "other": name,
        "ms": ms,
        "ours": ms["ours beside"] / ms["ours alone"],
        "others": ms["other beside"] / ms["other alone"],
        "both": (ms["ours beside"] + ms["other beside"]) / (ms["ours alone"] + ms["other alone"]),
    }


def main() -> None:
    options = parser(__doc__)
    options.add_argument("shapes", nargs="*", metavar="T,B,I,H", default=SHAPES)
    options.add_argument("--other", action="append", choices=OTHERS, help="default: all")
    options.add_argument("--rounds", type=int, default=5, help="processes for each figure")
    options.add_argument("--passive", action="store_true", help=f"with {' '.join(PASSIVE)}")
    options.add_argument("--child", help="what one process measures, as JSON; for itself")
    given = options.parse_args()
    if given.child:
        print(json.dumps(child(**json.loads(given.child), seconds=given.seconds)))
        return
    if given.passive:
        os.environ.update(PASSIVE)
    result: dict[str, Any] = {"passive": given.passive, "beside": []}
    for shape in given.shapes:
        for name in given.other or OTHERS:
            one = measure(shape, name, given.rounds, given.seconds)
            result["beside"].append(one)
            if given.json != "-":
                print(
                    f"{shape:<14} ours {one['ms']['ours alone']:8.3f} ms, beside {name:<12}"
                    f"x{one['ours']:5.2f}; {name} {one['ms']['other alone']:8.3f} ms, beside "
                    f"ours x{one['others']:5.2f}; both x{one['both']:5.2f}",
                    flush=True,
                )
    finish(result, given.json)


if __name__ == "__main__":
    sys.exit(main())
