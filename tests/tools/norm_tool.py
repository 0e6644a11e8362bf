"""What the tests of layer-normalised kernels share: one direction's steps in NumPy, float64."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from numba_lstm.reference.layer_norm import LayerNormSaved, layer_norm_backward, layer_norm_forward

# Of each cell the groups of gates that are normalised together, in the order of the moments of x
# and of h, as the gates stand in the weights.
GROUPS = {"LSTM": ([[0, 1, 2, 3]], [[0, 1, 2, 3]]), "GRU": ([[2], [0, 1]], [[0, 1], [2]])}
# And the slot of each gate, of x and of h.
SLOTS = {"LSTM": ([0, 1, 2, 3], [0, 1, 2, 3]), "GRU": ([1, 2, 0], [1, 2, 3])}


class Step(NamedTuple):
    """One step of rows (B, …)."""

    a: np.ndarray  # x·W_ihᵀ
    u: np.ndarray  # h_prev·W_hhᵀ
    norms: list[LayerNormSaved]  # of a's groups, of u's, and of c
    h_part: np.ndarray  # of a GRU: LN(u) + b_hh
    gates: list[np.ndarray]
    state: np.ndarray  # c_{t-1}, or h_{t-1}
    tanh_c: np.ndarray
    c: np.ndarray
    h: np.ndarray


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def _columns(groups: list[int], hidden: int) -> np.ndarray:
    return np.concatenate([np.arange(g * hidden, (g + 1) * hidden) for g in groups])


def _through(z: np.ndarray, gain: np.ndarray, groups: Any, norms: list[Any]) -> np.ndarray:
    out, hidden = np.empty_like(z), z.shape[1] // sum(map(len, groups))
    for group in groups:
        at = _columns(group, hidden)
        out[:, at], saved = layer_norm_forward(z[:, at], gain[at])
        norms.append(saved)
    return out


def _back(d: np.ndarray, groups: Any, norms: list[Any]) -> np.ndarray:
    out, hidden = np.empty_like(d), d.shape[1] // sum(map(len, groups))
    for group, saved in zip(groups, norms):
        at = _columns(group, hidden)
        out[:, at], _ = layer_norm_backward(saved, d[:, at])
    return out


def forward(kind: str, p: dict[str, np.ndarray], x: Any, h: Any, c: Any) -> Step:
    """A step from x (B, I), h and c (B, H)."""
    of_x, of_h = GROUPS[kind]
    norms: list[Any] = []
    a, u = x @ p["weight_ih"].T, h @ p["weight_hh"].T
    from_x = _through(a, p["weight_ln_ih"], of_x, norms) + p["bias_ih"]
    from_h = _through(u, p["weight_ln_hh"], of_h, norms) + p["bias_hh"]
    if kind == "GRU":
        x_r, x_z, x_n = np.split(from_x, 3, axis=1)
        h_r, h_z, h_n = np.split(from_h, 3, axis=1)
        r, z = sigmoid(x_r + h_r), sigmoid(x_z + h_z)
        n = np.tanh(x_n + r * h_n)
        return Step(a, u, norms, h_n, [r, z, n], h, h, c, (1 - z) * n + z * h)
    i, f, g, o = np.split(from_x + from_h, 4, axis=1)
    i, f, g, o = sigmoid(i), sigmoid(f), np.tanh(g), sigmoid(o)
    new = f * c + i * g
    normal, saved = layer_norm_forward(new, p["weight_ln_c"])
    tanh_c = np.tanh(normal + p["bias_ln_c"])
    return Step(a, u, [*norms, saved], from_h, [i, f, g, o], c, tanh_c, new, o * tanh_c)


def backward(kind: str, p: Any, step: Step, dh: Any, dc: Any) -> tuple[Any, Any, Any, Any]:
    """da, du, and what reaches h and c of the step before."""
    of_x, of_h = GROUPS[kind]
    if kind == "GRU":
        r, z, n = step.gates
        x_n = dh * (1 - z) * (1 - n * n)
        d_r, d_z = x_n * step.h_part * r * (1 - r), dh * (step.state - n) * z * (1 - z)
        dx, d_u = np.hstack([d_r, d_z, x_n]), np.hstack([d_r, d_z, x_n * r])
        past, dc = dh * z, dc
    else:
        i, f, g, o = step.gates
        d_normal = dh * o * (1 - step.tanh_c**2)
        dc = dc + layer_norm_backward(step.norms[-1], d_normal)[0]
        dx = d_u = np.hstack([
            dc * g * i * (1 - i), dc * step.state * f * (1 - f), dc * i * (1 - g * g),
            dh * step.tanh_c * o * (1 - o),
        ])  # fmt: skip
        past, dc = 0.0, dc * f
    da, du = _back(dx, of_x, step.norms), _back(d_u, of_h, step.norms[len(of_x) :])
    return da, du, du @ p["weight_hh"] + past, dc


def run(kind: str, p: Any, x: Any, states: Any, reverse: bool) -> list[Step]:
    """Steps over x (T, B, I), in their place in x."""
    h, c = states[0], states[-1]
    steps: list[Any] = [None] * len(x)
    for t in range(len(x))[:: -1 if reverse else 1]:
        steps[t] = forward(kind, p, x[t], h, c)
        h, c = steps[t].h, steps[t].c
    return steps


def in_slots(kind: str, array: np.ndarray, of_h: bool) -> list[tuple[int, np.ndarray]]:
    """Parts of the gates in the weights' order, each with its slot."""
    order = SLOTS[kind][of_h]
    return list(zip(order, np.split(array, len(order), axis=1)))
