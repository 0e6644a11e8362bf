"""Times are read in the form of the first cell, or the cell is named that does not fit."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import time_forms
from numba_lstm.datasets.time_forms import read_times


def read(cells, dayfirst=None):
    array = np.array(cells, dtype=object)
    return read_times(array, "when", lambda row: f"line {row + 2}", dayfirst)


@pytest.mark.parametrize(
    ("cells", "times"),
    [
        (["2021-01-31", "2021-02-01"], ["2021-01-31", "2021-02-01"]),
        (["2012/01/01", "2012/1/2"], ["2012-01-01", "2012-01-02"]),
        (["2012.01.01"], ["2012-01-01"]),
        (
            ["2021-01-31 13:05", "2021-01-31T13:05:06.5"],
            ["2021-01-31T13:05", "2021-01-31T13:05:06.5"],
        ),
        (["2021-01-31", "2021-01-31 01:00"], ["2021-01-31", "2021-01-31T01:00"]),
        (["2021-01-31 00:00:00,123456000"], ["2021-01-31T00:00:00.123456"]),
        (["20210131", "20210201"], ["2021-01-31", "2021-02-01"]),
        (["20210131T0", "20210131T0"][:0] or ["20210131 01:00"], ["2021-01-31T01:00"]),
        (["202101", "202112"], ["2021-01", "2021-12"]),
        (["2021-01", "2021-12"], ["2021-01", "2021-12"]),
        (["2021M01", "2021M02"], ["2021-01", "2021-02"]),
        (["2021Q1", "2021Q4"], ["2021-01", "2021-10"]),
        (["2021-q2"], ["2021-04"]),
        (["31.01.2021", "1.2.2021"], ["2021-01-31", "2021-02-01"]),
        (["01.02.2021"], ["2021-02-01"]),
        (["01/02/2021", "13/02/2021"], ["2021-02-01", "2021-02-13"]),
        (["01/02/2021", "01/13/2021"], ["2021-01-02", "2021-01-13"]),
        (["1/31/2021 1:05:00 PM", "1/31/2021 12:00 am"], ["2021-01-31T13:05", "2021-01-31"]),
        (["3 Jan 2021", "04-February-2021"], ["2021-01-03", "2021-02-04"]),
        (["Jan 3, 2021", "March 4 2021"], ["2021-01-03", "2021-03-04"]),
        (["2021-Jan-03"], ["2021-01-03"]),
        (["Jan 2021", "Dec 2021"], ["2021-01", "2021-12"]),
        (["1890-05-01", "2300-05-01"], ["1890-05-01", "2300-05-01"]),
    ],
)
def test_a_form_is_found_by_the_first_cell(cells, times):
    np.testing.assert_array_equal(read(cells).values, np.array(times, "datetime64[us]"))


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["1900", "1901"], [1900, 1901]),
        (["1700.0", "1701.0"], [1700, 1701]),
        (["0", "-5"], [0, -5]),
        (["1616900400", "1616904000"], [1616900400, 1616904000]),
        (["0.0", "0.25"], [0.0, 0.25]),
        (["20211301", "20210101"], [20211301, 20210101]),  # there is no 13th month
    ],
)
def test_plain_numbers_stay_numbers(cells, values):
    times = read(cells).values
    np.testing.assert_array_equal(times, values)
    assert times.dtype.kind == ("f" if isinstance(values[1], float) else "i")


@pytest.mark.parametrize(
    ("cells", "message"),
    [
        (["2021-01-01", ""], "line 3, column 'when': expected a time like '2021-01-01' of line 2"),
        (["", "2021-01-01"], "line 2, column 'when': nothing is written here"),
        (["soon"], "'soon' is no time"),
        (["2021-01-01", "2021-02-30"], "line 3, column 'when': '2021-02-30': day"),
        (["2021-13-01"], "month"),
        (["2021-01-01 25:00"], "hour"),
        (["1/31/2021 13:00 PM"], "there is no such hour"),
        (["01/02/21"], "a year of two digits"),
        (["13/02/2021", "02/13/2021"], "'13/02/2021' of line 2 has the day first and '02/13/2021'"),
        (["01/02/2021", "02/02/2021"], "may have the day or the month first; say dayfirst="),
        (["1900", "x"], "line 3, column 'when': expected a number like '1900' of line 2, got 'x'"),
        (["2021-01-01", "44197"], "expected a time like"),
        (["2021-01-01T00:00+01:00", "2021-01-01T01:00"], "one has an offset, one has none"),
        (["3 Foo 2021"], "'Foo' is no month"),
        (["2021-01-01 00:00:00.1234567"], "finer than a microsecond"),
        (["٢٠٢١-01-01"], "is no time"),
        (["x" * 100], r"x{37}\.\.\.' is no time"),
    ],
)
def test_a_cell_that_is_no_such_time_is_named(cells, message):
    with pytest.raises(ValueError, match=message):
        read(cells)


def test_the_day_comes_first_if_that_is_said_and_fits():
    assert read(["01/02/2021"], dayfirst=True).values[0] == np.datetime64("2021-02-01")
    assert read(["01/02/2021"], dayfirst=False).values[0] == np.datetime64("2021-01-02")
    assert read(["01/02/2021", "13/02/2021"]).notes == ("column 'when': day first",)
    with pytest.raises(ValueError, match="cannot be read with dayfirst=False"):
        read(["01/02/2021", "13/02/2021"], dayfirst=False)


def test_offsets_that_differ_give_utc_and_say_so():
    times = read(["2021-03-28T01:00+01:00", "2021-03-28T03:00+02:00", "2021-03-28T02:00Z"])
    assert np.all(np.diff(times.values) == np.timedelta64(1, "h"))
    assert times.values[0] == np.datetime64("2021-03-28T00:00")
    assert "offsets +01:00, +02:00, Z; times are in UTC" in times.notes[0]
    assert read(["2021-01-01T00:00-0530", "2021-01-01T01:00+00"]).values[0] == np.datetime64(
        "2021-01-01T05:30"
    )


def test_a_constant_offset_keeps_the_local_clock_however_it_is_written():
    times = read(["2021-01-01T00:00Z", "2021-01-01T01:00+00:00", "2021-01-01T02:30+0000"])
    assert times.values[2] == np.datetime64("2021-01-01T02:30")
    assert times.notes == ("column 'when': offsets Z, +00:00, +0000; the local clock is kept",)


def test_local_midnights_stay_days_whatever_the_clock_does():
    days = read(["2021-03-27T00:00+01:00", "2021-03-28T00:00+01:00", "2021-03-29T00:00+02:00"])
    assert np.all(np.diff(days.values) == np.timedelta64(1, "D"))
    assert days.values[0] == np.datetime64("2021-03-27") and "local clock is kept" in days.notes[0]


def test_digits_that_are_dates_are_said_to_be():
    assert "read as days" in read(["20210131", "20210201"]).notes[0]
    assert "read as months" in read(["202101", "202102"]).notes[0]


def test_typed_columns_pass_and_their_holes_are_named():
    days = np.array(["2021-01-01", "2021-01-02"], "datetime64[ns]")
    assert read_times(days, "d", str).values.dtype == "datetime64[us]"
    assert read_times(np.array([1.0, 2.0]), "d", str).values.dtype == np.int64
    for cells in (np.array(["2021-01-01", "NaT"], "datetime64[s]"), np.array([1.0, np.nan])):
        with pytest.raises(ValueError, match="row 2, column 'd': nothing is written here"):
            read_times(cells, "d", lambda row: f"row {row + 1}")


@pytest.mark.parametrize(
    "cells",
    [
        ["2021-01-31", "2021-02-01"],
        ["2021-01-31 13:05", "2021-01-31T13:05:06.5", "0999-01-01"],
        ["2021-01-31T00:00:00.123456"],
        ["9999-12-31", "0001-01-01"],
    ],
)
def test_plain_columns_are_read_at_once_as_they_are_one_by_one(cells, monkeypatch):
    at_once = read(cells)
    monkeypatch.setattr(time_forms, "_plain", lambda text: None)
    np.testing.assert_array_equal(read(cells).values, at_once.values)
    assert read(cells).notes == at_once.notes == ()


@pytest.mark.parametrize(
    "cell", ["0000-01-01", "2021-01-01 24:00", "2021-01-01 12:60", "2021-02-29"]
)
def test_plain_columns_have_no_days_that_do_not_exist(cell):
    with pytest.raises(ValueError, match="line 3, column 'when'"):
        read(["2021-01-01", cell])
