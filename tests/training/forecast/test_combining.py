"""The forecasters that a run ends with come back from its files, or are refused in words."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from forecast_tool import write_csv

from numba_lstm.interop import safetensors
from numba_lstm.models import Forecaster, LinearForecaster
from numba_lstm.models.members import Members
from numba_lstm.training import load_forecaster
from numba_lstm.training.forecast import combining
from numba_lstm.training.forecast.combining import Combined, combine, weigh
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.forecast.prediction import predict, read_for
from numba_lstm.training.runs import session
from numba_lstm.training.runs.checkpoint import RunError
from numba_lstm.training.runs.options import merge_options
from numba_lstm.training.windowed import members as windowed

OPTIONS = {"time": "day", "target": "sales", "horizon": 5, "window": 10, "hidden": 4, "folds": 2,
           "networks": 1}  # fmt: skip


@pytest.fixture
def ended(tmp_path):
    """A run whose forecasters were put together, what they are, and its file."""
    path = write_csv(tmp_path / "d.csv", 90)
    config = merge_options(ForecastConfig, ("", {**OPTIONS, "data": str(path)}))
    trainer, run = session.start(config, tmp_path / "run")
    return run, combine(config, trainer.task.data, run), run.path / "linear.safetensors"


def changed(file, weights=None, **values):
    """Put another value first into arrays, and other weights beside them."""
    arrays, metadata = safetensors.load_with_metadata(file)
    for name, value in values.items():
        (key,) = (one for one in arrays if one == f"linear.{name}")
        arrays[key].flat[0] = value
    if weights is not None:
        parts = json.loads(metadata["weights"])
        told = weights if isinstance(weights, str) else json.dumps(weights)
        alone = (
            f'"network": {json.dumps(parts["network"])}, "linear": {json.dumps(parts["linear"])}'
        )
        metadata["weights"] = f'{{"model": {told}, {alone}}}' if told != "[1.0]" else told
    file.write_bytes(safetensors.serialized(arrays, metadata))


def test_weights_and_linear_forecasters_come_back(ended):
    run, combined, _ = ended
    loaded = load_forecaster(run.path)
    assert loaded.weights == combined.weights
    x = np.random.default_rng(0).standard_normal((10, 3, 1)).astype("f4")
    assert np.array_equal(loaded.model(x), combined.model(x))


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_linear_forecaster_with_nan_is_refused(ended, bad):
    run, _, file = ended
    changed(file, **{"head.weight": bad})
    words = "expected finite numbers, got infinity or NaN in linear.head.weight"
    with pytest.raises(RunError, match=rf"^{re.escape(str(file))}: .*{words}"):
        load_forecaster(run.path)


def test_a_window_that_the_file_has_not_is_refused_before_memory_is_taken(ended, monkeypatch):
    run, _, file = ended
    told = run.path / "data.json"
    told.write_text(json.dumps({**json.loads(told.read_text()), "window": 10**9}))

    def made(*args, **options):
        raise AssertionError("made before it was checked")

    monkeypatch.setattr(combining, "make_members", made)
    with pytest.raises(RunError, match=rf"^{re.escape(str(file))}: .*expected a model of"):
        load_forecaster(run.path)


def test_before_its_end_a_run_has_its_networks_alone(ended):
    run, combined, file = ended
    file.unlink()
    (run.path / "results.json").unlink(missing_ok=True)
    loaded = load_forecaster(run.path)
    assert set(loaded.weights) == {name for name in combined.weights if "lstm" in name}


@pytest.mark.parametrize(
    "weights",
    [
        *("NaN", "[" * 3000, "null", "{}", "[1.0]", '{"lstm": 1.0}'),
        *(
            {"lstm": 0.5},
            {"lstm": 2.0},
            {"lstm": -1.0},
            {"lstm": "1"},
            {"lstm": True},
            {"lstm": None},
        ),
        '{"lstm": NaN, "lstm last": 0, "linear": 0, "linear last": 0}',
    ],
)
def test_weights_are_numbers_from_0_that_sum_to_1(ended, weights):
    run, combined, file = ended
    before = file.read_bytes()
    if isinstance(weights, dict):
        weights = {**dict.fromkeys(combined.weights, 0.0), **weights}
    changed(file, weights)
    with pytest.raises(RunError, match=rf"^{re.escape(str(file))}: expected the run's linear fore"):
        load_forecaster(run.path)
    file.write_bytes(before)
    changed(file, {**dict.fromkeys(combined.weights, 0.0), "lstm": 0.25, "linear": 0.75})
    assert load_forecaster(run.path).weights["linear"] == 0.75


def test_forecasts_that_are_not_finite_are_an_error(ended):
    run, combined, file = ended
    weights = {**dict.fromkeys(combined.weights, 0.0), "linear": 1.0}
    changed(file, weights)
    loaded = load_forecaster(run.path)
    read = read_for(loaded, loaded.config.data, "input", {}, 10)
    for one in loaded.model.parameters():
        one[...] = 3e38
    with pytest.raises(FloatingPointError, match="the model's forecasts are not finite"):
        predict(loaded, read, {})


TRUTH = np.zeros((3, 20, 1))
#: What each kind says: the linear ones are better, alike to both sides.
SAID = {"lstm": 4.0, "lstm last": -9.0, "linear": 1.0, "linear last": -1.0}


@pytest.fixture
def members():
    networks = {name: [Forecaster(1, 4, 1, 3, seed=0)] for name in ("lstm", "lstm last")}
    lines = {name: LinearForecaster(1, 1, 3, 5, seed=0) for name in ("linear", "linear last")}
    return Members(networks, lines)


def test_networks_that_got_no_weight_are_weighed_by_themselves(members, monkeypatch):
    said = {id(one): SAID[name] for name, (one,) in members.groups.items()}
    monkeypatch.setattr(windowed, "outputs_of", lambda one, _: TRUTH + said[id(one)])
    monkeypatch.setattr(windowed, "targets_of", lambda _: TRUTH)
    monkeypatch.setattr(windowed, "weights_of", lambda _: None)
    weights, alone = weigh(windowed.Judge(members, None, None), members)
    assert weights == {"lstm": 0.0, "lstm last": 0.0, "linear": 0.5, "linear last": 0.5}
    # 0.7 * 4 - 0.3 * 9 = 0.1: neither is left out, nor has the worse one half.
    assert alone == pytest.approx(
        {"lstm": 0.7, "lstm last": 0.3, "linear": 0.5, "linear last": 0.5}
    )
    found = Combined.of(members, weights, alone)
    assert found.weights == weights and len(found.model.members) == 2
    np.testing.assert_allclose(found.network.weights.numpy(), [0.7, 0.3], rtol=1e-6)
    np.testing.assert_allclose(found.linear.weights.numpy(), [0.5, 0.5])
    assert list(found.linear.members) == list(members.lines.values())


def test_without_linear_forecasters_there_is_nothing_of_them_alone(members):
    networks = Members(members.networks, {})
    half = {"lstm": 0.5, "lstm last": 0.5}
    assert Combined.of(networks, half, half).linear is None
