"""The search on a Dask cluster finds what a search in this process finds, one core a worker."""

from __future__ import annotations

import runpy
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn")
pytest.importorskip("distributed")

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep_dask.py"


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_search_on_two_workers_gives_the_bits_of_one_in_this_process(capsys, monkeypatch):
    from sklearn.base import clone

    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):  # Dask's workers would have them, too
        monkeypatch.delenv(name, raising=False)
    example = runpy.run_path(str(EXAMPLE))
    there = example["main"]({"hidden_size": [4, 8]}, epochs=2)
    assert "threads of each worker: [1, 1]" in capsys.readouterr().out
    here = clone(there).fit(*example["waves"](300, seed=0))
    for name in ("mean_test_score", "split0_test_score", "split1_test_score"):
        assert np.array_equal(there.cv_results_[name], here.cv_results_[name])
    weights = here.best_estimator_.module_.state_dict()
    for name, value in there.best_estimator_.module_.state_dict().items():
        assert np.array_equal(value, weights[name]), name
