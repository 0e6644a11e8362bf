"""Sequences of unequal length, each with a class or a target, for classifiers and regressors."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..checks import as_float, generator, real_array
from ..typing import Seed
from .distinct import check_distinct
from .table import is_missing

__all__ = ["Sequences"]


@dataclass(frozen=True, eq=False, repr=False)
class Sequences:
    """Sequences and, where they are known, their classes or targets; all parameters are attributes.

    Parameters
    ----------
    x : tuple of numpy.ndarray
        Each (T_i, I) float64; NaN where nothing is written.
    y : numpy.ndarray or None
        (N,) text, the classes; or (N,) or (N, O) float64, the targets; None where there are none.
        Whole numbers that are given count as names of classes.
    names : tuple of str
        The I columns.
    classes : tuple of str
        All classes, sorted (as numbers where they are whole numbers); empty where `y` are targets
        or None. One that occurs in no sequence may be among them.
    ids : tuple of str
        What the source calls each sequence.
    source : str
        Where they come from, for messages.
    notes : tuple of str
        What was inferred.

    Raises
    ------
    TypeError, ValueError
        Naming the attribute: no sequences, sequences of no steps or of different widths, infinity,
        another number of classes, ids or names than there should be, a name or a class twice, a
        class that is missing or not in `classes`, a target that is not finite.

    Examples
    --------
    >>> both = Sequences([[[1.0], [2.0]], [[3.0]]], ["red", "blue"])
    >>> both.lengths.tolist(), both.codes.tolist(), both.classes, both.width
    ([2, 1], [1, 0], ('blue', 'red'), 1)
    """

    x: tuple[np.ndarray, ...]
    y: np.ndarray | None = None
    names: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    source: str = "sequences"
    notes: tuple[str, ...] = field(default=(), compare=False)

    def __init__(
        self,
        x: Sequence[Any],
        y: Any = None,
        names: Sequence[str] = (),
        classes: Sequence[str] = (),
        ids: Sequence[str] = (),
        source: str = "sequences",
        notes: Sequence[str] = (),
    ) -> None:
        arrays = [as_float(f"x[{i}]", one, np.dtype(np.float64), ndim=2) for i, one in enumerate(x)]
        if not arrays:
            raise ValueError(f"{source}: expected at least one sequence, got none")
        width = arrays[0].shape[1]
        for i, one in enumerate(arrays):
            if len(one) == 0:
                raise ValueError(f"x[{i}]: expected at least one step, got none")
            if one.shape[1] != width:
                raise ValueError(f"x[{i}]: expected {width} columns as in x[0], got {one.shape[1]}")
            if np.isinf(one).any():
                step, column = np.argwhere(np.isinf(one))[0]
                raise ValueError(
                    f"x[{i}]: expected finite numbers or NaN, got {one[step, column]} in step "
                    f"{step}, column {column}"
                )
        self._set("x", tuple(arrays))
        self._set("source", str(source))
        self._set("notes", tuple(notes))
        self._set("names", _named("names", names, width, "x"))
        check_distinct("names", self.names)
        self._set("ids", _named("ids", ids, len(arrays), ""))
        targets = None if y is None else _targets(y, len(arrays))
        found: tuple[str, ...] = ()
        if targets is not None and targets.dtype.kind == "U":
            if targets.ndim != 1:
                raise ValueError(
                    f"y: expected a class for each sequence, got shape {targets.shape}"
                )
            found = tuple(str(one) for one in classes) or _sorted(set(targets.tolist()))
            check_distinct("classes", found)
            unknown = set(targets.tolist()) - set(found)
            if unknown:
                raise ValueError(f"y: {min(unknown)!r} is not among the classes {', '.join(found)}")
        self._set("y", targets)
        self._set("classes", found)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    def __len__(self) -> int:
        """Return the number of sequences."""
        return len(self.x)

    def __repr__(self) -> str:
        steps = self.lengths
        kind = f"classes={len(self.classes)}" if self.classes else f"targets={self.y is not None}"
        return (
            f"Sequences({len(self)}, steps={steps.min()}..{steps.max()}, width={self.width}, "
            f"{kind}, source={self.source!r})"
        )

    @property
    def width(self) -> int:
        """I, the number of columns."""
        return self.x[0].shape[1]

    @property
    def lengths(self) -> np.ndarray:
        """(N,) int64, the steps of each sequence."""
        return np.array([len(one) for one in self.x], dtype=np.int64)

    @property
    def codes(self) -> np.ndarray:
        """(N,) int64, each sequence's class as its place among `classes`."""
        if self.y is None or not self.classes:
            raise ValueError(f"{self.source}: expected sequences with classes, got none")
        places = {name: place for place, name in enumerate(self.classes)}
        return np.array([places[name] for name in self.y.tolist()], dtype=np.int64)

    @property
    def missing(self) -> int:
        """How many values are missing (NaN)."""
        return int(sum(np.isnan(one).sum() for one in self.x))

    def take(self, rows: Any) -> Sequences:
        """Return some of the sequences.

        Parameters
        ----------
        rows
            Their places, or (N,) booleans. All `classes` are kept.
        """
        places = np.arange(len(self))[rows]
        y = None if self.y is None else self.y[places]
        return self._with(x=[self.x[i] for i in places], y=y, ids=[self.ids[i] for i in places])

    def map(self, function: Any) -> Sequences:
        """Return the same with each x replaced by what `function` gives for it.

        Parameters
        ----------
        function
            Such as a `Scaler`'s ``transform``: from (T_i, I) to (T_i, J).
        """
        x = [function(one) for one in self.x]
        same = np.shape(x[0])[1:] == (self.width,)
        return self._with(x=x, names=self.names if same else ())

    def split(
        self, fraction: float, seed: Seed = None, stratify: bool = True
    ) -> tuple[Sequences, Sequences]:
        """Cut into two parts at random.

        Parameters
        ----------
        fraction
            The share of the second part, above 0 and below 1.
        seed
            The same seed gives the same parts.
        stratify
            Each class is divided by itself, so that both parts have it in like shares; a class of
            one sequence goes to the first part.

        Returns
        -------
        first, second : Sequences
            Both in the order in which they were.

        Raises
        ------
        TypeError, ValueError
            `fraction` is no such number, or leaves a part empty.
        """
        if isinstance(fraction, bool) or not isinstance(fraction, int | float):
            raise TypeError(f"fraction: expected a number, got {type(fraction).__name__}")
        if not 0 < fraction < 1:
            raise ValueError(f"fraction: expected a number above 0 and below 1, got {fraction}")
        rng = generator(seed)
        groups = [np.arange(len(self))]
        if stratify and self.classes:
            codes = self.codes
            groups = [np.flatnonzero(codes == code) for code in np.unique(codes)]
        chosen = np.zeros(len(self), dtype=bool)
        wanted = 0.0
        for group in groups:
            # What rounding took from one class, the next one gives: the share holds over all.
            wanted += fraction * len(group)
            count = min(max(round(wanted - chosen.sum()), 0), len(group) - 1)
            chosen[rng.permutation(group)[:count]] = True
        if not chosen.any() or chosen.all():
            raise ValueError(f"fraction: of {len(self)} sequences {fraction} leaves a part empty")
        return self.take(~chosen), self.take(chosen)

    def _with(self, **changes: Any) -> Sequences:
        return replace(self, **changes)


