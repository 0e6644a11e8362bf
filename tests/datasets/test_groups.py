"""Rows are grouped by id in the order of the table, and sorted by time within each group."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets.groups import grouped

IDS = np.array(["b", "a", "b", "c", "a", "b"])


def test_groups_come_in_the_order_of_their_first_rows():
    groups = grouped(IDS, None)
    assert groups.ids == ("b", "a", "c") and groups.member.tolist() == [0, 1, 0, 2, 1, 0]
    assert [rows.tolist() for rows in groups.rows] == [[0, 2, 5], [1, 4], [3]]
    assert not groups.moved and groups.repeated is None


def test_times_sort_each_group():
    groups = grouped(IDS, np.array([5, 1, 3, 0, 2, 4]))
    assert [rows.tolist() for rows in groups.rows] == [[2, 5, 0], [1, 4], [3]] and groups.moved
    assert not grouped(IDS, np.arange(6)).moved


@pytest.mark.parametrize("kind", ["int64", "float64", "datetime64[us]"])
def test_a_time_that_a_group_has_twice_is_found(kind):
    times = np.array([5, 1, 3, 5, 1, 4]).astype(kind)
    assert grouped(IDS, times).repeated == (1, 4)
    assert grouped(np.array(list("abcdef")), times).repeated is None
