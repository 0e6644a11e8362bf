"""Whole models as ONNX files."""

from __future__ import annotations

import numpy as np
import pytest
from export_tool import assert_near, proto, run, saved, shapes

from numba_lstm import models, nn

CELLS = ("lstm", "gru", "rnn")


def model_of(name, *sizes, **options):
    """One of the models, in evaluation."""
    return getattr(models, name)(*sizes, seed=1, **options).eval()


@pytest.mark.parametrize("cell", CELLS)
@pytest.mark.parametrize("tied", [False, True])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_language_model_gives_its_logits_and_states(cell, tied, batch_first, rng, tmp_path):
    sizes = (11, 6, 6, 2)
    model = models.LanguageModel(*sizes, dropout=0.5, tie_weights=tied, cell=cell, seed=1).eval()
    session = saved(model, tmp_path, batch_first=batch_first)
    names = ["hn", "cn"] if cell == "lstm" else ["hn"]
    state, feeds = None, {}
    for time, batch in ((5, 3), (1, 3), (9, 3)):
        tokens = rng.integers(0, 11, (time, batch))
        logits, state = model(tokens, state)
        given = tokens.T if batch_first else tokens
        found = run(session, tokens=given, **feeds)
        states = state if cell == "lstm" else (state,)
        turned = logits.swapaxes(0, 1) if batch_first else logits
        assert_near(found, {"logits": turned, **dict(zip(names, states))})
        feeds = {f"{name[0]}0": found[name] for name in names}


def test_tied_weights_are_stored_once(tmp_path):
    sizes = {}
    for tied in (False, True):
        saved(models.LanguageModel(50, 6, 6, tie_weights=tied, seed=1), tmp_path)
        stored = proto(tmp_path).graph.initializer
        sizes[tied] = [tuple(one.dims) for one in stored].count((50, 6))
    assert sizes == {False: 2, True: 1}


@pytest.mark.parametrize("pooling", ["last", "mean", "max"])
@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("bidirectional", [False, True])
@pytest.mark.parametrize("cell", CELLS)
def test_a_classifier_gives_its_logits(cell, bidirectional, batch_first, pooling, rng, tmp_path):
    options = {"bidirectional": bidirectional, "batch_first": batch_first, "pooling": pooling}
    model = model_of("SequenceClassifier", 4, [5, 7], 3, cell=cell, dropout=0.5, **options)
    check(model, "logits", rng, tmp_path)


@pytest.mark.parametrize("pooling", ["last", "mean", "max", None])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_regressor_gives_its_outputs(batch_first, pooling, rng, tmp_path):
    options = {"batch_first": batch_first, "pooling": pooling, "bidirectional": True}
    check(model_of("SequenceRegressor", 4, 5, 2, **options), "y", rng, tmp_path)


def check(model, name, rng, folder):
    """With and without lengths, one of them 0, in several sizes and both layouts."""
    for asked in (None, not model.batch_first):
        session = saved(model, folder, batch_first=asked)
        for time, batch in ((1, 1), (6, 3), (40, 2)):
            x = rng.standard_normal((batch, time, 4) if model.batch_first else (time, batch, 4))
            lengths = rng.integers(1, time + 1, batch)
            lengths[0] = 0
            for more in ({}, {"lengths": lengths}):
                want = model(x, **more)
                if asked is not None:
                    want = want.swapaxes(0, 1) if want.ndim == 3 else want
                given = x if asked is None else x.swapaxes(0, 1)
                assert_near(run(session, x=given, **more), {name: want})


@pytest.mark.parametrize("future_size", [0, 2])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_forecaster_gives_the_steps_ahead(batch_first, future_size, rng, tmp_path):
    model = model_of(
        "Forecaster", 4, 5, 3, 7, future_size=future_size, batch_first=batch_first, cell="gru"
    )
    session = saved(model, tmp_path)
    for time, batch in ((1, 1), (6, 3)):
        shapes_ = (time, batch, 4), (7, batch, 2)
        x, future = (rng.standard_normal(shape) for shape in shapes_)
        if batch_first:
            x, future = x.swapaxes(0, 1), future.swapaxes(0, 1)
        feeds = {"x": x} | ({"future": future} if future_size else {})
        for more in ({}, {"lengths": rng.integers(0, time + 1, batch)}):
            want = model(x, feeds.get("future"), **more)
            assert_near(run(session, **feeds, **more), {"y": want})
    axes = ["batch", 7] if batch_first else [7, "batch"]
    assert shapes(proto(tmp_path).graph.output) == {"y": [*axes, 3]}


