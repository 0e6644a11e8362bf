"""Compiling ahead of time, so that the first call that counts does not wait."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .nn import Module

__all__ = ["warmup"]


def warmup(module: Module | None = None, *inputs: Any, training: bool = True) -> None:
    """Compile kernels now that would else be compiled at first use, and keep them on disk.

    Kernels are compiled once on a machine. They differ by kind of cell, by dtype, and by whether
    options such as masks or projections are in use. What this covers is therefore what it runs:

    - ``warmup()`` runs what ``numba-lstm train lm`` and ``sample`` run by default, with a small and
      with the default size: an embedding, a two-layer LSTM of float32 with dropout, a linear layer,
      cross entropy, clipping and Adam, an evaluation, and some tokens of a sample.
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

    Raises
    ------
    TypeError
        If there are inputs and no module, a module and no inputs, or something that is no Module.
    ValueError
        If the module refuses the inputs.

    Examples
    --------
    >>> import numba_lstm
    >>> from numba_lstm import nn
    >>> numba_lstm.warmup(nn.LSTM(10, 20), [[[0.0] * 10] * 32] * 100)
    """
    from .nn import Module

    if module is None:
        if inputs:
            raise TypeError("module: expected a Module before the inputs, got None")
        _language_models()
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

    from .nn import LSTMCell, Sequential

    while isinstance(module, Sequential):
        module = module[-1]
    if not isinstance(output, tuple):
        return np.zeros_like(output)
    if isinstance(module, LSTMCell):
        return tuple(map(np.zeros_like, output))
    return np.zeros_like(output[0])


def _language_models() -> None:
    """Two steps, an evaluation and a short sample, of a small model and of the default one.

    The small one stays on one thread, the other one has the threads that help compiled, too.
    """
    import numpy as np

    from .models import generate
    from .text import CharVocabulary
    from .training.lm.config import TrainConfig
    from .training.lm.data import Data
    from .training.lm.loading import make_model
    from .training.lm.task import TextTask

    vocabulary = CharVocabulary([chr(code) for code in range(32, 97)])
    small = TrainConfig(steps=1, hidden=16, embedding=8, batch=2, seq_len=4)
    for config in (small, TrainConfig(steps=1)):
        tokens = np.arange(config.batch * config.seq_len + 1) % len(vocabulary)
        model = make_model(config, len(vocabulary))
        TextTask(config, Data(vocabulary, tokens, tokens), model).warm_up()
        list(generate(model, tokens[:2], 2, seed=0))
