"""Ridge equations equal those of the textbook, for every penalty at once."""

from __future__ import annotations

import numpy as np

from numba_lstm.datasets.least_squares import ridge_path


def test_each_penalty_gives_the_minimum_of_its_own_loss(rng):
    x, y = rng.normal(size=(50, 4)) * [1, 10, 0.1, 3] + 5, rng.normal(size=(50, 2))
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    ridges = (1e-6, 0.3, 10.0)
    for ridge, found in zip(ridges, ridge_path(x, y, ridges)):
        slopes = np.linalg.solve(z.T @ z / 50 + ridge * np.eye(4), z.T @ (y - y.mean(axis=0)) / 50)
        np.testing.assert_allclose(found(x), z @ slopes + y.mean(axis=0), rtol=1e-9)


def test_without_noise_the_equations_are_found(rng):
    x = rng.normal(size=(30, 3))
    weights = np.array([[1.0, 0.0], [2.0, -1.0], [0.0, 4.0]])
    found = ridge_path(x, x @ weights + [7.0, -7.0], [1e-12])[0]
    np.testing.assert_allclose(found.slopes, weights, atol=1e-9)
    np.testing.assert_allclose(found.intercept, [7.0, -7.0], atol=1e-9)


def test_constant_and_repeated_inputs_do_no_harm(rng):
    x = rng.normal(size=(30, 1))
    inputs = np.hstack([x, x, np.full((30, 1), 1e6)])
    found = ridge_path(inputs, 2 * x, [1e-6])[0]
    assert found.slopes[2] == 0
    np.testing.assert_allclose(found(inputs), 2 * x, rtol=1e-4, atol=1e-5)