@pytest.mark.parametrize("targets", [1, 3])
@pytest.mark.parametrize("batch_first", [False, True])
def test_a_forecaster_counts_from_the_last_value(batch_first, targets, rng, tmp_path):
    options = {"normalize": "last", "targets": targets, "batch_first": batch_first}
    model = model_of("Forecaster", 4, 5, 3, 7, **options)
    session = saved(model, tmp_path)
    for time, batch in ((1, 1), (6, 3)):
        x = 10.0 + rng.standard_normal((batch, time, 4) if batch_first else (time, batch, 4))
        for more in ({}, {"lengths": rng.integers(0, time + 1, batch)}):
            found = run(session, x=x, **more)
            np.testing.assert_allclose(found["y"], model(x, **more), atol=4e-6)


@pytest.mark.parametrize("future_size", [0, 2])
@pytest.mark.parametrize("batch_first", [False, True])
def test_forecasters_are_put_together(batch_first, future_size, rng, tmp_path):
    options = {"future_size": future_size, "batch_first": batch_first, "targets": 2, "seed": 1}
    members = [
        models.Forecaster(4, 5, 6, 3, normalize=kind, cell="gru", **options)
        for kind in (None, "last")
    ]
    members += [
        models.LinearForecaster(4, 6, 3, 5, normalize=kind, reads=reads, **options)
        for kind, reads in ((None, None), ("last", 2))
    ]
    whole = models.Combination(members, [0.4, 0.3, 0.2, 0.1]).eval()
    for model in (whole, members[2], members[3]):
        axes = ("batch", "time", 4) if batch_first else ("time", "batch", 4)
        for time, batch in ((5, 1), (9, 3)):
            session = saved(model, tmp_path, shape=None if time == 5 else axes)
            x, future = rng.standard_normal((time, batch, 4)), rng.standard_normal((3, batch, 2))
            if batch_first:
                x, future = x.swapaxes(0, 1), future.swapaxes(0, 1)
            feeds = {"x": x} | ({"future": future} if future_size else {})
            assert_near(run(session, **feeds), {"y": model(x, feeds.get("future"))})


@pytest.mark.parametrize("batch_first", [False, True])
def test_rows_that_a_linear_forecaster_needs_are_no_size_that_varies(batch_first, tmp_path):
    options = {"batch_first": batch_first, "seed": 1}
    network = models.Forecaster(2, 3, 1, 4, **options)
    lines = [models.LinearForecaster(2, 1, 4, window, **options) for window in (5, 8)]
    for model, steps in (
        (lines[0], 5),
        (models.Combination([network, *lines]), 8),
        (models.Combination([network]), "time"),
    ):
        session = saved(model.eval(), tmp_path)
        expected = ["batch", steps, 2] if batch_first else [steps, "batch", 2]
        assert session.get_inputs()[0].shape == expected
    x = np.zeros((3, 4, 2) if batch_first else (4, 3, 2), "float32")
    with pytest.raises(Exception, match=r"Got: 4 Expected: 5"):
        saved(lines[0], tmp_path).run(None, {"x": x})
    short = (3, 4, 2) if batch_first else (4, 3, 2)
    with pytest.raises(ValueError, match=r"^shape: expected at least window=5 steps, .*, got 4$"):
        saved(lines[0], tmp_path, shape=short)


def test_a_model_stands_among_other_modules(rng, tmp_path):
    model = nn.Sequential(model_of("SequenceClassifier", 4, 5, 3), nn.Sigmoid())
    x = rng.standard_normal((6, 3, 4))
    assert_near(run(saved(model, tmp_path), x=x, lengths=[6, 2, 4]), {"y": model(x, [6, 2, 4])})
    with pytest.raises(ValueError, match=r"^0: expected future_size=0 inside another module"):
        saved(nn.Sequential(model_of("Forecaster", 4, 5, 1, 2, future_size=1)), tmp_path)


def test_what_the_stack_of_a_model_has_that_onnx_has_not_is_refused(tmp_path):
    model = model_of("SequenceClassifier", 4, 5, 3, zoneout=0.1)
    with pytest.raises(ValueError, match=r"^rnn: expected LSTM without zoneout, got zoneout=0\.1"):
        saved(model, tmp_path)


@pytest.mark.parametrize("shape", [("time", 4, 5), (6, 4, 5)], ids=str)
@pytest.mark.parametrize("pooling", ["last", "mean"])
def test_a_classifier_of_a_fixed_batch_needs_no_lengths(shape, pooling, rng, tmp_path):
    model = model_of("SequenceClassifier", 5, 7, 3, pooling=pooling)
    session = saved(model, tmp_path, shape=shape)
    x, lengths = rng.standard_normal((6, 4, 5)), [6, 1, 2, 5]
    assert_near(run(session, x=x), {"logits": model(x)})
    assert_near(run(session, x=x, lengths=lengths), {"logits": model(x, lengths=lengths)})
