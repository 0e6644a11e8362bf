"""The parts of a language model's training step, in one process or on each rank of mpiexec.

    python bench/step_parts.py 65,128,384,1,64 --rows 1,2,4 --threads 2
    mpiexec -n 2 python bench/step_parts.py 65,128,384,1,64 --rows 16 --threads 1

The model is V,E,H,L,T: tokens of the vocabulary, width of the embedding, hidden units, layers,
steps that gradients travel back. The rows are those of all ranks together, which share them out.
Rank 0 prints one object of JSON, with milliseconds for each number of rows:

- `gradients`: forward and backward pass, mean of the ranks;
- `waiting`: until the last rank has its gradients, mean of the ranks;
- `allreduce`: from when all ranks have theirs: looking for NaN, Allreduce, and a message of a few
  numbers, as a training has one for its loss;
- `norm`: the gradient's norm;
- `update`: the update of all parameters, which each rank does itself;
- `step`: all of it, without the barrier that tells waiting and summing apart.

Of five blocks of steps the least median counts, as a neighbour's burst spoils some only.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any

from tools import at_most_threads, numbers, parser

PARTS = ("gradients", "waiting", "allreduce", "norm", "update")
BLOCKS = 5
DROPOUT = 0.2  # as `train lm` has it


def make_step(model: Any, optimizer: Any, group: Any, tokens: Any, parted: bool) -> Any:
    """A function that does one step and gives the seconds of its parts, in the order of `PARTS`."""
    from numba_lstm import losses, optim

    parameters, mean = list(model.parameters()), 1.0 / group.size
    inputs, targets = tokens[:-1], tokens[1:]
    state: Any = None

    def step() -> tuple[float, ...]:
        nonlocal state
        times = [time.perf_counter()]
        optimizer.zero_grad()
        (logits, state), pullback = model.vjp(inputs, state)
        _, dlogits = losses.cross_entropy(logits, targets)
        pullback(dlogits)
        times.append(time.perf_counter())
        if parted:
            group.barrier()
        times.append(time.perf_counter())
        if group.size > 1:
            optimizer.reduce()
            group.sums(0.0, 0.0, 0.0, 0.0)
        times.append(time.perf_counter())
        norm = mean * optim.grad_norm(parameters)
        times.append(time.perf_counter())
        optimizer.step(grad_scale=mean * optim.clip_scale(norm, 1.0))
        times.append(time.perf_counter())
        return tuple(after - before for before, after in pairwise(times))

    return step


def warm_up(step: Callable[[], Any], group: Any, seconds: float) -> float:
    """Step until plans are settled, but no longer than that; gives the seconds of a warm step."""
    from numba_lstm.benchmark.settling import searching

    step()
    took, end = [], time.perf_counter() + seconds
    while True:
        begin = time.perf_counter()
        step()
        took.append(time.perf_counter() - begin)
        # Ranks must do the same number of steps: the first one says whether there is another.
        done = time.perf_counter() > end or (len(took) > 2 and not searching())
        if group.broadcast(done):
            return group.broadcast(min(took))


def measure(model: list[int], rows: int, group: Any, seconds: float, settle: float) -> dict:
    """Milliseconds of the parts, and of a step without the barrier; the same on all ranks."""
    import numpy as np

    from numba_lstm import models, optim

    V, E, H, L, T = model
    network = models.LanguageModel(V, E, H, L, dropout=DROPOUT, seed=0)
    optimizer: Any = optim.Adam(network.parameters(), lr=1e-3)
    if group.size > 1:
        from numba_lstm.distributed import DistributedOptimizer

        optimizer = DistributedOptimizer(optimizer, group, check_every=0)  # as `train` makes it
    tokens = np.random.default_rng(0).integers(0, V, (T + 1, rows))[:, group.share(rows)]
    parted, whole = (make_step(network, optimizer, group, tokens, one) for one in (True, False))
    call = warm_up(whole, group, settle)
    count = max(3, int(seconds / 2 / call))
    times = np.mean(group.all_gather([parted() for _ in range(count)]), axis=0)  # of the ranks
    steps = []
    for _ in range(count):
        begin = time.perf_counter()
        whole()
        steps.append(time.perf_counter() - begin)
    found = {name: least_median(times[:, k]) for k, name in enumerate(PARTS)}
    return {"rows": rows, **found, "step": least_median(steps), "steps": count}


def least_median(seconds: Sequence[float]) -> float:
    """The least of the blocks' medians, in milliseconds."""
    import numpy as np

    blocks = np.array_split(seconds, min(BLOCKS, len(seconds)))
    return 1e3 * min(float(np.median(block)) for block in blocks)


def main() -> None:
    options = parser(__doc__)
    options.add_argument("model", type=numbers, metavar="V,E,H,L,T")
    options.add_argument("--rows", type=numbers, required=True, metavar="N,N,...")
    options.add_argument("--threads", type=int, required=True, help="of each rank")
    options.add_argument("--settle", type=float, default=2.0, help="at most, until plans are found")
    given = options.parse_args()
    at_most_threads(given.threads)

    from numba_lstm.distributed import Alone, group_of, launched
    from numba_lstm.models import LanguageModel

    group = group_of() if launched() > 1 else Alone()
    figures = [
        measure(given.model, rows, group, given.seconds, given.settle) for rows in given.rows
    ]
    if group.rank == 0:
        V, E, H, L, _ = given.model
        counted = sum(p.size for p in LanguageModel(V, E, H, L).parameters())
        told = {"ranks": group.size, "threads": given.threads, "parameters": counted}
        print(json.dumps({"model": given.model, **told, "figures": figures}))


if __name__ == "__main__":
    sys.exit(main())
