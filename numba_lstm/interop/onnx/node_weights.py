"""The weights of a recurrent node, checked."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from .._gates import Gates, check_shape, onnx_shapes
from .attributes import Attributes

__all__ = ["NodeWeights", "check_weights"]


class NodeWeights(NamedTuple):
    """As ONNX has them, of one dtype: float32, or float64 where the node's are."""

    W: np.ndarray  # (D, G·H, I)
    R: np.ndarray  # (D, G·H, H)
    B: np.ndarray | None  # (D, 2·G·H): that of W, then that of R
    P: np.ndarray | None  # (D, 3·H)

    @property
    def inputs(self) -> int:
        """I."""
        return self.W.shape[2]

    @property
    def hidden(self) -> int:
        """H."""
        return self.R.shape[2]

    def biases(self, direction: int) -> tuple[np.ndarray, np.ndarray]:
        """Both biases of a direction, (G·H,) each; zeros where there are none."""
        if self.B is None:
            zeros = np.zeros(self.W.shape[1], self.W.dtype)
            return zeros, zeros
        first, second = np.split(self.B[direction], 2)
        return first, second


def check_weights(
    attributes: Attributes, W: Any, R: Any, B: Any = None, P: Any = None
) -> NodeWeights:
    """Check the shapes of a node's weights against each other and its attributes.

    Raises
    ------
    ValueError
        Naming the node and the input: absent, of another shape, or no real numbers.
    """
    label = attributes.label
    for name, value in (("W", W), ("R", R)):
        if value is None:
            raise ValueError(f"{label}: input {name}: expected weights, got none")
    for name, value in (("W", W), ("R", R), ("B", B), ("P", P)):
        if value is not None and not _is_real(value):
            raise ValueError(f"{label}: input {name}: expected real numbers, got {_kind(value)}")
    if R.ndim != 3 or not R.shape[2]:
        raise ValueError(f"{label}: input R: expected 3 axes, the last of H, got {R.shape}")
    hidden = R.shape[2]
    if attributes.hidden_size not in (None, hidden):
        raise ValueError(
            f"{label}: attribute hidden_size: expected {hidden}, the last axis of R, "
            f"got {attributes.hidden_size}"
        )
    shapes = onnx_shapes(attributes.directions, Gates(attributes.gates, hidden))
    for name, value in (("R", R), ("W", W), ("B", B), ("P", P)):
        if value is not None:
            check_shape(f"{label}: input {name}", value, shapes[name])
    dtype = np.dtype(np.float64 if W.dtype == np.float64 else np.float32)
    cast = [None if one is None else np.ascontiguousarray(one, dtype) for one in (W, R, B, P)]
    return NodeWeights(*cast)  # type: ignore[arg-type]


def _is_real(value: Any) -> bool:
    # float16 and bfloat16, which NumPy knows by its package ml_dtypes only, are cast.
    return isinstance(value, np.ndarray) and (
        value.dtype.kind in "fiub" or value.dtype.name == "bfloat16"
    )


def _kind(value: Any) -> str:
    return str(value.dtype) if isinstance(value, np.ndarray) else type(value).__name__
