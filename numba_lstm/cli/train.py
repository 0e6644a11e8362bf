"""``numba-lstm train …``."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from ..training.config import ConfigError, TrainConfig, merge, read_toml
from ._errors import DIVERGED, bad_input
from ._group import CommandGroup
from ._kernels import announce_compiling, set_threads
from ._output import json_option, print_json
from ._paths import FILE, FOLDER

if TYPE_CHECKING:
    from ..training.checkpoint import Run
    from ..training.loop import Trainer
    from ..training.progress import Progress

_SAMPLE_TOKENS = {"char": 400, "word": 100, "whitespace": 100}

train = CommandGroup("train", {"lm": "train:lm"}, help="Train a model.")


_PATHS = {"data": FILE, "valid": FILE, "init": FOLDER}

_LM_HELP = """Train a language model on a text file, or on the bundled Shakespeare.

A run is a folder. Ctrl-C saves it, --resume goes on with it: with --steps or --epochs the result is
the same to the bit as without the interruption. With --minutes the learning rate follows the time,
of which that used before the interruption counts.

In a file given to --config each option is a line, such as `hidden = 256`.
"""


def config_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command a flag for each option of `TrainConfig`; those not given come as None."""
    for about in reversed(dataclasses.fields(TrainConfig)):
        kind, choices = about.metadata["kind"], about.metadata["choices"]
        flag = "--" + about.name.replace("_", "-")
        words = about.metadata["help"]
        if about.default is not None and kind is not bool:
            words = f"{words.rstrip('.')} (default {about.default})."
        if kind is bool:
            flag = f"{flag}/--no-{flag[2:]}"
        value = click.Choice(choices) if choices else _PATHS.get(about.name, kind)
        extra: dict[str, Any] = {} if kind is bool else {"type": value}
        if about.metadata["several"]:
            extra["multiple"] = True
        command = click.option(flag, about.name, default=None, help=words, **extra)(command)
    return command


@click.command(help=_LM_HELP)
@config_options
@click.option(
    "--config",
    "config_files",
    type=FILE,
    multiple=True,
    metavar="FILE.toml",
    help="Read options; flags win, and of several files the later ones.",
)
@click.option(
    "--out",
    type=FOLDER,
    metavar="RUN",
    help="The run's new folder (default: runs/lm-DATE-TIME).",
)
@click.option(
    "--resume", "resumed", type=FOLDER, metavar="RUN", help="Go on with an interrupted run."
)
@click.option("--quiet", is_flag=True, help="Print nothing but errors (and JSON).")
@json_option
@click.pass_context
def lm(
    ctx: click.Context,
    config_files: tuple[str, ...],
    out: str | None,
    resumed: str | None,
    quiet: bool,
    as_json: bool,
    **options: Any,
) -> None:
    """Train a language model."""
    flags = {name: value for name, value in options.items() if value not in (None, ())}
    with bad_input():
        trainer, run = _prepare(flags, config_files, out, resumed, quiet)
    progress = trainer.progress
    if not quiet:
        click.echo(f"run: {run.path}", err=True)
        announce_compiling(progress.note)
    status, code = _train(trainer, run, progress)
    summary = {"run": str(run.path), "status": status, **trainer.summary()}
    if not quiet and code == 0:
        _print_people(run, summary, trainer.config, to_stderr=as_json)
    if as_json:
        print_json(summary)
    ctx.exit(code)


def _prepare(
    flags: dict[str, Any],
    config_files: tuple[str, ...],
    out: str | None,
    resumed: str | None,
    quiet: bool,
) -> tuple[Trainer, Run]:
    """Read and check everything; only then is a new run's folder made."""
    excluded = {"out": out, "config": config_files, "init": flags.get("init")}
    for other, value in excluded.items():
        if resumed is not None and value not in (None, ()):
            raise ConfigError(f"resume and {other}: expected one of them, got both")
    if out == "":
        raise ConfigError("out: expected a folder's name, got ''")
    layers = [*((file, read_toml(file)) for file in config_files), ("", flags)]
    config = _merged(layers)
    set_threads(config.threads)
    # The imports that cost time come after what can be refused without them.
    from ..training import session
    from ..training.progress import Progress

    progress = Progress(quiet=quiet)
    if resumed is not None:
        return session.resume(resumed, flags, progress)
    return session.start(config, out, progress)


