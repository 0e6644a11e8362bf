"""Pools of processes whose parent has trained, the standard library's and joblib's, to the end."""

from __future__ import annotations

import multiprocessing

import pytest
from programs_tool import run

STANDARD = """
import multiprocessing, sys
from concurrent.futures import ProcessPoolExecutor
from programs_tool import LONG, done, job

def in_pools(method, pools, executors):
    context = multiprocessing.get_context(method)
    if method == "forkserver":
        context.set_forkserver_preload(["numba_lstm.models", "programs_tool"])
    for _ in range(pools):
        with context.Pool(2) as pool:
            assert set(pool.map(job, range(4))) == {expected}
        assert job() == expected
    for _ in range(executors):
        executor = ProcessPoolExecutor(2, mp_context=context)
        assert set(executor.map(job, range(4))) == {expected}
        if LONG:
            executor.shutdown()
    print(f"{method}: {pools} pools and {executors} executors of 2 processes, 4 jobs each")
    return executor  # it is never shut down

if __name__ == "__main__":
    expected = job()
    left = [in_pools(method, *((50, 10) if LONG else (1, 1))) for method in sys.argv[1:]]
    assert job() == expected
    done()
"""


def test_pools_made_after_training_get_the_parents_bits_and_end_with_the_program():
    known = multiprocessing.get_all_start_methods()
    methods = [method for method in ("fork", "spawn", "forkserver") if method in known]
    run(STANDARD, *methods, NUMBA_NUM_THREADS="2")


JOBLIB = """
import numpy as np
from joblib import Parallel, delayed, parallel_config
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from numba_lstm.estimators import LSTMClassifier
from programs_tool import LONG, done, job

ROUNDS = 10 if LONG else 1

def search(n_jobs):
    X, y = np.random.default_rng(0).normal(size=(40, 6, 2)).reshape(40, 12), np.arange(40) % 2
    model = LSTMClassifier(hidden_size=8, max_iter=4, random_state=0, dropout=0.1)
    pipeline = make_pipeline(StandardScaler(), model)
    grid = {"lstmclassifier__hidden_size": [4, 8]}
    found = GridSearchCV(pipeline, grid, cv=2, n_jobs=n_jobs).fit(X, y)
    return found.cv_results_["mean_test_score"].tobytes() + found.predict_proba(X).tobytes()

if __name__ == "__main__":
    expected, scores = job(), search(1)
    for _ in range(ROUNDS):
        for backend in ("loky", "multiprocessing", "threading"):
            with parallel_config(backend=backend):
                assert set(Parallel(n_jobs=2)(delayed(job)(n) for n in range(6))) == {expected}
        assert search(2) == scores  # in loky's processes
        with parallel_config(backend="multiprocessing"):
            assert search(2) == scores
    print(f"{ROUNDS} times loky, multiprocessing and threading, 6 jobs each, and 2 grid searches")
    done()  # no pool was shut down
"""


def test_joblibs_backends_and_grid_searches_end_with_the_program():
    for package in ("joblib", "sklearn"):
        pytest.importorskip(package)
    run(JOBLIB, NUMBA_NUM_THREADS="2")
