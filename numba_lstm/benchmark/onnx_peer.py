"""onnxruntime on a model made of ONNX's own recurrent operators; imported by its worker only."""

from __future__ import annotations

from typing import Any

from . import onnx_model
from .cases import Case
from .subject import Arrays, Subject

__all__ = ["about", "load", "prepare", "set_threads"]

_threads = 1


def load() -> None:
    """Import onnxruntime."""
    import onnxruntime  # noqa: F401


def set_threads(n: int) -> None:
    """Let sessions from now on run on `n` threads."""
    global _threads
    _threads = n


def about() -> dict[str, Any]:
    """Versions and settings."""
    import onnx
    import onnxruntime

    return {
        "versions": {"onnxruntime": onnxruntime.__version__, "onnx": onnx.__version__},
        "settings": {
            "provider": "CPUExecutionProvider",
            "threads": _threads,
            "denormal_as_zero": True,
        },
    }


def prepare(case: Case, kind: str, arrays: Arrays) -> Subject:
    """Build a session with the given weights."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = _threads
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    session = onnxruntime.InferenceSession(
        onnx_model.make_model(case, arrays), options, providers=["CPUExecutionProvider"]
    )
    feeds = onnx_model.feeds(case, arrays)

    def run() -> Any:
        return session.run(None, feeds)

    return Subject(run, lambda: onnx_model.results(case, run()))
