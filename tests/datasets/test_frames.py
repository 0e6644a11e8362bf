"""Parquet files and frames give the same tables as CSV files of the same content."""

from __future__ import annotations

import builtins
import datetime

import numpy as np
import pytest

from numba_lstm import system
from numba_lstm.datasets import read_sequences, read_series, read_table

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
pytest.importorskip("pyarrow")

DAYS = ["2021-01-01", "2021-01-02", "2021-01-03"]
COLUMNS = {
    "day": [datetime.date.fromisoformat(day) for day in DAYS],
    "name": ["x", "x", "y"],
    "count": [1, None, 3],
    "value": [0.5, None, 2.5],
    "flag": [True, False, True],
}


def sources(tmp_path):
    frame = polars.DataFrame(COLUMNS)
    frame.write_parquet(tmp_path / "polars.parquet")
    other = pandas.DataFrame(COLUMNS)
    other.to_parquet(tmp_path / "pandas.pq")
    other.to_csv(tmp_path / "pandas.csv", index=False)
    typed = other.convert_dtypes()
    indexed = other.set_index("day")
    return {
        "polars": frame,
        "pandas": other,
        "nullable": typed,
        "indexed": indexed,
        "polars file": tmp_path / "polars.parquet",
        "pandas file": tmp_path / "pandas.pq",
        "csv": tmp_path / "pandas.csv",
    }


@pytest.mark.parametrize(
    "kind", ["polars", "pandas", "nullable", "indexed", "polars file", "pandas file", "csv"]
)
def test_all_give_the_same_table(tmp_path, kind):
    table = read_table(sources(tmp_path)[kind])
    assert set(table.names) == set(COLUMNS) and len(table) == 3
    np.testing.assert_array_equal(table.numbers("count"), [1, np.nan, 3])
    np.testing.assert_array_equal(table.numbers("value"), [0.5, np.nan, 2.5])
    np.testing.assert_array_equal(table.numbers("flag"), [1, 0, 1])
    assert table.text("name").tolist() == ["x", "x", "y"]
    np.testing.assert_array_equal(table.times("day").values, np.array(DAYS, "datetime64[us]"))
    with pytest.raises(ValueError, match=r"(row 1|line 2), column 'name': 'x' is no number"):
        table.numbers("name")


def test_zones_become_utc():
    hours = pandas.date_range("2021-03-28", periods=4, freq="h", tz="Europe/Berlin")
    utc = hours.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[us]")
    frame = pandas.DataFrame({"t": hours, "v": [1.0, 2, 3, 4]})
    for source in (frame, polars.from_pandas(frame), frame.set_index("t")):
        np.testing.assert_array_equal(read_table(source).times("t").values, utc)


def test_zones_of_parquet_become_utc(tmp_path):
    hours = pandas.date_range("2021-03-28", periods=4, freq="h", tz="Europe/Berlin")
    pandas.DataFrame({"t": hours, "v": [1.0, 2, 3, 4]}).to_parquet(tmp_path / "t.parquet")
    series = read_series(tmp_path / "t.parquet", time="t", target="v")[0]
    assert series.time[0] == np.datetime64("2021-03-27T23:00") and str(series.frequency) == "h"


def test_categories_decimals_and_small_types_are_numbers_and_text(tmp_path):
    import decimal

    frame = pandas.DataFrame(
        {
            "c": pandas.Categorical(["a", "b"]),
            "f": np.array([1, 2], np.float32),
            "u": np.array([1, 2], np.uint8),
            "d": [decimal.Decimal("1.5"), decimal.Decimal("2.25")],
            "s": ["1,5", "2,5"],
        }
    )
    frame.to_parquet(tmp_path / "t.parquet")
    for source in (frame, tmp_path / "t.parquet", polars.from_pandas(frame)):
        table = read_table(source)
        assert table.text("c").tolist() == ["a", "b"] and table.text("u").tolist() == ["1", "2"]
        for name, numbers in (("f", [1, 2]), ("u", [1, 2]), ("d", [1.5, 2.25]), ("s", [1.5, 2.5])):
            assert table.numbers(name).tolist() == numbers, name


def test_sequences_and_series_come_from_frames():
    frame = pandas.DataFrame(
        {"id": [1, 1, 2], "t": [1, 0, 0], "a": [2.0, 1, 3], "y": ["u", "u", "v"]}
    )
    for source in (frame, polars.from_pandas(frame)):
        found = read_sequences(source, id="id", time="t", label="y")
        assert [one.ravel().tolist() for one in found.x] == [[1, 2], [3]] and found.ids == (
            "1",
            "2",
        )


