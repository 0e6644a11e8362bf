"""LSTMs, GRUs and RNNs that train and run fast on a CPU.

Torch's names, hand-derived gradients.

Everything below is loaded on first use, so that ``import numba_lstm`` costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from . import _forks
from ._version import __version__

__all__ = [
    "__version__",
    "datasets",
    "distributed",
    "estimators",
    "get_num_threads",
    "get_tuning",
    "interop",
    "load",
    "losses",
    "models",
    "nn",
    "optim",
    "set_num_threads",
    "set_tuning",
    "testing",
    "text",
    "training",
    "typing",
    "warmup",
]

# What is no module: where it stands.
_HOMES = {
    "get_num_threads": "threads",
    "get_tuning": "plans.switch",
    "load": "training.lm.loading",
    "set_num_threads": "threads",
    "set_tuning": "plans.switch",
    "warmup": "ahead",
}

# Now, as another package may compile, and its program fork, before anything of this one is used.
_forks.register()


if TYPE_CHECKING:
    from . import datasets as datasets
    from . import distributed as distributed
    from . import estimators as estimators
    from . import interop as interop
    from . import losses as losses
    from . import models as models
    from . import nn as nn
    from . import optim as optim
    from . import testing as testing
    from . import text as text
    from . import training as training
    from . import typing as typing
    from .ahead import warmup as warmup
    from .plans.switch import get_tuning as get_tuning
    from .plans.switch import set_tuning as set_tuning
    from .threads import get_num_threads as get_num_threads
    from .threads import set_num_threads as set_num_threads
    from .training.lm.loading import load as load
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
