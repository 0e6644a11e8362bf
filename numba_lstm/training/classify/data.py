"""From the options of ``train classify`` to sequences: read, split by class, and scale them.

The validation and test parts are taken from each class in its share. Scaling is fitted on what is
left to train on, so that nothing of the other parts gets into the model.
"""

from __future__ import annotations

import dataclasses
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from ...text.sources import path_of
from ..runs.options import ConfigError
from ..runs.table_options import listed
from .config import READING, ClassifyConfig
from .meaning import Meaning

if TYPE_CHECKING:
    from ...datasets import Sequences

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
    notes : tuple of str
        What was inferred when they were read.
    """

    x: list[np.ndarray]
    labels: np.ndarray | None
    ids: tuple[str, ...]
    notes: tuple[str, ...] = ()

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
    notes : tuple of str
        What was inferred when the files were read.
    """

    meaning: Meaning
    train: Part
    valid: Part | None
    test: Part | None
    notes: tuple[str, ...] = ()

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
    _refuse_unused(config)
    train, test = (
        _bundled() if config.data == BUNDLED else (_read("data", config.data, config), None)
    )
    notes = _notes(train)
    if _is_table(config.data):
        notes += (f"{train.source}: the features are {listed(train.names)}",)
    valid, rng = None, np.random.default_rng(config.seed)
    if config.test_fraction:
        train, test = _split(train, config.test_fraction, rng, "test_fraction")
    if config.valid_fraction:
        train, valid = _split(train, config.valid_fraction, rng, "valid_fraction")
    if config.test is not None:
        test = _read("test", config.test, config)
        notes += _notes(test)
    if meaning is None:
        if len(train.classes) < 2:
            raise ConfigError(
                f"data: {config.data}: expected at least two classes, got only "
                f"{', '.join(train.classes)}"
            )
        try:
            meaning = Meaning.of(train.names, train.classes, train.x, config.scale == "standard")
        except ValueError as error:
            words = str(error).removeprefix("values: ")
            raise ConfigError(
                f"data: {config.data}: {words} (the columns are {', '.join(train.names)})"
            ) from None
    file = config.test or config.data
    return SequenceData(
        meaning,
        _part(train, meaning, config, f"data: {config.data}"),
        None if valid is None else _part(valid, meaning, config, f"data: {config.data}"),
        None if test is None else _part(test, meaning, config, f"test: {file}"),
        notes,
    )


def read_part(
    file: str,
    config: ClassifyConfig,
    meaning: Meaning,
    name: str,
    labelled: bool = True,
    given: Mapping[str, Any] | None = None,
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
    given
        Options of how a table is read that are told for this file only.

    Raises
    ------
    ConfigError
        When a column or a value is missing, or there is a label that the model does not know.
    OSError, ValueError
        When the file cannot be read.
    """
    if given:
        config = dataclasses.replace(config, **given)
        if not _is_table(file):
            raise ConfigError(f"{min(given)}: expected for a table only, got {file}")
    found = _read(name, file, config, meaning.columns, labelled)
    return _part(found, meaning, config, f"{name}: {file}", labelled)


def _bundled() -> tuple[Sequences, Sequences]:
    from ...datasets import load_japanese_vowels

    try:
        train, test = load_japanese_vowels()
    except ImportError as error:
        raise ConfigError(f"data: {error}") from None
    # There is nothing about them that a user could change.
    return dataclasses.replace(train, notes=()), dataclasses.replace(test, notes=())


def _read(
    name: str,
    file: str,
    config: ClassifyConfig,
    columns: tuple[str, ...] | None = None,
    labelled: bool = True,
) -> Sequences:
    from ...datasets import read_sequences, read_table

    table, path = _is_table(file), path_of(file)
    if table:
        rows = read_table(path, **config.of_csv())
        if labelled and config.id is not None and config.label is None:
            raise ConfigError(
                f"label: expected the column of the classes (--label COLUMN), got nothing; {file} "
                f"has {', '.join(rows.names)}"
            )
        found = read_sequences(
            rows,
            id=config.id,
            time=config.time,
            label=config.label if labelled else None,
            columns=columns,
            dayfirst=config.dayfirst,
        )
    else:
        found = read_sequences(path)
    if labelled and not found.classes:
        raise ConfigError(
            f"{name}: {file}: expected a class of each sequence, got none (y of text or of whole "
            "numbers)"
        )
    return found


def _is_table(file: str) -> bool:
    return file != BUNDLED and not file.lower().endswith((".npz", ".ts"))


def _refuse_unused(config: ClassifyConfig) -> None:
    """Refuse what tells how a table is read where no file is one."""
    files = [file for file in (config.data, config.test) if file is not None]
    given = [name for name in READING if getattr(config, name) is not None]
    if given and not any(map(_is_table, files)):
        raise ConfigError(f"{given[0]}: expected for a table only, got {', '.join(files)}")


def _notes(found: Sequences) -> tuple[str, ...]:
    return tuple(f"{found.source}: {note}" for note in found.notes)


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
    scaled = meaning.scaled(x, config.dtype)
    for k, one in enumerate(scaled):
        if not np.isfinite(one).all():
            step, column = np.argwhere(~np.isfinite(one))[0]
            raise ConfigError(
                f"{source}: expected numbers that fit in {config.dtype}, got "
                f"{x[k][step, column]:g} in {meaning.columns[column]} at step {step + 1} of "
                f"sequence {found.ids[k]}"
            )
    return Part(scaled, labels, found.ids, _notes(found))
