"""The recurrent module that a state dict is of."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ...nn import GRU, LSTM, RNN
from ...nn.state_dicts import under_prefix
from .._gates import CELLS, gates_of, real

__all__ = ["to_module"]

_SUFFIX = re.compile(r"_l(\d+)(_reverse)?$")


def to_module(state_dict: Mapping[str, Any], prefix: str = "", **options: Any) -> LSTM | GRU | RNN:
    """Make the recurrent module that has these parameters, and load them.

    Parameters
    ----------
    state_dict : mapping of str to array_like
        By torch's names, as the functions of `numba_lstm.interop.weights` give it. Layers,
        directions, sizes, biases, projection, peepholes and layer normalisation follow from names
        and shapes.
    prefix : str
        What stands before the names, as `Module.load_state_dict` takes it.
    **options
        What does not: ``batch_first``, ``nonlinearity`` of an RNN, ``reset_after`` of a GRU,
        ``dtype``, dropouts, ….

    Returns
    -------
    LSTM, GRU or RNN
        In training mode, as every new module.

    Raises
    ------
    TypeError, ValueError
        If the names are no recurrent layers', or the shapes do not fit each other.

    Examples
    --------
    >>> to_module(LSTM(3, 5, num_layers=2, bidirectional=True).state_dict(), batch_first=True)
    LSTM(3, 5, num_layers=2, batch_first=True, bidirectional=True)
    """
    found = under_prefix(state_dict, prefix)
    ends = [match for match in map(_SUFFIX.search, found) if match]
    if "weight_hh_l0" not in found or "weight_ih_l0" not in found:
        raise ValueError(
            "state_dict: expected the names of recurrent layers, weight_ih_l0, weight_hh_l0, …, "
            f"got {', '.join(sorted(map(str, found))[:4]) or 'none'}{_hint(found, prefix)}"
        )
    layers = 1 + max(int(end[1]) for end in ends)
    projection = found.get("weight_hr_l0")
    sizes = [_hidden(found, layer) for layer in range(layers)]
    rows = real("weight_ih_l0", found["weight_ih_l0"], ("G·H", "I"))
    cell = CELLS[gates_of("weight_ih_l0", rows.shape[0], sizes[0]).number]
    told: dict[str, Any] = {
        "bias": "bias_ih_l0" in found,
        "bidirectional": any(end[2] for end in ends),
    }
    if projection is not None:
        told["proj_size"] = real("weight_hr_l0", projection, ("P", sizes[0])).shape[0]
    if "weight_peephole_l0" in found:
        told["peepholes"] = True
    if "weight_ln_ih_l0" in found:
        told["layer_norm"] = True
    if "h_0_l0" in found:
        told["learn_initial_state"] = True
    alike = len(set(sizes)) == 1
    module = cell(
        rows.shape[1], sizes[0] if alike else sizes, layers if alike else 1, **(told | options)
    )
    module.load_state_dict(found)
    return module


def _hint(found: Mapping[str, Any], prefix: str) -> str:
    """How to get at the recurrent layers of a whole model, or at a cell."""
    names, end = [str(name) for name in found], ".weight_hh_l0"
    inside = [name.removesuffix(end) for name in names if name.endswith(end)]
    if inside:
        whole = [".".join(filter(None, (prefix.rstrip("."), one))) for one in inside]
        some = " or ".join(map(repr, whole[:3])) + (", …" if len(whole) > 3 else "")
        return f"; this is a model with recurrent layers in it, which are told by prefix={some}"
    if any(name.endswith("weight_hh") for name in names):
        return "; cell_to_layer gives the names of a cell those of a layer"
    return ""


def _hidden(found: Mapping[str, Any], layer: int) -> int:
    """The units of a layer: the columns of W_hh, or of the projection where there is one."""
    name = f"weight_hr_l{layer}" if f"weight_hr_l{layer}" in found else f"weight_hh_l{layer}"
    if name not in found:
        raise ValueError(f"state_dict: expected {name}, got no such name")
    return real(name, found[name], ("rows", "H")).shape[1]
