"""A module written as an ONNX file, and that file run by onnxruntime."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from numba_lstm.interop import onnx

# What the project promises of a module and its file.
TOLERANCE = 2e-6


def session_of(file: Path | bytes) -> Any:
    """An onnxruntime session that warns of nothing."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    model = file if isinstance(file, bytes) else str(file)
    return onnxruntime.InferenceSession(model, options, providers=["CPUExecutionProvider"])


def saved(module: Any, folder: Path, **options: Any) -> Any:
    """A session of the file that a module is written to."""
    pytest.importorskip("onnx")
    path = folder / "model.onnx"
    onnx.save(module, path, **options)
    return session_of(path)


def run(session: Any, **feeds: Any) -> dict[str, np.ndarray]:
    """Outputs by name; floats become float32, lengths int32 and tokens int64."""
    dtypes = {"lengths": np.int32, "tokens": np.int64}
    given = {name: np.asarray(one, dtypes.get(name, np.float32)) for name, one in feeds.items()}
    names = [one.name for one in session.get_outputs()]
    return dict(zip(names, session.run(names, given), strict=True))


def proto(folder: Path) -> Any:
    """The model that `saved` wrote."""
    import onnx as package

    return package.load(folder / "model.onnx")


def shapes(infos: Any) -> dict[str, list[int | str]]:
    """The shapes of a graph's inputs or outputs by name, as the file has them."""
    return {
        info.name: [axis.dim_param or axis.dim_value for axis in info.type.tensor_type.shape.dim]
        for info in infos
    }


def assert_near(found: dict[str, np.ndarray], expected: dict[str, Any]) -> None:
    """Equal names, shapes and, within the tolerance, values."""
    assert list(found) == list(expected)
    for name, want in expected.items():
        got = found[name]
        assert got.shape == want.shape, name
        worst = np.abs(got - want).max(initial=0.0)
        assert worst <= TOLERANCE, f"{name}: {worst:.2e}"
