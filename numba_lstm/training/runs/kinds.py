"""The kinds of runs, and the options of each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..classify.config import ClassifyConfig
from ..forecast.config import ForecastConfig
from ..lm.config import TrainConfig
from .options import ConfigError, TrainingOptions

__all__ = ["KINDS", "kind_of"]

KINDS: dict[str, type[TrainingOptions]] = {
    kind.kind: kind for kind in (TrainConfig, ClassifyConfig, ForecastConfig)
}


def kind_of(source: str, options: Mapping[str, Any]) -> type[TrainingOptions]:
    """The class of the options in a run's file; those that tell no kind are a language model's.

    Raises
    ------
    ConfigError
        For a kind that there is not.
    """
    kind = options.get("kind", "lm")
    if not isinstance(kind, str) or kind not in KINDS:
        raise ConfigError(f"{source}: kind: expected {' or '.join(KINDS)}, got {kind!r}")
    return KINDS[kind]
