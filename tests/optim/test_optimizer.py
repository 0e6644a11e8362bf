"""What all optimizers share: groups, skipping, saving and loading, errors that name their cause."""

from __future__ import annotations

import copy
import json
import math
import pickle

import numpy as np
import pytest

from numba_lstm import nn, optim

KINDS = [
    (optim.SGD, {}),
    (optim.SGD, {"momentum": 0.9, "dampening": 0.1, "weight_decay": 0.01}),
    (optim.SGD, {"momentum": 0.9, "nesterov": True}),
    (optim.Adam, {"weight_decay": 0.01}),
    (optim.AdamW, {}),
]
SHAPES = [(3,), (65, 33), (1,), (129, 7), (40, 16)]


def parameters(rng, dtype=np.float32, shapes=SHAPES):
    return [nn.Parameter(rng.standard_normal(shape).astype(dtype)) for shape in shapes]


def train(optimizer, rng, steps):
    for _ in range(steps):
        optimizer.zero_grad()
        for group in optimizer.param_groups:
            for p in group["params"]:
                p.grad = rng.standard_normal(p.shape)
        optimizer.step()


def values(params):
    return [p.numpy().copy() for p in params]


def same(first, second):
    return all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


# --- stepping ---------------------------------------------------------------------------------


@pytest.mark.parametrize("kind, options", KINDS)
def test_parameters_without_gradient_and_frozen_ones_stay(rng, kind, options):
    moved, without, frozen = parameters(rng, shapes=[(5,), (5,), (5,)])
    for p in (moved, frozen):
        p.grad = np.ones(5)
    frozen.requires_grad = False
    before = values([moved, without, frozen])
    optimizer = kind([moved, without, frozen], **options)
    optimizer.step()
    assert not np.array_equal(moved.numpy(), before[0])
    assert same([without.numpy(), frozen.numpy()], before[1:])
    assert without.version == frozen.version == 0 and moved.version == 1
    assert list(optimizer.state) == [moved]


@pytest.mark.parametrize("kind, options", KINDS)
def test_gradients_are_read_only_to_a_step(rng, kind, options):
    (p,) = parameters(rng, shapes=[(70,)])
    p.grad = rng.standard_normal(70)
    before = p.grad.copy()
    kind([p], **options).step(grad_scale=0.5)
    assert np.array_equal(p.grad, before)


@pytest.mark.parametrize("kind, options", KINDS)
def test_grad_scale_equals_gradients_scaled_before(rng, kind, options):
    one, two = parameters(rng), None
    two = copy.deepcopy(one)
    first, second = kind(one, **options), kind(two, **options)
    for _ in range(3):
        for p, q in zip(one, two):
            p.grad = rng.standard_normal(p.shape).astype(np.float32)
            q.grad = p.grad * np.float32(0.3)
        first.step(grad_scale=0.3)
        second.step()
    assert same(values(one), values(two))


@pytest.mark.parametrize("kind, options", KINDS)
def test_both_dtypes_in_one_optimizer_keep_their_state(rng, kind, options):
    singles, doubles = parameters(rng), parameters(rng, np.float64)
    alone = copy.deepcopy(doubles)
    gradients = [rng.standard_normal(p.shape) for p in doubles]
    optimizer, other = kind([*singles, *doubles], **options), kind(alone, **options)
    for p, q, r, g in zip(singles, doubles, alone, gradients):
        p.grad = q.grad = r.grad = g
    optimizer.step()
    other.step()
    assert same(values(doubles), values(alone))
    for p, state in optimizer.state.items():
        assert all(a.dtype == p.dtype for a in state.values() if isinstance(a, np.ndarray))


def test_a_step_without_any_gradient_does_nothing(rng):
    params = parameters(rng)
    optimizer = optim.Adam(params)
    optimizer.step()
    assert not optimizer.state and all(p.version == 0 for p in params)


def test_zero_grad_clears_all_groups(rng):
    one, two = parameters(rng, shapes=[(3,), (4,)])
    optimizer = optim.SGD([{"params": [one]}, {"params": two, "lr": 1.0}])
    one.grad, two.grad = np.ones(3), np.ones(4)
    optimizer.zero_grad()
    assert one.grad is None and two.grad is None


