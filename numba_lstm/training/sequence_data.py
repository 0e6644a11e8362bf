"""From the options of ``train classify`` to sequences: read, split by class, and scale them.

The validation and test parts are taken from each class in its share. Scaling is fitted on what is
left to train on, so that nothing of the other parts gets into the model.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .classify_config import ClassifyConfig
from .options import ConfigError
from .sequence_meaning import Meaning

if TYPE_CHECKING:
    from ..datasets import Sequences

__all__ = ["BUNDLED", "Part", "SequenceData", "load_sequences", "read_part"]

#: What ``data`` may name instead of a file; the test part comes with it.
BUNDLED = "japanese-vowels"


@dataclass(frozen=True)
class Part:
    """Some sequences as a model takes them.

    Attributes
    ----------
    x : list of numpy.ndarray, (T_i, I)
        Scaled.
    labels : numpy.ndarray of int, (N,), or None
        The numbers of their classes, where those are known.
    ids : tuple of str
    """

    x: list[np.ndarray]
    labels: np.ndarray | None
    ids: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.x)

    def digest(self) -> str:
        """A fingerprint of the sequences and their labels."""
        made = hashlib.sha256()
        for one in self.x:
            made.update(repr(one.shape).encode() + np.ascontiguousarray(one).tobytes())
        made.update(b"" if self.labels is None else self.labels.tobytes())
        return made.hexdigest()


@dataclass(frozen=True)
class SequenceData:
    """The sequences of one run.

    Attributes
    ----------
    meaning : Meaning
    train, valid, test : Part
        The last two may be None.
    """

    meaning: Meaning
    train: Part
    valid: Part | None
    test: Part | None

    def digest(self) -> str:
        """A fingerprint of what trains and validates."""
        return self.train.digest() + self.valid_digest()

    def valid_digest(self) -> str:
        """A fingerprint of what validates."""
        return "" if self.valid is None else self.valid.digest()


def load_sequences(config: ClassifyConfig, meaning: Meaning | None = None) -> SequenceData:
    """Read what the options name, split it, and scale it.

    Parameters
    ----------
    config
        The options.
    meaning
        What a run that goes on has; else it is taken of the training part.

    Raises
    ------
    ConfigError
        When no file is named, it holds no two classes, or too few sequences.
    OSError, ValueError
        When a file cannot be read.
    """
    if config.data is None:
        raise ConfigError("data: expected a file of sequences (--data FILE), got nothing")
    train, test = (
        _bundled() if config.data == BUNDLED else (_read("data", config.data, config), None)
    )
    valid, rng = None, np.random.default_rng(config.seed)
    if config.test_fraction:
        train, test = _split(train, config.test_fraction, rng, "test_fraction")
    if config.valid_fraction:
        train, valid = _split(train, config.valid_fraction, rng, "valid_fraction")
    if config.test is not None:
        test = _read("test", config.test, config)
    if meaning is None:
        if len(train.classes) < 2:
            raise ConfigError(
                f"data: {config.data}: expected at least two classes, got only "
                f"{', '.join(train.classes)}"
            )
        meaning = Meaning.of(train.names, train.classes, train.x, config.scale == "standard")
    file = config.test or config.data
    return SequenceData(
        meaning,
        _part(train, meaning, config, f"data: {config.data}"),
        None if valid is None else _part(valid, meaning, config, f"data: {config.data}"),
        None if test is None else _part(test, meaning, config, f"test: {file}"),
    )


def read_part(
    file: str, config: ClassifyConfig, meaning: Meaning, name: str, labelled: bool = True
) -> Part:
    """Read a file for a model whose numbers mean `meaning`.

    Parameters
    ----------
    file, config
        The file, and the options that say what its columns are.
    meaning
        Of the model.
    name
        The option that names the file, for messages.
    labelled
        Whether the labels are wanted; else there need be none.

    Raises
    ------
    ConfigError
        When a column or a value is missing, or there is a label that the model does not know.
    OSError, ValueError
        When the file cannot be read.
    """
    found = _read(name, file, config, meaning.columns, labelled)
    return _part(found, meaning, config, f"{name}: {file}", labelled)


def _bundled() -> tuple[Sequences, Sequences]:
    from ..datasets import load_japanese_vowels

    try:
        return load_japanese_vowels()
    except ImportError as error:
        raise ConfigError(f"data: {error}") from None


def _read(
    name: str,
    file: str,
    config: ClassifyConfig,
    columns: tuple[str, ...] | None = None,
    labelled: bool = True,
) -> Sequences:
    from ..datasets import read_sequences

    table = not file.lower().endswith((".npz", ".ts"))
    about = {"id": config.id, "time": config.time, "label": config.label if labelled else None}
    if table and columns is not None:
        about["columns"] = list(columns)  # type: ignore[assignment]
    found = read_sequences(file, **about)  # type: ignore[arg-type]
    if labelled and not found.classes:
        ways = "--label names their column" if table else "y of text or of whole numbers"
        raise ConfigError(f"{name}: {file}: expected a class of each sequence, got none ({ways})")
    return found


def _split(
    whole: Sequences, fraction: float, rng: np.random.Generator, option: str
) -> tuple[Sequences, Sequences]:
    try:
        return whole.split(fraction, rng)
    except ValueError as error:
        raise ConfigError(
            f"{option}: {str(error).removeprefix('fraction: ')} ({whole.source}); 0 holds nothing "
            "back"
        ) from None


def _part(
    found: Sequences, meaning: Meaning, config: ClassifyConfig, source: str, labelled: bool = True
) -> Part:
    """Columns in the model's order, scaled, and labels as numbers."""
    order = meaning.places(found.names, source)
    x = [one[:, order] for one in found.x]
    for k, one in enumerate(x):
        if np.isnan(one).any():
            step, column = np.argwhere(np.isnan(one))[0]
            raise ConfigError(
                f"{source}: expected a number in each column, got none in "
                f"{meaning.columns[column]} at step {step + 1} of sequence {found.ids[k]}"
            )
    labels = None
    if labelled:
        assert found.y is not None
        labels = meaning.numbers(found.y.tolist(), source)
    return Part(meaning.scaled(x, config.dtype), labels, found.ids)
