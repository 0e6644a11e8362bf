"""Whatever the sizes and options are: outputs and gradients are the NumPy float64 reference's."""

from __future__ import annotations

import numpy as np
from family_tool import by_reference, ours
from hypothesis import given
from lstm_tool import assert_all_close, assert_same_bits
from properties_tool import OUTPUTS, calls


@given(calls())
def test_every_output_and_gradient_is_the_references(call):
    found, expected = ours(call.module, call.case), by_reference(call.module, call.case)
    # A gradient that has all but cancelled has the roundings of what it was made of.
    assert_all_close(found, expected, call.module.dtype, call, floor=0.1, times=3.0)


@given(calls())
def test_gradients_are_linear_in_the_cotangents_to_the_bit(call):
    """Times 2ᵏ they are exactly 2ᵏ times as large: 1e30 in float32, 1e150 in float64."""
    module, case = call.module, call.case
    scale = 2.0 ** (100 if module.dtype == np.float32 else 500)
    large = case._replace(dy=case.dy * module.dtype.type(scale))
    large = large._replace(dstates=[d * module.dtype.type(scale) for d in case.dstates])
    once, times = ours(module, case), ours(module, large)
    gradients = once.keys() - OUTPUTS
    assert_same_bits(
        {name: times[name] for name in gradients},
        {name: once[name] * module.dtype.type(scale) for name in gradients},
        call,
    )
