"""Graphs run whole: subgraphs, folded weights, threads, other dtypes, and clear refusals."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from lstm_tool import run_python
from onnx_graphs_tool import model_of, tensor
from onnx_nodes_tool import Node, make_model

from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
FLOAT, INT64 = onnx.TensorProto.FLOAT, onnx.TensorProto.INT64
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info


def lstm_arrays(seed=0, inputs=3, hidden=5):
    rng = np.random.default_rng(seed)
    w = rng.standard_normal((1, 4 * hidden, inputs)).astype(np.float32)
    r = rng.standard_normal((1, 4 * hidden, hidden)).astype(np.float32) * np.float32(0.3)
    return w, r


def x_of(t=4, b=2, inputs=3, seed=1):
    return np.random.default_rng(seed).standard_normal((t, b, inputs)).astype(np.float32)


def plain(w, r, opset=17):
    """An LSTM node in a graph of its own."""
    return model_of(
        [make_node("LSTM", ["x", "w", "r"], ["y", "h", "c"], hidden_size=r.shape[2])],
        [info("x", FLOAT, ["T", "B", w.shape[2]])],
        [info(name, FLOAT, None) for name in ("y", "h", "c")],
        [tensor("w", w), tensor("r", r)],
        opset=opset,
    )


def answer(x, w, r):
    return interop.session(plain(w, r)).run(None, {"x": x})


def test_inputs_and_outputs_are_told_as_onnxruntime_tells_them():
    onnxruntime = pytest.importorskip("onnxruntime")
    model = model_of(
        [make_node("Add", ["a", "b"], ["c"]), make_node("Shape", ["c"], ["n"])],
        [info("a", FLOAT, ["B", 3]), info("b", FLOAT, [None, 3])],
        [info("c", FLOAT, ["B", 3]), info("n", INT64, [2])],
    )
    theirs = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    ours = interop.session(model)
    for mine, other in (
        (ours.get_inputs(), theirs.get_inputs()),
        (ours.get_outputs(), theirs.get_outputs()),
    ):
        assert [tuple(one) for one in mine] == [(one.name, one.shape, one.type) for one in other]
    given = {"a": np.ones((2, 3), np.float32), "b": np.ones((2, 3), np.float32)}
    for names in (None, ["n"], ["n", "c"]):
        for one, other in zip(ours.run(names, given), theirs.run(names, given)):
            assert np.array_equal(one, other) and one.dtype == other.dtype


@pytest.mark.parametrize("form", ["path", "bytes", "proto"])
def test_a_session_takes_a_path_bytes_or_a_proto(form, tmp_path):
    model = plain(*lstm_arrays())
    before = model.SerializeToString()
    source = {"path": tmp_path / "a.onnx", "bytes": before, "proto": model}[form]
    if form == "path":
        source.write_bytes(before)
    assert np.array_equal(
        interop.session(source).run(["h"], {"x": x_of()})[0], answer(x_of(), *lstm_arrays())[1]
    )
    assert model.SerializeToString() == before  # the caller's is as it was


def chopped(w, r):
    """Nodes that make w and r of pieces, in several ways."""
    first, second = np.split(w[0].T, 2, axis=1)
    nodes = [
        make_node("Concat", ["w0", "w1"], ["wt"], axis=1),
        make_node("Transpose", ["wt"], ["w2"], perm=[1, 0]),
        make_node("Unsqueeze", ["w2", "axes"], ["w"]),
        make_node("Slice", ["rr", "from", "to", "along"], ["r1"]),
        make_node("Identity", ["r1"], ["r"]),
    ]
    long = np.concatenate([r, r], axis=1)
    arrays = {
        "w0": first, "w1": second, "axes": np.array([0]), "rr": long, "from": np.array([0]),
        "to": np.array([r.shape[1]]), "along": np.array([1]),
    }  # fmt: skip
    return nodes, [tensor(name, np.ascontiguousarray(value)) for name, value in arrays.items()]


def test_weights_reach_a_node_through_other_nodes_and_are_packed_once(monkeypatch):
    from numba_lstm.interop.onnx import layer

    made = []
    real = layer.make_module
    monkeypatch.setattr(layer, "make_module", lambda *a: made.append(1) or real(*a))
    w, r = lstm_arrays()
    nodes, tensors = chopped(w, r)
    session = interop.session(
        model_of(
            [*nodes, make_node("LSTM", ["x", "w", "r"], ["y", "h"], hidden_size=5)],
            [info("x", FLOAT, ["T", "B", 3])],
            [info("h", FLOAT, None)],
            tensors,
        )
    )
    for _ in range(3):
        (h,) = session.run(None, {"x": x_of()})
    assert len(made) == 1
    assert np.array_equal(h, answer(x_of(), w, r)[1])


def branches(w, r):
    """A node inside If inside If; its weights stand in the outermost graph."""
    out = [info("h1", FLOAT, None)]
    lstm = make_node("LSTM", ["x", "w", "r"], ["", "h1"], hidden_size=5, name="inner")
    run = onnx.helper.make_graph([lstm], "run", [], out)
    other = onnx.helper.make_graph(
        [make_node("Constant", [], ["h1"], value=tensor("v", np.zeros((1, 2, 5), np.float32)))],
        "zero",
        [],
        out,
    )
    inner = make_node("If", ["second"], ["h2"], then_branch=run, else_branch=other)
    outer_out = [info("h2", FLOAT, None)]
    then = onnx.helper.make_graph([inner], "then", [], outer_out)
    neg = make_node("Neg", ["start"], ["h2"])
    otherwise = onnx.helper.make_graph([neg], "else", [], outer_out)
    nodes, tensors = chopped(w, r)
    return model_of(
        [*nodes, make_node("If", ["first"], ["h"], then_branch=then, else_branch=otherwise)],
        [info("x", FLOAT, ["T", "B", 3]), info("first", onnx.TensorProto.BOOL, []),
         info("second", onnx.TensorProto.BOOL, []), info("start", FLOAT, None)],
        [info("h", FLOAT, None)],
        tensors,
    )  # fmt: skip


def test_nodes_inside_if_run_on_the_kernels_with_weights_from_outside(monkeypatch):
    from numba_lstm.interop.onnx import layer

    made = []
    real = layer.make_module
    monkeypatch.setattr(layer, "make_module", lambda *a: made.append(1) or real(*a))
    w, r = lstm_arrays()
    session = interop.session(branches(w, r))
    assert len(made) == 1
    given = {"x": x_of(), "first": True, "second": True, "start": np.ones((1, 2, 5))}
    assert np.array_equal(session.run(None, given)[0], answer(x_of(), w, r)[1])
    assert not session.run(None, given | {"second": False})[0].any()
    assert (session.run(None, given | {"first": False})[0] == -1).all()
    assert len(made) == 2  # that of `answer`; never inside a run


@pytest.mark.parametrize("kind", ["Loop", "Scan"])
def test_a_node_in_a_loop_steps_like_the_whole_sequence(kind):
    w, r = lstm_arrays()
    names = ["h0", "c0"]
    step = [
        make_node("Unsqueeze", ["xt", "axes"], ["xs"]),
        make_node("LSTM", ["xs", "w", "r", "", "", *names], ["", "h1", "c1"], hidden_size=5),
        make_node("Squeeze", ["h1", "axes"], ["out"]),
    ]
    states = [info(name, FLOAT, None) for name in names]
    after = [info(name, FLOAT, None) for name in ("h1", "c1", "out")]
    if kind == "Scan":
        body = onnx.helper.make_graph(step, "body", [*states, info("xt", FLOAT, None)], after)
        loop = make_node("Scan", ["hs", "cs", "x"], ["h", "c", "y"], body=body, num_scan_inputs=1)
    else:
        head = [make_node("Gather", ["x", "t"], ["xt"]), make_node("Identity", ["go"], ["on"])]
        stays = [info("t", INT64, []), info("go", onnx.TensorProto.BOOL, [])]
        step = [*head, *step]
        on = info("on", onnx.TensorProto.BOOL, [])
        body = onnx.helper.make_graph(step, "body", [*stays, *states], [on, *after])
        loop = make_node("Loop", ["count", "", "hs", "cs"], ["h", "c", "y"], body=body)
    zeros = np.zeros((1, 2, 5), np.float32)
    arrays = {"w": w, "r": r, "axes": np.array([0]), "hs": zeros, "cs": zeros, "count": np.array(4)}
    model = model_of(
        [loop],
        [info("x", FLOAT, ["T", "B", 3])],
        [info(name, FLOAT, None) for name in ("h", "c", "y")],
        [tensor(name, value) for name, value in arrays.items()],
    )
    h, c, y = interop.session(model).run(None, {"x": x_of()})
    whole, hn, cn = answer(x_of(), w, r)
    for one, other in ((h, hn), (c, cn), (y, whole[:, 0])):
        assert one.shape == other.shape
        assert np.abs(one - other).max() < 1e-6


def test_a_node_in_a_local_function_runs_on_the_kernels():
    w, r = lstm_arrays()
    function = onnx.helper.make_function(
        "own", "Layer", ["a", "b", "c"], ["h"],
        [make_node("LSTM", ["a", "b", "c"], ["", "h"], hidden_size=5, clip=0.5)],
        [onnx.helper.make_opsetid("", 17)],
    )  # fmt: skip
    model = model_of(
        [make_node("Layer", ["x", "w", "r"], ["h"], domain="own")],
        [info("x", FLOAT, ["T", "B", 3])],
        [info("h", FLOAT, None)],
        [tensor("w", w), tensor("r", r)],
        functions=[function],
    )
    (h,) = interop.session(model).run(None, {"x": x_of()})
    # ONNX's own LSTM ignores clip.
    assert np.abs(h - answer(x_of(), w, r)[1]).max() > 1e-2


def test_outputs_that_nobody_wants_are_no_inputs_of_later_nodes():
    w, r = lstm_arrays()
    model = model_of(
        [
            make_node("LSTM", ["x", "w", "r"], ["", "h", "c"], hidden_size=5),
            make_node("LSTM", ["x", "w", "r", "", "", "h", "c"], ["y"], hidden_size=5),
        ],
        [info("x", FLOAT, ["T", "B", 3])],
        [info("y", FLOAT, None)],
        [tensor("w", w), tensor("r", r)],
    )
    _, h, c = answer(x_of(), w, r)
    rest = model_of(
        [make_node("LSTM", ["x", "w", "r", "", "", "h", "c"], ["y"], hidden_size=5)],
        [info(name, FLOAT, None) for name in ("x", "h", "c")],
        [info("y", FLOAT, None)],
        [tensor("w", w), tensor("r", r)],
    )
    wanted = interop.session(rest).run(None, {"x": x_of(), "h": h, "c": c})[0]
    assert np.array_equal(interop.session(model).run(None, {"x": x_of()})[0], wanted)


def test_threads_share_a_session():
    session = interop.session(plain(*lstm_arrays()))
    inputs = [x_of(seed=seed, t=3 + seed % 5) for seed in range(24)]
    wanted = [session.run(None, {"x": x}) for x in inputs]
    with ThreadPoolExecutor(4) as pool:
        for got, want in zip(pool.map(lambda x: session.run(None, {"x": x}), inputs), wanted):
            assert all(np.array_equal(one, other) for one, other in zip(got, want))


FORKED = """
import threading, time
import numpy as np
import onnx
from forks_tool import child, wait
from onnx_graphs_tool import model_of, tensor
from numba_lstm.interop import onnx as interop
from numba_lstm.interop.onnx.preparing import General

