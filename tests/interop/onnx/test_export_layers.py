"""Layers without a state, and Sequential, as ONNX files."""

from __future__ import annotations

import numpy as np
import pytest
from export_tool import assert_near, proto, run, saved, shapes

from numba_lstm import nn


@pytest.mark.parametrize(
    "module, options",
    [
        (nn.Linear(4, 3, seed=1), {}),
        (nn.Linear(4, 3, bias=False, seed=1), {}),
        (nn.LayerNorm(4, eps=0.1), {}),
        (nn.LayerNorm(4, bias=False), {}),
        (nn.LayerNorm(4, elementwise_affine=False), {}),
        (nn.ReLU(), {"shape": ("batch", 4)}),
        (nn.Tanh(), {"shape": ("batch", 4)}),
        (nn.Sigmoid(), {"shape": ("batch", 4)}),
        (nn.Identity(), {"shape": ("batch", 4)}),
        (nn.Dropout(0.5), {"shape": ("batch", 4)}),
        (nn.Sequential(nn.Dropout(0.5), nn.Linear(4, 6, seed=1), nn.ReLU(), nn.LayerNorm(6)), {}),
    ],
    ids=repr,
)
def test_layers_give_what_they_give_here(module, options, rng, tmp_path):
    for parameter in module.parameters():
        parameter[...] = rng.standard_normal(parameter.shape)
    session = saved(module, tmp_path, **options)
    for batch in (1, 5):
        x = 3 * rng.standard_normal((batch, 4))
        assert_near(run(session, x=x), {"y": module.eval()(x)})


def test_a_layer_takes_more_dimensions_where_the_shape_says_so(rng, tmp_path):
    module = nn.Sequential(nn.Linear(4, 6, seed=1), nn.LayerNorm((3, 6)))
    session = saved(module, tmp_path, shape=("n", "m", 3, 4))
    x = rng.standard_normal((2, 5, 3, 4))
    assert_near(run(session, x=x), {"y": module(x)})
    assert shapes(proto(tmp_path).graph.output) == {"y": ["n", "m", 3, 6]}


@pytest.mark.parametrize("affine", [True, False])
def test_layer_norm_of_float64_keeps_its_digits(affine, rng, tmp_path):
    reference = pytest.importorskip("onnx.reference")
    module = nn.LayerNorm((2, 4), elementwise_affine=affine, dtype="f8")
    for parameter in module.parameters():
        parameter[...] = rng.standard_normal(parameter.shape)
    if not affine:
        module = nn.Sequential(nn.Linear(4, 4, dtype="f8", seed=1), module)
    saved(module, tmp_path, shape=("batch", 2, 4))
    x = rng.standard_normal((5, 2, 4))
    (found,) = reference.ReferenceEvaluator(proto(tmp_path)).run(None, {"x": x})
    assert found.dtype == np.float64 and np.abs(found - module(x)).max() < 1e-13


def test_an_embedding_looks_tokens_up(rng, tmp_path):
    module = nn.Embedding(11, 4, padding_idx=0, seed=1)
    session = saved(module, tmp_path, shape=("time", "batch"))
    tokens = rng.integers(0, 11, (5, 3))
    assert_near(run(session, tokens=tokens), {"y": module(tokens)})


def test_softmax_over_any_axis(rng, tmp_path):
    for dim in (-1, 0, 1):
        module = nn.Sequential(nn.Linear(4, 6, seed=1), nn.Softmax(dim))
        x = rng.standard_normal((5, 3, 4))
        found = run(saved(module, tmp_path, shape=("a", "b", 4)), x=x)
        assert_near(found, {"y": module(x)})
    with pytest.raises(ValueError, match=r"batch_first: expected None with 1 over axis 1"):
        saved(module, tmp_path, shape=("a", "b", 4), batch_first=True)


@pytest.mark.parametrize("batch_first", [False, True])
def test_a_sequential_that_ends_in_a_recurrent_module_gives_its_states(batch_first, rng, tmp_path):
    module = nn.Sequential(
        nn.Linear(4, 6, seed=1), nn.Tanh(), nn.LSTM(6, 5, 2, batch_first=batch_first, seed=2)
    )
    session = saved(module, tmp_path)
    assert shapes(proto(tmp_path).graph.output) == {
        "y": ["batch", "time", 5] if batch_first else ["time", "batch", 5],
        "hn": [2, "batch", 5],
        "cn": [2, "batch", 5],
    }
    x = rng.standard_normal((6, 3, 4))
    y, (hn, cn) = module(x)
    assert_near(run(session, x=x), {"y": y, "hn": hn, "cn": cn})


def test_a_recurrent_module_passes_y_on_and_takes_lengths(rng, tmp_path):
    module = nn.Sequential(
        nn.Embedding(11, 4, seed=1), nn.GRU(4, 5, bidirectional=True, seed=2), nn.Linear(10, 3)
    )
    tokens = rng.integers(0, 11, (6, 3))
    expected = module(tokens, [6, 2, 4])
    session = saved(module, tmp_path)
    assert_near(run(session, tokens=tokens, lengths=[6, 2, 4]), {"y": expected})
    assert_near(run(session, tokens=tokens), {"y": module(tokens)})


@pytest.mark.parametrize(
    "modules, words",
    [
        ([nn.Linear(4, 3), nn.Linear(4, 3)], r"1: expected an input of shape \(…, 4\)"),
        ([nn.Linear(4, 3), nn.LayerNorm(4)], r"1: expected an input of shape \(…, 4\)"),
        ([nn.Linear(4, 3), nn.LSTM(4, 3)], r"1: expected an input of shape \(…, 4\)"),
    ],
)
def test_modules_that_do_not_fit_together_are_refused_by_their_place(modules, words, tmp_path):
    with pytest.raises(ValueError, match=rf"^{words}.*got \('\w+'.*3\)"):
        saved(nn.Sequential(*modules), tmp_path)


def test_floats_before_an_embedding_are_refused(tmp_path):
    module = nn.Sequential(nn.Linear(4, 3), nn.Embedding(11, 3))
    with pytest.raises(TypeError, match="1: expected tokens before Embedding, got floats"):
        saved(module, tmp_path)
