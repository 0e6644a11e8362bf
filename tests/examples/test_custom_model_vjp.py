"""The example of a custom model runs, its gradients are right, and it learns to add."""

from __future__ import annotations

import runpy
from pathlib import Path

EXAMPLE = Path(__file__).parents[2] / "examples" / "custom_model_vjp.py"


def test_it_learns_to_add(capsys):
    example = runpy.run_path(str(EXAMPLE))
    assert example["main"]() < 0.01
    out = capsys.readouterr().out
    assert out.count("update") == 6 and "on new sequences" in out
