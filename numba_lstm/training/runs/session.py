"""Beginning a run and going on with one, of whatever kind: what the ``train`` commands do first.

Everything is read and checked before anything is written.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

from ...distributed.group import Alone, Group
from ..progress import Progress
from .checkpoint import MODEL, Checkpoint, Run
from .elsewhere import known_to_all
from .folders import refuse_existing
from .memory_limit import check_values
from .options import ConfigError, TrainingOptions
from .ranks import agree_on, refuse_small_batch
from .task import RunTask
from .trainer import RunTrainer

__all__ = ["resume", "start"]


class Maker(Protocol):
    """What the module of a kind of run has."""

    def new_task(self, config: Any, group: Group) -> tuple[RunTask, dict[str, Any]]:
        """The task of a new run, and what its model's numbers mean, for JSON."""

    def task_again(self, run: Run, config: Any, checkpoint: Checkpoint, group: Group) -> RunTask:
        """The task of a run that goes on; not restored yet."""

    def absolute(self, config: Any) -> Any:
        """The same options with files named from the root, so that a run resumes from anywhere."""


def _maker(config: TrainingOptions) -> Maker:
    # Imported only now: a kind's data and model are nobody else's cost.
    found: Any = import_module(f"..{config.kind}.session", __package__)
    return found


def start(
    config: TrainingOptions,
    path: str | os.PathLike[str] | None = None,
    progress: Progress | None = None,
    group: Group | None = None,
) -> tuple[RunTrainer, Run]:
    """Begin a run in a new folder.

    Parameters
    ----------
    config
        The options; their class says which kind of run it is.
    path
        The run's folder; where it is not given one under ``runs/`` that nothing had before.
    progress
        What shows the run to a person.
    group
        The ranks that train together. Each reads the data; rank 0 makes the folder.

    Raises
    ------
    RunError
        When the folder exists and is not empty, or the initial run is none.
    ConfigError, ValueError, OSError
        When the data or the initial run cannot be used; nothing is written then.
    DistributedError
        On all ranks, when options, data or versions differ between them, or another rank failed.
    """
    group = Alone() if group is None else group
    agree_on(group, {"kind": config.kind, **config.values()})
    refuse_small_batch(group, config.batch)
    with group.together("reading the data"):
        if path is not None and group.rank == 0:
            refuse_existing(path)  # now, and not only after the data were read
        maker = _maker(config)
        task, beside = maker.new_task(maker.absolute(config), group)
    with task.naming_sizes():
        trainer = RunTrainer(task, progress=progress)
    about, run = (trainer.config, beside, trainer.checkpoint()), None
    with group.together("making the run's folder"):
        if group.rank == 0:
            run = _create(path, *about)
    return trainer, known_to_all(group, run)


def _create(path: str | os.PathLike[str] | None, config: TrainingOptions, *about: Any) -> Run:
    if path is not None:
        return Run.create(path, config, *about)
    stem = time.strftime(f"{config.kind}-%Y%m%d-%H%M%S")
    return Run.create_new(Path("runs") / stem, config, *about)


def resume(
    path: str | os.PathLike[str],
    flags: Mapping[str, Any] | None = None,
    progress: Progress | None = None,
    kind: str | None = None,
    group: Group | None = None,
) -> tuple[RunTrainer, Run]:
    """Go on with a run where its last checkpoint is.

    The text of a language model may have grown meanwhile: what was behind the end of it before is
    then trained on, too, and a line says so. Only a run whose data are the same goes on to the same
    bits.

    Parameters
    ----------
    path
        The run's folder.
    flags
        Options to change: where the data are, how long to train, how often to report.
    progress
        What shows the run to a person.
    kind
        The kind that the run must be of.
    group
        The ranks that train together, as many as before or not. Each reads the data; rank 0 reads
        the folder for all of them.

    Raises
    ------
    RunError
        When the folder holds no run, one of another kind, a damaged one, or links instead of
        files.
    ConfigError, ValueError, OSError
        When an option cannot be changed, or the data are not the run's; nothing is written then.
    DistributedError
        On all ranks, when options, data or versions differ between them, or another rank failed.
    """
    group = Alone() if group is None else group
    agree_on(group, {"kind": kind, "run": os.fspath(path), **(flags or {})})
    own: Run | None = None
    found = None
    with contextlib.ExitStack() as held:
        with group.together("reading the run"):
            if group.rank == 0:
                own = Run(path)
                if kind is not None:
                    own.require_kind(kind)
                own.require_own_files()
                held.enter_context(own.exclusive())
                found = _read(own, flags)
        run = known_to_all(group, own)
        config, checkpoint = group.broadcast(found)  # type: ignore[misc]
        refuse_small_batch(group, config.batch)
        return _resume(run, config, checkpoint, progress, group), run


def _read(run: Run, flags: Mapping[str, Any] | None) -> tuple[TrainingOptions, Checkpoint]:
    """A run's options, with some changed, and where it stands."""
    options = run.config()
    for name, value in (flags or {}).items():
        if name not in options.may_change and value != getattr(options, name):
            raise ConfigError(
                f"{name}: expected the run's {getattr(options, name)}, got {value}: "
                "a resumed run cannot change it"
            )
    config = _maker(options).absolute(run.config(flags))
    return config, run.load()


def _resume(
    run: Run,
    config: TrainingOptions,
    checkpoint: Checkpoint,
    progress: Progress | None,
    group: Group,
) -> RunTrainer:
    with group.together("reading the data"):
        task = _maker(config).task_again(run, config, checkpoint, group)
    with task.naming_sizes():
        trainer = RunTrainer(task, progress=progress)
    with group.together("restoring the run"):
        if group.rank == 0:
            # Whoever goes on must have the best so far, for no later one need be better.
            best = run.model()
            check_values(best, 0, str(run.path / MODEL))
            with run.naming_state(MODEL):
                trainer.model.load_state_dict(best)
        with run.naming_state():
            trainer.restore(checkpoint)
        task.tell_changes(trainer.progress)
        run.rewind(trainer.counters.measured_step)
        run.write_config(config)
    return trainer
