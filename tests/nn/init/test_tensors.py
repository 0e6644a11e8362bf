"""Tensors are filled as torch fills them, from a seed of their own."""

from __future__ import annotations

import math

import numpy as np
import pytest

from numba_lstm.nn import Parameter, init

DRAWS = [
    lambda p, seed: init.uniform_(p, -2, 3, seed=seed),
    lambda p, seed: init.normal_(p, 1, 2, seed=seed),
    lambda p, seed: init.xavier_uniform_(p, 1.5, seed=seed),
    lambda p, seed: init.xavier_normal_(p, gates=4, seed=seed),
    lambda p, seed: init.kaiming_uniform_(p, math.sqrt(5), seed=seed),
    lambda p, seed: init.orthogonal_(p, gates=4, seed=seed),
]


@pytest.mark.usefixtures("global_random_state_stays")
@pytest.mark.parametrize("draw", DRAWS)
def test_a_seed_gives_the_same_values_in_both_dtypes(draw):
    small, wide = Parameter(np.zeros((8, 5), np.float32)), np.zeros((8, 5))
    assert draw(small, 3) is small
    assert draw(wide, np.random.default_rng(3)) is wide
    assert np.array_equal(small.numpy(), wide.astype(np.float32))
    assert small.version == 1
    assert wide.std() > 0
    assert not np.array_equal(draw(np.zeros((8, 5)), 4), wide)


@pytest.mark.parametrize(
    "ours, theirs",
    [
        (lambda p: init.xavier_uniform_(p, 1.7, seed=0), lambda i, t: i.xavier_uniform_(t, 1.7)),
        (lambda p: init.xavier_normal_(p, seed=0), lambda i, t: i.xavier_normal_(t)),
        (lambda p: init.kaiming_uniform_(p, 0.3, seed=0), lambda i, t: i.kaiming_uniform_(t, 0.3)),
        (lambda p: init.normal_(p, 2, 3, seed=0), lambda i, t: i.normal_(t, 2, 3)),
        (lambda p: init.uniform_(p, 2, 3, seed=0), lambda i, t: i.uniform_(t, 2, 3)),
        (lambda p: init.orthogonal_(p, 1.3, seed=0), lambda i, t: i.orthogonal_(t, 1.3)),
    ],
)
@pytest.mark.parametrize("shape", [(300, 200), (200, 300), (60, 20, 50)])
def test_distributions_are_torchs(ours, theirs, shape):
    torch = pytest.importorskip("torch")
    torch.manual_seed(0)
    tensor = torch.zeros(shape)
    theirs(torch.nn.init, tensor)
    expected, found = np.sort(tensor.numpy().ravel()), np.sort(ours(np.zeros(shape)).ravel())
    # Two samples of 60,000 from one distribution: their distribution functions differ by less than
    # 0.0112 in 999 of 1000 cases (Kolmogorov-Smirnov).
    both = np.concatenate([expected, found])
    gap = np.searchsorted(expected, both, "right") - np.searchsorted(found, both, "right")
    assert np.abs(gap).max() / expected.size < 0.0112


def test_xavier_bounds_count_one_gate():
    w = init.xavier_uniform_(np.zeros((400, 50)), gates=4, seed=0)
    bound = math.sqrt(6 / (50 + 100))
    assert 0.99 * bound < np.abs(w).max() <= bound


@pytest.mark.parametrize("shape, gates", [((20, 5), 4), ((8, 9), 4), ((7, 7), 1), ((6, 2, 3), 1)])
def test_orthogonal_blocks_are_orthogonal(shape, gates):
    w = init.orthogonal_(np.zeros(shape), 2.0, gates=gates, seed=0)
    for block in np.split(w.reshape(shape[0], -1), gates):
        product = block @ block.T if block.shape[0] <= block.shape[1] else block.T @ block
        np.testing.assert_allclose(product, 4 * np.eye(len(product)), rtol=0, atol=1e-13)


def test_constants():
    p = Parameter(np.ones((2, 3), np.float32))
    assert (init.zeros_(p).numpy() == 0).all()
    assert (init.ones_(p).numpy() == 1).all()
    assert (init.constant_(p, -2.5).numpy() == -2.5).all()


@pytest.mark.parametrize("function", [init.xavier_uniform_, init.xavier_normal_, init.orthogonal_])
def test_shapes_that_do_not_fit_are_refused(function):
    p = Parameter(np.ones(4))
    with pytest.raises(ValueError, match="tensor: expected at least 2 dimensions, got 1"):
        function(p)
    with pytest.raises(ValueError, match="rows that divide into 4 gates, got 6"):
        function(np.zeros((6, 2)), gates=4)
    assert p.version == 0


@pytest.mark.parametrize("tensor", [np.zeros((2, 2), int), [[1.0]], None])
def test_what_cannot_be_written_is_refused(tensor):
    with pytest.raises(TypeError, match="tensor: expected a Parameter or an array of floats"):
        init.uniform_(tensor)
