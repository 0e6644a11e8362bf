"""Series that one scaling does not serve are told."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets.sizes import sizes_apart

WAVE = np.sin(np.arange(50.0))[:, None]


@pytest.mark.parametrize(("factor", "words"), [(1000.0, "of 1,000,"), (3.5, "of 3.5,")])
def test_sizes_that_are_far_apart_are_told(factor, words):
    assert words in sizes_apart([WAVE, 5 + WAVE, factor * WAVE])


def test_alike_and_constant_series_are_not():
    assert sizes_apart([WAVE, 2.9 * WAVE, np.full((50, 1), 0.1), 7 - WAVE]) is None
    assert sizes_apart([WAVE]) is None and sizes_apart([WAVE * 0, WAVE * 0 + 1]) is None


def test_each_column_counts_by_itself():
    assert sizes_apart([np.hstack([WAVE, 9 * WAVE])] * 2) is None
    both = [np.hstack([WAVE, 9 * WAVE]), np.hstack([WAVE, WAVE])]
    assert "of 9," in sizes_apart(both)
