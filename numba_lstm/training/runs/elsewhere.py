"""A run's folder as the ranks have it that neither read nor write it: rank 0 does."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from ...distributed.group import Group
from .checkpoint import Checkpoint, Run
from .options import TrainingOptions

__all__ = ["RunElsewhere", "known_to_all"]


class RunElsewhere(Run):
    """A run whose folder another rank holds: what would be written is dropped here.

    Parameters
    ----------
    path
        The folder, for messages; it need not be there.
    kind
        The class of the run's options.
    beside
        What the model's numbers mean.
    """

    def __init__(self, path: Path, kind: type[TrainingOptions], beside: Any) -> None:
        self.path, self.kind = path, kind
        self._beside = beside
        self._held = None

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Nothing to hold: rank 0 does."""
        yield

    def require_step(self, step: int) -> None:
        """Nothing to ask: rank 0 does."""

    def beside(self) -> Any:
        """What the model's numbers mean."""
        return self._beside

    def write(self, name: str, data: bytes | str) -> None:
        """Drop it."""

    def save_model(self, model: Mapping[str, Any], **about: Any) -> None:
        """Drop it."""

    def save(self, checkpoint: Checkpoint) -> None:
        """Drop it."""

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Drop it."""

    def rewind(self, step: int) -> None:
        """Nothing to drop."""


def known_to_all(group: Group, run: Run | None) -> Run:
    """Rank 0's run, as each rank has it.

    Parameters
    ----------
    group
        The ranks.
    run
        On rank 0 the run; None on the others.
    """
    if group.size == 1:
        assert run is not None
        return run
    about = None
    with group.together("reading the run"):
        if run is not None:
            about = run.path, run.kind, run.beside()
    path, kind, beside = group.broadcast(about)  # type: ignore[misc]
    return RunElsewhere(path, kind, beside) if run is None else run
