"""The public face's promises that no single file keeps: each is a test named after it."""

from __future__ import annotations

import threading

import numpy as np
import pytest
from lstm_tool import assert_same_bits, draw, ours

import numba_lstm as nl
from numba_lstm import losses, models, nn

# Every layer, what a call takes, and the name of its first argument.
X, TOKENS = np.linspace(-1, 1, 24).reshape(4, 2, 3), np.array([[0, 1], [2, 3], [4, 1], [0, 0]])
LAYERS = {
    "LSTM": (lambda **k: nn.LSTM(3, 5, 2, dropout=0.5, **k), X, "x"),
    "LSTMCell": (lambda **k: nn.LSTMCell(3, 5, **k), X[0], "x"),
    "Linear": (lambda **k: nn.Linear(3, 5, **k), X, "x"),
    "Embedding": (lambda **k: nn.Embedding(5, 3, **k), TOKENS, "tokens"),
    "LanguageModel": (
        lambda **k: models.LanguageModel(5, 3, 4, dropout=0.5, **k),
        TOKENS,
        "tokens",
    ),
}


@pytest.fixture(params=LAYERS)
def layer(request):
    return LAYERS[request.param]


def arrays_of(value):
    if isinstance(value, tuple):
        return [array for item in value for array in arrays_of(item)]
    return [] if value is None else [value]


def like(value):
    """Cotangents of ones for (nested) outputs."""
    if isinstance(value, tuple):
        return tuple(map(like, value))
    return np.ones_like(value)


def pull(module, output, pullback):
    if isinstance(module, nn.LSTMCell):
        return pullback(like(output))
    if isinstance(module, models.LanguageModel):
        return pullback(like(output[0]))
    return pullback(*like(output)) if isinstance(output, tuple) else pullback(like(output))


def test_a_call_in_evaluation_equals_vjps_outputs_bit_for_bit(layer):
    make, x, _ = layer
    module = make(seed=0).eval()
    called, (output, _) = arrays_of(module(x)), module.vjp(x)
    for one, two in zip(called, arrays_of(output), strict=True):
        assert one.dtype == two.dtype and one.tobytes() == two.tobytes()


def test_the_same_seed_gives_the_same_parameters_masks_and_results(layer):
    make, x, _ = layer
    for seeds in ((7, 7), (np.random.default_rng(7), np.random.default_rng(7)), (7, 8)):
        one, two = make(seed=seeds[0]), make(seed=seeds[1])
        same = seeds != (7, 8)
        for p, q in zip(one.parameters(), two.parameters(), strict=True):
            assert np.array_equal(p.numpy(), q.numpy()) == same
        if same:  # training mode: dropout too
            for a, b in zip(arrays_of(one(x)), arrays_of(two(x)), strict=True):
                assert np.array_equal(a, b)


def test_numpys_global_random_state_is_neither_read_nor_changed(layer):
    make, x, _ = layer
    results = []
    for seed in (1, 2):
        np.random.seed(seed)  # noqa: NPY002
        before = np.random.get_state()  # noqa: NPY002
        module = make(seed=0)
        pull(module, *module.vjp(x))
        module(x)
        make()
        after = np.random.get_state()  # noqa: NPY002
        assert before[2] == after[2] and np.array_equal(before[1], after[1])
        results.append([p.grad for p in module.parameters()])
    for one, two in zip(*results, strict=True):
        assert np.array_equal(one, two)


def test_a_pullback_may_be_called_once(layer):
    make, x, _ = layer
    module = make(seed=0)
    output, pullback = module.vjp(x)
    pull(module, output, pullback)
    grads = [p.grad.copy() for p in module.parameters()]
    with pytest.raises(RuntimeError, match="called already"):
        pull(module, output, pullback)
    for p, before in zip(module.parameters(), grads, strict=True):
        assert np.array_equal(p.grad, before)


def test_writing_into_an_output_never_changes_what_its_pullback_gives(layer):
    make, x, _ = layer
    results = []
    for spoil in (False, True):
        module = make(seed=0)
        output, pullback = module.vjp(x)
        cotangents = like(output)
        if spoil:
            for array in arrays_of(output):
                array[...] = np.nan
        if isinstance(module, nn.LSTMCell):
            back = pullback(cotangents)
        elif isinstance(module, models.LanguageModel):
            back = pullback(cotangents[0])
        else:
            back = pullback(*cotangents) if isinstance(cotangents, tuple) else pullback(cotangents)
        results.append([*arrays_of(back), *(p.grad for p in module.parameters())])
    for one, two in zip(*results, strict=True):
        assert np.array_equal(one, two)


def test_inputs_are_never_written_to_and_never_aliased(layer):
    make, x, _ = layer
    x = x.copy() if x.dtype.kind == "i" else x.astype("f4")
    before = x.copy()
    module = make(seed=0)
    output, pullback = module.vjp(x)
    back = pull(module, output, pullback)
    results = arrays_of(output) + arrays_of(back) + arrays_of(module(x))
    assert np.array_equal(x, before)
    for array in results:
        assert not np.shares_memory(array, x)
        for p in module.parameters():
            assert not np.shares_memory(array, p.numpy())


@pytest.mark.parametrize(
    "bad",
    [None, "text", 1j * np.ones((4, 2, 3)), np.ones((4, 2, 3), object), {"a": 1}],
    ids=["None", "text", "complex", "object", "dict"],
)
def test_what_is_no_real_number_is_refused_by_name(layer, bad):
    make, _, name = layer
    module = make()
    for method in (module, module.vjp):
        with pytest.raises(TypeError, match=f"^{name}: expected"):
            method(bad)


