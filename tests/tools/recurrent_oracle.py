"""The recurrent family once more, forward only: what the reference's gradients are checked with.

Row by row, gate by gate and document by document, sharing nothing with `numba_lstm.reference`:
no masks over steps, no batch, no shared product. Works for complex arrays.
"""

from __future__ import annotations

from typing import Any

import numpy as np


def sigma(z):
    return 1 / (1 + np.exp(-z))


def held(z, bound):
    """Clip by the real part."""
    if bound is None:
        return z
    return np.array([v if abs(v.real) < bound else np.sign(v.real) * bound for v in z])


def normalised(z):
    mean = sum(z) / len(z)
    variance = sum((v - mean) ** 2 for v in z) / len(z)
    return (z - mean) / np.sqrt(variance + 1e-5)


def gates(p, kind, v, first, last):
    """What gates first..last - 1 get from the input ("ih") or the state ("hh"), one by one."""
    size = p["weight_hh"].shape[0] // p["count"]
    rows = range(first * size, last * size)
    z = np.array([p[f"weight_{kind}"][r] @ v for r in rows])
    if f"weight_ln_{kind}" in p:
        z = p[f"weight_ln_{kind}"][rows] * normalised(z)
    if f"bias_{kind}" in p:
        z = z + p[f"bias_{kind}"][rows]
    return [z[k * size : (k + 1) * size] for k in range(last - first)]


def lstm(p, x, h_in, state, clip=None, coupled=False):
    p = p | {"count": 4}
    _, c = state
    zi, zf, zg, zo = [a + u for a, u in zip(gates(p, "ih", x, 0, 4), gates(p, "hh", h_in, 0, 4))]
    pi, pf, po = np.reshape(p.get("weight_peephole", np.zeros(3 * len(c))), (3, len(c)))
    i = sigma(held(zi + pi * c, clip))
    f = 1 - i if coupled else sigma(held(zf + pf * c, clip))
    c = f * c + i * np.tanh(held(zg, clip))
    o = sigma(held(zo + po * c, clip))
    s = c
    if "weight_ln_c" in p:
        s = p["weight_ln_c"] * normalised(c) + p.get("bias_ln_c", 0)
    m = o * np.tanh(s)
    return (p["weight_hr"] @ m if "weight_hr" in p else m), c


def gru(p, x, h_in, state, reset_after=True):
    p = p | {"count": 3}
    ar, az = gates(p, "ih", x, 0, 2)
    ur, uz = gates(p, "hh", h_in, 0, 2)
    (an,) = gates(p, "ih", x, 2, 3)
    r, z = sigma(ar + ur), sigma(az + uz)
    if reset_after:
        n = np.tanh(an + r * gates(p, "hh", h_in, 2, 3)[0])
    else:
        n = np.tanh(an + gates(p, "hh", r * h_in, 2, 3)[0])
    return ((1 - z) * n + z * state[0],)


def rnn(p, x, h_in, state, nonlinearity="tanh"):
    p = p | {"count": 1}
    z = gates(p, "ih", x, 0, 1)[0] + gates(p, "hh", h_in, 0, 1)[0]
    if nonlinearity == "tanh":
        return (np.tanh(z),)
    return (np.array([v if v.real > 0 else 0 * v for v in z]),)


STEPS: dict[str, Any] = {"LSTMCell": lstm, "GRUCell": gru, "RNNCell": rnn}


def documents(length, reset, b):
    """A row's pieces between resets, as (first step, end)."""
    starts = [0] + [t for t in range(1, length) if reset is not None and reset[t, b]]
    return list(zip(starts, [*starts[1:], length]))


def direction(cell, p, x, initial, lengths=None, reset=None, reverse=False, dropout=None):
    """One direction of one layer: (sequences, finals), for each of the cell's states."""
    step, options = STEPS[type(cell).__name__], vars(cell)
    mask_x, mask_h, mask_w, zoneout = dropout or (None, None, None, ())
    if mask_w is not None:
        p = p | {"weight_hh": p["weight_hh"] * mask_w}
    dtype = np.result_type(x, *initial, *p.values())
    T, B, _ = x.shape
    sequences = [np.zeros((T, *s.shape), dtype) for s in initial]
    finals = [np.array(s, dtype) for s in initial]
    for b in range(B):
        length = T if lengths is None else lengths[b]
        state = tuple(s[b] for s in initial)
        if length and not reverse and reset is not None and reset[0, b]:
            state = tuple(np.zeros_like(s) for s in state)
        for which, (start, end) in enumerate(documents(length, reset, b)[:: -1 if reverse else 1]):
            if length == 0:
                break
            if which > 0:
                state = tuple(np.zeros_like(s) for s in state)
            for t in range(start, end)[:: -1 if reverse else 1]:
                x_t = x[t, b] if mask_x is None else x[t, b] * mask_x[b]
                h_in = state[0] if mask_h is None else state[0] * mask_h[b]
                new = list(step(p, x_t, h_in, state, **options))
                for k, keep in enumerate(zoneout):
                    if keep is not None:
                        keep = keep if np.isscalar(keep) else keep[t, b]
                        new[k] = keep * state[k] + (1 - keep) * new[k]
                state = tuple(new)
                for sequence, s in zip(sequences, state):
                    sequence[t, b] = s
        for final, s in zip(finals, state):
            final[b] = s
    return sequences, finals


def stack(cell, parameters, x, initial, *, lengths=None, reset=None, dropout=None, between=()):
    """Layers and directions: (y, finals by state, sequences by state and layer)."""
    finals, sequences = [[] for _ in initial], [[] for _ in initial]
    both = any(name.endswith("_reverse") for name in parameters)
    layer = 0
    while f"weight_ih_l{layer}" in parameters:
        sides = []
        for back in (False, True)[: 1 + both]:
            tail = f"_l{layer}" + "_reverse" * back
            p = {n[: -len(tail)]: v for n, v in parameters.items() if n.endswith(tail)}
            first = [s[len(finals[0])] for s in initial]
            side, ends = direction(
                cell, p, x, first, lengths, reset, back, (dropout or {}).get(tail)
            )
            sides.append(side)
            for k, end in enumerate(ends):
                finals[k].append(end)
        for k in range(len(initial)):
            sequences[k].append(np.concatenate([side[k] for side in sides], axis=2))
        x = y = sequences[0][-1]
        if layer < len(between) and between[layer] is not None:
            x = y * between[layer]
        layer += 1
    return y, finals, sequences