FLOAT, info = onnx.TensorProto.FLOAT, onnx.helper.make_tensor_value_info
session = interop.session(model_of(
    [onnx.helper.make_node("Add", ["x", "k"], ["y"])],
    [info("x", FLOAT, ["T"]), info("k", FLOAT, ["T"])],
    [info("y", FLOAT, ["T"])],
    [tensor("k", np.ones(3, "f4"))],
))
begun, real = threading.Event(), General.without

def slow(self, given):
    begun.set()
    time.sleep(1)
    return real(self, given)

def run():
    x = np.arange(3, dtype="f4")
    assert session.run(None, {"x": x, "k": x})[0].tolist() == [0, 2, 4]

General.without = slow
thread = threading.Thread(target=run)
thread.start()
begun.wait()
General.without = real
ended = child(run)
thread.join()
wait(ended)
run()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_child_made_while_another_thread_prepares_a_session_runs_it():
    run_python(FORKED)


@pytest.mark.parametrize("dtype, bound", [("float64", 1e-12), ("float16", 2e-3)])
def test_other_floats_run_and_come_back_as_they_are(dtype, bound):
    w, r = (one.astype(dtype) for one in lstm_arrays())
    number = onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    model = model_of(
        [make_node("LSTM", ["x", "w", "r"], ["y"], hidden_size=5)],
        [info("x", number, ["T", "B", 3])],
        [info("y", number, None)],
        [tensor("w", w), tensor("r", r)],
    )
    x = x_of().astype(dtype)
    (y,) = interop.session(model).run(None, {"x": x})
    assert y.dtype == dtype
    (wanted,) = onnx.reference.ReferenceEvaluator(model).run(None, {"x": x})
    assert np.abs(y - wanted).max() < bound


