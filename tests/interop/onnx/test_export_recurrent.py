"""LSTM, GRU, RNN and their cells as ONNX files: onnxruntime gives what the modules give."""

from __future__ import annotations

import numpy as np
import pytest
from export_tool import assert_near, proto, run, saved, shapes

from numba_lstm import nn

MODULES = {
    "lstm": lambda **k: nn.LSTM(5, 7, **k),
    "gru": lambda **k: nn.GRU(5, 7, **k),
    "rnn": lambda **k: nn.RNN(5, 7, **k),
    "rnn-relu": lambda **k: nn.RNN(5, 7, nonlinearity="relu", **k),
    "gru-before": lambda **k: nn.GRU(5, 7, reset_after=False, **k),
    "lstm-peepholes": lambda **k: nn.LSTM(5, 7, peepholes=True, **k),
    "lstm-clip": lambda **k: nn.LSTM(5, 7, cell_clip=0.1, **k),
    "lstm-coupled": lambda **k: nn.LSTM(5, 7, coupled=True, **k),
    "lstm-all": lambda **k: nn.LSTM(5, 7, peepholes=True, cell_clip=0.4, coupled=True, **k),
}
FORMS = {
    "plain": {},
    "no bias": {"bias": False},
    "two layers": {"num_layers": 2},
    "both directions": {"bidirectional": True},
    "deep": {"num_layers": 3, "bidirectional": True},
    "batch first": {"num_layers": 2, "bidirectional": True, "batch_first": True},
}
# T and B of the calls of one file.
SIZES = [(1, 1), (6, 3), (17, 2), (2, 9)]


def expected_of(module, x, state=None, lengths=None):
    """The module's outputs by the names that they have in a file."""
    y, final = module.eval()(x, state, lengths)
    finals = final if isinstance(final, tuple) else (final,)
    found = {"y": y}
    for letter, one in zip("hc", finals):
        if isinstance(one, list):
            found |= {f"{letter}n_l{layer}": part for layer, part in enumerate(one)}
        else:
            found[f"{letter}n"] = one
    return found


def draw(module, rng, time, batch):
    """x, states by name and as the module takes them, and lengths of at least 1."""
    shape = (batch, time) if module.batch_first else (time, batch)
    x = 2 * rng.standard_normal((*shape, module.input_size))
    directions = 2 if module.bidirectional else 1
    feeds, taken = {}, []
    for name, widths in zip(module.STATES, module.widths):
        parts = [rng.standard_normal((directions, batch, width)) for width in widths]
        same = len(set(widths)) == 1
        taken.append(np.concatenate(parts) if same else parts)
        layers = {f"{name}_l{layer}": one for layer, one in enumerate(parts)}
        feeds |= {name: taken[-1]} if same else layers
    state = tuple(taken) if len(taken) == 2 else taken[0]
    return x, feeds, state, rng.integers(1, time + 1, batch)


def check(module, session, rng):
    for time, batch in SIZES:
        x, feeds, state, lengths = draw(module, rng, time, batch)
        assert_near(run(session, x=x), expected_of(module, x))
        assert_near(run(session, x=x, **feeds), expected_of(module, x, state))
        assert_near(run(session, x=x, lengths=lengths), expected_of(module, x, None, lengths))
        found = run(session, x=x, lengths=lengths, **feeds)
        assert_near(found, expected_of(module, x, state, lengths))


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", MODULES)
def test_onnxruntime_gives_what_the_module_gives(kind, form, rng, tmp_path):
    module = MODULES[kind](seed=1, **FORMS[form])
    check(module, saved(module, tmp_path), rng)


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_layers_of_different_sizes_have_states_of_their_own(kind, rng, tmp_path):
    module = kind(4, [6, 3, 8], bidirectional=True, seed=1)
    check(module, saved(module, tmp_path), rng)
    rows = shapes(proto(tmp_path).graph.input)
    assert rows["h0_l1"] == [2, "batch", 3] and rows["h0_l2"] == [2, "batch", 8]


