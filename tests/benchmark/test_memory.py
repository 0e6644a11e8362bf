"""Resident memory as the system tells it."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from numba_lstm.benchmark.memory import peak_bytes, resident_bytes


@pytest.mark.skipif(sys.platform == "win32", reason="not told there")
def test_the_peak_rises_with_what_is_touched_and_stays():
    before = peak_bytes()
    block = np.ones(300 << 20, np.uint8)
    during = peak_bytes()
    assert during >= before
    assert during >= block.nbytes
    del block
    assert peak_bytes() >= during - (1 << 20)  # Linux counts in batches


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells")
def test_what_is_resident_falls_again():
    block = np.ones(300 << 20, np.uint8)
    during = resident_bytes()
    del block
    assert resident_bytes() < during - (200 << 20)
