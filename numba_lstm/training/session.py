"""Beginning a run and going on with one: what ``train lm`` does first.

Everything is read and checked before anything is written.
"""

from __future__ import annotations

import dataclasses
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..text.sources import absolute_name
from .checkpoint import Run, RunError
from .config import BUDGETS, ConfigError, TrainConfig, names, told
from .data import load_data, naming_vocabulary
from .fingerprint import Fingerprint
from .folders import refuse_existing
from .initial import begin_with, load_initial
from .loading import make_model, read_vocabulary
from .loop import Trainer
from .progress import Progress

__all__ = ["make_model", "resume", "start"]

# A continuation may say where the data lie now, how long to go on and how often to report; all
# else would make it another run.
_MAY_CHANGE = {"data", "valid", *BUDGETS, "valid_every", "patience", "log_every", "threads"}


def start(
    config: TrainConfig,
    path: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
) -> tuple[Trainer, Run]:
    """Begin a run in a new folder.

    Parameters
    ----------
    config
        The options.
    path
        The run's folder; where it is not given one under ``runs/`` that nothing had before.
    progress
        What shows the run to a person.

    Raises
    ------
    RunError
        When the folder exists and is not empty, or the initial run is none.
    ConfigError, ValueError, OSError
        When the data or the initial run cannot be used; nothing is written then.
    """
    if path is not None:
        refuse_existing(path)  # now, and not only after the text was read
    config = _absolute(config)
    initial = load_initial(config)
    data = load_data(config, initial=None if initial is None else initial.vocabulary)
    vocab_size = len(data.vocabulary)
    with naming_vocabulary(config, vocab_size):
        model = make_model(config, vocab_size)
        if initial is not None:
            begin_with(model, data.vocabulary, initial)
        trainer = Trainer(config, data, model, progress=progress)
    about = config, data.vocabulary.to_json(), trainer.checkpoint()
    if path is not None:
        return trainer, Run.create(path, *about)
    return trainer, Run.create_new(Path("runs") / time.strftime("lm-%Y%m%d-%H%M%S"), *about)


def resume(
    path: str | os.PathLike[str],
    flags: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
) -> tuple[Trainer, Run]:
    """Go on with a run where its last checkpoint is.

    Its text may have grown meanwhile: what was behind the end of it before is then trained on, too,
    and a line says so. Only a run whose text is the same goes on to the same bits.

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
    options = run.config()
    for name, value in (flags or {}).items():
        if name not in _MAY_CHANGE and value != getattr(options, name):
            raise ConfigError(
                f"{name}: expected the run's {getattr(options, name)}, got {value}: "
                "a resumed run cannot change it"
            )
    config = _absolute(run.config(flags))
    checkpoint = run.load()
    run.model()  # whoever goes on must have the best so far: no later one need be better
    counters = checkpoint.counters
    before = Fingerprint(counters.get("text_length", 0), counters.get("text_digest", ""))
    data = load_data(config, read_vocabulary(run), before=before)
    vocab_size = len(data.vocabulary)
    with naming_vocabulary(config, vocab_size):
        trainer = Trainer(config, data, make_model(config, vocab_size), progress=progress)
    try:
        trainer.restore(checkpoint)
    except ConfigError:
        raise
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{run.path}: the state does not fit the options: {error}") from None
    if data.grown_by:
        trainer.progress.note(
            f"data: {told(config.data)}: {data.grown_by} characters longer than before; the next "
            "pass over it begins" + ("" if config.valid or data.valid is None else _CUT_ANEW)
        )
    run.rewind(trainer.counters.measured_step)
    run.write_config(config)
    return trainer


# Without --valid the text's end is held back, and with a longer text that is another part.
_CUT_ANEW = (
    "; its validation part is cut anew, so that losses before and after do not compare (with "
    "--valid they would)"
)


def _absolute(config: TrainConfig) -> TrainConfig:
    """The same options with files named from the root, so that a run resumes from anywhere."""
    changes: dict[str, Any] = {}
    for name in ("data", "valid"):
        value = getattr(config, name)
        if value is not None:
            changes[name] = [absolute_name(one) for one in names(value)]
    if config.init is not None:
        changes["init"] = absolute_name(config.init)
    return dataclasses.replace(config, **changes)