def test_outputs_are_the_callers_own():
    model = model_of(
        [make_node("Unsqueeze", ["x", "axis"], ["same"]), make_node("Identity", ["k"], ["kept"])],
        [info("x", FLOAT, ["T"])],
        [info("same", FLOAT, None), info("kept", FLOAT, None)],
        [tensor("k", np.ones(3, np.float32)), tensor("axis", np.array([0]))],
    )
    session = interop.session(model)
    x = np.zeros(3, np.float32)
    for one in session.run(None, {"x": x}):
        one += 5
    assert not x.any()
    assert session.run(["kept"], {"x": x})[0].tolist() == [1, 1, 1]


def test_numpys_settings_of_errors_do_not_matter():
    model = model_of(
        [make_node("Sigmoid", ["x"], ["y"])], [info("x", FLOAT, [2])], [info("y", FLOAT, [2])]
    )
    with np.errstate(all="raise"):
        (y,) = interop.session(model).run(None, {"x": np.float32([-500, 500])})
    assert y.tolist() == [0, 1]


def test_wrong_inputs_are_refused_by_name():
    session = interop.session(plain(*lstm_arrays()))
    with pytest.raises(ValueError, match=r"input_feed: expected \['x'\], got \['x'\] missing"):
        session.run(None, {})
    with pytest.raises(ValueError, match=r"input_feed: expected \['x'\], got \['z'\]"):
        session.run(None, {"x": x_of(), "z": 1})
    with pytest.raises(ValueError, match=r"input 'x': expected shape \(T, B, 3\), got \(4, 2, 7\)"):
        session.run(None, {"x": x_of(inputs=7)})
    with pytest.raises(TypeError, match=r"input 'x': expected tensor\(float\), got complex"):
        session.run(None, {"x": x_of() + 1j})
    with pytest.raises(ValueError, match=r"output_names: expected some of .*got 'q'"):
        session.run(["q"], {"x": x_of()})
    assert session.run(["h"], {"x": x_of().astype("f8").tolist()})[0].dtype == np.float32


