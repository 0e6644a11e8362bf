"""What a forecaster's numbers mean comes back from its file, or is refused by what is wrong."""

from __future__ import annotations

import dataclasses
import json

import pytest

from numba_lstm.datasets import Deseasonalizer, Frequency
from numba_lstm.training.forecast.meaning import Meaning
from numba_lstm.training.runs.folders import RunError

MEANING = Meaning(
    columns=("sales", "visitors", "holiday"),
    targets=1,
    known=("holiday",),
    seasonal=Deseasonalizer.of_nothing(("sales", "visitors", "holiday")).to_json(),
    mean=(1.0, 2.0, 0.5),
    scale=(2.0, 1.0, 0.5),
    window=14,
    horizon=7,
    count=15,
    unit="min",
    ids=("",),
    until="2021-05-22",
)


def test_it_comes_back_from_its_file():
    again = Meaning.from_json(json.loads(json.dumps(MEANING.to_json())), "data.json")
    assert again == MEANING and "day" in MEANING.to_json()
    assert again.names == ("sales",) and again.frequency.words == "15 minutes"
    assert again.scaler.inverse([[1.0]]).tolist() == [[3.0]]


def test_a_day_of_the_month_is_kept_and_may_be_absent():
    monthly = dataclasses.replace(MEANING, count=1, unit="MS", day=30)
    assert Meaning.from_json(monthly.to_json(), "data.json").frequency == Frequency(1, "MS", 30)
    older = {name: value for name, value in MEANING.to_json().items() if name != "day"}
    assert Meaning.from_json(older, "data.json") == MEANING


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"columns": None}, "columns: expected a list"),
        ({"mean": ["a"] * 3}, "mean: expected a list"),
        ({"scale": [1.0]}, "scale: expected one for each column"),
        ({"scale": [1.0, 0.0, 1.0]}, "scale: expected finite numbers above 0"),
        ({"mean": [float("nan"), 0.0, 0.0]}, "mean: expected finite numbers"),
        ({"targets": 4}, "targets: expected 1 to 3, got 4"),
        ({"window": 0}, "window: expected a number above 0, got 0"),
        ({"horizon": True}, "horizon: expected a number above 0, got True"),
        ({"known": ["sales"]}, "known: expected columns besides the targets"),
        ({"seasonal": {}}, "seasonal: expected weights for each column"),
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
