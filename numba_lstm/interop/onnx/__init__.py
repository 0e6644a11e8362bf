"""ONNX files: modules written as graphs, graphs read as modules or run whole.

`load` makes modules of graphs that are recurrent layers. `session` runs any graph, the recurrent
nodes on this library's kernels and all others on ONNX's own NumPy; `backend` is the same for ONNX's
tests. `save` writes a module, `register` teaches it a class of yours, and `add` helps there. All
need the package ``onnx``: ``pip install 'numba_lstm[onnx]'``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

# Where each name stands; None: it is a module.
_HOMES = {
    "add": "export_modules",
    "backend": None,
    "load": "loading",
    "register": "export_modules",
    "save": "export",
    "session": "running",
}

__all__ = ["add", "backend", "load", "register", "save", "session"]


if TYPE_CHECKING:
    from . import backend as backend
    from .export import save as save
    from .export_modules import add as add
    from .export_modules import register as register
    from .loading import load as load
    from .running import session as session
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name not in _HOMES:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        home = _HOMES[name]
        if home is None:
            return import_module(f".{name}", __name__)
        return getattr(import_module(f".{home}", __name__), name)


def __dir__() -> list[str]:
    return sorted(__all__)
