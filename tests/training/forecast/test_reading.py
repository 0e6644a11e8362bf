"""Every small table that tripped other tools is read right, or refused in one line as it should."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.data import load_data
from numba_lstm.training.forecast.reading import read_all
from numba_lstm.training.runs.options import ConfigError, merge_options

TRAPS = Path(__file__).parents[2] / "data" / "traps"

DAY = np.timedelta64(1, "D")


def config(name, **options):
    given = {"time": "date", "target": "sales", "horizon": 7, "folds": 1, "window": 7, **options}
    return merge_options(ForecastConfig, ("", {"data": str(TRAPS / f"{name}.csv"), **given}))


@pytest.mark.parametrize(
    ("name", "options", "rows", "unit"),
    [
        ("01-plain", {}, 59, "D"),
        ("03-semicolons-decimal-commas", {}, 87, "D"),
        ("05-unsorted", {}, 87, "D"),
        ("07-a-day-is-missing", {}, 87, "D"),
        ("09-constant", {}, 87, "D"),
        ("11-business-days", {"gaps": "steps"}, 60, "step"),
        ("13-mixed-offsets", {"time": "time", "target": "load"}, 47, "h"),
        ("15-years-as-numbers", {"time": "year", "target": "spots"}, 80, "step"),
        ("19-thousands-and-currency", {}, 87, "D"),
        ("21-two-series-in-one", {"id": "store"}, 87, "D"),
        ("23-spaces-around-names", {}, 87, "D"),
    ],
)
def test_a_table_is_read(name, options, rows, unit):
    data = load_data(config(name, **options))
    assert {len(one.series) for one in data.series} == {rows}
    assert data.meaning.unit == unit and np.isfinite(data.rows.values).all()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (
            "17-too-short",
            r"17-too-short\.csv: too short: a window of 7 and a horizon of 7, .* rows",
        ),
        ("21-two-series-in-one", r"line 3.* stands in line 2.* need id="),
    ],
)
def test_a_table_is_refused_as_it_should(name, words):
    with pytest.raises(ValueError, match=words):
        load_data(config(name))


def test_a_missing_day_is_refused_or_filled_and_told():
    with pytest.raises(ConfigError, match="missing: 2021-01-11"):
        load_data(config("07-a-day-is-missing", gaps="error"))
    data = load_data(config("07-a-day-is-missing"))
    assert any("missing and are filled on straight lines: 2021-01-11" in one for one in data.notes)
    real = data.series[0].real
    assert np.flatnonzero(~real[:, 0]).tolist() == [10, 28, 29, 30]


def test_years_are_years():
    (one,) = read_all(
        str(TRAPS / "15-years-as-numbers.csv"),
        config("15-years-as-numbers", time="year", target="spots"),
        "data",
    )
    assert one.series.time[0] == 1900 and one.series.frequency.unit == "step"


def test_a_parquet_file_is_a_table_like_others(tmp_path):
    pandas, _ = pytest.importorskip("pandas"), pytest.importorskip("pyarrow")
    frame = pandas.read_csv(TRAPS / "01-plain.csv", parse_dates=["date"])
    frame.to_parquet(tmp_path / "plain.parquet")
    options = config("01-plain")
    (one,) = read_all(str(tmp_path / "plain.parquet"), options, "data")
    (other,) = read_all(options.data, options, "data")
    assert np.array_equal(one.series.values, other.series.values)
    assert np.array_equal(one.series.time, other.series.time)


def test_leading_rows_without_a_target_are_left_out_and_told(tmp_path):
    path = tmp_path / "late.csv"
    rows = [f"{np.datetime64('2021-01-01') + n * DAY},{n if n >= 3 else ''},{n}" for n in range(40)]
    path.write_text("\n".join(["date,sales,visitors", *rows]) + "\n")
    options = config("01-plain", exog="visitors")
    (one,) = read_all(str(path), options, "data")
    assert len(one.series) == 37 and f"{path}: the first 3 rows have no target" in one.notes
    path.write_text("date,sales\n2021-01-01,\n2021-01-02,\n")
    with pytest.raises(ConfigError, match="expected values to forecast, got none at all"):
        read_all(str(path), config("01-plain"), "data")
