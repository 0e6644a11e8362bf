"""How a forecaster learns from windows: scales, parts, members and their weights."""

from __future__ import annotations

import numpy as np
import pytest

pytest.importorskip("sklearn")

from numba_lstm.datasets import Series
from numba_lstm.estimators import LSTMForecaster
from numba_lstm.training.linear_forecasts import solve_linear

SMALL = {
    "hidden_size": 16,
    "learning_rate_init": 0.01,
    "max_iter": 2,
    "random_state": 0,
    "n_estimators": 1,
}

pytestmark = pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")

TIME = np.arange(160)
SEASON = np.sin(2 * np.pi * TIME / 8) + 0.02 * TIME


def quick(**options):
    return LSTMForecaster(**{"horizon": 4, "window": 12, **SMALL, **options})


def test_the_scale_is_that_of_the_part_that_trains():
    y = np.concatenate([SEASON[:80], SEASON[:20] + 1000.0])
    model = quick(early_stopping=True, validation_fraction=0.2, refit=False).fit(y)
    np.testing.assert_allclose(model.scalers_[0].scaler.mean, SEASON[:80].mean())
    assert len(model.validation_loss_curve_) == 2
    model.set_params(refit=True).fit(y)
    np.testing.assert_allclose(model.scalers_[0].scaler.mean, y.mean())


def test_the_window_is_found_where_it_is_not_given():
    assert quick(window="auto").fit(SEASON).window_ == 28
    assert quick(window="auto", horizon=20).fit(SEASON).window_ == 40
    assert quick(window="auto", horizon=1).fit(SEASON[:16]).window_ == 5


@pytest.mark.parametrize(
    "name, value",
    [
        ("horizon", 0),
        ("window", 0),
        ("normalize", "first"),
        ("normalize", True),
        ("deseasonalize", 1),
        ("linear", 1),
        ("n_estimators", 0),
        ("refit", "yes"),
        ("early_stopping", "often"),
        ("loss", "mae"),
        ("gaps", "some"),
    ],
)
def test_options_of_its_own_are_checked(name, value):
    with pytest.raises((TypeError, ValueError), match=name):
        quick(**{name: value}).fit(SEASON)


def test_options_that_are_changed_later_change_no_forecast():
    model = quick().fit(SEASON)
    expected = model.predict()
    model.set_params(horizon=9, window=3, normalize=None, quantiles=[0.5], linear=False)
    np.testing.assert_array_equal(model.predict(), expected)


def test_all_kinds_of_members_are_made_and_weighed():
    model = quick(n_estimators=2).fit(SEASON)
    assert list(model.weights_) == ["lstm", "lstm last", "linear", "linear last"]
    assert sum(model.weights_.values()) == pytest.approx(1)
    model = quick(normalize="last", cell="gru", early_stopping=False).fit(SEASON)
    assert model.weights_ == {"gru last": 0.5, "linear last": 0.5}
    assert len(model.module_.members) == 2
    model = quick(normalize=None, linear=False, n_estimators=3, early_stopping=False).fit(SEASON)
    assert model.weights_ == {"lstm": 1.0}
    np.testing.assert_allclose(model.module_.weights.numpy(), 1 / 3, rtol=1e-6)


def test_who_forecasts_a_linear_series_best_gets_the_weight():
    weights = quick().fit(SEASON).weights_  # after two epochs no network knows a thing
    assert weights["linear"] + weights["linear last"] > 0.9


def test_without_a_part_set_aside_all_weigh_alike():
    model = quick(early_stopping=False).fit(SEASON)
    assert set(model.weights_.values()) == {0.25} and model.validation_loss_curve_ is None
    short = quick().fit(SEASON[:18])  # too short to set a part aside
    assert set(short.weights_.values()) == {0.25}
    with pytest.raises(ValueError, match="and 4 more to validate on, got n_samples=18"):
        quick(early_stopping=True).fit(SEASON[:18])