def _merged(layers: list[tuple[str, dict[str, Any]]]) -> TrainConfig:
    if not any(options.get("init") for _, options in layers):
        return merge(*layers)
    from ..training.initial import merge_with_init  # imports NumPy

    return merge_with_init(*layers)


def _train(trainer: Trainer, run: Run, progress: Progress) -> tuple[str, int]:
    """Train; how that ended, and the exit code."""
    from ..training.data import naming_vocabulary
    from ..training.interrupt import Interrupted
    from ..training.step import Diverged

    again = f"numba-lstm train lm --resume {run.path}"
    before = trainer.counters.step
    try:
        with naming_vocabulary(trainer.config, trainer.model.vocab_size):
            trainer.run(run)
    except Interrupted as signal:
        if not signal.between_steps and not _go_back(trainer, run):
            click.echo("interrupted: nothing was saved", err=True)
        else:
            step = trainer.counters.step
            click.echo(f"interrupted: saved at step {step}; go on: {again}", err=True)
        return "interrupted", signal.exit_code
    except Diverged as error:
        click.echo(f"error: diverged: {error}; the last good checkpoint is kept", err=True)
        return "diverged", DIVERGED
    if before and trainer.counters.step == before:
        click.echo(
            "nothing was trained: the run had come to its end before; a greater --steps, --epochs, "
            "--minutes or --patience goes on",
            err=True,
        )
    return "done", 0


def _go_back(trainer: Trainer, run: Run) -> bool:
    """Have the trainer's figures tell what is on the disk; False if that is nothing.

    A second signal may have come in the middle of a step or of saving: what it cut off is lost.
    """
    from ..training.counters import Counters

    try:
        trainer.counters = Counters(**run.load().counters)
    except (ValueError, OSError):
        return False
    return True


def _print_people(
    run: Run, summary: dict[str, Any], config: TrainConfig, *, to_stderr: bool
) -> None:
    """The figures and a sample of text."""
    import math

    unit = "character" if config.level == "char" else "token"
    speed = summary["tokens_per_second"]
    lines = [
        f"trained {summary['steps']} steps, {summary['tokens']} tokens in "
        f"{summary['seconds']:.1f} s" + (f" ({speed:,.0f} tokens a second)" if speed else ""),
        f"train loss {summary['train_loss']:.4f} nats a {unit}",
    ]
    if summary["val_loss"] is not None:
        bits = summary["val_loss"] / math.log(2)
        lines.append(
            f"validation loss {summary['val_loss']:.4f} nats a {unit} "
            f"({bits:.3f} bits), best at step {summary['best_step']}"
        )
        if summary["val_unknown_share"]:
            known = summary["val_known_loss"]
            lines.append(
                f"of its tokens {summary['val_unknown_share']:.1%} are unknown; on the others "
                + ("there is no loss" if known is None else f"the loss is {known:.4f}")
            )
        if summary["val_skipped"]:
            lines.append(f"{summary['val_skipped']} {unit}s of the validation text were left out")
    if summary["stopped_early"]:
        lines.append(
            f"stopped early: no better validation in the last {config.patience}; go on with "
            "--resume and a greater --patience"
        )
    for line in [*lines, f"saved in {run.path}", "", "a sample:", _sample(run, config.level)]:
        click.echo(line, err=to_stderr)


def _sample(run: Run, level: str) -> str:
    from ..models import generate_text
    from ..training.loading import load

    loaded = load(run.path)
    about = loaded.model, loaded.vocabulary, "", _SAMPLE_TOKENS[level]
    return "".join(generate_text(*about, temperature=0.8, seed=loaded.config.seed))