def test_masked_arrays_that_hide_values_are_refused_and_others_taken(layer):
    make, x, name = layer
    hiding = np.ma.masked_array(x, np.zeros(x.shape, bool))
    module = make(seed=0).eval()
    plain = arrays_of(module(x))
    for one, two in zip(plain, arrays_of(module(hiding)), strict=True):
        assert np.array_equal(one, two)
    hiding.mask[...] = np.arange(x.size).reshape(x.shape) == 3
    with pytest.raises(TypeError, match=f"^{name}: expected .* masked"):
        module(hiding)


def test_token_ids_out_of_range_are_refused_by_name():
    for make, _, name in LAYERS.values():
        if name == "tokens":
            module = make()
            for bad in (5, -1, 10**9, -(2**62)):
                for method in (module, module.vjp):
                    with pytest.raises(ValueError, match=r"^tokens: expected ids from 0 to 4"):
                        method([[0, bad]])


def test_an_empty_sequence_is_refused_by_name_and_an_empty_batch_is_not():
    with pytest.raises(ValueError, match=r"^x: expected at least one time step"):
        nn.LSTM(3, 5)(np.zeros((0, 2, 3)))
    assert nn.LSTM(3, 5)(np.zeros((2, 0, 3)))[0].shape == (2, 0, 5)


def test_a_model_refuses_an_empty_sequence_by_its_arguments_name():
    model = models.LanguageModel(5, 3, 4)
    for method in (model, model.vjp):
        with pytest.raises(ValueError, match=r"^tokens: expected at least one time step"):
            method(np.zeros((0, 2), int))
    assert model(np.zeros((2, 0), int))[0].shape == (2, 0, 5)


@pytest.mark.parametrize("dtype", ["f4", "f8", ">f4", "f2", np.longdouble, "i1", "u8", "?"])
def test_real_numbers_of_every_dtype_are_cast_to_the_modules(dtype):
    x = (np.arange(24).reshape(4, 2, 3) % 2).astype(dtype)
    for own in ("f4", "f8"):
        y, (hn, cn) = nn.LSTM(3, 5, dtype=own, seed=0)(x)
        assert y.dtype == hn.dtype == cn.dtype == own
        expected, _ = nn.LSTM(3, 5, dtype=own, seed=0)(x.astype(own))
        assert np.array_equal(y, expected)


def test_outputs_stay_within_one(rng):
    module = nn.LSTM(3, 50, seed=0)
    for p in module.parameters():
        p[...] = p.numpy() * 300
    y, (hn, _) = module(10 * rng.standard_normal((20, 5, 3)), (np.full((1, 5, 50), 1e30),) * 2)
    assert np.abs(y).max() == 1.0 and np.abs(hn).max() <= 1.0


def test_parameters_are_stored_once_and_seen_through_a_read_only_view():
    module = nn.LSTM(3, 5, seed=0)
    view = module.weight_hh_l0.numpy()
    with pytest.raises(ValueError, match="read-only"):
        view[0, 0] = 1
    version = module.weight_hh_l0.version
    module.weight_hh_l0[0, 0] = 0.5
    assert view[0, 0] == 0.5 and module.weight_hh_l0.version == version + 1


def test_one_module_may_stand_twice_in_a_network(rng):
    module = nn.LSTM(5, 5, dtype="f8", seed=0)
    x, dy = rng.standard_normal((2, 4, 3, 5))
    (y1, _), back1 = module.vjp(x)
    (_, _), back2 = module.vjp(y1)
    d1, _ = back2(dy)
    back1(d1)
    stack = nn.LSTM(5, 5, 2, dtype="f8")
    state = module.state_dict()
    stack.load_state_dict(
        {k.replace("_l0", f"_l{layer}"): v for k, v in state.items() for layer in (0, 1)}
    )
    stack.vjp(x)[1](dy)
    for name, p in module.named_parameters():
        both = getattr(stack, name).grad + getattr(stack, name.replace("_l0", "_l1")).grad
        np.testing.assert_allclose(p.grad, both, rtol=1e-11, atol=1e-13)


def test_a_whole_model_trains_in_several_python_threads_without_losing_an_addend(rng):
    model = models.LanguageModel(5, 3, 8, dtype="f8", seed=0).eval()
    tokens = rng.integers(0, 5, (6, 4))

    def step():
        (logits, _), pullback = model.vjp(tokens[:-1])
        pullback(losses.cross_entropy(logits, tokens[1:])[1])

    step()
    once = {name: p.grad.copy() for name, p in model.named_parameters()}
    model.zero_grad()
    workers = [threading.Thread(target=lambda: [step() for _ in range(5)]) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for name, p in model.named_parameters():
        np.testing.assert_allclose(p.grad, 20 * once[name], rtol=1e-11, atol=1e-14, err_msg=name)


def test_results_are_the_same_from_run_to_run(rng):
    module = nn.LSTM(3, 33, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 7, 5)
    expected = {name: array.copy() for name, array in ours(module, case).items()}
    for _ in range(3):
        assert_same_bits(ours(module, case), expected)


def test_the_top_level_speaks_of_threads_and_finds_its_parts_by_name():
    assert nl.get_num_threads() >= 1
    for name in ("nn", "losses", "optim", "models"):
        assert getattr(nl, name).__name__ == f"numba_lstm.{name}"
    with pytest.raises(AttributeError, match="nonsense"):
        nl.nonsense  # noqa: B018
