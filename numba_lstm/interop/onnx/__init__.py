"""ONNX files: modules written as graphs.

All need the package ``onnx``: ``pip install 'numba_lstm[onnx]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Where each name stands; None: it is a module.
_HOMES = {"save": "export"}

__all__ = ["save"]


if TYPE_CHECKING:
    from .export import save as save
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        return getattr(import_module(f".{_HOMES[name]}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
