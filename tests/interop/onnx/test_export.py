"""`interop.onnx.save`: its arguments, what the file says of itself, and how it is written."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest
from export_tool import assert_near, proto, run, saved, shapes

import numba_lstm
from numba_lstm import nn
from numba_lstm.interop import onnx


def test_inputs_and_outputs_have_the_names_of_the_call_and_named_axes(tmp_path):
    session = saved(nn.LSTM(5, 7, 2, bidirectional=True, seed=1), tmp_path)
    graph = proto(tmp_path).graph
    states = [4, "batch", 7]
    assert shapes(graph.input) == {
        "x": ["time", "batch", 5],
        "lengths": ["batch"],
        "h0": states,
        "c0": states,
    }
    assert shapes(graph.output) == {"y": ["time", "batch", 14], "hn": states, "cn": states}
    assert all(one.doc_string for one in [*graph.input, *graph.output])
    assert [one.name for one in session.get_inputs()] == ["x"]
    optional = [one.name for one in session.get_overridable_initializers()]
    assert optional == ["lengths", "h0", "c0"]


def test_the_file_says_who_wrote_it_and_what_it_is(tmp_path):
    module = nn.GRU(5, 7, seed=1)
    saved(module, tmp_path, metadata={"vocabulary": "äb\n", "step": "600"})
    model = proto(tmp_path)
    assert (model.producer_name, model.producer_version) == ("numba_lstm", numba_lstm.__version__)
    assert model.doc_string == repr(module) and model.graph.name == "GRU"
    assert {one.key: one.value for one in model.metadata_props} == {
        "vocabulary": "äb\n",
        "step": "600",
    }
    assert [(one.domain, one.version) for one in model.opset_import] == [("", 22)]
    assert model.ir_version == 10


@pytest.mark.parametrize("opset", [18, 19, 20, 21, 22])
def test_every_opset_that_is_taken_runs(opset, rng, tmp_path):
    module = nn.LSTM(5, 7, 2, bidirectional=True, batch_first=True, peepholes=True, seed=1)
    session = saved(module, tmp_path, opset=opset)
    x = rng.standard_normal((3, 6, 5))
    y, (hn, cn) = module(x)
    assert_near(run(session, x=x), {"y": y, "hn": hn, "cn": cn})
    assert proto(tmp_path).opset_import[0].version == opset


def test_lengths_and_states_are_left_out_where_they_are_not_wanted(rng, tmp_path):
    module = nn.LSTM(5, 7, seed=1)
    x = rng.standard_normal((6, 3, 5))
    session = saved(module, tmp_path, lengths=False, states=False)
    graph = proto(tmp_path).graph
    assert list(shapes(graph.input)) == ["x"] and list(shapes(graph.output)) == ["y"]
    assert_near(run(session, x=x), {"y": module(x)[0]})
    # The node, what removes its axis of directions, and nothing else.
    assert [node.op_type for node in graph.node] == ["LSTM", "Squeeze"]


def test_what_is_not_optional_has_to_be_given(rng, tmp_path):
    module = nn.LSTM(5, 7, 2, seed=1)
    session = saved(module, tmp_path, optional=False)
    assert [one.name for one in session.get_inputs()] == ["x", "lengths", "h0", "c0"]
    x, lengths = rng.standard_normal((6, 3, 5)), [6, 2, 4]
    h0, c0 = rng.standard_normal((2, 2, 3, 7))
    y, (hn, cn) = module(x, (h0, c0), lengths)
    found = run(session, x=x, lengths=lengths, h0=h0, c0=c0)
    assert_near(found, {"y": y, "hn": hn, "cn": cn})
    with pytest.raises(ValueError, match="h0"):
        run(session, x=x, lengths=lengths, c0=c0)


@pytest.mark.parametrize("own", [False, True])
@pytest.mark.parametrize("asked", [False, True])
def test_the_layout_is_the_modules_own_or_the_one_asked_for(own, asked, rng, tmp_path):
    module = nn.LSTM(5, 7, 2, batch_first=own, seed=1)
    x = rng.standard_normal((6, 3, 5))  # (T, B, I)
    h0, c0 = rng.standard_normal((2, 2, 3, 7))
    y, (hn, cn) = module(x.swapaxes(0, 1) if own else x, (h0, c0), [6, 2, 4])
    y = y.swapaxes(0, 1) if own else y
    session = saved(module, tmp_path, batch_first=asked)
    given = x.swapaxes(0, 1) if asked else x
    found = run(session, x=given, lengths=[6, 2, 4], h0=h0, c0=c0)
    assert_near(found, {"y": y.swapaxes(0, 1) if asked else y, "hn": hn, "cn": cn})
    assert shapes(proto(tmp_path).graph.input)["x"][asked] == "time"


def test_sizes_may_be_fixed_or_called_otherwise(rng, tmp_path):
    module = nn.LSTM(5, 7, seed=1)
    x = rng.standard_normal((1, 1, 5))
    h0, c0 = rng.standard_normal((2, 1, 1, 7))
    session = saved(module, tmp_path, shape=(1, 1, 5))
    inputs = shapes(proto(tmp_path).graph.input)
    assert inputs == {"x": [1, 1, 5], "lengths": [1], "h0": [1, 1, 7], "c0": [1, 1, 7]}
    y, (hn, cn) = module(x, (h0, c0))
    assert_near(run(session, x=x, h0=h0, c0=c0), {"y": y, "hn": hn, "cn": cn})
    assert_near(run(session, x=x), dict(zip(["y", "hn", "cn"], [module(x)[0], *module(x)[1]])))

    session = saved(module, tmp_path, shape=(4, "N", 5))
    x = rng.standard_normal((4, 3, 5))
    y, (hn, cn) = module(x, None, [1, 4, 2])
    assert_near(run(session, x=x, lengths=[1, 4, 2]), {"y": y, "hn": hn, "cn": cn})
    assert shapes(proto(tmp_path).graph.output)["hn"] == [1, "N", 7]


def test_the_same_module_gives_the_same_bytes(tmp_path):
    for name in ("one", "two"):
        onnx.save(nn.LSTM(5, 7, seed=1), tmp_path / name)
    assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_subclass_is_its_base_unless_it_computes_something_else(rng, tmp_path):
    class Named(nn.LSTM):
        def __init__(self):
            super().__init__(5, 7, seed=1)

    class Doubled(nn.LSTM):
        def __call__(self, *args, **kwargs):
            y, state = super().__call__(*args, **kwargs)
            return 2 * y, state

    x = rng.standard_normal((6, 3, 5))
    y, (hn, cn) = Named()(x)
    assert_near(run(saved(Named(), tmp_path), x=x), {"y": y, "hn": hn, "cn": cn})
    with pytest.raises(TypeError, match="module: expected LSTM's own __call__, got that of Doub"):
        saved(Doubled(5, 7), tmp_path)


class Own(nn.Module):
    """A class that nobody knows how to write."""


@pytest.mark.parametrize(
    "module, error, words",
    [
        (Own(), TypeError, "^module: expected one of LSTM, .*, got Own"),
        (nn.Sequential(nn.Linear(3, 3), Own()), TypeError, "^1: expected one of .*, got Own"),
        (nn.ModuleList([nn.Linear(3, 3)]), TypeError, "got ModuleList"),
        (nn.Sequential(nn.Linear(5, 5), nn.LSTMCell(5, 7)), TypeError, "^1: .*got LSTMCell"),
        (nn.ReLU(), ValueError, "^shape: expected that of x, as no module of this ReLU"),
        ({"weight": 1}, TypeError, "^module: expected a Module, got dict"),
        (
            nn.Sequential(nn.Linear(5, 5), nn.Linear(5, 5, dtype="f8")),
            ValueError,
            "^module: expected parameters of one dtype, got float32 and float64",
        ),
        (
            nn.Sequential(nn.LSTM(5, 5), nn.LSTM(5, 5, batch_first=True)),
            ValueError,
            "^module: expected one batch_first of all its recurrent modules, got both",
        ),
    ],
    ids=["own", "inside", "list", "cell inside", "no size", "no module", "dtypes", "layouts"],
)
def test_a_module_that_cannot_be_written_is_refused_by_name(module, error, words, tmp_path):
    with pytest.raises(error, match=words):
        saved(module, tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "options, error, words",
    [
        ({"opset": 17}, ValueError, r"^opset: expected 18 to \d+, which onnx .* knows, got 17"),
        ({"opset": 999}, ValueError, "^opset: .*got 999"),
        ({"opset": "22"}, TypeError, "^opset: expected an integer"),
        ({"batch_first": 1}, TypeError, "^batch_first: expected True or False"),
        ({"lengths": None}, TypeError, "^lengths: expected True or False"),
        ({"states": "no"}, TypeError, "^states: expected True or False"),
        ({"optional": 0}, TypeError, "^optional: expected True or False"),
        ({"shape": (1, 1)}, ValueError, r"^shape: expected \(time, batch, 5\), got \(1, 1\)"),
        ({"shape": ("T", "B", 6)}, ValueError, r"^shape: expected \(time, batch, 5\)"),
        ({"shape": ("n", "n", 5)}, ValueError, "^shape: expected a name of its own"),
        ({"shape": (0, 1, 5)}, ValueError, r"^shape\[0\]: expected at least 1, got 0"),
        ({"shape": (1.5, 1, 5)}, TypeError, r"^shape\[0\]: expected an integer"),
        ({"shape": "TB"}, ValueError, "^shape: expected sizes and names"),
        ({"metadata": {"step": 3}}, TypeError, "^metadata: expected text by name, got 3"),
        ({"metadata": ["step"]}, TypeError, "^metadata: expected text by name, got list"),
    ],
    ids=str,
)
def test_arguments_that_cannot_be_meant_are_refused(options, error, words, tmp_path):
    with pytest.raises(error, match=words):
        saved(nn.LSTM(5, 7), tmp_path, **options)
    assert not list(tmp_path.iterdir())


def test_more_than_a_file_can_hold_is_refused_before_anything_is_copied(tmp_path, monkeypatch):
    from numba_lstm.interop.onnx import export

    pytest.importorskip("onnx")
    module = nn.LSTM(5, 7)
    monkeypatch.setattr(export, "_LARGEST", 1000)
    size = sum(one.numpy().nbytes for one in module.parameters())
    with pytest.raises(ValueError, match=f"module: expected less than 2 GB .*, got {size} bytes"):
        onnx.save(module, tmp_path / "model.onnx")


def test_a_file_is_replaced_whole_or_not_at_all(tmp_path, monkeypatch):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"old")
    with monkeypatch.context() as broken:
        broken.setattr(os, "fsync", lambda handle: os.write(-1, b""))
        with pytest.raises(OSError, match=r"model\.onnx"):
            saved(nn.LSTM(5, 7), tmp_path)
    with pytest.raises(ValueError, match="proj_size"):
        saved(nn.LSTM(5, 7, proj_size=3), tmp_path)
    assert path.read_bytes() == b"old"
    with pytest.raises(OSError, match=r"absent.model\.onnx"):
        onnx.save(nn.LSTM(5, 7), tmp_path / "absent" / "model.onnx")
    onnx.save(nn.LSTM(5, 7), path)
    assert path.read_bytes() != b"old" and list(tmp_path.iterdir()) == [path]


def test_without_onnx_the_error_says_what_to_install(monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r"pip install 'numba_lstm\[onnx\]'"):
        onnx.save(nn.LSTM(5, 7), tmp_path / "model.onnx")


def test_writing_leaves_the_module_as_it_was(tmp_path):
    module = nn.LSTM(5, 7, 2, dropout=0.5, seed=1).train()
    before, state = module.state_dict(), module.random_state()
    saved(module, tmp_path)
    assert module.training and module.random_state() == state
    for name, value in module.state_dict().items():
        assert np.array_equal(value, before[name])
