"""The package: what it holds, and that it needs scikit-learn only when it is used."""

from __future__ import annotations

import subprocess
import sys

import pytest

import numba_lstm
from numba_lstm import estimators


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)


def test_the_package_knows_its_estimators():
    assert numba_lstm.estimators is estimators
    assert dir(estimators) == sorted(estimators.__all__)
    assert estimators.LSTMClassifier().hidden_size == 64


def test_an_unknown_name_is_refused():
    with pytest.raises(AttributeError, match="no attribute 'LSTMCluster'"):
        _ = estimators.LSTMCluster


def test_importing_the_package_imports_no_scikit_learn():
    code = "import sys, numba_lstm.estimators; print('sklearn' in sys.modules)"
    assert run(code).stdout.strip() == "False"


def test_without_scikit_learn_it_says_what_to_install():
    done = run(
        "import sys; sys.modules['sklearn'] = None\nfrom numba_lstm.estimators import LSTMRegressor"
    )
    assert done.returncode == 1
    assert "pip install 'numba_lstm[sklearn]'" in done.stderr.splitlines()[-1]
