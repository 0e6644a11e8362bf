"""``numba-lstm train …``, and of it ``train lm``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from ..training.lm.config import TrainConfig, merge
from ._group import CommandGroup
from ._paths import FILE, FOLDER
from ._training import Layers, stopped_early, train_command

if TYPE_CHECKING:
    from ..training.runs.checkpoint import Run
    from ..training.runs.trainer import RunTrainer

_SAMPLE_TOKENS = {"char": 400, "word": 100, "whitespace": 100}

_KINDS = {
    "lm": "train:lm",
    "classify": "train_classify:classify",
    "forecast": "train_forecast:forecast",
}

train = CommandGroup("train", _KINDS, help="Train a model.")


_LM_HELP = """Train a language model on a text file, or on the bundled Shakespeare.

A run is a folder. Ctrl-C saves it, --resume goes on with it: with --steps or --epochs the result is
the same to the bit as without the interruption. With --minutes the learning rate follows the time,
of which that used before the interruption counts.

In a file given to --config each option is a line, such as `hidden = 256`.
"""


def _finish(trainer: RunTrainer, run: Run) -> tuple[dict[str, Any], list[str]]:
    # A sample takes time, and nobody would see it.
    quiet = click.get_current_context().params["quiet"]
    return {}, [] if quiet else _lines(trainer, run)


def _merged(layers: Layers) -> TrainConfig:
    if not any(options.get("init") for _, options in layers):
        return merge(*layers)
    from ..training.lm.initial import merge_with_init  # imports NumPy

    return merge_with_init(*layers)


def _lines(trainer: RunTrainer, run: Run) -> list[str]:
    """The figures and a sample of text."""
    import math

    summary, config = trainer.summary(), trainer.config
    assert isinstance(config, TrainConfig)
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
        lines.append(stopped_early(config.patience))
    return [*lines, f"saved in {run.path}", "", "a sample:", _sample(run, config.level)]


def _sample(run: Run, level: str) -> str:
    from ..models import generate_text
    from ..training.lm.loading import load

    loaded = load(run.path)
    about = loaded.model, loaded.vocabulary, "", _SAMPLE_TOKENS[level]
    return "".join(generate_text(*about, temperature=0.8, seed=loaded.config.seed))


lm = train_command(
    TrainConfig,
    {"data": FILE, "valid": FILE, "init": FOLDER},
    _finish,
    _LM_HELP,
    merged=_merged,
)
