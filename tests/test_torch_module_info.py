"""torch's own cases (ModuleInfo) of its recurrent modules and cells, run against ours.

They are imported from the wheel, not copied, so another torch brings its own. What torch has no
case of, its own refusals of a call's arguments, stands below them.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
from family_tool import given, taken
from lstm_tool import assert_all_close

from numba_lstm import nn

LAYERS = "RNN", "GRU", "LSTM"
CELLS = "RNNCell", "GRUCell", "LSTMCell"
DTYPES = "float32", "float64"

# How torch's messages begin, and the name with which ours must; None is the name in torch's.
NAMES = {
    r"(\w+) should be of type": None,
    r"(\w+) must be greater than": None,
    r"input has inconsistent": "x",
    r"hidden0 has inconsistent": "h0",
    r"hidden1 has inconsistent": "c0",
    r"Input batch size .* doesn't match hidden0": "h0",
    r"Expected hidden to be": "h0",
    r"Expected hx\\\[0\\\] to be": "h0",
}
# Ours converts an input of another dtype, as it does lists: its own test is below.
CONVERTED = "RNN input dtype"


@pytest.fixture
def torch() -> Iterator[Any]:
    """torch, drawing the same random numbers in every run."""
    torch = pytest.importorskip("torch")
    torch.set_num_threads(1)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        yield torch


@pytest.fixture(scope="module")
def modules() -> Any:
    """torch's private module of cases, imported late: that takes seconds."""
    pytest.importorskip("torch")
    try:
        from torch.testing._internal import common_modules
    except ImportError as error:  # it is private and may move; it needs the package expecttest
        pytest.skip(f"torch's module cases cannot be imported: {error}")
    return common_modules


def successes(modules: Any, torch: Any, name: str, dtype: str) -> list[Any]:
    info = info_of(modules, torch, name)
    return list(
        info.module_inputs_func(
            info, device="cpu", dtype=getattr(torch, dtype), requires_grad=True, training=True,
            with_packed_sequence=True,
        )
    )  # fmt: skip


def errors(modules: Any, torch: Any, name: str, dtype: str) -> list[Any]:
    info = info_of(modules, torch, name)
    return list(
        info.module_error_inputs_func(
            info, device="cpu", dtype=getattr(torch, dtype), requires_grad=False, training=True
        )
    )


def info_of(modules: Any, torch: Any, name: str) -> Any:
    (info,) = (i for i in modules.module_db if i.module_cls is getattr(torch.nn, name))
    return info


def translated(value: Any) -> Any:
    """An argument of torch's as ours takes it: tensors are arrays, dtypes NumPy's."""
    if isinstance(value, (tuple, list)):
        return tuple(map(translated, value))
    if hasattr(value, "detach"):
        return value.detach().numpy().copy()
    return str(value).removeprefix("torch.") if type(value).__name__ == "dtype" else value


def construct(name: str, sample: Any, **more: Any) -> Any:
    """Our module with the arguments of torch's; there is no device to choose."""
    source = sample.constructor_input
    options = {k: translated(v) for k, v in source.kwargs.items() if k != "device"}
    return getattr(nn, name)(*translated(source.args), **(more | options))


def expected_name(regex: str) -> str:
    for pattern, name in NAMES.items():
        if found := re.match(pattern, regex):
            return name or found[1]
    raise AssertionError(f"a case of torch's that NAMES does not know: {regex}")


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_what_torch_refuses_is_refused_by_name(modules, torch, name, dtype):
    refused = 0
    for case in errors(modules, torch, name, dtype):
        if case.error_regex.startswith(CONVERTED):
            continue
        sample, expected = case.module_error_input, expected_name(case.error_regex)
        at_construction = case.error_on is modules.ModuleErrorEnum.CONSTRUCTION_ERROR
        if sample.constructor_input.args[2:] in {("relu",), ("tanh",)}:
            # To torch a cell's bias "relu" is true, and only the call is wrong; ours is a flag.
            at_construction, expected = True, "bias"
        if at_construction:
            with pytest.raises((ValueError, TypeError)) as caught:
                construct(name, sample, seed=0)
        else:
            module = construct(name, sample, seed=0, dtype=dtype)
            with pytest.raises((ValueError, TypeError)) as caught:
                module(*translated(sample.forward_input.args))
        message = str(caught.value)
        assert re.match(rf"{expected}: expected .+, got ", message), (case.error_regex, message)
        refused += 1
    assert refused


