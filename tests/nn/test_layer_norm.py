"""Layer-normalised LSTM and GRU: the reference's and torch's numbers, parameters, refusals."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest
from family_tool import MODULES, assert_references, by_reference, draw, given, ours, taken
from lstm_tool import assert_all_close, assert_same_bits, run_python
from masks_tool import draw_masks, fix

from numba_lstm import nn, tuning

KINDS = {"lstm": nn.LSTM, "gru": nn.GRU}
# T, B, I, H
SIZES = [(1, 2, 3, 5), (6, 7, 4, 33), (5, 13, 19, 70)]
EVERYTHING = ("inputs", "state", "recurrent", "zoneout")
every_kind = pytest.mark.parametrize("kind", KINDS)


def make(kind, *sizes, **options):
    """A module whose gains and shifts are no longer those of the start."""
    module = KINDS[kind](*sizes, layer_norm=True, seed=0, **options)
    rng = np.random.default_rng(1)
    for name, p in module.named_parameters():
        if "_ln_" in name:
            p[...] = 0.5 * rng.standard_normal(p.shape) + name.startswith("weight")
    return module


@pytest.mark.parametrize("bias", [True, False], ids=["bias", "no bias"])
@pytest.mark.parametrize("lengths", [False, True], ids=["whole", "lengths"])
@every_kind
def test_every_output_and_gradient_is_the_references(rng, kind, lengths, bias):
    for number, (steps, batch, inputs, hidden) in enumerate([*SIZES, (3, 4, 6, [20, 33])]):
        for dtype in ("f8", "f4"):
            layers = 2 if isinstance(hidden, int) else 1
            module = make(
                kind, inputs, hidden, layers, bias, number == 1, bidirectional=True, dtype=dtype
            )
            case = draw(rng, module, steps, batch, lengths, cells=kind == "lstm")
            if number:
                case = case._replace(reset=rng.random(case.x.shape[:2]) < 0.3)
            assert_references(module, case)


@every_kind
def test_layers_of_any_width_are_the_references(rng, kind):
    # Sizes about those of a vector and of a panel: units of padding must not enter a mean.
    for hidden in (*range(2, 10), 15, 16, 17, 31, 48, 64, 65, 130):
        module = make(kind, 5, hidden, dtype="f8")
        assert_references(module, draw(rng, module, 3, 4, lengths=True))


@pytest.mark.parametrize("wanted", [*((one,) for one in EVERYTHING), EVERYTHING])
@every_kind
def test_with_every_dropout_they_are_the_references_too(rng, monkeypatch, kind, wanted):
    for steps, batch, inputs, hidden in SIZES:
        module = make(
            kind, inputs, hidden, 2, dropout=0.5, bidirectional=True, recurrent_dropout=0.5,
            dtype="f8",
        )  # fmt: skip
        case = draw(rng, module, steps, batch, lengths=True, cells=kind == "lstm")
        case = case._replace(reset=rng.random((steps, batch)) < 0.3)
        masks = draw_masks(rng, module, case, wanted)
        between = [rng.integers(0, 2, (steps, batch, 2 * hidden)) * 2.0]
        fix(monkeypatch, module, case.lengths, masks, between)
        assert_references(module, case, masks, between)


def by_torch(module, case):
    """A loop over torch's layer_norm, with its autograd; one layer, one direction."""
    import torch

    norm = torch.nn.functional.layer_norm
    p = {n: torch.from_numpy(v).requires_grad_() for n, v in module.state_dict().items()}
    x, *states = (torch.from_numpy(a.copy()).requires_grad_() for a in (case.x, *case.states))
    hidden = module.hidden_size

    def product(kind, v, first, last):
        rows = slice(first * hidden, last * hidden)
        z = v @ p[f"weight_{kind}_l0"][rows].T
        gain, shift = p[f"weight_ln_{kind}_l0"][rows], p[f"bias_{kind}_l0"][rows]
        return norm(z, z.shape[1:], gain, shift)

    h, *c = (s[0] for s in states)
    rows = []
    for x_t in x:
        if isinstance(module, nn.LSTM):
            z = product("ih", x_t, 0, 4) + product("hh", h, 0, 4)
            i, f, g, o = z.split(hidden, 1)
            c = [f.sigmoid() * c[0] + i.sigmoid() * g.tanh()]
            gain, shift = p["weight_ln_c_l0"], p["bias_ln_c_l0"]
            h = o.sigmoid() * norm(c[0], (hidden,), gain, shift).tanh()
        else:
            r, z = (product("ih", x_t, 0, 2) + product("hh", h, 0, 2)).sigmoid().split(hidden, 1)
            n = (product("ih", x_t, 2, 3) + r * product("hh", h, 2, 3)).tanh()
            h = (1 - z) * n + z * h
        rows.append(h)
    finals = [s[None] for s in (h, *c)]
    y = torch.stack(rows)
    torch.autograd.backward(
        [y, *finals], [torch.from_numpy(d.copy()) for d in (case.dy, *case.dstates)]
    )
    found = {"y": y, "dx": x.grad} | {n: v.grad for n, v in p.items()}
    for name, final, state in zip("hc", finals, states):
        found |= {f"{name}n": final, f"d{name}0": state.grad}
    return {n: v.detach().numpy() for n, v in found.items()}


