"""The arrays of ONNX's recurrent operators, from parameters by torch's names."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

__all__ = ["to_onnx"]

# By the number of gates: where ONNX's i, o, f, c and z, r, h stand among i, f, g, o and r, z, n.
_ORDERS = {4: (0, 3, 1, 2), 3: (1, 0, 2), 1: (0,)}
_PEEPHOLES = (0, 2, 1)  # i, o, f among i, f, o


def to_onnx(parameters: Mapping[str, np.ndarray], *, layer: int = 0) -> dict[str, np.ndarray]:
    """Give W, R, and B and P where the layer has them, with an axis of directions in front."""

    def of(kind: str, order: tuple[int, ...]) -> np.ndarray | None:
        found = []
        for suffix in ("", "_reverse"):
            value = parameters.get(f"{kind}_l{layer}{suffix}")
            if value is not None:
                blocks = np.split(value, len(order))
                found.append(np.concatenate([blocks[block] for block in order]))
        return np.stack(found) if found else None

    rows, hidden = parameters[f"weight_hh_l{layer}"].shape
    order = _ORDERS[rows // hidden]
    biases = of("bias_ih", order), of("bias_hh", order)
    found = {
        "W": of("weight_ih", order),
        "R": of("weight_hh", order),
        "B": None if biases[0] is None else np.concatenate(biases, axis=1),  # type: ignore[arg-type]
        "P": of("weight_peephole", _PEEPHOLES),
    }
    return {kind: array for kind, array in found.items() if array is not None}
