"""Series in one form, and the windows of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm.estimators.samples import Samples
from numba_lstm.estimators.series import (
    ExogenousColumns,
    Form,
    WindowBatches,
    origins,
    read_series,
    tails,
)

pd = pytest.importorskip("pandas")


def read(value, reset=True, owner=None):
    return read_series("y", ExogenousColumns() if owner is None else owner, value, reset)


ONE = np.arange(12.0).reshape(6, 2)


@pytest.mark.parametrize(
    "value, form, lengths, width",
    [
        (ONE[:, 0], Form(False, False), [6], 1),
        (ONE[:, 0].tolist(), Form(False, False), [6], 1),
        (ONE, Form(False, True), [6], 2),
        (np.stack([ONE, ONE]), Form(True, True), [6, 6], 2),
        ([ONE, ONE[:4]], Form(True, True), [6, 4], 2),
        ([ONE[:, 0], ONE[:4, 0]], Form(True, False), [6, 4], 1),
        ([ONE[:, 0], ONE[:, 1]], Form(True, False), [6, 6], 1),
    ],
)
def test_forms_of_series(value, form, lengths, width):
    owner = ExogenousColumns()
    samples, found = read(value, True, owner)
    assert found == form and samples.lengths.tolist() == lengths
    assert samples.steps.shape == (sum(lengths), width) == (sum(lengths), owner.n_features_in_)
    assert samples.steps.dtype == np.float64


def test_frames_and_series_of_pandas_and_polars():
    pl = pytest.importorskip("polars")
    for frame in (pd.DataFrame(ONE, columns=["a", "b"]), pl.DataFrame(ONE, schema=["a", "b"])):
        owner = ExogenousColumns()
        samples, form = read(frame, True, owner)
        np.testing.assert_array_equal(samples.steps, ONE)
        assert form == Form(False, True) and owner.feature_names_in_.tolist() == ["a", "b"]
        assert read(frame["a"])[1] == Form(False, False)
        assert read([frame, frame])[1] == Form(True, True)


@pytest.mark.parametrize(
    "value, error, message",
    [
        (12, TypeError, "y: expected a series, got 12"),
        (np.array([1.0, np.nan]), ValueError, "Input y contains NaN"),
        (
            [ONE, np.where(ONE == 4, np.nan, ONE)],
            ValueError,
            r"y\[1\]: .* NaN or infinity at step 2",
        ),
        (np.zeros((0, 2)), ValueError, "minimum of 1"),
        (np.array(["2020-01-01", "2020-01-02"]), ValueError, "convert"),
        (ONE * 1j, ValueError, "Complex"),
        (np.zeros((2, 2, 2, 2)), ValueError, "y: expected"),
    ],
)
def test_what_is_no_series_is_refused_by_name(value, error, message):
    with pytest.raises(error, match=message):
        read(value)


@pytest.mark.parametrize("other", [ONE[:, :1], ONE[:, 0], [ONE[:, 0]]])
def test_other_columns_than_before_are_refused(other):
    owner = ExogenousColumns()
    read(ONE, True, owner)
    with pytest.raises(ValueError, match="expect"):
        read(other, False, owner)


def test_tails_are_the_last_rows():
    samples, _ = read([ONE, ONE[:4] + 100])
    np.testing.assert_array_equal(tails(samples, 2)[:, 0], ONE[4:])
    np.testing.assert_array_equal(tails(samples, 2)[:, 1], ONE[2:4] + 100)
    np.testing.assert_array_equal(tails(samples, 2, before=1)[:, 0], ONE[3:5])


def test_a_forecast_has_the_form_of_the_series():
    found = np.zeros((5, 3, 2, 4))  # horizon, series, columns, quantiles
    assert Form(True, True).of_forecast(found).shape == (3, 5, 2, 4)
    assert Form(False, True).of_forecast(found[:, :1]).shape == (5, 2, 4)
    assert Form(True, False).of_forecast(found[:, :, :1]).shape == (3, 5, 4)
    assert Form(False, False).of_forecast(found[:, :1, :1, 0]).shape == (5,)


def test_windows_begin_wherever_one_and_what_follows_fits():
    samples, _ = read([np.arange(7.0), np.arange(5.0)])
    train, valid = origins(samples, window=3, horizon=2)
    assert train.tolist() == [0, 1, 2, 7] and valid.tolist() == []


def test_what_windows_that_train_see_is_not_held_out():
    samples, _ = read([np.arange(12.0)])
    train, valid = origins(samples, 3, 2, np.array([4]))
    assert max(train) + 3 + 2 == 12 - 4  # the last row that trains is the last that is not held out
    assert min(valid) + 3 == 12 - 4  # the first that is forecast is the first that is
    assert max(valid) + 3 + 2 == 12


def test_a_series_that_is_too_short_is_named():
    samples, _ = read([np.arange(9.0), np.arange(4.0)])
    with pytest.raises(ValueError, match=r"y\[1\]: expected at least window \+ horizon = 5 rows"):
        origins(samples, 3, 2)
    with pytest.raises(ValueError, match=r"and 5 more to validate on, got n_samples=9"):
        origins(samples, 3, 2, np.array([5, 0]))


def batches(difference, seed=None):
    values = np.arange(40.0, dtype=np.float32).reshape(20, 2) ** 2
    about = {"difference": difference, "batch_size": 4, "seed": seed}
    return values, WindowBatches(values, np.arange(15), 1, 3, 2, **about)


@pytest.mark.parametrize("difference", [False, True])
def test_batches_of_windows_and_what_follows(difference):
    values, found = batches(difference)
    assert len(found) == 4 == len(list(found))
    (x, future), y = next(iter(found))
    assert x.shape == (3, 4, 2) and future.shape == y.shape == (2, 4, 1)
    np.testing.assert_array_equal(x[:, 1], values[1:4])
    np.testing.assert_array_equal(future[:, 1], values[4:6, 1:])
    base = values[3, :1] if difference else 0
    np.testing.assert_array_equal(y[:, 1], values[4:6, :1] - base)


def test_without_exogenous_columns_there_is_no_future():
    values = np.zeros((9, 1), np.float32)
    about = {"difference": True, "batch_size": 9, "seed": 0}
    (_, future), _ = next(iter(WindowBatches(values, np.arange(5), 1, 3, 2, **about)))
    assert future is None


def test_each_pass_has_another_order_and_a_seed_the_same_ones():
    _, one = batches(True, seed=1)
    _, two = batches(True, seed=1)
    first, second = ([y for _, y in one] for _ in range(2))
    assert any((a != b).any() for a, b in zip(first, second))
    for a, (_, b) in zip(first, two):
        np.testing.assert_array_equal(a, b)


def test_samples_of_one_series_are_one_sequence():
    assert isinstance(read(ONE)[0], Samples) and len(read(ONE)[0]) == 1


DAYS = pd.date_range("2024-01-01", periods=6, freq="D")


@pytest.mark.parametrize(
    "index",
    [
        DAYS,
        DAYS.to_period(),
        pd.date_range("2024-01-31", periods=6, freq="ME"),
        pd.date_range("2024-01-05", periods=6, freq="B"),
        pd.date_range("2024-03-29", periods=6, freq="D", tz="Europe/Berlin"),
        pd.date_range("2024-03-31", periods=6, freq="h", tz="Europe/Berlin"),
        pd.timedelta_range(0, periods=6, freq="h"),
        pd.RangeIndex(6)[::-1],
        pd.Index(list("fedcba")),
    ],
    ids=lambda index: type(index).__name__,
)
def test_times_at_equal_distances_are_taken_in_silence(index):
    frame = pd.DataFrame(ONE, index=index)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        read(frame)
        read(frame[0])
        read([frame, frame[:2]])


@pytest.mark.parametrize("index", [DAYS, DAYS.to_period(), DAYS - DAYS[0]])
def test_times_out_of_order_are_refused_and_gaps_are_told(index):
    frame = pd.DataFrame(ONE, index=index)
    with pytest.raises(ValueError, match="y: expected rows in order of time"):
        read(frame[::-1])
    with pytest.raises(ValueError, match=r"y\[1\]: expected rows in order of time, each time once"):
        read([frame, frame.iloc[[0, 0, 1]]])
    with pytest.warns(UserWarning, match="y: expected rows at equal distances in time, got none"):
        read(frame.iloc[[0, 1, 2, 5]])
    read(frame.reset_index(drop=True).iloc[[0, 1, 2, 5]])


def test_times_that_keep_no_step_are_told():
    times = [pd.Timestamp(2024, 1, 1), pd.Timestamp(2024, 1, 2), pd.Timestamp(2024, 1, 9, 3, 7)]
    with pytest.warns(UserWarning, match="times that keep no step"):
        read(pd.Series([1.0, 2.0, 3.0], pd.DatetimeIndex(times)))


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_a_column_of_times_is_refused_by_name(library):
    frames = pytest.importorskip(library)
    frame = frames.DataFrame({"date": DAYS.to_numpy(), "v": np.arange(6.0)})
    with pytest.raises(TypeError, match=r"y: expected numbers, got times .* in column 'date'"):
        read(frame)
    with pytest.raises(TypeError, match=r"y\[0\]: expected numbers, got times .* in column 'date'"):
        read([frame, frame])
    with pytest.raises(TypeError, match=r"y: expected numbers, got times"):
        read(frame["date"])
    with pytest.raises(TypeError, match=r"y\[1\]: expected numbers, got times"):
        read([frame["v"], DAYS.to_numpy()])


@pytest.mark.parametrize("many", [False, True])
def test_values_that_a_mask_hides_are_refused(many):
    hidden = np.ma.masked_equal(ONE, 4.0)
    message = r"y\[1\]: " if many else "y: "
    with pytest.raises(TypeError, match=message + ".*a masked array that hides values"):
        read([ONE, hidden] if many else hidden)
