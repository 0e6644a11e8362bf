"""What a kind of run is to the loop that trains it."""

from __future__ import annotations

import contextlib
from typing import Any

from ...distributed.group import Group
from ...nn import Module
from ..counters import Counters
from ..exchange import Exchange
from ..progress import Progress
from ..task import Task
from .options import TrainingOptions

__all__ = ["RunTask"]


class RunTask(Task):
    """The base of the tasks of runs: what a kind of run adds to the loop.

    Parameters
    ----------
    config, model
        The options, and what is trained.
    group
        The ranks that share the batches; None for this process alone.

    Attributes
    ----------
    kind : str
        What stands behind ``train``.
    config : TrainingOptions
        The run's options.
    length : int
        Batches in a pass over the data.
    position : int
        Batches taken, over all passes; setting it goes on exactly there.
    state
        What a step hands to the next one, and a checkpoint keeps.
    notes : tuple of str
        What was inferred when the data were read.
    """

    kind: str
    config: TrainingOptions
    length: int
    position: int
    state: Any = None
    notes: tuple[str, ...] = ()

    def __init__(self, config: Any, model: Module, group: Group | None = None) -> None:
        self.config, self.model = config, model
        self.exchange = Exchange(group)

    def new_counters(self) -> Counters:
        """Counters of a run that has not begun, with the fingerprints of its data."""
        raise NotImplementedError

    def restore(self, counters: dict[str, Any], state: Any) -> Counters:
        """Put batches and state where a checkpoint of the same options had them.

        Raises
        ------
        ConfigError
            When it was made with other data.
        TypeError
            When it counts something else.
        """
        raise NotImplementedError

    def naming_sizes(self) -> contextlib.AbstractContextManager[None]:
        """Within it, a lack of memory is told with what would need less."""
        return contextlib.nullcontext()

    def tell_changes(self, progress: Progress) -> None:
        """Tell in a line what has changed since the run was trained last."""

    def warm_up(self) -> None:
        """Compile all kernels that training and validating need, on copies: nothing changes."""
        raise NotImplementedError

    def note_best(self, counters: Counters, result: Any) -> None:
        """Keep what else was found of the best model."""

    def record(self, result: Any) -> dict[str, Any]:
        """What a validation adds to a line of metrics."""
        return {}

    def figures(self, counters: Counters) -> dict[str, Any]:
        """What the kind adds to the summary."""
        raise NotImplementedError
