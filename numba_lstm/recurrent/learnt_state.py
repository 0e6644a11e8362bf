"""Initial states that are learnt: a row for each layer and direction, of all sequences."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..parameters.exchanged import check_parameter
from ..parameters.parameter import Parameter
from .layout import Layout
from .states import Flat

__all__ = ["LearntState"]


class LearntState:
    """The parameters that stand for the initial states of one call.

    h_0 of each sequence b is the parameter's one row, so that its gradient is the sum of dh_0 over
    b.

    Parameters
    ----------
    module : nn.rnn_base.RNNBase
        It names the parameters in `initial_names`.
    layout : Layout
        Of the call.

    Attributes
    ----------
    states : list of Flat
        In the layers' form, each sequence with the same row.

    Raises
    ------
    TypeError, ValueError
        Naming a parameter that was exchanged for one that does not fit.
    """

    __slots__ = ("_parameters", "states")

    def __init__(self, module: Any, layout: Layout) -> None:
        self.states = layout.new_states()
        self._parameters: list[list[Parameter]] = []
        for names, state in zip(module.initial_names, self.states, strict=True):
            found = [
                check_parameter(name, getattr(module, name, None), part.shape[1:], layout.dtype)
                for name, part in zip(names, state, strict=True)
            ]
            for parameter, part in zip(found, state, strict=True):
                part[...] = parameter.numpy()
            self._parameters.append(found)

    def add_gradients(self, dinitial: Sequence[Flat]) -> None:
        """Add what the pullback gives for the initial states to the parameters' gradients."""
        for found, gradients in zip(self._parameters, dinitial, strict=True):
            for parameter, gradient in zip(found, gradients, strict=True):
                with np.errstate(all="ignore"):
                    parameter.add_grad(gradient.sum(axis=0, dtype=np.float64))
