"""A case as an ONNX model, for the peers that run such models: what `interop.onnx.save` writes."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .cases import Case
from .subject import Arrays, parameters

__all__ = ["feeds", "make_model", "results"]

# The oldest one that `save` writes, as it is what the most versions of the peers know. The
# recurrent operators are the same in 22, but for bfloat16.
_OPSET = 18


def feeds(case: Case, arrays: Arrays) -> dict[str, np.ndarray]:
    """The model's inputs by name."""
    return {name: arrays[name] for name in ("x", *(f"{letter}0" for letter in case.states))}


def results(case: Case, outputs: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """What is compared, from the model's outputs in their order."""
    return dict(zip(("y", *(f"{letter}n" for letter in case.states)), outputs, strict=True))


def make_model(case: Case, arrays: Arrays) -> bytes:
    """The file, with all sizes fixed and the initial states as inputs.

    Parameters
    ----------
    case : Case
        A plain layer of one of `GATES`.
    arrays : mapping
        Its weights are taken; x and the states are inputs of the model.
    """
    from ..interop.onnx import save
    from ..interop.weights import to_module

    module = to_module(parameters(arrays))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "case.onnx")
        shape = case.T, case.B, case.I
        save(module, path, opset=_OPSET, shape=shape, lengths=False, optional=False)
        return path.read_bytes()
