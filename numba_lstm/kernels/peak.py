"""What this machine can do at most: FMAs without memory, and reading memory without FMAs.

Benchmarks measure them in the same run and report what share of them a layer reaches.
"""

from __future__ import annotations

import numpy as np

from ..jit import driver, kernel
from ..parts import parts
from ..simd import TARGET, at, fma, lanes, load, store
from .blocks import first

__all__ = ["CHAINS", "fma_loop", "read_loop"]

# Independent chains of FMAs. At least latency times units are needed to keep all units busy (8 on
# x86, 16 on Apple's), and all chains and two constants must fit the registers.
CHAINS = 24 if TARGET.registers >= 32 else 12


@kernel
def _six(a, b, c, d, e, f, x, y):
    return fma(a, x, y), fma(b, x, y), fma(c, x, y), fma(d, x, y), fma(e, x, y), fma(f, x, y)


@kernel
def _twelve_chains(p, n):
    """Run n rounds of 12 FMAs. p holds two vectors to compute with and one for the result."""
    v = lanes(p)
    x, y = load(p, 0), load(p, v)
    a, b, c, d, e, f = _six(x, x, x, x, x, x, x, y)
    g, h, i, j, k, m = a + y, b + x, c - y, d - x, e * x, f * y
    a, b, c, d, e, f = a * y, b + 1, c + 2, d + 3, e + 4, f + 5
    for _ in range(n):
        a, b, c, d, e, f = _six(a, b, c, d, e, f, x, y)
        g, h, i, j, k, m = _six(g, h, i, j, k, m, x, y)
    store(p, 2 * v, a + b + c + d + e + f + g + h + i + j + k + m)


@kernel
def _twenty_four_chains(p, n):
    """As `_twelve_chains`, with 24 FMAs."""
    v = lanes(p)
    x, y = load(p, 0), load(p, v)
    a, b, c, d, e, f = _six(x, x, x, x, x, x, x, y)
    g, h, i, j, k, m = a + y, b + x, c - y, d - x, e * x, f * y
    a, b, c, d, e, f = a * y, b + 1, c + 2, d + 3, e + 4, f + 5
    a2, b2, c2, d2, e2, f2 = a + 6, b + 6, c + 6, d + 6, e + 6, f + 6
    g2, h2, i2, j2, k2, m2 = g + 7, h + 7, i + 7, j + 7, k + 7, m + 7
    for _ in range(n):
        a, b, c, d, e, f = _six(a, b, c, d, e, f, x, y)
        g, h, i, j, k, m = _six(g, h, i, j, k, m, x, y)
        a2, b2, c2, d2, e2, f2 = _six(a2, b2, c2, d2, e2, f2, x, y)
        g2, h2, i2, j2, k2, m2 = _six(g2, h2, i2, j2, k2, m2, x, y)
    left = a + b + c + d + e + f + g + h + i + j + k + m
    store(p, 2 * v, left + a2 + b2 + c2 + d2 + e2 + f2 + g2 + h2 + i2 + j2 + k2 + m2)


_chains = _twenty_four_chains if TARGET.registers >= 32 else _twelve_chains


@kernel
def _fma_part(q, work, n):
    _chains(at(work, (q, 0)), n)


@driver
def fma_loop(crew, nt, work, n):
    """Run n rounds of CHAINS vector FMAs on each of nt threads.

    Parameters
    ----------
    nt : int
    work : (nt, 3·V) float32 or float64
        For each thread two vectors to compute with, of numbers between 0 and 1 so that nothing
        overflows, and one for a result, without which the compiler would leave the loop out.
    n : int
    """
    parts(crew, nt, _fma_part, (work, n))


@kernel
def _read(p, n, out):
    """Sum n items from p on into the third vector of out; n a multiple of 8 vectors."""
    v = lanes(p)
    a, b, c, d = load(p, 0), load(p, v), load(p, 2 * v), load(p, 3 * v)
    e, f, g, h = load(p, 4 * v), load(p, 5 * v), load(p, 6 * v), load(p, 7 * v)
    for i in range(8 * v, n, 8 * v):
        a = a + load(p, i)
        b = b + load(p, i + v)
        c = c + load(p, i + 2 * v)
        d = d + load(p, i + 3 * v)
        e = e + load(p, i + 4 * v)
        f = f + load(p, i + 5 * v)
        g = g + load(p, i + 6 * v)
        h = h + load(p, i + 7 * v)
    store(out, 2 * v, a + b + c + d + e + f + g + h)


@kernel
def _read_part(q, nt, array, work):
    group = 8 * lanes(array)
    groups = array.size // group
    begin, end = first(q, nt, groups), first(q + 1, nt, groups)
    _read(at(array, (begin * group,)), (end - begin) * group, at(work, (q, 0)))


@driver
def read_loop(crew, nt, array, work):
    """Read the flat `array` once; each thread reads a contiguous part.

    Parameters
    ----------
    nt : int
    array : (n,) float32 or float64
        At least 8·nt vectors; what is left of a part beyond a multiple of 8 vectors is not read.
    work : (nt, 3·V)
        Takes results, as in `fma_loop`.
    """
    parts(crew, nt, _read_part, (nt, array, work))


def work_for(nt: int, dtype: np.dtype) -> np.ndarray:
    """The `work` that both loops take."""
    vector = TARGET.lanes(np.dtype(dtype).itemsize)
    work = np.full((nt, 3 * vector), 0.5, dtype)
    work[:, vector:] = 0.25
    return work
