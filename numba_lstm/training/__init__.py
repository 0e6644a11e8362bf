"""Training: options, the loop, checkpoints and progress.

The submodules are imported on first use, so that reading a configuration costs no kernels.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# What is no module: where it stands.
_HOMES = {
    "Batches": "batching",
    "Diverged": "step",
    "History": "history",
    "LoadedClassifier": "sequence_session",
    "Trainer": "trainer",
    "batches": "batching",
    "load_classifier": "sequence_session",
}

__all__ = [
    "Batches",
    "Diverged",
    "History",
    "LoadedClassifier",
    "Trainer",
    "batches",
    "batching",
    "budget",
    "checkpoint",
    "classify_config",
    "config",
    "counters",
    "data",
    "evaluation",
    "fingerprint",
    "fit",
    "folders",
    "history",
    "initial",
    "interrupt",
    "kinds",
    "linear_forecasts",
    "load_classifier",
    "loading",
    "loop",
    "memory_limit",
    "options",
    "progress",
    "run_loop",
    "sequence_data",
    "sequence_meaning",
    "sequence_results",
    "sequence_session",
    "sequence_task",
    "session",
    "step",
    "supervised",
    "task",
    "text_session",
    "text_task",
    "trainer",
]


if TYPE_CHECKING:
    from . import batching as batching
    from . import budget as budget
    from . import checkpoint as checkpoint
    from . import classify_config as classify_config
    from . import config as config
    from . import counters as counters
    from . import data as data
    from . import evaluation as evaluation
    from . import fingerprint as fingerprint
    from . import fit as fit
    from . import folders as folders
    from . import history as history
    from . import initial as initial
    from . import interrupt as interrupt
    from . import kinds as kinds
    from . import loading as loading
    from . import loop as loop
    from . import memory_limit as memory_limit
    from . import options as options
    from . import progress as progress
    from . import run_loop as run_loop
    from . import sequence_data as sequence_data
    from . import sequence_meaning as sequence_meaning
    from . import sequence_results as sequence_results
    from . import sequence_session as sequence_session
    from . import sequence_task as sequence_task
    from . import session as session
    from . import step as step
    from . import supervised as supervised
    from . import task as task
    from . import text_session as text_session
    from . import text_task as text_task
    from . import trainer as trainer
    from .batching import Batches as Batches
    from .batching import batches as batches
    from .history import History as History
    from .sequence_session import LoadedClassifier as LoadedClassifier
    from .sequence_session import load_classifier as load_classifier
    from .step import Diverged as Diverged
    from .trainer import Trainer as Trainer
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        if name in __all__:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
