"""The example of a custom model with `Trainer` runs, learns, and its gradients are right."""

from __future__ import annotations

import runpy
from pathlib import Path

from numba_lstm import testing

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "custom_model_trainer.py"))


def test_its_gradients_are_right(rng):
    model = EXAMPLE["AttentionClassifier"](2, 4, 3, seed=0, dtype="float64")
    testing.gradcheck(model, rng.normal(size=(5, 3, 2)), seed=0)


def test_it_learns(capsys):
    EXAMPLE["main"]()
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("epoch  5: validation loss")
    assert float(lines[-1].removeprefix("accuracy on the test: ")) > 0.9
