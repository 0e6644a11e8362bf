"""What a run of ``train lm`` begins with, and goes on with."""

from __future__ import annotations

import dataclasses
from typing import Any

from ...distributed.group import Group
from ...text.sources import STANDARD_INPUT, absolute_name
from ..counters import TextCounters
from ..runs.checkpoint import Checkpoint, Run
from ..runs.memory_limit import check_values
from .config import ConfigError, TrainConfig, names
from .data import load_data, naming_vocabulary
from .fingerprint import Fingerprint
from .initial import begin_with, load_initial
from .loading import count_parameters, make_model, read_vocabulary
from .task import TextTask

__all__ = ["absolute", "new_task", "task_again"]


def new_task(config: TrainConfig, group: Group | None = None) -> tuple[TextTask, dict[str, Any]]:
    """The task of a new run, and its vocabulary for JSON."""
    _refuse_standard_input(config, group)
    initial = load_initial(config)
    data = load_data(config, initial=None if initial is None else initial.vocabulary)
    vocab_size = len(data.vocabulary)
    with naming_vocabulary(config, vocab_size):
        model = make_model(config, vocab_size, training=True)
        if initial is not None:
            begin_with(model, data.vocabulary, initial)
    return TextTask(config, data, model, group), data.vocabulary.to_json()


def task_again(
    run: Run, config: TrainConfig, checkpoint: Checkpoint, group: Group | None = None
) -> TextTask:
    """The task of a run that goes on, over its text or one that has grown."""
    _refuse_standard_input(config, group)
    with run.naming_state():
        counters = TextCounters.of(checkpoint.counters)
    vocabulary = read_vocabulary(run)
    vocab_size = len(vocabulary)
    what = f"{run.path}: the state does not fit the options"
    check_values(checkpoint.model, count_parameters(config, vocab_size), what)
    before = Fingerprint(counters.text_length, counters.text_digest)
    data = load_data(config, vocabulary, before=before)
    with naming_vocabulary(config, vocab_size):
        return TextTask(config, data, make_model(config, vocab_size, training=True), group)


def _refuse_standard_input(config: TrainConfig, group: Group | None) -> None:
    """A launcher hands its standard input to one rank only."""
    for name in ("data", "valid"):
        if group is not None and group.size > 1 and STANDARD_INPUT in names(getattr(config, name)):
            raise ConfigError(
                f"{name}: expected files, which each of the {group.size} ranks can read, got "
                "standard input"
            )


def absolute(config: TrainConfig) -> TrainConfig:
    """The same options with files named from the root, so that a run resumes from anywhere."""
    changes: dict[str, Any] = {}
    for name in ("data", "valid"):
        value = getattr(config, name)
        if value is not None:
            changes[name] = [absolute_name(one) for one in names(value)]
    if config.init is not None:
        changes["init"] = absolute_name(config.init)
    return dataclasses.replace(config, **changes)
