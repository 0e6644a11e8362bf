"""What comes with the package is whole, and what comes with another is found or asked for."""

from __future__ import annotations

import importlib.util
from importlib.resources import files

import numpy as np
import pytest

from numba_lstm.datasets import load_japanese_vowels, load_seattle_weather


def test_the_weather_is_whole():
    weather = load_seattle_weather()
    assert weather.values.shape == (1461, 4) and weather.gaps == ()
    assert weather.names == ("temp_max", "precipitation", "temp_min", "wind")
    assert str(weather.frequency) == "D" and np.isfinite(weather.values).all()
    assert weather.time[0] == np.datetime64("2012-01-01")
    assert weather.time[-1] == np.datetime64("2015-12-31")
    assert weather.values[0].tolist() == [12.8, 0.0, 5.0, 4.7]
    assert weather.values[-1].tolist() == [5.6, 0.0, -2.1, 3.5]


def test_columns_of_the_weather_may_be_chosen():
    wind = load_seattle_weather(["wind", "temp_min"], exog=[])
    assert wind.names == ("wind", "temp_min") and wind.targets == 2
    with pytest.raises(ValueError, match="no column 'snow'"):
        load_seattle_weather("snow")


def test_its_licence_is_beside_it():
    text = files("numba_lstm.datasets").joinpath("seattle_weather.LICENSE").read_text()
    assert "public domain" in text and "vega-datasets 0.9.0" in text and "MIT License" in text


def test_without_sktime_the_extra_is_named(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ImportError, match=r"pip install 'numba_lstm\[timeseries\]'"):
        load_japanese_vowels()


@pytest.mark.skipif(importlib.util.find_spec("sktime") is None, reason="sktime is not installed")
def test_the_japanese_vowels_are_those_that_the_literature_counts():
    train, test = load_japanese_vowels()
    assert (len(train), len(test)) == (270, 370)
    assert train.width == test.width == 12 and train.classes == tuple("123456789")
    assert (min(train.lengths.min(), test.lengths.min()), test.lengths.max()) == (7, 29)
    assert np.bincount(train.codes).tolist() == [30] * 9
    assert train.missing == test.missing == 0 and train.notes == ()
