"""The docstrings of all estimators tell of the options that they share, in their own words."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from numba_lstm import estimators
from numba_lstm.estimators.options import options_of


@pytest.mark.parametrize(
    "name, word",
    [("LSTMClassifier", "samples"), ("LSTMRegressor", "samples"), ("LSTMForecaster", "windows")],
)
def test_every_option_is_told_of(name, word):
    text = getattr(estimators, name).__doc__
    assert f"Whether {word} come in another order in each epoch." in text
    assert "[" not in "".join(options_of("sequence", "sample").values())
