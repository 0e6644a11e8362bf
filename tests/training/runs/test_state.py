"""Arrays are taken out of a tree and put back where they were."""

from __future__ import annotations

import json

import numpy as np
import pytest

from numba_lstm.training.runs.state import put_arrays, take_arrays


def test_a_tree_comes_back_by_way_of_json():
    tree = {"a": {"b": np.arange(3), 0: [np.float32(2.5), None]}, "a.b": np.ones(2), "c": "text"}
    arrays = {}
    plain = json.loads(json.dumps(take_arrays(tree, "x", arrays)))
    assert sorted(arrays) == ["x.a.b", "x.a.b'"]
    back = put_arrays(plain, arrays)
    assert list(back) == ["a", "a.b", "c"] and list(back["a"]) == ["b", 0]
    assert back["a"][0] == [2.5, None]
    np.testing.assert_array_equal(back["a"]["b"], [0, 1, 2])
    np.testing.assert_array_equal(back["a.b"], [1, 1])


@pytest.mark.parametrize(
    "tree", [{}, {"array": "absent"}, {"array": []}, {"dict": 3}, {"dict": [3]}, {"dict": [[1]]},
             {"dict": [[[], 1]]}],
)  # fmt: skip
def test_what_is_no_such_tree_is_an_error(tree):
    with pytest.raises((LookupError, TypeError, ValueError)):
        put_arrays(tree, {})
