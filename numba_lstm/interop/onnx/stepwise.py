"""The recurrent operators of ONNX step by step in NumPy, with every activation function and clip.

For nodes that this library's kernels have no form of. It follows the operators' text; `clip` bounds
the arguments of the gates' functions and, as in onnxruntime, not that of h, which is c_t.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from ...quiet import without_errors
from .._gates import ONNX, ONNX_PEEPHOLES
from .activations import Activation, apply
from .attributes import Attributes
from .node_weights import NodeWeights
from .reverse import turned

__all__ = ["run"]

# h_t and c_t from W·x_t and both; cells without c pass it on.
Step = Callable[[np.ndarray, np.ndarray, np.ndarray], tuple[np.ndarray, np.ndarray]]


@without_errors
def run(
    attributes: Attributes,
    weights: NodeWeights,
    x: np.ndarray,
    lengths: np.ndarray | None,
    h0: np.ndarray,
    c0: np.ndarray,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Run a node.

    Parameters
    ----------
    attributes, weights
        Checked.
    x : numpy.ndarray, (T, B, I)
    lengths : numpy.ndarray of int, (B,), or None
    h0, c0 : numpy.ndarray, (D, B, H)

    Returns
    -------
    y : numpy.ndarray, (T, D, B, H)
        Zero past a sequence's length.
    hn, cn : numpy.ndarray, (D, B, H)
        The initial states of a sequence of length 0.
    """
    count, batch = x.shape[:2]
    y = np.zeros((count, attributes.directions, batch, weights.hidden), x.dtype)
    hn, cn = h0.copy(), c0.copy()
    for d in range(attributes.directions):
        backwards = attributes.reverses(d)
        given = turned(x, lengths) if backwards else x
        step = _STEPS[attributes.operator](attributes, weights, d)
        bias = weights.biases(d)[0]
        outputs = np.zeros((count, batch, weights.hidden), x.dtype)
        for t in range(count):
            h, c = step(given[t] @ weights.W[d].T + bias, hn[d], cn[d])
            runs = np.ones((batch, 1), bool) if lengths is None else (t < lengths)[:, None]
            outputs[t] = np.where(runs, h, 0)
            hn[d], cn[d] = np.where(runs, h, hn[d]), np.where(runs, c, cn[d])
        y[:, d] = turned(outputs, lengths) if backwards else outputs
    return y, hn, cn


def _bounded(attributes: Attributes, activation: Activation) -> Callable[[np.ndarray], np.ndarray]:
    """The function with its argument clipped."""
    clip = attributes.clip
    if clip is None:
        return lambda z: apply(activation, z)
    return lambda z: apply(activation, np.clip(z, -clip, clip))


def _lstm(attributes: Attributes, weights: NodeWeights, d: int) -> Step:
    f, g = (_bounded(attributes, one) for one in attributes.activations[d][:2])
    last = attributes.activations[d][2]
    recurrent, bias = weights.R[d].T, weights.biases(d)[1]
    p = dict.fromkeys(ONNX_PEEPHOLES, np.zeros(weights.hidden, weights.W.dtype))
    if weights.P is not None:
        p = _by_letter(ONNX_PEEPHOLES, weights.P[d])

    def step(z: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gate = _by_letter(ONNX[4], z + h @ recurrent + bias)
        i = f(gate["i"] + p["i"] * c)
        kept = 1 - i if attributes.input_forget else f(gate["f"] + p["f"] * c)
        c = kept * c + i * g(gate["g"])
        return f(gate["o"] + p["o"] * c) * apply(last, c), c

    return step


def _gru(attributes: Attributes, weights: NodeWeights, d: int) -> Step:
    f, g = (_bounded(attributes, one) for one in attributes.activations[d])
    recurrent, bias = (_by_letter(ONNX[3], one) for one in (weights.R[d].T, weights.biases(d)[1]))

    def step(x: np.ndarray, h: np.ndarray, c: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        given = _by_letter(ONNX[3], x)
        z, r = (f(given[gate] + h @ recurrent[gate] + bias[gate]) for gate in "zr")
        if attributes.linear_before_reset:
            seen = r * (h @ recurrent["n"] + bias["n"])
        else:
            seen = (r * h) @ recurrent["n"] + bias["n"]
        return (1 - z) * g(given["n"] + seen) + z * h, c

    return step


def _rnn(attributes: Attributes, weights: NodeWeights, d: int) -> Step:
    f = _bounded(attributes, attributes.activations[d][0])
    recurrent, bias = weights.R[d].T, weights.biases(d)[1]
    return lambda x, h, c: (f(x + h @ recurrent + bias), c)


def _by_letter(order: str, array: np.ndarray) -> dict[str, np.ndarray]:
    """The blocks of the last axis by their letters."""
    return dict(zip(order, np.split(array, len(order), axis=-1)))


_STEPS = {"LSTM": _lstm, "GRU": _gru, "RNN": _rnn}
