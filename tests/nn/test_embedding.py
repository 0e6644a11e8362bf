from __future__ import annotations

import copy
import pickle
import threading

import numpy as np
import pytest
from gradcheck import assert_close, check_vjp

from numba_lstm import reference
from numba_lstm.nn import LSTM, Embedding, Parameter


@pytest.mark.parametrize("shape", [(), (1,), (9,), (5, 7), (2, 3, 4), (0,), (3, 0)])
@pytest.mark.parametrize("V, E", [(1, 1), (7, 3), (70, 17), (128, 129)])
@pytest.mark.parametrize("dtype, tolerance", [("f4", 1e-6), ("f8", 1e-14)])
def test_output_and_gradient_equal_torch(rng, V, E, shape, dtype, tolerance):
    torch = pytest.importorskip("torch")
    ours = Embedding(V, E, padding_idx=V // 2, dtype=dtype, seed=0)
    theirs = torch.nn.Embedding(
        V, E, padding_idx=V // 2, dtype=getattr(torch, ours.weight.dtype.name)
    )
    theirs.load_state_dict({name: torch.tensor(v) for name, v in ours.state_dict().items()})
    tokens = rng.integers(0, V, shape)
    dy = rng.standard_normal((*shape, E)).astype(dtype)
    expected = theirs(torch.tensor(tokens))
    expected.backward(torch.tensor(dy))
    y, pullback = ours.vjp(tokens)
    assert y.dtype == dtype
    assert np.array_equal(y, expected.detach().numpy())
    assert np.array_equal(ours(tokens), y)
    assert pullback(dy) is None
    assert_close(ours.weight.grad, theirs.weight.grad.numpy(), tolerance)


def test_gradient_equals_differences(rng):
    check_vjp(Embedding(6, 5, dtype=np.float64, seed=0), rng.integers(0, 6, (4, 3)), rng=rng)


def test_gradients_of_several_calls_add_up(rng):
    layer = Embedding(9, 4, dtype=np.float64)
    expected = 0.0
    pulls = []
    for shape in [(5,), (2, 3), (0,)]:
        tokens, dy = rng.integers(0, 9, shape), rng.standard_normal((*shape, 4))
        pulls.append((layer.vjp(tokens)[1], dy))
        expected = expected + reference.embedding.embedding_backward(tokens, np.zeros((9, 4)), dy)
    for pullback, dy in pulls:
        pullback(dy)
    assert_close(layer.weight.grad, expected, 1e-14)


def test_no_addend_is_lost_between_threads():
    layer = Embedding(3, 1000, dtype=np.float32, seed=0)
    pulls = [layer.vjp([0, 1, 1])[1] for _ in range(40)]
    one = np.ones((3, 1000))
    threads = [
        threading.Thread(target=lambda k=k: [pull(one) for pull in pulls[k::4]]) for k in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert np.array_equal(layer.weight.grad, np.repeat([[40.0], [80.0], [0.0]], 1000, axis=1))


def test_results_do_not_depend_on_the_caller_afterwards(rng):
    layer = Embedding(5, 3, seed=0)
    tokens = np.array([1, 2])
    y, pullback = layer.vjp(tokens)
    w = layer.weight.numpy().copy()
    y[...] = 7
    tokens[...] = 0
    pullback(np.ones((2, 3)))
    assert layer.weight.grad.sum(axis=1).tolist() == [0, 3, 3, 0, 0]
    assert np.array_equal(layer.weight.numpy(), w)


def test_a_write_to_the_weight_shows_at_once():
    layer = Embedding(3, 2, seed=0)
    layer([1])
    layer.weight[1] = [5, 6]
    assert layer([1]).tolist() == [[5, 6]]


@pytest.mark.parametrize("given, stored", [(0, 0), (3, 3), (-1, 3), (-4, 0)])
def test_padding_starts_as_zeros_and_gets_no_gradient(given, stored):
    layer = Embedding(4, 3, given, seed=0)
    assert layer.padding_idx == stored
    norms = np.abs(layer.weight.numpy()).sum(axis=1)
    assert norms[stored] == 0 and (np.delete(norms, stored) > 0).all()
    layer.weight[stored] = 2.0
    y, pullback = layer.vjp([stored, (stored + 1) % 4])
    assert (y[0] == 2).all()
    pullback(np.full((2, 3), [[np.nan], [1.0]]))
    assert not layer.weight.grad[stored].any()
    assert (layer.weight.grad[(stored + 1) % 4] == 1).all()


@pytest.mark.usefixtures("global_random_state_stays")
def test_weights_are_standard_normal_and_come_from_the_seed():
    w = Embedding(300, 200, seed=0).weight.numpy()
    assert abs(w.mean()) < 0.02 and abs(w.std() - 1) < 0.02
    assert np.array_equal(Embedding(300, 200, seed=0).weight.numpy(), w)
    assert np.array_equal(Embedding(300, 200, seed=np.random.default_rng(0)).weight.numpy(), w)
    assert not np.array_equal(Embedding(300, 200, seed=1).weight.numpy(), w)


@pytest.mark.parametrize("tokens, error, message", [
    ([[0, 4]], ValueError, r"tokens: expected ids from 0 to 3, got 4 at index \(0, 1\)"),
    ([-1], ValueError, r"tokens: expected ids from 0 to 3, got -1 at index \(0\)"),
    ([0.0], TypeError, r"tokens: expected integers, got an array of float64"),
    ([True], TypeError, r"tokens: expected integers, got an array of bool"),
    ("the", TypeError, r"tokens: expected real numbers, got 'the'"),
    (None, TypeError, r"tokens: expected real numbers, got None"),
])  # fmt: skip
def test_wrong_tokens_are_refused_by_name(tokens, error, message):
    layer = Embedding(4, 3)
    for call in (layer, layer.vjp):
        with pytest.raises(error, match=f"^{message}"):
            call(tokens)


def test_a_refused_cotangent_adds_nothing_and_may_be_corrected():
    layer = Embedding(4, 3)
    _, pullback = layer.vjp([1, 2])
    with pytest.raises(ValueError, match=r"^dy: expected shape \(2, 3\), got \(3, 2\)"):
        pullback(np.ones((3, 2)))
    with pytest.raises(TypeError, match=r"^dy: expected real numbers, got "):
        pullback(["a"])
    assert layer.weight.grad is None
    pullback(np.ones((2, 3)))
    with pytest.raises(RuntimeError, match="called already"):
        pullback(np.ones((2, 3)))
    assert layer.weight.grad.sum() == 6


def test_a_cotangent_of_none_is_zero():
    layer = Embedding(4, 3)
    layer.vjp([1])[1](None)
    assert layer.weight.grad.shape == (4, 3) and not layer.weight.grad.any()


def test_a_frozen_weight_gets_no_gradient():
    layer = Embedding(4, 3)
    layer.weight.requires_grad = False
    layer.vjp([1])[1](np.ones((1, 3)))
    assert layer.weight.grad is None


@pytest.mark.parametrize("args, options, error, message", [
    ((0, 3), {}, ValueError, "num_embeddings: expected at least 1, got 0"),
    ((4, 0), {}, ValueError, "embedding_dim: expected at least 1, got 0"),
    ((4.0, 3), {}, TypeError, "num_embeddings: expected an integer, got 4.0"),
    ((4, True), {}, TypeError, "embedding_dim: expected an integer, got True"),
    ((4, 3, 4), {}, ValueError, "padding_idx: expected at most 3, got 4"),
    ((4, 3, -5), {}, ValueError, "padding_idx: expected at least -4, got -5"),
    ((4, 3), {"dtype": "i4"}, ValueError, "dtype: expected float32 or float64, got int32"),
    ((4, 3), {"seed": "x"}, TypeError, "seed: expected None, an integer or"),
])  # fmt: skip
def test_wrong_arguments_are_refused_by_name(args, options, error, message):
    with pytest.raises(error, match=f"^{message}"):
        Embedding(*args, **options)


@pytest.mark.parametrize("clone", [copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))])
def test_copies_are_independent(clone):
    layer = Embedding(4, 3, 1, seed=0)
    layer([0])
    twin = clone(layer)
    assert np.array_equal(twin([0, 1]), layer([0, 1])) and twin.padding_idx == 1
    twin.weight[...] = 0
    assert not twin([0]).any() and layer([0]).any()