def test_what_does_not_fit_is_named(tmp_path):
    file = tmp_path / "bad.parquet"
    file.write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"bad\.parquet: expected a Parquet file"):
        read_table(file)
    with pytest.raises(ValueError, match="frame: expected rows, got none"):
        read_table(pandas.DataFrame({"a": []}))
    with pytest.raises(ValueError, match="different names"):
        read_table(pandas.DataFrame([[1, 2]], columns=["a", "a"]))
    with pytest.raises(ValueError, match="row 2, column 'a': infinity is no number here"):
        read_table(pandas.DataFrame({"a": [1.0, np.inf]})).numbers("a")
    with pytest.raises(TypeError, match="source: expected a path or a frame, got int"):
        read_table(3)


def test_without_pyarrow_the_extra_is_named(tmp_path, monkeypatch):
    pandas.DataFrame({"a": [1]}).to_parquet(tmp_path / "t.parquet")
    real = builtins.__import__

    def without(name, *arguments, **named):
        if name.startswith("pyarrow"):
            raise ImportError(name)
        return real(name, *arguments, **named)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"t\.parquet: .*pip install 'numba_lstm\[tables\]'"):
        read_table(tmp_path / "t.parquet")


@pytest.mark.parametrize("step", ["D", "MS"])
def test_local_days_of_a_zone_stay_days_over_a_change_of_the_clock(tmp_path, step):
    days = pandas.date_range("2021-03-01", periods=50, freq=step, tz="Europe/Berlin")
    local = days.tz_localize(None).to_numpy().astype("datetime64[us]")
    frame = pandas.DataFrame({"t": days, "v": np.arange(50.0)})
    frame.to_parquet(tmp_path / "t.parquet")
    text = frame.assign(t=[day.isoformat() for day in days])
    text.to_csv(tmp_path / "t.csv", index=False)
    polar = polars.from_pandas(frame)
    sources = frame, frame.set_index("t"), polar, tmp_path / "t.parquet", tmp_path / "t.csv"
    for source in sources:
        (series,) = read_series(source, time="t", target="v")
        np.testing.assert_array_equal(series.time, local)
        assert str(series.frequency) == step
        assert "column 't': offsets +01:00, +02:00; the local clock is kept" in series.notes


def test_the_clock_of_a_zone_is_told(tmp_path):
    hours = pandas.date_range("2021-03-28", periods=4, freq="h", tz="Europe/Berlin")
    frame = pandas.DataFrame({"t": hours})
    frame.to_parquet(tmp_path / "t.parquet")
    for source in (frame, polars.from_pandas(frame), tmp_path / "t.parquet"):
        note = "column 't': offsets +01:00, +02:00; times are in UTC"
        assert read_table(source).notes == (note,)
    winter = read_table(frame[:2])
    np.testing.assert_array_equal(
        winter.times("t").values, np.array(["2021-03-28T00", "2021-03-28T01"], "M8[us]")
    )
    assert winter.notes == ("column 't': offsets +01:00; the local clock is kept",)
    lost = frame.astype({"t": "datetime64[us, America/St_Johns]"})
    lost.loc[1, "t"] = pandas.NaT
    with pytest.raises(ValueError, match="row 2, column 't': nothing is written here"):
        read_table(lost).times("t")
    assert "offsets -02:30" in read_table(lost).notes[0]


def test_two_columns_of_one_name_are_refused_by_name(tmp_path):
    import pyarrow
    import pyarrow.parquet

    words = "expected columns of different names, got 'v' twice"
    for frame in (
        polars.DataFrame({"v": [1], "v ": [2]}),
        pandas.DataFrame([[1, 2]], columns=["v", " v"]),
        pandas.DataFrame([[1, 2]], columns=["v", "v"]),
    ):
        with pytest.raises(ValueError, match=f"^frame: {words}"):
            read_table(frame)
    table = pyarrow.Table.from_arrays([pyarrow.array([1]), pyarrow.array([2])], names=["v", "v"])
    pyarrow.parquet.write_table(table, tmp_path / "twice.parquet")
    with pytest.raises(ValueError, match=rf"twice\.parquet: {words}"):
        read_table(tmp_path / "twice.parquet")


def test_a_table_that_unpacks_to_more_than_the_memory_is_not_read(tmp_path, monkeypatch):
    """A column of one value takes some bytes, whatever its length."""
    file = tmp_path / "bomb.parquet"
    pandas.DataFrame({"a": np.zeros(10**6), "b": ["x"] * 10**6}).to_parquet(file)
    assert file.stat().st_size < 10**5
    assert len(read_table(file)) == 10**6
    monkeypatch.setattr(system, "memory", lambda: 10**7)
    with pytest.raises(ValueError, match=r"bomb\.parquet: expected a table that fits in memory"):
        read_table(file)


def test_times_beyond_the_calendar_are_told_with_the_file(tmp_path):
    import pyarrow
    import pyarrow.parquet

    file = tmp_path / "far.parquet"
    far = pyarrow.array([2**60], pyarrow.timestamp("ms"))
    pyarrow.parquet.write_table(pyarrow.table({"when": far}), file)
    with pytest.raises(ValueError, match=r"far\.parquet: expected cells that can be read: .*out"):
        read_table(file)
