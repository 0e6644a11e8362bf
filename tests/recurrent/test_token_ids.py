"""Ids in place of inputs: checked by name, whatever stands in the padding."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.recurrent.token_ids import check_ids

TABLE = nn.Embedding(7, 3, seed=0)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("filler", [-100, -1, 7, 10**6])
def test_what_stands_in_the_padding_is_taken_for_0(batch_first, filler):
    module = nn.GRU(3, 4, batch_first=batch_first)
    tokens = np.array([[1, 2], [3, filler], [filler, filler]])  # (T, B)
    found = check_ids(module, TABLE, tokens.T if batch_first else tokens, [2, 1])
    assert found.dtype == np.int64 and found.flags.c_contiguous
    assert (found.T if batch_first else found).tolist() == [[1, 2], [3, 0], [0, 0]]
    with pytest.raises(ValueError, match=r"^tokens: expected ids from 0 to 6"):
        check_ids(module, TABLE, tokens, None)


def test_an_unsigned_padding_stays_in_its_dtype():
    tokens = np.array([[1], [255]], np.uint8)
    assert check_ids(nn.GRU(3, 4), TABLE, tokens, [1]).tolist() == [[1], [0]]


def test_a_table_that_does_not_fit_is_refused_by_name():
    for table in (nn.Embedding(7, 4), nn.Embedding(7, 3, dtype="f8")):
        with pytest.raises(ValueError, match=r"^embedding: expected 3 columns of float32, got"):
            check_ids(nn.GRU(3, 4), table, [[1]], None)


@pytest.mark.parametrize("lengths", [None, [1, 1]])
def test_other_shapes_are_refused_by_name(lengths):
    with pytest.raises(ValueError, match=r"^tokens: expected 2 dimensions, got 1"):
        check_ids(nn.GRU(3, 4), TABLE, [1, 2], lengths)