@pytest.mark.parametrize("option", ["cell_clip", "coupled", "peepholes", "reset_after", "relu"])
def test_every_option_is_in_the_file(option, rng, tmp_path):
    kind, plain, other = {
        "cell_clip": (nn.LSTM, {}, {"cell_clip": 0.1}),
        "coupled": (nn.LSTM, {}, {"coupled": True}),
        "peepholes": (nn.LSTM, {}, {"peepholes": True}),
        "reset_after": (nn.GRU, {}, {"reset_after": False}),
        "relu": (nn.RNN, {}, {"nonlinearity": "relu"}),
    }[option]
    one, two = kind(5, 7, seed=1, **plain), kind(5, 7, seed=1, **other)
    two.load_state_dict(one.state_dict(), strict=False)
    x = rng.standard_normal((6, 3, 5))
    assert_near(run(saved(two, tmp_path), x=x), expected_of(two, x))
    assert np.abs(two(x)[0] - one(x)[0]).max() > 1e-3  # else a lost option would not show


@pytest.mark.parametrize("kind", MODULES)
def test_a_stream_in_chunks_gives_what_one_call_gives(kind, rng, tmp_path):
    module = MODULES[kind](seed=1, num_layers=2)
    session = saved(module, tmp_path)
    x = rng.standard_normal((12, 3, 5))
    whole, state, parts = run(session, x=x), {}, []
    for chunk in np.split(x, [1, 2, 7]):
        found = run(session, x=chunk, **state)
        parts.append(found.pop("y"))
        state = {f"{name[0]}0": one for name, one in found.items()}
    assert_near({"y": np.concatenate(parts)}, {"y": whole.pop("y")})
    assert_near({f"{name[0]}n": one for name, one in state.items()}, whole)


def test_a_sequence_of_length_0_gives_zeros_and_leaves_the_others_alone(rng, tmp_path):
    module = nn.LSTM(5, 7, 2, bidirectional=True, seed=1)
    x, feeds, state, _ = draw(module, rng, 6, 3)
    found = run(saved(module, tmp_path), x=x, lengths=[4, 0, 6], **feeds)
    expected = expected_of(module, x, state, [4, 0, 6])
    assert not found["y"][:, 1].any()
    # What the docstring says: here the final states of such a sequence are the initial ones.
    assert not found["hn"][:, 1].any() and np.array_equal(
        expected["hn"][:, 1], feeds["h0"][:, 1].astype("f4")
    )
    others = [0, 2]
    assert_near(
        {name: one[:, others] for name, one in found.items()},
        {name: one[:, others] for name, one in expected.items()},
    )


def test_lengths_that_cannot_be_are_refused_by_onnxruntime(rng, tmp_path):
    session = saved(nn.LSTM(5, 7, seed=1), tmp_path)
    x = rng.standard_normal((6, 2, 5))
    for lengths in ([7, 1], [-2, 1]):
        with pytest.raises(Exception, match="sequence_lens"):
            run(session, x=x, lengths=lengths)


def test_one_row_of_states_is_taken_for_all_sequences(rng, tmp_path):
    module = nn.GRU(5, 7, seed=1)
    x, h0 = rng.standard_normal((6, 3, 5)), rng.standard_normal((1, 1, 7))
    found = run(saved(module, tmp_path), x=x, h0=h0)
    assert_near(found, expected_of(module, x, np.repeat(h0, 3, axis=1)))


def test_what_is_written_is_evaluation_whatever_the_module_is_in(rng, tmp_path):
    module = nn.LSTM(
        5, 7, 2, dropout=0.5, input_dropout=0.5, recurrent_dropout=0.5, weight_dropout=0.5, seed=1
    ).train()
    x = rng.standard_normal((6, 3, 5))
    session = saved(module, tmp_path)
    assert module.training
    assert_near(run(session, x=x), expected_of(module, x))


