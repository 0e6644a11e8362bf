"""The example runs, and onnxruntime and the loaded module give what the module gives."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "onnx_round_trip.py"


def test_outputs_stay_what_they_are_on_the_way_to_onnxruntime_and_back():
    pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    differences = runpy.run_path(str(SCRIPT))["main"]()
    assert list(differences) == ["y", "with lengths", "in chunks", "final state", "loaded"]
    assert max(differences.values()) <= 2e-6
