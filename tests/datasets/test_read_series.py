"""Series come out of tables sorted, one for each id, with what was inferred."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.datasets import read_series, read_table

TEXT = (
    "day,shop,sales,price,holiday\n2021-01-02,b,2,20,0\n2021-01-01,b,1,10,1\n2021-01-01,a,3,30,1\n"
)


@pytest.fixture
def table(tmp_path):
    def make(text=TEXT):
        file = tmp_path / "shops.csv"
        file.write_text(text)
        return file

    return make


def test_there_is_one_series_for_each_id_in_the_order_of_the_file(table):
    b, a = read_series(
        table(), time="day", target="sales", exog=["price"], known=["holiday"], id="shop"
    )
    assert (b.id, a.id) == ("b", "a") and b.names == ("sales", "price", "holiday")
    assert b.values.tolist() == [[1, 10, 1], [2, 20, 0]] and b.known == ("holiday",)
    assert "the rows were not in order of time: they are sorted" in b.notes
    sorted_file = table("day,shop,sales\n2021-01-01,b,1\n2021-01-01,a,3\n2021-01-02,b,2\n")
    notes = read_series(sorted_file, time="day", target="sales", id="shop")[0].notes
    assert not any("sorted" in note for note in notes)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"time": "when", "target": "sales"}, "no column 'when'; there are 'day', 'shop'"),
        ({"time": "day", "target": "shop"}, "line 2, column 'shop': 'b' is no number"),
        ({"time": "shop", "target": "sales"}, "line 2, column 'shop': 'b' is no time"),
        (
            {"time": "day", "target": "sales"},
            "line 4, column 'day': 2021-01-01 stands in line 3, too",
        ),
        ({"time": "day", "target": ["sales", "sales"]}, "column 'sales' is asked for twice"),
        ({"time": "day", "target": "sales", "id": "day"}, "column 'day' is asked for twice"),
        ({"time": "day", "target": []}, "target: expected at least one column"),
    ],
)
def test_what_does_not_fit_is_named(table, options, message):
    with pytest.raises(ValueError, match=message):
        read_series(table(), **options)


def test_an_hour_that_the_clock_repeats_is_named(table):
    text = "t,v\n2021-10-31 01:00,1\n2021-10-31 02:00,2\n2021-10-31 02:00,3\n2021-10-31 03:00,4\n"
    with pytest.raises(ValueError, match=r"2021-10-31T02:00:00 stands in line 3.* need offsets"):
        read_series(table(text), time="t", target="v")
    fixed = text.replace(":00,1", ":00+02:00,1").replace(":00,2", ":00+02:00,2")
    fixed = fixed.replace(":00,3", ":00+01:00,3").replace(":00,4", ":00+01:00,4")
    assert str(read_series(table(fixed), time="t", target="v")[0].frequency) == "h"


@pytest.mark.parametrize("zone", ["+01:00", "-05:00"])
def test_a_year_of_hours_with_a_changing_clock_is_even_in_utc(table, zone):
    offset = int(zone[:3])
    utc = np.arange("2021-01-01", "2022-01-01", dtype="datetime64[h]")
    summer = (utc >= np.datetime64("2021-03-28T01")) & (utc < np.datetime64("2021-10-31T01"))
    rows = [
        f"{moment + np.timedelta64(offset + int(s), 'h')}:00{offset + int(s):+03d}:00,{i}"
        for i, (moment, s) in enumerate(zip(utc, summer))
    ]
    series = read_series(table("t,v\n" + "\n".join(rows)), time="t", target="v")[0]
    np.testing.assert_array_equal(series.time, utc.astype("datetime64[us]"))
    assert str(series.frequency) == "h" and series.gaps == ()


def test_missing_values_stay_and_are_told(table):
    series = read_series(table("t,v\n1,1\n2,\n3,3\n"), time="t", target="v")[0]
    assert np.isnan(series.values[1, 0]) and "column 'v': 1 of 3 values are missing" in series.notes


def test_a_table_read_with_options_is_taken(table):
    read = read_table(table("t;v\n01/02/2021;1,234\n02/02/2021;2,345\n"), decimal=",")
    series = read_series(read, time="t", target="v", dayfirst=True)[0]
    assert series.values[:, 0].tolist() == [1.234, 2.345]
    assert series.time[1] == np.datetime64("2021-02-02")


def test_a_column_that_is_not_there_is_told_before_any_number_is_read(tmp_path):
    file = tmp_path / "series.csv"
    file.write_text("day,sales\n2021-01-01,many\n2021-01-02,2\n")
    with pytest.raises(ValueError, match="no column 'visitors'; there are 'day', 'sales'"):
        read_series(file, time="day", target="sales", exog=["visitors"])
