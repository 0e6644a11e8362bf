"""Whole networks built of `numba_lstm.nn`, each loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {"LanguageModel": "language_model", "generate": "sampling", "generate_text": "writing"}

__all__ = ["LanguageModel", "generate", "generate_text"]


def __getattr__(name: str) -> Any:
    if name in _HOMES:
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
