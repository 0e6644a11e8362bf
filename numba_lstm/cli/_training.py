"""What the ``train`` commands share: their flags, beginning or resuming a run, and how it ends."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import TYPE_CHECKING, Any

import click

from ..training.runs.options import (
    ConfigError,
    TrainingOptions,
    merge_options,
    options_of,
    read_toml,
)
from ._errors import DIVERGED, bad_input
from ._kernels import announce_compiling, set_threads
from ._output import json_option, print_json, print_notes
from ._paths import FILE, FOLDER
from ._ranks import EndOfRank, RanksCommand, in_words, of_launch

if TYPE_CHECKING:
    from ..distributed.group import Group
    from ..training.runs.checkpoint import Run
    from ..training.runs.trainer import RunTrainer
    from ._rank_warnings import RankWarnings

__all__ = ["Layers", "config_options", "stopped_early", "train_command"]

Layers = list[tuple[str, dict[str, Any]]]


def config_options(
    kind: type[TrainingOptions], paths: Mapping[str, Any], only: Collection[str] | None = None
) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command a flag for each option of a kind of run; those not given come as None.

    Parameters
    ----------
    kind
        The class of the options.
    paths
        Of options that name a file or a folder, click's type.
    only
        The options that are wanted; else all.
    """

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for about in reversed(options_of(kind)):
            if only is not None and about.name not in only:
                continue
            of, choices = about.metadata["kind"], about.metadata["choices"]
            flag, also = "--" + about.name.replace("_", "-"), about.metadata["also"]
            words = about.metadata["help"]
            if about.default is not None and of is not bool:
                words = f"{words.rstrip('.')} (default {about.default})."
            if of is bool:
                flag = f"{flag}/--no-{flag[2:]}"
            value = click.Choice(choices) if choices else paths.get(about.name, of)
            extra: dict[str, Any] = {} if of is bool else {"type": value}
            if about.metadata["several"]:
                extra["multiple"] = True
            flags = [f"--{also}", flag] if also else [flag]
            command = click.option(*flags, about.name, default=None, help=words, **extra)(command)
        return command

    return give


