"""A module as an ONNX file that onnxruntime, and whatever else reads ONNX, runs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from ..._files import write_atomic
from ...checks import flag, size
from ...nn.module import Module
from .export_graph import Graph, Options, Shape
from .export_modules import add_module
from .files import package

__all__ = ["save"]

# ReduceMax takes its axes as it does now from this one on.
_OLDEST = 18
# What protobuf can hold, less what is no weights.
_LARGEST = 2**31 - 2**20


def save(
    module: Module,
    path: str | os.PathLike[str],
    *,
    opset: int = 22,
    batch_first: bool | None = None,
    shape: Iterable[int | str] | None = None,
    lengths: bool = True,
    states: bool = True,
    optional: bool = True,
    metadata: Mapping[str, str] | None = None,
) -> None:
    """Write what a module computes in evaluation to an ONNX file, atomically.

    Parameters
    ----------
    module : Module
        `LSTM`, `GRU` or `RNN`, with any number of layers and both directions, and what ONNX has of
        their options; the `Reverse` that `load` gives; a cell of them; `Linear`, `Embedding`,
        `LayerNorm`, `Softmax`, `Dropout`, which is left out, and functions of each element;
        `Sequential`; `LanguageModel`, `SequenceClassifier`, `SequenceRegressor`, `Forecaster`,
        `LinearForecaster`, `Combination`. A subclass is written as its base if it has that one's
        ``__call__``; `register` teaches other classes.
    path : path
        The file to make or replace; after a crash it is either as it was or complete.
    opset : int
        The version of ONNX's operators, from 18 to what the installed package onnx knows. The
        version of the file's own format is the oldest one that has them: 10 for 22.
    batch_first : bool, optional
        Whether x, tokens and y are (B, T, …) in the graph instead of (T, B, …); as in the module
        where not given. States never are.
    shape : sequence of int or str, optional
        That of x or tokens: numbers for what is fixed, words for what varies. By default
        ``("time", "batch", I)`` in the graph's layout, and ``("batch", I)`` of modules that have no
        recurrent one in them. Of a `LinearForecaster`, and of a `Combination` that has one, the
        steps are those of the longest `window`, which the graph cannot do without; with a word for
        them it takes more, too, and whoever runs it sees to it that there are enough.
    lengths : bool
        Whether a recurrent module has the input ``lengths``.
    states : bool
        Whether initial states are inputs and final states outputs.
    optional : bool
        Whether lengths and states need not be given when the graph runs. With False they must be,
        which is refused where it loses states that the module learnt (`learn_initial_state`).
    metadata : mapping of str to str, optional
        Kept in the file.

    Raises
    ------
    ImportError
        If the package onnx is absent.
    TypeError
        Naming the argument; or if there is no way to write a module of this class.
    ValueError
        Naming the argument, or the part of the module and its option that ONNX has no place for:
        `proj_size`, `layer_norm`, `zoneout`; or a parameter that was exchanged for one that does
        not fit; or if the parameters are more than the 2 GB that a file can hold.
    OSError
        When the file cannot be written.

    Notes
    -----
    **Names** are those of the calls:

    ===================================== ==================================== ===================
    module                                inputs                               outputs
    ===================================== ==================================== ===================
    LSTM, GRU, RNN                        x, lengths, h0, c0                   y, hn, cn
    the same, sizes of layers that differ x, lengths, h0_l0, h0_l1, …          y, hn_l0, hn_l1, …
    LSTMCell, GRUCell, RNNCell            x, h0, c0                            h, c
    LanguageModel                         tokens, h0, c0                       logits, hn, cn
    SequenceClassifier                    x, lengths                           logits
    SequenceRegressor                     x, lengths                           y
    Forecaster                            x, future, lengths                   y
    LinearForecaster, Combination         x, future                            y
    Sequential                            x or tokens, lengths                 y, or as its last
    ===================================== ==================================== ===================

    tokens are int64 and lengths int32; all floats have the module's dtype. There is no ``reset``.

    **Optional inputs** are inputs with a default in the file. onnxruntime lists them by
    ``get_overridable_initializers()``, and warns of each as it opens the file, which
    ``SessionOptions.log_severity_level = 3`` silences. The default of lengths is -1, which stands
    for T. That of a state is one row, which is taken for every sequence: a state of one row may be
    given, too.

    **Streaming.** Feed hn and cn to h0 and c0 of the next call: chunks then give what one call
    over the whole sequence gives.

    **Nothing to do.** Sequences of length 0 give zeros in y, as here. Their final states are zero
    in onnxruntime, where this library gives the initial ones. A batch without sequences or without
    steps ends the process in which onnxruntime 1.32 runs it.

    **Token ids** that are negative count from the end of the table in ONNX; here they are refused.

    **float64.** The file is right, and `session` and ONNX's reference evaluator run it.
    onnxruntime's CPU kernels of LSTM, GRU and RNN take float32 only.

    Examples
    --------
    >>> import os, tempfile
    >>> from numba_lstm import nn
    >>> path = os.path.join(tempfile.mkdtemp(), "lstm.onnx")
    >>> save(nn.LSTM(10, 20, num_layers=2, seed=0), path)
    >>> import onnx
    >>> [one.name for one in onnx.load(path).graph.input]
    ['x', 'lengths', 'h0', 'c0']
    """
    write_atomic(
        path,
        _model(
            module,
            size("opset", opset),
            Options(
                None if batch_first is None else flag("batch_first", batch_first),
                None if shape is None else _checked_shape(shape),
                flag("lengths", lengths),
                flag("states", states),
                flag("optional", optional),
            ),
            _checked_metadata(metadata),
        ),
    )


def _model(module: Any, opset: int, options: Options, metadata: dict[str, str]) -> bytes:
    """The file's bytes, the same for the same module."""
    onnx = package()
    if not isinstance(module, Module):
        raise TypeError(f"module: expected a Module, got {type(module).__name__}")
    newest = onnx.defs.onnx_opset_version()
    if not _OLDEST <= opset <= newest:
        raise ValueError(
            f"opset: expected {_OLDEST} to {newest}, which onnx {onnx.__version__} knows, "
            f"got {opset}"
        )
    weights = sum(one.numpy().nbytes for one in module.parameters())
    if weights > _LARGEST:
        raise ValueError(f"module: expected less than 2 GB of parameters, got {weights} bytes")
    graph = Graph(_dtype(module), opset, options)
    add_module(graph, module)
    model = graph.model(type(module).__name__, repr(module), metadata)
    onnx.checker.check_model(model, full_check=True)
    return model.SerializeToString(deterministic=True)