@every_kind
def test_every_output_and_gradient_is_torchs(rng, kind):
    pytest.importorskip("torch")
    for steps, batch, inputs, hidden in SIZES:
        module = make(kind, inputs, hidden, dtype="f8")
        case = draw(rng, module, steps, batch)
        assert_all_close(ours(module, case), by_torch(module, case), "f8", times=10)


@every_kind
def test_an_input_that_is_constant_over_the_gates_is_finite(rng, kind):
    # The variance is 0, or that of roundings, and the epsilon all that is left below the root.
    for dtype in ("f8", "f4"):
        module = make(kind, 4, 19, dtype=dtype)
        case = draw(rng, module, 3, 5)
        case.x[1] = 0
        for state in case.states:
            state[...] = 0
        assert_references(module, case)
        module.weight_ih_l0[...] = 0.25
        if dtype == "f8":
            # The gradient of weight_ln_ih is 0 but for roundings, and 1/√ε makes them 316 times as
            # large: over 40 seeds up to 1.2e-12 in the reference, and 3.2e-12 in vectors of two.
            found, expected = ours(module, case), by_reference(module, case)
            few = ({n: one.pop(n) for n in [*one] if "ln_ih" in n} for one in (found, expected))
            assert_all_close(*few, "f8", floor=1.0, times=100)
            assert_all_close(found, expected, "f8", floor=1.0, times=10)
        else:
            assert all(np.isfinite(value).all() for value in ours(module, case).values())


@every_kind
def test_outputs_do_not_depend_on_the_weights_scale(rng, kind):
    module = make(kind, 4, 50, dtype="f8")
    case = draw(rng, module, 5, 3)
    # Large enough for the epsilon to be nothing.
    module.weight_ih_l0[...] *= 1e3
    module.weight_hh_l0[...] *= 1e3
    y, _ = module(case.x, given(case.states))
    module.weight_ih_l0[...] *= 100
    module.weight_hh_l0[...] *= 10
    assert np.allclose(module(case.x, given(case.states))[0], y, atol=1e-6)


@every_kind
def test_long_sequences_run_in_pieces(rng, monkeypatch, kind):
    module = make(kind, 3, 20, dtype="f8")
    case = draw(rng, module, 50, 7)._replace(reset=rng.random((50, 7)) < 0.1)
    monkeypatch.setattr(tuning, "PIECE_BYTES", 1000)
    monkeypatch.setattr(tuning, "GEMM_TRANSPOSED_K", 1)
    monkeypatch.setattr(tuning, "INFER_ROWS", 9)
    assert_references(module, case)


@every_kind
def test_gradients_add_up_and_a_frozen_parameter_takes_none(rng, kind):
    module = make(kind, 3, 20, 2, dtype="f8")
    case = draw(rng, module, 4, 5)
    once = ours(module, case)
    module.vjp(case.x, given(case.states))[1](case.dy, given(case.dstates))
    for name, p in module.named_parameters():
        assert_all_close({name: p.grad}, {name: 2 * once[name]}, "f8")
    for name, p in module.named_parameters():
        module.zero_grad()
        p.requires_grad = False
        module.vjp(case.x, given(case.states))[1](case.dy, given(case.dstates))
        p.requires_grad = True
        for other, q in module.named_parameters():
            assert q.grad is None if other == name else np.array_equal(q.grad, once[other])


