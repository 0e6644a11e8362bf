"""Weights that leave out the padding of a batch."""

from __future__ import annotations

import numpy as np

from ..checks import as_lengths, size
from ..typing import Array, ArrayLike

__all__ = ["masked"]


def masked(lengths: ArrayLike, steps: int, *, batch_first: bool = False) -> Array:
    """Make a ``sample_weight`` for a padded batch: 1 at each step of a sequence, 0 after its end.

    Parameters
    ----------
    lengths : array_like of int, (B,)
        How long each sequence is, 0 to `steps`.
    steps : int
        T, the steps of the batch.
    batch_first : bool
        Whether it is to be (B, T).

    Returns
    -------
    numpy.ndarray of float32, (T, B), or (B, T) with batch_first

    Raises
    ------
    TypeError, ValueError
        Naming lengths or steps.

    Examples
    --------
    >>> masked([3, 1], 3).tolist()
    [[1.0, 1.0], [1.0, 0.0], [1.0, 0.0]]
    >>> from numba_lstm import losses
    >>> outputs = np.array([[[1.0], [2.0]], [[3.0], [np.nan]]])  # (T, B, 1)
    >>> losses.mse(outputs, np.zeros((2, 2, 1)), sample_weight=masked([2, 1], 2))[0]  # 14 / 3
    4.666666666666666
    """
    steps = size("steps", steps, 0)
    found = as_lengths("lengths", lengths, steps)
    valid = np.arange(steps)[:, None] < found
    return (valid.T if batch_first else valid).astype(np.float32, order="C")
