"""What follows a column of times is written as the column is, and is read as what it was."""

from __future__ import annotations

import pickle

import numpy as np
import pytest

from numba_lstm.datasets import find_frequency, read_table
from numba_lstm.datasets.time_forms import read_times
from numba_lstm.datasets.time_writing import Clock, TimeForm


def read(cells, dayfirst=None):
    return read_times(np.array(cells, dtype=object), "when", lambda row: f"row {row}", dayfirst)


@pytest.mark.parametrize(
    ("cells", "following"),
    [
        (["2021-01-30", "2021-01-31", "2021-02-01"], ["2021-02-02", "2021-02-03"]),
        (["2010-10", "2010-11", "2010-12"], ["2011-01", "2011-02"]),
        (["2010-1", "2010-2", "2010-3"], ["2010-4", "2010-5"]),
        (["2010M07", "2010M08", "2010M09"], ["2010M10", "2010M11"]),
        (["202110", "202111", "202112"], ["202201", "202202"]),
        (["20210130", "20210131", "20210201"], ["20210202", "20210203"]),
        (["2020Q2", "2020Q3", "2020Q4"], ["2021Q1", "2021Q2"]),
        (["2020-q2", "2020-q3", "2020-q4"], ["2021-q1", "2021-q2"]),
        (["2020-W51", "2020-W52", "2020-W53"], ["2021-W01", "2021-W02"]),
        (["2019-W50", "2019-W51", "2019-W52"], ["2020-W01", "2020-W02"]),  # from 2019-12-30 on
        (["2021W07-5", "2021W08-5", "2021W09-5"], ["2021W10-5", "2021W11-5"]),
        (
            ["2021-01-04/2021-01-10", "2021-01-11/2021-01-17", "2021-01-18/2021-01-24"],
            ["2021-01-25/2021-01-31", "2021-02-01/2021-02-07"],
        ),
        (["30.1.2021", "31.1.2021", "1.2.2021"], ["2.2.2021", "3.2.2021"]),
        (["12/30/2020", "12/31/2020", "01/01/2021"], ["01/02/2021", "01/03/2021"]),
        (["30/12/2020", "31/12/2020", "01/01/2021"], ["02/01/2021", "03/01/2021"]),
        (["Jan 2021", "Feb 2021", "Mar 2021"], ["Apr 2021", "May 2021"]),
        (["MARCH 2021", "APRIL 2021", "MAY 2021"], ["JUNE 2021", "JULY 2021"]),
        (["30-dec-2020", "31-dec-2020", "1-jan-2021"], ["2-jan-2021", "3-jan-2021"]),
        (["Jan 1, 2021", "Jan 2, 2021", "Jan 3, 2021"], ["Jan 4, 2021", "Jan 5, 2021"]),
        (
            ["1/31/2021 10:00 PM", "1/31/2021 11:00 PM", "2/1/2021 12:00 AM"],
            ["2/1/2021 1:00 AM", "2/1/2021 2:00 AM"],
        ),
        (
            ["2021-01-01 22:00", "2021-01-01 23:00", "2021-01-02 00:00"],
            ["2021-01-02 01:00", "2021-01-02 02:00"],
        ),
        (
            ["2021-01-01T22:00:00", "2021-01-01T23:00:00", "2021-01-02"],
            ["2021-01-02T01:00:00", "2021-01-02T02:00:00"],
        ),
        (
            ["2021-01-01 00:00:00", "2021-01-01 00:00:00.25", "2021-01-01 00:00:00.5"],
            ["2021-01-01 00:00:00.75", "2021-01-01 00:00:01.00"],
        ),
        (
            ["2021/01/01 00:00:00,250", "2021/01/01 00:00:00,500", "2021/01/01 00:00:00,750"],
            ["2021/01/01 00:00:01,000", "2021/01/01 00:00:01,250"],
        ),
        (
            ["2021-01-01T00:00Z", "2021-01-01T01:00Z", "2021-01-01T02:00Z"],
            ["2021-01-01T03:00Z", "2021-01-01T04:00Z"],
        ),
        (
            ["2021-01-01 00:00 -0530", "2021-01-01 01:00 -0530", "2021-01-01 02:00 -0530"],
            ["2021-01-01 03:00 -0530", "2021-01-01 04:00 -0530"],
        ),
        (  # the clock goes on to +02:00 at 02:00
            ["2021-03-28T00:00+01:00", "2021-03-28T01:00+01:00", "2021-03-28T03:00+02:00"],
            ["2021-03-28T04:00+02:00", "2021-03-28T05:00+02:00"],
        ),
        (
            ["2021-03-27T00:00+01:00", "2021-03-28T00:00+01:00", "2021-03-29T00:00+02:00"],
            ["2021-03-30T00:00+02:00", "2021-03-31T00:00+02:00"],
        ),
        (  # the first row is the latest
            ["2021-03-28T03:00+02:00", "2021-03-28T01:00+01:00", "2021-03-28T00:00+01:00"],
            ["2021-03-28T04:00+02:00", "2021-03-28T05:00+02:00"],
        ),
        (["1980", "1981", "1982"], ["1983", "1984"]),
        (["0.10", "0.20", "0.30"], ["0.40", "0.50"]),
        (["1980.0", "1981.0", "1982.0"], ["1983.0", "1984.0"]),
        (["1616900400123456", "1616900400123457", "1616900400123458"],
         ["1616900400123459", "1616900400123460"]),
    ],
)  # fmt: skip
def test_what_follows_is_written_alike_and_read_again(cells, following):
    times = read(cells)
    order = np.sort(times.values)
    frequency = find_frequency(order)
    after = frequency.after(order[-1], 2)
    assert times.form.column == "when"
    assert times.form.written(after) == following
    again = read([*cells, *following]).values
    np.testing.assert_array_equal(again[:3], times.values)
    np.testing.assert_allclose(again[3:].astype(float), after.astype(float), rtol=1e-15)


