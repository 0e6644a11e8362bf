"""Schedules set what they promise, and those that torch has follow torch."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from numba_lstm import nn, optim


def optimizer(*lrs):
    groups = [{"params": nn.Parameter(np.zeros(1)), "lr": lr} for lr in lrs or (0.1,)]
    return optim.SGD(groups)


def torch_optimizer(*lrs):
    torch = pytest.importorskip("torch")
    return torch.optim.SGD([{"params": torch.nn.Parameter(torch.zeros(1)), "lr": lr} for lr in lrs])


def lrs(o):
    return [group["lr"] for group in o.param_groups]


def test_constant_stays():
    o = optimizer(0.1, 0.3)
    schedule = optim.ConstantLR(o)
    for progress in (0.0, 0.3, 1.0):
        schedule.step(progress)
        assert lrs(o) == [0.1, 0.3]


@pytest.mark.parametrize("kind", [optim.ConstantLR, optim.CosineLR])
def test_warm_up_rises_in_a_line_and_never_begins_at_zero(kind):
    o = optimizer(0.1, 0.3)
    schedule = kind(o, warmup=0.2)
    assert lrs(o) == pytest.approx([0.001, 0.003])
    for progress, factor in ((0.0, 0.01), (0.05, 0.25), (0.1, 0.5), (0.2, 1.0)):
        schedule.step(progress)
        assert lrs(o) == pytest.approx([0.1 * factor, 0.3 * factor])


def test_cosine_falls_to_its_final_share():
    o = optimizer(0.1)
    schedule = optim.CosineLR(o, warmup=0.2, final=0.1)
    for progress, factor in ((0.2, 1.0), (0.6, 0.55), (1.0, 0.1), (0.4, 0.1 + 0.9 * 0.85355339059)):
        schedule.step(progress)
        assert o.lr == pytest.approx(0.1 * factor, rel=1e-10)


def test_cosine_without_warm_up_is_torchs_cosine_annealing():
    torch = pytest.importorskip("torch")
    ours, theirs = optimizer(0.1, 0.3), torch_optimizer(0.1, 0.3)
    schedule = optim.CosineLR(ours)
    other = torch.optim.lr_scheduler.CosineAnnealingLR(theirs, T_max=10)
    for step in range(10):
        schedule.step(step / 10)
        assert lrs(ours) == pytest.approx(lrs(theirs), rel=1e-12)
        theirs.step()
        other.step()


def test_a_schedule_may_be_all_warm_up():
    o = optimizer(0.1)
    schedule = optim.CosineLR(o, warmup=1.0, final=0.25)
    schedule.step(0.5)
    assert o.lr == pytest.approx(0.05, rel=1e-12)
    schedule.step(1.0)
    assert o.lr == pytest.approx(0.025, rel=1e-12)


@pytest.mark.parametrize("step_size, gamma", [(1, 0.5), (3, 0.1), (4, 1.5)])
def test_step_equals_torch(step_size, gamma):
    torch = pytest.importorskip("torch")
    ours, theirs = optimizer(0.1, 0.3), torch_optimizer(0.1, 0.3)
    schedule = optim.StepLR(ours, step_size, gamma)
    other = torch.optim.lr_scheduler.StepLR(theirs, step_size, gamma)
    for _ in range(10):
        assert lrs(ours) == pytest.approx(lrs(theirs), rel=1e-12)
        theirs.step()
        schedule.step()
        other.step()


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"patience": 0, "factor": 0.5},
        {"mode": "max", "patience": 2},
        {"patience": 1, "cooldown": 2, "min_lr": 0.02},
        {"patience": 1, "threshold": 0.3},
        {"patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
        {"mode": "max", "patience": 1, "threshold": 0.1, "threshold_mode": "abs"},
        {"patience": 1, "threshold": 0.0},
        {"mode": "max", "patience": 1, "threshold": 0.0, "threshold_mode": "abs"},
    ],
)
def test_plateau_equals_torch(rng, options):
    torch = pytest.importorskip("torch")
    ours, theirs = optimizer(0.1, 0.3), torch_optimizer(0.1, 0.3)
    schedule = optim.ReduceLROnPlateau(ours, **options)
    other = torch.optim.lr_scheduler.ReduceLROnPlateau(theirs, **options)
    seen = set()
    worst = -math.inf if options.get("mode") == "max" else math.inf
    varied = [*np.linspace(2, 1, 8), *rng.uniform(0.9, 1.1, 40), *np.linspace(1, 0.2, 9)]
    for metric in [worst, worst, 2.0, 2.0, 2.0, *varied]:
        schedule.step(metric)
        other.step(metric)
        assert lrs(ours) == pytest.approx(lrs(theirs), rel=1e-12)
        seen.add(tuple(lrs(ours)))
    assert len(seen) > 1


@pytest.mark.parametrize(
    "make, feed",
    [
        (lambda o: optim.ConstantLR(o, warmup=0.5), [0.1, 0.2, 0.4, 0.6]),
        (lambda o: optim.CosineLR(o, warmup=0.1), [0.05, 0.2, 0.6, 0.9]),
        (lambda o: optim.StepLR(o, 2), [None] * 4),
        (lambda o: optim.ReduceLROnPlateau(o, patience=1, cooldown=1), [1.0, 2.0, 2.0, 2.0]),
    ],
)
def test_a_loaded_schedule_continues_alike(make, feed):
    one, two = optimizer(0.1, 0.3), optimizer(0.1, 0.3)
    first, second = make(one), make(two)

    def step(schedule, value):
        schedule.step() if value is None else schedule.step(value)

    for value in feed[:2]:
        step(first, value)
    two.load_state_dict(one.state_dict())
    second.load_state_dict(json.loads(json.dumps(first.state_dict())))
    for value in feed[2:]:
        step(first, value)
        step(second, value)
        assert lrs(one) == lrs(two)
    assert first.state_dict() == second.state_dict()


def test_a_resumed_schedule_multiplies_the_first_learning_rates_not_the_current_ones():
    one = optimizer(0.1)
    schedule = optim.CosineLR(one)
    schedule.step(0.5)
    two = optimizer(0.1)
    two.load_state_dict(one.state_dict())
    resumed = optim.CosineLR(two)
    resumed.load_state_dict(schedule.state_dict())
    resumed.step(0.0)
    assert two.lr == pytest.approx(0.1, rel=1e-12)


@pytest.mark.parametrize(
    "act, error, message",
    [
        (lambda: optim.ConstantLR(None), TypeError, "optimizer: expected an Optimizer, got a None"),
        (lambda: optim.CosineLR(optimizer(), warmup=1.5), ValueError, "warmup: expected"),
        (lambda: optim.CosineLR(optimizer(), final=-1), ValueError, "final: expected"),
        (lambda: optim.CosineLR(optimizer()).step(1.1), ValueError, "progress: expected"),
        (lambda: optim.CosineLR(optimizer()).step(math.nan), ValueError, "progress: expected"),
        (lambda: optim.StepLR(optimizer(), 0), ValueError, "step_size: expected at least 1"),
        (lambda: optim.StepLR(optimizer(), 1, gamma=-1), ValueError, "gamma: expected"),
        (lambda: optim.ReduceLROnPlateau(optimizer(), "best"), ValueError, "mode: expected 'min'"),
        (lambda: optim.ReduceLROnPlateau(optimizer(), factor=1.0), ValueError, "factor: expected"),
        (lambda: optim.ReduceLROnPlateau(optimizer(), patience=-1), ValueError, "patience: "),
        (lambda: optim.ReduceLROnPlateau(optimizer()).step(math.nan), ValueError, "metric: .*nan"),
        (lambda: optim.ReduceLROnPlateau(optimizer()).step("x"), TypeError, "metric: expected"),
        (lambda: optim.ReduceLROnPlateau(optimizer(), threshold=-1), ValueError, "^threshold: "),
        (lambda: optim.ReduceLROnPlateau(optimizer(), cooldown=-1), ValueError, "^cooldown: "),
        (lambda: optim.ReduceLROnPlateau(optimizer(), min_lr=-1), ValueError, "^min_lr: "),
        (lambda: optim.ReduceLROnPlateau(optimizer(), eps=-1), ValueError, "^eps: "),
        (
            lambda: optim.ReduceLROnPlateau(optimizer(), threshold_mode="x"),
            ValueError,
            "^threshold_mode: expected 'rel'",
        ),
        (lambda: optim.StepLR(optimizer(), 1).load_state_dict({}), ValueError, "state_dict: "),
        (
            lambda: optim.StepLR(optimizer(), 1).load_state_dict(
                {"base_lrs": [-1], "last_epoch": 1}
            ),
            ValueError,
            "^base_lrs: expected a finite number",
        ),
        (
            lambda: optim.StepLR(optimizer(), 1).load_state_dict({"base_lrs": [], "last_epoch": 1}),
            ValueError,
            "state_dict: expected 1 base_lrs, got 0",
        ),
    ],
)
def test_bad_arguments_are_refused_by_name(act, error, message):
    with pytest.raises(error, match=message):
        act()
