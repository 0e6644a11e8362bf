"""What a model's numbers mean comes back from its file, and scaling is of the training part."""

from __future__ import annotations

import json

import numpy as np
import pytest

from numba_lstm.training.classify.meaning import Meaning
from numba_lstm.training.runs.folders import RunError
from numba_lstm.training.runs.options import ConfigError

X = [np.array([[1.0, 7.0], [3.0, 7.0]]), np.array([[8.0, 7.0]])]


def test_scaling_is_by_all_steps_and_a_constant_column_stays():
    meaning = Meaning.of(("a", "b"), ("no", "yes"), X, True)
    assert meaning.mean == (4.0, 7.0)
    assert meaning.scale == (np.std([1.0, 3.0, 8.0]), 1.0)
    steps = np.concatenate(meaning.scaled(X, "float64"))
    np.testing.assert_allclose(steps.mean(axis=0), 0.0, atol=1e-15)
    np.testing.assert_allclose(steps.std(axis=0), [1.0, 0.0])
    assert meaning.scaled(X, "float32")[0].dtype == np.float32


def test_a_column_that_is_constant_but_for_rounding_is_not_blown_up():
    x = [np.full((3, 1), 0.1) + np.array([[0.0], [1e-17], [2e-17]])]
    assert Meaning.of(("a",), (), x, True).scale == (1.0,)


def test_without_scaling_numbers_are_as_they_were():
    meaning = Meaning.of(("a", "b"), (), X, False)
    assert np.array_equal(meaning.scaled(X, "float64")[0], X[0])


def test_it_comes_back_from_its_file():
    meaning = Meaning.of(("a", "b"), ("no", "yes"), X, True)
    again = Meaning.from_json(json.loads(json.dumps(meaning.to_json())), "data.json")
    assert again == meaning


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": None}, "columns: expected a list"),
        ({"mean": ["a", "b"]}, "mean: expected a list"),
        ({"scale": [1.0]}, "scale: expected one for each column"),
        ({"scale": [1.0, 0.0]}, "scale: expected finite numbers above 0"),
        ({"scale": [1.0, float("inf")]}, "scale: expected finite numbers above 0"),
        ({"mean": [float("nan"), 0.0]}, "mean: expected finite numbers"),
        ({"more": []}, "expected columns, classes, mean, scale"),
    ],
)
def test_another_file_is_refused_by_its_name(change, words):
    found = {**Meaning.of(("a", "b"), ("no", "yes"), X, True).to_json(), **change}
    with pytest.raises(RunError, match=rf"^data\.json: {words}"):
        Meaning.from_json(found, "data.json")
    with pytest.raises(RunError, match=r"data\.json"):
        Meaning.from_json([], "data.json")


def test_columns_are_found_by_name_and_labels_by_their_class():
    meaning = Meaning.of(("a", "b"), ("no", "yes"), X, True)
    assert meaning.places(("b", "x", "a"), "file") == [2, 0]
    with pytest.raises(ConfigError, match="file: expected the columns a, b, got no b"):
        meaning.places(("a", "c"), "file")
    assert meaning.numbers(["yes", "no"], "file").tolist() == [1, 0]
    with pytest.raises(ConfigError, match=r"file: expected labels .*\(no, yes\), got maybe"):
        meaning.numbers(["yes", "maybe"], "file")
