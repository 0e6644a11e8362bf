"""Sizes: what counts as the same, and a line that tells them apart."""

from __future__ import annotations

import pytest
from plans_tool import SIZES

from numba_lstm.plans.plan import near, near_mean


def test_lengths_up_to_eight_are_told_apart_and_longer_ones_by_powers_of_two():
    assert [near(count) for count in range(1, 9)] == list(range(1, 9))
    assert {near(count) for count in range(9, 17)} == {16}
    assert [near(count) for count in (17, 32, 33, 1000)] == [32, 32, 64, 1024]


def test_rows_are_told_apart_but_for_the_mean_of_different_lengths():
    assert [near_mean(rows, False) for rows in (0, 7, 33, 1001)] == [0, 7, 33, 1001]
    assert [near_mean(rows, True) for rows in (0, 8, 9, 10, 33, 40, 41)] == [
        0,
        8,
        10,
        10,
        40,
        40,
        48,
    ]
    for rows in range(1, 2000):
        assert rows <= near_mean(rows, True) <= 1.25 * rows


@pytest.mark.parametrize("field", [f for f in SIZES._fields if f not in ("panels", "free_source")])
def test_each_size_is_in_the_line_that_names_them(field):
    """But for those that follow from the others."""
    value = getattr(SIZES, field)
    other = not value if isinstance(value, bool) else value * 2
    assert SIZES._replace(**{field: other}).key() != SIZES.key()
    assert "\n" not in SIZES.key()