@pytest.mark.parametrize("name", LAYERS)
def test_an_input_of_another_dtype_is_converted_where_torch_asks_for_it(modules, torch, name):
    for dtype in DTYPES:
        cases = errors(modules, torch, name, dtype)
        (case,) = (c for c in cases if c.error_regex.startswith(CONVERTED))
        sample = case.module_error_input
        module = construct(name, sample, seed=0)
        (x,) = translated(sample.forward_input.args)
        assert module.dtype == dtype and x.dtype != dtype
        for one, other in zip(flat(module(x)), flat(module(x.astype(dtype)))):
            assert one.dtype == dtype and np.array_equal(one, other)


def flat(outputs: Any) -> list[Any]:
    return [o for part in outputs for o in flat(part)] if isinstance(outputs, tuple) else [outputs]


def named(values: Any) -> dict[str, np.ndarray]:
    """Arrays of tensors or arrays, by their place."""
    return {f"[{place}]": np.asarray(value) for place, value in enumerate(values)}


@pytest.mark.filterwarnings("ignore:LSTM with projections is not supported with oneDNN")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    "name, more", [(name, {}) for name in LAYERS + CELLS] + [(n, {"dropout": 0}) for n in LAYERS]
)
def test_what_torch_computes_is_computed_with_its_gradients(modules, torch, name, more, dtype):
    samples = successes(modules, torch, name, dtype)
    assert samples
    for sample in samples:
        source = sample.constructor_input
        theirs = getattr(torch.nn, name)(
            *source.args, **source.kwargs, **more, dtype=getattr(torch, dtype)
        )
        module = construct(name, sample, **more, dtype=dtype)
        module.load_state_dict({n: p.numpy() for n, p in theirs.state_dict().items()})
        note = (source.args, source.kwargs, more)
        for training in (True, False):
            theirs.train(training), module.train(training)
            compare_calls(torch, module, theirs, sample.forward_input.args, note)


def compare_calls(torch: Any, module: Any, theirs: Any, arguments: Any, note: Any) -> None:
    """One call and its backward pass in torch and here, packed sequences being lengths."""
    rnn, dtype = torch.nn.utils.rnn, module.dtype
    leaves = flat(tuple(a.data if isinstance(a, rnn.PackedSequence) else a for a in arguments))
    for leaf in leaves:
        leaf.grad = None
    theirs.zero_grad(), module.zero_grad()
    outputs = theirs(*arguments)
    packed = isinstance(arguments[0], rnn.PackedSequence)
    if packed:
        first, y = module.batch_first, outputs[0]
        outputs = rnn.pad_packed_sequence(y, first)[0], outputs[1]
        x, lengths = rnn.pad_packed_sequence(arguments[0], first)
        hx = translated(arguments[1]) if arguments[1:] else None
        call = translated(x), hx, translated(lengths)
    else:
        call = translated(arguments)

    expected = flat(outputs)
    results, pullback = module.vjp(*call)
    assert [r.shape for r in flat(results)] == [tuple(e.shape) for e in expected], note
    assert_all_close(named(flat(results)), named(e.detach() for e in expected), dtype, note)
    for one, other in zip(flat(results), flat(module(*call)), strict=True):
        assert np.array_equal(one, other), note

    cotangents = [torch.cos(e.detach()) for e in expected]
    torch.autograd.backward(expected, cotangents)
    dy = [d.numpy() for d in cotangents]
    if hasattr(module, "num_layers"):
        dx, dstates = pullback(dy[0], given(dy[1:]))
    else:
        dx, dstates = pullback(given(dy))
    if packed:
        dx = rnn.pack_padded_sequence(torch.from_numpy(dx.copy()), lengths, first).data
    # Only what the sample has: dh0 where h0 was not given is nobody's gradient in torch.
    found = named([dx, *taken(dstates)][: len(leaves)])
    found |= {n: p.grad for n, p in module.named_parameters()}
    wanted = named(leaf.grad for leaf in leaves)
    wanted |= {n: p.grad.numpy() for n, p in theirs.named_parameters()}
    assert {n: g.shape for n, g in found.items()} == {n: g.shape for n, g in wanted.items()}
    # Relative to the largest of all: inputs to ±9 saturate units, whose 1 - h² is a difference of
    # nearly equal numbers and has 1's roundings, in torch too.
    found, wanted = ({"gradients": joined(g, wanted)} for g in (found, wanted))
    assert_all_close(found, wanted, dtype, note)


