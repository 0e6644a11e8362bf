"""Which tests take minutes: they run with NUMBA_LSTM_LONG=1 only."""

from __future__ import annotations

import os

import pytest

LONG = os.environ.get("NUMBA_LSTM_LONG", "0") not in ("", "0")
only_long = pytest.mark.skipif(not LONG, reason="takes minutes: NUMBA_LSTM_LONG=1 runs it")
