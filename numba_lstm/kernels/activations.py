"""exp, tanh and sigmoid of vectors.

With n = round(x/ln 2) and r = x - n·ln 2, |r| ≤ ln(2)/2,

    exp(x)     = 2ⁿ·exp(r)
    sigmoid(x) = 1 / (1 + 2ⁿ·exp(-r)),   here r = x + n·ln 2, n = round(-x/ln 2)
    tanh(x)    = e / (e + 2),   e = expm1(2x) = 2ⁿ·expm1(2r) + (2ⁿ - 1),   n = round(2x/ln 2)

Near 0, n = 0 and nothing cancels, so tanh is accurate relative to its value everywhere. Shorter
rational approximations are not: in float32 their rounding reaches 6 ulp near saturation. The
largest errors over all magnitudes are in tests/kernels/test_activations.py. NaN stays NaN. FMAs
bound an LSTM's gates, which take 5 % of the time of a layer with K = 384, so the polynomials are as
short as the formats allow. The plain lines are in `reference.activations`.
"""

from __future__ import annotations

import math

from numba import types
from numba.extending import overload

from ..jit import kernel
from ..simd import Vector, exp2_int, fma, polynomial, round_even, vmax, vmin, where_gt, zeros_like

_LOG2_E = 1.4426950408889634
_LN2 = 0.6931471805599453

# Chebyshev interpolants of q(r) = (expm1(r) - r)/r² on |r| ≤ 1.01·ln(2)/2, the highest power first:
# the error is 6.8e-8 with 5 terms and 1.2e-16 with 10, times r² ≤ 0.12.
_Q_SINGLE = (
    0.001392692661402191,
    0.008363773874405573,
    0.04166655011030512,
    0.16666573381900846,
    0.5,
)
_Q_DOUBLE = (
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
)
# exp(-r) on |r| ≤ ln(2)/2: in float32 an interpolant with error 8.1e-8, in float64 made from q.
_EXP_SINGLE = (
    -0.008369508218658223,
    0.04192002805713281,
    -0.16666502004013434,
    0.4999884655989082,
    -1.0000000110990621,
    1.0000000777495361,
)
_EXP_DOUBLE = (*(c * (-1) ** (11 - i) for i, c in enumerate(_Q_DOUBLE)), -1.0, 1.0)
# ln 2 in two parts. The first ends in so many zeros that n times it is exact.
_LN2_SINGLE = (0.693359375, -0.00021219444005469058)
_LN2_DOUBLE = (6.93145751953125e-1, 1.4286068203094172e-06)


def _make(single):
    """exp, tanh and sigmoid for float32 or float64."""
    terms, exp_terms = (_Q_SINGLE, _EXP_SINGLE) if single else (_Q_DOUBLE, _EXP_DOUBLE)
    ln2_high, ln2_low = _LN2_SINGLE if single else _LN2_DOUBLE
    # exp(x) is a normal number for lowest ≤ x ≤ highest.
    lowest, highest = (-87.3, 88.37) if single else (-708.3, 709.4)
    # expm1(2r) = 2r + r²·4q(2r)
    doubled = tuple(c * 2.0 ** (len(terms) + 1 - i) for i, c in enumerate(terms))

    @kernel
    def reduce(n, x, scale):
        """x - n·scale·ln 2."""
        if single:
            # One rounded constant. Its error, 2e-9·n, is large only where the function saturates.
            return fma(n, -scale * _LN2, x)
        return fma(n, -scale * ln2_low, fma(n, -scale * ln2_high, x))

    @kernel
    def exp(x):
        bounded = vmin(vmax(x, lowest), highest)
        n = round_even(bounded * _LOG2_E)
        r = fma(n, -ln2_low, fma(n, -ln2_high, bounded))
        scale = exp2_int(n)
        y = fma(scale, fma(r * r, polynomial(r, terms), r), scale)
        zero = zeros_like(x)
        y = where_gt(zero + lowest, x, zero, y)
        return where_gt(x, highest, zero + math.inf, y)

    @kernel
    def tanh(x):
        # From |x| = 20 on, e / (e + 2) rounds to ±1 in both formats.
        x = vmin(vmax(x, -20.0), 20.0)
        n = round_even(x * (2.0 * _LOG2_E))
        r = reduce(n, x, 0.5)
        scale = exp2_int(n)
        p = fma(r * r, polynomial(r, doubled), r + r)
        e = fma(scale, p, scale - 1.0)
        return e / (e + 2.0)

    @kernel
    def sigmoid(x):
        x = vmin(vmax(x, -highest), -lowest)
        n = round_even(x * -_LOG2_E)
        r = reduce(n, x, -1.0)
        return 1.0 / fma(exp2_int(n), polynomial(r, exp_terms), 1.0)

    return exp, tanh, sigmoid


_SINGLE_FUNCTIONS = _make(True)
_DOUBLE_FUNCTIONS = _make(False)


def _choose(index, x):
    if not isinstance(x, Vector):
        return None
    function = (_SINGLE_FUNCTIONS if x.dtype is types.float32 else _DOUBLE_FUNCTIONS)[index]

    def implementation(x):
        return function(x)

    return implementation


def exp(x):
    """exp(x); 0 and inf where exp(x) is below and above the normal numbers of the format."""
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
