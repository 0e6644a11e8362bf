"""Linear layers and functions behind a stack are loaded with it; other heads are refused."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_graphs_tool import tensor
from onnx_stacks_tool import stack_model

from numba_lstm import models, nn
from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
FLOAT = onnx.TensorProto.FLOAT


def rnn(**options):
    return nn.LSTM(3, 5, num_layers=2, seed=0, **options)


@pytest.mark.parametrize(
    "model",
    [
        nn.Sequential(rnn(), nn.Linear(5, 4, seed=1)),
        nn.Sequential(rnn(bidirectional=True), nn.Linear(10, 4, seed=1), nn.ReLU(),
                      nn.Linear(4, 2, bias=False, seed=2), nn.Softmax()),
        nn.Sequential(rnn(batch_first=True), nn.Dropout(0.5), nn.Tanh(), nn.Linear(5, 4, seed=1)),
        nn.Sequential(nn.GRU(3, 5, learn_initial_state=True, seed=0), nn.Sigmoid()),
    ],
    ids=["linear", "deep", "batch first", "no linear"],
)  # fmt: skip
@pytest.mark.parametrize("lengths", [False, True])
def test_an_exported_model_of_a_stack_and_a_head_comes_back(model, lengths, tmp_path, rng):
    for parameter in model.parameters():
        parameter[...] = rng.uniform(-0.5, 0.5, parameter.shape)
    model.eval()
    interop.save(model, tmp_path / "model.onnx", lengths=lengths)
    loaded = interop.load(tmp_path / "model.onnx").eval()
    assert isinstance(loaded, nn.Sequential)
    x = rng.standard_normal((4, 4, 3)).astype("f4")
    for given in [None, [4, 2, 1, 3]][: 1 + lengths]:
        np.testing.assert_allclose(loaded(x, given), model(x, given), atol=1e-6)
    y, pullback = loaded.vjp(x)
    assert pullback(np.ones_like(y))[0].shape == x.shape


def test_a_regressor_comes_back_as_a_sequential_but_for_its_zeros_past_the_end(tmp_path, rng):
    regressor = models.SequenceRegressor(3, 5, 2, pooling=None, seed=0)
    interop.save(regressor, tmp_path / "model.onnx", lengths=False)
    x = rng.standard_normal((4, 4, 3)).astype("f4")
    found = interop.load(tmp_path / "model.onnx")(x)
    np.testing.assert_allclose(found, regressor.eval()(x), atol=1e-6)
    interop.save(regressor, tmp_path / "model.onnx")
    with pytest.raises(ValueError, match=r"expected recurrent layers, .* got Where"):
        interop.load(tmp_path / "model.onnx")


def with_head(*nodes, module=None, **arrays):
    """A stack whose y0 of the last layer goes through these nodes to y."""
    model = stack_model(module or rnn())
    last = model.graph.output[0].name
    for node in nodes:
        node.input[:] = [last if name == "stack" else name for name in node.input]
    model.graph.node.extend(nodes)
    model.graph.initializer.extend(tensor(name, value) for name, value in arrays.items())
    del model.graph.output[:]
    model.graph.output.append(info("y", FLOAT, None))
    return model


W, B = np.float32(np.arange(10).reshape(5, 2) / 10), np.float32([1, 2])


def test_a_bias_may_be_added_before_or_behind_and_in_two_parts(rng):
    x = rng.standard_normal((4, 2, 3)).astype("f4")
    wanted = rnn()(x)[0] @ W + 2 * B
    model = with_head(
        make_node("MatMul", ["stack", "w"], ["a"]),
        make_node("Add", ["b", "a"], ["c"]),
        make_node("Add", ["c", "b"], ["y"]),
        w=W,
        b=B,
    )
    loaded = interop.load(model)
    assert repr(loaded[1]) == repr(nn.Linear(5, 2))
    np.testing.assert_allclose(loaded(x), wanted, atol=1e-6)


@pytest.mark.parametrize("turned", [False, True])
def test_gemm_on_flat_rows_is_a_linear_layer(turned, rng):
    model = with_head(
        make_node("Reshape", ["stack", "flat"], ["rows"]),
        make_node("Gemm", ["rows", "w", "b"], ["a"], transB=int(turned)),
        make_node("Shape", ["stack"], ["shape"]),
        make_node("Slice", ["shape", "from", "to"], ["steps"]),
        make_node("Concat", ["steps", "wide"], ["back"], axis=0),
        make_node("Reshape", ["a", "back"], ["y"]),
        w=W.T if turned else W,
        b=B,
        flat=np.array([-1, 5]),
        wide=np.array([2]),
        **{"from": np.array([0]), "to": np.array([2])},
    )
    x = rng.standard_normal((4, 2, 3)).astype("f4")
    np.testing.assert_allclose(interop.load(model)(x), rnn()(x)[0] @ W + B, atol=1e-6)


def last_step():
    return with_head(
        make_node("Gather", ["stack", "end"], ["h"]),
        make_node("MatMul", ["h", "w"], ["y"], name="it"),
        w=W,
        end=np.array(-1),
    )


def from_the_end():
    return with_head(
        make_node("Slice", ["stack", "from", "to", "axis", "step"], ["h"]),
        make_node("MatMul", ["h", "w"], ["y"], name="it"),
        w=W,
        to=np.array([-(2**40)]),
        axis=np.array([0]),
        step=np.array([-1]),
        **{"from": np.array([-1])},
    )


def attention():
    return with_head(
        make_node("Transpose", ["stack"], ["t"], perm=[0, 2, 1]),
        make_node("MatMul", ["stack", "t"], ["y"], name="it"),
    )


def scaled():
    node = make_node("Mul", ["stack", "two"], ["y"], name="it")
    return with_head(node, two=np.float32(2))


def residual():
    return with_head(
        make_node("MatMul", ["stack", "w"], ["a"]),
        make_node("Add", ["a", "stack"], ["y"], name="it"),
        w=np.eye(5, dtype="f4"),
    )


def given_states():
    model = stack_model(rnn(), states="inputs")
    model.graph.node.append(make_node("Relu", [model.graph.output[0].name], ["z"]))
    del model.graph.output[:]
    model.graph.output.append(info("z", FLOAT, None))
    return model


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (last_step, r"node 'it' \(MatMul\): expected a head on y of all steps, \(3, 3, 2\) in a"),
        (from_the_end, r"node 'it' \(MatMul\): expected the head's layers on y, got something"),
        (attention, r"node 'it' \(MatMul\): expected recurrent layers, .* got MatMul"),
        (scaled, r"node 'it' \(Mul\): expected recurrent layers, .* got Mul"),
        (residual, r"node 'it' \(Add\): expected a bias \(5,\), got none that is constant"),
        (given_states, r"expected no initial states as inputs of a graph with a head"),
    ],
)
def test_other_heads_are_refused_by_node_and_say_what_can_be_had(make, words):
    with pytest.raises(ValueError, match=words) as caught:
        interop.load(make())
    assert "load(path, node=NAME) gives one of: node 'layer 0' (LSTM)" in str(caught.value)
    loaded = interop.load(make(), node="layer 1")
    assert loaded.outputs["Y"] and isinstance(loaded.module, nn.LSTM)
