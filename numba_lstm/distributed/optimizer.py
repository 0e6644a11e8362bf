"""An optimizer that sums gradients over all ranks before it steps."""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np

from .. import checks, optim
from ..parameters.parameter import Parameter
from .agreement import (
    check_finite,
    check_same_bits,
    check_same_parameters,
    check_same_version,
    digest,
    name_of,
    names_by_ranks,
)
from .errors import DistributedError, NonFiniteGradientError, name_ranks
from .gradients import FlatGradients
from .group import group_of

__all__ = ["DistributedOptimizer"]

# A rank's mark beside its gradients: two flags, and above them a digest of what must be alike.
_NOT_FINITE, _OTHER_PARAMETERS, _DIGEST = 1, 2, 4
_DIGESTS = 1 << 22  # so that a mark is less than 2²⁴
# CPUs that round otherwise give other norms, and so other scales to clip by.
_GRAD_SCALE = "grad_scale of the last step (check_every=0 is for CPUs of different kinds)"


class DistributedOptimizer(optim.Optimizer):
    """An optimizer whose gradients are summed over all ranks before it steps.

    When it is made, and when a group is added, all ranks must be there: they agree on the package's
    version, the optimizer and the parameters' shapes, and get the parameters, the options and the
    state of rank 0. From then on every rank makes the same steps with the same bits.

    Parameters
    ----------
    optimizer : Optimizer
        Such as `optim.Adam`. Everything that this class does not say is done by it.
    comm : mpi4py.MPI.Intracomm or Group, optional
        The ranks; all that were started if None. ``Alone()`` trains in this process alone, without
        MPI.
    average : bool
        Divide the sum by the number of ranks: right where each rank's loss is the mean of as many
        samples. Otherwise each rank's loss is its own samples' sum divided by their number on all
        ranks, which is right for any parts.
    check_every : int
        Compare the parameters of all ranks, to the bit, with each so many-th sum of gradients, and
        with the first one after `broadcast`. 0 never does: for ranks on CPUs of different kinds,
        which round otherwise.

    Raises
    ------
    ImportError
        If there is no mpi4py, or no MPI library.
    TypeError
        If an argument is something else.
    DistributedError
        On all ranks, if they differ, or if a parameter is infinite or NaN on one of them.

    Attributes
    ----------
    optimizer : Optimizer
        The one that steps.
    average, check_every
        As given; the same on all ranks.
    group : Group
        The ranks.

    Notes
    -----
    All gradients of a dtype stand in one array, of which each ``p.grad`` is a view, so a step is
    one message. After ``zero_grad()`` ``p.grad`` is None; an array that was got from it before is
    overwritten by the next gradient.

    A parameter that has no gradient on some ranks adds nothing there, and one that has none on any
    rank has none after the sum. Freeze and unfreeze parameters on all ranks alike.

    What must be alike on all ranks goes with each sum as a digest: options such as the learning
    rate, `average`, the `grad_scale` of the step before and, now and then, the parameters. It is
    part of a number that the message has anyway, and of its 22 bits a difference escapes once in
    four million. A digest of parameters reads each of them once, at 7 GB/s on one core of a Zen 5:
    0.5 ms for 3.3 MB, which in every hundredth of steps of 25 ms is 0.02%.

    All ranks get the same bits from a sum: MPI requires it. That the next run gets them, too, its
    standard only recommends. MPICH and Open MPI choose the order of summation by the message's
    size, the number of ranks and where these run: the same library with the same settings gives the
    same bits, run after run, for as many ranks that are placed alike. A network that sums by itself
    may not. Different numbers of ranks agree to rounding. An order that does not depend on it needs
    the gradients of a fixed number of parts of a batch: 1.2 times the time of a step for 4 parts of
    16 samples, 1.5 for 8.

    Examples
    --------
    >>> from numba_lstm import distributed, losses, nn, optim
    >>> model = nn.Linear(3, 1, seed=0)
    >>> ranks = distributed.Alone()  # with MPI: distributed.group_of()
    >>> optimizer = distributed.DistributedOptimizer(optim.Adam(model.parameters()), ranks)
    >>> x, target = np.ones((8, 3)), np.ones((8, 1))  # the batch of all ranks
    >>> mine = ranks.share(8)
    >>> optimizer.zero_grad()
    >>> output, pullback = model.vjp(x[mine])
    >>> loss, doutput = losses.mse(output, target[mine])
    >>> _ = pullback(doutput * len(output) / 8)
    >>> optimizer.reduce()
    >>> norm = optim.clip_grad_norm_(model.parameters(), 1.0)  # of the sum: the same on all ranks
    >>> optimizer.step()
    """

    def __init__(
        self,
        optimizer: optim.Optimizer,
        comm: Any = None,
        *,
        average: bool = False,
        check_every: int = 100,
    ) -> None:
        if not isinstance(optimizer, optim.Optimizer) or isinstance(optimizer, type(self)):
            raise TypeError(
                f"optimizer: expected an Optimizer such as Adam, got {type(optimizer).__name__}"
            )
        self.average = checks.flag("average", average)
        self.check_every = checks.size("check_every", check_every, minimum=0)
        self.optimizer = optimizer
        self.group = group_of(comm)
        self._flat = FlatGradients([], self.group.size)
        check_same_version(self.group)
        self.group.agree("optimizer", type(optimizer).__name__)
        self._join()
        self._agree()

    def __getattr__(self, name: str) -> Any:
        # param_groups, state, defaults: the wrapped one's, always as they are now.
        if name == "optimizer":  # a copy that is not filled yet
            raise AttributeError(name)
        return getattr(self.optimizer, name)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.optimizer!r}, {self.group!r})"

    # -- together -----------------------------------------------------------------------------

    def broadcast(self) -> None:
        """Give all ranks the parameters, the options and the state of rank 0.

        To be called by all ranks, after one of them changed any of these: loaded a checkpoint, for
        example. It is done when the optimizer is made.
        """
        group = self.group
        for p in self._parameters():
            with p.mutate() as values:
                group.broadcast_array(values)
        if group.size > 1:
            saved = group.broadcast(self.optimizer.state_dict() if group.rank == 0 else None)
            if group.rank > 0 and saved is not None:
                self.optimizer.load_state_dict(saved)
        self._sums, self._scale = 0, 1.0

    def _join(self) -> None:
        """Lay out the gradients of the parameters that learn, having found all ranks alike."""
        parameters = self._parameters()
        check_same_parameters(self.group, parameters)
        check_finite(self.group, parameters)
        self._flat.release()
        self._flat = FlatGradients(self._learning(), self.group.size)
        self.broadcast()

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """As `Optimizer.add_param_group`, on all ranks at once: they get what rank 0 has.

        Parameters
        ----------
        param_group : dict

        Raises
        ------
        TypeError, ValueError
            If it is something else, or an option is wrong.
        DistributedError
            On all ranks, if they differ, or one failed.
        """
        with self.group.together("adding a group of parameters"):
            self.optimizer.add_param_group(param_group)
        self._join()

    def _learning(self) -> list[Parameter]:
        return [p for p in self._parameters() if p.requires_grad]

    def _parameters(self) -> list[Parameter]:
        return [p for group in self.optimizer.param_groups for p in group["params"]]

    # -- stepping -----------------------------------------------------------------------------

    def reduce(self) -> None:
        """Sum the gradients over all ranks, without a step.

        What needs the whole gradient comes between this and `step`: its norm, clipping. `step`
        does not sum again.

        Raises
        ------
        NonFiniteGradientError
            On all ranks, if one of them brought an infinite gradient or NaN: which one, of which
            parameters. The gradients are None then.
        DistributedError
            On all ranks, if something differs that must be alike, or their parameters do: what, and
            on which ranks. The gradients are None then.
        RuntimeError
            If the gradients were summed already, and `zero_grad` was not called since.
        """
        if self._flat.shown():
            raise RuntimeError("the gradients were summed already: call step() or zero_grad()")
        learning, bad, mark = self._learning(), [], _DIGEST * self._digest()
        if learning != self._flat.parameters:
            mark |= _OTHER_PARAMETERS
            self._flat.release()  # the gradients wait elsewhere for another sum
        else:
            # A norm may overflow where all gradients are finite.
            bad = [] if math.isfinite(optim.grad_norm(learning)) else self._not_finite()
            mark |= _NOT_FINITE if bad else 0
            self._flat.gather()
        self._flat.mark(self.group.rank, mark)
        for array in self._flat.arrays:
            self.group.sum(array)
        self._sums += 1
        if self._others(bad):
            self._join()
            self.reduce()
            return
        if self.average:
            for array in self._flat.arrays:
                array *= 1.0 / self.group.size
        self._flat.show()

    def step(self, grad_scale: float = 1.0) -> None:
        """Sum the gradients over all ranks, unless `reduce` did, and update the parameters.

        Parameters
        ----------
        grad_scale : float
            As for `Optimizer.step`; the same on all ranks. Where it was not, the next sum tells.

        Raises
        ------
        NonFiniteGradientError, DistributedError
            As `reduce` does; the parameters are then as they were.
        RuntimeError
            If a parameter got another gradient since `reduce`.
        """
        if not self._flat.shown():
            self.reduce()
        self.optimizer.step(grad_scale)
        self._scale = float(grad_scale)
        self._flat.forget()

    def _others(self, bad: list[str]) -> bool:
        """Look at the marks of all ranks; tell whether all have other parameters than before.

        The marks are the same everywhere, and so is what follows from them.
        """
        marks = self._flat.marks()
        changed = [rank for rank, mark in enumerate(marks) if mark & _OTHER_PARAMETERS]
        if len(changed) == len(marks):
            return True
        differ = len({mark // _DIGEST for mark in marks}) > 1
        ranks = [rank for rank, mark in enumerate(marks) if mark & _NOT_FINITE]
        if changed or differ or ranks:
            self.zero_grad()
        if changed:
            raise DistributedError(
                f"parameters: {name_ranks(changed)} froze, unfroze or exchanged some, and the "
                "other ranks did not; do so on all ranks alike"
            )
        if differ:
            self._agree()
            check_same_bits(self.group, self._parameters())
        if ranks:
            has = names_by_ranks(self.group.all_gather(bad))
            raise NonFiniteGradientError(f"gradients: expected finite numbers, got others on {has}")
        return False

    def _not_finite(self) -> list[str]:
        return [
            name_of(p, at)
            for at, p in enumerate(self._parameters())
            if p.requires_grad and p.grad is not None and not np.isfinite(p.grad).all()
        ]

    def _agree(self) -> None:
        for name, value in self._alike().items():
            self.group.agree(name, value)

    def _digest(self) -> int:
        """What goes into the mark: all ranks count sums alike, and so compare the same."""
        found = zlib.crc32(str(self._alike()).encode())
        every = self.check_every if self.group.size > 1 else 0
        if every and self._sums % every == 0:
            found ^= digest(self._parameters())
        return found % _DIGESTS

    def _alike(self) -> dict[str, str]:
        """What must be the same on all ranks, by the name that messages call it."""
        names, groups = self.optimizer.defaults, self.optimizer.param_groups
        alike = {
            "average": str(self.average),
            "check_every": str(self.check_every),
            "options": str([{name: group[name] for name in names} for group in groups]),
        }
        if self.check_every:
            alike[_GRAD_SCALE] = str(self._scale)
        return alike

    # -- saving and loading -------------------------------------------------------------------

    def state_dict(self) -> dict[str, Any]:
        """As `Optimizer.state_dict`: the wrapped optimizer's, the same on all ranks."""
        return self.optimizer.state_dict()

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """As `Optimizer.load_state_dict`, on this rank alone.

        Load the same `state_dict` on all ranks, or on rank 0 and call `broadcast` on all.
        """
        self.optimizer.load_state_dict(state_dict)
