"""The product of a cell: the rows that are asked for and no others, gradients by complex step."""

from __future__ import annotations

import pytest
from gradcheck import assert_close, complex_gradient

from numba_lstm.reference.product import product_backward, product_forward


@pytest.mark.parametrize("optional", [(), ("bias_hh",), ("bias_hh", "weight_ln_hh")])
@pytest.mark.parametrize("rows", [slice(None), slice(2, 5)])
def test_gradients_equal_complex_step(rng, rows, optional):
    p = {"weight_hh": rng.standard_normal((6, 4))}
    p |= {name: rng.standard_normal(6) for name in optional}
    v, dz = rng.standard_normal((3, 4)), rng.standard_normal((3, len(range(6)[rows])))
    z, saved = product_forward(p, "hh", v, rows)
    plain = v @ p["weight_hh"][rows].T
    assert z.shape == plain.shape
    if not optional:
        assert_close(z, plain, 1e-15)
    before = {name: rng.standard_normal(value.shape) for name, value in p.items()}
    dp = {name: value.copy() for name, value in before.items()}
    dv = product_backward(p, "hh", saved, dz, dp)

    def loss(v=v, **changed):
        return (product_forward(p | changed, "hh", v, rows)[0] * dz).sum()

    assert_close(dv, complex_gradient(lambda moved: loss(v=moved), v), 1e-12, "dv")
    for name, value in p.items():
        numeric = complex_gradient(lambda moved, name=name: loss(**{name: moved}), value)
        assert_close(dp[name] - before[name], numeric, 1e-12, name)  # added to what was there