def _run_options(kind: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Give a command the options that say where a run is, and what is printed."""
    options = (
        click.option(
            "--config",
            "config_files",
            type=FILE,
            multiple=True,
            metavar="FILE.toml",
            help="Read options; flags win, and of several files the later ones.",
        ),
        click.option(
            "--out",
            type=FOLDER,
            metavar="RUN",
            help=f"The run's new folder (default: runs/{kind}-DATE-TIME).",
        ),
        click.option(
            "--resume", "resumed", type=FOLDER, metavar="RUN", help="Go on with an interrupted run."
        ),
        click.option("--quiet", is_flag=True, help="Print nothing but errors (and JSON)."),
        json_option,
        click.pass_context,
    )

    def give(command: Callable[..., Any]) -> Callable[..., Any]:
        for option in reversed(options):
            command = option(command)
        return command

    return give


def train_command(
    kind: type[TrainingOptions],
    paths: Mapping[str, Any],
    finish: Callable[[RunTrainer, Run], tuple[dict[str, Any], list[str]]],
    words: str,
    *,
    merged: Callable[[Layers], TrainingOptions] | None = None,
    unit: str = "tok",
) -> click.Command:
    """Make the command that trains one kind of run.

    Parameters
    ----------
    kind
        The class of its options, which has the command's name.
    paths
        As in `config_options`.
    finish, unit
        As in `_train_run`.
    words
        The command's help.
    merged
        As in `_train_run`; by default later layers win.
    """

    def all_layers(layers: Layers) -> TrainingOptions:
        return merge_options(kind, *layers)

    @click.command(kind.kind, RanksCommand, help=words)
    @config_options(kind, paths)
    @_run_options(kind.kind)
    def command(
        ctx: click.Context,
        config_files: tuple[str, ...],
        out: str | None,
        resumed: str | None,
        quiet: bool,
        as_json: bool,
        **options: Any,
    ) -> None:
        with of_launch() as ctx.obj:
            rank = ctx.obj[0].rank
            _train_run(
                ctx,
                merged or all_layers,
                finish,
                config_files=config_files,
                out=out,
                resumed=resumed,
                # Rank 0 speaks for all.
                quiet=quiet or rank > 0,
                as_json=as_json and rank == 0,
                options=options,
                unit=unit,
            )

    return command


def _train_run(
    ctx: click.Context,
    merged: Callable[[Layers], TrainingOptions],
    finish: Callable[[RunTrainer, Run], tuple[dict[str, Any], list[str]]],
    *,
    config_files: tuple[str, ...],
    out: str | None,
    resumed: str | None,
    quiet: bool,
    as_json: bool,
    options: dict[str, Any],
    unit: str,
) -> None:
    """Begin a run or go on with one, train it, print what came of it, and end the command.

    Parameters
    ----------
    ctx
        The command's; its object is what `of_launch` gives.
    merged
        Makes the options of layers of them.
    finish
        Called after a training that was not cut short, while no other process can train the run;
        gives what is added to the figures, and people's lines.
    config_files, out, resumed, quiet, as_json
        Of `_run_options`.
    options
        The flags of `config_options`.
    unit
        What a token is, for the progress.
    """
    launch: tuple[Group, RankWarnings] = ctx.obj
    group, warned = launch
    flags = {name: value for name, value in options.items() if value not in (None, ())}
    with bad_input():
        excluded = {"out": out, "config": config_files, "init": flags.get("init")}
        for other, value in excluded.items():
            if resumed is not None and value not in (None, ()):
                raise ConfigError(f"resume and {other}: expected one of them, got both")
        if out == "":
            raise ConfigError("out: expected a folder's name, got ''")
        # Only when everything was read and checked a new run's folder is made.
        config = merged([*((file, read_toml(file)) for file in config_files), ("", flags)])
        if group.size > 1:
            from ..distributed.cores import share_cores

            share_cores(group)  # also where --threads wins: other ranks may have none
        set_threads(config.threads)
        # The imports that cost time come after what can be refused without them.
        from ..training.progress import Progress
        from ..training.runs import session

        progress = Progress(quiet=quiet, unit=unit)
        if resumed is not None:
            trainer, run = session.resume(resumed, flags, progress, config.kind, group)
        else:
            trainer, run = session.start(config, out, progress, group)
    ranks = in_words(group) if group.size > 1 else ""
    warned.tell()  # now, for a training may take days
    if not quiet:
        click.echo(f"run: {run.path}", err=True)
        if ranks:
            click.echo(ranks, err=True)
        print_notes(trainer.task.notes)
        announce_compiling(progress.note)
    more: dict[str, Any] = {}
    lines: list[str] = []

    def end() -> None:
        found, told = finish(trainer, run)
        more.update(found)
        lines.extend(told)

    status, code, words = _train(trainer, run, end)
    if code == DIVERGED and group.rank > 0:
        raise EndOfRank(words.removeprefix("error: "), code)  # processors may differ
    if words and group.rank == 0:
        click.echo(words, err=True)
    summary = {"run": str(run.path), "status": status, **trainer.summary(), **more}
    for line in [] if quiet else lines:
        click.echo(line, err=as_json)
    if as_json:
        print_json(_named(summary, unit))
    ctx.exit(code)


def _train(trainer: RunTrainer, run: Run, end: Callable[[], None]) -> tuple[str, int, str]:
    """Train; how that ended, the exit code, and a line about it."""
    from ..training.interrupt import Interrupted
    from ..training.step import Diverged

    again = f"numba-lstm train {trainer.config.kind} --resume {run.path}"
    if trainer.task.group.size > 1:
        again += " (behind mpiexec as before, or alone)"
    before = trainer.counters.step
    try:
        with trainer.task.naming_sizes():
            trainer.run(run, end)
    except Interrupted as signal:
        words = "interrupted: nothing was saved"
        if signal.between_steps or _go_back(trainer, run):
            words = f"interrupted: saved at step {trainer.counters.step}; go on: {again}"
        return "interrupted", signal.exit_code, words
    except Diverged as error:
        words = f"error: diverged: {error}; the last good checkpoint is kept"
        return "diverged", DIVERGED, words
    if before and trainer.counters.step == before:
        return "done", 0, f"nothing was trained: {_ended(trainer)}"
    return "done", 0, ""


def _named(summary: dict[str, Any], unit: str) -> dict[str, Any]:
    """The figures with what is counted called by its name: time steps are no tokens."""
    word = "tokens" if unit == "tok" else unit.replace(" ", "_")
    return {name.replace("tokens", word): value for name, value in summary.items()}


def _ended(trainer: RunTrainer) -> str:
    """Why a run does not go on, and with what it would."""
    used = trainer.fraction() >= 1.0
    budgets = "a greater --steps, --epochs or --minutes"
    if not trainer.stopped_early():
        return f"the run had come to its end before; {budgets} goes on"
    found = f"no better validation in the last {trainer.config.patience}"
    return f"{found}; a greater --patience goes on" + (f", together with {budgets}" if used else "")


def _go_back(trainer: RunTrainer, run: Run) -> bool:
    """Have the trainer's figures tell what is on the disk; False if that is nothing.

    A second signal may have come in the middle of a step or of saving: what it cut off is lost.
    """
    try:
        trainer.counters = type(trainer.counters)(**run.load().counters)
    except (ValueError, OSError):
        return False
    return True


def stopped_early(patience: int | None) -> str:
    """A line about a run whose patience is at its end."""
    return (
        f"stopped early: no better validation in the last {patience}; go on with "
        "--resume and a greater --patience"
    )
