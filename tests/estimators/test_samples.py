"""Every form of X gives the same sequences, and what cannot be meant is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pytest.importorskip("sklearn")

from sklearn.base import BaseEstimator  # noqa: E402

from numba_lstm.estimators.samples import Samples, read_samples  # noqa: E402


class Anything(BaseEstimator):
    """An estimator that keeps what reading X sets."""


def read(X, reset=True, estimator=None):
    return read_samples(Anything() if estimator is None else estimator, X, reset)


def fitted(X):
    estimator = Anything()
    read(X, True, estimator)
    return estimator


ARRAY = np.arange(24.0).reshape(4, 3, 2)


@pytest.mark.parametrize(
    "X",
    [
        ARRAY,
        ARRAY.astype(np.float32),
        ARRAY.astype(int),
        np.asfortranarray(ARRAY),
        ARRAY.tolist(),
        list(ARRAY),
        tuple(ARRAY),
        [pd.DataFrame(one, columns=["a", "b"]) for one in ARRAY],
        [pl.DataFrame(one, schema=["a", "b"]) for one in ARRAY],
    ],
    ids=["f8", "f4", "int", "fortran", "lists", "list", "tuple", "pandas", "polars"],
)
def test_sequences_of_one_length(X):
    estimator = Anything()
    samples = read_samples(estimator, X, True)
    assert samples.equal and estimator.n_features_in_ == 2
    np.testing.assert_array_equal(samples.sequences(), ARRAY)


def test_sequences_of_different_lengths():
    X = [ARRAY[0], ARRAY[1, :1], ARRAY[2, :2]]
    for given in (X, [one.tolist() for one in X], np.array([*X, None], object)[:3]):
        samples = read(given)
        assert samples.lengths.tolist() == [3, 1, 2]
        for one, expected in zip(samples.sequences(), X):
            np.testing.assert_array_equal(one, expected)


def test_sequences_of_one_feature_have_no_axis_for_it():
    samples = read([[1.0, 2.0, 3.0], [4.0]])
    assert samples.steps.shape == (4, 1) and samples.lengths.tolist() == [3, 1]


@pytest.mark.parametrize("kind", [np.asarray, pd.Series, pl.Series], ids=["array", "pd", "pl"])
def test_arrays_of_one_length_are_sequences_of_one_feature_as_others_are(kind):
    estimator = Anything()
    samples = read([kind(one) for one in ARRAY[:, :, 0]], True, estimator)
    assert estimator.n_features_in_ == 1 and samples.lengths.tolist() == [3] * 4
    assert read([kind(one) for one in ARRAY[0]], False, estimator).lengths.tolist() == [2] * 3
    table = fitted(ARRAY[:, :, 0])
    assert read([kind(one) for one in ARRAY[:, :, 0]], False, table).lengths.tolist() == [3] * 4


DAYS = np.arange(3).astype("datetime64[D]")


@pytest.mark.parametrize(
    "X, message",
    [
        (pd.DataFrame({"a": [1.0] * 3, "d": DAYS}), r"X: .* times \(datetime64.*column 'd'"),
        (pl.DataFrame({"a": [1.0] * 3, "d": DAYS}), r"X: .* times \(Date\) in column 'd'"),
        ([pd.DataFrame({"d": pd.to_datetime(DAYS).tz_localize("UTC")})], r"X\[0\]: .*column 'd'"),
        (
            [ARRAY[0], pl.DataFrame({"d": [DAYS[1].item() - DAYS[0].item()]})],
            r"X\[1\]: .*column 'd'",
        ),
        (DAYS[None, :, None], "X: expected numbers, got times .datetime64"),
        ((DAYS - DAYS[0])[None], "X: expected numbers, got times .timedelta64"),
        ([DAYS, DAYS[:2]], r"X\[0\]: expected numbers, got times"),
        ([ARRAY[0, :, 0], pd.Series(DAYS)], r"X\[1\]: expected numbers, got times"),
        ([[1.0, DAYS[0]], [1.0]], r"X\[0\]\[1\]: expected numbers, got times"),
        ([[1.0, DAYS[0].item()], [1.0]], r"X\[0\]\[1\]: expected numbers, got times .date"),
    ],
)
def test_times_are_no_features(X, message):
    with pytest.raises(TypeError, match=message):
        read(X)


def test_an_axis_too_many_and_what_is_no_array_are_refused_by_name():
    with pytest.raises(ValueError, match=r"X: expected .samples, time, features.*got 4 dimensions"):
        read(np.zeros((2, 2, 2, 2)))
    with pytest.raises(TypeError, match=r"X: expected an array or a list, got .* generator"):
        read(one for one in ARRAY)
    with pytest.raises(ValueError, match="X: "):
        read(np.ones(3))


@pytest.mark.parametrize(
    "table",
    [
        ARRAY[:, :, 0],
        ARRAY[:, :, 0].tolist(),
        pd.DataFrame(ARRAY[:, :, 0]),
        pl.DataFrame(ARRAY[:, :, 0]),
    ],
    ids=["array", "lists", "pandas", "polars"],
)
def test_each_row_of_a_table_is_a_sequence_of_one_feature(table):
    estimator = Anything()
    samples = read_samples(estimator, table, True)
    assert estimator.n_features_in_ == 3
    np.testing.assert_array_equal(samples.sequences(), ARRAY[:, :, :1])


@pytest.mark.parametrize(
    "X",
    [
        pd.DataFrame(ARRAY[:, :, 0], columns=["t0", "t1", "t2"]),
        pl.DataFrame(ARRAY[:, :, 0], schema=["t0", "t1", "t2"]),
        [
            pd.DataFrame(ARRAY[0], columns=["t0", "t1"]),
            pd.DataFrame(ARRAY[0, :1], columns=["t0", "t1"]),
        ],
    ],
    ids=["pandas", "polars", "list"],
)
def test_names_of_columns_are_kept_and_others_refused(X):
    estimator = fitted(X)
    assert estimator.feature_names_in_[0] == "t0"
    other = X.rename(columns={"t0": "u"}) if isinstance(X, pd.DataFrame) else None
    if other is not None:
        with pytest.raises(ValueError, match="feature names"):
            read(other, False, estimator)


@pytest.mark.parametrize(
    "X, message",
    [
        (np.where(ARRAY == 5, np.nan, ARRAY), "Input X contains NaN"),
        (np.where(ARRAY == 5, np.inf, ARRAY), "Input X contains infinity"),
        (
            [ARRAY[0], np.where(ARRAY[1] == 9, np.nan, ARRAY[1])[:2]],
            r"X\[1\]: .* NaN or infinity at step 1",
        ),
        ([ARRAY[0], ARRAY[1, :0]], r"X\[1\]: expected at least one time step"),
        ([ARRAY[0], ARRAY[1, :2, :1]], r"X\[1\]: expected 2 features, as X\[0\] has, got 1"),
        ([ARRAY[0], ARRAY[1, 0]], r"X\[1\]: expected 2 dimensions"),
        ([ARRAY[:2], ARRAY[:1]], r"X\[0\]: expected 2 dimensions"),
        ([[[1.0, 2.0], [3.0]], [[1.0, 2.0]]], r"X\[0\]: expected numbers"),
        ([pd.DataFrame({"a": ["x"]}), pd.DataFrame({"a": ["y"]})], r"X\[0\]: expected numbers"),
        (
            [pd.DataFrame({"a": pd.array([1, None], "Int64")}), pd.DataFrame({"a": [1, 2]})],
            r"X\[0\]: .* NaN or infinity at step 1",
        ),
        (
            [pl.DataFrame({"a": [1, 2]}), pl.DataFrame({"a": [1, None]})],
            r"X\[1\]: .* NaN or infinity at step 1",
        ),
        (
            [
                pd.DataFrame({"a": [1.0], "b": [2.0]}),
                pd.DataFrame({"b": [1.0, 2.0], "a": [2.0, 1.0]}),
            ],
            r"X\[1\]: expected the columns \['a', 'b'\]",
        ),
        (ARRAY[:0], "minimum of 1 is required"),
        (ARRAY[:, :0], "at least one time step"),
        (ARRAY * 1j, "Complex data not supported"),
        ([["a", "b"], ["c"]], "could not convert"),
        (np.zeros((2, 2, 2, 2)), "dim|4"),
    ],
)
def test_what_cannot_be_meant_is_refused_by_name(X, message):
    with pytest.raises(ValueError, match=message):
        read(X)


@pytest.mark.parametrize(
    "first, then, message",
    [
        (ARRAY, ARRAY[..., :1], "X has 1 features, but Anything is expecting 2"),
        (ARRAY[:, :, 0], ARRAY[:, :2, 0], "X has 2 features, but Anything is expecting 3"),
        (ARRAY[:, :, 0], ARRAY[:, :, :1], "expected a table of 3 columns, as in fit, got an array"),
        (ARRAY[:, :, 0], [ARRAY[0], ARRAY[1, :1]], "a table of 3 columns, as in fit, got a list"),
        (ARRAY, ARRAY[:, :, 0], "expected sequences of 2 features, as in fit"),
    ],
)
def test_another_form_than_in_fit_is_refused(first, then, message):
    with pytest.raises(ValueError, match=message):
        read(then, False, fitted(first))


def test_what_was_fitted_to_sequences_of_one_feature_takes_a_table_of_any_length():
    estimator = fitted(ARRAY[:, :, :1])
    samples = read(np.ones((2, 7)), False, estimator)
    assert samples.sequences().shape == (2, 7, 1)


def test_chosen_sequences_come_in_the_order_of_the_choice(rng):
    X = [rng.normal(size=(n, 2)) for n in (3, 1, 4)]
    part = read(X).take(np.array([2, 0]))
    assert isinstance(part, Samples)
    for one, expected in zip(part.sequences(), (X[2], X[0])):
        np.testing.assert_array_equal(one, expected)


def test_a_batch_is_time_first_and_has_lengths_where_they_differ(rng):
    X = [rng.normal(size=(n, 2)) for n in (3, 1, 3)]
    x, lengths = read(X).batch(np.array([0, 1]))
    assert x.shape == (3, 2, 2) and lengths.tolist() == [3, 1]
    x, lengths = read(X).batch(np.array([0, 2]))
    assert lengths is None
    np.testing.assert_array_equal(x[:, 1], X[2])
