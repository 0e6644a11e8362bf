"""The loops that measure the machine do what they say, so that their flops and bytes are true."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.kernels import peak


def chain_sum(n, dtype):
    """What is left of all chains after n rounds, by the kernel's own first values."""
    x, y = dtype(0.5), dtype(0.25)
    start = x * x + y
    first = [start * y, start + 1, start + 2, start + 3, start + 4, start + 5]
    second = [start + y, start + x, start - y, start - x, start * x, start * y]
    values = first + second
    if peak.CHAINS == 24:
        values += [a + 6 for a in first] + [a + 7 for a in second]
    values = np.array(values)
    for _ in range(n):
        values = values * x + y
    return values.sum(), len(values)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 7])
def test_each_round_is_one_fma_of_every_chain(dtype, n):
    work = peak.work_for(1, dtype)
    peak.fma_loop(1, work, n)
    expected, chains = chain_sum(n, dtype)
    assert chains == peak.CHAINS
    np.testing.assert_allclose(work[0, 2 * work.shape[1] // 3 :], expected, rtol=1e-5)


@pytest.mark.parametrize("nt", [1, 2])
def test_every_thread_reads_its_part_and_together_they_read_all(nt):
    work = peak.work_for(nt, np.float32)
    vector = work.shape[1] // 3
    array = np.random.default_rng(0).random(8 * vector * 31).astype(np.float32)
    peak.read_loop(nt, array, work)
    parts = work[:, 2 * vector :].sum(axis=1)
    assert (parts > 0).all()
    np.testing.assert_allclose(parts.sum(), array.sum(dtype=np.float64), rtol=1e-5)