def test_repr_is_torchs():
    torch = pytest.importorskip("torch")
    for args in ((4, 3), (4, 3, 1)):
        assert repr(Embedding(*args)) == repr(torch.nn.Embedding(*args))


@pytest.mark.parametrize("value, error, message", [
    (Parameter(np.ones((2, 3), "f4")), ValueError,
     r"expected shape \(40, 3\) of float32, got \(2, 3\) of float32"),
    (Parameter(np.ones((40, 2), "f4")), ValueError, "expected shape"),
    (Parameter(np.ones((40, 3))), ValueError, ".* of float64$"),
    (None, TypeError, "expected a Parameter"),
])  # fmt: skip
def test_an_exchanged_weight_that_does_not_fit_is_refused_by_name(value, error, message):
    layer = Embedding(40, 3, seed=0)
    layer([39])
    layer.weight = value
    lstm = LSTM(3, 4, seed=0)
    for call in (
        lambda: layer([39]),
        lambda: layer.vjp([39]),
        lambda: lstm.infer_tokens(layer, [[39]]),
        lambda: lstm.vjp_tokens(layer, [[39]]),
    ):
        with pytest.raises(error, match=f"^weight: {message}"):
            call()


def test_a_pullback_is_that_of_the_weight_that_ran():
    layer = Embedding(40, 3, seed=0)
    weight = layer.weight
    _, pullback = layer.vjp([39])
    layer.weight = Parameter(np.ones((2, 3), "f4"))
    pullback(np.ones((1, 3)))
    assert weight.grad.sum() == 3 and layer.weight.grad is None
