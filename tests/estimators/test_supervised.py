"""What the classifier and the regressor share: fitting, weights, validation, prediction."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm.estimators import LSTMClassifier, LSTMRegressor

SMALL = {"hidden_size": 8, "learning_rate_init": 0.03, "max_iter": 15, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def test_each_sequence_is_predicted_as_if_it_were_alone(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL, pooling="mean").fit(X, y)
    together = model.predict_proba(X)
    alone = np.concatenate([model.predict_proba([one]) for one in X])
    np.testing.assert_allclose(together, alone, atol=1e-6)


def test_many_sequences_are_predicted_in_parts_in_their_order(ragged, monkeypatch):
    X, y = ragged
    model = LSTMClassifier(**SMALL).fit(X, y)
    expected = model.predict_proba(X)
    monkeypatch.setattr("numba_lstm.estimators.supervised.ROWS", 7)
    np.testing.assert_allclose(model.predict_proba(X), expected, atol=1e-6)


def test_a_sample_of_weight_zero_is_as_if_it_were_not_there(ragged):
    X, y = ragged
    some = np.arange(len(X)) % 3 > 0
    kept = [one for one, there in zip(X, some) if there]
    weighted = LSTMClassifier(**SMALL).fit(X, y, sample_weight=some.astype(float))
    without = LSTMClassifier(**SMALL).fit(kept, y[some], sample_weight=np.ones(len(kept)))
    np.testing.assert_array_equal(weighted.predict_proba(X), without.predict_proba(X))


def test_weights_times_a_number_change_nothing(ragged, rng):
    X, y = ragged
    weights = rng.uniform(0.5, 2.0, len(X))
    one = LSTMClassifier(**SMALL).fit(X, y, weights).predict_proba(X)
    ten = LSTMClassifier(**SMALL).fit(X, y, 8 * weights).predict_proba(X)
    np.testing.assert_allclose(one, ten, atol=1e-5)


def test_heavy_samples_are_learnt_at_the_cost_of_light_ones(rng):
    X = np.ones((60, 3, 1)) + 0.01 * rng.normal(size=(60, 3, 1))
    y = np.arange(60) % 2  # which nothing in X tells
    heavy = np.where(y == 1, 10.0, 1.0)
    model = LSTMClassifier(**SMALL, standardize=False).fit(X, y, heavy)
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(10 / 11, abs=0.05)


@pytest.mark.parametrize(
    "weights, message",
    [
        (np.zeros(40), "(?i)weight.*zero"),
        (-np.ones(40), "[Nn]egative"),
        (np.ones(39), "shape"),
        (np.full(40, np.nan), "NaN"),
    ],
)
def test_weights_that_cannot_be_meant_are_refused(ragged, weights, message):
    X, y = ragged
    with pytest.raises(ValueError, match=message):
        LSTMClassifier(**SMALL).fit(X, y, weights)


def test_the_scale_is_that_of_the_samples_that_train(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL, early_stopping=True, validation_fraction=0.25).fit(X, y)
    again = np.random.default_rng(np.random.RandomState(0).randint(2**31 - 1, size=4))
    train, valid = LSTMClassifier(early_stopping=True, validation_fraction=0.25)._split_of(
        y, int(again.integers(2**63))
    )
    assert len(valid) == 10 and sorted([*train, *valid]) == list(range(40))
    expected = np.concatenate([X[i] for i in train]).mean(axis=0)
    np.testing.assert_allclose(model.x_scaler_.mean, expected)
    everything = np.concatenate(X).mean(axis=0)
    assert np.abs(model.x_scaler_.mean - everything).max() > 1e-3


def test_weights_count_in_the_scale(ragged, rng):
    X, y = ragged
    weights = rng.uniform(0.1, 5.0, len(X))
    model = LSTMRegressor(**SMALL).fit(X, [one.sum() for one in X], weights)
    steps, by_step = np.concatenate(X), np.repeat(weights, [len(one) for one in X])
    np.testing.assert_allclose(model.x_scaler_.mean, np.average(steps, axis=0, weights=by_step))
    y = np.array([one.sum() for one in X])
    np.testing.assert_allclose(model.y_scaler_.mean, np.average(y, weights=weights))


def test_without_standardize_there_is_no_scale(ragged):
    X, y = ragged
    assert LSTMClassifier(**SMALL, standardize=False).fit(X, y).x_scaler_ is None


def test_early_stopping_keeps_the_best_weights(rng):
    X = rng.normal(size=(60, 4, 1))
    y = rng.integers(0, 2, 60)  # noise: validation gets worse while training gets better
    options = {
        **SMALL,
        "early_stopping": True,
        "validation_fraction": 0.3,
        "learning_rate_init": 0.1,
    }
    long = LSTMClassifier(**{**options, "max_iter": 60}, n_iter_no_change=8).fit(X, y)
    curve = long.validation_loss_curve_
    best = int(np.argmin(curve))
    assert best < len(curve) - 1 and long.best_loss_ == pytest.approx(min(curve))
    assert long.n_iter_ == len(curve) == len(long.loss_curve_) < 60
    short = LSTMClassifier(**{**options, "max_iter": best + 1}, n_iter_no_change=8).fit(X, y)
    np.testing.assert_array_equal(long.predict_proba(X), short.predict_proba(X))


def test_a_validation_part_has_some_of_each_class(rng):
    X, y = rng.normal(size=(40, 3, 1)), np.repeat([0, 1, 2, 3], 10)
    _, valid = LSTMClassifier(early_stopping=True, validation_fraction=0.2)._split_of(y, 0)
    assert np.bincount(y[valid]).tolist() == [2, 2, 2, 2]
    y[0] = 4  # a class of one sample cannot be in both parts
    LSTMClassifier(**{**SMALL, "max_iter": 1}, early_stopping=True).fit(X, y)


def test_one_sample_cannot_be_set_aside():
    with pytest.raises(ValueError, match="early_stopping: expected at least 2 samples"):
        LSTMRegressor(**SMALL, early_stopping=True).fit(np.ones((1, 3)), [1.0])


@pytest.mark.parametrize("y", [None, [0, 1]])
def test_targets_that_are_missing_are_refused(y):
    with pytest.raises(ValueError, match="y"):
        LSTMClassifier(**SMALL).fit(np.ones((3, 2)), y)


def test_frames_of_pandas_and_polars_give_what_arrays_give(rng):
    pd, pl = pytest.importorskip("pandas"), pytest.importorskip("polars")
    X, y = rng.normal(size=(30, 6)), np.arange(30) % 2
    names = [f"t{i}" for i in range(6)]
    expected = LSTMClassifier(**SMALL).fit(X, y, np.ones(30)).predict_proba(X)
    for frame, series in (
        (pd.DataFrame(X, columns=names), pd.Series),
        (pl.DataFrame(X, names), pl.Series),
    ):
        model = LSTMClassifier(**SMALL).fit(frame, series(y), series(np.ones(30)))
        np.testing.assert_array_equal(model.predict_proba(frame), expected)
        assert model.feature_names_in_.tolist() == names


def test_a_warm_start_sets_the_same_samples_aside(ragged, monkeypatch):
    parts = []
    split = LSTMClassifier._split_of

    def keeps(self, targets, seed):
        parts.append(split(self, targets, seed))
        return parts[-1]

    monkeypatch.setattr(LSTMClassifier, "_split_of", keeps)
    model = LSTMClassifier(**{**SMALL, "max_iter": 2}, early_stopping=True, warm_start=True)
    for _ in range(3):
        model.fit(*ragged)
    for train, valid in parts[1:]:
        np.testing.assert_array_equal(train, parts[0][0])
        np.testing.assert_array_equal(valid, parts[0][1])
    model.set_params(warm_start=False, random_state=1).fit(*ragged)
    assert set(parts[-1][1]) != set(parts[0][1])  # anew, with another seed


@pytest.mark.parametrize("kind", [LSTMClassifier, LSTMRegressor])
def test_values_that_a_mask_hides_are_refused_in_X_y_and_weights(kind, rng):
    X, y = rng.normal(size=(6, 4, 2)), np.arange(6) % 2
    hidden = np.ma.masked_greater(X, X.max() - 0.1)
    table = np.ma.masked_array(X[:, :, 0], X[:, :, 0] > 0)
    for wrong in (hidden, list(hidden), table, list(table)):
        with pytest.raises(TypeError, match=r"X.*: .*a masked array that hides values"):
            kind(**SMALL).fit(wrong, y)
    with pytest.raises(TypeError, match=r"y: .*a masked array that hides values"):
        kind(**SMALL).fit(X, np.ma.masked_equal(y, 1))
    with pytest.raises(TypeError, match=r"sample_weight: .*a masked array that hides values"):
        kind(**SMALL).fit(X, y, np.ma.masked_equal(y + 1.0, 1.0))
    kind(**{**SMALL, "max_iter": 1}).fit(np.ma.masked_array(X, False), y)  # nothing is hidden


@pytest.mark.parametrize("kind", [LSTMClassifier, LSTMRegressor])
def test_generators_are_refused_by_name(kind):
    X, y = np.ones((4, 3, 1)), [0, 1, 0, 1]
    with pytest.raises(TypeError, match=r"X: expected an array or a list, got .* generator"):
        kind(**SMALL).fit((one for one in X), y)
    with pytest.raises(TypeError, match=r"y: expected an array or a list, got .* generator"):
        kind(**SMALL).fit(X, (one for one in y))


def test_weights_whose_sum_is_not_finite_are_refused_by_name(ragged):
    X, y = ragged
    with pytest.raises(ValueError, match=r"sample_weight: .*at most 1e.100, got 1e.308"):
        LSTMClassifier(**SMALL).fit(X, y, np.full(len(X), 1e308))
    with pytest.raises(ValueError, match=r"class_weight: .*at most 1e.100, got 1e.308"):
        LSTMClassifier(**SMALL, class_weight={"up": 1e308}).fit(X, y)
    with pytest.raises(ValueError, match=r"sample_weight: .*1D"):
        LSTMClassifier(**SMALL).fit(X, y, np.ones((len(X), 1)))