@pytest.mark.parametrize(
    "name, value, message",
    [
        ("sequence_lens", np.int32([9, 1]), "input sequence_lens: expected 0 to 5, got 9"),
        ("sequence_lens", np.int32([1]), r"input sequence_lens: expected integers of shape \(2,\)"),
        ("initial_h", np.zeros((1, 3, 4), "f4"), r"input initial_h: expected shape \(1, 2, 4\)"),
        ("initial_c", np.zeros((2, 4), "f4"), r"input initial_c: expected shape \(1, 2, 4\)"),
    ],
)
def test_what_a_node_cannot_take_is_refused_by_node_and_input(name, value, message):
    rng = np.random.default_rng(0)
    arrays = {
        "X": rng.standard_normal((5, 2, 3)),
        "W": rng.standard_normal((1, 16, 3)),
        "R": rng.standard_normal((1, 16, 4)),
    }
    arrays = {key: array.astype(np.float32) for key, array in arrays.items()} | {name: value}
    model = onnx.load_from_string(make_model(Node("LSTM", arrays, {}, 14)))
    for one in model.graph.input:
        one.type.tensor_type.ClearField("shape")
    session = interop.session(model)
    with pytest.raises(ValueError, match=f"node 'it' .LSTM.: {message}"):
        session.run(None, {"X": arrays["X"], name: value})


