"""The numbers that every peer of a case computes with: the same to the bit, made from one seed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from .cases import GATES, Case

__all__ = ["make_arrays", "recurrent_shapes", "save"]


def recurrent_shapes(case: Case) -> dict[str, tuple[int, ...]]:
    """Parameters of the recurrent stack, by torch's names, with their shapes."""
    rows = GATES[case.cell] * case.H
    shapes: dict[str, tuple[int, ...]] = {}
    for layer in range(case.layers):
        size = case.proj or case.H
        inputs = case.I if layer == 0 else case.directions * size
        for suffix in ("", "_reverse")[: case.directions]:
            end = f"l{layer}{suffix}"
            shapes[f"weight_ih_{end}"] = (rows, inputs)
            shapes[f"weight_hh_{end}"] = (rows, size)
            shapes[f"bias_ih_{end}"] = (rows,)
            shapes[f"bias_hh_{end}"] = (rows,)
            if case.proj:
                shapes[f"weight_hr_{end}"] = (case.proj, case.H)
    return shapes


def make_arrays(case: Case, seed: int = 0) -> dict[str, np.ndarray]:
    """Weights by their names, and the inputs of a case, as float32 and int64.

    Returns
    -------
    dict
        ``parameter/NAME`` for each parameter. For a bare stack x (T, B, I), h0 and, of an LSTM, c0
        (layers·D, B, H), and cotangents dy, dhn, dcn, lengths (B,) where it has them; for a
        language model tokens and targets (T, B).
    """
    rng = np.random.default_rng(seed)

    def normal(*shape: int) -> np.ndarray:
        return rng.standard_normal(shape, dtype=np.float32)

    def uniform(shape: tuple[int, ...]) -> np.ndarray:
        return (rng.random(shape, dtype=np.float32) * 2 - 1) * np.float32(case.H**-0.5)

    prefix = "lstm." if case.vocab else ""
    arrays = {
        f"parameter/{prefix}{name}": uniform(shape)
        for name, shape in recurrent_shapes(case).items()
    }
    if case.vocab:
        arrays["parameter/embedding.weight"] = normal(case.vocab, case.I)
        arrays["parameter/decoder.weight"] = uniform((case.vocab, case.H))
        arrays["parameter/decoder.bias"] = uniform((case.vocab,))
        for name in ("tokens", "targets"):
            arrays[name] = rng.integers(0, case.vocab, (case.T, case.B))
        return arrays
    arrays["x"] = normal(case.T, case.B, case.I)
    arrays["dy"] = normal(case.T, case.B, case.directions * (case.proj or case.H))
    for letter, size in case.states.items():
        arrays[f"{letter}0"] = normal(case.layers * case.directions, case.B, size)
    for letter, size in case.states.items():
        arrays[f"d{letter}n"] = normal(case.layers * case.directions, case.B, size)
    if (lengths := case.lengths()) is not None:
        arrays["lengths"] = lengths
        arrays["dy"][np.arange(case.T)[:, None] >= lengths] = 0
        if case.form == "padded":
            # A padded batch runs on to T: its last states are none of a sequence's.
            for letter in case.states:
                arrays[f"d{letter}n"][...] = 0
    return arrays


def save(path: str, arrays: Mapping[str, np.ndarray]) -> None:
    """Write arrays to an .npz file by their names."""
    named: dict[str, Any] = dict(arrays)
    np.savez(path, **named)
