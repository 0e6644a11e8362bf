"""What is measured: the grid of cases as data, and how much arithmetic each one is."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from fnmatch import fnmatchcase
from typing import Any

import numpy as np

__all__ = ["GRID", "KINDS", "Case", "flops", "select", "traffic"]

KINDS = ("infer", "train", "step", "latency", "cold", "memory")
GATES = {"lstm": 4, "gru": 3, "rnn": 1}
FORMS = ("layer", "cells", "packed", "padded")

_TRAIN = ("infer", "train")


@dataclass(frozen=True)
class Case:
    """One shape, and the kinds of measurement it is for.

    Attributes
    ----------
    name : str
        Its group, a hyphen, its sizes.
    kinds : tuple of str
        Of `KINDS`.
    T, B, I, H : int
        Steps, batch, inputs (the embedding's width where there is a vocabulary), hidden units.
    layers : int
    bidirectional : bool
    vocab : int
        V of the language model whose training step is measured; 0 for a bare recurrent stack.
    cell : str
        A key of `GATES`.
    proj : int
        The size that h is projected to; 0 for none.
    form : str
        "layer"; "cells", one cell stepped over the sequence through its public call; or lengths
        between 1 and T, which the others take as a "packed" batch, or leave out ("padded").
    """

    name: str
    kinds: tuple[str, ...]
    T: int
    B: int
    I: int
    H: int
    layers: int = 1
    bidirectional: bool = False
    vocab: int = 0
    cell: str = "lstm"
    proj: int = 0
    form: str = "layer"

    @property
    def group(self) -> str:
        """What stands before the name's first hyphen."""
        return self.name.split("-")[0]

    @property
    def directions(self) -> int:
        """2 if bidirectional."""
        return 2 if self.bidirectional else 1

    @property
    def states(self) -> dict[str, int]:
        """The states' letters and widths."""
        h = {"h": self.proj or self.H}
        return h | {"c": self.H} if self.cell == "lstm" else h

    def lengths(self) -> np.ndarray | None:
        """(B,), the same for every peer; None where all sequences are whole."""
        if self.form not in ("packed", "padded"):
            return None
        return np.random.default_rng(1).integers(1, self.T + 1, self.B)

    def to_json(self) -> dict[str, Any]:
        """All of it as plain values."""
        return asdict(self) | {"kinds": list(self.kinds)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Case:
        """The inverse of `to_json`."""
        return cls(**{**values, "kinds": tuple(values["kinds"])})


GRID = (
    Case("small-5x3x10x20-L2", _TRAIN, 5, 3, 10, 20, layers=2),
    Case("small-20x8x64x128", _TRAIN, 20, 8, 64, 128),
    Case("usual-28x128x28x128", (*_TRAIN, "cold"), 28, 128, 28, 128),
    Case("usual-100x32x64x128", _TRAIN, 100, 32, 64, 128),
    Case("usual-128x64x128x256", _TRAIN, 128, 64, 128, 256),
    Case("usual-50x128x50x512-L2", _TRAIN, 50, 128, 50, 512, layers=2),
    Case("lm-35x20x200x200-L2", _TRAIN, 35, 20, 200, 200, layers=2),
    Case("lm-35x20x650x650-L2", _TRAIN, 35, 20, 650, 650, layers=2),
    Case("lm-70x20x200x1000", _TRAIN, 70, 20, 200, 1000),
    Case("odd-33x7x19x77", _TRAIN, 33, 7, 19, 77),
    Case("odd-64x48x100x300-bi", _TRAIN, 64, 48, 100, 300, bidirectional=True),
    Case("row-100x1x128x256", _TRAIN, 100, 1, 128, 256),
    Case("row-1x1x128x256", (*_TRAIN, "latency"), 1, 1, 128, 256),
    Case("row-1000x1x16x64", _TRAIN, 1000, 1, 16, 64),
    Case("long-2000x4x32x128", _TRAIN, 2000, 4, 32, 128),
    Case("wide-16x512x64x64", _TRAIN, 16, 512, 64, 64),
    Case("gru-128x64x128x256", _TRAIN, 128, 64, 128, 256, cell="gru"),
    Case("rnn-128x64x128x256", _TRAIN, 128, 64, 128, 256, cell="rnn"),
    Case("proj-128x64x128x256-P64", _TRAIN, 128, 64, 128, 256, proj=64),
    Case("deep-128x64x128x256-L2-bi", _TRAIN, 128, 64, 128, 256, layers=2, bidirectional=True),
    Case("cells-128x64x128x256", ("train",), 128, 64, 128, 256, form="cells"),
    Case("packed-128x64x128x256", ("train",), 128, 64, 128, 256, form="packed"),
    Case("padded-128x64x128x256", ("train",), 128, 64, 128, 256, form="padded"),
    Case("char-64x32x128x256", ("step", "memory"), 64, 32, 128, 256, vocab=65),
    Case("char-64x32x256x512-L2", ("step", "memory"), 64, 32, 256, 512, layers=2, vocab=65),
    Case("word-35x20x650x650-L2", ("step", "memory"), 35, 20, 650, 650, layers=2, vocab=10000),
)


def select(patterns: Iterable[str], grid: Iterable[Case] = GRID) -> list[Case]:
    """The cases that any of the patterns names: a name, a group, or a glob; all where none.

    Raises
    ------
    ValueError
        If a pattern names no case.
    """
    grid, patterns = list(grid), list(patterns)
    if not patterns:
        return grid

    def fits(case: Case, pattern: str) -> bool:
        return pattern == case.group or fnmatchcase(case.name, pattern)

    for pattern in patterns:
        if not any(fits(case, pattern) for case in grid):
            groups = ", ".join(dict.fromkeys(case.group for case in grid))
            raise ValueError(
                f"CASE: expected a case's name, a glob, or a group ({groups}), got {pattern!r}; "
                "--list shows the cases"
            )
    return [case for case in grid if any(fits(case, pattern) for pattern in patterns)]


def _layers(case: Case) -> Iterable[tuple[int, int]]:
    """(inputs, rows of the weights) of each layer's direction."""
    rows = GATES[case.cell] * case.H
    for layer in range(case.layers):
        inputs = case.I if layer == 0 else case.directions * (case.proj or case.H)
        for _ in range(case.directions):
            yield inputs, rows


def flops(case: Case, kind: str) -> float:
    """Floating-point operations of the matrix products, two for each multiply-add.

    Training does each product three times: forward, for the input's gradient, for the weight's.
    Padding, gates, losses and optimizers are not counted, and neither is what a cleverer order of
    computation saves, so that this is the same work for every peer.
    """
    lengths = case.lengths()
    tokens = case.T * case.B if lengths is None else int(lengths.sum())
    h = case.proj or case.H
    forward = sum(
        2.0 * tokens * (rows * (inputs + h) + case.proj * case.H) for inputs, rows in _layers(case)
    )
    forward += 2.0 * tokens * case.H * case.vocab
    return forward * (3.0 if kind in ("train", "step", "memory") else 1.0)


def traffic(case: Case, kind: str) -> float:
    """Bytes that must move at least once, in float32: inputs, weights, outputs, their gradients.

    What a real program moves is more. It places a case on the roofline's axis.
    """
    weights = sum(rows * (inputs + case.H + 2) for inputs, rows in _layers(case))
    weights += (case.I + case.H + 1) * case.vocab
    data = case.T * case.B * (case.I + case.directions * case.H + case.vocab)
    # Adam reads and writes two more arrays like the weights, and writes these.
    times = {"train": (2, 2), "step": (7, 2), "memory": (7, 2)}.get(kind, (1, 1))
    return 4.0 * (times[0] * weights + times[1] * data)
