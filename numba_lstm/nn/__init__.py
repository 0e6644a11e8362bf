"""Layers with torch's names: `LSTM`, `GRU`, `RNN`, their cells, `Linear`, `Embedding`, `Dropout`,
`LayerNorm`, `ReLU`, `Tanh`, `Sigmoid`, `Softmax`, `Identity`; `Sequential`, `ModuleList`,
`ModuleDict`; and `Module`, of which one's own are made, and `once` for their pullbacks.

Each is loaded on first use, so that whoever needs only parameters imports and compiles no more.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from ..parameters.parameter import Parameter
from .module import Module

_HOMES = {
    "LSTM": "lstm",
    "LSTMCell": "lstm_cell",
    "GRU": "gru",
    "GRUCell": "gru_cell",
    "RNN": "rnn",
    "RNNCell": "rnn_cell",
    "Linear": "linear",
    "Embedding": "embedding",
    "Dropout": "dropout",
    "Sequential": "sequential",
    "ModuleList": "module_list",
    "ModuleDict": "module_dict",
    "LayerNorm": "layer_norm",
    "Identity": "activations",
    "ReLU": "activations",
    "Sigmoid": "activations",
    "Tanh": "activations",
    "Softmax": "softmax",
    "once": "pullback",
}

__all__ = [
    "GRU",
    "LSTM",
    "RNN",
    "Dropout",
    "Embedding",
    "GRUCell",
    "Identity",
    "LSTMCell",
    "LayerNorm",
    "Linear",
    "Module",
    "ModuleDict",
    "ModuleList",
    "Parameter",
    "RNNCell",
    "ReLU",
    "Sequential",
    "Sigmoid",
    "Softmax",
    "Tanh",
    "init",
    "once",
    "utils",
]


if TYPE_CHECKING:
    from . import init as init
    from . import utils as utils
    from .activations import Identity as Identity
    from .activations import ReLU as ReLU
    from .activations import Sigmoid as Sigmoid
    from .activations import Tanh as Tanh
    from .dropout import Dropout as Dropout
    from .embedding import Embedding as Embedding
    from .gru import GRU as GRU
    from .gru_cell import GRUCell as GRUCell
    from .layer_norm import LayerNorm as LayerNorm
    from .linear import Linear as Linear
    from .lstm import LSTM as LSTM
    from .lstm_cell import LSTMCell as LSTMCell
    from .module_dict import ModuleDict as ModuleDict
    from .module_list import ModuleList as ModuleList
    from .pullback import once as once
    from .rnn import RNN as RNN
    from .rnn_cell import RNNCell as RNNCell
    from .sequential import Sequential as Sequential
    from .softmax import Softmax as Softmax
else:
    # Hidden from type checkers: to them every name would be there, and Any.
    def __getattr__(name: str) -> Any:
        if name in ("init", "utils"):
            return import_module(f".{name}", __name__)
        if name in _HOMES:
            value = getattr(import_module(f".{_HOMES[name]}", __name__), name)
            globals()[name] = value
            return value
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
