"""How the sequences of one call stand in its caller's arrays, and how as rows for the kernels.

A caller's sequence is (T, B, …), (B, T, …) with `batch_first`, or (T, …) for a single one; those of
different lengths are padded. Kernels take the rows of all time steps one step after another, N in
all, without padding; see `steps`.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import as_lengths
from ..parameters.scratch import Lease
from .states import Flat, check_state, new_state, pair_or_one, state_taken
from .steps import Steps, whole

__all__ = ["Layout"]


class Layout:
    """The layout of one call of a module.

    Parameters
    ----------
    module : nn.rnn_base.RNNBase
    name : str
        The argument that `shape` belongs to: x or tokens.
    shape : tuple of int
        As the caller gave it.
    batched : bool
        Whether there is an axis of B.
    lengths : array_like of int, (B,), or None

    Attributes
    ----------
    name, shape, batched
    batch_first, directions, widths, dtype
        The module's: D, and the width of each state in each layer.
    count, batch : int
        T and B.
    ragged : Ragged or None
        Where lengths differ.
    steps : Steps
        Which rows of the batch each step has.

    Raises
    ------
    TypeError, ValueError
        Naming lengths, or the argument where T is 0.
    """

    def __init__(
        self, module: Any, name: str, shape: tuple[int, ...], batched: bool, lengths: Any
    ) -> None:
        self.name, self.shape, self.batched = name, shape, batched
        self.batch_first = batched and module.batch_first
        self.directions = 2 if module.bidirectional else 1
        self.widths, self.dtype = module.widths, module.dtype
        self.count, self.batch = shape[:2][:: -1 if self.batch_first else 1]
        if not batched:
            self.batch = 1
        if self.count == 0:
            raise ValueError(f"{name}: expected at least one time step, got shape {shape}")
        self.ragged: Any = None
        self.steps: Steps = whole(self.count, self.batch)
        if lengths is not None:
            self._cut(lengths)

    def _cut(self, lengths: Any) -> None:
        from .ragged import Ragged

        if not self.batched:
            raise ValueError("lengths: expected none for a single sequence, whose length is x's")
        checked = as_lengths("lengths", lengths, self.count, self.batch)
        if (checked < self.count).any():
            self.ragged = Ragged(checked, self.count, self.batch_first)
            self.steps = self.ragged.steps

    def rows(self, array: np.ndarray, lease: Lease) -> np.ndarray:
        """Rows (N, …) of a caller's sequence; in memory of `lease` where lengths differ."""
        if not self.batched:
            array = array[:, None]
        if self.ragged is not None:
            return self.ragged.gather(array, lease)
        if self.batch_first:
            array = np.ascontiguousarray(array.swapaxes(0, 1))
        return array.reshape(self.steps.rows, array.shape[2])

    def rows_of_ids(self, ids: np.ndarray) -> np.ndarray:
        """The ids (N,) of a caller's tokens, copied: the pullback reads them again, unchecked."""
        if self.ragged is not None:
            return ids.reshape(-1)[self.ragged.index]
        return (ids.T if self.batch_first else ids).flatten()

    def as_given(self, rows: np.ndarray) -> np.ndarray:
        """The caller's sequence that has these rows (N, width); zeros in its padding."""
        width = rows.shape[1]
        if not self.batched:
            return rows
        if self.ragged is not None:
            return self.ragged.scatter(rows, (*self.shape[:2], width))
        array = rows.reshape(self.count, self.batch, width)
        return array.swapaxes(0, 1) if self.batch_first else array

    def states(
        self, name: str, names: Sequence[str], value: Any, cotangent: bool
    ) -> list[Flat | None]:
        """Each of a caller's states in the layers' form and the order of the rows.

        Where it is a cotangent None is zero, and stays None.
        """
        batch = self.batch if self.batched else None
        about = self.name, self.shape
        found: list[Flat | None] = []
        for part, widths, state in zip(names, self.widths, pair_or_one(name, names, value)):
            if state is None and cotangent:
                found.append(None)
                continue
            checked = check_state(
                part, state, widths, self.directions, batch, self.dtype, about, cotangent
            )
            found.append(checked if self.ragged is None else self.ragged.sort(checked))
        return found

    def new_states(self) -> list[Flat]:
        """Memory for each state in the layers' form."""
        return [
            new_state(widths, self.directions, self.batch, self.dtype) for widths in self.widths
        ]

    def states_as_given(self, states: list[Flat]) -> Any:
        """States as the caller gets them: a pair, or the only one."""
        if self.ragged is not None:
            states = [self.ragged.unsort(state) for state in states]
        taken = [state_taken(state, self.directions, self.batched) for state in states]
        return tuple(taken) if len(taken) == 2 else taken[0]

    def hand_on(self, given: Sequence[Flat | None] | None, taken: list[Flat]) -> None:
        """Give sequences of length 0, which no kernel sees, the states that went in, or zeros."""
        if self.ragged is not None:
            some = self.ragged.some
            for number, state in enumerate(taken):
                before = None if given is None else given[number]
                for at, part in enumerate(state):
                    part[some:] = 0 if before is None else before[at][some:]