def test_a_column_is_written_as_it_was_read():
    cells = ["2021-01-01 09:30:00+01:00", "2021-06-01 10:30:00+01:00"]
    form = pickle.loads(pickle.dumps(read(cells).form))
    assert form.written(read(cells).values) == cells


def test_moments_without_text_are_iso_and_as_fine_as_their_column():
    hours = np.datetime64("2021-01-01T22", "us") + np.arange(4) * np.timedelta64(1, "h")
    form = read_times(hours[:2], "when", str).form
    assert form.written(hours[2:3]) == ["2021-01-02T00:00:00"]
    days = hours.astype("datetime64[D]").astype("datetime64[us]")
    assert read_times(days, "when", str).form.written(days[3:]) == ["2021-01-02"]
    fine = days + np.timedelta64(5, "ms")
    assert read_times(fine, "when", str).form.written(days[:1]) == ["2021-01-01T00:00:00.000000"]
    assert TimeForm("time").written(days) == [
        "2021-01-01",
        "2021-01-01",
        "2021-01-02",
        "2021-01-02",
    ]
    assert TimeForm("time").written(np.array([1980.0, 0.25])) == ["1980", "0.25"]


def test_a_zone_of_a_frame_is_the_offset_of_its_latest_row():
    pandas = pytest.importorskip("pandas")
    hours = pandas.date_range("2021-03-28", periods=4, freq="h", tz="Europe/Berlin")
    times = read_table(pandas.DataFrame({"when": hours, "load": range(4)})).times("when")
    assert times.form.clock == Clock("+02:00", 120)
    assert times.form.written(times.values)[2:] == [
        "2021-03-28T03:00:00+02:00",
        "2021-03-28T04:00:00+02:00",
    ]


def test_times_past_the_calendar_are_written_all_the_same():
    form = read(["9999-12-30", "9999-12-31"]).form
    assert form.written(np.array(["9999-12-31", "10000-01-01"], "datetime64[us]")) == [
        "9999-12-31",
        "10000-01-01",
    ]