@every_kind
def test_written_and_exchanged_parameters_are_used(rng, kind):
    module = make(kind, 3, 20, dtype="f8")
    case = draw(rng, module, 4, 5)
    before = ours(module, case)
    for name, p in list(module.named_parameters()):
        if "_ln_" in name:
            p[...] += 0.25
            found = assert_references(module, case)
            assert not np.array_equal(found["y"], before["y"])
            setattr(module, name, nn.Parameter(p.numpy() - 0.5))
            before = assert_references(module, case)
            assert not np.array_equal(found["y"], before["y"])


@every_kind
def test_a_pullback_refuses_after_a_gain_was_written(rng, kind):
    module = make(kind, 3, 4)
    names = [name for name, _ in module.named_parameters() if "_ln_" in name]
    for name in names:
        (y, _), back = module.vjp(np.ones((2, 1, 3), "f4"))
        getattr(module, name)[...] += 1
        with pytest.raises(RuntimeError, match="was written between vjp and its pullback"):
            back(y)


@every_kind
def test_tokens_in_the_padding_may_be_anything(rng, kind):
    module, embedding = make(kind, 4, 5), nn.Embedding(7, 4, seed=0)
    tokens = rng.integers(0, 7, (3, 2))
    expected, _ = module.infer_tokens(embedding, tokens, None, [3, 1])
    tokens[1:, 1] = -100
    (y, _), back = module.vjp_tokens(embedding, tokens, None, [3, 1])
    assert np.array_equal(y, expected)
    assert np.array_equal(module.infer_tokens(embedding, tokens, None, [3, 1])[0], expected)
    assert back(y)[0] is None
    seen = np.isin(np.arange(7), [*tokens[:, 0], tokens[0, 1]])
    assert np.array_equal(embedding.weight.grad.any(1), seen)
    tokens[0, 1] = -1
    for call in (module.vjp_tokens, module.infer_tokens):
        with pytest.raises(ValueError, match="tokens: expected ids from 0 to 6, got -1"):
            call(embedding, tokens, None, [3, 1])
        with pytest.raises(ValueError, match="embedding: expected 4 columns of float32, got 3"):
            call(nn.Embedding(7, 3, seed=0), tokens[:1] * 0)


@every_kind
def test_nan_goes_forward_and_back_in_its_row_only(rng, kind):
    module = make(kind, 3, 20)
    case = draw(rng, module, 4, 5)
    case.x[2, 1] = np.nan
    found = ours(module, case)
    assert np.isnan(found["y"][2:, 1]).all() and not np.isnan(found["y"][:2]).any()
    assert np.isnan(found["dx"][:3, 1]).all()
    for name in ("y", "dx"):
        assert not np.isnan(np.delete(found[name], 1, 1)).any()


@every_kind
def test_copies_compute_the_same_bits(rng, kind):
    module = make(kind, 5, 20, 2)
    case = draw(rng, module, 3, 2)
    expected = ours(module, case)
    other = KINDS[kind](5, 20, 2, layer_norm=True, seed=9)
    other.load_state_dict(module.state_dict())
    for one in (copy.deepcopy(module), pickle.loads(pickle.dumps(module)), other):
        assert repr(one) == repr(module)
        assert_same_bits(ours(one, case), expected)


@every_kind
def test_no_rows_give_zero_gradients(kind):
    module = make(kind, 2, 3, 2, bidirectional=True)
    for batch, lengths in ((0, None), (2, [0, 0])):
        (y, states), back = module.vjp(np.zeros((4, batch, 2)), None, lengths)
        assert not y.any() and not any(state.any() for state in taken(states))
        back(y)
        assert all(not p.grad.any() for p in module.parameters())
        module.zero_grad()


