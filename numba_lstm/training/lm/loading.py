"""A run's model, opened from Python or by a command.

>>> import numba_lstm
>>> run = numba_lstm.load("runs/mine")  # doctest: +SKIP
>>> "".join(generate_text(run.model, run.vocabulary, "ROMEO:", 200))  # doctest: +SKIP
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ...models import LanguageModel
from ...text import Vocabulary, vocabulary_from_json
from ..runs.checkpoint import Run
from ..runs.folders import RunError
from ..runs.memory_limit import (
    kept_for_backward,
    recurrent_parameters,
    refuse_too_large,
    training_needs,
)
from .config import TrainConfig

__all__ = ["LoadedRun", "count_parameters", "load", "make_model", "read_vocabulary"]


@dataclass(frozen=True)
class LoadedRun:
    """What a run's folder holds, as `numba_lstm.load` gives it.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    model : LanguageModel
        The best one by validation, or the last one where nothing validates. In evaluation mode.
    vocabulary : Vocabulary
        ``encode`` and ``decode`` are what the model's tokens mean.
    config : TrainConfig
        The options that it was trained with.
    """

    path: Path
    model: LanguageModel
    vocabulary: Vocabulary
    config: TrainConfig

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """A dict for each logging step: step, tokens, train_loss, val_loss (None where it was not
        measured), lr and seconds. Losses are in nats a token.

        Raises
        ------
        RunError
            When the file is missing or damaged.
        """
        return list(Run(self.path).metrics())


def load(path: str | os.PathLike[str]) -> LoadedRun:
    """Open a run: its model in evaluation mode, its vocabulary and its options.

    Parameters
    ----------
    path
        The folder that ``numba-lstm train lm`` made. A run that is being trained may be opened.

    Returns
    -------
    LoadedRun
        With ``model``, ``vocabulary``, ``config`` and ``metrics``.

    Raises
    ------
    TypeError
        When ``path`` is no path.
    ValueError
        When there is no such folder, it is no run, or its files are damaged or do not fit each
        other; the message names the folder or the file.
    OSError
        When a file cannot be read.

    Examples
    --------
    >>> run = load("runs/mine")  # doctest: +SKIP
    >>> logits, state = run.model(run.vocabulary.encode("ROMEO:")[:, None])  # doctest: +SKIP
    """
    if not isinstance(path, str | os.PathLike):
        raise TypeError(f"path: expected a folder's name, got {type(path).__name__}")
    run = Run(path)
    run.require_kind(TrainConfig.kind)
    config = run.config()
    vocabulary = read_vocabulary(run)
    parameters = count_parameters(config, len(vocabulary))
    model = run.open_model(lambda: make_model(config, len(vocabulary)), parameters)
    return LoadedRun(run.path, model, vocabulary, config)


def read_vocabulary(run: Run) -> Vocabulary:
    """Read a run's vocabulary.

    Raises
    ------
    RunError
        When the file is damaged.
    """
    found = run.beside()
    try:
        return vocabulary_from_json(found)
    except ValueError as error:
        raise RunError(f"{run.path / run.kind.beside}: {error}") from None


def make_model(config: TrainConfig, vocab_size: int, training: bool = False) -> LanguageModel:
    """The model that the options describe, with new parameters.

    Parameters
    ----------
    config
        The options.
    vocab_size
        Different tokens.
    training
        Whether it is going to be trained, which takes more memory.

    Raises
    ------
    ConfigError
        When the machine's memory cannot hold it, or its training.
    """
    _refuse_too_large(config, vocab_size, training)
    return LanguageModel(
        vocab_size,
        config.embedding,
        config.hidden,
        config.layers,
        config.dropout,
        config.tie_weights,
        embedding_dropout=config.embedding_dropout,
        cell=config.cell,
        dtype=config.dtype,
        seed=config.seed,
    )


def count_parameters(config: TrainConfig, vocab_size: int) -> int:
    """How many parameters the model has that the options describe."""
    return sum(_parameters(config, vocab_size))


def _parameters(config: TrainConfig, vocab_size: int) -> tuple[int, int]:
    """Of the recurrent layers, and of the tables that have a row for each token."""
    stack = recurrent_parameters(config.cell, config.embedding, config.hidden, config.layers)
    width = config.embedding + (0 if config.tie_weights else config.hidden) + 1
    return stack, vocab_size * width


def _refuse_too_large(config: TrainConfig, vocab_size: int, training: bool) -> None:
    """Refuse what is beyond the memory, naming the option that makes it so large."""
    sizes = config.cell, config.hidden, config.layers
    stack, tables = _parameters(config, vocab_size)
    needs = {"parameters": stack + tables}
    name = max("hidden", "embedding", "layers", key=lambda name: getattr(config, name))
    came, expected = str(getattr(config, name)), "a model"
    if tables > stack:
        name = "min_count"
        came = f"a vocabulary of {vocab_size:,} tokens at min_count {config.min_count}"
    if training:
        steps = config.batch * config.seq_len
        batch = kept_for_backward(*sizes, 1, steps) + 2 * steps * vocab_size
        needs = training_needs(stack + tables, batch, config.optimizer)
        if 2 * batch > sum(needs.values()):
            name = max("batch", "seq_len", key=lambda name: getattr(config, name))
            came, expected = str(getattr(config, name)), "a batch"
    what = f"{name}: expected {expected} that fits in memory, got {came}"
    refuse_too_large(needs, config.dtype, what)
