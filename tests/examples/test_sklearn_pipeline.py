"""The example of a scikit-learn pipeline runs, and tells weeks that rise from those that fall."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

pytest.importorskip("sklearn")

EXAMPLE = Path(__file__).parents[2] / "examples" / "sklearn_pipeline.py"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_it_finds_a_good_classifier(capsys):
    example = runpy.run_path(str(EXAMPLE))
    assert example["main"](n_jobs=1) > 0.9
    out = capsys.readouterr().out
    assert out.startswith("best: ") and "on unseen weeks" in out