@pytest.mark.parametrize("kind, options", KINDS)
def test_a_parameter_of_no_items_is_no_trouble(kind, options):
    p, q = nn.Parameter(np.zeros((0, 3), np.float32)), nn.Parameter(np.ones(2, np.float32))
    p.grad, q.grad = np.zeros((0, 3)), np.ones(2)
    kind([p, q], **options).step()
    assert (q.numpy() < 1).all()


@pytest.mark.parametrize("kind, options", KINDS)
@pytest.mark.parametrize("clone", [copy.deepcopy, lambda o: pickle.loads(pickle.dumps(o))])
def test_a_copy_steps_its_own_parameters(rng, kind, options, clone):
    params = parameters(rng)
    one = kind(params, **options)
    train(one, rng, 2)
    other = clone(one)
    before = values(params)
    train(one, np.random.default_rng(1), 2)
    after = values(params)
    train(other, np.random.default_rng(1), 2)
    copied = [p for group in other.param_groups for p in group["params"]]
    assert same(values(params), after) and same(values(copied), after)
    assert not same(after, before)


@pytest.mark.parametrize("kind, options", KINDS)
def test_an_array_of_the_state_that_was_put_in_another_place_is_used(rng, kind, options):
    (p,) = parameters(rng, shapes=[(5,)])
    optimizer = kind([p], **options)
    train(optimizer, rng, 1)
    state = optimizer.state[p]
    for name in [name for name in state if name != "step"]:
        old = state[name]
        state[name] = old.copy()
        old[...] = np.nan
    train(optimizer, rng, 1)
    assert np.isfinite(p.numpy()).all()


# --- groups -----------------------------------------------------------------------------------


def test_groups_have_options_of_their_own(rng):
    torch = pytest.importorskip("torch")
    ours = parameters(rng, np.float64)
    theirs = [torch.nn.Parameter(torch.tensor(p.numpy().copy())) for p in ours]
    optimizers = [
        module.AdamW(
            [
                {"params": params[:2], "lr": 0.1, "weight_decay": 0.5},
                {"params": params[2:3]},
                {"params": iter(params[3:]), "betas": (0.5, 0.6), "eps": 1e-3},
            ],
            lr=0.01,
        )
        for module, params in ((optim, ours), (torch.optim, theirs))
    ]
    for _ in range(5):
        for p, q in zip(ours, theirs):
            p.grad = rng.standard_normal(p.shape)
            q.grad = torch.tensor(p.grad)
        for optimizer in optimizers:
            optimizer.step()
    for p, q in zip(ours, theirs):
        np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-12, atol=1e-12)


def test_options_changed_between_steps_take_effect(rng):
    (p,) = parameters(rng, shapes=[(4,)])
    optimizer = optim.SGD([p], lr=1.0)
    p.grad = np.ones(4)
    before = p.numpy().copy()
    optimizer.param_groups[0]["lr"] = 0.0
    optimizer.step()
    assert np.array_equal(p.numpy(), before)
    optimizer.param_groups[0]["lr"] = -1.0
    with pytest.raises(ValueError, match="lr: "):
        optimizer.step()


def test_momentum_switched_on_later_begins_as_with_torch(rng):
    torch = pytest.importorskip("torch")
    (p,) = parameters(rng, np.float64, [(6,)])
    q = torch.nn.Parameter(torch.tensor(p.numpy().copy()))
    optimizers = [optim.SGD([p], lr=0.1), torch.optim.SGD([q], lr=0.1)]
    for step in range(4):
        p.grad = rng.standard_normal(6)
        q.grad = torch.tensor(p.grad)
        for optimizer in optimizers:
            if step == 1:
                optimizer.param_groups[0].update(momentum=0.9, dampening=0.5)
            optimizer.step()
    np.testing.assert_allclose(p.numpy(), q.detach().numpy(), rtol=1e-13)


def test_lr_is_read_from_the_first_group_and_set_in_all(rng):
    one, two = parameters(rng, shapes=[(3,), (4,)])
    optimizer = optim.Adam([{"params": one, "lr": 0.5}, {"params": two}], lr=0.25)
    assert optimizer.lr == 0.5
    optimizer.lr = 0.125
    assert [group["lr"] for group in optimizer.param_groups] == [0.125, 0.125]
    for bad in (-1.0, math.nan, math.inf):
        with pytest.raises(ValueError, match="lr: expected a finite number of at least 0"):
            optimizer.lr = bad
    with pytest.raises(TypeError, match="lr: expected a number"):
        optimizer.lr = "fast"
    assert optimizer.lr == 0.125


