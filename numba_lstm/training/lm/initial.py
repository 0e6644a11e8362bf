"""Beginning a run with the weights of another: ``train lm --init RUN``.

The new run's tokens are those of the other run and those that only the new text has. Rows of the
embedding and of the output that belong to a token of the other run are copied, rows of new tokens
are drawn as in any new model.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ...models import LanguageModel
from ...text import Vocabulary
from ...text.sources import path_of
from ..runs.checkpoint import Run
from .config import ConfigError, TrainConfig, merge
from .loading import LoadedRun, load

__all__ = ["begin_with", "load_initial", "merge_with_init"]

# What the weights' shapes and meaning depend on. The rest, dropout for one, the new run may choose.
_SHAPE = ("level", "cell", "embedding", "hidden", "layers", "tie_weights")
# Tables with a row for each token.
_BY_TOKEN = ("embedding.weight", "decoder.weight", "decoder.bias")


def merge_with_init(*layers: tuple[str, Mapping[str, Any]]) -> TrainConfig:
    """Merge layers of options as `merge` does; where they name an initial run, sizes are its.

    Raises
    ------
    ConfigError
        As `merge`, and when an option gives another size than the initial run's.
    RunError
        When there is no such run.
    """
    init = next((options["init"] for _, options in reversed(layers) if options.get("init")), None)
    if init is None:
        return merge(*layers)
    run = Run(_as_path(init))
    run.require_kind(TrainConfig.kind)
    shape = _shape(run.config())
    config = merge((f"init: {init}", shape), *layers)
    _check_shape(config, shape)
    return config


def load_initial(config: TrainConfig) -> LoadedRun | None:
    """Open the run that the options name as the initial one; None where they name none.

    Raises
    ------
    ConfigError
        When its sizes are not the options'.
    RunError, ValueError
        When it is no run, or a damaged one.
    """
    if config.init is None:
        return None
    initial = load(path_of(config.init))
    _check_shape(config, _shape(initial.config))
    return initial


def begin_with(model: LanguageModel, vocabulary: Vocabulary, initial: LoadedRun) -> None:
    """Give a new model the weights of an initial run's, row by row where rows are tokens.

    Parameters
    ----------
    model
        Of the initial model's sizes, with a row for each token of ``vocabulary``.
    vocabulary
        Which has every token of the initial run's.
    initial
        The run.
    """
    ids = {token: i for i, token in enumerate(vocabulary.tokens)}
    rows = np.array([ids[token] for token in initial.vocabulary.tokens], np.int64)
    values = model.state_dict()
    for name, array in initial.model.state_dict().items():
        if name in _BY_TOKEN:
            values[name][rows] = array
        else:
            values[name] = array
    model.load_state_dict(values)


def _shape(config: TrainConfig) -> dict[str, Any]:
    return {name: getattr(config, name) for name in (*_SHAPE, "dtype")}


def _check_shape(config: TrainConfig, shape: Mapping[str, Any]) -> None:
    for name in _SHAPE:
        if getattr(config, name) != shape[name]:
            raise ConfigError(
                f"{name}: expected {shape[name]}, as of the run whose weights are to be taken "
                f"({config.init}), got {getattr(config, name)}"
            )


def _as_path(value: Any) -> Path:
    if not isinstance(value, str):
        raise ConfigError(f"init: expected text, got {value!r}")
    return path_of(value)