def test_an_operator_that_onnx_does_not_know_is_refused_by_name(tmp_path):
    model = model_of(
        [make_node("Strange", ["x"], ["y"], domain="own")],
        [info("x", FLOAT, [1])],
        [info("y", FLOAT, [1])],
    )
    path = tmp_path / "strange.onnx"
    onnx.save(model, path)
    with pytest.raises(
        ValueError, match=r"strange\.onnx: this graph cannot run whole: .*'Strange'"
    ):
        interop.session(path)


def test_an_operator_that_cannot_be_made_is_refused_by_file(tmp_path):
    model = model_of(
        [make_node("Concat", ["x", "x"], ["y"])],  # without its axis
        [info("x", FLOAT, [1])],
        [info("y", FLOAT, None)],
    )
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ValueError, match=r"odd\.onnx: "):
        interop.session(tmp_path / "odd.onnx").run(None, {"x": np.ones(1)})
    loop = make_node("Loop", ["", "", "x"], ["y"], body=3)  # which is no graph
    model = model_of([loop], [info("x", FLOAT, [1])], [info("y", FLOAT, None)])
    onnx.save(model, tmp_path / "odd.onnx")
    with pytest.raises(ValueError, match=r"odd\.onnx: this graph cannot run whole: "):
        interop.session(tmp_path / "odd.onnx")


def test_masked_arrays_that_hide_values_are_refused_by_input():
    session = interop.session(plain(*lstm_arrays()))
    hidden = np.ma.masked_greater(x_of(), 0)
    for value in (hidden, list(hidden)):
        with pytest.raises(TypeError, match=r"input 'x': .* masked array that hides values"):
            session.run(None, {"x": value})
    shown = np.ma.masked_array(x_of(), np.zeros(x_of().shape, bool))
    assert np.array_equal(session.run(["h"], {"x": shown})[0], session.run(["h"], {"x": x_of()})[0])


def test_tensors_of_torch_are_inputs_but_for_those_that_want_a_gradient():
    torch = pytest.importorskip("torch")
    session = interop.session(plain(*lstm_arrays()))
    x = torch.from_numpy(x_of()).bfloat16()
    (h,) = session.run(["h"], {"x": x})
    assert np.array_equal(h, session.run(["h"], {"x": x.float().numpy()})[0])
    with pytest.raises(TypeError, match=r"input 'x': expected real numbers, .*grad"):
        session.run(None, {"x": torch.from_numpy(x_of()).requires_grad_()})


def test_messages_name_the_file_whatever_inputs_are_given(tmp_path):
    model = model_of(
        [make_node("Gather", ["x", "at"], ["y"])],
        [info("x", FLOAT, [3]), info("at", INT64, [1])],
        [info("y", FLOAT, [1])],
        [tensor("at", np.array([1]))],
    )
    onnx.save(model, tmp_path / "gather.onnx")
    session = interop.session(tmp_path / "gather.onnx")
    x = np.float32([1, 2, 3])
    assert session.run(None, {"x": x}) == [2] and session.run(None, {"x": x, "at": [2]}) == [3]
    with pytest.raises(ValueError, match=r"gather\.onnx: ONNX's evaluator cannot run it"):
        session.run(None, {"x": x, "at": [9]})


def test_without_the_package_the_extra_is_named():
    code = (
        "import sys; sys.modules['onnx'] = None\n"
        "from numba_lstm.interop import onnx\n"
        "for use in (onnx.session, onnx.load):\n"
        "    try: use('a.onnx')\n"
        "    except ImportError as error: print(error)\n"
        "for use in (onnx.backend.prepare, onnx.backend.run_node, onnx.backend.run_model):\n"
        "    try: use(None, [])\n"
        "    except ImportError as error: print(error)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.count("pip install 'numba_lstm[onnx]'") == 5


def test_importing_the_room_imports_no_onnx():
    code = (
        "from numba_lstm.interop import onnx; import sys; print('numpy' in sys.modules, dir(onnx))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split()[0] == "False"
