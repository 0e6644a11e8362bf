"""The example gives torch's figures."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "examples" / "torch_weights_to_numpy.py"


def test_weights_that_torch_trained_give_torchs_logits_without_it(capsys):
    pytest.importorskip("torch")
    example = runpy.run_path(str(SCRIPT))
    assert example["main"]() < 1e-5
    assert "100% of classes the same" in capsys.readouterr().out
