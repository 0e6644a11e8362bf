"""What follows a series has its times, and nothing is said of what is not known."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_tool import days, sales, write_csv

from numba_lstm.datasets import Frequency
from numba_lstm.training import load_forecaster
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.evaluation import prepared
from numba_lstm.training.forecast.prediction import predict, read_for
from numba_lstm.training.runs import session
from numba_lstm.training.runs.options import ConfigError, merge_options


def begun(path, folder, **options):
    """A run that was not trained: what stands around the model is the same."""
    given = {"time": "day", "target": "sales", "horizon": 5, "window": 10, "hidden": 4, "folds": 2,
             "networks": 1}  # fmt: skip
    config = merge_options(ForecastConfig, ("", {**given, "data": str(path), **options}))
    _, run = session.start(config, folder)
    return load_forecaster(run.path)


def said(loaded, path, results=None, **given):
    return predict(loaded, read_for(loaded, str(path), "input", given, 10), results or {})


def test_times_follow_the_last_row_with_a_target(tmp_path):
    path = write_csv(tmp_path / "d.csv", 90, more=3)
    loaded = begun(path, tmp_path / "run")
    (found,) = said(loaded, path)
    assert found.time.astype("datetime64[D]").tolist() == days(95)[90:].tolist()
    assert found.values.shape == (5, 1) and found.low is None and np.isfinite(found.values).all()


def test_business_days_and_months_go_on_by_the_calendar(tmp_path):
    for unit, times in (
        ("B", np.busday_offset("2021-01-04", np.arange(90))),
        ("MS", np.arange("2010-01", "2017-07", dtype="datetime64[M]").astype("datetime64[D]")),
    ):
        path = tmp_path / f"{unit}.csv"
        rows = [f"{time},{value:.3f}" for time, value in zip(times[:80], sales(80))]
        path.write_text("\n".join(["day,sales", *rows]) + "\n")
        loaded = begun(path, tmp_path / unit)
        assert loaded.meaning.unit == unit
        (found,) = said(loaded, path)
        assert found.time.astype("datetime64[D]").tolist() == times[80:85].tolist()


@pytest.mark.parametrize("day", [29, 30])
def test_months_that_lack_the_day_are_the_run_s_own_step(tmp_path, day):
    months = np.arange("2010-01", "2017-07", dtype="datetime64[M]")
    one_day, one_month = np.timedelta64(1, "D"), np.timedelta64(1, "M")
    last = (months + one_month).astype("datetime64[D]") - one_day
    times = np.minimum(months.astype("datetime64[D]") + (day - 1) * one_day, last)
    path = tmp_path / "months.csv"
    rows = [f"{time},{value:.3f}" for time, value in zip(times[:80], sales(80))]
    path.write_text("\n".join(["day,sales", *rows]) + "\n")
    loaded = begun(path, tmp_path / "run")
    assert loaded.meaning.frequency == Frequency(1, "MS", day)
    (found,) = said(loaded, path)
    assert found.time.astype("datetime64[D]").tolist() == times[80:85].tolist()
    assert prepared(loaded, str(path), {}).folds == [2]
    other = [f"{month}-27,1" for month in months]
    path.write_text("\n".join(["day,sales", *other]) + "\n")
    with pytest.raises(
        ConfigError, match=rf"every 1 month on day {day}, .* got every 1 month \(MS\)"
    ):
        said(loaded, path)


def test_a_gap_before_the_end_does_not_shift_the_times(tmp_path):
    path = write_csv(tmp_path / "d.csv", 90, left_out=(85, 86))
    loaded = begun(write_csv(tmp_path / "whole.csv", 90), tmp_path / "run")
    (found,) = said(loaded, path)
    assert str(found.time[0])[:10] == str(days(91)[90])


def test_of_a_run_whose_rows_are_steps_a_regular_file_is_read_row_by_row(tmp_path):
    gappy = write_csv(tmp_path / "gappy.csv", 90, left_out=(20, 21))
    loaded = begun(gappy, tmp_path / "run", gaps="steps")
    assert loaded.meaning.frequency == Frequency(1, "step")
    (found,) = said(loaded, write_csv(tmp_path / "tail.csv", 40))
    assert found.time.tolist() == [40, 41, 42, 43, 44]
    daily = begun(write_csv(tmp_path / "d.csv", 90), tmp_path / "daily", gaps="steps")
    with pytest.raises(ConfigError, match=r"expected rows every 1 day, .* got every 1 step"):
        said(daily, gappy)


def test_what_is_known_ahead_changes_the_forecast_and_must_be_there(tmp_path):
    path = write_csv(tmp_path / "d.csv", 90, more=5)
    loaded = begun(path, tmp_path / "run", known="holiday")
    (one,) = said(loaded, path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:-5], *(line[:-1] + "1" for line in lines[-5:])]) + "\n")
    (other,) = said(loaded, path)
    assert not np.allclose(one.values, other.values)
    path.write_text("\n".join(lines[:-1]) + "\n")
    with pytest.raises(ConfigError, match=r"\(holiday\), got no holiday at 2021-04-08"):
        said(loaded, path)


def test_a_series_that_the_run_does_not_know_is_scaled_by_its_own_rows(tmp_path):
    """One that is a thousand times larger is forecast a thousand times larger."""
    loaded = begun(write_csv(tmp_path / "d.csv", 90, ids=("a", "b")), tmp_path / "run", id="shop")
    lines = write_csv(tmp_path / "a.csv", 60, ids=("a",)).read_text().splitlines()
    found = {}
    for name, size in (("x", 1), ("y", 1000)):
        cells = [line.split(",") for line in lines[1:]]
        rows = [f"{name},{day},{size * float(value):.6f}" for _, day, value, *_ in cells]
        path = tmp_path / f"{name}.csv"
        path.write_text("\n".join(["shop,day,sales", *rows]) + "\n")
        (found[name],) = said(loaded, path)
        (tested,) = prepared(loaded, str(path), {}).rows.scale
        history = float(np.std([size * float(row[2]) for row in cells[:50]]))
        assert 0.2 * history < tested[0] < 1.2 * history
    np.testing.assert_allclose(found["y"].values, 1000 * found["x"].values, rtol=1e-4)
    (known,) = said(loaded, tmp_path / "a.csv")
    assert not np.allclose(known.values, found["x"].values)  # its scale is that of the run


def test_a_back_test_of_an_unknown_series_scales_it_by_what_is_before(tmp_path):
    loaded = begun(write_csv(tmp_path / "d.csv", 90), tmp_path / "run")
    scales = []
    for more in (0.0, 500.0):
        values = sales(80)
        values[70:] += more  # two forecasts of five days
        lines = [f"x,{day},{value:.3f}" for day, value in zip(days(80), values)]
        path = tmp_path / "x.csv"
        path.write_text("\n".join(["shop,day,sales", *lines]) + "\n")
        scales.append(prepared(loaded, str(path), {"id": "shop"}).rows.scale[0, 0])
    assert scales[0] == scales[1] != loaded.meaning.scalers.fitted[0].scaler.scale[0]


def test_intervals_are_of_the_series_or_of_all_in_units_of_a_season(tmp_path):
    path = write_csv(tmp_path / "d.csv", 90)
    loaded = begun(path, tmp_path / "run")
    own = {"low": [[-1.0]] * 5, "high": [[2.0]] * 5}
    results = {"errors": {"ids": {"": own}, "other": {"low": [[-3.0]] * 5, "high": [[3.0]] * 5}}}
    (found,) = said(loaded, path, results)
    np.testing.assert_allclose(found.low, found.values - 1.0)
    np.testing.assert_allclose(found.high, found.values + 2.0)
    results["errors"]["ids"] = {"elsewhere": own}
    (found,) = said(loaded, path, results)
    values = sales(90).round(3)
    np.testing.assert_allclose(
        found.high - found.values, 3.0 * np.abs(values[7:] - values[:-7]).mean()
    )


def test_an_unseen_series_that_is_constant_has_intervals_in_units_of_one(tmp_path):
    loaded = begun(write_csv(tmp_path / "d.csv", 90), tmp_path / "run")
    path = tmp_path / "constant.csv"
    path.write_text("\n".join(["day,sales", *(f"{day},7.5" for day in days(40))]) + "\n")
    results = {"errors": {"ids": {}, "other": {"low": [[-3.0]] * 5, "high": [[2.0]] * 5}}}
    (found,) = said(loaded, path, results)
    np.testing.assert_allclose(found.high - found.values, 2.0)
    np.testing.assert_allclose(found.values - found.low, 3.0)


def test_another_step_or_too_few_rows_are_refused(tmp_path):
    loaded = begun(write_csv(tmp_path / "d.csv", 90), tmp_path / "run")
    with pytest.raises(ConfigError, match="too short: a window of 10 needs 10 rows, got 9"):
        said(loaded, write_csv(tmp_path / "short.csv", 9))
    path = tmp_path / "hours.csv"
    rows = [f"2021-01-01T{hour:02}:00,{hour}" for hour in range(24)]
    path.write_text("\n".join(["day,sales", *rows]) + "\n")
    with pytest.raises(ConfigError, match=r"expected rows every 1 day, .* got every 1 hour"):
        said(loaded, path)
