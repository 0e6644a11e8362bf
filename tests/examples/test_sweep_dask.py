"""The search on a Dask cluster finds what a search in this process finds, one core a worker."""

from __future__ import annotations

import os
import re
import runpy
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

import numba_lstm
import numba_lstm.threads

for package in ("sklearn", "distributed"):
    if find_spec(package) is None:  # importing takes long, and each worker collects this file
        pytest.skip(f"needs {package}", allow_module_level=True)

EXAMPLE = Path(__file__).parents[2] / "examples" / "sweep_dask.py"


@pytest.fixture
def own_environment():
    """Dask's workers have these variables, too; and a cluster leaves some of its own here."""
    before = dict(os.environ)
    for name in ("NUMBA_NUM_THREADS", "OMP_NUM_THREADS"):
        os.environ.pop(name, None)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
def test_a_search_on_two_workers_gives_the_bits_of_one_here(capsys, monkeypatch, own_environment):
    from sklearn.base import clone

    monkeypatch.setattr(numba_lstm.threads, "_chosen", None)  # as in a new process
    before = numba_lstm.threads._default()
    example = runpy.run_path(str(EXAMPLE))
    there = example["main"]({"hidden_size": [8, 16]})
    first, *_, last = capsys.readouterr().out.splitlines()
    assert first == "threads of each worker: [1, 1]"
    assert re.fullmatch(r"accuracy in .*, on new waves (0\.9\d+|1\.000)", last)
    assert numba_lstm.get_num_threads() == before
    here = clone(there).fit(*example["waves"](300, seed=0))
    for name in ("mean_test_score", "split0_test_score", "split1_test_score"):
        assert np.array_equal(there.cv_results_[name], here.cv_results_[name])
    weights = here.best_estimator_.module_.state_dict()
    for name, value in there.best_estimator_.module_.state_dict().items():
        assert np.array_equal(value, weights[name]), name
