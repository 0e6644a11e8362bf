"""The measured ceiling is one."""

from __future__ import annotations

import numpy as np

from numba_lstm.benchmark.peak import bandwidth_gbs, peak_gflops


def test_float64_has_half_the_peak_of_float32():
    # A busy neighbour can only make them slower for a while: of each the best in turns.
    pairs = [(peak_gflops(1, 0.05), peak_gflops(1, 0.05, np.float64)) for _ in range(8)]
    single, double = map(max, zip(*pairs))
    assert 1.6 < single / double < 2.4


def test_memory_is_read_at_gigabytes_a_second():
    assert 0.5 < bandwidth_gbs(1, 0.05) < 5000
