"""exp, tanh and sigmoid of vectors, all from one expm1.

With n = round(x/ln 2) and r = x - n·ln 2, |r| ≤ ln(2)/2,

    expm1(x)   = 2ⁿ·expm1(r) + (2ⁿ - 1)
    tanh(x)    = e / (e + 2),          e = expm1(2x)
    sigmoid(x) = 1 / (1 + exp(-x))

and expm1(r) = r + r²·q(r), q a Chebyshev interpolant. Near 0, n = 0 and nothing cancels, so tanh is
accurate relative to its value everywhere, which the shorter rational approximations are not (in
float32 their rounding reaches 6 ulp near saturation). Largest errors, over all float32 and over
random float64: see tests/test_kernels_activations.py. NaN stays NaN.
"""

from __future__ import annotations

import math

from numba import types
from numba.extending import overload

from ..jit import kernel
from ..simd import Vector, exp2_int, fma, polynomial, round_even, vmax, vmin, where_gt, zeros_like

_LOG2_E = 1.4426950408889634

# Chebyshev interpolants of (expm1(r) - r)/r² on |r| ≤ 1.01·ln(2)/2, the highest power first; the
# error is 6.8e-8 with 5 terms and 1.2e-16 with 10, times r² ≤ 0.12. ln 2 in two parts, the first
# with enough trailing zeros that n times it is exact.
_SINGLE = (
    (0.001392692661402191, 0.008363773874405573, 0.04166655011030512, 0.16666573381900846, 0.5),
    0.693359375,
    -0.00021219444005469058,
    -87.3,
    88.37,
)
_DOUBLE = (
    (
        2.510134692835034e-08,
        2.7621338669142925e-07,
        2.75572664186123e-06,
        2.4801518641395993e-05,
        0.00019841269864380513,
        0.0013888888918939168,
        0.008333333333329793,
        0.04166666666662064,
        0.16666666666666669,
        0.5000000000000001,
    ),
    6.93145751953125e-1,
    1.4286068203094172e-06,
    -708.3,
    709.4,
)


def _make(terms, ln2_high, ln2_low, lowest, highest):
    """exp, tanh and sigmoid for one format; exp(x) is normal for lowest ≤ x ≤ highest."""

    @kernel
    def parts(x):
        """expm1(r) and 2ⁿ for the n and r of the module's equations."""
        n = round_even(x * _LOG2_E)
        r = fma(n, -ln2_low, fma(n, -ln2_high, x))
        return fma(r * r, polynomial(r, terms), r), exp2_int(n)

    @kernel
    def exp(x):
        p, scale = parts(vmin(vmax(x, lowest), highest))
        y = fma(scale, p, scale)
        zero = zeros_like(x)
        y = where_gt(zero + lowest, x, zero, y)
        return where_gt(x, highest, zero + math.inf, y)

    @kernel
    def tanh(x):
        # From |2x| = 40 on the quotient rounds to 1 in both formats.
        p, scale = parts(vmin(vmax(x + x, -40.0), 40.0))
        e = fma(scale, p, scale - 1.0)
        return e / (e + 2.0)

    @kernel
    def sigmoid(x):
        p, scale = parts(vmin(vmax(x * -1.0, lowest), highest))
        return 1.0 / (fma(scale, p, scale) + 1.0)

    return exp, tanh, sigmoid


_SINGLE_FUNCTIONS = _make(*_SINGLE)
_DOUBLE_FUNCTIONS = _make(*_DOUBLE)


def _choose(index, x):
    if not isinstance(x, Vector):
        return None
    function = (_SINGLE_FUNCTIONS if x.dtype is types.float32 else _DOUBLE_FUNCTIONS)[index]

    def implementation(x):
        return function(x)

    return implementation


def exp(x):
    """exp(x); 0 below and inf above what the format holds as a normal number."""
    raise TypeError("exp: to be called on vectors inside a kernel")


def tanh(x):
    """tanh(x), within [-1, 1]."""
    raise TypeError("tanh: to be called on vectors inside a kernel")


def sigmoid(x):
    """1 / (1 + exp(-x)), within [0, 1]."""
    raise TypeError("sigmoid: to be called on vectors inside a kernel")


@overload(exp)
def _exp(x):
    return _choose(0, x)


@overload(tanh)
def _tanh(x):
    return _choose(1, x)


@overload(sigmoid)
def _sigmoid(x):
    return _choose(2, x)
