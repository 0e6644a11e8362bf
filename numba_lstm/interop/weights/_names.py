"""torch's tensors as arrays, and the names of its cells and layers, which differ in an ending."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ...checks import real_array
from ...nn.state_dicts import under_prefix
from ._direction import suffix_of

__all__ = ["cell_to_layer", "from_torch", "layer_to_cell"]

_CELL = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def from_torch(state_dict: Mapping[str, Any], prefix: str = "") -> dict[str, np.ndarray]:
    """Give torch's tensors as arrays: names, shapes and the order of gates are the same.

    Needed where the dictionary goes elsewhere than to `Module.load_state_dict`, which takes tensors
    as they are.

    Parameters
    ----------
    state_dict : mapping of str to torch.Tensor or array_like
        A module's ``state_dict()``, on the CPU; bfloat16 becomes float32.
    prefix : str
        What stands before the names that are wanted, as `Module.load_state_dict` takes it.

    Returns
    -------
    dict of str to numpy.ndarray
        Copies.

    Raises
    ------
    TypeError
        Naming a tensor that is on another device, or no real numbers.
    ValueError
        If no name begins with `prefix`.

    Examples
    --------
    >>> from_torch({"module.lstm.bias_ih_l0": np.ones(4)}, prefix="module.lstm")
    {'bias_ih_l0': array([1., 1., 1., 1.])}
    """
    found = under_prefix(state_dict, prefix)
    return {name: np.array(real_array(name, value)) for name, value in found.items()}


def cell_to_layer(
    state_dict: Mapping[str, Any], layer: int = 0, reverse: bool = False
) -> dict[str, Any]:
    """Give the names of a cell, ``weight_ih``, those of a layer of a stack, ``weight_ih_l0``.

    Parameters
    ----------
    state_dict : mapping of str to array_like
        Of torch's LSTMCell, GRUCell or RNNCell, or ours, or of a model that holds some.
    layer : int
        The number of the layer in the stack.
    reverse : bool
        Whether it is to be the second direction's.

    Returns
    -------
    dict
        The same values. Other names stay.

    Raises
    ------
    TypeError, ValueError
        If `state_dict` is no mapping, `layer` is no number from 0 on, or `reverse` no boolean.

    Examples
    --------
    Two cells that were stepped in a loop, as one stack of two layers:

    >>> cells = [{"weight_ih": 1, "weight_hh": 2}, {"weight_ih": 3, "weight_hh": 4}]
    >>> cell_to_layer(cells[0]) | cell_to_layer(cells[1], layer=1)
    {'weight_ih_l0': 1, 'weight_hh_l0': 2, 'weight_ih_l1': 3, 'weight_hh_l1': 4}
    """
    suffix = suffix_of(layer, reverse)
    return {
        f"{name}{suffix}" if name.rpartition(".")[2] in _CELL else name: value
        for name, value in under_prefix(state_dict, "").items()
    }


def layer_to_cell(
    state_dict: Mapping[str, Any], layer: int = 0, reverse: bool = False
) -> dict[str, Any]:
    """Give one layer of a stack the names of a cell, and leave the other layers out.

    Parameters
    ----------
    state_dict : mapping of str to array_like
    layer : int
        Which layer.
    reverse : bool
        Whether its second direction.

    Returns
    -------
    dict
        The same values. Names that are no recurrent layer's stay.

    Raises
    ------
    TypeError
        If `state_dict` is no mapping, or an argument of another type.
    ValueError
        If there is no such layer.
    """
    suffix = suffix_of(layer, reverse)
    found = {}
    seen = False
    for name, value in under_prefix(state_dict, "").items():
        kind, ends, _ = name.rpartition(".")[2].partition("_l")
        if not ends or kind not in _CELL:
            found[name] = value
        elif name.endswith(f"{kind}{suffix}"):
            found[name.removesuffix(suffix)] = value
            seen = True
    if not seen:
        raise ValueError(f"state_dict: expected names that end in {suffix}, got none")
    return found
