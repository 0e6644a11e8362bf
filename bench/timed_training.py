"""`numba-lstm train …` whose steps are timed part by part: distributed.py starts it.

    python bench/timed_training.py FOLDER train lm …

Each rank writes FOLDER/RANK.json: for each part of a step a list of seconds, one for each step:

- `gradients`: forward and backward pass, and all of a step that is in no other part;
- `waiting`: until the last rank is here, by a barrier before each sum;
- `summing`: looking for NaN, Allreduce, and a message of a few numbers;
- `norm`: the gradient's norm;
- `update`: the update of all parameters.

What the training does between its steps is in none of them.
"""

from __future__ import annotations

import functools
import json
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tools import ROOT

__all__ = ["PARTS", "Clock", "watch"]

PARTS = ("gradients", "waiting", "summing", "norm", "update")
assert ROOT  # it makes the package importable from a checkout


class Clock:
    """The time of each step by parts; where one part is within another, it is the inner one's."""

    def __init__(self) -> None:
        self.steps: list[dict[str, float]] = []
        self.rank = 0
        self.within: list[str] = []
        self._since = 0.0

    def _count(self) -> None:
        now = time.perf_counter()
        if self.within:
            self.steps[-1][self.within[-1]] += now - self._since
        self._since = now

    @contextmanager
    def part(self, name: str) -> Iterator[None]:
        """Count the time of a block as that of a part; the outermost block is a step."""
        if not self.within:
            self.steps.append(dict.fromkeys(PARTS, 0.0))
        self._count()
        self.within.append(name)
        try:
            yield
        finally:
            self._count()
            self.within.pop()

    def time(self, owner: Any, function: str, part: str) -> None:
        """Let calls of a function count as a part, where they happen in the gradients' time."""
        call = getattr(owner, function)

        @functools.wraps(call)
        def timed(*args: Any, **options: Any) -> Any:
            if self.within != ["gradients"]:
                return call(*args, **options)
            with self.part(part):
                return call(*args, **options)

        setattr(owner, function, timed)


def watch(clock: Clock) -> None:
    """Have the clock count the parts of all steps of this process."""
    from numba_lstm import optim
    from numba_lstm.distributed import DistributedOptimizer, Group
    from numba_lstm.training import step

    whole, add = step.update, Group._sum

    @functools.wraps(whole)
    def update(*args: Any, **options: Any) -> Any:
        with clock.part("gradients"):
            return whole(*args, **options)

    @functools.wraps(add)
    def sum_of_ranks(group: Any, array: Any) -> None:
        clock.rank = group.rank
        if clock.within:
            with clock.part("waiting"):
                group.barrier()
            with clock.part("summing"):
                add(group, array)
        else:
            add(group, array)

    step.update, Group._sum = update, sum_of_ranks  # type: ignore[method-assign]
    clock.time(DistributedOptimizer, "reduce", "summing")
    clock.time(optim, "grad_norm", "norm")
    clock.time(optim.Adam, "step", "update")


def main() -> None:
    folder, *words = sys.argv[1:]
    from numba_lstm.cli import main as command

    clock = Clock()
    watch(clock)
    try:
        command(words, prog_name="numba-lstm")
    finally:
        told = {part: [one[part] for one in clock.steps] for part in PARTS}
        (Path(folder) / f"{clock.rank}.json").write_text(json.dumps(told))


if __name__ == "__main__":
    sys.exit(main())
