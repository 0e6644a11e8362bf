"""The forecaster: one series and many, exogenous columns, quantiles."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import ConvergenceWarning

from numba_lstm.datasets.rolling import interval_errors
from numba_lstm.estimators import LSTMForecaster, windowed

SMALL = {"hidden_size": 16, "learning_rate_init": 0.01, "max_iter": 30, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TIME = np.arange(160)
SEASON = np.sin(2 * np.pi * TIME / 8) + 0.02 * TIME


def forecaster(**options):
    return LSTMForecaster(**{"horizon": 4, "window": 12, **SMALL, **options})


def quick(**options):
    return forecaster(**{"max_iter": 2, **options})


def test_a_season_and_a_trend_go_on():
    forecast = forecaster().fit(SEASON[:-4]).predict()
    assert forecast.shape == (4,) and forecast.dtype == np.float64
    np.testing.assert_allclose(forecast, SEASON[-4:], atol=0.25)


def test_several_columns_are_forecast_together():
    y = np.stack([SEASON, 100.0 * SEASON[::-1]], axis=1)
    model = forecaster().fit(y)
    assert model.predict().shape == (4, 2) and model.score(y) > 0.9


def test_a_series_so_far_is_gone_on_from():
    model = quick().fit(SEASON[:100])
    np.testing.assert_array_equal(model.predict(SEASON[:100]), model.predict())
    np.testing.assert_array_equal(model.predict(SEASON[88:100]), model.predict())
    assert (model.predict(SEASON) != model.predict()).any()


def test_many_series_are_forecast_as_each_one_alone():
    model = quick().fit([SEASON, SEASON[30:90], SEASON[::-1]])
    found = model.predict()
    assert found.shape == (3, 4)
    for n, one in enumerate((SEASON, SEASON[30:90], SEASON[::-1])):
        np.testing.assert_allclose(model.predict(one), found[n], rtol=1e-5)
    assert model.predict(np.stack([SEASON, SEASON])[..., None]).shape == (2, 4, 1)


def test_series_of_sizes_that_one_scaling_does_not_serve_bring_a_warning():
    with pytest.warns(UserWarning, match=r"y: the series differ in size by a factor of 1,000,"):
        quick().fit([SEASON, 1000 * SEASON])
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        warnings.simplefilter("ignore", ConvergenceWarning)
        quick().fit([SEASON, 2 * SEASON])


def test_exogenous_columns_tell_of_the_future(rng):
    X = rng.integers(0, 2, 240).astype(float)
    y = 3.0 * X + 10.0  # nothing but X tells it
    model = forecaster(horizon=3, window=4).fit(y[:237], X[:237])
    np.testing.assert_allclose(model.predict(X=X[237:]), y[237:], atol=0.3)
    np.testing.assert_allclose(model.predict(X=1 - X[237:]), 13.0 - 3.0 * X[237:], atol=0.3)
    assert model.score(y, X) > 0.95
    before = model.predict(y[:100], X[:103])
    np.testing.assert_allclose(before, y[100:103], atol=0.3)


def test_many_series_have_exogenous_columns_each(rng):
    X = [rng.normal(size=(n, 2)) for n in (40, 30)]
    y = [one.sum(axis=1) for one in X]
    model = quick().fit(y, X)
    future = [rng.normal(size=(4, 2)) for _ in range(2)]
    assert model.predict(X=future).shape == (2, 4)


def test_another_horizon_is_forecast_in_blocks():
    model = quick().fit(SEASON)
    usual = model.predict()
    assert model.predict(horizon=10).shape == (10,)
    np.testing.assert_array_equal(model.predict(horizon=10)[:4], usual)
    np.testing.assert_array_equal(model.predict(horizon=2), usual[:2])
    with pytest.raises(ValueError, match="horizon: expected at least 1"):
        model.predict(horizon=0)


def test_quantiles_hold_their_share(rng):
    y = rng.normal(size=600)
    model = forecaster(quantiles=[0.1, 0.5, 0.9], horizon=2, window=4, max_iter=15)
    model.fit(y)
    found = model.predict_quantiles()
    assert found.shape == (2, 3) and (np.diff(found, axis=1) >= 0).all()
    np.testing.assert_allclose(found.mean(axis=0), [-1.28, 0.0, 1.28], atol=0.4)
    np.testing.assert_array_equal(model.predict(), found[:, 1])


def test_quantiles_are_told_only_where_they_were_learnt():
    with pytest.raises(ValueError, match="quantiles: expected some in the constructor"):
        quick().fit(SEASON).predict_quantiles()
    model = quick(quantiles=[0.1, 0.5, 0.9]).fit(SEASON)
    with pytest.raises(ValueError, match="horizon: expected at most 4, got 5"):
        model.predict_quantiles(horizon=5)


def test_levels_are_followed_beyond_the_values_that_were_seen():
    line = 5.0 * TIME + np.sin(TIME)
    about = {"linear": False, "early_stopping": False}
    with_it = forecaster(normalize="last", **about).fit(line[:120]).predict(line[:150])
    np.testing.assert_allclose(with_it, line[150:154], atol=12.0)
    without = forecaster(normalize=None, **about).fit(line[:120]).predict(line[:150])
    assert np.abs(without - line[150:154]).max() > 30.0


def test_intervals_hold_their_share(rng):
    y = 20 * rng.normal(size=700)
    model = forecaster(horizon=2, max_iter=3, n_estimators=1).fit(y[:500])
    inside = []
    for t in range(500, 698):
        low, high = model.predict_interval(y[:t], level=0.8)
        inside.append((low <= y[t : t + 2]) & (y[t : t + 2] <= high))
    assert low.shape == high.shape == (2,)
    assert 0.7 < np.mean(inside) < 0.9
    wider = model.predict_interval(level=0.98)
    narrower = model.predict_interval(level=0.5)
    assert (wider[0] < narrower[0]).all() and (wider[1] > narrower[1]).all()


def test_intervals_need_a_part_that_was_set_aside():
    model = quick(early_stopping=False).fit(SEASON)
    with pytest.raises(ValueError, match="early_stopping: expected a fit that set a part aside"):
        model.predict_interval()
    with pytest.raises(ValueError, match="level: expected"):
        quick().fit(SEASON).predict_interval(level=2.0)
    many = quick().fit(np.stack([SEASON, SEASON])[..., None])
    assert many.predict_interval()[0].shape == (2, 4, 1)


def test_the_score_is_r2_over_all_windows():
    model = quick().fit(SEASON)
    found = [model.predict(SEASON[:t]) for t in range(12, 157)]
    true = [SEASON[t : t + 4] for t in range(12, 157)]
    error = np.square(np.subtract(found, true)).sum()
    expected = 1 - error / np.square(true - np.mean(true)).sum()
    assert model.score(SEASON) == pytest.approx(expected, abs=1e-4)


def test_frames_give_what_arrays_give():
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    y = np.stack([SEASON, SEASON[::-1]], axis=1)
    expected = quick().fit(y, SEASON).predict(X=SEASON[:4])
    for frame, series in (
        (pd.DataFrame(y, columns=["a", "b"]), pd.Series),
        (pl.DataFrame(y, schema=["a", "b"]), pl.Series),
    ):
        model = quick().fit(frame, series(SEASON))
        np.testing.assert_array_equal(model.predict(X=series(SEASON[:4])), expected)
        assert model.feature_names_in_.tolist() == ["a", "b"]
    with pytest.raises(ValueError, match="feature names"):
        model.predict(pd.DataFrame(y, columns=["b", "a"]), np.ones(164))


def crossing():
    """A model of one network, whose second quantile is the lowest."""
    model = quick(quantiles=[0.1, 0.5, 0.9], linear=False, n_estimators=1, deseasonalize=False)
    model.set_params(normalize=None, refit=False).fit(SEASON)
    bias = model.module_.members[0].head.bias
    bias[:] = (bias.numpy().reshape(4, 3) + np.float32([0.0, -9.0, 0.0])).ravel()
    return model


def test_the_median_is_the_middle_of_quantiles_that_do_not_cross():
    model = crossing()
    raw = model.module_(model._ends)[:, 0]
    assert (raw[:, 1] < raw[:, 0]).all() and (raw[:, 1] < raw[:, 2]).all()
    found = model.predict_quantiles()
    assert (np.diff(found, axis=-1) >= 0).all()
    np.testing.assert_array_equal(model.predict(), found[:, 1])
    low, high = interval_errors(model._errors)
    np.testing.assert_allclose(model.predict_interval()[0], found[:, 1] + low[:, 0])
    np.testing.assert_allclose(model.predict_interval()[1], found[:, 1] + high[:, 0])


def test_what_goes_on_from_a_forecast_and_scores_it_takes_the_same_median():
    model = crossing()
    found = [model.predict(SEASON[:t]) for t in range(12, 157)]
    true = [SEASON[t : t + 4] for t in range(12, 157)]
    error = np.square(np.subtract(found, true)).sum()
    expected = 1 - error / np.square(true - np.mean(true)).sum()
    assert model.score(SEASON) == pytest.approx(expected, abs=1e-4)
    further = model.predict(np.concatenate([SEASON, model.predict()]))
    np.testing.assert_allclose(model.predict(horizon=8)[4:], further, rtol=1e-4)


def test_errors_and_weights_are_those_of_the_median_in_order(monkeypatch):
    def crossed(module, batches):
        return np.roll(outputs_of(module, batches), 1, axis=-1)

    outputs_of = windowed.outputs_of
    about = {"quantiles": [0.1, 0.5, 0.9], "n_estimators": 1, "refit": False}
    weights = quick(**about).fit(SEASON).weights_
    monkeypatch.setattr(windowed, "outputs_of", crossed)
    assert quick(**about).fit(SEASON).weights_ == weights
    model = quick(**about, linear=False, normalize=None, deseasonalize=False).fit(SEASON)
    expected = [SEASON[t : t + 4] - model.predict(SEASON[:t]) for t in range(128, 157)]
    np.testing.assert_allclose(model._errors[..., 0], expected, atol=1e-4)


def test_a_score_sets_no_attribute(monkeypatch):
    model = quick().fit(SEASON)
    written = []
    monkeypatch.setattr(LSTMForecaster, "__setattr__", lambda _, *pair: written.append(pair))
    assert model.score([SEASON, SEASON]) > 0 and not written
    model.max_iter = 3
    assert written == [("max_iter", 3)]


def test_a_score_of_a_short_series_names_it():
    model = quick().fit(SEASON)
    with pytest.raises(ValueError, match=r"^y: expected at least window \+ horizon = 16 rows, got"):
        model.score(SEASON[:15])
    with pytest.raises(ValueError, match=r"^y\[1\]: expected at least window \+ horizon = 16 rows"):
        model.score([SEASON, SEASON[:15]])
