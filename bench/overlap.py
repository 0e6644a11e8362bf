"""Whether a sum of gradients pays that begins while the backward pass still runs: for two ranks.

    python bench/overlap.py --json bench/results/MACHINE-overlap.json
    python bench/ranks_report.py        # the table of docs/howto/distributed.md from that record

Told are, for each model, the milliseconds of a forward and backward pass without a sum, with one
Allreduce after it, and with an Allreduce for each layer that begins when the layer's gradients are
there; for the one message how long it takes; and for each layer when it is ready, and its bytes.
Ways take turns, and each figure is the median of the turns. The package itself sends one message.
"""

from __future__ import annotations

import argparse
import json
import re
import statistics
import sys
import time
from collections.abc import Callable
from typing import Any

from scale_model import MODELS
from tools import ROOT, apart, at_most_threads, finish, mpiexec, numbers, warn_if_busy

WAYS = ("no sum", "one message", "a message a layer")
ROWS = 16


def layers_of(model: Any) -> list[list[Any]]:
    """The parameters of the embedding, of each recurrent layer, and of the decoder."""
    found: dict[str, list[Any]] = {}
    for name, parameter in model.named_parameters():
        recurrent = re.search(r"_l\d+$", name)
        found.setdefault(recurrent[0] if recurrent else name.split(".")[0], []).append(parameter)
    return list(found.values())


class Ready:
    """Tells when all parameters of a layer have their gradients."""

    def __init__(self, layers: list[list[Any]]) -> None:
        from numba_lstm.parameters import parameter

        self.layers = layers
        self.tell: Callable[[int], None] | None = None
        self._of = {id(p): k for k, layer in enumerate(layers) for p in layer}
        self._missing: list[set[int]] = []
        leave, add = parameter._Accumulation.__exit__, parameter.Parameter.add_grad

        def exit_(block: Any, *about: Any) -> None:
            leave(block, *about)
            self._note(block._parameter)

        def add_grad(p: Any, *about: Any, **options: Any) -> None:
            add(p, *about, **options)
            self._note(p)

        parameter._Accumulation.__exit__ = exit_  # type: ignore[method-assign]
        parameter.Parameter.add_grad = add_grad  # type: ignore[method-assign]

    def expect(self, tell: Callable[[int], None]) -> None:
        """Call `tell` with the number of each layer that gets its last gradient."""
        self._missing = [{id(p) for p in layer} for layer in self.layers]
        self.tell = tell

    def _note(self, p: Any) -> None:
        k = self._of.get(id(p))
        if k is None or self.tell is None or id(p) not in self._missing[k]:
            return
        self._missing[k].discard(id(p))
        if not self._missing[k]:
            self.tell(k)


def parts_of(array: Any, layers: list[list[Any]]) -> list[Any]:
    """Each layer's part of the array of all gradients."""
    start, parts = array.__array_interface__["data"][0], []
    for layer in layers:
        places = [p.grad.__array_interface__["data"][0] - start for p in layer]
        ends = [at + p.grad.nbytes for at, p in zip(places, layer)]
        parts.append(array[min(places) // array.itemsize : max(ends) // array.itemsize])
    return parts


def measure(name: str, sizes: list[int], rows: int, seconds: float, comm: Any) -> dict[str, Any]:
    """Milliseconds of each way, and of each layer until it is ready; the same on all ranks."""
    import numpy as np
    from mpi4py import MPI
    from step_parts import DROPOUT, warm_up

    from numba_lstm import losses, models
    from numba_lstm.distributed import group_of
    from numba_lstm.distributed.gradients import FlatGradients

    V, E, H, L, T = sizes
    group = group_of(comm)
    model = models.LanguageModel(V, E, H, L, dropout=DROPOUT, seed=0)
    layers = layers_of(model)
    flat = FlatGradients(list(model.parameters()), group.size)
    (array,) = flat.arrays
    ready = Ready(layers)
    tokens = np.random.default_rng(0).integers(0, V, (T + 1, rows))[:, group.share(rows)]
    since: list[float] = [0.0] * len(layers)
    parts: list[Any] = []
    sums: list[float] = []

    def step(way: str = WAYS[0]) -> float:
        requests, begin = [], time.perf_counter()

        def tell(k: int) -> None:
            since[k] = time.perf_counter() - begin
            if way == WAYS[2]:
                requests.append(comm.Iallreduce(MPI.IN_PLACE, parts[k]))

        for p in model.parameters():
            p.grad = None
        ready.expect(tell)
        (logits, _), pullback = model.vjp(tokens[:-1])
        pullback(losses.cross_entropy(logits, tokens[1:])[1])
        if way == WAYS[1]:
            comm.Barrier()
            summing = time.perf_counter()
            comm.Allreduce(MPI.IN_PLACE, array)
            sums.append(time.perf_counter() - summing)
        MPI.Request.Waitall(requests)
        return time.perf_counter() - begin

    step()
    parts[:] = parts_of(array, layers)
    call = warm_up(step, group, min(seconds, 5.0))
    turns = min(max(3, int(seconds / (4 * call))), 300)
    took: dict[str, list[float]] = {way: [] for way in WAYS}
    seen: list[list[float]] = []
    sums.clear()
    for turn in range(turns):
        for way in WAYS[turn % 3 :] + WAYS[: turn % 3]:
            comm.Barrier()
            took[way].append(comm.allreduce(step(way), op=MPI.MAX))
            if way == WAYS[0]:
                seen.append(list(since))
    when = [1e3 * statistics.median(one) for one in zip(*seen)]
    told = sorted(
        ({"ms": ms, "bytes": part.nbytes} for ms, part in zip(when, parts)), key=lambda x: x["ms"]
    )
    ms = {way: 1e3 * statistics.median(some) for way, some in took.items()}
    about = {"name": name, "model": sizes, "turns": turns}
    return about | {"ms": ms, "sum_ms": 1e3 * statistics.median(sums), "layers": told}


def _model(text: str) -> tuple[str, list[int]]:
    name, _, sizes = text.partition("=")
    return name, numbers(sizes)


def main() -> None:
    options = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    options.add_argument("--json", metavar="FILE", help="write the figures there; - for stdout")
    options.add_argument("--ranks", type=int, default=2)
    options.add_argument("--rows", type=int, default=ROWS, help="of all ranks together")
    options.add_argument("--seconds", type=float, default=30.0, help="of each model, about")
    options.add_argument("--model", action="append", type=_model, metavar="NAME=V,E,H,L,T")
    given = options.parse_args()

    from numba_lstm.distributed import launched

    chosen = given.model or [(name, sizes) for name, (sizes, _) in MODELS.items()]
    if launched() == 1:
        warn_if_busy()
        found = []
        for name, sizes in chosen:
            words = ["--model", f"{name}={','.join(map(str, sizes))}", "--rows", given.rows]
            program = ROOT / "bench" / "overlap.py"
            words += ["--seconds", given.seconds]
            found.append(json.loads(apart(program, *words, launcher=mpiexec(given.ranks))))
        result = {"ranks": given.ranks, "rows": given.rows, "overlap": found}
        finish(result, given.json)
        return
    at_most_threads(1)
    from mpi4py import MPI

    ((name, sizes),) = chosen
    one = measure(name, sizes, given.rows, given.seconds, MPI.COMM_WORLD)
    if MPI.COMM_WORLD.rank == 0:
        print(json.dumps(one))


if __name__ == "__main__":
    sys.exit(main())
