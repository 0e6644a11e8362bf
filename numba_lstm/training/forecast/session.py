"""What a run of ``train forecast`` begins with, and goes on with."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...distributed.group import Group
from ..linear_forecasts import MOST_WINDOWS
from ..runs.checkpoint import Checkpoint, Run
from ..runs.memory_limit import (
    check_values,
    kept_for_backward,
    refuse_too_large,
    training_needs,
)
from .combining import count_parameters, make_members, read_combined
from .config import BUNDLED, ForecastConfig
from .data import ForecastData, load_data
from .meaning import Meaning
from .task import ForecastTask

if TYPE_CHECKING:
    from ...models import Combination

__all__ = [
    "LoadedForecaster",
    "absolute",
    "check_linear",
    "check_size",
    "load_forecaster",
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
    model : Combination
        The networks that were best by validation, or the last ones where nothing validates, and the
        linear forecasters beside them, which a run has from its end on. In evaluation mode.
    network : Combination
        The networks alone.
    linear : Combination or None
        The linear forecasters alone.
    weights : dict of str to float
        Of each kind in the model.
    meaning : Meaning
        The columns, their scaling, the window and the step in time.
    config : ForecastConfig
        The options that it was trained with.
    """

    path: Path
    model: Combination
    network: Combination
    linear: Combination | None
    weights: dict[str, float]
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
    combined = read_combined(run, config, meaning)
    parts = combined.model, combined.network, combined.linear, combined.weights
    return LoadedForecaster(run.path, *parts, meaning, config)


def check_size(config: ForecastConfig, meaning: Meaning) -> None:
    """Refuse options whose training is more than the machine's memory holds.

    Raises
    ------
    ConfigError
        Naming the largest one of them.
    """
    width = len(meaning.columns)
    parameters = sum(count_parameters(config, meaning))
    sizes = {name: getattr(config, name) for name in ("hidden", "layers", "networks")}
    sizes.update(horizon=meaning.horizon, window=meaning.window)
    name = max(sizes, key=lambda name: sizes[name])
    of_batch = {"batch": config.batch, "window": meaning.window}
    steps = config.batch * meaning.window
    kept = kept_for_backward(config.cell, config.hidden, config.layers, 1, steps)
    batch = len(config.kinds) * config.networks * (kept + 2 * steps * width)
    needs = training_needs(parameters, batch, config.optimizer)
    expected = "a model"
    if 2 * batch > sum(needs.values()):
        name, expected = max("batch", "window", key=lambda name: of_batch[name]), "a batch"
        sizes = of_batch
    what = f"{name}: expected {expected} that fits in memory, got {sizes[name]}"
    refuse_too_large(needs, config.dtype, what)


def check_linear(config: ForecastConfig, meaning: Meaning, windows: int) -> None:
    """Refuse linear forecasters whose equations are more than the memory holds.

    They are solved when the training is done, when it is too late to say so. What is counted are
    the windows as they are and side by side, these twice as float64, and two matrices of squares:
    0.7 to 0.95 of the peak that was measured.

    Parameters
    ----------
    config, meaning
        The options, and what the numbers mean.
    windows
        How many there are to solve them on.

    Raises
    ------
    ConfigError
        Naming the window.
    """
    if not config.linear:
        return
    count, size = min(windows, MOST_WINDOWS), np.dtype(config.dtype).itemsize
    width = meaning.window * len(meaning.columns)
    inputs = width + meaning.horizon * len(meaning.known)
    needs = {
        "windows": count * ((width + inputs) * size // 8 + 2 * inputs),
        "equations": 2 * inputs**2,
    }
    what = (
        f"window: expected one whose linear forecasters fit in memory, or none of them "
        f"(--no-linear), got {meaning.window} rows of {len(meaning.columns)} columns"
    )
    refuse_too_large(needs, "float64", what)


def read_meaning(run: Run) -> Meaning:
    """Read what the numbers of a run's model mean.

    Raises
    ------
    RunError
        When the file is damaged.
    """
    return Meaning.from_json(run.beside(), str(run.path / run.kind.beside))


def new_task(
    config: ForecastConfig, group: Group | None = None
) -> tuple[ForecastTask, dict[str, Any]]:
    """The task of a new run, and what its numbers mean, for JSON."""
    data = load_data(config)
    return _task(config, data, group), data.meaning.to_json()


def task_again(
    run: Run, config: ForecastConfig, checkpoint: Checkpoint, group: Group | None = None
) -> ForecastTask:
    """The task of a run that goes on."""
    meaning = read_meaning(run)
    what = f"{run.path}: the state does not fit the options"
    check_values(checkpoint.model, count_parameters(config, meaning)[0], what)
    return _task(config, load_data(config, meaning), group)


def _task(config: ForecastConfig, data: ForecastData, group: Group | None) -> ForecastTask:
    check_size(config, data.meaning)
    check_linear(config, data.meaning, len(data.learnt_origins))
    return ForecastTask(config, data, make_members(config, data.meaning).together, group)


def absolute(config: ForecastConfig) -> ForecastConfig:
    """The same options with the file named from the root, so that a run resumes from anywhere."""
    return config.rooted(("data",), BUNDLED)
