"""How time grows with T, B and H, against the straight line that it should be.

One size changes, the others stay. The time of a call should be a constant and a multiple of the
floating-point operations; the line is fitted to the measured points so that relative errors count.
"""

from __future__ import annotations

import sys
from typing import Any

from tools import finish, numbers, parser, stack, time_of

BASE = {"T": 64, "B": 32, "I": 128, "H": 256}
SWEEPS = {
    "T": [1, 4, 16, 32, 64, 96, 128, 192, 256],
    "B": [1, 2, 4, 6, 8, 12, 16, 20, 24, 32, 40, 48, 64, 96, 128],
    "H": [16, 32, 48, 64, 96, 100, 128, 160, 200, 256, 300, 384, 512, 640, 768, 1000],
}


def measure(base: dict[str, int], name: str, values: list[int], kind: str, seconds: float) -> Any:
    """Milliseconds at each value, and the fitted line."""
    import numpy as np

    from numba_lstm.benchmark.cases import flops

    work, took = [], []
    for value in values:
        case, run = stack(kind, **(base | {name: value}))
        work.append(flops(case, kind) / 1e9)
        took.append(1e3 * time_of(run, seconds))
    x, y = np.array(work), np.array(took)
    # Dividing by y makes an error of a percent weigh the same in a short call and in a long one.
    columns = np.stack([1.0 / y, x / y], axis=1)
    (start, slope), *_ = np.linalg.lstsq(columns, np.ones(len(y)), rcond=None)
    line = start + slope * x
    return {
        "size": name,
        "kind": kind,
        "values": values,
        "gflop": work,
        "ms": took,
        "line_ms": line.tolist(),
        "start_ms": float(start),
        "gflops": float(1e3 / slope),
        "worst": float(np.abs(y / line - 1.0).max()),
    }


def draw(found: list[dict[str, Any]], base: dict[str, int], file: str) -> None:
    """Points and lines, a column for each size; below, measured over line."""
    from matplotlib.figure import Figure

    sizes = list(dict.fromkeys(one["size"] for one in found))
    figure = Figure(figsize=(4.6 * len(sizes), 6.5), layout="constrained")
    axes = figure.subplots(2, len(sizes), sharex="col", squeeze=False, height_ratios=(2, 1))
    colours = {"infer": "tab:blue", "train": "tab:orange"}
    for one in found:
        above, below = axes[:, sizes.index(one["size"])]
        colour = colours[one["kind"]]
        above.plot(one["values"], one["line_ms"], color=colour, linewidth=1)
        above.plot(
            one["values"], one["ms"], "o", color=colour, markersize=4,
            label=f"{one['kind']}: {one['start_ms']:.2g} ms + flops at {one['gflops']:.0f} GFLOP/s",
        )  # fmt: skip
        ratios = [y / line for y, line in zip(one["ms"], one["line_ms"])]
        below.plot(one["values"], ratios, "o-", color=colour, markersize=3, linewidth=0.8)
    for (above, below), size in zip(axes.T, sizes):
        rest = ", ".join(f"{name} = {value}" for name, value in base.items() if name != size)
        above.set_title(f"{size} changes, {rest}", fontsize=10)
        above.legend(fontsize=7)
        below.axhline(1.0, color="black", linewidth=1)
        below.set_xlabel(size)
        for axis in (above, below):
            axis.grid(alpha=0.3)
    axes[0, 0].set_ylabel("ms")
    axes[1, 0].set_ylabel("measured / line")
    figure.savefig(file, dpi=130)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--base", type=numbers, default=list(BASE.values()), metavar="T,B,I,H")
    for name, values in SWEEPS.items():
        options.add_argument(f"--{name}", type=numbers, default=values, metavar="N,N,...")
    options.add_argument("--plot", metavar="FILE.png")
    given = options.parse_args()
    base = dict(zip(BASE, given.base))
    found = []
    for name in SWEEPS:
        for kind in ("infer", "train"):
            one = measure(base, name, getattr(given, name), kind, given.seconds)
            found.append(one)
            if given.json != "-":
                print(
                    f"{name} {kind:<6} {one['start_ms']:8.3f} ms + flops at {one['gflops']:6.1f} "
                    f"GFLOP/s; a point is off by {one['worst']:.0%} at most",
                    flush=True,
                )
    if given.plot:
        draw(found, base, given.plot)
    finish({"base": base, "cost_model": found}, given.json)


if __name__ == "__main__":
    sys.exit(main())
