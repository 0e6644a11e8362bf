"""Recurrent weights of other programs under our names, which are torch's, and back.

Each function takes arrays as another program keeps them and gives a state dict for
`Module.load_state_dict`. `to_module` makes the module that a state dict is of. Rows are put in
order, transposed or cut, never computed with, except where it is said.

======================== =====================================================================
what another program has function
======================== =====================================================================
torch's tensors          `from_torch`; names of LSTMCell: `cell_to_layer`, `layer_to_cell`
Keras's `get_weights()`  `from_keras`, `to_keras`; of a file: `read_keras`
ONNX's W, R, B and P     `from_onnx`, `to_onnx`
NumPy code's matrices    `from_numpy`, `to_numpy`
======================== =====================================================================
"""

from __future__ import annotations

from ._keras import from_keras, to_keras
from ._keras_files import read_keras
from ._modules import to_module
from ._names import cell_to_layer, from_torch, layer_to_cell
from ._numpy import from_numpy, to_numpy
from ._onnx import from_onnx, to_onnx

__all__ = [
    "cell_to_layer",
    "from_keras",
    "from_numpy",
    "from_onnx",
    "from_torch",
    "layer_to_cell",
    "read_keras",
    "to_keras",
    "to_module",
    "to_numpy",
    "to_onnx",
]
