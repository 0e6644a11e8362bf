"""Sequences of different lengths to and from a padded batch; torch.nn.utils.rnn's names."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..checks import as_lengths, flag, real_array
from ..typing import Array, ArrayLike

__all__ = ["pad_sequence", "unpad_sequence"]


def pad_sequence(
    sequences: Iterable[ArrayLike], batch_first: bool = False, padding_value: float = 0.0
) -> tuple[Array, NDArray[np.int64]]:
    """Put sequences of different lengths into one array, padded at their ends.

    Unlike torch's it gives the lengths, too, with which recurrent layers leave the padding out.

    Parameters
    ----------
    sequences : iterable of array_like, (L_i, …) each
        At least one; alike in all axes but the first, as (L_i, I) for vectors or (L_i,) for tokens.
        A sequence may be empty.
    batch_first : bool
        Whether the result is (B, T, …) instead of (T, B, …).
    padding_value : float
        What stands after a sequence's end.

    Returns
    -------
    x : numpy.ndarray, (T, B, …) or (B, T, …)
        T is the greatest length; of the dtype that holds those of all sequences.
    lengths : numpy.ndarray, (B,) int64

    Raises
    ------
    TypeError
        Naming sequences, or the first of them, ``sequences[i]``, that is no array of real numbers;
        or padding_value.
    ValueError
        Naming sequences if there is none, ``sequences[i]`` if it has another shape than the first
        one, or padding_value if the dtype does not hold it.

    See Also
    --------
    unpad_sequence

    Examples
    --------
    >>> x, lengths = pad_sequence([[[1.0], [2.0]], [[3.0]]])
    >>> x.shape, lengths
    ((2, 2, 1), array([2, 1]))
    >>> from numba_lstm import nn
    >>> y, (hn, cn) = nn.LSTM(1, 4, seed=0)(x, lengths=lengths)
    >>> [one.shape for one in unpad_sequence(y, lengths)]
    [(2, 4), (1, 4)]
    """
    batch_first = flag("batch_first", batch_first)
    arrays = _arrays(sequences)
    dtype = np.result_type(*arrays)
    lengths = np.array([array.shape[0] for array in arrays], np.int64)
    first = (lengths.size, int(lengths.max()))
    x = np.empty((*first[:: 1 if batch_first else -1], *arrays[0].shape[1:]), dtype)
    padding = _padding(padding_value, dtype)
    by_sequence = x if batch_first else x.swapaxes(0, 1)
    for row, array in zip(by_sequence, arrays):
        row[: len(array)] = array
        row[len(array) :] = padding
    return x, lengths


def unpad_sequence(y: ArrayLike, lengths: ArrayLike, batch_first: bool = False) -> list[Array]:
    """Take the sequences out of a padded batch; the inverse of `pad_sequence`.

    Parameters
    ----------
    y : array_like, (T, B, …), or (B, T, …) with batch_first
    lengths : array_like of int, (B,)
        0 to T each.
    batch_first : bool
        How y's axes stand.

    Returns
    -------
    list of numpy.ndarray, (L_i, …) each
        Copies, of y's dtype.

    Raises
    ------
    TypeError, ValueError
        Naming y or lengths.

    See Also
    --------
    pad_sequence

    Examples
    --------
    >>> unpad_sequence([[1, 2, 3], [4, 0, 0]], [3, 1], batch_first=True)
    [array([1, 2, 3]), array([4])]
    """
    batch_first = flag("batch_first", batch_first)
    padded = real_array("y", y)
    if padded.ndim < 2:
        raise ValueError(f"y: expected at least 2 dimensions, got {padded.ndim}")
    by_sequence = padded if batch_first else padded.swapaxes(0, 1)
    batch, count = by_sequence.shape[:2]
    checked = as_lengths("lengths", lengths, count, batch)
    return [row[:length].copy() for row, length in zip(by_sequence, checked)]


def _arrays(sequences: Any) -> list[np.ndarray]:
    """Check the sequences; those of one axis of time and alike in the others."""
    try:
        items = list(sequences)
    except TypeError:
        raise TypeError(
            f"sequences: expected a list of arrays, got {type(sequences).__name__}"
        ) from None
    if not items:
        raise ValueError("sequences: expected at least one, got none")
    arrays = [real_array(f"sequences[{i}]", item) for i, item in enumerate(items)]
    shaped = [_is_shaped(item, array) for item, array in zip(items, arrays)]
    like = arrays[shaped.index(True)] if any(shaped) else arrays[0]
    for i, array in enumerate(arrays):
        if not shaped[i]:
            # NumPy makes (0,) float64 of an empty list, whatever the others hold.
            arrays[i] = np.empty((0, *like.shape[1:]), like.dtype)
        elif array.ndim == 0:
            raise ValueError(f"sequences[{i}]: expected at least 1 dimension, got 0")
        elif array.shape[1:] != like.shape[1:]:
            rest = "".join(f", {n}" for n in like.shape[1:]) or ","
            raise ValueError(f"sequences[{i}]: expected shape (L{rest}), got {array.shape}")
    return arrays


def _is_shaped(item: Any, array: np.ndarray) -> bool:
    """Whether a sequence has a shape and a dtype of its own: an empty list has none."""
    return array.shape != (0,) or hasattr(item, "dtype")


def _padding(value: Any, dtype: np.dtype) -> np.ndarray:
    """Check the padding: a number that the dtype holds."""
    number = real_array("padding_value", value)
    if number.ndim:
        raise ValueError(f"padding_value: expected one number, got shape {number.shape}")
    with np.errstate(all="ignore"):
        padding = number.astype(dtype)
    # Floats round, and take NaN; integers have to be hit.
    if dtype.kind != "f" and padding != number:
        raise ValueError(f"padding_value: expected a value of {dtype}, got {value!r}")
    return padding