@pytest.mark.parametrize("kind", ["series", "frames"])
def test_series_with_times_are_cut_at_one_date(kind, monkeypatch):
    """What one trains on is before what any other validates."""
    days = np.datetime64("2024-01-01") + np.arange(160)
    parts = [(0, 160), (0, 110), (0, 150), (60, 160)]
    if kind == "series":
        y = [Series(SEASON[a:b, None], days[a:b], ("y",), id=str(a + b)) for a, b in parts]
    else:
        pd = pytest.importorskip("pandas")
        y = [pd.Series(SEASON[a:b], pd.DatetimeIndex(days[a:b])) for a, b in parts]
    model, taken = quick(deseasonalize=False), []
    batches = LSTMForecaster._batches

    def kept(self, reading, held, shuffle):
        taken.append(batches(self, reading, held, shuffle))
        return taken[-1]

    monkeypatch.setattr(LSTMForecaster, "_batches", kept)
    model.fit(y)
    train, valid = taken[0]
    first = np.array([a for a, _ in parts])

    def day(batches, ahead):
        which = batches.rows.series_of(batches.origins)
        return batches.origins - batches.rows.starts[which] + first[which] + ahead

    # The series of middle length, 130 rows, has a fifth, 26.
    assert day(train, 3).max() == 133 and day(valid, 0).min() == 134
    assert set(valid.rows.series_of(valid.origins).tolist()) == {0, 2, 3}
    np.testing.assert_allclose(model._scaling.fitted[1].scaler.mean, SEASON[:110].mean())


def test_series_without_times_are_cut_each_at_its_own_end():
    model = quick()
    model.fit([SEASON, SEASON[:100]])
    reading = model._read(False, [SEASON, SEASON[:100]], None)
    assert reading.dates is None and model._held_out(reading, False).tolist() == [32, 20]


def test_a_series_that_is_too_short_is_named():
    with pytest.raises(ValueError, match=r"y\[1\]: expected at least window \+ horizon = 16 rows"):
        quick().fit([SEASON, SEASON[:15]])


def test_the_second_fit_learns_from_all_rows_for_the_best_epochs():
    model = quick(max_iter=30).fit(SEASON)
    first = quick(max_iter=30, refit=False).fit(SEASON)
    assert model.loss_curve_ == first.loss_curve_ and model.weights_ == first.weights_
    assert (model.predict() != first.predict()).any()


def test_errors_stay_in_the_units_of_each_series_when_all_is_trained_anew():
    """The scale of all rows is another one than that of the part that trained."""
    y = [SEASON, SEASON**3 + 5]
    found = []
    for refit in (False, True):
        model = quick(refit=refit).fit(y)
        scales = np.repeat([one.scaler.scale[0] for one in model.scalers_], 29)
        found.append(model._errors[..., 0] * scales[:, None])
    np.testing.assert_allclose(*found, rtol=1e-6)
    assert abs(scales[0] / SEASON[:128].std() - 1) > 0.05


