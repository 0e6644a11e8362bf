"""The regressor: numbers of a sequence, and of each of its steps."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.metrics import r2_score

from numba_lstm.estimators import LSTMRegressor

SMALL = {"hidden_size": 12, "learning_rate_init": 0.03, "max_iter": 60, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_one_number_a_sequence(rng):
    X = rng.normal(size=(80, 5, 2))
    y = 1000.0 + 50.0 * X[:, :, 0].mean(axis=1)  # far from 0: predictions have the targets' scale
    model = LSTMRegressor(**SMALL).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (80,) and predicted.dtype == np.float64
    assert model.score(X, y) > 0.9
    assert model.score(X, y) == pytest.approx(r2_score(y, predicted))


def test_several_numbers_a_sequence(rng):
    X = rng.normal(size=(80, 5, 2))
    y = np.stack([X[:, -1, 0], 100.0 * X[:, :, 1].mean(axis=1)], axis=1)
    model = LSTMRegressor(**SMALL).fit(X, y)
    assert model.predict(X).shape == (80, 2) and model.score(X, y) > 0.8
    column = LSTMRegressor(**{**SMALL, "max_iter": 2}).fit(X, y[:, :1])
    assert column.predict(X).shape == (80, 1)


def test_a_number_a_step(rng):
    X = rng.normal(size=(60, 6, 1))
    y = 3.0 * np.cumsum(X[:, :, 0], axis=1) + 7.0
    model = LSTMRegressor(**SMALL, return_sequences=True).fit(X, y)
    predicted = model.predict(X)
    assert predicted.shape == (60, 6) and model.score(X, y) > 0.8
    assert model.score(X, y) == pytest.approx(r2_score(y.ravel(), predicted.ravel()))


def test_several_numbers_a_step_of_sequences_of_different_lengths(rng):
    X = [rng.normal(size=(n, 2)) for n in rng.integers(2, 8, 50)]
    y = [np.stack([one[:, 0], one.sum(axis=1)], axis=1) for one in X]
    model = LSTMRegressor(**SMALL, return_sequences=True).fit(X, y)
    predicted = model.predict(X)
    assert [one.shape for one in predicted] == [one.shape for one in y]
    assert model.score(X, y) > 0.8
    flat = LSTMRegressor(**{**SMALL, "max_iter": 2}, return_sequences=True)
    flat.fit(X, [one[:, 0] for one in y])
    assert [one.shape for one in flat.predict(X)] == [(len(one),) for one in X]


def test_padding_of_steps_teaches_nothing(rng):
    X = [rng.normal(size=(n, 1)) for n in (2, 9)] * 8
    y = [np.full(len(one), 5.0) for one in X]
    y[0][0] = 5.5  # so that there is a variance
    model = LSTMRegressor(**SMALL, return_sequences=True, batch_size=16).fit(X, y)
    assert all(np.abs(one - 5.0).max() < 0.6 for one in model.predict(X))


def test_weights_of_samples_are_weights_of_their_steps(rng):
    X = [rng.normal(size=(n, 1)) for n in rng.integers(2, 6, 20)]
    y = [one[:, 0] for one in X]
    some = (np.arange(20) % 2).astype(float)
    options = {**SMALL, "max_iter": 5, "return_sequences": True}
    weighted = LSTMRegressor(**options).fit(X, y, some)
    kept = [i for i in range(20) if some[i]]
    without = LSTMRegressor(**options).fit([X[i] for i in kept], [y[i] for i in kept], np.ones(10))
    for one, other in zip(weighted.predict(X), without.predict(X)):
        np.testing.assert_array_equal(one, other)
    expected = without.score([X[i] for i in kept], [y[i] for i in kept])
    assert weighted.score(X, y, some) == pytest.approx(expected)


def test_huber_is_not_drawn_by_outliers(rng):
    X = np.ones((40, 2, 1))
    y = np.zeros(40) + 0.01 * rng.normal(size=40)
    y[:4] = 100.0
    fits = {
        loss: LSTMRegressor(**SMALL, loss=loss).fit(X, y).predict(X)[0]
        for loss in ("squared_error", "huber")
    }
    assert fits["squared_error"] == pytest.approx(10.0, abs=3.0)
    assert abs(fits["huber"]) < fits["squared_error"] - 3.0


@pytest.mark.parametrize(
    "options, y, message",
    [
        ({}, np.full(4, np.nan), "Input y contains NaN"),
        ({}, np.ones((4, 2, 2)), "dim 3|3 dim"),
        ({}, ["a"] * 4, "convert"),
        ({"loss": "cubic"}, np.ones(4), "loss: expected"),
        ({"pooling": None}, np.ones(4), "pooling: expected"),
        ({"return_sequences": 1}, np.ones(4), "return_sequences: expected True or False"),
        (
            {"return_sequences": True},
            np.ones((4, 2)),
            r"y\[0\]: expected 3 steps, as X\[0\] has, got 2",
        ),
    ],
)
def test_targets_that_do_not_fit_are_refused(options, y, message):
    with pytest.raises((TypeError, ValueError), match=message):
        LSTMRegressor(**SMALL, **options).fit(np.ones((4, 3, 1)), y)


def test_other_targets_than_before_are_refused(rng):
    X = rng.normal(size=(10, 3, 1))
    model = LSTMRegressor(**SMALL).partial_fit(X, X[:, 0, 0])
    with pytest.raises(ValueError, match="y: expected 1 targets, got 2"):
        model.partial_fit(X, X[:, :2, 0])


def test_targets_that_a_mask_hides_are_not_scored(rng):
    X = rng.normal(size=(10, 3, 1))
    model = LSTMRegressor(**{**SMALL, "max_iter": 2}).fit(X, X[:, 0, 0])
    with pytest.raises(TypeError, match=r"y: .*a masked array that hides values"):
        model.score(X, np.ma.masked_array(X[:, 0, 0], X[:, 0, 0] > 0))
