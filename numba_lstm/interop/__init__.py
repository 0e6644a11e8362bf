"""Reading and writing other programs' formats."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__all__ = ["npz", "onnx", "safetensors", "weights"]


if TYPE_CHECKING:
    from . import npz as npz
    from . import onnx as onnx
    from . import safetensors as safetensors
    from . import weights as weights
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        # Each format may need a package of its own, so each is imported when it is asked for.
        if name in __all__:
            return import_module(f".{name}", __name__)
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