def joined(arrays: dict[str, np.ndarray], order: Any) -> np.ndarray:
    return np.concatenate([arrays[name].ravel() for name in order])


class Adapter:
    """Our module where torch's reference functions call torch's: tensors in, tensors out."""

    def __init__(self, torch: Any, module: Any) -> None:
        self.torch, self.module = torch, module

    def parameters(self) -> list[Any]:
        return list(self.module.parameters())

    def __call__(self, x: Any, hx: Any = None) -> Any:
        return self._tensors(self.module(translated(x), translated(hx)))

    def _tensors(self, value: Any) -> Any:
        if isinstance(value, tuple):
            return tuple(map(self._tensors, value))
        return self.torch.from_numpy(value.copy())


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("name", LAYERS + CELLS)
def test_torchs_references_find_a_single_sequence_a_batch_of_one(modules, torch, name, dtype):
    compared = 0
    for sample in successes(modules, torch, name, dtype):
        arguments = sample.forward_input.args
        if isinstance(arguments[0], torch.nn.utils.rnn.PackedSequence):
            continue  # of sequences that are a batch already
        module = construct(name, sample, dtype=dtype, seed=0)
        outputs = flat(module(*translated(arguments)))
        reference = flat(sample.reference_fn(Adapter(torch, module), *arguments))
        for one, other in zip(outputs, reference, strict=True):
            assert one.shape == tuple(other.shape) and np.array_equal(one, other.numpy())
        compared += 1
    assert compared


# -- what torch refuses and has no case of ---------------------------------------------------------

# Of two layers in two directions, I = 4 and H = 6, called with T = 5 and B = 3.
SHAPES = [
    ((5, 3, 5), None, "x"),  # another width
    ((4,), None, "x"),
    ((), None, "x"),
    ((5, 3, 1, 4), None, "x"),
    ((0, 3, 4), None, "x"),
    ((5, 4), (4, 1, 6), "h0"),  # a single sequence and a batch of states
    ((5, 3, 4), (4, 6), "h0"),  # and the reverse
    ((5, 3, 4), (4, 2, 6), "h0"),  # another batch
    ((5, 3, 4), (4, 5, 6), "h0"),  # the batch where time is
    ((5, 3, 4), (2, 3, 6), "h0"),  # one direction's
    ((5, 3, 4), (5, 3, 6), "h0"),
    ((5, 3, 4), (3, 4, 6), "h0"),  # batch first, which states never are
    ((5, 3, 4), (4, 3, 5), "h0"),  # another width
    ((5, 3, 4), (), "h0"),
]


def assert_refused(method: Any, arguments: Any, name: str, *parts: str) -> None:
    with pytest.raises((ValueError, TypeError)) as caught:
        method(*arguments)
    message = str(caught.value)
    assert message.startswith(f"{name}: expected "), message
    assert all(part in message for part in ("got ", *parts)), message


