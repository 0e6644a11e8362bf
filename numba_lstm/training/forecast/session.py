"""What a run of ``train forecast`` begins with, and goes on with."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..runs.checkpoint import Checkpoint, Run
from ..runs.memory_limit import recurrent_parameters, refuse_too_large
from .config import BUNDLED, ForecastConfig
from .data import load_data
from .meaning import Meaning
from .task import ForecastTask

if TYPE_CHECKING:
    from ...models import Forecaster

__all__ = [
    "LoadedForecaster",
    "absolute",
    "load_forecaster",
    "make_forecaster",
    "new_task",
    "read_meaning",
    "task_again",
]


@dataclasses.dataclass(frozen=True)
class LoadedForecaster:
    """What the folder of a run of ``train forecast`` holds.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    model : Forecaster
        The best one by validation, or the last one where nothing validates. In evaluation mode.
    meaning : Meaning
        The columns, their scaling, the window and the step in time.
    config : ForecastConfig
        The options that it was trained with.
    """

    path: Path
    model: Forecaster
    meaning: Meaning
    config: ForecastConfig


def load_forecaster(path: str | os.PathLike[str]) -> LoadedForecaster:
    """Open a run of ``train forecast``.

    Parameters
    ----------
    path
        The folder. A run that is being trained may be opened.

    Returns
    -------
    LoadedForecaster

    Raises
    ------
    ValueError
        When there is no such folder, it is no such run, or its files are damaged or do not fit each
        other; the message names the folder or the file.
    OSError
        When a file cannot be read.
    """
    run = Run(path)
    run.require_kind(ForecastConfig.kind)
    config, meaning = run.config(), read_meaning(run)
    model = run.open_model(lambda: make_forecaster(config, meaning))
    return LoadedForecaster(run.path, model, meaning, config)


def make_forecaster(config: ForecastConfig, meaning: Meaning) -> Forecaster:
    """The model that the options describe, with new parameters.

    Raises
    ------
    ConfigError
        When its parameters alone are more than the machine's memory holds.
    """
    from ...models import Forecaster

    width, future = len(meaning.columns), len(meaning.known)
    outputs = meaning.targets * len(config.quantiles)
    stack = recurrent_parameters(config.cell, width, config.hidden, config.layers)
    head = (config.hidden + meaning.horizon * future + 1) * meaning.horizon * outputs
    sizes = {"hidden": config.hidden, "layers": config.layers, "horizon": meaning.horizon}
    name = max(sizes, key=lambda name: sizes[name])
    what = f"{name}: expected a model that fits in memory, got {sizes[name]}"
    refuse_too_large(stack + head, config.dtype, what)
    return Forecaster(
        width,
        config.hidden,
        outputs,
        meaning.horizon,
        config.layers,
        cell=config.cell,
        dropout=config.dropout,
        input_dropout=config.input_dropout,
        recurrent_dropout=config.recurrent_dropout,
        future_size=future,
        dtype=config.dtype,
        seed=config.seed,
    )


def read_meaning(run: Run) -> Meaning:
    """Read what the numbers of a run's model mean.

    Raises
    ------
    RunError
        When the file is damaged.
    """
    return Meaning.from_json(run.beside(), str(run.path / run.kind.beside))


def new_task(config: ForecastConfig) -> tuple[ForecastTask, dict[str, Any]]:
    """The task of a new run, and what its numbers mean, for JSON."""
    data = load_data(config)
    task = ForecastTask(config, data, make_forecaster(config, data.meaning))
    return task, data.meaning.to_json()


def task_again(run: Run, config: ForecastConfig, checkpoint: Checkpoint) -> ForecastTask:
    """The task of a run that goes on."""
    data = load_data(config, read_meaning(run))
    return ForecastTask(config, data, make_forecaster(config, data.meaning))


def absolute(config: ForecastConfig) -> ForecastConfig:
    """The same options with the file named from the root, so that a run resumes from anywhere."""
    return config.rooted(("data",), BUNDLED)
