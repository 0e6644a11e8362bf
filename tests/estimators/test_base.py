"""What holds for every estimator: options, bits, threads, copies, scikit-learn's tools."""

from __future__ import annotations

import pickle
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

pytest.importorskip("sklearn")

import joblib
import sklearn
from sklearn.base import clone
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, TimeSeriesSplit, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import numba_lstm
from numba_lstm.estimators import LSTMClassifier, LSTMForecaster, LSTMRegressor
from numba_lstm.training import Diverged, step

SMALL = {
    "hidden_size": 8,
    "learning_rate_init": 0.03,
    "max_iter": 6,
    "random_state": 0,
    "dropout": 0.1,
}
KINDS = (LSTMClassifier, LSTMRegressor, LSTMForecaster)

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")


def data(kind):
    rng = np.random.default_rng(0)
    if kind is LSTMForecaster:
        return np.sin(np.arange(80) / 3.0)[:, None] + 0.1 * rng.normal(size=(80, 2)), None
    X = rng.normal(size=(40, 5, 2))
    return X, (X[:, -1, 0] > 0).astype(int)


def fitted(kind, **options):
    return kind(**{**SMALL, **options}).fit(*data(kind))


def predicted(model):
    X, _ = data(type(model))
    return model.predict_proba(X) if isinstance(model, LSTMClassifier) else model.predict(X)


@pytest.fixture(params=KINDS, ids=lambda kind: kind.__name__)
def kind(request):
    return request.param


def test_one_seed_gives_the_same_bits_on_any_number_of_threads(kind):
    threads = numba_lstm.get_num_threads()
    try:
        found = []
        for n in (1, threads):
            numba_lstm.set_num_threads(n)
            found.append(predicted(fitted(kind)))
    finally:
        numba_lstm.set_num_threads(threads)
    np.testing.assert_array_equal(*found)
    assert (predicted(fitted(kind, random_state=1)) != found[0]).any()


def test_numpys_global_generator_is_used_only_where_scikit_learn_would(
    kind, global_random_state_stays
):
    fitted(kind)
    fitted(kind, random_state=np.random.RandomState(3))


def test_several_threads_predict_at_once(kind):
    model = fitted(kind)
    expected = predicted(model)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: predicted(model), range(16)):
            np.testing.assert_array_equal(found, expected)


def test_copies_predict_to_the_bit(kind, tmp_path):
    model = fitted(kind)
    expected = predicted(model)
    joblib.dump(model, tmp_path / "model.joblib")
    copies = [
        pickle.loads(pickle.dumps(model)),
        joblib.load(tmp_path / "model.joblib"),
        joblib.load(tmp_path / "model.joblib", mmap_mode="r"),
    ]
    for copy in copies:
        np.testing.assert_array_equal(predicted(copy), expected)


def test_a_copy_goes_on_training_as_the_first_would(kind):
    model = kind(**SMALL)
    X, y = data(kind)
    about = {"classes": [0, 1]} if kind is LSTMClassifier else {}
    model.partial_fit(X, y, **about)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(
        predicted(model.partial_fit(X, y)), predicted(copy.partial_fit(X, y))
    )


def test_a_clone_has_the_options_and_nothing_else(kind):
    model = fitted(kind)
    twin = clone(model)
    assert twin.get_params() == model.get_params() and not hasattr(twin, "module_")


def test_a_warm_start_goes_on(kind):
    X, y = data(kind)
    model = fitted(kind, warm_start=True, dropout=0.0)
    first, module = list(model.loss_curve_), model.module_
    model.fit(X, y)
    assert model.module_ is module and model.loss_curve_[:6] == first and model.n_iter_ == 12
    assert model.loss_curve_[6] < first[0]
    cold = fitted(kind, dropout=0.0)
    cold.fit(X, y)
    assert cold.loss_curve_ == first


@pytest.mark.parametrize("solver", ["adam", "adamw", "sgd"])
@pytest.mark.parametrize("learning_rate", ["constant", "cosine"])
def test_every_solver_and_schedule_learns(solver, learning_rate):
    rate = {"sgd": 0.1}.get(solver, 0.03)
    model = fitted(
        LSTMClassifier, solver=solver, learning_rate=learning_rate, learning_rate_init=rate,
        max_iter=20, alpha=1e-4, dropout=0.0,
    )  # fmt: skip
    assert model.loss_curve_[-1] < 0.8 * model.loss_curve_[0]


