"""A classifier of sequences in a scikit-learn pipeline, tuned by a grid search.

Each row of a table is a week of readings, one a day. Some weeks rise towards their end, some fall,
and a day of the week is always higher than the others. A pipeline scales the columns, which takes
that day's surplus away, and an LSTM reads the rows as sequences.

Run it: ``python examples/sklearn_pipeline.py``. It needs ``pip install 'numba_lstm[sklearn]'``.
"""

from __future__ import annotations

import numpy as np
from sklearn.model_selection import GridSearchCV, train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from numba_lstm.estimators import LSTMClassifier


def weeks(count: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Readings (count, 7), and whether each week rises or falls."""
    rng = np.random.default_rng(seed)
    rises = rng.integers(0, 2, count).astype(bool)
    slope = np.where(rises, 0.4, -0.4)[:, None]
    readings = 20.0 + slope * np.arange(7) + rng.normal(scale=0.5, size=(count, 7))
    readings[:, 2] += 5.0
    return readings, np.where(rises, "rises", "falls")


def main(epochs: int = 20, n_jobs: int = 2) -> float:
    """Search, tell the result, and return the accuracy on weeks that were set aside."""
    X, y = weeks(400, seed=0)
    X, X_test, y, y_test = train_test_split(X, y, test_size=0.25, random_state=0, stratify=y)
    pipeline = make_pipeline(
        StandardScaler(),
        LSTMClassifier(max_iter=epochs, early_stopping=True, random_state=0),
    )
    grid = {"lstmclassifier__hidden_size": [8, 16], "lstmclassifier__cell": ["lstm", "gru"]}
    search = GridSearchCV(pipeline, grid, cv=3, n_jobs=n_jobs).fit(X, y)
    accuracy = float(search.score(X_test, y_test))
    print(f"best: {search.best_params_}")
    print(f"accuracy in cross-validation {search.best_score_:.3f}, on unseen weeks {accuracy:.3f}")
    return accuracy


if __name__ == "__main__":
    main()
