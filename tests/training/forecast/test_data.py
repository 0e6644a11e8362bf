"""Series are cut by time, and nothing of a later part is in an earlier one."""

from __future__ import annotations

import re

import numpy as np
import pytest
from forecast_tool import days, sales, write_csv

from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.data import load_data
from numba_lstm.training.runs.options import ConfigError, merge_options

TABLE = {"time": "day", "target": "sales", "horizon": 7}

DAY = np.timedelta64(1, "D")


def config(path, **options):
    given = {"csv": str(path), **TABLE, "valid_fraction": 0.1, **options}
    return merge_options(
        ForecastConfig, ("", {name: value for name, value in given.items() if value is not None})
    )


@pytest.fixture
def path(tmp_path):
    return write_csv(tmp_path / "sales.csv")


def test_what_trains_comes_before_what_validates_and_that_before_the_back_test(path):
    data = load_data(config(path, folds=3, window=10))
    (split,) = data.splits
    assert split == (160 - 21 - 14, 160 - 21)
    assert data.counts() == {"train": 125, "valid": 14, "test": 21}
    assert data.train_origins.tolist() == list(range(10, 125 - 7 + 1))
    assert data.valid_origins.tolist() == list(range(125, 139 - 7 + 1))
    assert data.folds == 3 and data.meaning.until == "2021-05-22"


def test_scaling_is_fitted_on_the_rows_that_train(path):
    data = load_data(config(path, folds=3))
    train = data.splits[0].train
    np.testing.assert_allclose(data.rows.values[:train].mean(axis=0), 0.0, atol=1e-5)
    np.testing.assert_allclose(data.rows.values[:train].std(axis=0), 1.0, atol=1e-5)
    (own,) = data.meaning.scalers.fitted
    shown = data.rows.values[:, 0] * own.scaler.scale[0] + own.scaler.mean[0]
    assert own.seasonal.cycles["sales"] == ("week",)
    np.testing.assert_allclose(shown + data.rows.effect[:, 0], sales(), atol=2e-3)


def test_how_many_folds_and_how_long_a_window_follow_from_the_rows(path, tmp_path):
    data = load_data(config(path))
    assert (data.folds, data.meaning.window) == (4, 28)
    data = load_data(config(path, valid_fraction=0, folds=0))
    assert data.counts() == {"train": 160, "valid": 0, "test": 0}
    assert data.valid_origins.size == 0 and data.valid_digest() == ""
    short = load_data(config(write_csv(tmp_path / "short.csv", 40), horizon=3))
    assert (short.folds, short.meaning.window) == (2, 9)


def test_many_series_of_the_same_dates_are_cut_as_one(tmp_path):
    path = write_csv(tmp_path / "shops.csv", 80, ids=("a", "b"))
    data = load_data(config(path, id="shop", folds=2, window=12))
    assert data.meaning.ids == ("a", "b")
    assert [tuple(split) for split in data.splits] == [(59, 66)] * 2
    per_series = 59 - 12 - 7 + 1
    assert len(data.train_origins) == 2 * per_series
    assert data.train_origins[per_series] == 80 + 12
    assert data.valid_origins.tolist() == [59, 80 + 59]


@pytest.mark.parametrize("boundary", [111, 132, 139])
def test_nothing_that_was_filled_tells_of_a_later_part(tmp_path, boundary):
    """Around a boundary rows are missing; what comes after it differs, and nothing before does."""
    found = []
    for seed in (0, 1):
        values = sales()
        values[boundary:] = sales(seed=9 + seed)[boundary:]
        lines = ["day,sales"]
        for n, value in enumerate(values):
            if not boundary - 4 <= n < boundary + 1:
                lines.append(f"{np.datetime64('2021-01-04') + n * DAY},{value:.3f}")
        path = tmp_path / f"{seed}.csv"
        path.write_text("\n".join(lines) + "\n")
        found.append(load_data(config(path, folds=3)))
    one, other = found
    ends = {"train": one.splits[0].train, "first": one.splits[0].first}
    assert ends == {"train": 125, "first": 139}
    for end in [e for e in ends.values() if e <= boundary]:
        same = [data.series[0].series.values[:end] for data in found]
        assert np.array_equal(*same)
    if boundary >= 125:
        assert one.meaning == other.meaning


def test_the_rows_and_the_step_are_told(path, tmp_path):
    data = load_data(config(path))
    assert data.notes == (
        f"{path}: 160 rows, one every day, from 2021-01-04 to 2021-06-12",
        f"{path}: the regular part is taken out: the week of sales",
    )
    told = f"{path}: sales is forecast with visitors (past) and holiday (known ahead)"
    assert told in load_data(config(path, exog="visitors", known="holiday")).notes
    missing = write_csv(tmp_path / "gaps.csv", left_out=(20, 21), holes=(50,))
    notes = load_data(config(missing)).notes
    words = "2 of 160 rows were missing and are filled on straight lines: 2021-01-24 to 2021-01-25"
    assert f"{missing}: {words}" in notes
    assert f"{missing}: 1 of 158 values were missing and are filled, too" in notes


def test_rows_behind_the_last_target_are_no_data(tmp_path):
    path = write_csv(tmp_path / "more.csv", more=7)
    data = load_data(config(path, known="holiday"))
    assert len(data.series[0].series) == 160 and len(data.series[0].ahead) == 7
    assert f"{path}: the last 7 rows have no target" in data.notes
    assert data.meaning.known[0] == "holiday"


