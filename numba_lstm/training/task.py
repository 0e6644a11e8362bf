"""What is trained: the batches, a step on one of them, and how good the model is."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple, Protocol

from .. import optim
from ..distributed.group import Group
from ..nn import Module
from .exchange import Exchange

__all__ = ["Measured", "Step", "Task", "evaluating", "modes_kept"]


class Step(NamedTuple):
    """What a step found.

    Attributes
    ----------
    loss
        Before the update.
    weight
        Its weight in the mean over several steps.
    tokens
        How many tokens or time steps it was over.
    """

    loss: float
    weight: float
    tokens: int


class Measured(Protocol):
    """What an evaluation found, at least its loss."""

    @property
    def loss(self) -> float: ...


class Task:
    """The base of the tasks: of what `Loop` needs, whatever is trained.

    Attributes
    ----------
    model : Module
        What is trained.
    validates : bool
        Whether there are data to validate on.
    passes : int
        Whole passes over the data so far.
    length : int or None
        Batches in a pass, where that is known.
    place : int
        Batches taken of the pass at hand.
    exchange : Exchange
        What the ranks tell each other. A task of several is given one by its loop.
    """

    model: Module
    validates: bool = False
    passes: int = 0
    length: int | None = None
    place: int = 0
    exchange: Exchange = Exchange()

    @property
    def group(self) -> Group:
        """The ranks that train together, each on its share of a batch."""
        return self.exchange.group

    def next(self) -> Any:
        """Take the next batch; None where a pass has ended, once for each."""
        raise NotImplementedError

    def step(self, batch: Any, optimizer: optim.Optimizer, clip: float | None, number: int) -> Step:
        """Train on a batch; what is found is the same on all ranks.

        Raises
        ------
        Diverged
            When the loss or the gradient is not finite; the parameters are then as they were.
        """
        raise NotImplementedError

    def evaluate(self, model: Module, check: Callable[[], None]) -> Measured:
        """Measure a model on what validates.

        Parameters
        ----------
        model
            The task's, or one like it. It is left in the mode it was in.
        check
            Called between batches; what it raises ends the evaluation.
        """
        raise NotImplementedError


@contextlib.contextmanager
def modes_kept(model: Module) -> Iterator[None]:
    """Leave a model and each module in it in the mode, training or evaluation, that it was in."""
    before = [(module, module.training) for module in model.modules()]
    try:
        yield
    finally:
        for module, mode in before:
            module.training = mode


@contextlib.contextmanager
def evaluating(model: Module) -> Iterator[None]:
    """Have a model in evaluation mode, and then in the mode that it was in."""
    with modes_kept(model):
        model.eval()
        yield
