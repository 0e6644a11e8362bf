"""What all tests share."""

from __future__ import annotations

import os
import zlib

import numpy as np
import pytest

# torch's and numba's OpenMP pools in one process spin against each other; waiting threads sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")


@pytest.fixture
def rng(request: pytest.FixtureRequest) -> np.random.Generator:
    """Random numbers that depend on the test's name only, not on which other tests run."""
    return np.random.default_rng(zlib.crc32(request.node.nodeid.encode()))
