"""A name that stands twice is told."""

from __future__ import annotations

import pytest

from numba_lstm.datasets.distinct import check_distinct


def test_the_first_that_stands_twice_is_named():
    check_distinct("names", ["a", "b"])
    check_distinct("names", [])
    with pytest.raises(ValueError, match=r"^names: .* different ones, got 'b' twice$"):
        check_distinct("names", ("a", "b", "c", "c", "b"))