@pytest.mark.parametrize("bias", [True, False])
@every_kind
def test_names_shapes_order_and_initial_values(kind, bias):
    about = {"num_layers": 2, "bidirectional": True, "bias": bias, "seed": 0}
    plain, module = KINDS[kind](3, 50, **about), KINDS[kind](3, 50, layer_norm=True, **about)
    names = ["weight_ih", "weight_hh", "bias_ih", "bias_hh"][: 4 if bias else 2]
    shapes = {"weight_ln_ih": (module.GATES * 50,), "weight_ln_hh": (module.GATES * 50,)}
    if kind == "lstm":
        shapes |= {"weight_ln_c": (50,)} | ({"bias_ln_c": (50,)} if bias else {})
    found = dict(module.named_parameters())
    assert list(found)[: len(names) + len(shapes)] == [f"{n}_l0" for n in (*names, *shapes)]
    assert len(found) == 4 * (len(names) + len(shapes))
    for name, p in found.items():
        start = name.split("_l0")[0].split("_l1")[0]
        if start in shapes:
            assert p.shape == shapes[start]
            assert (p.numpy() == start.startswith("weight")).all(), name
    # What torch's modules have too starts from the same numbers.
    for name, p in plain.named_parameters():
        assert np.array_equal(p.numpy(), found[name].numpy())


@pytest.mark.parametrize(
    "kind, options, other",
    [
        (nn.LSTM, {"proj_size": 2}, "proj_size=2"),
        (nn.LSTM, {"peepholes": True}, "peepholes=True"),
        (nn.LSTM, {"cell_clip": 3}, r"cell_clip=3\.0"),
        (nn.LSTM, {"coupled": True}, "coupled=True"),
        (nn.GRU, {"reset_after": False}, "reset_after=False"),
    ],
)
def test_options_that_do_not_go_together_are_refused_by_name(kind, options, other):
    with pytest.raises(ValueError, match=f"^layer_norm: expected False with {other}, got True$"):
        kind(3, 5, layer_norm=True, **options)


@every_kind
def test_the_flag_is_a_keyword_and_a_boolean(kind):
    with pytest.raises(TypeError, match=r"layer_norm: expected True or False, got 1"):
        KINDS[kind](3, 5, layer_norm=1)
    with pytest.raises(TypeError, match="positional argument"):
        KINDS[kind](3, 5, 1, True, False, 0.0, False, 0, True)
    with pytest.raises(TypeError, match="layer_norm"):
        nn.RNN(3, 5, layer_norm=True)


@every_kind
def test_a_parameter_that_does_not_fit_is_refused_by_name(kind):
    for name, p in KINDS[kind](3, 5, layer_norm=True).named_parameters():
        module = KINDS[kind](3, 5, layer_norm=True)
        if name.startswith("bias"):
            continue
        setattr(module, name, nn.Parameter(np.ones(p.size + 1, "f4")))
        with pytest.raises(ValueError, match=rf"^{name}: expected shape"):
            module(np.ones((2, 1, 3), "f4"))
    plain = KINDS[kind](3, 5)
    plain.weight_ln_hh_l0 = nn.Parameter(np.ones(5, "f4"))
    with pytest.raises(ValueError, match="weight_ln_hh_l0: expected None"):
        plain(np.ones((2, 1, 3), "f4"))


def test_repr_names_what_differs_from_the_defaults():
    assert repr(nn.GRU(3, 5, layer_norm=True)) == "GRU(3, 5, layer_norm=True)"
    module = nn.LSTM(3, 5, 2, zoneout_cell=0.5, layer_norm=True)
    assert repr(module) == "LSTM(3, 5, num_layers=2, zoneout_cell=0.5, layer_norm=True)"


def test_the_tests_of_all_modules_run_these():
    assert {"lstm-normalised", "gru-normalised", "gru-before"} < set(MODULES)


def test_torch_is_not_needed():
    program = """
import numpy as np, sys
from numba_lstm import nn
for module in (
    nn.LSTM(2, 3, layer_norm=True, zoneout=0.1, zoneout_cell=0.1),
    nn.GRU(2, 3, layer_norm=True), nn.GRU(2, 3, reset_after=False, zoneout=0.1),
):
    (y, _), back = module.vjp(np.ones((2, 2, 2)))
    back(y)
print("torch" in sys.modules)
"""
    assert run_python(program).split() == ["False"]