def test_a_constant_target_is_told_and_no_divisor(tmp_path):
    path = tmp_path / "constant.csv"
    rows = [f"{np.datetime64('2021-01-04') + n * DAY},7.5" for n in range(80)]
    path.write_text("\n".join(["day,sales", *rows]) + "\n")
    data = load_data(config(path))
    assert any("'sales' is 7.5 in all rows that train" in note for note in data.notes)
    assert np.isfinite(data.rows.values).all()
    assert data.meaning.scalers.fitted[0].scaler.scale[0] == 1.0


def test_the_digest_is_of_the_values_the_times_and_the_cut(path, tmp_path):
    one = load_data(config(path)).digest()
    assert one == load_data(config(path)).digest()
    assert one != load_data(config(path, folds=2)).digest()
    assert one != load_data(config(write_csv(tmp_path / "other.csv", seed=1))).digest()


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"csv": None}, r"data: expected a table with a column of time \(--csv FILE\)"),
        ({"horizon": None}, r"horizon: expected how many steps ahead \(--horizon N\), got nothing"),
        (
            {"time": None},
            r"time: expected a column \(--time COLUMN\), got nothing; .* has day,",
        ),
        ({"target": None}, r"target: expected a column \(--target COLUMN\), got nothing; .* has "),
        ({"target": "profit"}, "profit"),
        ({"exog": ["visitors", "profit"]}, "profit"),
        ({"time": "sales"}, "sales"),
        (
            {"horizon": 400},
            "one row to forecast from and a horizon of 400, 400 rows that val",
        ),
        ({"window": 300}, r"a window of 300 and a horizon of 7, .* need \d+ rows, got 160"),
        ({"folds": 40}, r"40 forecasts of the back-test need \d+ rows, got 160"),
        ({"csv": "seattle-weather"}, "time: expected with a file only, got seattle-weather"),
    ],
)
def test_what_cannot_be_used_is_refused_by_name(path, options, words):
    with pytest.raises(ValueError, match=words):
        load_data(config(path, **options))


@pytest.mark.parametrize(
    ("options", "rows"),
    [
        ({"window": 60, "horizon": 5}, 60),
        ({"window": 60, "horizon": 5, "valid_fraction": 0.2}, 60),
        ({"window": 60, "horizon": 5, "valid_fraction": 0.9, "folds": 3}, 60),
        ({"window": 40, "horizon": 2, "valid_fraction": 0}, 50),
        ({"horizon": 20}, 30),
    ],
)
def test_the_rows_that_a_short_series_needs_are_the_least_that_do(tmp_path, options, rows):
    def read(count):
        path = tmp_path / "d.csv"
        path.write_text(
            "\n".join(["day,sales", *(f"{day},{n % 9}" for n, day in enumerate(days(count)))])
        )
        return load_data(config(path, **options))

    with pytest.raises(ConfigError, match=rf"d\.csv: too short: .* got {rows}$") as refused:
        read(rows)
    need = int(re.findall(r"need (\d+) rows", str(refused.value))[0])
    for count in (rows + 1, need - 1):
        with pytest.raises(ConfigError, match=rf"need {need} rows, got {count}$"):
            read(count)
    read(need)


def test_gaps_are_refused_where_told_so_and_steps_take_rows_as_they_come(tmp_path):
    path = write_csv(tmp_path / "gaps.csv", left_out=(20, 21))
    with pytest.raises(ConfigError, match=r"missing: 2021-01-24 to 2021-01-25; .* \(--gaps\)"):
        load_data(config(path, gaps="error"))
    data = load_data(config(path, gaps="steps"))
    assert len(data.series[0].series) == 158 and data.meaning.unit == "step"
    assert any("each row is taken for a step" in note for note in data.notes)


def test_where_the_rows_of_one_series_are_steps_those_of_all_are(tmp_path):
    path = write_csv(tmp_path / "shops.csv", 80, ids=("a", "b"))
    lines = path.read_text().splitlines()
    path.write_text("\n".join(line for n, line in enumerate(lines) if n not in (30, 31)) + "\n")
    with pytest.raises(ConfigError, match="series 'a': one row is expected every 1 day"):
        load_data(config(path, id="shop", gaps="error"))
    data = load_data(config(path, id="shop", gaps="steps"))
    assert [len(one.series) for one in data.series] == [78, 80]
    assert data.meaning.unit == "step" and all(one.steps for one in data.series)


def test_series_of_different_steps_are_refused(tmp_path):
    path = write_csv(tmp_path / "shops.csv", 80, ids=("a", "b"))
    lines = path.read_text().splitlines()
    kept = [line for n, line in enumerate(lines) if n <= 80 or n % 2]
    path.write_text("\n".join(kept) + "\n")
    with pytest.raises(ConfigError, match="1 day for series 'a' and 2 days for 'b'"):
        load_data(config(path, id="shop"))


def test_the_bundled_weather_needs_no_columns():
    data = load_data(config(None, csv="seattle-weather", time=None, target=None))
    assert data.meaning.names == ("temp_max",) and data.meaning.frequency.unit == "D"
    assert data.folds == 20


def test_series_and_weeks_are_told_as_people_say_it(tmp_path):
    path = write_csv(tmp_path / "shops.csv", 90, ids=("north", "south"))
    assert (
        f"{path}: 2 series of 90 rows each, one every day"
        in load_data(config(path, id="shop")).notes[0]
    )
    rows = [f"{np.datetime64('2021-01-04') + 7 * n * DAY},{n % 5}" for n in range(80)]
    weekly = tmp_path / "weekly.csv"
    weekly.write_text("\n".join(["day,sales", *rows]) + "\n")
    assert f"{weekly}: 80 rows, one every week, from" in load_data(config(weekly)).notes[0]