@pytest.mark.parametrize("x, state, bad", SHAPES)
@pytest.mark.parametrize("name", LAYERS)
def test_shapes_that_do_not_fit_are_refused_by_name_as_torch_does(torch, name, x, state, bad):
    options = {"num_layers": 2, "bidirectional": True}
    module = getattr(nn, name)(4, 6, seed=0, **options)
    theirs = getattr(torch.nn, name)(4, 6, **options)
    zeros = np.zeros(x, "f4")
    hx = None if state is None else np.zeros(state, "f4")
    if name == "LSTM" and hx is not None:
        right = np.zeros((4, 6) if len(x) == 2 else (4, 3, 6), "f4")
        pairs = [((hx, right), "h0"), ((right, hx), "c0"), ((hx, hx), "h0")]
    else:
        pairs = [(hx, bad)]
    for states, expected in pairs:
        # torch wants tensors; the exceptions' types are its own affair.
        tensors = [torch.from_numpy(zeros), tensors_of(torch, states)]
        with pytest.raises(Exception):  # noqa: B017
            theirs(*tensors)
        parts = [f"got {x}"] if expected == "x" and x[:1] != (0,) else []
        if expected != "x":
            parts = [f"got {state}", f"with x of shape {x}"]
        for method in (module, module.vjp):
            assert_refused(method, (zeros, states), expected, *parts)
            assert_refused(method, (zeros.tolist(), states), expected)


def tensors_of(torch: Any, states: Any) -> Any:
    if isinstance(states, tuple):
        return tuple(tensors_of(torch, s) for s in states)
    return None if states is None else torch.from_numpy(states)


@pytest.mark.parametrize(
    "x, state, bad",
    [
        ((3, 5), None, "x"),
        ((), None, "x"),
        ((5, 3, 4), None, "x"),
        ((3, 4), (3, 5), "h0"),
        ((3, 4), (2, 6), "h0"),
        ((3, 4), (6,), "h0"),
        ((4,), (1, 6), "h0"),
        ((3, 4), (1, 3, 6), "h0"),
    ],
)
@pytest.mark.parametrize("name", CELLS)
def test_shapes_that_do_not_fit_a_cell_are_refused_by_name(name, x, state, bad):
    cell = getattr(nn, name)(4, 6, seed=0)
    states, pairs = None if state is None else np.zeros(state), []
    if name == "LSTMCell" and state is not None:
        right = np.zeros((*x[:-1], 6))
        pairs = [((states, right), "h0"), ((right, states), "c0")]
    parts = [] if bad == "x" else [f"with x of shape {x}"]
    for hx, expected in pairs or [(states, bad)]:
        for method in (cell, cell.vjp):
            assert_refused(method, (np.zeros(x), hx), expected, *parts)


def test_a_projections_states_have_two_widths():
    lstm, x = nn.LSTM(4, 6, 2, proj_size=2, seed=0), np.zeros((5, 3, 4))
    narrow, wide = np.zeros((2, 3, 2)), np.zeros((2, 3, 6))
    assert lstm(x, (narrow, wide))[0].shape == (5, 3, 2)
    assert_refused(lstm, (x, (wide, wide)), "h0", "(2, 3, 2)", "got (2, 3, 6)")
    assert_refused(lstm, (x, (narrow, narrow)), "c0", "(2, 3, 6)", "got (2, 3, 2)")


def test_an_lstms_states_are_a_pair():
    state = np.zeros((1, 3, 6))
    for wrong, came in [
        (state, "got ndarray"),
        ((state,), "got tuple of 1"),
        ((state,) * 3, "got tuple of 3"),
        ([], "got list of 0"),
        ({"h0": state, "c0": state}, "got dict"),
    ]:
        assert_refused(nn.LSTM(4, 6, seed=0), (np.zeros((5, 3, 4)), wrong), "hx", "(h0, c0)", came)
        assert_refused(nn.LSTMCell(4, 6, seed=0), (np.zeros((3, 4)), wrong), "hx", "(h, c)", came)
    for name, pair in {"h0": (None, state), "c0": (state, None)}.items():
        assert_refused(nn.LSTM(4, 6, seed=0), (np.zeros((5, 3, 4)), pair), name, "got None")


