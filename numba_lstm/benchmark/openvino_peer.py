"""OpenVINO on the model that onnxruntime runs, too; imported by its worker only."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import onnx_model
from .cases import Case
from .subject import Arrays, Subject

__all__ = ["about", "load", "prepare", "set_threads"]

# For one call at a time; bf16 would be taken where the processor has it.
_SETTINGS: dict[str, Any] = {
    "PERFORMANCE_HINT": "LATENCY",
    "INFERENCE_PRECISION_HINT": "f32",
    "CPU_DENORMALS_OPTIMIZATION": True,
}
_threads = 1


def load() -> None:
    """Import OpenVINO."""
    import openvino  # noqa: F401


def set_threads(n: int) -> None:
    """Let models from now on run on `n` threads."""
    global _threads
    _threads = n


def about() -> dict[str, Any]:
    """Versions and settings."""
    import openvino

    settings = {"device": "CPU", "threads": _threads, **_SETTINGS}
    version = openvino.__version__.split("-")[0]  # the rest names the build
    return {"versions": {"openvino": version}, "settings": settings}


def prepare(case: Case, kind: str, arrays: Arrays) -> Subject:
    """Compile the model with the given weights."""
    import openvino

    core = openvino.Core()
    model = core.read_model(onnx_model.make_model(case, arrays))
    settings = {"INFERENCE_NUM_THREADS": _threads, **_SETTINGS}
    compiled = core.compile_model(model, "CPU", settings)
    request = compiled.create_infer_request()
    feeds = onnx_model.feeds(case, arrays)

    def run() -> Any:
        # Inputs and outputs are not copied, which is its fastest way.
        return request.infer(feeds, share_inputs=True, share_outputs=True)

    def results() -> dict[str, np.ndarray]:
        found = run()
        return onnx_model.results(case, [np.array(found[output]) for output in compiled.outputs])

    return Subject(run, results)
