"""Whole networks built of `numba_lstm.nn`, each loaded on first use."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "Combination": "combination",
    "Forecaster": "forecaster",
    "LanguageModel": "language_model",
    "LinearForecaster": "linear_forecaster",
    "SequenceClassifier": "classifier",
    "SequenceRegressor": "regressor",
    "combination_weights": "combination",
    "generate": "sampling",
    "generate_text": "writing",
}

__all__ = [
    "Combination",
    "Forecaster",
    "LanguageModel",
    "LinearForecaster",
    "SequenceClassifier",
    "SequenceRegressor",
    "combination_weights",
    "generate",
    "generate_text",
]


if TYPE_CHECKING:
    from .classifier import SequenceClassifier as SequenceClassifier
    from .combination import Combination as Combination
    from .combination import combination_weights as combination_weights
    from .forecaster import Forecaster as Forecaster
    from .language_model import LanguageModel as LanguageModel
    from .linear_forecaster import LinearForecaster as LinearForecaster
    from .regressor import SequenceRegressor as SequenceRegressor
    from .sampling import generate as generate
    from .writing import generate_text as generate_text
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name in _HOMES:
            value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
