"""Functions that fill the parameters of whole layers: torch's defaults, and open forget gates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, TypeVar

from ...checks import generator
from ...parameters.parameter import Parameter
from ...typing import Seed
from ..module import Module
from .tensors import constant_, kaiming_uniform_, normal_, uniform_

__all__ = ["forget_gate_bias_", "reset_embedding_", "reset_linear_", "reset_recurrent_"]

M = TypeVar("M", bound=Module)


def forget_gate_bias_(module: M, value: float = 1.0) -> M:
    """Let every LSTM and LSTMCell in a tree start by remembering (Jozefowicz et al., 2015).

    The forget gate sees b_ih + b_hh: its part of `bias_ih` becomes `value` and that of `bias_hh`
    zero. The other gates' biases stay as they are.

    Parameters
    ----------
    module : Module
    value : float
        The bias of all forget gates.

    Returns
    -------
    Module
        `module`.

    Raises
    ------
    ValueError
        If there is no LSTM with biases in it.
    """
    found = False
    for part in module.modules():
        for name, bias in vars(part).items():
            if isinstance(bias, Parameter) and _is_lstm(part, name, bias):
                hidden = bias.size // 4
                bias[hidden : 2 * hidden] = value if name.startswith("bias_ih") else 0.0
                found = True
    if not found:
        raise ValueError(f"module: expected an LSTM with biases, got {type(module).__name__}")
    return module


def _is_lstm(module: Module, name: str, bias: Parameter) -> bool:
    """Whether a bias has the four gates of an LSTM: a GRU's has three, a Linear's none."""
    if not name.startswith("bias_"):
        return False
    hidden = _own_size(getattr(module, "hidden_size", None), name)
    return isinstance(hidden, int) and bias.shape == (4 * hidden,)


def _own_size(hidden_size: Any, name: str) -> Any:
    """Find the hidden size of the layer that a parameter belongs to: ``weight_hh_l1_reverse``."""
    if not isinstance(hidden_size, (list, tuple)):
        return hidden_size
    layer = name.removesuffix("_reverse").rpartition("_l")[2]
    return hidden_size[int(layer)] if layer.isdigit() else None


def reset_recurrent_(module: M, hidden_size: int | Sequence[int], *, seed: Seed = None) -> M:
    """Draw all parameters of recurrent layers as torch does: uniformly within ±1/√H.

    Of a layer normalisation the gains become 1 and the bias 0, as in torch's LayerNorm; learnt
    initial states become 0.

    Parameters
    ----------
    module : Module
        A stack of recurrent layers, or a cell.
    hidden_size : int or sequence of int
        H, or that of each layer.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Module
        `module`.
    """
    rng = generator(seed)
    for name, parameter in module.named_parameters():
        if name.startswith(("weight_ln_", "bias_ln_", "h_0_", "c_0_")):
            constant_(parameter, float(name.startswith("weight")))
            continue
        bound = 1.0 / math.sqrt(_own_size(hidden_size, name))
        uniform_(parameter, -bound, bound, seed=rng)
    return module


def reset_linear_(module: Any, *, seed: Seed = None) -> Any:
    """Draw the parameters of a linear layer as torch does: uniformly within ±1/√I.

    Parameters
    ----------
    module : Linear, or a module like it
        With `weight` (O, I) and `bias` (O,), which may be None.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Module
        `module`.
    """
    rng = generator(seed)
    kaiming_uniform_(module.weight, math.sqrt(5.0), seed=rng)
    if module.bias is not None:
        bound = 1.0 / math.sqrt(module.weight.shape[1])
        uniform_(module.bias, -bound, bound, seed=rng)
    return module


def reset_embedding_(module: Any, *, seed: Seed = None) -> Any:
    """Draw the rows of an embedding from a standard normal distribution.

    Parameters
    ----------
    module : Embedding, or a module like it
        With `weight`, and `padding_idx`, whose row becomes zero, or None.
    seed : None, int or numpy.random.Generator

    Returns
    -------
    Module
        `module`.
    """
    normal_(module.weight, seed=seed)
    if module.padding_idx is not None:
        module.weight[module.padding_idx] = 0.0
    return module
