"""No series teaches what is later than what another one is judged by."""

from __future__ import annotations

import numpy as np
import pytest
from forecast_tool import sales

from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.data import load_data
from numba_lstm.training.runs.options import ConfigError, merge_options

START, DAY = np.datetime64("2021-01-04"), np.timedelta64(1, "D")
HORIZON = 7


def load(path, parts, **options):
    """The data of series, each of the rows from one day on to another."""
    lines = ["shop,day,sales"]
    for name, (first, stop) in parts.items():
        values = sales(stop)
        lines += [f"{name},{START + n * DAY},{values[n]:.3f}" for n in range(first, stop)]
    path.write_text("\n".join(lines) + "\n")
    about = {"data": str(path), "id": "shop", "time": "day", "target": "sales"}
    given = {"horizon": HORIZON, "folds": 3, "window": 10, "valid_fraction": 0.2, **about}
    return load_data(merge_options(ForecastConfig, ("", {**given, **options})))


def last_dates(data, origins):
    """The last date of the windows' horizons, of each series."""
    ends = origins + HORIZON - 1
    which = data.rows.series_of(ends)
    return [
        data.series[n].series.time[ends[which == n].max() - data.rows.starts[n]]
        for n in np.unique(which)
    ]


@pytest.mark.parametrize("b", [(0, 120), (0, 155), (0, 190), (100, 200)])
def test_all_that_trains_is_before_all_that_validates_and_that_before_the_back_test(tmp_path, b):
    data = load(tmp_path / "d.csv", {"a": (0, 200), "b": b})
    firsts = [one.series.time[s.first] for one, s in zip(data.series, data.splits)
              if s.first < len(one.series)]  # fmt: skip
    assert max(last_dates(data, data.learnt_origins)) < min(firsts)
    assert max(last_dates(data, data.valid_origins)) < min(firsts)
    begin = data.valid_origins
    which = data.rows.series_of(begin)
    begins = [data.series[n].series.time[at - data.rows.starts[n]] for n, at in zip(which, begin)]
    assert max(last_dates(data, data.train_origins)) < min(begins)
    # The series that reaches the end has all forecasts, and they begin on one day in all series.
    assert data.tested[0] == data.folds == 3 and len(set(firsts)) == 1


def test_a_series_that_ends_early_trains_and_is_judged_as_far_as_it_goes(tmp_path):
    parts = {"a": (0, 200), "early": (0, 120), "late": (0, 190)}
    data = load(tmp_path / "d.csv", parts)
    # The back-test is the last 21 days; 36 days, a fifth of what is before, validate.
    assert data.splits == ((144, 180 - 1), (120, 120), (144, 179)) or data.splits[1] == (120, 120)
    assert data.tested == (3, 0, 1)
    assert f"{tmp_path / 'd.csv'}: learnt from and not judged, as they have no value in the " \
        "back-test: series 'early'" in data.notes  # fmt: skip
    assert any("judged by fewer than 3 forecasts" in note and "series 'late'" in note
               for note in data.notes)  # fmt: skip


def test_a_series_that_begins_too_late_is_left_out_and_told(tmp_path):
    data = load(tmp_path / "d.csv", {"a": (0, 200), "new": (150, 200), "b": (0, 200)})
    assert data.meaning.ids == ("a", "b")
    (note,) = (note for note in data.notes if "left out" in note)
    assert note.endswith("than a window of 10 and a horizon of 7: series 'new'")


def test_where_series_are_left_out_the_others_end_the_back_test(tmp_path):
    data = load(tmp_path / "d.csv", {"a": (0, 160), "b": (0, 160), "new": (190, 210)})
    assert data.tested == (3, 3) and data.meaning.ids == ("a", "b")


def test_series_that_are_all_too_short_are_refused_by_the_longest(tmp_path):
    with pytest.raises(ConfigError, match=r"series 'b': too short: .* need \d+ rows, got 30"):
        load(tmp_path / "d.csv", {"a": (0, 20), "b": (0, 30)})


def test_rows_that_are_taken_for_steps_are_cut_by_the_dates_that_they_have(tmp_path):
    """One series has no rows on Sundays, the other has all; row numbers are no dates."""
    lines = ["shop,day,sales"]
    for name, every in (("a", 7), ("b", 10**6)):
        kept = [n for n in range(200) if n % every != every - 1]
        lines += [f"{name},{START + n * DAY},{n % 7}" for n in kept]
    path = tmp_path / "d.csv"
    path.write_text("\n".join(lines) + "\n")
    given = {"data": str(path), "id": "shop", "time": "day", "target": "sales", "gaps": "steps",
             "horizon": HORIZON, "folds": 2, "window": 10}  # fmt: skip
    data = load_data(merge_options(ForecastConfig, ("", given)))
    assert data.meaning.unit == "step"
    dates = [one.dates for one in data.series]
    for which in (0, 1):
        seen = max(one[s[which] - 1] for one, s in zip(dates, data.splits))
        assert all(seen < one[s[which]] for one, s in zip(dates, data.splits))
