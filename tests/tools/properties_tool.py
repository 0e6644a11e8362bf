"""Recurrent modules and calls of them, drawn by hypothesis."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from family_tool import MODULES, Case, draw
from hypothesis import strategies as st

# Those whose kernels the other tests compile anyway.
KINDS = ("lstm", "gru", "rnn-tanh", "rnn-relu", "lstm-projected", "gru-before")
# Of what `family_tool.ours` gives; the rest are gradients.
OUTPUTS = {"y", "hn", "cn"}


class Call(NamedTuple):
    """A module, what it is called with, and random numbers for the rest of a test."""

    kind: str
    module: Any
    case: Case
    rng: np.random.Generator

    def __repr__(self) -> str:
        lengths = None if self.case.lengths is None else self.case.lengths.tolist()
        reset = "no" if self.case.reset is None else "some"
        about = f"x{self.case.x.shape}, lengths={lengths}, {reset} resets"
        return f"{self.module.dtype} {self.module} of {about}"


@st.composite
def calls(
    draw_one: Any,
    kinds: Sequence[str] = KINDS,
    batches: tuple[int, int] = (0, 9),
    padded: bool = True,
    resets: bool = True,
) -> Call:
    """A `Call` of 1 to 9 steps.

    Parameters
    ----------
    kinds
        Of `family_tool.MODULES`.
    batches
        The smallest and the largest B.
    padded, resets
        Whether lengths may differ, and states may be reset.
    """

    def number(low: int, high: int) -> int:
        return draw_one(st.integers(low, high))

    flags = st.booleans()
    kind, dtype = draw_one(st.sampled_from(kinds)), draw_one(st.sampled_from(["f4", "f8"]))
    module = MODULES[kind](
        number(1, 40), number(2, 70), number(1, 2), bias=draw_one(flags),
        batch_first=draw_one(flags), bidirectional=draw_one(flags), dtype=dtype,
        seed=number(0, 2**32 - 1),
    )  # fmt: skip
    rng = np.random.default_rng(number(0, 2**32 - 1))
    case = draw(rng, module, number(1, 9), number(*batches), padded and draw_one(flags))
    if resets and draw_one(flags):
        case = case._replace(reset=rng.random(case.x.shape[:2]) < 0.3)
    return Call(kind, module, case, rng)