@pytest.mark.parametrize("name", LAYERS)
def test_states_that_do_not_fit_tokens_are_refused_with_their_shape(name):
    module, embedding = getattr(nn, name)(4, 6, seed=0), nn.Embedding(7, 4, seed=0)
    states = given([np.zeros((1, 2, 6))] * len(module.STATES))
    for method in (module.vjp_tokens, module.infer_tokens):
        arguments = embedding, np.zeros((5, 3), int), states
        assert_refused(method, arguments, "h0", "got (1, 2, 6)", "with tokens of shape (5, 3)")


# -- constructors ----------------------------------------------------------------------------------

BAD_SIZES = 0, -1, 2.0, "2", None, True, {2}, float("nan")
BAD_FLAGS = 0, 1, None, "True", "False", [], 1.0


def arguments_of(both: list[str], layers: list[str]) -> list[tuple[str, str]]:
    """Modules and arguments: those that cells have too, and those of layers only."""
    pairs = [(name, argument) for name in LAYERS + CELLS for argument in both]
    return pairs + [(name, argument) for name in LAYERS for argument in layers]


@pytest.mark.parametrize(
    "name, argument", arguments_of(["input_size", "hidden_size"], ["num_layers"])
)
def test_sizes_are_whole_numbers_above_0(name, argument):
    for wrong in BAD_SIZES:
        kind, options = getattr(nn, name), {"input_size": 4, "hidden_size": 6, argument: wrong}
        with pytest.raises((ValueError, TypeError), match=rf"^{argument}: expected .+, got "):
            kind(**options)


@pytest.mark.parametrize("name, argument", arguments_of(["bias"], ["batch_first", "bidirectional"]))
def test_flags_are_booleans(name, argument):
    kind = getattr(nn, name)
    for wrong in BAD_FLAGS:
        with pytest.raises(TypeError, match=f"^{argument}: expected True or False, got "):
            kind(4, 6, **{argument: wrong})
    assert repr(kind(4, 6, **{argument: np.True_})) == repr(kind(4, 6, **{argument: True}))
    assert repr(kind(4, 6, **{argument: np.False_})) == repr(kind(4, 6, **{argument: False}))


@pytest.mark.parametrize("name", LAYERS)
def test_dropout_is_a_probability_and_one_layer_has_nowhere_to_drop(rng, name):
    kind = getattr(nn, name)
    for wrong in (-0.1, 1.1, float("nan"), "0.5", None, True, 1j):
        with pytest.raises((ValueError, TypeError), match=r"^dropout: expected .+, got "):
            kind(4, 6, 2, dropout=wrong)
    x = rng.standard_normal((5, 3, 4))
    with pytest.warns(UserWarning, match="^dropout: expected 0 with num_layers=1"):
        dropped, plain = kind(4, 6, dropout=0.5, seed=0), kind(4, 6, seed=0)
    assert np.array_equal(dropped(x)[0], plain(x)[0])


def test_only_an_lstm_projects_and_only_an_rnn_chooses_its_nonlinearity():
    for kind, argument, value in [
        (nn.RNN, "proj_size", 2),
        (nn.GRU, "proj_size", 2),
        (nn.LSTM, "nonlinearity", "relu"),
        (nn.GRU, "nonlinearity", "relu"),
        (nn.GRUCell, "nonlinearity", "relu"),
        (nn.LSTMCell, "proj_size", 2),
    ]:
        with pytest.raises(TypeError, match=argument):
            kind(4, 6, **{argument: value})
    for wrong in (-1, 6, 7, 2.0, "2", None, True):
        with pytest.raises((ValueError, TypeError), match=r"^proj_size: expected .+, got "):
            nn.LSTM(4, 6, proj_size=wrong)
    for kind in (nn.RNN, nn.RNNCell):
        for wrong in ("sigmoid", None, True):
            with pytest.raises(ValueError, match=r"^nonlinearity: expected .+, got "):
                kind(4, 6, nonlinearity=wrong)
