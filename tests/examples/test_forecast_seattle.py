"""The example of the weather tells errors, intervals and shares, and draws them."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("matplotlib")

EXAMPLE = Path(__file__).parents[2] / "examples" / "forecast_seattle.py"


def test_another_target_is_forecast_and_drawn(capsys, tmp_path):
    picture = tmp_path / "forecast.png"
    quick = {"n_estimators": 1, "max_iter": 3, "hidden_size": 8}
    errors = runpy.run_path(str(EXAMPLE))["main"]("temp_min", picture=str(picture), **quick)
    assert list(errors)[-1] == "LSTMForecaster"
    assert errors["LSTMForecaster"] < errors["seasonal-naive"]
    assert picture.stat().st_size > 10_000
    out = capsys.readouterr().out
    assert "temp_min, 7 days ahead" in out and "of the truth inside" in out
