"""Every example runs from an empty folder, leaves it empty, and ends by telling what it found.

Those of `SLOW` with NUMBA_LSTM_LONG=1. Daily their own tests call their `main`, the forecast's on a
smaller model, and see neither the exit code nor the folder.
"""

from __future__ import annotations

import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest
from cli_tool import ROOT, environment
from long_tool import LONG

EXAMPLES = sorted((ROOT / "examples").glob("*.py"))
SLOW = {"forecast_seattle.py", "sklearn_pipeline.py", "sweep_dask.py"}  # 10 s each
# What each needs besides the package, and the last line that it prints.
ENDS = {
    "custom_model_trainer.py": ((), r"accuracy on the test: 0\.9\d+"),
    "custom_model_vjp.py": ((), r"on new sequences 0\.0\d+, where answering 1 has 0\.1\d+"),
    "data_parallel_mpi.py": (("mpi4py",), r"1 processes: [12]\.\d\d nats a letter .*"),
    "forecast_seattle.py": (
        ("sklearn",),
        r"the forecaster's error is [1-9]\d?\.\d% lower than that of the best of the others",
    ),
    "onnx_round_trip.py": (("onnx", "onnxruntime"), r"onnxruntime and .* differ by \S+e-0[789] .*"),
    "sklearn_pipeline.py": (
        ("sklearn",),
        r"accuracy in .*, on unseen weeks (0\.9\d+|1\.000)",
    ),
    "streaming_server.py": ((), r"16 streams, up to \d+ in one step: outputs are .* from those .*"),
    "sweep_dask.py": (
        ("sklearn", "distributed"),
        r"accuracy in .*, on new waves (0\.9\d+|1\.000)",
    ),
    "torch_weights_to_numpy.py": (("torch",), r"logits .* from torch's, 100% of classes the same"),
}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_an_example_runs_as_it_stands(path: Path, tmp_path):
    if path.name in SLOW and not LONG:
        pytest.skip("NUMBA_LSTM_LONG=1 runs it")
    needs, end = ENDS[path.name]
    for package in needs:
        if find_spec(package) is None:
            pytest.skip(f"needs {package}")
    done = subprocess.run(
        [sys.executable, "-P", str(path)],
        capture_output=True,
        text=True,
        cwd=tmp_path,
        env=environment(),
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(end, done.stdout.splitlines()[-1]), done.stdout
    assert not list(tmp_path.iterdir())


def test_the_readme_names_every_example():
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    for path in EXAMPLES:
        assert f"(examples/{path.name})" in readme, path.name
