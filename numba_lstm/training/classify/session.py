"""What a run of ``train classify`` begins with, and goes on with."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...distributed.group import Group
from ..runs.checkpoint import Checkpoint, Run
from ..runs.memory_limit import (
    check_values,
    kept_for_backward,
    recurrent_parameters,
    refuse_too_large,
    training_needs,
)
from ..runs.options import ConfigError
from .config import ClassifyConfig
from .data import BUNDLED, Part, load_sequences
from .meaning import Meaning
from .task import ClassifyTask

if TYPE_CHECKING:
    from ...models import SequenceClassifier

__all__ = [
    "LoadedClassifier",
    "absolute",
    "held_back",
    "load_classifier",
    "make_classifier",
    "new_task",
    "read_meaning",
    "task_again",
]


@dataclasses.dataclass(frozen=True)
class LoadedClassifier:
    """What the folder of a run of ``train classify`` holds.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    model : SequenceClassifier
        The best one by validation, or the last one where nothing validates. In evaluation mode.
    meaning : Meaning
        Names of the columns and classes, and the scaling: ``meaning.scaled(x, "float32")``.
    config : ClassifyConfig
        The options that it was trained with.
    """

    path: Path
    model: SequenceClassifier
    meaning: Meaning
    config: ClassifyConfig


def load_classifier(path: str | os.PathLike[str]) -> LoadedClassifier:
    """Open a run of ``train classify``.

    Parameters
    ----------
    path
        The folder. A run that is being trained may be opened.

    Returns
    -------
    LoadedClassifier

    Raises
    ------
    ValueError
        When there is no such folder, it is no such run, or its files are damaged or do not fit each
        other; the message names the folder or the file.
    OSError
        When a file cannot be read.
    """
    run = Run(path)
    run.require_kind(ClassifyConfig.kind)
    config, meaning = run.config(), read_meaning(run)
    model = run.open_model(
        lambda: make_classifier(config, meaning), count_parameters(config, meaning)
    )
    return LoadedClassifier(run.path, model, meaning, config)


def held_back(loaded: LoadedClassifier) -> Part | None:
    """Read the part that a run tests on, or else the one that it validates on.

    Raises
    ------
    ConfigError
        When the data are others than those that it was trained on: another split of them may hold
        back what it has learnt.
    """
    data = load_sequences(loaded.config, loaded.meaning)
    if data.digest() != Run(loaded.path).load().counters.get("digest"):
        raise ConfigError(f"data: {loaded.config.data} has changed since the run; give --data")
    return data.test if data.test is not None else data.valid


def count_parameters(config: ClassifyConfig, meaning: Meaning) -> int:
    """How many parameters the model has that the options describe."""
    directions = 1 + config.bidirectional
    about = config.cell, len(meaning.columns), config.hidden, config.layers, directions
    return recurrent_parameters(*about) + (directions * config.hidden + 1) * len(meaning.classes)


def make_classifier(
    config: ClassifyConfig, meaning: Meaning, trained_on: Part | None = None
) -> SequenceClassifier:
    """The model that the options describe, with new parameters.

    Parameters
    ----------
    config
        The options.
    meaning
        Names of the columns and classes.
    trained_on
        The sequences that it is going to be trained on, which takes more memory.

    Raises
    ------
    ConfigError
        When the machine's memory cannot hold it, or its training.
    """
    from ...models import SequenceClassifier

    _refuse_too_large(config, meaning, trained_on)
    return SequenceClassifier(
        len(meaning.columns),
        config.hidden,
        len(meaning.classes),
        config.layers,
        cell=config.cell,
        bidirectional=config.bidirectional,
        dropout=config.dropout,
        input_dropout=config.input_dropout,
        recurrent_dropout=config.recurrent_dropout,
        pooling=config.pooling,
        dtype=config.dtype,
        seed=config.seed,
    )


def _refuse_too_large(config: ClassifyConfig, meaning: Meaning, trained_on: Part | None) -> None:
    """Refuse what is beyond the memory, naming the option that makes it so large."""
    parameters = count_parameters(config, meaning)
    needs = {"parameters": parameters}
    name, expected = max("hidden", "layers", key=lambda name: getattr(config, name)), "a model"
    if trained_on is not None:
        # Of the mean batch: the largest is no smaller.
        steps = sum(map(len, trained_on.x)) // -(-len(trained_on) // config.batch)
        sizes = config.cell, config.hidden, config.layers, 1 + config.bidirectional
        batch = kept_for_backward(*sizes, steps) + 2 * steps * len(meaning.columns)
        needs = training_needs(parameters, batch, config.optimizer)
        if 2 * batch > sum(needs.values()):
            name, expected = "batch", "a batch"
    what = f"{name}: expected {expected} that fits in memory, got {getattr(config, name)}"
    refuse_too_large(needs, config.dtype, what)


def read_meaning(run: Run) -> Meaning:
    """Read what the numbers of a run's model mean.

    Raises
    ------
    RunError
        When the file is damaged.
    """
    return Meaning.from_json(run.beside(), str(run.path / run.kind.beside))


def new_task(
    config: ClassifyConfig, group: Group | None = None
) -> tuple[ClassifyTask, dict[str, Any]]:
    """The task of a new run, and what its numbers mean, for JSON."""
    data = load_sequences(config)
    task = ClassifyTask(config, data, make_classifier(config, data.meaning, data.train), group)
    return task, data.meaning.to_json()


def task_again(
    run: Run, config: ClassifyConfig, checkpoint: Checkpoint, group: Group | None = None
) -> ClassifyTask:
    """The task of a run that goes on."""
    meaning = read_meaning(run)
    what = f"{run.path}: the state does not fit the options"
    check_values(checkpoint.model, count_parameters(config, meaning), what)
    data = load_sequences(config, meaning)
    return ClassifyTask(config, data, make_classifier(config, data.meaning, data.train), group)


def absolute(config: ClassifyConfig) -> ClassifyConfig:
    """The same options with files named from the root, so that a run resumes from anywhere."""
    return config.rooted(("data", "test"), BUNDLED)
