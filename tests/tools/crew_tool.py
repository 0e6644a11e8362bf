"""Crews for tests: one that nobody else uses, and one whose teams come together when it is busy."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from numba_lstm import tuning, workers

SECONDS = 2.0


@contextmanager
def own_crew() -> Iterator[None]:
    """Within it kernels that run on several threads have a crew of their own, made when needed."""
    with mock.patch.multiple(workers, _crew=None, _address=0, _ready=1):
        try:
            yield
        finally:
            if workers._crew is not None:
                workers._crew.retire()


@contextmanager
def patient_teams() -> Iterator[None]:
    """As `own_crew`, one whose teams wait long for each of their threads."""
    patience = {"TEAM_PATIENCE": SECONDS, "TEAM_PATIENCE_ASLEEP": SECONDS, "ALONE": 0}
    with mock.patch.multiple(tuning, **patience), own_crew():
        yield


def cut_always() -> None:
    """Have the crew that there is cut all parts from now on, as after a worker that was late."""
    workers.crew(2)
    assert workers._crew is not None
    workers._crew.words[workers.FINE] = 2**62
    workers._crew.words[workers.FINE_UNTIL] = 2**61
    workers._crew.words[workers.ALONE] = 0
    workers._crew.words[workers.ALONE_UNTIL] = 0
