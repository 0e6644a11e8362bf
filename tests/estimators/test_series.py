"""Series in one form, whatever they came in."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm.datasets import Series
from numba_lstm.estimators.samples import Samples
from numba_lstm.estimators.series import (
    Form,
    NamedColumns,
    read_columns,
    read_series,
    with_known,
    without_gaps,
)

pd = pytest.importorskip("pandas")


def read(value, reset=True, owner=None):
    return read_columns("y", NamedColumns() if owner is None else owner, value, reset)


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
    owner = NamedColumns()
    samples, found = read(value, True, owner)
    assert found == form and samples.lengths.tolist() == lengths
    assert samples.steps.shape == (sum(lengths), width) == (sum(lengths), owner.n_features_in_)
    assert samples.steps.dtype == np.float64


def test_frames_and_series_of_pandas_and_polars():
    pl = pytest.importorskip("polars")
    for frame in (pd.DataFrame(ONE, columns=["a", "b"]), pl.DataFrame(ONE, schema=["a", "b"])):
        owner = NamedColumns()
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
    owner = NamedColumns()
    read(ONE, True, owner)
    with pytest.raises(ValueError, match="expect"):
        read(other, False, owner)


def test_a_forecast_has_the_form_of_the_series():
    found = np.zeros((5, 3, 2, 4))  # horizon, series, columns, quantiles
    assert Form(True, True).of_forecast(found).shape == (3, 5, 2, 4)
    assert Form(False, True).of_forecast(found[:, :1]).shape == (5, 2, 4)
    assert Form(True, False).of_forecast(found[:, :, :1]).shape == (3, 5, 4)
    assert Form(False, False).of_forecast(found[:, :1, :1, 0]).shape == (5,)


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
def test_times_out_of_order_are_refused(index):
    frame = pd.DataFrame(ONE, index=index)
    with pytest.raises(ValueError, match="y: expected rows in order of time"):
        read(frame[::-1])
    with pytest.raises(ValueError, match=r"y\[1\]: expected rows in order of time, each time once"):
        read([frame, frame.iloc[[0, 0, 1]]])


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


def test_arrays_become_series_whose_columns_are_all_forecast():
    found, form = read_series(NamedColumns(), [ONE, ONE[:4]], True)
    assert form == Form(True, True) and [len(one) for one in found] == [6, 4]
    assert found[0].targets == 2 and found[0].known == () and found[0].time.dtype.kind == "i"
    np.testing.assert_array_equal(found[1].values, ONE[:4])


def test_times_of_frames_are_kept():
    found, _ = read_series(NamedColumns(), pd.DataFrame(ONE, DAYS), True)
    assert found[0].time[0] == np.datetime64("2024-01-01") and found[0].frequency.unit == "D"
    hours = pd.date_range("2024-03-31", periods=6, freq="h", tz="Europe/Berlin")
    for index, first in ((hours, "2024-03-30T23"), (DAYS.tz_localize("Asia/Tokyo"), "2024-01-01")):
        found, _ = read_series(NamedColumns(), pd.Series(ONE[:, 0], index), True)
        assert found[0].time[0] == np.datetime64(first)
    months = pd.period_range("2024-01", periods=6, freq="M")
    assert read_series(NamedColumns(), pd.Series(ONE[:, 0], months), True)[0][0].frequency


def ready(known=("b",)):
    values = np.arange(24.0).reshape(6, 4)
    return Series(values, DAYS.to_numpy(), ("y", "b", "c", "d"), known=known)


def test_a_series_that_is_ready_has_its_known_columns_last():
    (found,), form = read_series(NamedColumns(), ready(), True)
    assert form == Form(False, True) and found.names == ("y", "c", "d", "b")
    assert found.targets == 1 and found.known == ("b",)
    np.testing.assert_array_equal(found.values[:, 3], ready().values[:, 1])
    assert read_series(NamedColumns(), [ready(), ready()], True)[1] == Form(True, True)


def test_series_of_different_kinds_are_refused_by_name():
    with pytest.raises(TypeError, match=r"y\[1\]: expected a datasets.Series, got ndarray"):
        read_series(NamedColumns(), [ready(), ONE], True)
    with pytest.raises(ValueError, match=r"y\[1\]: expected the columns"):
        read_series(NamedColumns(), [ready(), ready(known=("c",))], True)
    gap = Series(np.zeros((4, 1)), DAYS.to_numpy()[[0, 1, 2, 4]], ("y",))
    with pytest.raises(ValueError, match=r"^y: one row is .* missing: 2024-01-04.*\(gaps=\)"):
        without_gaps(read_series(NamedColumns(), gap, True)[0], "few")


def test_exogenous_columns_stand_beside_their_series():
    series, _ = read_series(NamedColumns(), [ONE, ONE[:4]], True)
    exogenous, _ = read_columns("X", NamedColumns(), [ONE[:, 0], ONE[:4, 0] + 1], True)
    found = with_known(series, exogenous)
    assert [one.values.shape for one in found] == [(6, 3), (4, 3)] and found[0].known == ("X 0",)
    np.testing.assert_array_equal(found[1].values[:, 2], ONE[:4, 0] + 1)
    assert with_known(series, None) == series


def test_gaps_are_filled_and_first_rows_without_a_target_left_out():
    index = pd.date_range("2024-01-01", periods=40, freq="D")
    y = pd.Series(np.arange(40.0), index)
    y.iloc[:2] = np.nan
    y = y.drop(index[[7, 8]])
    X = pd.Series(np.arange(38.0), y.index)
    series, _ = read_series(NamedColumns(), y, True)
    exogenous, _ = read_columns("X", NamedColumns(), X, True)
    with pytest.warns(UserWarning, match="^y: 2 of 38 rows were missing"):
        (one,), (real,), (dates,) = without_gaps(with_known(series, exogenous), "few")
    np.testing.assert_allclose(one.values[:, 0], np.arange(2.0, 40.0))
    assert np.flatnonzero(~real.all(axis=1)).tolist() == [5, 6]
    np.testing.assert_array_equal(dates, index[2:].to_numpy().astype("datetime64[us]"))
    steps = index.delete([7, 8])
    with pytest.warns(UserWarning, match="each row is taken for a step"):
        plain = read_series(NamedColumns(), pd.Series(np.arange(38.0), steps), True)[0]
        (one,), (real,), (dates,) = without_gaps(plain, "steps")
    assert one.time.dtype.kind == "i" and real is None
    np.testing.assert_array_equal(dates, steps.to_numpy().astype("datetime64[us]"))


def test_times_that_keep_no_step_are_refused_by_name():
    times = [pd.Timestamp(2024, 1, 1), pd.Timestamp(2024, 1, 2), pd.Timestamp(2024, 1, 9, 3, 7)]
    series, _ = read_series(
        NamedColumns(), [pd.Series([1.0, 2.0, 3.0], pd.DatetimeIndex(times))], True
    )
    with pytest.raises(ValueError, match=r"^y\[0\]: the rows keep no step .* \(gaps=\)"):
        without_gaps(series, "few")


def test_durations_have_gaps_too():
    since = pd.timedelta_range(0, periods=40, freq="h").delete([9])
    series, _ = read_series(NamedColumns(), pd.Series(np.arange(39.0), since), True)
    with pytest.warns(UserWarning, match="1 of 40 rows were missing"):
        (one,), _, _ = without_gaps(series, "few")
    assert len(one) == 40 and one.frequency.unit == "step"


def test_nan_is_missing_where_there_are_times_and_refused_else():
    hole = pd.Series([1.0, np.nan, 3.0, 4.0, 5.0, 6.0], DAYS)
    assert np.isnan(read_series(NamedColumns(), hole, True)[0][0].values[1, 0])
    assert np.isnan(read_series(NamedColumns(), [hole, hole], True)[0][1].values[1, 0])
    for value in (hole.to_numpy(), hole.reset_index(drop=True)):
        with pytest.raises(ValueError, match="NaN"):
            read_series(NamedColumns(), value, True)
        with pytest.raises(ValueError, match=r"y\[1\]: .* NaN or infinity at step 1"):
            read_series(NamedColumns(), [hole, value], True)
    with pytest.raises(ValueError, match="infinity"):
        read_series(NamedColumns(), hole.replace(3.0, np.inf), True)
