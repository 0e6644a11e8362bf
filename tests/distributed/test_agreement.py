from __future__ import annotations

import numpy as np
import pytest
from ranks_tool import errors, in_threads

from numba_lstm import nn, optim
from numba_lstm.distributed import DistributedOptimizer, agreement


def linear(**options):
    return nn.Linear(3, 2, seed=0, **options)


def made(module, kind=optim.SGD):
    return lambda group: DistributedOptimizer(kind(module(group.rank).parameters(), lr=0.1), group)


def frozen(rank):
    module = linear()
    module.bias.requires_grad = rank != 1
    return module


def with_nan(rank):
    module = linear()
    if rank == 2:
        module.bias[1] = np.nan
    return module


@pytest.mark.parametrize(
    "module, words",
    [
        (
            lambda rank: nn.Linear(3 + (rank == 1), 2),
            "parameter 0 (weight): expected the same on all ranks, got "
            "shape (2, 3) of float32 on ranks 0, 2 and shape (2, 4) of float32 on rank 1",
        ),
        (
            lambda rank: linear(dtype="float64" if rank else "float32"),
            "parameter 0 (weight): expected the same on all ranks, got "
            "shape (2, 3) of float32 on rank 0 and shape (2, 3) of float64 on ranks 1-2",
        ),
        (
            lambda rank: linear(bias=rank > 0),
            "number of parameters: expected the same on all ranks, got 1 on rank 0 and 2 on "
            "ranks 1-2",
        ),
        (
            frozen,
            "parameter 1 (bias): expected the same on all ranks, got shape (2,) of float32 on "
            "ranks 0, 2 and shape (2,) of float32, frozen, on rank 1",
        ),
        (with_nan, "parameters: expected no NaN, got some on rank 2: parameter 1 (bias)"),
    ],
)
def test_ranks_whose_parameters_differ_are_refused_on_every_rank_by_name(module, words):
    assert errors(in_threads(3, made(module))) == [f"DistributedError: {words}"] * 3


def test_another_optimizer_on_a_rank_is_refused():
    kinds = {0: optim.SGD, 1: optim.Adam}
    outcomes = in_threads(2, lambda group: made(lambda rank: linear(), kinds[group.rank])(group))
    words = "optimizer: expected the same on all ranks, got SGD on rank 0 and Adam on rank 1"
    assert errors(outcomes) == [f"DistributedError: {words}"] * 2


def test_another_version_on_a_rank_is_refused(monkeypatch):
    def run(group):
        group.agree = lambda name, value: type(group).agree(group, name, f"{value}.{group.rank}")
        return made(lambda rank: linear())(group)

    monkeypatch.setattr(agreement, "__version__", "1.2")
    words = (
        "version of numba_lstm: expected the same on all ranks, "
        "got 1.2.0 on rank 0 and 1.2.1 on rank 1"
    )
    assert errors(in_threads(2, run)) == [f"DistributedError: {words}"] * 2
