"""The gradients of many parameters in one array, which a single message sums over all ranks.

The message is sent after the backward pass. Several, each begun when a layer's gradients are there,
are measured by bench/overlap.py: docs/howto/distributed.md has the table.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ..parameters.aligned import LINE, empty
from ..parameters.parameter import Parameter
from .agreement import name_of

__all__ = ["FlatGradients"]


class FlatGradients:
    """One flat array for each dtype, of which the parameters' gradients are views.

    Pullbacks write there, so that nothing is copied before a sum or after it. Behind the gradients
    the first array has a tail of flags, which the same message sums: for each parameter how many
    ranks have a gradient of it, and for each rank a mark of its own, to which the others add
    nothing.

    Parameters
    ----------
    parameters : sequence of Parameter
        In the same order on all ranks.
    size : int
        The number of ranks.

    Attributes
    ----------
    parameters : list of Parameter
    arrays : list of numpy.ndarray
        float32 before float64; each gradient starts on a cache line.
    """

    def __init__(self, parameters: Sequence[Parameter], size: int) -> None:
        self.parameters = list(parameters)
        self._homes: dict[Parameter, np.ndarray] = {}
        # What `show` made the gradients, and whether these are still sums. Homes are other objects,
        # of the same memory: so a sum is told from what a pullback wrote there later.
        self._shown: dict[Parameter, np.ndarray] = {}
        self._are_sums = False
        self.arrays: list[np.ndarray] = []
        by_dtype = {
            dtype: [p for p in self.parameters if p.dtype == dtype]
            for dtype in sorted({p.dtype for p in self.parameters}, key=lambda one: one.itemsize)
        } or {np.dtype(np.float32): []}
        tail = len(self.parameters) + size
        for dtype, those in by_dtype.items():
            line = LINE // dtype.itemsize
            starts = np.cumsum([0, *(-(-p.size // line) * line for p in those)])
            array = empty(int(starts[-1]) + tail, dtype)
            array[:] = 0
            self._homes |= {
                p: array[start : start + p.size].reshape(p.shape) for p, start in zip(those, starts)
            }
            if not self.arrays:
                self._counts = array[starts[-1] : starts[-1] + len(self.parameters)]
                self._marks = array[len(array) - size :]
            self.arrays.append(array)
            tail = 0
        for p, home in self._homes.items():
            p.keep_grad_in(home)

    def gather(self) -> None:
        """Bring what is not there yet: gradients that stand elsewhere, zeros, and the counts."""
        for at, p in enumerate(self.parameters):
            grad, home = p.grad, self._homes[p]
            if grad is None:
                home[...] = 0
            elif grad is not home and grad is not self._shown.get(p):
                p.keep_grad_in(home)
            self._counts[at] = grad is not None

    def mark(self, rank: int, mark: int) -> None:
        """Set the mark of this rank.

        Parameters
        ----------
        rank : int
        mark : int
            From 0 to below 2²⁴, which float32 still holds exactly.
        """
        self._marks[:] = 0
        self._marks[rank] = mark

    def marks(self) -> list[int]:
        """Give the marks of all ranks, after the sum."""
        return self._marks.astype(np.int64).tolist()

    def show(self) -> None:
        """Make the sums the gradients of the parameters of which any rank had one."""
        self._shown, self._are_sums = {}, True
        for at, p in enumerate(self.parameters):
            if not self._counts[at]:
                continue
            if p.grad is None:  # this rank had none, and all of it is written already
                with p.accumulate():
                    pass
            assert p.grad is not None
            self._shown[p] = p.grad
            if p.grad is self._homes[p]:
                self._homes[p] = p.grad.view()
                p.keep_grad_in(self._homes[p])

    def shown(self) -> bool:
        """Whether the gradients are what `show` made them, changed in place at most.

        Raises
        ------
        RuntimeError
            If some are, and others came later.
        """
        if not self._are_sums or not any(p.grad is sum for p, sum in self._shown.items()):
            return False
        for at, p in enumerate(self.parameters):
            if p.grad is not None and p.grad is not self._shown.get(p):
                raise RuntimeError(
                    f"{name_of(p, at)} got a gradient of this rank alone after the gradients were "
                    "summed over the ranks: call zero_grad() for all parameters, or for none, "
                    "between reduce() and step()"
                )
        return True

    def forget(self) -> None:
        """Let the gradients count as this rank's own again: the step that used them is done."""
        self._are_sums = False

    def release(self) -> None:
        """Give each parameter an array of its own for its gradient; the arrays here become 0."""
        for p in self.parameters:
            grad = p.grad
            p.keep_grad_in(None)
            if grad is not None:
                p.grad = grad.copy()
        for array in self.arrays:
            array[:] = 0
        self._shown, self._are_sums = {}, False
