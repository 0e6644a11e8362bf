"""A grid search on the workers of a Dask cluster: here two processes of this machine.

scikit-learn gives the fits of a search to joblib, and joblib gives them to Dask where it is told
so. For workers on other machines nothing changes but the client: ``Client("scheduler:8786")``.

Run it: ``python examples/sweep_dask.py``. It needs ``pip install 'numba_lstm[sweeps]'``.
"""

from __future__ import annotations

import joblib
import numpy as np
from dask.distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

import numba_lstm
from numba_lstm.estimators import LSTMClassifier


def waves(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Noisy waves (count, 24), and whether each is a fast one."""
    rng = np.random.default_rng(seed)
    fast = rng.integers(0, 2, count).astype(bool)
    period = np.where(fast, 6.0, 9.0)[:, None]
    phase = rng.uniform(0.0, 2.0 * np.pi, (count, 1))
    readings = np.sin(2.0 * np.pi * np.arange(24) / period + phase)
    return readings + rng.normal(scale=0.3, size=(count, 24)), np.where(fast, "fast", "slow")


def main(grid: dict[str, list] | None = None, epochs: int = 15, workers: int = 2) -> GridSearchCV:
    """Search, tell the result, and return the search."""
    X, y = waves(300, seed=0)
    classifier = LSTMClassifier(max_iter=epochs, tol=0.0, random_state=0)
    grid = grid or {"hidden_size": [8, 16], "cell": ["lstm", "gru"]}
    # A local cluster sets OMP_NUM_THREADS=1 in this process, too, where the best one is fitted in
    # the end; who asks before keeps all cores for that.
    numba_lstm.get_num_threads()
    # One fit at a time in each worker. Dask gives its workers OMP_NUM_THREADS=1, which numba_lstm
    # heeds, so that each of them keeps to one core.
    cluster = LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster) as client:
        threads = client.run(numba_lstm.get_num_threads)
        print(f"threads of each worker: {sorted(threads.values())}")
        search = GridSearchCV(classifier, grid, cv=2)
        with joblib.parallel_config(backend="dask"):
            search.fit(X, y)
    accuracy = search.score(*waves(200, seed=1))
    print(f"best: {search.best_params_}")
    print(f"accuracy in cross-validation {search.best_score_:.3f}, on new waves {accuracy:.3f}")
    return search


if __name__ == "__main__":
    main()
