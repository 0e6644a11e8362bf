"""Parts of a batch: one case in two, and all results of a call by row of the batch."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

import numpy as np
from family_tool import Case, given, taken
from long_tool import LONG

from numba_lstm import nn

# A part may be a single row, leave blocks of rows unfilled or fill many of them.
PARTS = (*range(1, 18), 30, 64, 100)


def rows_of(case: Case, rows: Any, batch_first: bool = False) -> Case:
    """The case of some rows of its batch, in the kernels' form."""
    axis = 0 if batch_first else 1

    def some(array: Any, axis: int = 1) -> Any:
        return None if array is None else np.ascontiguousarray(np.take(array, rows, axis))

    return Case(
        some(case.x, axis), [some(s) for s in case.states], some(case.dy, axis),
        [some(d) for d in case.dstates], some(case.lengths, 0), some(case.reset, axis),
    )  # fmt: skip


def by_row(module: Any, case: Case, embedding: nn.Embedding | None = None) -> dict[str, np.ndarray]:
    """Everything that a call and its pullback give for rows of the batch, which are axis 0.

    With an embedding, x is tokens.
    """
    axis = 0 if module.batch_first else 1
    about = case.x, given(case.states), case.lengths
    if embedding is None:
        y_infer, finals_infer = module(*about, case.reset)
        (y, finals), pullback = module.vjp(*about, case.reset)
    else:
        y_infer, finals_infer = module.infer_tokens(embedding, *about, case.reset)
        (y, finals), pullback = module.vjp_tokens(embedding, *about, case.reset)
    dx, dinitial = pullback(case.dy, given(case.dstates))
    found = {"y": y, "y of a call": y_infer}
    if dx is not None:
        found["dx"] = dx
    found = {name: np.moveaxis(array, axis, 0) for name, array in found.items()}
    for name, states in (
        ("final", finals), ("final of a call", finals_infer), ("dinitial", dinitial),
    ):  # fmt: skip
        for k, state in enumerate(taken(states)):
            found[f"{name} {k}"] = np.moveaxis(state, 1, 0)
    return found


def parts_of(batch: int, size: int, rng: np.random.Generator) -> Iterator[np.ndarray]:
    """Cut a shuffled batch into parts of `size` rows; what is left is the last one."""
    order = rng.permutation(batch)
    for start in range(0, batch, size):
        yield order[start : start + size]


def differing_parts(
    module: Any,
    case: Case,
    sizes: Sequence[int],
    rng: np.random.Generator,
    embedding: nn.Embedding | None = None,
) -> tuple[int, list[tuple[str, int]]]:
    """How many parts were compared with the whole batch, and which results of which size differ.

    Of small parts only a few, unless NUMBA_LSTM_LONG=1.
    """
    axis = 0 if module.batch_first else 1
    batch = case.x.shape[axis]
    whole = by_row(module, case, embedding)
    compared, wrong = 0, set()
    for size in sizes:
        for rows in islice(parts_of(batch, size, rng), None if LONG else 3):
            found = by_row(module, rows_of(case, rows, module.batch_first), embedding)
            assert found.keys() == whole.keys()
            for name, array in found.items():
                if array.tobytes() != whole[name][rows].tobytes():
                    wrong.add((name, size))
            compared += 1
    return compared, sorted(wrong)