def test_one_parameter_and_any_iterable_are_accepted(rng):
    params = parameters(rng)
    assert optim.SGD(params[0]).param_groups[0]["params"] == params[:1]
    assert optim.SGD(iter(params)).param_groups[0]["params"] == params
    assert optim.SGD({"params": params}).param_groups[0]["params"] == params


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda p: [], ValueError, "parameters: expected at least one"),
        (lambda p: [{"params": []}], ValueError, "parameters: expected at least one"),
        (lambda p: [p, p], ValueError, r"parameters: .*twice"),
        (lambda p: [{"params": p}, {"params": [p]}], ValueError, r"parameters: .*twice"),
        (lambda p: None, TypeError, "parameters: expected an iterable of Parameter, got NoneType"),
        (lambda p: "weights", TypeError, "parameters: expected"),
        (lambda p: [p.numpy()], TypeError, "parameters: expected Parameter, got ndarray"),
        (lambda p: [{"lr": 0.1}], ValueError, r"parameters: .*'params'"),
        (lambda p: [{"params": p, "speed": 1}], ValueError, "speed: expected one of lr"),
        (lambda p: [{"params": p, "lr": -1}], ValueError, "lr: expected a finite number"),
        (lambda p: [{"params": p}, 5], TypeError, "parameters: expected a dict, got int"),
    ],
)
def test_bad_parameters_are_refused(make, error, message):
    with pytest.raises(error, match=message):
        optim.Adam(make(nn.Parameter(np.zeros(3))))


def test_a_refused_group_is_not_added(rng):
    one, two = parameters(rng, shapes=[(3,), (4,)])
    optimizer = optim.SGD([one])
    with pytest.raises(ValueError, match="momentum"):
        optimizer.add_param_group({"params": two, "momentum": -0.1})
    assert len(optimizer.param_groups) == 1
    optimizer.add_param_group({"params": two, "momentum": 0.5})
    assert optimizer.param_groups[1]["momentum"] == 0.5


# --- saving and loading -----------------------------------------------------------------------


def through_files(state_dict):
    """Arrays as they are, everything else through JSON, as a checkpoint has it."""
    state = {
        index: {
            name: value.copy() if isinstance(value, np.ndarray) else json.loads(json.dumps(value))
            for name, value in entry.items()
        }
        for index, entry in state_dict["state"].items()
    }
    return {"state": state, "param_groups": json.loads(json.dumps(state_dict["param_groups"]))}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("kind, options", KINDS)
def test_a_loaded_state_continues_to_the_bit(rng, kind, options, dtype):
    params = parameters(rng, dtype)
    groups = [{"params": params[:2], "lr": 0.03}, {"params": params[2:]}]
    optimizer = kind(groups, **options)
    train(optimizer, np.random.default_rng(1), 3)
    saved, at_save = through_files(optimizer.state_dict()), values(params)
    train(optimizer, np.random.default_rng(2), 4)

    resumed = [nn.Parameter(value) for value in at_save]
    other = kind([{"params": resumed[:2]}, {"params": resumed[2:]}], **options)
    other.load_state_dict(saved)
    train(other, np.random.default_rng(2), 4)
    assert same(values(params), values(resumed))


def test_a_state_dict_shares_nothing(rng):
    params = parameters(rng)
    optimizer = optim.Adam(params)
    train(optimizer, rng, 2)
    saved = optimizer.state_dict()
    before = copy.deepcopy(saved)
    train(optimizer, rng, 1)
    assert np.array_equal(saved["state"][1]["exp_avg"], before["state"][1]["exp_avg"])
    optimizer.load_state_dict(saved)
    train(optimizer, rng, 1)
    assert np.array_equal(saved["state"][1]["exp_avg"], before["state"][1]["exp_avg"])
    assert saved["state"][1]["step"] == 2
    assert saved["param_groups"][0]["params"] == [0, 1, 2, 3, 4]


