"""The task of a run that learns targets from inputs, batch by batch, in passes over its data."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any, ClassVar, Protocol

from ...distributed.group import Group
from ...nn import Module
from ..counters import Counters
from ..passes import Passes
from ..shares import Share, Shares
from ..step import make_optimizer
from ..supervised import Supervised
from ..task import evaluating
from .options import ConfigError
from .task import RunTask

__all__ = ["RunData", "SupervisedRun"]


class RunData(Protocol):
    """What a run's data tell of themselves."""

    @property
    def notes(self) -> tuple[str, ...]:
        """What was inferred when the files were read."""

    def digest(self) -> str:
        """A fingerprint of what trains and validates."""

    def valid_digest(self) -> str:
        """A fingerprint of what validates."""


class SupervisedRun(Supervised, RunTask):
    """The base of the tasks of runs on batches that can be drawn again.

    Parameters
    ----------
    config
        The options, of which ``data`` says where the data are.
    data
        What is trained on.
    model
        A new one, or one that will be restored.
    loss
        As `Supervised` takes it.
    batches, valid
        Of the part that trains, and of that which validates, if `Supervised` is to evaluate.
    group
        The ranks that share each batch.

    Attributes
    ----------
    what : str
        What the data are, for messages.
    counters : type
        The class of what is counted.
    """

    what: ClassVar[str]
    counters: ClassVar[type[Counters]] = Counters
    config: Any
    data: Any
    batches: Shares

    def __init__(
        self,
        config: Any,
        data: RunData,
        model: Module,
        loss: Callable[..., Any],
        batches: Passes,
        valid: Passes | None = None,
        group: Group | None = None,
    ) -> None:
        RunTask.__init__(self, config, model, group)
        shares = Shares(batches, self.group)
        shares_valid = None if valid is None else Shares(valid, self.group)
        Supervised.__init__(self, model, loss, shares, shares_valid)
        self.data = data
        self.notes = data.notes

    @property
    def position(self) -> int:  # type: ignore[override]
        """Batches taken, over all passes."""
        return self.passes * len(self.batches) + self.place

    def new_counters(self) -> Counters:
        """Counters of a run that has not begun, with the fingerprints of its data."""
        return self.counters(digest=self.data.digest(), valid_digest=self.data.valid_digest())

    def restore(self, counters: dict[str, Any], state: Any) -> Counters:
        """Go on where a checkpoint of the same options stood.

        Raises
        ------
        ConfigError
            When the checkpoint was made with other data.
        TypeError, ValueError
            When it counts something else.
        """
        found = self.counters.of(counters)
        if found.digest != self.data.digest():
            raise ConfigError(
                f"data: {self.config.data}: expected the {self.what} that the run was trained on, "
                "got others"
            )
        self.passes, self.place = divmod(found.position, len(self.batches))
        self.batches.passes.epoch = self.passes + bool(self.place)
        self._iterator = None
        if self.place:
            self._iterator = self.batches.beginning_at(self.passes, self.place)
        return found

    def warm_up(self) -> None:
        """Compile all kernels that the run will need, on copies: nothing here changes."""
        if not self._first().weight:
            return
        other = Supervised(copy.deepcopy(self.model), self.loss, [self._first()])
        optimizer = make_optimizer(self.config, other.model)
        batch = other.next()
        assert batch is not None
        other.step(batch, optimizer, self.config.clip, 0)
        with evaluating(other.model):
            for _ in other.measured("batches", [self._first()], other.model):
                pass

    def _first(self) -> Share:
        return self.batches.of(self.batches.passes.order(0)[0])