@pytest.mark.parametrize(
    "kind, options, words",
    [
        (nn.LSTM, {"proj_size": 3}, "LSTM without proj_size, got proj_size=3"),
        (nn.LSTM, {"layer_norm": True}, "LSTM without layer_norm, got layer_norm=True"),
        (nn.GRU, {"layer_norm": True}, "GRU without layer_norm"),
        (nn.GRU, {"zoneout": 0.1}, r"GRU without zoneout, got zoneout=0\.1.*expectation"),
        (nn.RNN, {"zoneout": 0.1}, "RNN without zoneout"),
        (nn.LSTM, {"zoneout_cell": 0.2}, r"LSTM without zoneout_cell, got zoneout_cell=0\.2"),
    ],
)
def test_what_onnx_cannot_say_is_refused_by_name(kind, options, words, tmp_path):
    with pytest.raises(ValueError, match=rf"^module: expected {words}"):
        saved(kind(5, 7, **options), tmp_path)
    with pytest.raises(ValueError, match=rf"^0\.1: expected {words}"):
        inner = nn.Sequential(nn.Linear(5, 5), kind(5, 7, **options))
        saved(nn.Sequential(inner), tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_parameter_that_does_not_fit_is_refused_by_its_name(tmp_path):
    module = nn.LSTM(5, 7)
    module.weight_hh_l0 = nn.Parameter(np.zeros((28, 6), "f4"))
    with pytest.raises(ValueError, match=r"weight_hh_l0: expected shape \(28, 7\)"):
        saved(module, tmp_path)


@pytest.mark.parametrize(
    "module",
    [
        nn.LSTMCell(5, 7, seed=1),
        nn.LSTMCell(5, 7, bias=False, seed=1),
        nn.GRUCell(5, 7, seed=1),
        nn.GRUCell(5, 7, reset_after=False, seed=1),
        nn.RNNCell(5, 7, seed=1),
        nn.RNNCell(5, 7, nonlinearity="relu", seed=1),
    ],
    ids=repr,
)
@pytest.mark.parametrize("optional", [True, False])
def test_cells_take_a_step(module, optional, rng, tmp_path):
    session = saved(module, tmp_path, optional=optional)
    for batch in (1, 4):
        x = rng.standard_normal((batch, 5))
        states = [rng.standard_normal((batch, 7)) for _ in module.STATES]
        pair = len(states) == 2
        want = module(x, tuple(states) if pair else states[0])
        want = dict(zip("hc", want if pair else (want,)))
        assert_near(run(session, x=x, **dict(zip(module.STATES, states))), want)
        if optional:
            want = module(x)
            assert_near(run(session, x=x), dict(zip("hc", want if pair else (want,))))


@pytest.mark.parametrize("kind", [nn.LSTM, nn.GRU, nn.RNN])
def test_float64_is_exact_in_the_file_and_more_than_onnxruntime_runs(kind, rng, tmp_path):
    reference = pytest.importorskip("onnx.reference")
    module = kind(5, 7, dtype="f8", seed=1)
    with pytest.raises(Exception, match=r"(?i)double|not.implemented|type"):
        run(saved(module, tmp_path), x=np.zeros((6, 3, 5)))
    x = rng.standard_normal((6, 3, 5))
    found = reference.ReferenceEvaluator(proto(tmp_path)).run(None, {"x": x})
    want = list(expected_of(module, x).values())
    for got, one in zip(found, want, strict=True):
        assert got.dtype == np.float64 and np.abs(got - one).max() < 1e-13


def test_initial_states_that_are_learnt_are_the_default(rng, tmp_path):
    module = nn.LSTM(5, 7, 2, bidirectional=True, learn_initial_state=True, seed=1)
    for name, parameter in module.named_parameters():
        if "_0_l" in name:
            parameter[...] = rng.standard_normal(parameter.shape)
    check(module, saved(module, tmp_path), rng)
    x = rng.standard_normal((6, 3, 5))
    found = run(saved(module, tmp_path, states=False), x=x)
    assert_near(found, {"y": module(x)[0]})


def test_initial_states_that_are_learnt_are_never_lost(tmp_path):
    module = nn.GRU(5, 7, learn_initial_state=True, seed=1)
    with pytest.raises(ValueError, match=r"^optional: expected True, or states=False"):
        saved(module, tmp_path, optional=False)
    assert not list(tmp_path.iterdir())
    saved(module, tmp_path, optional=False, states=False)


@pytest.mark.parametrize("shape", [("time", 4, 5), (6, 4, 5), (6, "batch", 5)], ids=str)
@pytest.mark.parametrize("learn", [False, True])
def test_a_fixed_batch_has_defaults_of_its_size(shape, learn, rng, tmp_path):
    module = nn.LSTM(5, 7, 2, learn_initial_state=learn, seed=1)
    if learn:
        for name, parameter in module.named_parameters():
            if "_0_l" in name:
                parameter[...] = rng.standard_normal(parameter.shape)
    session = saved(module, tmp_path, shape=shape)
    x, feeds, state, lengths = draw(module, rng, 6, 4)
    assert_near(run(session, x=x), expected_of(module, x))
    assert_near(run(session, x=x, lengths=lengths, **feeds), expected_of(module, x, state, lengths))
