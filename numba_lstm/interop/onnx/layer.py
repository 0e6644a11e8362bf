"""One recurrent node with its weights, ready to run: ONNX's arrays in and out."""

from __future__ import annotations

from typing import Any

import numpy as np

from . import stepwise
from .attributes import Attributes
from .modules import make_module, unsupported
from .node_weights import NodeWeights

__all__ = ["Layer"]


class Layer:
    """A recurrent node; keeps nothing of a call, so any number of threads may run it.

    Parameters
    ----------
    attributes : Attributes
    weights : NodeWeights
        Packed for the kernels once, where they have the node's form; else it runs step by step.
    """

    def __init__(self, attributes: Attributes, weights: NodeWeights) -> None:
        self.attributes = attributes
        self.inputs, self.hidden, self.dtype = weights.inputs, weights.hidden, weights.W.dtype
        self.module: Any = None
        self.weights: NodeWeights | None = None  # the module has its own
        if unsupported(attributes) is None:
            self.module = make_module([(attributes, weights)])
        else:
            self.weights = weights

    def run(
        self, x: Any, sequence_lens: Any = None, initial_h: Any = None, initial_c: Any = None
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Run over a batch.

        Parameters
        ----------
        x : numpy.ndarray, (T, B, I), or (B, T, I) with layout 1
        sequence_lens : numpy.ndarray of int, (B,), or None
        initial_h, initial_c : numpy.ndarray, (D, B, H), or (B, D, H) with layout 1, or None

        Returns
        -------
        Y : numpy.ndarray, (T, D, B, H), or (B, T, D, H) with layout 1
            In x's dtype.
        Y_h, Y_c : numpy.ndarray
            As the initial states. Y_c of a cell without is Y_h.

        Raises
        ------
        ValueError
            Naming the node and the input.
        """
        a, label = self.attributes, self.attributes.label
        if not isinstance(x, np.ndarray) or x.ndim != 3 or x.shape[2] != self.inputs:
            order = "(B, T, " if a.layout else "(T, B, "
            raise ValueError(
                f"{label}: input X: expected shape {order}{self.inputs}), "
                f"got {getattr(x, 'shape', None)}"
            )
        given = x.dtype
        if a.layout:
            x = x.swapaxes(0, 1)
        x = np.ascontiguousarray(x, self.dtype)
        count, batch = x.shape[:2]
        lengths = _lengths(label, sequence_lens, count, batch)
        h0 = self._state("initial_h", initial_h, batch)
        c0 = self._state("initial_c", initial_c, batch)
        if count == 0:
            y = np.zeros((0, a.directions, batch, self.hidden), x.dtype)
            results = y, h0.copy(), c0.copy()
        elif self.weights is not None:
            results = stepwise.run(a, self.weights, x, lengths, h0, c0)
        else:
            results = self._run_module(x, lengths, h0, c0)
        y, hn, cn = (one.astype(given, copy=False) for one in results)
        if a.layout:
            return y.transpose(2, 0, 1, 3), hn.swapaxes(0, 1), cn.swapaxes(0, 1)
        return y, hn, cn

    def _run_module(
        self, x: np.ndarray, lengths: np.ndarray | None, h0: np.ndarray, c0: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        a = self.attributes
        hx = (h0, c0) if a.operator == "LSTM" else h0
        y, state = self.module(x, hx, lengths)
        hn, cn = state if a.operator == "LSTM" else (state, state)
        y = y.reshape(*x.shape[:2], a.directions, self.hidden)
        return y.swapaxes(1, 2), hn, cn

    def _state(self, name: str, value: Any, batch: int) -> np.ndarray:
        """An initial state (D, B, H); zeros where there is none."""
        a, dtype = self.attributes, self.dtype
        shape = a.directions, batch, self.hidden
        if value is None:
            return np.zeros(shape, dtype)
        wanted = (shape[1], shape[0], shape[2]) if a.layout else shape
        if not isinstance(value, np.ndarray) or value.shape != wanted:
            raise ValueError(
                f"{a.label}: input {name}: expected shape {wanted}, "
                f"got {getattr(value, 'shape', None)}"
            )
        if a.layout:
            value = value.swapaxes(0, 1)
        return np.ascontiguousarray(value, dtype)


def _lengths(label: str, value: Any, count: int, batch: int) -> np.ndarray | None:
    if value is None:
        return None
    if not isinstance(value, np.ndarray) or value.shape != (batch,) or value.dtype.kind not in "iu":
        kind = f"{value.dtype} {value.shape}" if isinstance(value, np.ndarray) else str(type(value))
        raise ValueError(
            f"{label}: input sequence_lens: expected integers of shape ({batch},), got {kind}"
        )
    wrong = (value < 0) | (value > count)
    if wrong.any():
        raise ValueError(
            f"{label}: input sequence_lens: expected 0 to {count}, got {int(value[wrong][0])}"
        )
    return value.astype(np.int64)
