"""From the options to tokens: read the text, split it, and make its vocabulary."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..text import (
    CharVocabulary,
    WordVocabulary,
    load_text,
    shakespeare,
    split,
    vocabulary_from_json,
)
from .config import ConfigError, TrainConfig

__all__ = ["BUNDLED", "Data", "load_data", "read_text"]

#: What ``--data`` calls the text that comes with the package.
BUNDLED = "shakespeare"


@dataclass(frozen=True)
class Data:
    """The tokens of one run.

    Attributes
    ----------
    vocabulary
        Of the training text at level word; of training and validation text at level char, where
        there is no token for the unknown.
    train, valid
        (N,) int64 tokens; ``valid`` is None where nothing validates.
    """

    vocabulary: Any
    train: np.ndarray
    valid: np.ndarray | None

    def unknown_share(self) -> float | None:
        """The share of the validation's predicted tokens that are unknown; None without any."""
        unknown_id = self.vocabulary.unknown_id
        if self.valid is None:
            return None
        return 0.0 if unknown_id is None else float((self.valid[1:] == unknown_id).mean())

    def digest(self) -> str:
        """A fingerprint of the tokens and of what they mean."""
        made = hashlib.sha256(json.dumps(self.vocabulary.to_json()).encode())
        for tokens in (self.train, self.valid):
            made.update(b"" if tokens is None else np.ascontiguousarray(tokens, "<i8").tobytes())
            made.update(b"|")
        return made.hexdigest()


def read_text(name: str) -> str:
    """Read a text file, or the bundled text by its name.

    Raises
    ------
    OSError, ValueError
        As `numba_lstm.text.load_text`.
    """
    return shakespeare() if name == BUNDLED else load_text(name)


def load_data(config: TrainConfig, run_vocabulary: Any = None) -> Data:
    """Read what ``config`` names and turn it into tokens.

    Parameters
    ----------
    config
        The options.
    run_vocabulary
        JSON of the vocabulary that a resumed run has and that the text must give again.

    Raises
    ------
    ConfigError
        When the text is too short for the options, or its vocabulary is not the run's.
    OSError, ValueError
        When a file cannot be read or is no text.
    """
    train, valid = _texts(config)
    vocabulary: Any
    if config.level == "char":
        vocabulary = CharVocabulary.build(train + valid if config.valid is None else train)
    else:
        vocabulary = WordVocabulary.build(train, min_count=config.min_count)
    if run_vocabulary is not None:
        _check_same(config, vocabulary, vocabulary_from_json(run_vocabulary))
    try:
        data = Data(vocabulary, vocabulary.encode(train), _encode_valid(vocabulary, valid))
    except ValueError as error:
        raise ConfigError(f"valid: {config.valid}: {error}") from None
    _check_lengths(config, data)
    return data


def _texts(config: TrainConfig) -> tuple[str, str]:
    """The training text, and the validation text or an empty one."""
    text = read_text(config.data)
    if config.valid is not None:
        return text, read_text(config.valid)
    if not config.valid_fraction:
        return text, ""
    try:
        return split(text, config.valid_fraction)
    except ValueError as error:
        raise ConfigError(f"data: {config.data}: {error}") from None


def _encode_valid(vocabulary: Any, valid: str) -> np.ndarray | None:
    return vocabulary.encode(valid) if valid else None


def _check_same(config: TrainConfig, vocabulary: Any, expected: Any) -> None:
    if vocabulary == expected:
        return
    extra = [token for token in vocabulary.tokens if token not in expected]
    lacking = [token for token in expected.tokens if token not in vocabulary]
    what = f"{extra[0]!a} is new" if extra else f"{lacking[0]!a} is missing" if lacking else "order"
    raise ConfigError(
        f"data: {config.data}: expected the run's vocabulary of {len(expected)} tokens, "
        f"got one of {len(vocabulary)} ({what})"
    )


def _check_lengths(config: TrainConfig, data: Data) -> None:
    needed = config.batch * config.seq_len + 1
    if data.train.size < needed:
        raise ConfigError(
            f"data: {config.data}: too short: expected at least {needed} tokens to train on for "
            f"batch {config.batch} and seq_len {config.seq_len}, got {data.train.size}"
        )
    if data.valid is not None and data.valid.size < 2:
        raise ConfigError(
            "valid: too short: expected at least 2 tokens to validate on, "
            f"got {data.valid.size} of {config.valid or config.data}"
        )
