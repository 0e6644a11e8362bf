"""From the options to tokens: read the text, split it, and make its vocabulary.

Memory is three bytes for each of an ASCII text's own: its bytes, its characters and its tokens are
never all held beside copies of them.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...text import (
    CharVocabulary,
    Vocabulary,
    WhitespaceVocabulary,
    WordVocabulary,
    read_sources,
    vocabulary_from_json,
)
from ...text.corpus import split_place
from ...text.sources import STANDARD_INPUT
from .config import ConfigError, TrainConfig, names, told
from .fingerprint import Fingerprint

__all__ = ["Data", "encode_text", "extended", "load_data", "naming_vocabulary"]

# Tokens that are hashed at once.
_PART = 1 << 18


@dataclass(frozen=True)
class Data:
    """The tokens of one run.

    Attributes
    ----------
    vocabulary
        Of the training text. Characters without a token for the unknown are those of the validation
        text, too, where that is a part of the same text.
    train, valid
        (N,) tokens in the vocabulary's smallest dtype; ``valid`` is None where nothing validates.
    skipped
        How many characters or words of the validation text were left out, because the vocabulary
        does not have them.
    text
        Of the text that ``data`` names.
    grown_by
        How many characters it has more than the text that a resumed run began with; 0 where it is
        that text, or another.
    """

    vocabulary: Any
    train: np.ndarray
    valid: np.ndarray | None
    skipped: int = 0
    text: Fingerprint = field(default_factory=Fingerprint)
    grown_by: int = 0

    def unknown_share(self) -> float | None:
        """The share of the validation's predicted tokens that are unknown; None without any."""
        unknown_id = self.vocabulary.unknown_id
        if self.valid is None:
            return None
        return 0.0 if unknown_id is None else float((self.valid[1:] == unknown_id).mean())

    def digest(self) -> str:
        """A fingerprint of the tokens and of what they mean, whatever dtype they have."""
        return self._digest(self.train, self.valid)

    def valid_digest(self) -> str:
        """A fingerprint of the validation's tokens and of what they mean."""
        return self._digest(self.valid)

    def _digest(self, *several: np.ndarray | None) -> str:
        made = hashlib.sha256(json.dumps(self.vocabulary.to_json()).encode())
        for tokens in several:
            for part in _parts(tokens):
                made.update(np.ascontiguousarray(part, "<i8").tobytes())
            made.update(b"|")
        return made.hexdigest()


def load_data(
    config: TrainConfig,
    run_vocabulary: Vocabulary | None = None,
    unknown: str | None = None,
    *,
    before: Fingerprint | None = None,
    initial: Vocabulary | None = None,
) -> Data:
    """Read what ``config`` names and turn it into tokens.

    Parameters
    ----------
    config
        The options.
    run_vocabulary
        The vocabulary that a run has already. Without it one is made of the text.
    unknown
        What becomes of what the vocabulary lacks in the validation text, where it is not to be
        what the options say.
    before
        Of the text that a resumed run began with.
    initial
        A vocabulary whose tokens the new one is to have, too.

    Raises
    ------
    ConfigError
        When the text is too short for the options, or has what the run's vocabulary lacks.
    OSError, ValueError
        When a file cannot be read or is no text.
    """
    _check_standard_input(config, run_vocabulary is not None)
    text = read_sources(names(config.data))
    fingerprint = Fingerprint.of(text)
    grown_by = len(text) - before.length if before is not None and before.begins(text) else 0
    # Without a token for the unknown the vocabulary must be that of both parts of the text. Tokens
    # are then cut rather than characters, so that no second text is held.
    whole = config.level == "char" and config.unknown != "token" and config.min_count == 1
    train, valid = (text, "") if whole else _split(config, text)
    del text
    vocabulary = run_vocabulary
    if vocabulary is None:
        vocabulary = CharVocabulary.build(train) if whole else _build(config, train)
        if initial is not None:
            vocabulary = extended(initial, vocabulary)
    tokens = _encode_train(config, vocabulary, train)
    del train
    if config.valid is not None:
        valid = read_sources(names(config.valid))
    valid_tokens, skipped = None, 0
    if valid:
        source = f"valid: {told(config.valid or config.data)}"
        valid_tokens, skipped = encode_text(vocabulary, valid, unknown or config.unknown, source)
    elif whole and config.valid_fraction:
        tokens, valid_tokens = np.split(tokens, [_place(config, tokens.size)])
    data = Data(vocabulary, tokens, valid_tokens, skipped, fingerprint, grown_by)
    _check_lengths(config, data)
    return data


def extended(old: Vocabulary, new: Vocabulary) -> Vocabulary:
    """Make the vocabulary that has the tokens of ``old``, and behind them those only ``new`` has.

    The token for the unknown stands first where only ``new`` has it.
    """
    known = set(old.tokens)
    added = [token for token in new.tokens if token not in known]
    unknown = [] if new.unknown_id is None else [new.tokens[new.unknown_id]]
    first = [token for token in unknown if token in added]
    rest = [token for token in added if token not in first]
    return vocabulary_from_json({**old.to_json(), "tokens": [*first, *old.tokens, *rest]})


