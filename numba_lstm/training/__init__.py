"""Training: options, the loop, checkpoints and progress.

The submodules are imported on first use, so that reading a configuration costs no kernels.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = [
    "checkpoint",
    "config",
    "counters",
    "data",
    "evaluation",
    "fingerprint",
    "folders",
    "initial",
    "interrupt",
    "loading",
    "loop",
    "progress",
    "session",
]


if TYPE_CHECKING:
    from . import checkpoint as checkpoint
    from . import config as config
    from . import counters as counters
    from . import data as data
    from . import evaluation as evaluation
    from . import fingerprint as fingerprint
    from . import folders as folders
    from . import initial as initial
    from . import interrupt as interrupt
    from . import loading as loading
    from . import loop as loop
    from . import progress as progress
    from . import session as session
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name in __all__:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