def broken(saved, how):
    saved = copy.deepcopy(saved)
    how(saved)
    return saved


@pytest.mark.parametrize(
    "how, message",
    [
        (lambda s: s.pop("state"), "expected 'state' and 'param_groups'"),
        (lambda s: s["param_groups"].append({}), "expected 1 groups, got 2"),
        (lambda s: s["param_groups"][0]["params"].pop(), "expected a group of the parameters 0 to"),
        (lambda s: s["param_groups"][0].pop("eps"), r"missing: \['eps'\]"),
        (lambda s: s["param_groups"][0].update(momentum=1), r"unknown: \['momentum'\]"),
        (lambda s: s["param_groups"][0].update(lr=-1.0), "lr: expected a finite number"),
        (lambda s: s["state"].update({5: {}}), "expected indices from 0 to 4, got 5"),
        (lambda s: s["state"].update({"0": {}}), "expected indices from 0 to 4, got '0'"),
        (lambda s: s["state"][0].pop("step"), "parameter 0 to have a whole number 'step'"),
        (lambda s: s["state"][0].update(step=-1), "parameter 0 .*step -1"),
        (lambda s: s["state"][4].update(momentum_buffer=0), "parameter 4 .*momentum_buffer"),
        (lambda s: s["state"][4].pop("exp_avg"), "parameter 4 .*exp_avg"),
        (lambda s: s.update(state=[]), "state_dict: expected 'state' to be a dict, got list"),
        (lambda s: s["state"].update({1: None}), "expected parameter 1 to be a dict, got NoneType"),
        (
            lambda s: s.update(param_groups=[3]),
            "state_dict: expected a group to be a dict, got int",
        ),
        (lambda s: s["state"][4].update(exp_avg=np.ones((40, 16), complex)), "exp_avg: "),
        (lambda s: s["state"][4].update(exp_avg=np.ones(3)), r"exp_avg: .*\(40, 16\), got \(3,"),
    ],
)
def test_a_state_that_does_not_fit_is_refused_and_changes_nothing(rng, how, message):
    params = parameters(rng)
    optimizer = optim.Adam(params)
    train(optimizer, rng, 2)
    saved = optimizer.state_dict()
    with pytest.raises((ValueError, TypeError), match=message):
        optimizer.load_state_dict(broken(saved, how))
    after = optimizer.state_dict()
    assert after["param_groups"] == saved["param_groups"]
    for index, entry in saved["state"].items():
        assert after["state"][index].keys() == entry.keys()
        assert all(np.array_equal(after["state"][index][name], entry[name]) for name in entry)


def test_what_is_no_dict_is_no_state():
    with pytest.raises(TypeError, match=r"^state_dict: expected the whole to be a dict, got list"):
        optim.SGD(nn.Parameter(np.zeros(3))).load_state_dict([])


def test_a_loaded_state_takes_the_parameters_dtype(rng):
    for dtype, other in ((np.float32, np.float64), (np.float64, np.float32)):
        params = parameters(rng, dtype)
        optimizer = optim.Adam(params)
        train(optimizer, rng, 1)
        saved = optimizer.state_dict()
        for entry in saved["state"].values():
            entry.update(exp_avg=entry["exp_avg"].astype(other), step=np.int64(entry["step"]))
        optimizer.load_state_dict(saved)
        for p in params:
            assert optimizer.state[p]["exp_avg"].dtype == dtype
            assert type(optimizer.state[p]["step"]) is int
        train(optimizer, rng, 1)


@pytest.mark.parametrize("copier", [copy.deepcopy, lambda x: pickle.loads(pickle.dumps(x))])
def test_a_copy_is_independent_and_continues_alike(rng, copier):
    params = parameters(rng)
    optimizer = optim.Adam(params)
    train(optimizer, rng, 2)
    other = copier(optimizer)
    copies = other.param_groups[0]["params"]
    train(optimizer, np.random.default_rng(3), 2)
    assert not same(values(params), values(copies))
    train(other, np.random.default_rng(3), 2)
    assert same(values(params), values(copies))


def test_the_repr_says_what_it_is(rng):
    text = repr(optim.SGD(parameters(rng), lr=0.5))
    assert text.startswith("SGD(") and "5 parameters, lr=0.5, momentum=0.0" in text
