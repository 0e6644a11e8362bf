"""What a module's options cost: a training step with each of them, beside one without.

Both run in turns, and the figure is the ratio of their medians. The masks are drawn, and the
padding and the resets are there, as in training.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from tools import finish, numbers, parser

# The option's name, its module, arguments of its constructor, and of the plain one's.
OPTIONS: tuple[tuple[str, str, dict[str, Any], dict[str, Any]], ...] = (
    ("layer_norm", "LSTM", {"layer_norm": True}, {}),
    ("layer_norm of a GRU", "GRU", {"layer_norm": True}, {}),
    ("dropout, two layers", "LSTM", {"num_layers": 2, "dropout": 0.3}, {"num_layers": 2}),
    ("input_dropout", "LSTM", {"input_dropout": 0.3}, {}),
    ("recurrent_dropout", "LSTM", {"recurrent_dropout": 0.3}, {}),
    ("weight_dropout", "LSTM", {"weight_dropout": 0.3}, {}),
    ("zoneout", "LSTM", {"zoneout": 0.1}, {}),
    ("zoneout_cell", "LSTM", {"zoneout_cell": 0.1}, {}),
    ("peepholes", "LSTM", {"peepholes": True}, {}),
    ("reset_after=False", "GRU", {"reset_after": False}, {}),
    ("reset", "LSTM", {}, {}),
    ("half the tokens", "LSTM", {}, {}),
)


def step_of(kind: str, sizes: list[int], options: dict[str, Any], call: dict[str, Any]) -> Any:
    """A training step: forward, all gradients, and weights that are new each time."""
    import numpy as np

    from numba_lstm import nn

    T, B, I, H = sizes
    module = getattr(nn, kind)(I, H, seed=0, **options)
    rng = np.random.default_rng(0)
    x, dy = (rng.standard_normal((T, B, n), np.float32) for n in (I, H))

    def step() -> None:
        module.zero_grad()
        _, pullback = module.vjp(x, **call)
        pullback(dy)
        for p in module.parameters():
            with p.mutate():  # as an optimizer's step does: packed copies are stale
                pass

    return step


def in_turns(plain: Callable[[], None], other: Callable[[], None], seconds: float) -> list[float]:
    """Medians of both, in seconds."""
    for run in (plain, other):
        run()
        run()
    took: tuple[list[float], list[float]] = ([], [])
    stop = time.perf_counter() + 2 * seconds
    while len(took[0]) < 5 or time.perf_counter() < stop:
        for run, times in zip((plain, other), took):
            begin = time.perf_counter()
            run()
            times.append(time.perf_counter() - begin)
    return [statistics.median(times) for times in took]


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--shape", type=numbers, default=[128, 64, 128, 256], metavar="T,B,I,H")
    options.add_argument("names", nargs="*", metavar="OPTION", help="default: all")
    given = options.parse_args()
    unknown = set(given.names) - {name for name, *_ in OPTIONS}
    if unknown:
        options.error(f"expected names among {[o[0] for o in OPTIONS]}, got {sorted(unknown)}")

    import numpy as np

    steps, batch, *_ = given.shape
    rng = np.random.default_rng(1)
    calls = {
        "reset": {"reset": rng.random((steps, batch)) < 0.02},
        "half the tokens": {"lengths": np.linspace(1, steps, batch).astype(int)},
    }
    found: list[dict[str, Any]] = []
    for name, kind, own, base in OPTIONS:
        if given.names and name not in given.names:
            continue
        plain = step_of(kind, given.shape, base, {})
        plain_s, other_s = in_turns(
            plain, step_of(kind, given.shape, own, calls.get(name, {})), given.seconds
        )
        ratio = other_s / plain_s
        found.append(
            {"option": name, "ms": 1e3 * other_s, "plain_ms": 1e3 * plain_s, "ratio": ratio}
        )
        if given.json != "-":
            print(
                f"{kind:<5} {name:<20} {1e3 * other_s:9.2f} ms, plain {1e3 * plain_s:9.2f} ms: "
                f"x{ratio:.2f}",
                flush=True,
            )
    sizes = dict(zip(("T", "B", "I", "H"), given.shape))
    finish({"shape": sizes, "options": found}, given.json)


if __name__ == "__main__":
    sys.exit(main())
