"""The package's face: every name it promises is there."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import nn, optim


@pytest.mark.parametrize("name", optim.__all__)
def test_every_promised_name_is_there(name):
    assert callable(getattr(optim, name))


def test_a_quadratic_is_minimised_by_the_public_names_alone():
    p = nn.Parameter(np.array([3.0, -2.0]))
    optimizer = optim.AdamW([p], lr=0.1, weight_decay=0.0)
    schedule = optim.CosineLR(optimizer, warmup=0.1)
    for step in range(200):
        optimizer.zero_grad()
        p.add_grad(2 * (p.numpy() - 1))
        optim.clip_grad_norm_([p], 5.0)
        schedule.step((step + 1) / 200)
        optimizer.step()
    assert np.abs(p.numpy() - 1).max() < 1e-2
