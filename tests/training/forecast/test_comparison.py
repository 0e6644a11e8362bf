"""A back-test judges what was known at each origin; intervals come from other forecasts."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from forecast_tool import write_csv

from numba_lstm.datasets import baselines, metrics
from numba_lstm.training.forecast.comparison import (
    LINEAR_MEMBERS,
    MODELS,
    compare,
    interval_ends,
    measures,
)
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.reading import read_all
from numba_lstm.training.runs.options import merge_options

HORIZON, FOLDS = 7, 3


@pytest.fixture
def one(tmp_path):
    return read(write_csv(tmp_path / "sales.csv", 120))


def read(path, **options):
    given = {"data": str(path), "time": "day", "target": "sales", "exog": "visitors", **options}
    return read_all(str(path), merge_options(ForecastConfig, ("", given)), "data")[0]


def judged(one, offset=0.0, lines=None):
    """The comparison of a model that says the truth, and something more."""
    first = len(one.series) - HORIZON * FOLDS
    origins = np.arange(first, len(one.series) - HORIZON + 1)
    rows = origins[:, None] + np.arange(HORIZON)
    said = one.series.target[rows][..., None] + offset
    told = {
        "model": said,
        "network": said + 1.0,
        **({} if lines is None else {LINEAR_MEMBERS: lines + said}),
    }
    return compare(one, told, origins, one.series.part(None, first)), first


def test_the_model_is_judged_by_the_truth_and_baselines_by_what_was_before(one):
    found, first = judged(one, 1.5)
    assert tuple(found.models) == MODELS
    model = found.models["model"]
    assert model.origins.tolist() == [first, first + 7, first + 14]
    np.testing.assert_allclose(model.errors, -1.5)
    np.testing.assert_allclose(found.models["network"].errors, -2.5)
    values = one.series.target[:, 0]
    for fold, origin in enumerate(model.origins):
        naive = found.models["seasonal_naive"].forecast[fold, :, 0]
        assert np.array_equal(naive, values[origin - 7 : origin])
        last = found.models["last_value"].forecast[fold, :, 0]
        assert np.array_equal(last, np.repeat(values[origin - 1], 7))
    history = one.series.part(None, first)
    expected = baselines.linear(train=history)
    found_linear = found.models["linear"].forecast[0]
    np.testing.assert_allclose(found_linear, expected(history, 7, None), rtol=1e-9)


def test_linear_members_are_judged_where_there_are_some(one):
    found, _ = judged(one, 1.5, lines=2.0)
    assert set(found.models) == {*MODELS, LINEAR_MEMBERS}
    np.testing.assert_allclose(found.models[LINEAR_MEMBERS].errors, -3.5)


def test_a_value_that_was_filled_is_not_known_before_its_neighbour(tmp_path):
    """The two days before the second origin are missing: the last value is of the day before."""
    one = read(write_csv(tmp_path / "gap.csv", 120, left_out=(104, 105)))
    found, first = judged(one)
    assert (first, found.filled) == (99, 2)
    last = found.models["last_value"].forecast[1, :, 0]
    assert np.array_equal(last, np.repeat(one.series.target[103, 0], 7))
    between = one.series.target[103:107, 0]
    assert not np.isclose(between[0], between[1]) and not one.real[104, 0]


def test_what_was_filled_is_judged_by_nobody(tmp_path):
    one = read(write_csv(tmp_path / "gap.csv", 120, left_out=(104, 105)))
    found, first = judged(one, 1.5)
    filled = np.zeros((3, HORIZON, 1), bool)
    filled[0, 5:] = True
    for test in found.models.values():
        assert np.array_equal(np.isnan(test.errors), filled)
    assert np.isnan(found.errors[:, :, 0]).any(axis=1).sum() == 7  # all that reach one of the two
    assert measures([found.models["model"]])["mae"] == pytest.approx(1.5)
    values = np.where(one.real, one.series.values, np.nan)[:first, 0]
    steps = np.abs(values[7:] - values[:-7])
    assert found.models["model"].scale[0] == pytest.approx(np.nanmean(steps))


def test_an_interval_is_made_of_forecasts_that_share_no_step_with_its_own(one):
    found, _ = judged(one)
    errors = np.zeros_like(found.errors)
    errors[: 7 + 6] = 100.0  # all that share a step with the first forecast's, and some more
    errors[7:] = np.random.default_rng(0).uniform(-1, 1, errors[7:].shape)
    low, high = replace(found, errors=errors).intervals(0.8)
    forecast = found.models["model"].forecast
    assert np.all(high[0] - forecast[0] <= 1.0) and np.all(high[2] - forecast[2] > 1.0)
    assert np.all(low <= forecast) and np.all(high >= forecast)


def test_one_forecast_has_no_interval_and_learnt_ends_are_taken(one):
    first = len(one.series) - HORIZON
    said = np.stack([np.full((1, HORIZON, 1), value) for value in (1.0, 2.0, 4.0)], axis=-1)
    origins = np.array([first])
    middle = said[..., 1:2]
    both = {"model": middle, "network": middle}
    assert compare(one, both, origins, None).intervals(0.9) is None
    low, high = compare(one, {"model": said, "network": said}, origins, None).intervals(0.9)
    assert (np.unique(low), np.unique(high)) == ([1.0], [4.0])


def test_a_forecast_is_within_its_interval_also_where_all_errors_are_of_one_sign():
    low, high = interval_ends(np.full((30, 2, 1), 3.0), 0.9)
    assert low.tolist() == [[0.0], [0.0]] and high.tolist() == [[3.0], [3.0]]


def test_measures_are_over_all_series_or_of_one_target(tmp_path):
    path = write_csv(tmp_path / "two.csv", 120)
    given = {"data": str(path), "time": "day", "target": ["sales", "visitors"]}
    (one,) = read_all(str(path), merge_options(ForecastConfig, ("", given)), "data")
    found, _ = judged(one, 2.0)
    both = [found.models["model"], found.models["model"]]
    assert measures(both)["mae"] == pytest.approx(2.0)
    scale = found.models["model"].scale
    assert measures(both, 1)["mase"] == pytest.approx(2.0 / scale[1])
    assert measures(both)["mase"] == pytest.approx(np.mean(2.0 / scale))
    truth = found.models["model"].truth[..., 0]
    assert measures(both, 0)["smape"] == pytest.approx(metrics.smape(truth, truth + 2.0))
