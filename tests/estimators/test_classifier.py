"""The classifier: labels, probabilities, class weights, partial fits."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError

from numba_lstm import models
from numba_lstm.estimators import LSTMClassifier

SMALL = {"hidden_size": 8, "learning_rate_init": 0.03, "max_iter": 60, "random_state": 0}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


@pytest.mark.parametrize("cell", ["lstm", "gru", "rnn"])
@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
def test_every_cell_and_pooling_learns(cell, pooling, rng):
    X = rng.normal(size=(60, 6, 2))
    y = np.where(X[:, :, 0].mean(axis=1) > 0, "up", "down")
    model = LSTMClassifier(**SMALL, cell=cell, pooling=pooling).fit(X, y)
    assert model.score(X, y) > 0.9
    assert type(model.module_.rnn).__name__.lower() == cell and model.module_.pooling == pooling


def test_the_options_reach_the_network(ragged):
    X, y = ragged
    model = LSTMClassifier(
        [6, 4], num_layers=2, bidirectional=True, dropout=0.2, input_dropout=0.1,
        recurrent_dropout=0.3, max_iter=2, random_state=0,
    ).fit(X, y)  # fmt: skip
    assert isinstance(model.module_, models.SequenceClassifier)
    rnn = model.module_.rnn
    assert rnn.bidirectional and rnn.num_layers == 2 and rnn.recurrent_dropout == 0.3
    assert model.module_.dropout.p == 0.2 and rnn.input_dropout == 0.1
    assert model.module_.head.weight.shape == (2, 8)


def test_probabilities_sum_to_one_and_agree_with_labels(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL).fit(X, y)
    found = model.predict_proba(X)
    assert found.dtype == np.float64 and found.shape == (40, 2)
    np.testing.assert_allclose(found.sum(axis=1), 1.0, atol=1e-12)
    assert model.classes_.tolist() == ["down", "up"]
    np.testing.assert_array_equal(model.classes_[found.argmax(axis=1)], model.predict(X))
    np.testing.assert_allclose(np.exp(model.predict_log_proba(X)), found)


def test_before_fit_nothing_is_predicted():
    with pytest.raises(NotFittedError):
        LSTMClassifier().predict(np.ones((2, 3)))


def test_class_weights_are_weights_of_samples(ragged):
    X, y = ragged
    by_class = LSTMClassifier(**SMALL, class_weight={"up": 3.0}).fit(X, y)
    by_sample = LSTMClassifier(**SMALL).fit(X, y, np.where(y == "up", 3.0, 1.0))
    np.testing.assert_array_equal(by_class.predict_proba(X), by_sample.predict_proba(X))


def test_class_weights_multiply_weights_of_samples(ragged, rng):
    X, y = ragged
    weights = rng.uniform(0.5, 2.0, len(X))
    both = LSTMClassifier(**SMALL, class_weight={"up": 3.0}).fit(X, y, weights)
    product = LSTMClassifier(**SMALL).fit(X, y, weights * np.where(y == "up", 3.0, 1.0))
    np.testing.assert_array_equal(both.predict_proba(X), product.predict_proba(X))


def test_balanced_classes_count_alike(rng):
    X = np.ones((60, 3, 1)) + 0.01 * rng.normal(size=(60, 3, 1))
    y = (np.arange(60) % 6 == 0).astype(int)
    options = {**SMALL, "standardize": False}  # else the noise would be seen
    balanced = LSTMClassifier(**options, class_weight="balanced").fit(X, y)
    assert balanced.predict_proba(X)[:, 1].mean() == pytest.approx(0.5, abs=0.1)
    plain = LSTMClassifier(**options).fit(X, y)
    assert plain.predict_proba(X)[:, 1].mean() == pytest.approx(1 / 6, abs=0.06)


def test_a_class_of_weight_zero_is_not_trained_on(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL, class_weight={"up": 0.0, "down": 1.0}).fit(X, y)
    assert (model.predict(X) == "down").all() and len(model.classes_) == 2


def test_one_class_is_refused(ragged):
    X, _ = ragged
    with pytest.raises(ValueError, match="y: expected at least two classes, got one class, 7"):
        LSTMClassifier(**SMALL).fit(X, [7] * 40)


def test_numbers_that_are_no_labels_are_refused(ragged, rng):
    X, _ = ragged
    with pytest.raises(ValueError, match="Unknown label type"):
        LSTMClassifier(**SMALL).fit(X, rng.normal(size=40))


def test_partial_fits_are_epochs(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL)
    for epoch in range(1, 41):
        model.partial_fit(X, y, classes=["down", "level", "up"])
        assert model.n_iter_ == epoch == len(model.loss_curve_)
    assert model.score(X, y) > 0.9 and model.predict_proba(X).shape == (40, 3)
    assert model.loss_curve_[-1] < 0.5 * model.loss_curve_[0]


def test_partial_fits_keep_the_optimizer_and_the_scale(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL).partial_fit(X, y, classes=np.unique(y))
    optimizer, scaler = model._optimizer, model.x_scaler_
    model.partial_fit([one + 5 for one in X], y)
    assert model._optimizer is optimizer and model.x_scaler_ is scaler


@pytest.mark.parametrize(
    "options, classes, message",
    [
        ({}, None, "classes: expected all labels in the first partial_fit"),
        ({}, ["down", "level"], "y: expected labels of"),
        ({"early_stopping": True}, ["down", "up"], "early_stopping: expected False"),
        ({"class_weight": "balanced"}, ["down", "up"], "class_weight: expected a dict"),
    ],
)
def test_partial_fits_that_cannot_be_are_refused(ragged, options, classes, message):
    X, y = ragged
    with pytest.raises(ValueError, match=message):
        LSTMClassifier(**SMALL, **options).partial_fit(X, y, classes=classes)


def test_other_classes_than_before_are_refused(ragged):
    X, y = ragged
    model = LSTMClassifier(**{**SMALL, "max_iter": 2}, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="y: expected labels of"):
        model.fit(X, np.where(y == "up", "level", y))
    with pytest.raises(ValueError, match="classes: expected"):
        model.partial_fit(X, y, classes=["a", "b"])
    assert model.set_params(warm_start=False).fit(X, np.where(y == "up", "level", y)) is model
    assert model.classes_.tolist() == ["down", "level"]


def test_a_fit_that_is_refused_leaves_a_fitted_classifier_as_it_was(ragged):
    X, y = ragged
    model = LSTMClassifier(**{**SMALL, "max_iter": 3}).fit(X, y)
    expected, before = model.predict_proba(X), dict(vars(model))
    table = np.ones((40, 3))
    table[0, 0] = np.nan
    for wrong in ((X, ["up"] * 40), (table, y), (np.ones((40, 3)), y[:39]), (X, [1.5] * 40)):
        with pytest.raises(ValueError):
            model.fit(*wrong)
        assert vars(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), expected)
    assert set(model.predict(X)) <= {"down", "up"}


def test_a_first_partial_fit_that_is_refused_settles_no_classes(ragged):
    X, y = ragged
    model = LSTMClassifier(**SMALL)
    with pytest.raises(ValueError, match="y: expected labels of"):
        model.partial_fit(X, y, classes=["a", "b"])
    assert not hasattr(model, "classes_") and not hasattr(model, "n_features_in_")
    assert model.partial_fit(X, y, classes=["down", "up"]).classes_.tolist() == ["down", "up"]


@pytest.mark.parametrize("y", [[1, "a"] * 20, np.array([1, "a"] * 20, object)])
def test_labels_of_several_kinds_are_refused_by_name(ragged, y):
    with pytest.raises(TypeError, match="y: expected labels of one kind"):
        LSTMClassifier(**SMALL).fit(ragged[0], y)
    with pytest.raises(ValueError, match="y: "):
        LSTMClassifier(**SMALL).fit(ragged[0], np.array([1, None] * 20, object))


def test_the_score_is_the_share_told_right_of_labels_that_no_mask_hides(ragged):
    X, y = ragged
    model = LSTMClassifier(**{**SMALL, "max_iter": 3}).fit(X, y)
    right = model.predict(X) == y
    weights = np.arange(1.0, 41.0)
    assert model.score(X, y) == pytest.approx(right.mean())
    assert model.score(X, y, weights) == pytest.approx(np.average(right, weights=weights))
    with pytest.raises(TypeError, match=r"y: .*a masked array that hides values"):
        model.score(X, np.ma.masked_array(y, np.arange(40) < 3))
