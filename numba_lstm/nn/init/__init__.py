"""Initial values: torch's functions by torch's names, and torch's defaults for each layer.

Every function writes in place and returns what it was given: a Parameter, or a writeable array of
float32 or float64 such as an initial state. ``seed=`` is None, an int or a Generator. Numbers are
drawn in float64 and then cast, so one seed gives the same values in both dtypes.

The weights of a recurrent layer are several matrices above each other, one a gate; ``gates=4`` for
an LSTM initialises each on its own.
"""

from .layers import forget_gate_bias_, reset_embedding_, reset_linear_, reset_recurrent_
from .tensors import (
    constant_,
    kaiming_uniform_,
    normal_,
    ones_,
    orthogonal_,
    uniform_,
    xavier_normal_,
    xavier_uniform_,
    zeros_,
)

__all__ = [
    "constant_",
    "forget_gate_bias_",
    "kaiming_uniform_",
    "normal_",
    "ones_",
    "orthogonal_",
    "reset_embedding_",
    "reset_linear_",
    "reset_recurrent_",
    "uniform_",
    "xavier_normal_",
    "xavier_uniform_",
    "zeros_",
]
