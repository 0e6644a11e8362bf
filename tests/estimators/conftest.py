"""Small data that a small network learns at once."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def ragged(rng):
    """Sequences of 3 to 9 steps, two features; the label tells the sign of the last first one."""
    X = [rng.normal(size=(int(n), 2)) for n in rng.integers(3, 10, 40)]
    y = np.array(["down", "up"])[[int(x[-1, 0] > 0) for x in X]]
    return X, y
