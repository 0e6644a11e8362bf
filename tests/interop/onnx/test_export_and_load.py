"""What `save` writes `load` reads, to the bit, and `session` runs."""

from __future__ import annotations

import numpy as np
import pytest
from export_tool import TOLERANCE

from numba_lstm import models, nn
from numba_lstm.interop import onnx

pytest.importorskip("onnx")

STACKS = [
    nn.LSTM(5, 7, seed=1),
    nn.LSTM(5, 7, 2, bidirectional=True, peepholes=True, cell_clip=0.5, seed=1),
    nn.LSTM(5, 7, coupled=True, batch_first=True, seed=1),
    nn.GRU(5, [7, 3], batch_first=True, bidirectional=True, seed=1),
    nn.GRU(5, 7, bias=False, reset_after=False, seed=1),
    nn.RNN(5, 7, 3, nonlinearity="relu", seed=1),
    nn.LSTM(5, 7, dtype="f8", seed=1),
]
FORMS = [{}, {"optional": False}, {"lengths": False}, {"lengths": False, "states": False}]


@pytest.mark.parametrize("form", FORMS, ids=str)
@pytest.mark.parametrize("module", STACKS, ids=repr)
def test_a_module_comes_back_as_it_was(module, form, tmp_path):
    onnx.save(module, tmp_path / "model.onnx", **form)
    again = onnx.load(tmp_path / "model.onnx")
    assert repr(again) == repr(module) and again.dtype == module.dtype
    state = again.state_dict()
    assert list(state) == list(module.state_dict())
    for name, value in module.state_dict().items():
        assert np.array_equal(state[name], value), name


@pytest.mark.parametrize("form", [{}, {"states": False}], ids=str)
def test_initial_states_that_are_learnt_come_back(form, rng, tmp_path):
    module = nn.GRU(5, 7, 2, bidirectional=True, learn_initial_state=True, seed=1)
    for name, parameter in module.named_parameters():
        if name.startswith("h_0"):
            parameter[...] = rng.standard_normal(7)
    onnx.save(module, tmp_path / "model.onnx", **form)
    again = onnx.load(tmp_path / "model.onnx")
    assert again.learn_initial_state
    for name, value in module.state_dict().items():
        assert np.array_equal(again.state_dict()[name], value), name


@pytest.mark.parametrize("module", STACKS, ids=repr)
def test_a_session_runs_the_file_to_the_bit_with_whatever_is_given(module, rng, tmp_path):
    onnx.save(module, tmp_path / "model.onnx")
    session = onnx.session(tmp_path / "model.onnx")
    optional = [one.name for one in session.get_overridable_initializers()]
    pair = len(module.STATES) == 2
    directions = 2 if module.bidirectional else 1
    for time, batch in ((1, 2), (6, 3)):
        x = rng.standard_normal((batch, time, 5) if module.batch_first else (time, batch, 5))
        x, lengths = x.astype(module.dtype), rng.integers(0, time + 1, batch)
        parts = [
            [rng.standard_normal((directions, batch, n)).astype(module.dtype) for n in widths]
            for widths in module.widths
        ]
        feeds = dict(zip(optional[1:], [one for some in parts for one in some]))
        if len(optional) == 1 + len(parts):
            parts = [np.concatenate(some) for some in parts]
            feeds = dict(zip(optional[1:], parts))
        state = tuple(parts) if pair else parts[0]
        for given, states in (({}, None), (feeds, state)):
            for more in ({}, {"lengths": lengths}):
                (y,) = session.run(["y"], {"x": x, **given, **more})
                assert np.array_equal(y, module(x, states, **more)[0])


def test_whole_models_run_in_a_session(rng, tmp_path):
    path = tmp_path / "model.onnx"
    model = models.LanguageModel(11, 6, 6, 2, tie_weights=True, seed=1).eval()
    tokens = rng.integers(0, 11, (6, 3))
    onnx.save(model, path)
    logits, hn, cn = onnx.session(path).run(None, {"tokens": tokens})
    want, (h, c) = model(tokens)
    for got, one in zip((logits, hn, cn), (want, h, c)):
        assert np.abs(got - one).max() <= TOLERANCE

    for pooling in ("last", "mean", "max"):
        model = models.SequenceClassifier(4, 5, 3, bidirectional=True, pooling=pooling, seed=1)
        x, lengths = rng.standard_normal((6, 3, 4)).astype("f4"), [6, 0, 4]
        onnx.save(model, path)
        session = onnx.session(path)
        for more in ({}, {"lengths": np.array(lengths, np.int32)}):
            (logits,) = session.run(None, {"x": x, **more})
            assert np.abs(logits - model.eval()(x, **more)).max() <= TOLERANCE


def test_float64_runs_in_a_session_with_lengths(rng, tmp_path):
    module = nn.GRU(5, 7, 2, bidirectional=True, dtype="f8", seed=1)
    onnx.save(module, tmp_path / "model.onnx")
    x = rng.standard_normal((6, 3, 5))
    lengths = np.array([6, 0, 4], np.int32)
    y, _ = onnx.session(tmp_path / "model.onnx").run(None, {"x": x, "lengths": lengths})
    assert y.dtype == np.float64 and np.array_equal(y, module(x, lengths=lengths)[0])
