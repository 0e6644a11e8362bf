"""What LSTMCell, GRUCell and RNNCell share: one time step, with torch's parameter names."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from ..checks import dtype as check_dtype
from ..checks import flag, generator, size
from ..parameters.exchanged import check_parameters
from ..parameters.parameter import Parameter
from ..typing import ArrayLike, CellPullback, DTypeLike, Seed
from . import init
from .kernel_weights import weights_of
from .module import Module
from .pullback import once

__all__ = ["RNNCellBase"]


# A state as it is given, as its cotangent is given, and as it is returned.
Given = TypeVar("Given")
Cotangent = TypeVar("Cotangent")
Taken = TypeVar("Taken")


class RNNCellBase(Module, Generic[Given, Cotangent, Taken]):
    """One step; a subclass says of which cell, as one of `RNNBase` does."""

    GATES: int
    STATES: tuple[str, ...] = ("h0",)

    _names = (("weight_ih", "weight_hh", "bias_ih", "bias_hh"),)

    def __init__(
        self,
        input_size: int,
        hidden_size: int,
        bias: bool = True,
        *,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.input_size = size("input_size", input_size)
        self.hidden_size = size("hidden_size", hidden_size)
        # Else RNNCell(I, H, "relu"), which is meant as a nonlinearity, is a tanh cell with biases.
        bias = flag("bias", bias)
        self.dtype = check_dtype(dtype)
        rows = self.GATES * self.hidden_size
        self.weight_ih = Parameter(np.empty((rows, self.input_size), self.dtype))
        self.weight_hh = Parameter(np.empty((rows, self.hidden_size), self.dtype))
        self.bias_ih = Parameter(np.empty(rows, self.dtype)) if bias else None
        self.bias_hh = Parameter(np.empty(rows, self.dtype)) if bias else None
        init.reset_recurrent_(self, self.hidden_size, seed=generator(seed))

    def cell(self) -> Any:
        """Give the `kernels.loops.cell.Cell`, which is imported late, as it needs numba."""
        raise NotImplementedError(f"{type(self).__name__} does not define cell")

    def __call__(self, x: ArrayLike, h: Given | None = None) -> Taken:
        """Take one step and keep nothing.

        Parameters
        ----------
        x : array_like, (B, I) or (I,)
        h : array_like, (B, H) or (H,), optional
            Zeros where not given.

        Returns
        -------
        h : numpy.ndarray, (B, H) or (H,)

        Raises
        ------
        TypeError, ValueError
            Naming x or h0.
        """
        return _call()(self, x, h).infer()

    def vjp(
        self, x: ArrayLike, h: Given | None = None
    ) -> tuple[Taken, CellPullback[Cotangent, Taken]]:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        h
            As from a call.
        pullback : callable (dh) -> dx, dh_prev
            Adds to every parameter's gradient. May be called once.

        Raises
        ------
        TypeError, ValueError
            Naming x or h0; the pullback's name dh.
        """
        call = _call()(self, x, h)
        return call.forward(), once(call.backward)

    def weights(self) -> list[Any]:
        """The cell's `weights.Weights`, in a list of one; anew when a parameter is exchanged.

        Raises
        ------
        TypeError, ValueError
            Naming a parameter that was exchanged for one that does not fit.
        """
        return weights_of(self)

    def settings(self) -> tuple[float, ...]:
        """Give the constants of the cell that are the same for all units: none."""
        return ()

    def _check_parameters(self, found: Sequence[Sequence[Any]]) -> None:
        rows = self.GATES * self.hidden_size
        shapes = (rows, self.input_size), (rows, self.hidden_size), None, None
        check_parameters(dict(zip(self._names[0], found[0])), shapes, self.dtype)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        bias = "" if self.bias_ih is not None else ", bias=False"
        return f"{self.input_size}, {self.hidden_size}{bias}"


@functools.cache
def _call() -> Any:
    """`CellCall`, which imports numba: only the first call of a cell may do that."""
    from ..recurrent.cell_call import CellCall

    return CellCall