def _dtype(module: Module) -> np.dtype:
    """The one dtype of all parameters; float32 without any."""
    found = {one.dtype for one in module.parameters()}
    if len(found) > 1:
        names = " and ".join(sorted(map(str, found)))
        raise ValueError(f"module: expected parameters of one dtype, got {names}")
    return found.pop() if found else np.dtype(np.float32)


def _checked_shape(shape: Any) -> Shape:
    sizes = tuple(shape) if not isinstance(shape, (str, int)) else ()
    if not sizes:
        raise ValueError(f"shape: expected sizes and names of sizes, got {shape!r}")
    found = tuple(
        one if isinstance(one, str) else size(f"shape[{axis}]", one)
        for axis, one in enumerate(sizes)
    )
    words = [one for one in found if isinstance(one, str)]
    if "" in words or len(set(words)) < len(words):
        raise ValueError(
            f"shape: expected a name of its own for each size that varies, got {found}"
        )
    return found


def _checked_metadata(metadata: Any) -> dict[str, str]:
    if metadata is None:
        return {}
    if not isinstance(metadata, Mapping):
        raise TypeError(f"metadata: expected text by name, got {type(metadata).__name__}")
    for one in (*metadata, *metadata.values()):
        if not isinstance(one, str):
            raise TypeError(f"metadata: expected text by name, got {one!r}")
    return dict(metadata)
