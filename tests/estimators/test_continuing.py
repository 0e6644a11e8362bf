"""What a forecaster reads and goes on from: columns, rows, times, seasons."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm import datasets
from numba_lstm.estimators import LSTMForecaster

SMALL = {"hidden_size": 8, "learning_rate_init": 0.01, "max_iter": 2, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TIME = np.arange(160)
SEASON = np.sin(2 * np.pi * TIME / 8) + 0.02 * TIME


def quick(**options):
    return LSTMForecaster(**{"horizon": 4, "window": 12, "n_estimators": 1, **SMALL, **options})


@pytest.mark.parametrize(
    "fit_x, y, X, message",
    [
        (None, None, np.ones(4), "X: expected None, as in fit"),
        (np.ones(160), None, None, "X: expected exogenous columns, as in fit, got None"),
        (np.ones(160), None, np.ones(3), "X: expected 4 rows, got 3"),
        (np.ones(160), SEASON, np.ones(160), "X: expected 164 rows, got 160"),
        (np.ones(160), None, np.ones((4, 2)), "2 features"),
        (np.ones(160), None, [np.ones(4), np.ones(4)], "X: expected 1 series, as y has, got 2"),
        (np.ones(160), None, np.full(4, np.nan), "Input X contains NaN"),
        (None, SEASON[:11], None, "y: expected at least the window's 12 rows, got n_samples=11"),
        (None, [SEASON, SEASON[:5]], None, r"y\[1\]: expected at least the window's 12 rows"),
    ],
)
def test_what_does_not_fit_the_model_is_refused_by_name(fit_x, y, X, message):
    model = quick().fit(SEASON, fit_x)
    with pytest.raises(ValueError, match=message):
        model.predict(y, X)


def test_exogenous_rows_must_be_those_of_the_series():
    with pytest.raises(ValueError, match="X: expected 160 rows, got 159"):
        quick().fit(SEASON, np.ones(159))


def test_further_blocks_want_their_exogenous_rows():
    model = quick().fit(SEASON, np.ones(160))
    assert model.predict(X=np.ones(8), horizon=7).shape == (7,)
    with pytest.raises(ValueError, match="X: expected 8 rows, got 7"):
        model.predict(X=np.ones(7), horizon=7)


def test_exogenous_columns_of_the_window_are_those_of_its_rows(rng):
    X = rng.normal(size=160)
    model = quick(max_iter=10).fit(SEASON[:100], X[:100])
    expected = model.predict(X=X[100:104])
    np.testing.assert_array_equal(model.predict(SEASON[:100], X[:104]), expected)
    later = model.predict(SEASON[:120], X[:124])
    np.testing.assert_array_equal(model.predict(SEASON[108:120], X[108:124]), later)


def weekly(known=(), size=160):
    """A week that is known by its dates, two columns beside it, and noise."""
    rng = np.random.default_rng(0)
    days = np.datetime64("2024-01-01") + np.arange(size)
    week = 10.0 * (np.arange(size) % 7 == 5)
    values = np.stack([week + rng.normal(size=size), *rng.normal(size=(2, size))], axis=1)
    return datasets.Series(values, days, ("sales", "a", "b"), known=known)


def test_a_series_of_datasets_is_taken_as_it_is():
    model = quick().fit(weekly())
    assert model.predict().shape == (4, 1)
    assert model.scalers_[0].seasonal.cycles["sales"] == ("week",) and model.n_features_in_ == 3
    assert {"linear", "linear alone", "linear last alone"} < set(model.weights_)
    np.testing.assert_array_equal(model.predict(weekly()), model.predict())
    np.testing.assert_array_equal(model.predict(weekly().part(100)), model.predict())
    assert model.predict([weekly(), weekly().part(0, 50)]).shape == (2, 4, 1)
    assert model.score(weekly()) > 0.5
    with pytest.raises(ValueError, match="horizon: expected at most 4, as there are columns"):
        model.predict(horizon=5)


def test_its_known_columns_are_asked_for_the_steps_ahead(rng):
    one = weekly(known=("b",))
    model = quick(max_iter=5).fit(one.part(0, 150))
    future = one.future[150:154]
    found = model.predict(X=future)
    np.testing.assert_array_equal(model.predict(one.part(0, 150), future), found)
    assert (model.predict(X=future + 9) != found).any()
    with pytest.raises(ValueError, match="X: expected exogenous columns, as in fit, got None"):
        model.predict()
    with pytest.raises(ValueError, match="X: expected 4 rows, got 3"):
        model.predict(X=future[:3])
    with pytest.raises(ValueError, match=r"X: expected None with a datasets\.Series"):
        quick().fit(one, one.future)


def test_a_back_test_takes_it_as_a_forecaster():
    one = weekly(known=("b",), size=200)
    model = quick(horizon=7).fit(one.part(0, 165))
    ours = datasets.backtest(
        lambda history, horizon, future: model.predict(history, future), one, 7, folds=5
    )
    naive = datasets.backtest(datasets.baselines.seasonal_naive(), one, 7, folds=5)
    assert ours.measures["mae"] < naive.measures["mae"]


def test_another_kind_than_in_fit_is_refused():
    model = quick().fit(weekly())
    with pytest.raises(TypeError, match=r"y: expected a datasets\.Series, as in fit"):
        model.predict(weekly().values)
    model = quick().fit(SEASON)
    with pytest.raises(TypeError, match="y: expected an array or a frame, as in fit"):
        model.predict(weekly())
    with pytest.raises(ValueError, match="y: expected columns as in fit"):
        quick(warm_start=True).fit(weekly()).fit(weekly(known=("b",)))


def test_the_season_of_frames_goes_on_where_the_calendar_says():
    pd = pytest.importorskip("pandas")
    one = weekly()
    y = pd.Series(one.values[:, 0], pd.DatetimeIndex(one.time))
    model = quick(horizon=7).fit(y)
    saturday = np.argmax(model.predict())
    assert (y.index[-1] + pd.Timedelta(days=saturday + 1)).day_of_week == 5
    shorter = model.predict(y[:157])  # three days before
    assert (y.index[156] + pd.Timedelta(days=int(np.argmax(shorter)) + 1)).day_of_week == 5
    assert model.predict(y[-30:]).argmax() == saturday
    with pytest.raises(ValueError, match="y: expected times, as in fit, whose season is known"):
        model.predict(y.to_numpy())
    plain = quick(horizon=7, deseasonalize=False).fit(y)
    assert not plain.scalers_[0].seasonal.found
    np.testing.assert_array_equal(plain.predict(y.to_numpy()), plain.predict())


def test_another_step_in_time_than_in_fit_is_refused():
    daily, hours = weekly(), np.datetime64("2024-01-01T00") + np.arange(160)
    hourly = datasets.Series(daily.values, hours, daily.names)
    model = quick().fit(daily)
    assert model.scalers_[0].seasonal.found
    message = "expected a step of 1 day, as in fit, got 1 hour"
    for refused in (model.predict, model.score, model.predict_interval):
        with pytest.raises(ValueError, match=f"^y: {message}"):
            refused(hourly)
    with pytest.raises(ValueError, match=rf"^y\[1\]: {message}"):
        model.predict([daily, hourly])
    with pytest.raises(ValueError, match=r"^y\[1\]: expected a step of 1 day, as another series"):
        quick().fit([daily, hourly])
    expected = model.predict()
    with pytest.raises(ValueError, match=message):
        model.set_params(warm_start=True).fit(hourly)
    np.testing.assert_array_equal(model.predict(), expected)


def test_frames_of_another_step_are_refused_and_short_parts_of_the_same_are_not():
    pd = pytest.importorskip("pandas")
    y = weekly().values[:, 0]
    business = pd.Series(y, pd.bdate_range("2024-01-01", periods=160))
    model = quick(window=5).fit(business)
    assert model._frequency.unit == "B"
    for n in range(100, 110):  # five rows of one week look like days
        assert model.predict(business[n : n + 5]).shape == (4,)
    with pytest.raises(ValueError, match=r"^y: expected a step of 1 business day, as in fit"):
        model.predict(pd.Series(y, pd.date_range("2024-01-01", periods=160)))
    months = pd.Series(y, pd.date_range("2004-01-31", periods=160, freq="ME"))
    model = quick(window=4).fit(months)
    for n in range(100, 113):
        assert model.predict(months[n : n + 4]).shape == (4,)


def test_steps_of_plain_numbers_are_of_one_size():
    one = weekly()
    numbers = [datasets.Series(one.values, step * np.arange(160), one.names) for step in (1, 2)]
    with pytest.raises(ValueError, match="expected a step of 1 step, as in fit, got 2 steps"):
        quick().fit(numbers[0]).predict(numbers[1])
    later = datasets.Series(one.values, 7.0 + np.arange(160), one.names)
    assert quick().fit(numbers[0]).predict(later).shape == (4, 1)
