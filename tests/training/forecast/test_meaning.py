"""What a forecaster's numbers mean comes back from its file, or is refused by what is wrong."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pytest

from numba_lstm.datasets import Frequency, Scaler, SeriesScaler, SeriesScalers
from numba_lstm.datasets.seasonal import Deseasonalizer
from numba_lstm.training.forecast.meaning import Meaning
from numba_lstm.training.runs.folders import RunError

NAMES = ("sales", "visitors", "holiday")
OWN = SeriesScaler(
    Deseasonalizer.of_nothing(NAMES), Scaler(np.array([1.0, 2.0, 0.5]), np.array([2.0, 1.0, 0.5]))
)
SCALING = SeriesScalers((OWN,), ("",), OWN, ("holiday",)).to_json()
MEANING = Meaning(
    columns=NAMES,
    targets=1,
    known=("holiday",),
    scaling=SCALING,
    window=14,
    horizon=7,
    count=15,
    unit="min",
    until="2021-05-22",
)


def test_it_comes_back_from_its_file():
    again = Meaning.from_json(json.loads(json.dumps(MEANING.to_json())), "data.json")
    assert again == MEANING and "day" in MEANING.to_json()
    assert again.names == ("sales",) and again.frequency.words == "15 minutes"
    (own,) = again.scalers.fitted
    assert own.scaler.inverse([[1.0]]).tolist() == [[3.0]] and again.ids == ("",)
    assert again.sizes == (1, 1, 3, 14, 7)


def test_a_day_of_the_month_is_kept_and_may_be_absent():
    monthly = dataclasses.replace(MEANING, count=1, unit="MS", day=30)
    assert Meaning.from_json(monthly.to_json(), "data.json").frequency == Frequency(1, "MS", 30)
    older = {name: value for name, value in MEANING.to_json().items() if name != "day"}
    assert Meaning.from_json(older, "data.json") == MEANING


def scaled(**change):
    """The scaling with another value of its series."""
    (own,) = SCALING["ids"].values()
    return {"scaling": {**SCALING, "ids": {"": {**own, **change}}}}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": None}, "columns: expected a list"),
        (scaled(mean=["a"] * 3), "scaling: expected what scales each series"),
        (scaled(scale=[1.0]), r"scaling\.ids\.\.scale: expected one for each column"),
        (scaled(scale=[1.0, 0.0, 1.0]), r"scaling\.ids\.\.scale: expected finite numbers above 0"),
        (scaled(mean=[float("nan"), 0.0, 0.0]), r"scaling\.ids\.\.mean: expected finite numbers"),
        (scaled(seasonal={}), "scaling: expected what scales each series"),
        ({"scaling": {**SCALING, "ids": {}}}, "scaling: expected what scales each series"),
        ({"scaling": {**SCALING, "known": []}}, "scaling: expected what scales each series"),
        ({"scaling": {**SCALING, "standardize": 1}}, "scaling: expected what scales each series"),
        ({"scaling": [1.0]}, "scaling: expected what scales each series"),
        ({"targets": 4}, "targets: expected 1 to 3, got 4"),
        ({"window": 0}, "window: expected a number above 0, got 0"),
        ({"horizon": True}, "horizon: expected a number above 0, got True"),
        ({"known": ["sales"]}, "known: expected columns besides the targets"),
        ({"unit": "eon"}, "unit: expected a step in time, got 'eon'"),
        ({"unit": "MS", "day": 28}, "day: expected 29 to 31 where months step, got 28"),
        ({"unit": "MS", "day": "30"}, "day: expected 29 to 31"),
        ({"day": 30}, "day: expected 29 to 31"),
        ({"until": None}, "until: expected text"),
        ({"more": []}, "expected columns, targets, known"),
    ],
)
def test_another_file_is_refused_by_its_name(change, words):
    with pytest.raises(RunError, match=rf"^data\.json: {words}"):
        Meaning.from_json({**MEANING.to_json(), **change}, "data.json")
    with pytest.raises(RunError, match=r"data\.json"):
        Meaning.from_json([], "data.json")


def test_one_scale_for_all_series_is_of_an_older_version():
    """Such a file is not misread: what it calls a scale is not that of each series."""
    older = {name: value for name, value in MEANING.to_json().items() if name != "scaling"}
    older.update(seasonal=OWN.seasonal.to_json(), **OWN.scaler.to_json(), ids=["a", "b"])
    with pytest.raises(RunError, match=r"^data\.json: expected the scale of each series .* anew"):
        Meaning.from_json(older, "data.json")
