"""Each small file that tripped other tools is read right, or refused as its answer says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from numba_lstm.datasets import (
    Scaler,
    backtest,
    baselines,
    missing_times,
    read_sequences,
    read_series,
    read_table,
    regular,
    windows,
)

TRAPS = Path(__file__).parents[1] / "data" / "traps"
TS = json.loads((TRAPS / "ts-answers.json").read_text())
CSV = json.loads((TRAPS / "csv-answers.json").read_text())
DAY = np.timedelta64(1, "D")
# What a refusal must say, besides the file's name.
REFUSED = {
    "09-a-channel-is-missing": "line 11: case 2 has 2 of 3 channels",
    "11-a-label-not-in-the-header": "line 10: label 'green' is not among red, blue",
    "15-trailing-comma-and-spaces": "line 10: a value is empty",
    "17-no-cases": "no cases",
    "19-a-word-among-the-numbers": "line 9: 'two' is no number",
}


def sales(name, **options):
    return read_series(TRAPS / f"{name}.csv", time="date", target="sales", **options)[0]


@pytest.mark.parametrize("name", TS)
def test_a_ts_file_gives_its_answer(name):
    answer = TS[name]
    file = TRAPS / f"{name}.ts"
    if name in REFUSED:
        assert "refuse" in answer or "refuse_or" in answer
        with pytest.raises(ValueError, match=re.escape(f"{name}.ts: {REFUSED[name]}")):
            read_sequences(file)
        return
    right = answer.get("refuse_or", answer)
    found = read_sequences(file)
    assert [one.T.tolist() for one in found.x] == right["x"]
    assert found.y.tolist() == right["y"]


def test_a_header_that_lies_about_lengths_is_told_with_the_case():
    found = read_sequences(TRAPS / "05-says-equal-but-is-not.ts")
    assert "the header says 3 steps, but 1 of 2 have others (case 2: 2)" in found.notes


def test_every_answer_on_tables_has_its_test():
    tests = "".join(name for name in globals() if name.startswith("test_csv"))
    assert {re.search(rf"_{name[:2]}", tests) is not None for name in CSV} == {True}


def test_csv_01_plain():
    series = sales("01-plain")
    assert len(series) == 56 and str(series.frequency) == "D"
    # Its months have 28 days: three rows are missing, which is said.
    filled = regular(series, "few")
    assert len(filled) == 59 and np.all(np.diff(filled.time) == DAY)
    assert filled.notes == (
        "3 of 59 rows were missing and are filled on straight lines: 2021-01-29 to 2021-01-31",
    )


def test_csv_03_decimal_commas():
    table = read_table(TRAPS / "03-semicolons-decimal-commas.csv")
    plain = sales("01-plain").values[:, 0]
    np.testing.assert_array_equal(table["sales"][: len(plain)], plain)
    assert "separated by ';'" in table.notes and "decimal commas in 'sales'" in table.notes


def test_csv_05_unsorted_rows_are_sorted_and_that_is_said():
    series = sales("05-unsorted")
    assert np.all(np.diff(series.time) > 0 * DAY) and series.time[0] == np.datetime64("2021-01-01")
    assert "the rows were not in order of time: they are sorted" in series.notes
    plain = sales("01-plain")
    np.testing.assert_array_equal(series.values[: len(plain)], plain.values)


def test_csv_07_a_missing_day_is_named_or_filled_and_weeks_do_not_slip():
    series = sales("07-a-day-is-missing")
    assert missing_times(series) == "2021-01-11, 2021-01-29 to 2021-01-31"
    naive = baselines.seasonal_naive()
    for refused in (lambda: regular(series), lambda: windows(series, 28, 7)):
        with pytest.raises(ValueError, match=r"every 1 day; missing: 2021-01-11, .*; 'fill'"):
            refused()
    with pytest.raises(ValueError, match="2021-01-11"):
        naive(series, 7)
    filled = regular(series, "few")
    assert np.all(np.diff(filled.time) == DAY) and len(filled) == len(series) + 4
    assert (
        "4 of 87 rows were missing and are filled on straight lines: 2021-01-11" in filled.notes[-1]
    )
    # Seven rows after the gap the weekday is the same one again.
    at = int(np.flatnonzero(filled.time == np.datetime64("2021-01-18"))[0])
    week = naive(filled.part(None, at), 7)[:, 0]
    np.testing.assert_array_equal(week, filled.values[at - 7 : at, 0])


def test_csv_09_a_constant_is_forecast_as_it_is():
    series = regular(sales("09-constant"), "few")
    scaler = Scaler.fit(series.values)
    assert np.all(scaler.transform(series.values) == 0) and scaler.inverse([[0.0]]) == 7.5
    for forecast in (baselines.seasonal_naive(), baselines.linear()):
        result = backtest(forecast, series, 7, folds=3)
        np.testing.assert_allclose(result.forecast, 7.5, rtol=1e-12)
        assert result.measures["mase"] is None and result.measures["mae"] < 1e-12


def test_csv_11_rows_with_days_left_out_can_be_steps():
    series = sales("11-business-days")
    for how in ("error", "few"):
        with pytest.raises(ValueError, match="'steps' takes each row for a step"):
            regular(series, how)
    steps = regular(series, "steps")
    np.testing.assert_array_equal(steps.values, series.values)
    assert steps.gaps == () and str(steps.frequency) == "step"


def test_csv_13_mixed_offsets_are_even_in_utc():
    series = read_series(TRAPS / "13-mixed-offsets.csv", time="time", target="load")[0]
    assert len(series) == 47 and str(series.frequency) == "h" and series.gaps == ()
    assert series.time[0] == np.datetime64("2021-03-26T23:00")
    assert any("UTC" in note for note in series.notes)


def test_csv_15_years_are_years():
    series = read_series(TRAPS / "15-years-as-numbers.csv", time="year", target="spots")[0]
    assert series.time[[0, -1]].tolist() == [1900, 1979] and str(series.frequency) == "step"


def test_csv_17_too_short_says_how_many_rows_are_needed():
    with pytest.raises(ValueError, match="window 28 and horizon 7 need 35 rows, got 5"):
        windows(sales("17-too-short"), 28, 7)


def test_csv_19_thousands_and_currency():
    series = sales("19-thousands-and-currency")
    assert series.values[:2, 0].tolist() == [1010.5, 1012.5]
    assert "column 'sales': $ left out" in series.notes


def test_csv_21_two_series_ask_for_an_id():
    with pytest.raises(
        ValueError, match=r"line 3, column 'date': 2021-01-01 stands in line 2.*id="
    ):
        sales("21-two-series-in-one")
    both = read_series(TRAPS / "21-two-series-in-one.csv", time="date", target="sales", id="store")
    assert [one.id for one in both] == ["1", "2"]
    for one in both:
        assert np.all(np.diff(one.time) > 0 * DAY) and len(one) == 84
    np.testing.assert_allclose(both[1].values - both[0].values, 1.0, atol=1e-12)


def test_csv_23_names_are_found_without_the_spaces_around_them():
    np.testing.assert_array_equal(
        sales("23-spaces-around-names").values[:56], sales("01-plain").values
    )
    with pytest.raises(ValueError, match="no column 'sale'; there are 'date', 'sales'"):
        read_table(TRAPS / "23-spaces-around-names.csv").numbers("sale")
