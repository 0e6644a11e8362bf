"""Samples that are sequences, in one form: all steps beneath each other, and their lengths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from sklearn.utils.validation import check_array, validate_data

from ..nn.utils import pad_sequence
from .values import check_values, named

__all__ = ["Samples", "is_many", "read_many", "read_samples"]

# Precise values are scaled before they become float32.
_FLOATS = [np.float64, np.float32]


@dataclass(frozen=True)
class Samples:
    """N sequences of I features.

    Attributes
    ----------
    steps : numpy.ndarray, (the sum of lengths, I)
        One sequence after another.
    lengths : numpy.ndarray of int64, (N,)
        Each at least 1.
    """

    steps: np.ndarray
    lengths: np.ndarray

    def __len__(self) -> int:
        return len(self.lengths)

    @cached_property
    def starts(self) -> np.ndarray:
        """The row of `steps` at which each sequence begins, (N,)."""
        return np.cumsum(self.lengths) - self.lengths

    @property
    def equal(self) -> bool:
        """Whether all sequences are of one length."""
        return bool((self.lengths == self.lengths[0]).all())

    def sequences(self) -> np.ndarray | list[np.ndarray]:
        """The sequences: (N, T, I) where they are of one length, else a list of (T_n, I)."""
        if self.equal:
            return self.steps.reshape(len(self), -1, self.steps.shape[1])
        return np.split(self.steps, self.starts[1:])

    def take(self, index: np.ndarray) -> Samples:
        """Some of the sequences, in the order of `index`."""
        lengths = self.lengths[index]
        within = np.arange(lengths.sum()) - np.repeat(np.cumsum(lengths) - lengths, lengths)
        return Samples(self.steps[np.repeat(self.starts[index], lengths) + within], lengths)

    def batch(self, index: np.ndarray) -> tuple[np.ndarray, np.ndarray | None]:
        """Some sequences as a module takes them: x (T, B, I), and lengths where they differ."""
        part = self.take(index)
        sequences = part.sequences()
        if isinstance(sequences, np.ndarray):
            return np.ascontiguousarray(sequences.swapaxes(0, 1)), None
        return pad_sequence(sequences)

    def replace(self, steps: np.ndarray) -> Samples:
        """The same sequences with other values."""
        return Samples(steps, self.lengths)


def is_many(value: Any) -> bool:
    """Whether `value` is a list of things that are no scalars, or an object array of them."""
    if isinstance(value, np.ndarray) and value.dtype == object and value.ndim == 1:
        value = list(value)
    if not isinstance(value, (list, tuple)) or not value:
        return False
    return any(isinstance(one, (list, tuple)) or getattr(one, "shape", ()) for one in value)


def read_samples(estimator: Any, X: Any, reset: bool) -> Samples:
    """Bring an estimator's X to one form, and check or set its features' number and names.

    Parameters
    ----------
    estimator : estimator
        It keeps ``n_features_in_``, ``feature_names_in_`` and the form that X had in fit.
    X : array_like or list
        (N, T, I); a list of (T_n, I) or (T_n,); or a table (N, T), whose rows are sequences of one
        feature and whose columns are their steps. Lists of numbers of one length are a table, too.
    reset : bool
        Whether this is the first X that the estimator sees.

    Returns
    -------
    Samples

    Raises
    ------
    TypeError, ValueError
        Naming X: a sparse array, complex or text values, times, NaN or infinity, masked values, no
        samples, no steps, a sequence of another width, or another form or width than in fit.
    """
    check_values("X", X)
    many = is_many(X) and not _is_table(X, not reset and estimator._table)
    with named("X"):
        if not many and ndim(X) < 3:
            return _read_table(estimator, X, reset)
        if not many and ndim(X) > 3:
            raise ValueError(
                f"X: expected (samples, time, features) or a table, got {ndim(X)} dimensions"
            )
        return _read_sequences(estimator, X, many, reset)


def _is_table(items: Sequence[Any], expected: bool) -> bool:
    """Whether a list has the rows of a table: numbers in lists of one length, as scikit-learn has
    it. Arrays are sequences, unless a table is expected."""
    arrays = _arrays("X", items)
    if not expected and any(hasattr(item, "shape") for item in items):
        return False
    return all(one.ndim == 1 and len(one) == len(arrays[0]) for one in arrays)


def _read_sequences(estimator: Any, X: Any, many: bool, reset: bool) -> Samples:
    """A list of sequences, or an array (N, T, I)."""
    if not reset and estimator._table:
        got = "a list of sequences" if many else f"an array of shape {np.shape(X)}"
        raise ValueError(
            f"X: expected a table of {estimator.n_features_in_} columns, as in fit, got {got}"
        )
    samples = read_many("X", X, estimator) if many else _read_3d(estimator, X)
    frames = many and hasattr(X[0], "columns")
    features = X[0] if frames else samples.steps
    validate_data(estimator, features, skip_check_array=True, reset=reset)
    if reset:
        estimator._table = False
    return samples


def ndim(value: Any) -> int:
    """How many axes an array or whatever becomes one has; `numpy.ndim` refuses some."""
    return value.ndim if hasattr(value, "ndim") else np.asarray(value).ndim


def read_many(
    name: str, items: Sequence[Any], estimator: Any, missing: Sequence[bool] | None = None
) -> Samples:
    """Read a list of (T_n, I), (T_n,) or frames.

    Parameters
    ----------
    name : str
        What messages call the list.
    items : list
    estimator : estimator
        Which messages name.
    missing : list of bool, optional
        Which of them may have NaN; by default none.

    Returns
    -------
    Samples

    Raises
    ------
    TypeError, ValueError
        Naming the sequence.
    """
    arrays = _arrays(name, items)
    first = arrays[0]
    columns = [list(item.columns) if hasattr(item, "columns") else None for item in items]
    for i, array in enumerate(arrays):
        if array.ndim not in (1, 2) or array.ndim != first.ndim:
            expected = first.ndim if first.ndim in (1, 2) else 2
            raise ValueError(
                f"{name}[{i}]: expected {expected} dimensions, got shape {array.shape}"
            )
        if len(array) == 0:
            raise ValueError(f"{name}[{i}]: expected at least one time step, got none")
        if array.shape[1:] != first.shape[1:]:
            raise ValueError(
                f"{name}[{i}]: expected {first.shape[1]} features, as {name}[0] has, "
                f"got {array.shape[1]}"
            )
        if columns[i] != columns[0]:
            raise ValueError(
                f"{name}[{i}]: expected the columns {columns[0]}, as {name}[0] has, "
                f"got {columns[i]}"
            )
    lengths = np.array([len(array) for array in arrays], np.int64)
    steps = np.concatenate(arrays)
    steps = check_array(
        steps[:, None] if steps.ndim == 1 else steps,
        dtype=_FLOATS,
        input_name=name,
        estimator=estimator,
        ensure_all_finite=False,
    )
    bad = ~np.isfinite(steps)
    if missing is not None:
        bad &= ~(np.isnan(steps) & np.repeat(missing, lengths)[:, None])
    bad = bad.any(axis=1)
    if bad.any():
        at = int(bad.argmax())
        i = int(np.searchsorted(np.cumsum(lengths), at, side="right"))
        raise ValueError(
            f"{name}[{i}]: expected finite numbers, got NaN or infinity at step "
            f"{at - int(lengths[:i].sum())}; fill it or drop it first"
        )
    return Samples(steps, lengths)


def _arrays(name: str, items: Sequence[Any]) -> list[np.ndarray]:
    found = []
    for i, item in enumerate(items):
        try:
            if hasattr(item, "iloc"):  # pandas, which has other things than NaN that are missing
                found.append(item.to_numpy(dtype=np.float64, na_value=np.nan))
            else:
                found.append(np.asarray(item))
        except (TypeError, ValueError) as error:
            raise ValueError(f"{name}[{i}]: expected numbers (time, features): {error}") from None
    return found


def _read_table(estimator: Any, X: Any, reset: bool) -> Samples:
    """A table (N, T). What was fitted to sequences of one feature takes one, too, of any T."""
    if reset or estimator._table:
        table = validate_data(estimator, X, dtype=_FLOATS, reset=reset)
        if reset:
            estimator._table = True
    else:
        table = check_array(X, dtype=_FLOATS, input_name="X", estimator=estimator)
        if estimator.n_features_in_ != 1:
            raise ValueError(
                f"X: expected sequences of {estimator.n_features_in_} features, as in fit, "
                f"got a table of shape {table.shape}"
            )
    return _of_equal_length(table[..., None])


def _read_3d(estimator: Any, X: Any) -> Samples:
    array = check_array(X, dtype=_FLOATS, allow_nd=True, input_name="X", estimator=estimator)
    if 0 in array.shape:
        raise ValueError(
            f"X: expected at least one time step and one feature, got shape {array.shape}"
        )
    return _of_equal_length(array)


def _of_equal_length(array: np.ndarray) -> Samples:
    """Samples of an array (N, T, I)."""
    count, length, width = array.shape
    return Samples(array.reshape(-1, width), np.full(count, length, np.int64))