def encode_text(
    vocabulary: Vocabulary, text: str, unknown: str | None, source: str
) -> tuple[np.ndarray, int]:
    """Encode a text that the vocabulary was not made of.

    Parameters
    ----------
    vocabulary, text
        A newline at the text's end is left out where the vocabulary has none and nothing stands for
        it: it is the editor's rather than the author's.
    unknown
        What becomes of what the vocabulary lacks, as its ``encode`` takes it.
    source
        Where the text comes from, for messages.

    Returns
    -------
    tokens
        (N,), in the vocabulary's smallest dtype.
    skipped
        How many characters or words were left out.

    Raises
    ------
    ConfigError
        When it has something that is not in the vocabulary; the message tells the options.
    """
    editors = 0
    refusing = unknown == "error" or (unknown is None and vocabulary.unknown_id is None)
    if refusing and vocabulary.line_end_id is None and text.endswith("\n"):
        text, editors = text[:-1], 1
    try:
        tokens, skipped = vocabulary.encode_counted(text, unknown, vocabulary.dtype)
    except ValueError as error:
        ways = "--unknown skip leaves out what is not in it"
        if vocabulary.unknown_id is None:
            ways += "; a run trained with --unknown token has a token for it"
        else:
            ways += ", --unknown token takes the unknown word for it"
        raise ConfigError(f"{source}: {error}: {ways}") from None
    return tokens, skipped + editors


@contextlib.contextmanager
def naming_vocabulary(config: TrainConfig, vocab_size: int) -> Iterator[None]:
    """Within it, a lack of memory is told with the vocabulary's size and what would make it less.

    The embedding, the decoder, their gradients and the optimizer's state of them, and the logits
    all grow with the vocabulary. NumPy says only how much it asked for.
    """
    try:
        yield
    except MemoryError as error:
        raise MemoryError(
            f"{str(error) or 'it ran out'}, with a vocabulary of {vocab_size:,} tokens: a "
            f"--min-count above {config.min_count} makes it smaller; so does less of --hidden, "
            "--embedding, --batch or --seq-len"
        ) from error


def _split(config: TrainConfig, text: str) -> tuple[str, str]:
    """The training text, and what of the same text validates: a part of it, or nothing."""
    cut = _place(config, len(text)) if config.valid_fraction else len(text)
    return text[:cut], text[cut:]


def _place(config: TrainConfig, length: int) -> int:
    assert config.valid_fraction is not None
    try:
        return split_place(length, config.valid_fraction)
    except ValueError as error:
        raise ConfigError(f"data: {told(config.data)}: {error}") from None


def _build(config: TrainConfig, train: str) -> Any:
    """The vocabulary of a training text, with a token for the unknown."""
    if config.level == "char":
        return CharVocabulary.build(train, unknown=True, min_count=config.min_count)
    kinds = {kind.level: kind for kind in (WordVocabulary, WhitespaceVocabulary)}
    return kinds[config.level].build(train, min_count=config.min_count)  # type: ignore[attr-defined]


def _check_standard_input(config: TrainConfig, going_on: bool) -> None:
    """Standard input can be read once; and for a run that goes on it must be piped in again, for
    nobody would know to type it."""
    reading = [
        name
        for name in ("data", "valid")
        for one in names(getattr(config, name) or ())
        if one == STANDARD_INPUT
    ]
    if len(reading) > 1:
        raise ConfigError(
            f"{' and '.join(dict.fromkeys(reading))}: expected - once, because standard input can "
            f"be read once, got it {len(reading)} times"
        )
    for name in reading:
        if going_on and sys.stdin is not None and sys.stdin.isatty():
            raise ConfigError(
                f"{name}: the run read standard input: pipe the same text in again, or name a file"
            )


def _parts(tokens: np.ndarray | None) -> Iterator[np.ndarray]:
    if tokens is not None:
        for first in range(0, tokens.size, _PART):
            yield tokens[first : first + _PART]


def _encode_train(config: TrainConfig, vocabulary: Vocabulary, train: str) -> np.ndarray:
    try:
        return vocabulary.encode(train, dtype=vocabulary.dtype)
    except ValueError as error:
        # Only a text that the vocabulary was not made of.
        raise ConfigError(
            f"data: {told(config.data)}: {error} of the run, which cannot grow: --init RUN begins "
            "a new run with its weights and the tokens of both texts"
        ) from None


def _check_lengths(config: TrainConfig, data: Data) -> None:
    needed = config.batch * config.seq_len + 1
    if data.train.size < needed:
        raise ConfigError(
            f"data: {told(config.data)}: too short: expected at least {needed} tokens to train on "
            f"for batch {config.batch} and seq_len {config.seq_len}, got {data.train.size}"
        )
    if data.valid is not None and data.valid.size < 2:
        raise ConfigError(
            "valid: too short: expected at least 2 tokens to validate on, "
            f"got {data.valid.size} of {told(config.valid or config.data)}"
        )
