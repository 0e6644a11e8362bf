"""The forecaster: one series and many, exogenous columns, quantiles."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("sklearn")

from long_tool import LONG
from sklearn.metrics import r2_score

from numba_lstm.datasets import Series
from numba_lstm.datasets.rolling import interval_errors
from numba_lstm.estimators import LSTMForecaster
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.reading import read_all
from numba_lstm.training.runs.options import merge_options
from numba_lstm.training.windowed import members

SMALL = {
    "hidden_size": 16, "learning_rate_init": 0.01, "max_iter": 30, "random_state": 0,
    **({} if LONG else {"n_estimators": 2}),
}  # fmt: skip

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


def wave(period, rng):
    """A season and what drifts slowly."""
    shape = rng.normal(size=period)
    return 20 + 3 * np.resize(shape, 320) + rng.normal(size=320).cumsum() / 5


def test_a_small_series_beside_a_large_one_is_forecast_as_well_as_alone(rng):
    small, large = wave(7, rng), 1000 * wave(5, rng)

    def error(model, form):
        found = [form(model.predict([small[:t], large[:t]])) for t in range(272, 320, 4)]
        return np.abs(found - np.stack([small[t : t + 4] for t in range(272, 320, 4)])).mean()

    about = {"n_estimators": 1, "max_iter": 10}
    both = forecaster(**about).fit([small[:272], large[:272]])
    alone = forecaster(**about).fit(small[:272])
    # It is one model for two seasons, and so a little worse; by one scale for both it was lost.
    assert error(both, lambda one: one[0]) < 1.5 * error(alone, lambda one: one[0])
    # The size of another series changes nothing.
    like = forecaster(**about).fit([small[:272], large[:272] / 1000])
    np.testing.assert_allclose(like.predict()[0], both.predict()[0], rtol=1e-4)
    np.testing.assert_allclose(1000 * like.predict()[1], both.predict()[1], rtol=1e-4)
    for one, other in zip(like.predict_interval(), both.predict_interval()):
        np.testing.assert_allclose(one * [[1], [1000]], other, rtol=1e-3)


def test_a_series_is_known_again_by_its_id_and_else_scaled_by_its_own_rows():
    def named(values, id):
        return Series(np.asarray(values)[:, None], np.arange(len(values)), ("y",), id=id)

    model = quick().fit([named(SEASON, "a"), named(100 * SEASON, "b")])
    tail = named(SEASON[-20:], "a")
    (known,), (other,) = model.predict([tail]), model.predict([replace(tail, id="c")])
    np.testing.assert_allclose(known, model.predict()[0], rtol=1e-5)
    assert not np.allclose(known, other)
    (large,) = model.predict([named(1000 * SEASON[-20:], "c")])
    np.testing.assert_allclose(large, 1000 * other, rtol=1e-4)
    # Without names it is always so; where there was one series alone, that is the one.
    plain = quick().fit([SEASON, 100 * SEASON])
    np.testing.assert_allclose(plain.predict(SEASON), plain.predict()[0], rtol=1e-5)
    alone = quick().fit(SEASON)
    np.testing.assert_array_equal(alone.predict(SEASON[-12:]), alone.predict())


DAYS = np.datetime64("2024-01-01") + np.arange(160)


def table(tmp_path, values, kept):
    path = tmp_path / "d.csv"
    rows = [f"{DAYS[n]},{'' if np.isnan(values[n]) else values[n]}" for n in kept]
    path.write_text("\n".join(["day,y", *rows]) + "\n")
    given = {"data": str(path), "time": "day", "target": "y"}
    return read_all(str(path), merge_options(ForecastConfig, ("", given)), "data")[0]


def test_gaps_in_the_times_of_a_frame_mean_what_they_mean_in_a_table(tmp_path):
    pd = pytest.importorskip("pandas")
    values = SEASON.copy()
    values[[0, 60, 61, 90]] = np.nan
    kept = [n for n in range(160) if n not in (30, 31, 100)]
    y = pd.Series(values, pd.DatetimeIndex(DAYS)).iloc[kept]
    expected = table(tmp_path, values, kept)
    with pytest.warns(UserWarning) as told:
        model = quick().fit(y)
    words = [str(one.message) for one in told if one.category is UserWarning]
    assert any("3 of 159 rows were missing and are filled on straight lines" in w for w in words)
    assert any("3 of 156 values were missing and are filled, too" in w for w in words)
    with pytest.warns(UserWarning):
        reading = model._read(False, y, None)
    np.testing.assert_array_equal(reading.series[0].values, expected.series.values)
    np.testing.assert_array_equal(reading.real[0], expected.real)
    with pytest.warns(UserWarning):
        np.testing.assert_array_equal(model.predict(y), model.predict())
        assert model.score(y) > -1.0
    for gaps, words in (("error", r"missing: 2024-01-31 to 2024-02-01, .*\(gaps=\)"),
                        ("steps", "3 of 156 values are missing")):  # fmt: skip
        with pytest.raises(ValueError, match=f"^y: .*{words}"):
            quick(gaps=gaps).fit(y)
    stepped = quick(gaps="steps")
    with pytest.warns(UserWarning, match="each row is taken for a step"):
        stepped.fit(y.dropna())
    assert stepped.predict().shape == (4,)
    whole = pd.Series(SEASON, pd.DatetimeIndex(DAYS))
    with pytest.raises(
        ValueError, match=r"^y: one row is expected every 1 day; missing: 2024-01-04"
    ):
        quick().fit(whole[whole.index.day_of_week != 3])
    holes = y.copy()
    holes.iloc[-1] = np.nan
    with pytest.raises(ValueError, match=r"^y: expected a value in the last row, .* 2024-06-08"):
        quick().fit(holes)


def test_what_was_filled_is_no_truth(monkeypatch):
    """Errors of intervals are of what was there, and the score, too."""
    pd = pytest.importorskip("pandas")
    y = pd.Series(SEASON, pd.DatetimeIndex(DAYS))
    gappy = y.drop(y.index[[140, 141]])
    with pytest.warns(UserWarning):
        model = quick(refit=False, deseasonalize=False).fit(gappy)
    expected = {(t, h) for t in range(128, 157) for h in range(4) if t + h in (140, 141)}
    found = {(128 + t, h) for t, h in np.argwhere(np.isnan(model._errors[..., 0]))}
    assert found == expected
    low, high = model.predict_interval()
    assert np.isfinite(low).all() and (low < high).all()
    with pytest.warns(UserWarning):
        score = model.score(gappy)
    rows = [(t, h) for t in range(12, 157) for h in range(4) if t + h not in (140, 141)]
    with pytest.warns(UserWarning):
        (whole,) = model._read(False, gappy, None).series
        said = {
            t: model.predict(gappy[: DAYS[t - 1]]) for t in range(12, 157) if t not in (141, 142)
        }
    pairs = [(whole.values[t + h, 0], said[t][h]) for t, h in rows if t in said]
    assert score == pytest.approx(r2_score(*zip(*pairs)), abs=0.02)


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
    low, high = (side * model.scalers_[0].scaler.scale for side in interval_errors(model._errors))
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

    outputs_of = members.outputs_of
    about = {"quantiles": [0.1, 0.5, 0.9], "n_estimators": 1, "refit": False}
    weights = quick(**about).fit(SEASON).weights_
    monkeypatch.setattr(members, "outputs_of", crossed)
    assert quick(**about).fit(SEASON).weights_ == weights
    model = quick(**about, linear=False, normalize=None, deseasonalize=False).fit(SEASON)
    expected = [SEASON[t : t + 4] - model.predict(SEASON[:t]) for t in range(128, 157)]
    scale = model.scalers_[0].scaler.scale[0]
    np.testing.assert_allclose(model._errors[..., 0] * scale, expected, atol=1e-4)


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
