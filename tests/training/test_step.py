"""One step lowers the loss, keeps to its clip, and changes nothing where the numbers end."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import optim
from numba_lstm.models import LanguageModel
from numba_lstm.training.lm.config import merge
from numba_lstm.training.step import Diverged, make_optimizer, make_schedule, train_step

INPUTS = np.arange(12).reshape(6, 2) % 5
TARGETS = (INPUTS + 1) % 5


@pytest.fixture
def model():
    return LanguageModel(5, 4, 6, dtype="float64", seed=0)


def test_steps_lower_the_loss_and_give_the_state_to_carry_on(model):
    optimizer = optim.Adam(model.parameters(), lr=0.05)
    first, (h, c) = train_step(model, optimizer, INPUTS, TARGETS, None, 1.0)
    assert h.shape == c.shape == (1, 2, 6)
    expected = model(INPUTS)[1]
    for _ in range(20):
        last, _ = train_step(model, optimizer, INPUTS, TARGETS, None, 1.0)
    assert last < first / 2
    assert not np.array_equal(expected[0], model(INPUTS)[1][0])


@pytest.mark.parametrize("clip", [0.01, 0.0])
def test_the_gradient_is_scaled_down_to_its_highest_norm(model, clip):
    before = model.state_dict()
    train_step(model, optim.SGD(model.parameters(), lr=1.0), INPUTS, TARGETS, None, clip)
    after = model.state_dict()
    moved = np.sqrt(sum(((after[name] - before[name]) ** 2).sum() for name in before))
    norm = optim.grad_norm(model.parameters())
    assert norm > 0.1
    assert moved == pytest.approx(clip or norm, rel=1e-4)


def test_a_loss_or_a_gradient_that_is_not_finite_changes_no_parameter(model, monkeypatch):
    optimizer = optim.SGD(model.parameters(), lr=1.0)
    before = model.state_dict()
    monkeypatch.setattr(optim, "grad_norm", lambda parameters: np.inf)
    with pytest.raises(Diverged, match="the gradient's norm at step 7 is inf"):
        train_step(model, optimizer, INPUTS, TARGETS, None, 1.0, 7)
    assert all(np.array_equal(before[name], value) for name, value in model.state_dict().items())
    model.decoder.bias[...] = np.nan
    with pytest.raises(Diverged, match="the loss at step 8 is nan"):
        train_step(model, optimizer, INPUTS, TARGETS, None, 1.0, 8)


@pytest.mark.parametrize("name", ["adam", "adamw", "sgd"])
def test_optimizer_and_schedule_are_those_that_the_options_name(model, name):
    config = merge(("", {"optimizer": name, "lr": 0.5, "weight_decay": 0.25, "warmup": 0.5}))
    optimizer = make_optimizer(config, model)
    assert type(optimizer).__name__.lower() == name
    (group,) = optimizer.param_groups
    assert (group["lr"], group["weight_decay"]) == (0.5, 0.25)
    for schedule, kind in (("cosine", optim.CosineLR), ("constant", optim.ConstantLR)):
        config = merge(("", {"schedule": schedule, "warmup": 0.5}))
        made = make_schedule(config, optimizer)
        assert type(made) is kind
        made.step(0.25)
        assert optimizer.lr == pytest.approx(0.25)
        optimizer.lr = 0.5
