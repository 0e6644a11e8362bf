"""The docstrings of all estimators tell of the options that they share, in their own words."""

from __future__ import annotations

import pytest

pytest.importorskip("sklearn")

from numba_lstm import estimators
from numba_lstm.estimators.options import options_of
from numba_lstm.models.documented import NETWORK


@pytest.mark.parametrize(
    "name, word",
    [("LSTMClassifier", "samples"), ("LSTMRegressor", "samples"), ("LSTMForecaster", "windows")],
)
def test_every_option_is_told_of(name, word):
    text = getattr(estimators, name).__doc__
    assert f"Whether {word} come in another order in each epoch." in text
    assert "[" not in "".join(options_of("sequence", "sample").values())


@pytest.mark.parametrize("name", ["LSTMClassifier", "LSTMForecaster"])
def test_the_network_is_told_of_as_by_the_models(name):
    text = " ".join(getattr(estimators, name).__doc__.split())
    network = NETWORK.replace(" (D = 2)", "")
    word = "window" if name == "LSTMForecaster" else "sequence"
    assert " ".join(network.replace("sequence", word).split()) in text
    assert "hidden_size : int or list of int" in text and "D = 2" not in text
