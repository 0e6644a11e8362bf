"""Each series is scaled by what it shows itself, and what it is too short to show by the others."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from numba_lstm.datasets import Deseasonalizer, Scaler, Series, SeriesScalers


def days(count, first="2020-01-01"):
    return np.datetime64(first) + np.arange(count)


def sales(count, size=1.0, id="", first="2020-01-01", seed=0, known=()):
    """A week and a year, noise, and a column beside it."""
    rng, time = np.random.default_rng(seed), days(count, first)
    t = (time - np.datetime64("2020-01-01")).astype(float)
    wave = 5 * (t % 7 == 5) + 3 * np.sin(2 * np.pi * t / 365.2425)
    values = np.stack([size * (20 + wave + 0.3 * rng.normal(size=count)), t % 30 == 0], axis=1)
    return Series(values, time, ("sales", "holiday"), id=id, known=known)


def test_one_series_is_scaled_as_ever():
    one = sales(800)
    (own,) = SeriesScalers.fit([one]).fitted
    seasonal = Deseasonalizer.fit([one])
    np.testing.assert_array_equal(own.seasonal.weights, seasonal.weights)
    rest = seasonal.transform(one).values
    np.testing.assert_array_equal(own.transform(one), Scaler.fit(rest).transform(rest))


@pytest.mark.parametrize("size", [1e-3, 1000.0])
def test_a_series_of_another_size_is_the_same_when_scaled(size):
    one, other = sales(800, id="a"), sales(800, size, id="b")
    scalers = SeriesScalers.fit([one, other])
    scaled = [by.transform(each) for by, each in zip(scalers.fitted, (one, other))]
    np.testing.assert_allclose(scaled[0][:, 0], scaled[1][:, 0], rtol=1e-6, atol=1e-6)
    np.testing.assert_allclose(scaled[1][:, 0].std(), 1.0)
    alone = SeriesScalers.fit([other]).fitted[0]
    np.testing.assert_array_equal(scalers.fitted[1].scaler.scale, alone.scaler.scale)


def test_a_known_id_has_the_scale_of_fit_and_another_one_that_of_its_own_rows():
    scalers = SeriesScalers.fit([sales(800, id="a"), sales(800, 50.0, id="b")])
    later = sales(100, 7.0, id="a", first="2023-01-01")
    assert scalers.of(later) is scalers.fitted[0]
    new = scalers.of(replace(later, id="c"))
    assert 6.0 < new.scaler.scale[0] / scalers.fitted[0].scaler.scale[0] < 8.0
    np.testing.assert_allclose(new.transform(replace(later, id="c"))[:, 0].mean(), 0, atol=1e-9)


def test_series_without_names_that_tell_them_apart_are_not_known_again():
    scalers = SeriesScalers.fit([sales(100), sales(100, 9.0)])
    assert scalers.ids == () and len(scalers.fitted) == 2
    assert scalers.of(sales(100, 9.0)) is not scalers.fitted[1]
    assert SeriesScalers.fit([sales(100)]).ids == ("",)


def test_a_cycle_that_a_series_is_too_short_to_show_is_that_of_the_others_in_its_size():
    long = [sales(1200, id="a"), sales(1200, 10.0, id="b", seed=1)]
    short = sales(60, 100.0, id="c", first="2021-04-01", seed=2)
    scalers = SeriesScalers.fit([*long, short])
    assert [one.seasonal.cycles["sales"] for one in scalers.fitted] == [("week", "year")] * 3
    assert SeriesScalers.fit([short]).fitted[0].seasonal.cycles["sales"] == ("week",)
    # In October, half a year later, it is as low as the others are.
    effect = scalers.fitted[2].seasonal.effect(days(7, "2021-10-01"))[:, 0].mean()
    assert -600.0 < effect < -60.0
    unseen = SeriesScalers.fit(long).of(short)
    np.testing.assert_allclose(unseen.seasonal.weights, scalers.fitted[2].seasonal.weights)
    # The known columns have no season, and series without dates no calendar.
    assert not unseen.seasonal.weights[:, 1].any() or "holiday" not in short.known
    numbers = Series(short.values, np.arange(60), short.names)
    assert not SeriesScalers.fit(long).of(numbers).seasonal.found


def test_a_known_column_that_is_constant_in_a_series_has_the_scale_of_the_others():
    """A holiday that has not come yet is as large as one elsewhere, when it comes."""
    one = sales(400, id="a", known=("holiday",))
    without = one.values.copy()
    without[:, 1] = 0.0
    other = replace(one, values=without, id="b")
    scalers = SeriesScalers.fit([one, other])
    assert scalers.fitted[1].scaler.scale[1] == scalers.fitted[0].scaler.scale[1] < 0.5
    assert SeriesScalers.fit([other]).fitted[0].scaler.scale[1] == 1.0
    assert scalers.of(replace(other, id="c")).scaler.scale[1] == scalers.fitted[0].scaler.scale[1]


def test_what_is_not_wanted_is_not_done():
    one = sales(400, id="a")
    plain = SeriesScalers.fit([one], deseasonalize=False, standardize=False)
    np.testing.assert_array_equal(plain.fitted[0].transform(one), one.values)
    np.testing.assert_array_equal(plain.of(replace(one, id="b")).transform(one), one.values)
    only = SeriesScalers.fit([one], deseasonalize=False).of(replace(one, id="b"))
    assert not only.seasonal.found and only.scaler.scale[0] != 1.0


def test_they_come_back_from_json():
    scalers = SeriesScalers.fit([sales(800, id="a"), sales(800, 50.0, id="b")])
    again = SeriesScalers.from_json(json.loads(json.dumps(scalers.to_json())))
    assert again.to_json() == scalers.to_json() and again.ids == ("a", "b")
    for one in (sales(90, 3.0, id="b"), sales(90, 3.0, id="c")):
        np.testing.assert_array_equal(again.of(one).transform(one), scalers.of(one).transform(one))