def test_cosine_takes_smaller_steps_towards_the_end():
    def last_change(learning_rate):
        options = {"max_iter": 30, "n_iter_no_change": 30, "dropout": 0.0}
        model = fitted(LSTMRegressor, learning_rate=learning_rate, **options)
        return abs(model.loss_curve_[-1] - model.loss_curve_[-2])

    assert last_change("cosine") < 0.2 * last_change("constant")


def test_a_penalty_makes_weights_smaller():
    def size(alpha):
        model = fitted(LSTMRegressor, alpha=alpha, max_iter=30, n_iter_no_change=30)
        return sum(float(np.square(p.numpy()).sum()) for p in model.module_.parameters())

    assert size(40.0) < 0.5 * size(0.0)


@pytest.mark.parametrize("solver, decay", [("adam", 0.1), ("sgd", 0.1), ("adamw", 4.0)])
def test_the_penalty_is_divided_by_the_number_of_samples(solver, decay):
    model = LSTMRegressor(**SMALL, solver=solver, alpha=4.0).partial_fit(*data(LSTMRegressor))
    assert model._optimizer.param_groups[0]["weight_decay"] == pytest.approx(decay)


def test_training_stops_where_the_loss_no_longer_falls():
    X, y = data(LSTMRegressor)
    model = LSTMRegressor(**{**SMALL, "max_iter": 200}, tol=10.0, n_iter_no_change=3).fit(X, y)
    assert model.n_iter_ == 4 and model.validation_loss_curve_ is None


def test_an_end_before_the_loss_stands_is_warned_of():
    X, y = data(LSTMRegressor)
    with pytest.warns(ConvergenceWarning, match="max_iter=2 epochs"):
        LSTMRegressor(**{**SMALL, "max_iter": 2}).fit(X, y)


def test_verbose_tells_of_the_training_on_standard_error(capfd):
    fitted(LSTMRegressor, verbose=True)
    told = capfd.readouterr()
    first, *_, last = told.err.splitlines()
    assert told.out == "" and first.startswith("epoch 1 ") and last.startswith("epoch 6 ")
    assert "train loss" in first and "train loss" in last
    fitted(LSTMRegressor)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    "name, value",
    [
        ("hidden_size", 0),
        ("num_layers", 1.5),
        ("cell", "transformer"),
        ("bidirectional", "yes"),
        ("dropout", 1.5),
        ("standardize", None),
        ("solver", "lbfgs"),
        ("alpha", -1.0),
        ("batch_size", 0),
        ("batch_size", "all"),
        ("learning_rate", "adaptive"),
        ("learning_rate_init", np.nan),
        ("max_iter", 0),
        ("shuffle", "no"),
        ("random_state", "seed"),
        ("tol", -1.0),
        ("warm_start", 1),
        ("momentum", 1.0),
        ("clip", 0.0),
        ("early_stopping", "yes"),
        ("validation_fraction", 0.0),
        ("validation_fraction", 1.0),
        ("n_iter_no_change", 0),
    ],
)
def test_an_option_that_cannot_be_meant_is_refused_by_name(kind, name, value):
    message = "seed" if name == "random_state" else name
    with pytest.raises((TypeError, ValueError), match=message):
        fitted(kind, **{name: value})


def test_a_pipeline_scales_and_classifies_a_table():
    pd = pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = pd.DataFrame(rng.normal(size=(60, 5)), columns=list("abcde"))
    y = (X["e"] > 0).to_numpy()
    scaler = StandardScaler().set_output(transform="pandas")
    pipeline = make_pipeline(scaler, LSTMClassifier(**{**SMALL, "max_iter": 60}))
    assert pipeline.fit(X, y).score(X, y) > 0.9
    assert pipeline[-1].feature_names_in_.tolist() == list("abcde")


def test_set_output_to_polars_in_a_pipeline():
    pl = pytest.importorskip("polars")
    X = pl.DataFrame(np.random.default_rng(0).normal(size=(30, 3)), schema=["a", "b", "c"])
    pipeline = make_pipeline(StandardScaler(), LSTMRegressor(**SMALL)).set_output(
        transform="polars"
    )
    assert pipeline.fit(X, X["a"]).predict(X).shape == (30,)
    assert pipeline[-1].feature_names_in_.tolist() == ["a", "b", "c"]


