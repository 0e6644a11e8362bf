"""onnxruntime's int8 LSTM, com.microsoft.DynamicQuantizeLSTM, as an LSTM of ONNX's own.

The node multiplies int8 weights by inputs and states that it makes int8 at every step. Here its
weights become floating point, W = scale·(q - zero point), and nothing else is rounded.

https://github.com/microsoft/onnxruntime/blob/main/docs/ContribOperators.md
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .files import label

__all__ = ["dequantised_lstm", "is_quantised_lstm"]

# After ONNX's eight inputs of an LSTM. W is (D, I, 4H), R (D, H, 4H); scales and zero points are
# (D,) or (D, 4H).
_SCALES = {"W": (8, 9), "R": (10, 11)}


def is_quantised_lstm(node: Any) -> bool:
    """Whether a node is a DynamicQuantizeLSTM."""
    return node.domain == "com.microsoft" and node.op_type == "DynamicQuantizeLSTM"


def dequantised_lstm(
    node: Any, constants: Mapping[str, np.ndarray]
) -> tuple[Any, dict[str, np.ndarray]]:
    """Make the LSTM node, without its W and R, and these.

    Parameters
    ----------
    node : onnx.NodeProto
    constants : mapping of str to numpy.ndarray
        Arrays that do not change, by the names of the node's inputs.

    Raises
    ------
    ValueError
        Naming the node and the input, where one is absent, or weights come from other nodes.
    """
    from onnx import helper

    inputs = [*node.input[:8], *[""] * (8 - len(node.input))]
    weights = {}
    for role, at in _SCALES.items():
        wanted = (1 if role == "W" else 2, *at)
        names = (role, f"{role}_scale", f"{role}_zero_point")
        values = [_constant(node, constants, *one) for one in zip(names, wanted)]
        weights[role] = _dequantised(node, role, *values)
        inputs[wanted[0]] = ""
    made = helper.make_node("LSTM", inputs, list(node.output), name=node.name)
    made.attribute.extend(node.attribute)
    return made, weights


def _constant(node: Any, constants: Mapping[str, np.ndarray], name: str, at: int) -> np.ndarray:
    given = node.input[at] if at < len(node.input) else ""
    if given not in constants:
        came = f"{given!r}, which other nodes compute" if given else "none"
        raise ValueError(f"{label(node)}: input {name}: expected a constant, got {came}")
    return constants[given]


def _dequantised(
    node: Any, role: str, q: np.ndarray, scale: np.ndarray, zero: np.ndarray
) -> np.ndarray:
    """(D, 4H, K) in float32."""
    if q.ndim != 3 or q.dtype.kind not in "iu":
        raise ValueError(
            f"{label(node)}: input {role}: expected integers with 3 axes, got {q.dtype} {q.shape}"
        )
    d, _, rows = q.shape
    both = []
    for name, value in (("scale", scale), ("zero_point", zero)):
        if value.shape not in ((d,), (d, rows), (1,), ()):
            raise ValueError(
                f"{label(node)}: input {role}_{name}: expected shape ({d},) or ({d}, {rows}), "
                f"got {value.shape}"
            )
        both.append(value.reshape(-1, 1, rows if value.ndim == 2 else 1))
    values = (q.astype(np.float32) - both[1].astype(np.float32)) * both[0].astype(np.float32)
    return np.ascontiguousarray(values.swapaxes(1, 2))
