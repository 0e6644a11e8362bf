"""The example of the weather runs, and beats what it has to beat."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parents[2] / "examples" / "forecast_seattle.py"


def test_the_forecaster_beats_every_baseline(capsys, tmp_path):
    pytest.importorskip("matplotlib")
    picture = tmp_path / "forecast.png"
    errors = runpy.run_path(str(EXAMPLE))["main"](picture=str(picture))
    ours = errors.pop("LSTMForecaster")
    assert ours < min(errors.values()) and ours < 0.75 * errors["seasonal-naive"]
    assert picture.stat().st_size > 10_000
    assert "of the truth inside" in capsys.readouterr().out
