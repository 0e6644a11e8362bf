"""Training: options, the loop, checkpoints and progress.

The submodules are imported on first use, so that reading a configuration costs no kernels.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

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


def __getattr__(name: str) -> Any:
    if name in __all__:
        return import_module(f".{name}", __name__)
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
