"""scikit-learn's interface: a classifier, a regressor and a forecaster of sequences.

They need scikit-learn, which is imported on first use: ``pip install 'numba_lstm[sklearn]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

_HOMES = {
    "LSTMClassifier": "classifier",
    "LSTMForecaster": "forecaster",
    "LSTMRegressor": "regressor",
    "expected_failed_checks": "expected",
}

__all__ = ["LSTMClassifier", "LSTMForecaster", "LSTMRegressor", "expected_failed_checks"]


if TYPE_CHECKING:
    from .classifier import LSTMClassifier as LSTMClassifier
    from .expected import expected_failed_checks as expected_failed_checks
    from .forecaster import LSTMForecaster as LSTMForecaster
    from .regressor import LSTMRegressor as LSTMRegressor
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        try:
            from sklearn.utils.validation import validate_data  # noqa: F401  (since 1.6)
        except ImportError as error:
            raise ImportError(
                f"estimators.{name} needs scikit-learn 1.6 or newer: "
                "pip install 'numba_lstm[sklearn]'"
            ) from error
        value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted(__all__)
