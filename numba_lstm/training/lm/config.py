"""Every option of ``train lm`` in one place: its default, its bounds, its words."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from ..runs.options import (
    BUDGETS,
    ConfigError,
    TrainingOptions,
    merge_options,
    names,
    option,
    read_toml,
    told,
    write_toml,
)

__all__ = [
    "POLICIES",
    "ConfigError",
    "TrainConfig",
    "merge",
    "names",
    "read_toml",
    "told",
    "write_toml",
]

DEFAULT_MINUTES = 3.25
#: Those of `numba_lstm.text.tokens`, which imports NumPy: a help must not wait for that.
POLICIES = ("error", "skip", "token")


@dataclass(frozen=True, kw_only=True)
class TrainConfig(TrainingOptions):
    """The options of one run of ``train lm``, checked.

    Raises
    ------
    ConfigError
        When a value has the wrong type or is out of bounds, or when two options exclude each
        other. The message names the option, what was expected and what came.
    """

    kind = "lm"
    beside = "vocab.json"
    may_change = TrainingOptions.may_change | {"valid"}
    groups = (BUDGETS, ("valid", "valid_fraction"))
    otherwise: ClassVar[Mapping[str, Any]] = {"minutes": DEFAULT_MINUTES, "valid_fraction": 0.1}

    data: str | tuple[str, ...] = option(
        "shakespeare",
        str,
        "A UTF-8 text file, a folder of *.txt, - for standard input, or the bundled 'shakespeare'; "
        "may be given several times.",
        several="names of texts",
    )
    level: str = option(
        "char",
        str,
        "What a token is: a character; a word or sign; or, for a text that was cut into tokens "
        "before, as the Penn Treebank or WikiText, what stands between blanks.",
        choices=("char", "word", "whitespace"),
    )
    min_count: int = option(
        1, int, "What is seen less often than this becomes the unknown token.", low=1
    )
    unknown: str | None = option(
        None,
        str,
        "What becomes of that which the vocabulary lacks, in a validation text: an error, left "
        "out, or the unknown token, which this gives to characters, too (default: token where the "
        "vocabulary has one).",
        choices=POLICIES,
    )
    init: str | None = option(
        None,
        str,
        "Begin with the weights of this run: sizes are its, and so is the vocabulary, to which "
        "tokens that only the new text has are added.",
    )
    cell: str = option("lstm", str, "The layers' kind.", choices=("lstm", "gru", "rnn"))
    embedding: int = option(128, int, "Width of the embedding.", low=1)
    hidden: int = option(384, int, "Hidden units of each recurrent layer.", low=1)
    layers: int = option(1, int, "Recurrent layers.", low=1, high=1000)
    dropout: float = option(
        0.2, float, "Probability to drop a unit while training.", low=0.0, high=1.0
    )
    # Without it the first layer's input product is done by kind of token, a fifth of a step less.
    embedding_dropout: float = option(
        0.0, float, "Probability to drop a part of the embedding.", low=0.0, high=1.0
    )
    tie_weights: bool = option(
        False, bool, "Use the embedding as the output's weight (needs embedding = hidden)."
    )
    batch: int = option(16, int, "Streams of text trained side by side.", low=1)
    seq_len: int = option(64, int, "Steps that gradients travel back.", low=1)
    epochs: int | None = option(None, int, "Train for this many passes over the text.", low=1)
    minutes: float | None = option(
        None, float, f"Train for this long (default {DEFAULT_MINUTES:g}).", above=0.0
    )
    valid: str | tuple[str, ...] | None = option(
        None, str, "A text to validate on, named as --data is.", several="names of texts"
    )
    valid_fraction: float | None = option(
        None, float, "Part of the text's end to validate on (default 0.1).", low=0.0, high=0.9
    )
    valid_every: int = option(1000, int, "Validate each so many steps, and at the end.", low=1)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.tie_weights and self.embedding != self.hidden:
            raise ConfigError(
                "tie_weights: expected embedding and hidden of one size, "
                f"got embedding {self.embedding} and hidden {self.hidden}"
            )


def merge(*layers: tuple[str, Mapping[str, Any]]) -> TrainConfig:
    """Merge layers of options of ``train lm``, as `merge_options` does."""
    return merge_options(TrainConfig, *layers)
