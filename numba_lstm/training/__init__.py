"""Training: the loop, and a `Trainer` for modules of one's own.

`runs` keeps a training in a folder, so that it can be resumed; `lm`, `classify` and `forecast` are
the kinds of runs, as the command line has them. Everything is imported on first use, so that
reading a configuration costs no kernels.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Each name and where it stands.
_HOMES = {
    "Batches": "batching",
    "Diverged": "step",
    "History": "history",
    "LoadedClassifier": "classify.session",
    "LoadedForecaster": "forecast.session",
    "Trainer": "trainer",
    "batches": "batching",
    "load_classifier": "classify.session",
    "load_forecaster": "forecast.session",
}

__all__ = [
    "Batches",
    "Diverged",
    "History",
    "LoadedClassifier",
    "LoadedForecaster",
    "Trainer",
    "batches",
    "load_classifier",
    "load_forecaster",
]

if TYPE_CHECKING:
    from .batching import Batches as Batches
    from .batching import batches as batches
    from .classify.session import LoadedClassifier as LoadedClassifier
    from .classify.session import load_classifier as load_classifier
    from .forecast.session import LoadedForecaster as LoadedForecaster
    from .forecast.session import load_forecaster as load_forecaster
    from .history import History as History
    from .step import Diverged as Diverged
    from .trainer import Trainer as Trainer
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            return getattr(import_module(f".{_HOMES[name]}", __name__), name)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
