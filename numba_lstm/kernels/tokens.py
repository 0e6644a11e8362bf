"""Backward of the projected embedding table: dz summed by token.

In NumPy: ``numpy.add.at(table, (slice(None), tokens), z)``. With the sums, dW_ih and the
embedding's gradient are products over the vocabulary instead of over all rows.
"""

from __future__ import annotations

from ..jit import driver, kernel
from ..parts import parts
from ..simd import PANEL, at, flush_denormals, lanes, load, restore_denormals, store
from .blocks import first


@kernel
def _sum_by_token_part(q, nt, z, tokens, table):
    panels = table.shape[0]
    v = lanes(z)
    state = flush_denormals()
    for p in range(first(q, nt, panels), first(q + 1, nt, panels)):
        table[p] = 0
        for k in range(tokens.shape[0]):
            source = at(z, (p, k, 0))
            target = at(table, (p, tokens[k], 0))
            for j in range(PANEL):
                store(target, j * v, load(target, j * v) + load(source, j * v))
    restore_denormals(state)


@driver
def sum_by_token(crew, nt, z, tokens, table):
    """``table[p, v, :] = Σ z[p, k, :]`` over all k with tokens[k] = v, in order of k.

    Parameters
    ----------
    nt : int
        Threads.
    z : (P, ≥ K, PANEL·V) float32 or float64
    tokens : (K,) int64
        Below the vocabulary's size; not checked.
    table : (P, vocabulary, PANEL·V), of z's dtype, overwritten
    """
    parts(crew, nt, _sum_by_token_part, (nt, z, tokens, table))
