"""Sequences in NumPy's .npz files, without pickle."""

from __future__ import annotations

import zipfile
from pathlib import Path
from typing import BinaryIO

import numpy as np

from .. import system
from .._damaged import DAMAGED
from .._reading import open_ordinary, too_large
from .sequences import Sequences

__all__ = ["read_npz"]

_X, _Y = ("x", "X"), ("y", "Y")
# What is unpacked, numbers of double precision of it, and the sequences.
_COPIES = 4


def read_npz(file: Path) -> Sequences:
    """Read a .npz file; see `read_sequences`."""
    arrays = _arrays(file)
    x = _find(arrays, _X, file)
    y = next((arrays[name] for name in _Y if name in arrays), None)
    if x.dtype.kind not in "fiub":
        raise ValueError(f"{file}: x: expected numbers, got {x.dtype}")
    notes = []
    lengths = arrays.get("lengths")
    if lengths is not None:
        sequences, note = _by_lengths(x, lengths, file)
        notes.append(note)
    elif x.ndim in (2, 3):
        sequences = list(x if x.ndim == 3 else x[:, :, None])
    else:
        raise ValueError(
            f"{file}: x: expected shape (N, T) or (N, T, I), or lengths beside it, got {x.shape}"
        )
    if y is not None:
        if y.dtype.kind not in "fiubU":
            raise ValueError(f"{file}: y: expected classes or numbers, got {y.dtype}")
        notes.append("y are targets" if y.dtype.kind == "f" else "y are classes")
    try:
        return Sequences(
            sequences,
            y,
            names=_texts(arrays, "names"),
            classes=_texts(arrays, "classes"),
            ids=_texts(arrays, "ids"),
            source=str(file),
            notes=notes,
        )
    except ValueError as error:
        raise ValueError(f"{file}: {error}".replace(f"{file}: {file}:", f"{file}:")) from None


def _arrays(file: Path) -> dict[str, np.ndarray]:
    with open_ordinary(file) as stream:
        try:
            _check_size(stream, file)
            stored = np.load(stream, allow_pickle=False)
            if isinstance(stored, np.ndarray):
                raise ValueError("it is a single array, a .npy file")
            with stored:
                return {name: np.asarray(stored[name]) for name in stored.files}
        except DAMAGED as error:
            words: object = error
            if "pickle" in str(error):
                words = "objects in it need pickle, which can run code"
            raise ValueError(f"{file}: expected a .npz file of plain arrays: {words}") from None


def _check_size(stream: BinaryIO, file: Path) -> None:
    """Refuse an archive that would unpack to more than the memory; zeros shrink to a thousandth."""
    if not zipfile.is_zipfile(stream):
        stream.seek(0)
        return
    with zipfile.ZipFile(stream) as archive:
        claimed = sum(one.file_size for one in archive.infolist())
    stream.seek(0)
    most = system.memory() // _COPIES
    if claimed > most:
        raise ValueError(too_large("its arrays", most, claimed))


def _find(arrays: dict[str, np.ndarray], names: tuple[str, ...], file: Path) -> np.ndarray:
    for name in names:
        if name in arrays:
            return arrays[name]
    raise ValueError(
        f"{file}: expected an array {names[0]!r}, got {', '.join(arrays) or 'nothing'}"
    )


def _texts(arrays: dict[str, np.ndarray], name: str) -> list[str]:
    return [str(one) for one in arrays[name].tolist()] if name in arrays else []


def _by_lengths(x: np.ndarray, lengths: np.ndarray, file: Path) -> tuple[list[np.ndarray], str]:
    """Padded sequences (N, T[, I]), or all steps one after the other (sum of lengths, I)."""
    if lengths.dtype.kind not in "iu" or lengths.ndim != 1 or (lengths < 1).any():
        raise ValueError(f"{file}: lengths: expected (N,) whole numbers of at least 1")
    counts = lengths.astype(np.int64)
    longest, total = counts.max(initial=0), counts.sum()
    padded = x.ndim in (2, 3) and len(x) == len(counts) and longest <= x.shape[1]
    joined = x.ndim in (1, 2) and total == len(x)
    if padded and joined and x.shape[1] > 1:
        raise ValueError(
            f"{file}: lengths: all are 1, so x of shape {x.shape} may be padded or have "
            f"{x.shape[1]} columns; give x as (N, T, I)"
        )
    if joined:
        steps = x if x.ndim == 2 else x[:, None]
        return np.split(steps, np.cumsum(counts)[:-1]), "sequences stand one after the other"
    if padded:
        steps = x if x.ndim == 3 else x[:, :, None]
        return [one[:n] for one, n in zip(steps, counts)], "sequences are padded; lengths cut them"
    raise ValueError(
        f"{file}: lengths: expected those of {len(x)} padded sequences, or a sum of {len(x)} "
        f"steps, got {len(counts)} lengths of at most {longest}, {total} in "
        f"all, for x of shape {x.shape}"
    )
