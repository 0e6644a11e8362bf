"""Sequences check what they are made of, and are split by classes."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import Scaler, Sequences


def some(count=20, classes=("a", "b"), rng=None):
    rng = rng or np.random.default_rng(0)
    x = [rng.standard_normal((int(n), 2)) for n in rng.integers(1, 6, count)]
    return Sequences(x, [classes[i % len(classes)] for i in range(count)])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([],), "expected at least one sequence"),
        (([[[1.0]], [[1.0, 2.0]]],), r"x\[1\]: expected 1 columns as in x\[0\], got 2"),
        (([np.zeros((0, 1))],), r"x\[0\]: expected at least one step"),
        (([[1.0]],), r"x\[0\]: expected 2 dimensions"),
        (([[[1.0]]], ["a", "b"]), "y: expected 1 values"),
        (([[[1.0]]], [np.inf]), r"y\[0\]: expected a finite number"),
        (([[[1.0]]], ["a"], ["v", "w"]), "names: expected 1, got 2"),
        (([[[1.0]]], ["a"], [], ["b", "c"]), "y: 'a' is not among the classes b, c"),
        (([[[1.0]]], [["a"]]), "y: expected a class for each sequence"),
        (([[[1.0], [-np.inf]]],), r"x\[0\]: expected finite numbers or NaN, got -inf in step 1"),
        (([[[1.0, 2.0]]], ["a"], ["v", "v"]), "names: expected different ones, got 'v' twice"),
        (([[[1.0]]], ["a"], [], ["a", "b", "a"]), "classes: expected different ones, got 'a' tw"),
        (([[[1.0]], [[1.0]]], ["a", None]), r"y\[1\]: expected a class, got None"),
        (([[[1.0]], [[1.0]]], ["a", np.nan]), r"y\[1\]: expected a class, got nan"),
        (
            ([[[1.0]], [[1.0]]], np.array([np.nan, "a"], object)),
            r"y\[0\]: expected a class",
        ),
    ],
)
def test_what_does_not_fit_is_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        Sequences(*arguments)


def test_whole_numbers_are_classes_in_their_order():
    x = [[[0.0]]] * 3
    assert Sequences(x, [10, 9, 2]).classes == ("2", "9", "10")
    assert Sequences(x, [0.5, 1, 2]).classes == ()
    with pytest.raises(ValueError, match="expected sequences with classes"):
        _ = Sequences(x, [0.5, 1, 2]).codes


def test_a_split_is_stratified_and_the_same_for_a_seed():
    data = Sequences([[[float(i)]] for i in range(100)], ["a"] * 80 + ["b"] * 15 + ["c"] * 5)
    first, second = data.split(0.2, seed=3)
    assert len(second) == 20 and first.classes == second.classes == data.classes
    assert [int(np.sum(second.y == c)) for c in "abc"] == [16, 3, 1]
    together = sorted([*first.ids, *second.ids], key=int)
    assert together == list(data.ids)
    again = data.split(0.2, seed=3)[1]
    assert again.ids == second.ids and data.split(0.2, seed=4)[1].ids != second.ids
    assert [one[0, 0] for one in second.x] == [float(i) for i in second.ids]


def test_small_classes_together_give_their_share_and_none_is_emptied():
    data = Sequences([[[0.0]]] * 40, [str(i // 2) for i in range(40)])
    first, second = data.split(0.25, seed=0)
    assert len(second) == 10 and set(first.y) == set(data.y)
    lonely = Sequences([[[0.0]]] * 3, ["a", "a", "b"])
    for fraction in (0.4, 0.9):
        assert set(lonely.split(fraction, seed=0)[0].y) == {"a", "b"}


def test_a_split_without_classes_or_strata_is_plain():
    data = Sequences([[[float(i)]] for i in range(10)], np.arange(10) / 4)
    first, second = data.split(0.3, seed=1)
    assert len(first) == 7 and len(second) == 3
    for wrong in (0, 1, -1, 2.0):
        with pytest.raises(ValueError, match="fraction: expected"):
            data.split(wrong)
    with pytest.raises(ValueError, match="leaves a part empty"):
        data.split(0.01)
    with pytest.raises(TypeError, match="fraction: expected a number"):
        data.split("half")


def test_a_map_scales_each_and_keeps_the_rest():
    data = some()
    scaler = Scaler.fit(data.x)
    scaled = data.map(scaler.transform)
    steps = np.concatenate(scaled.x)
    np.testing.assert_allclose(steps.mean(axis=0), 0, atol=1e-12)
    np.testing.assert_allclose(steps.std(axis=0), 1, rtol=1e-12)
    assert scaled.y is data.y or scaled.y.tolist() == data.y.tolist()
    assert scaled.names == data.names and scaled.ids == data.ids


def test_it_cannot_be_changed():
    with pytest.raises(AttributeError):
        some().y = None


def test_what_pandas_writes_for_no_label_is_refused():
    pandas = pytest.importorskip("pandas")
    for nothing in (pandas.NA, pandas.NaT, None):
        labels = pandas.Series(["a", nothing], dtype=object)
        with pytest.raises(ValueError, match=r"y\[1\]: expected a class"):
            Sequences([[[1.0]], [[2.0]]], labels)
