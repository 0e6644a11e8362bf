"""Compiling ahead of time, so that the first call that counts does not wait."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..nn import Module

__all__ = ["warmup"]


def warmup(
    module: Module | None = None,
    *inputs: Any,
    training: bool = True,
    cells: Sequence[str] = ("lstm",),
    dtype: str = "float32",
) -> None:
    """Compile kernels now that would else be compiled at first use, and keep them on disk.

    Kernels are compiled once on a machine. They differ by kind of cell, by dtype, and by whether
    options such as masks or projections are in use. What this covers is therefore what it runs:

    - ``warmup()`` runs what the package's own models and commands need: a language model is
      trained, evaluated, and writes a few tokens; a classifier is trained and run, on sequences of
      unequal lengths, in both directions, with each kind of dropout. That covers regressors,
      forecasters and the estimators, too. All losses and optimizers are covered.
    - ``warmup(module, x)`` runs this module on this input: ``module(x)``, and with `training` also
      ``module.vjp(x)`` and its pullback. Losses and optimizers are not covered.

    Parameters
    ----------
    module : Module, optional
        What is going to be used. It is copied first: neither its gradients nor its random numbers
        change.
    *inputs : array_like
        What the module is going to be called with, of the sizes that it will get; the values do not
        matter.
    training : bool
        Whether the module is going to be trained. It is run in the mode that it is in, see
        ``module.train()``.
    cells : sequence of str
        Without a module: the kinds of cells, of ``"lstm"``, ``"gru"`` and ``"rnn"``.
    dtype : str
        Without a module: ``"float32"`` or ``"float64"``.

    Raises
    ------
    TypeError
        If there are inputs and no module, a module and no inputs, or something that is no Module.
    ValueError
        If the module refuses the inputs; for another cell or dtype.

    Examples
    --------
    >>> import numba_lstm
    >>> from numba_lstm import nn
    >>> numba_lstm.warmup(nn.LSTM(10, 20), [[[0.0] * 10] * 32] * 100)
    """
    from ..nn import Module

    if module is None:
        if inputs:
            raise TypeError("module: expected a Module before the inputs, got None")
        from .models import warm_models

        warm_models(cells, dtype)
        return
    if not isinstance(module, Module):
        raise TypeError(f"module: expected a Module, got {type(module).__name__}")
    if not inputs:
        raise TypeError("inputs: expected what the module is going to be called with, got nothing")
    copied: Any = copy.deepcopy(module)
    copied(*inputs)
    if training:
        output, pullback = copied.vjp(*inputs)
        pullback(_cotangent(copied, output))


def _cotangent(module: Any, output: Any) -> Any:
    """Zeros for the pullback: of all outputs for a cell, else of the first one."""
    import numpy as np

    from ..nn import LSTMCell, Sequential

    while isinstance(module, Sequential):
        module = module[-1]
    if not isinstance(output, tuple):
        return np.zeros_like(output)
    if isinstance(module, LSTMCell):
        return tuple(map(np.zeros_like, output))
    return np.zeros_like(output[0])
