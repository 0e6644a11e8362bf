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


def holding(value, ranks=(2,)):
    def module(rank):
        found = linear()
        if rank in ranks:
            found.bias[1] = value
        return found

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
        *(
            (
                holding(value),
                "parameters: expected finite numbers, got others on rank 2: parameter 1 (bias)",
            )
            for value in (np.nan, np.inf, -np.inf)
        ),
        (
            holding(np.nan, (0, 1)),
            "parameters: expected finite numbers, got others on ranks 0-1: parameter 1 (bias)",
        ),
    ],
)
def test_ranks_whose_parameters_differ_are_refused_on_every_rank_by_name(module, words):
    assert errors(in_threads(3, made(module))) == [f"DistributedError: {words}"] * 3


def test_another_optimizer_on_a_rank_is_refused():
    kinds = {0: optim.SGD, 1: optim.Adam}
    outcomes = in_threads(2, lambda group: made(lambda rank: linear(), kinds[group.rank])(group))
    words = "optimizer: expected the same on all ranks, got SGD on rank 0 and Adam on rank 1"
    assert errors(outcomes) == [f"DistributedError: {words}"] * 2


@pytest.mark.parametrize(("name", "values"), [("average", (True, False)), ("check_every", (9, 0))])
def test_another_argument_on_a_rank_is_refused_at_the_start(name, values):
    def run(group):
        inner = optim.SGD(linear().parameters(), lr=0.1)
        DistributedOptimizer(inner, group, **{name: values[group.rank]})

    words = (
        f"{name}: expected the same on all ranks, got {values[0]} on rank 0 and {values[1]} on "
        "rank 1"
    )
    assert errors(in_threads(2, run)) == [f"DistributedError: {words}"] * 2


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


def test_a_digest_is_of_the_bits_and_a_parameter_may_have_no_elements():
    some = [nn.Parameter(np.zeros((0, 3), np.float32)), nn.Parameter([1.0, 2.0])]
    before = agreement.digest(some)
    assert agreement.digest(some) == before
    some[1][1] = np.nextafter(np.float32(2.0), np.float32(3.0))
    assert agreement.digest(some) != before