def test_a_second_fit_that_is_interrupted_leaves_the_first(monkeypatch):
    expected = quick(refit=False).fit(SEASON)

    def interrupted(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(LSTMForecaster, "_learn_again", interrupted)
    model = quick()
    with pytest.raises(KeyboardInterrupt):
        model.fit(SEASON)
    np.testing.assert_array_equal(model.predict(), expected.predict())


def test_a_fit_that_is_refused_changes_nothing():
    model = quick().fit(SEASON)
    expected = model.predict()
    for bad in (SEASON[:3], np.full(160, np.nan), np.ones((160, 2))):
        with pytest.raises(ValueError):
            model.set_params(warm_start=True).fit(bad)
    np.testing.assert_array_equal(model.predict(), expected)


def test_a_seed_is_drawn_for_networks_and_order_and_nothing_else(monkeypatch):
    drawn = []
    seed = LSTMForecaster._seed
    monkeypatch.setattr(LSTMForecaster, "_seed", lambda self: drawn.append(seed(self)) or drawn[-1])
    quick(n_estimators=2, early_stopping=False).fit(SEASON)
    assert len(drawn) == 5  # four networks, and the order


def values(modules):
    """The parameters of modules, as they are now."""
    return [value.copy() for one in modules for value in one.state_dict().values()]


def changed(modules, before):
    return [(a != b).any() for a, b in zip(values(modules), before)]


def check_weights(model):
    """The module has the weights that are told of, and they sum to 1."""
    groups = model._members.groups
    told = [model.weights_[name] / len(group) for name, group in groups.items() for _ in group]
    np.testing.assert_allclose(model.module_.weights.numpy(), [one for one in told if one], 1e-6)
    assert sum(model.weights_.values()) == pytest.approx(1)
    members = [one for name, group in groups.items() if model.weights_[name] for one in group]
    assert all(a is b for a, b in zip(model.module_.members, members))


@pytest.mark.parametrize("early_stopping", [False, "auto"])
def test_partial_fits_train_the_networks_only(early_stopping):
    model = quick(early_stopping=early_stopping).fit(SEASON)
    networks, lines = model._members.together.members, model._members.lines.values()
    before, solved, weights = values(networks), values(lines), dict(model.weights_)
    for _ in range(3):
        model.partial_fit(SEASON + 1)
    assert all(changed(networks, before)) and not any(changed(lines, solved))
    assert model.weights_ == weights
    check_weights(model)
    with pytest.raises(ValueError, match="fit anew with early_stopping=True and warm_start=False"):
        model.predict_interval()


def test_a_fit_that_goes_on_knows_series_by_their_ids_and_else_scales_them_anew():
    def named(size, id):
        return Series(size * SEASON[:, None], TIME, ("y",), id=id)

    model = quick(deseasonalize=False).partial_fit([named(1, "a"), named(100, "b")])
    first = model.scalers_
    model.partial_fit([named(7, "b"), named(9, "c")])
    assert model.scalers_[0] is first[1]
    np.testing.assert_allclose(model.scalers_[1].scaler.scale, 9 * SEASON.std())
    assert model.predict().shape == (2, 4, 1)


def test_partial_fits_alone_make_a_model_whose_weights_are_alike():
    model = quick().partial_fit(SEASON).partial_fit(SEASON)
    assert set(model.weights_.values()) == {0.25} and model.n_iter_ == 2
    check_weights(model)


@pytest.mark.parametrize("refit, early_stopping", [(True, "auto"), (True, False), (False, False)])
def test_a_warm_start_keeps_the_weights_where_networks_may_know_all_rows(refit, early_stopping):
    model = quick(warm_start=True, refit=refit, early_stopping=early_stopping).fit(SEASON)
    networks, lines = model._members.together.members, model._members.lines
    before, weights = values(networks), dict(model.weights_)
    assert model.fit(2 * SEASON).weights_ == weights
    check_weights(model)
    assert all(changed(networks, before))
    # The linear forecasters are those of all rows, by the scale and the penalties of before.
    rows, _ = model._batches(model._read(False, 2 * SEASON, None), None, False)
    for name, line in lines.items():
        solved = values([line])
        solve_linear(line, rows, model._ridges[name])
        assert not any(changed([line], solved))
    with pytest.raises(ValueError, match="early_stopping: expected a fit that set a part aside"):
        model.set_params(early_stopping=True).fit(SEASON).predict_interval()


def test_a_warm_start_weighs_anew_on_rows_that_no_network_knows():
    model = quick(warm_start=True, refit=False, deseasonalize=False).fit(SEASON)
    networks = model._members.together.members
    errors, before = model._errors, values(networks)
    assert model.weights_["lstm"] + model.weights_["lstm last"] < 0.1
    rough = np.abs(np.sin(TIME * np.sqrt(TIME)))  # nothing that is linear tells it
    model.set_params(max_iter=20).fit(rough)
    assert all(changed(networks, before))  # though their weights were 0
    assert model.weights_["lstm"] + model.weights_["lstm last"] > 0.1
    check_weights(model)
    expected = [rough[t : t + 4] - model.predict(rough[:t]) for t in range(128, 157)]
    scale = model.scalers_[0].scaler.scale[0]
    np.testing.assert_allclose(model._errors[..., 0] * scale, expected, atol=1e-4)
    assert errors.shape == model._errors.shape and (errors != model._errors).any()
    assert model.predict_interval()[0].shape == (4,)


def test_a_fit_that_goes_on_from_the_second_training_goes_on_with_its_networks():
    model = quick(warm_start=True).fit(SEASON)
    assert model._seen
    module, last = model.module_, model.predict()
    model.set_params(max_iter=1, learning_rate_init=1e-9).fit(SEASON)
    assert model.module_ is module
    np.testing.assert_allclose(model.predict(), last, rtol=1e-4)
