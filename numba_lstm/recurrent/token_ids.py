"""The ids that a recurrent module takes in place of their rows of an embedding."""

from __future__ import annotations

from typing import Any

import numpy as np

from ..checks import as_lengths, as_tokens, real_array

__all__ = ["NO_TOKENS", "check_ids"]

NO_TOKENS = np.zeros(0, np.int64)


def check_ids(module: Any, embedding: Any, tokens: Any, lengths: Any) -> np.ndarray:
    """Check ids for `module` (an `nn.rnn_base.RNNBase`), and the embedding that they are ids of.

    What stands in the padding may be anything, and is 0 in what is returned.

    Raises
    ------
    TypeError, ValueError
        Naming embedding, tokens or lengths.
    """
    rows, width = (table := embedding.checked_weight()).shape
    if width != module.input_size or table.dtype != module.dtype:
        raise ValueError(
            f"embedding: expected {module.input_size} columns of {module.dtype}, got {width} "
            f"of {table.dtype}"
        )
    if lengths is not None:
        tokens = _without_padding(module, tokens, lengths)
    return as_tokens("tokens", tokens, rows, ndim=2)


def _without_padding(module: Any, tokens: Any, lengths: Any) -> np.ndarray:
    """The ids with 0 where they stand for nothing: -1 and -100 are usual there."""
    array = real_array("tokens", tokens)
    if array.ndim != 2:
        return array
    count, batch = array.shape[:: -1 if module.batch_first else 1]
    checked = as_lengths("lengths", lengths, count, batch)
    real = np.arange(count)[:, None] < checked
    return np.where(real.T if module.batch_first else real, array, array.dtype.type(0))