def _named(name: str, given: Sequence[str], count: int, prefix: str) -> tuple[str, ...]:
    if not len(given):
        return tuple(f"{prefix}{i}" for i in range(count))
    if len(given) != count:
        raise ValueError(f"{name}: expected {count}, got {len(given)}")
    return tuple(str(one) for one in given)


def _sorted(classes: set[str]) -> tuple[str, ...]:
    if all(re.fullmatch(r"-?\d{1,18}", name, re.ASCII) for name in classes):
        return tuple(sorted(classes, key=lambda name: (int(name), name)))
    return tuple(sorted(classes))


def _targets(y: Any, count: int) -> np.ndarray:
    # As objects first, for beside text NumPy makes text of NaN.
    given = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else np.asarray(y)
    array = np.asarray(y)
    if array.dtype.kind in "OUiub":
        for row, one in enumerate(given.ravel().tolist() if given.dtype == object else ()):
            if is_missing(one):
                raise ValueError(f"y[{row}]: expected a class, got {one}")
        array = np.array([str(one) for one in array.ravel().tolist()]).reshape(array.shape)
    else:
        array = real_array("y", array).astype(np.float64)
        if not np.isfinite(array).all():
            row = int(np.argwhere(~np.isfinite(array))[0][0])
            raise ValueError(f"y[{row}]: expected a finite number, got {array[row]}")
    if array.ndim not in (1, 2) or len(array) != count:
        raise ValueError(f"y: expected {count} values, one a sequence, got shape {array.shape}")
    return array
