"""Beginning a run, going on with one, and reading its model: what the commands do first.

Everything is read and checked before anything is written.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..models import LanguageModel
from ..text import Vocabulary, vocabulary_from_json
from .checkpoint import Run, RunError
from .config import BUDGETS, ConfigError, TrainConfig
from .data import BUNDLED, load_data
from .loop import Trainer
from .progress import Progress

__all__ = ["load_model", "make_model", "resume", "start"]

# A continuation may say where the data lie now, how long to go on and how often to report; all
# else would make it another run.
_MAY_CHANGE = {"data", "valid", *BUDGETS, "valid_every", "log_every", "threads"}


def make_model(config: TrainConfig, vocab_size: int) -> LanguageModel:
    """The model that the options describe, with new parameters.

    Raises
    ------
    ConfigError
        When its parameters alone are more than the machine's memory holds.
    """
    _refuse_too_large(config, vocab_size)
    return LanguageModel(
        vocab_size,
        config.embedding,
        config.hidden,
        config.layers,
        config.dropout,
        config.tie_weights,
        embedding_dropout=config.embedding_dropout,
        dtype=config.dtype,
        seed=config.seed,
    )


def start(
    config: TrainConfig, path: str | os.PathLike[str], progress: Progress | None = None
) -> tuple[Trainer, Run]:
    """Begin a run in a new folder.

    Raises
    ------
    RunError
        When the folder exists and is not empty.
    ConfigError, ValueError, OSError
        When the data cannot be used; nothing is written then.
    """
    Run.refuse_existing(path)
    config = _absolute(config)
    data = load_data(config)
    model = make_model(config, len(data.vocabulary))
    trainer = Trainer(config, data, model, progress=progress)
    return trainer, Run.create(path, config, data.vocabulary.to_json(), trainer.checkpoint())


def resume(
    path: str | os.PathLike[str],
    flags: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[Trainer, Run]:
    """Go on with a run where its last checkpoint is.

    Parameters
    ----------
    path
        The run's folder.
    flags
        Options to change: where the data are, how long to train, how often to report.
    progress
        What shows the run to a person.

    Raises
    ------
    RunError
        When the folder holds no run, or a damaged one.
    ConfigError, ValueError, OSError
        When an option cannot be changed, or the data are not the run's; nothing is written then.
    """
    run = Run(path)
    with run.exclusive():
        return _resume(run, flags, progress), run


def _resume(run: Run, flags: Mapping[str, Any] | None, progress: Progress | None) -> Trainer:
    before = run.config()
    for name, value in (flags or {}).items():
        if name not in _MAY_CHANGE and value != getattr(before, name):
            raise ConfigError(
                f"{name}: expected the run's {getattr(before, name)}, got {value}: "
                "a resumed run cannot change it"
            )
    config = _absolute(run.config(flags))
    checkpoint = run.load()
    data = load_data(config, run.vocabulary())
    trainer = Trainer(config, data, make_model(config, len(data.vocabulary)), progress=progress)
    try:
        trainer.restore(checkpoint)
    except (KeyError, TypeError) as error:
        raise RunError(f"{run.path}: the state does not fit the options: {error}") from None
    run.rewind(trainer.counters.measured_step)
    run.write_config(config)
    return trainer


def load_model(run: Run) -> tuple[LanguageModel, Vocabulary, TrainConfig]:
    """Read a run's model, in evaluation mode, its vocabulary and its options.

    Raises
    ------
    RunError, ValueError
        When the folder's files are damaged or do not fit each other.
    """
    config = run.config()
    vocabulary = vocabulary_from_json(run.vocabulary())
    model = make_model(config, len(vocabulary))
    values = run.model()
    try:
        model.load_state_dict(values)
    except (TypeError, ValueError) as error:
        raise RunError(f"{run.path}: the model does not fit the run's options: {error}") from None
    return model.eval(), vocabulary, config


def _refuse_too_large(config: TrainConfig, vocab_size: int) -> None:
    """Refuse what no allocation could be had for, before many smaller ones fill the memory."""
    try:
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, ValueError, OSError):  # Windows has no sysconf
        memory = 0
    if memory <= 0:  # not told
        memory = 2**47  # of which a process can address no more
    gates = 4 * config.hidden
    first = gates * (config.embedding + config.hidden + 2)
    others = (config.layers - 1) * gates * (2 * config.hidden + 2)
    tables = vocab_size * (config.embedding + (0 if config.tie_weights else config.hidden) + 1)
    needed = (first + others + tables) * np.dtype(config.dtype).itemsize
    if needed > memory:
        name = max("hidden", "embedding", "layers", key=lambda name: getattr(config, name))
        raise ConfigError(
            f"{name}: expected a model that fits in memory, got {getattr(config, name)}: its "
            f"parameters alone take {needed / 2**30:,.0f} GiB, of which there are "
            f"{memory / 2**30:,.0f}"
        )


def _absolute(config: TrainConfig) -> TrainConfig:
    """The same options with files named from the root, so that a run resumes from anywhere."""
    changes: dict[str, Any] = {}
    if config.data != BUNDLED:
        changes["data"] = str(Path(config.data).absolute())
    if config.valid not in (None, BUNDLED):
        changes["valid"] = str(Path(str(config.valid)).absolute())
    return dataclasses.replace(config, **changes)
