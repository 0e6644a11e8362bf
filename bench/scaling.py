"""How much faster on more threads: time, speed-up, and the fraction of the peak of so many threads.

The peak is measured for each number of threads, since clocks fall when more cores work.
"""

from __future__ import annotations

import os
import sys
from typing import Any

from tools import at_most_threads, finish, numbers, parser, stack, time_of

SHAPES = ("128,64,128,256", "35,20,650,650,2", "70,20,200,1000", "16,512,64,64", "100,1,128,256")


def measure(shape: list[int], kind: str, counts: list[int], seconds: float) -> list[dict[str, Any]]:
    """Milliseconds and speed-ups of one shape on each number of threads."""
    from numba_lstm import set_num_threads
    from numba_lstm.benchmark.cases import flops

    case, run = stack(kind, *shape)
    found: list[dict[str, Any]] = []
    for n in counts:
        set_num_threads(n)
        took = time_of(run, seconds)
        found.append({"threads": n, "ms": 1e3 * took, "gflops": flops(case, kind) / took / 1e9})
    for one in found:
        one["speedup"] = found[0]["ms"] / one["ms"] * found[0]["threads"]
    return found


def draw(result: dict[str, Any], file: str) -> None:
    """Speed-ups against threads, beside the line that would be perfect."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11, 4.5), layout="constrained")
    for axis, kind in zip(figure.subplots(1, 2, sharey=True), ("infer", "train")):
        counts = result["threads"]
        axis.plot(counts, counts, color="black", linewidth=1, label="perfect")
        for one in result["scaling"]:
            if one["kind"] == kind:
                figures = one["figures"]
                axis.plot(counts, [f["speedup"] for f in figures], marker="o", label=one["shape"])
        axis.set_title(kind)
        axis.set_xlabel("threads")
        axis.grid(alpha=0.3)
    figure.axes[0].set_ylabel("speed-up")
    figure.axes[0].legend(title="T,B,I,H,layers", fontsize=8)
    figure.savefig(file, dpi=130)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("shapes", nargs="*", metavar="T,B,I,H[,L]", default=SHAPES)
    options.add_argument("--threads", type=numbers, help="e.g. 1,2,4,8; default: powers of two")
    options.add_argument("--plot", metavar="FILE.png")
    given = options.parse_args()
    available = os.cpu_count() or 1
    counts = given.threads or sorted({2**i for i in range(10) if 2**i <= available} | {available})
    at_most_threads(max(*counts, available))

    from numba_lstm.benchmark.peak import peak_gflops

    peaks = {n: peak_gflops(n, given.seconds) for n in counts}
    result: dict[str, Any] = {"threads": counts, "peak_gflops": list(peaks.values()), "scaling": []}
    quiet = given.json == "-"
    for shape in given.shapes:
        for kind in ("infer", "train"):
            figures = measure(numbers(shape), kind, counts, given.seconds)
            result["scaling"].append({"shape": shape, "kind": kind, "figures": figures})
            for one in [] if quiet else figures:
                n = one["threads"]
                print(
                    f"{shape:<18} {kind:<6} {n:>3} threads {one['ms']:9.3f} ms "
                    f"x{one['speedup']:5.2f} {one['gflops']:7.1f} GFLOP/s "
                    f"{one['gflops'] / peaks[n]:6.1%} of peak",
                    flush=True,
                )
    if given.plot:
        draw(result, given.plot)
    finish(result, given.json)


if __name__ == "__main__":
    sys.exit(main())