def test_a_grid_search_over_a_pipeline_in_two_processes():
    X, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 2
    pipeline = make_pipeline(StandardScaler(), LSTMClassifier(**SMALL))
    grid = {"lstmclassifier__hidden_size": [4, 6], "lstmclassifier__cell": ["lstm", "gru"]}
    search = GridSearchCV(pipeline, grid, cv=2, n_jobs=2).fit(X, y)
    alone = GridSearchCV(pipeline, grid, cv=2).fit(X, y)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_score"], alone.cv_results_["mean_test_score"]
    )
    np.testing.assert_array_equal(search.predict_proba(X), alone.predict_proba(X))


def test_lists_of_sequences_are_cross_validated(ragged):
    X, y = ragged
    scores = cross_val_score(LSTMClassifier(**{**SMALL, "max_iter": 40}), X, y, cv=2)
    assert scores.shape == (2,) and scores.mean() > 0.6


def test_a_forecaster_is_cross_validated_in_order_of_time():
    y, _ = data(LSTMForecaster)
    exogenous = np.cos(np.arange(80) / 3.0)
    search = GridSearchCV(
        LSTMForecaster(horizon=2, window=6, **SMALL),
        {"cell": ["lstm", "gru"]},
        cv=TimeSeriesSplit(2),
    ).fit(y, exogenous)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()


def test_metadata_is_routed():
    X, y = np.random.default_rng(0).normal(size=(40, 5)), np.arange(40) % 2
    weights = np.linspace(0.5, 2.0, 40)
    with sklearn.config_context(enable_metadata_routing=True):
        model = LSTMClassifier(**SMALL).set_fit_request(sample_weight=True)
        model.set_score_request(sample_weight=True)
        routed = GridSearchCV(model, {"hidden_size": [4]}, cv=2).fit(X, y, sample_weight=weights)
    assert np.isfinite(routed.best_score_)
    direct = LSTMClassifier(**{**SMALL, "hidden_size": 4}).fit(X, y, weights)
    np.testing.assert_array_equal(routed.predict_proba(X), direct.predict_proba(X))


class Interrupts:
    """Raises what Ctrl-C would at a step of a fit."""

    def __init__(self, monkeypatch, at, error):
        take, self.steps = step.update, 0

        def update(*arguments):
            self.steps += 1
            if self.steps == at:
                raise error
            return take(*arguments)

        monkeypatch.setattr("numba_lstm.training.supervised.update", update)


@pytest.mark.parametrize("error", [KeyboardInterrupt(), Diverged("the loss is nan")])
def test_a_fit_that_is_cut_short_tells_of_its_epochs_and_keeps_the_best_weights(
    kind, error, monkeypatch
):
    options = {**SMALL, "dropout": 0.0, "max_iter": 40, "learning_rate_init": 0.3}
    options.update(early_stopping=True, validation_fraction=0.3, n_iter_no_change=40)
    options["batch_size"] = 8
    if kind is LSTMForecaster:  # of the first fit, and of the networks alone
        options.update(refit=False, linear=False, normalize="last")
    counted = Interrupts(monkeypatch, 0, error)
    whole = kind(**options).fit(*data(kind))
    curve = whole.validation_loss_curve_
    steps = counted.steps // whole.n_iter_
    monkeypatch.undo()
    end = next(n for n in range(3, 40) if int(np.argmin(curve[:n])) < n - 1)
    model = kind(**options)
    Interrupts(monkeypatch, end * steps + 1, error)
    with pytest.raises(type(error)):
        model.fit(*data(kind))
    monkeypatch.undo()
    assert model.validation_loss_curve_ == curve[:end] and model.n_iter_ == end
    assert model.loss_curve_ == whole.loss_curve_[:end] and model.best_loss_ == min(curve[:end])
    best = kind(**{**options, "max_iter": 1 + int(np.argmin(curve[:end]))}).fit(*data(kind))
    np.testing.assert_array_equal(predicted(model), predicted(best))


def test_a_fit_that_is_cut_short_before_an_epoch_has_none(kind, monkeypatch):
    model = fitted(kind)
    Interrupts(monkeypatch, 1, KeyboardInterrupt())
    with pytest.raises(KeyboardInterrupt):
        model.fit(*data(kind))
    assert model.loss_curve_ == [] and model.n_iter_ == 0
