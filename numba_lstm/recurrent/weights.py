"""The parameters of one direction of one recurrent layer, and the sizes that follow from them."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..kernels.loops.cell import Cell
from ..parameters.parameter import Parameter
from ..simd import PANEL, TARGET

__all__ = ["Operands", "Weights", "no_items"]

_NO_ITEMS = {np.dtype(t): np.empty((0, 0), t) for t in (np.float32, np.float64)}


def no_items(dtype: np.dtype) -> np.ndarray:
    """Give the array (0, 0) that stands for an absent array where kernels expect one."""
    return _NO_ITEMS[dtype]


class Operands(NamedTuple):
    """What the kernels read of the parameters, made when `parameter.epoch` was `epoch`."""

    epoch: int
    weights: np.ndarray
    bias: np.ndarray
    constants: np.ndarray


class Weights:
    """The parameters of one direction, the sizes that follow from them, and plans already made.

    Attributes
    ----------
    cell : Cell
        Of G gates.
    w_ih, w_hh : Parameter, (G·H, I) and (G·H, size)
    b_ih, b_hh : Parameter, (G·H,), or None
    w_hr : Parameter, (size, H), or None
    w_unit : Parameter, (k·H,), or None
        Weights of a cell with constants, which come before its settings.
    ln_ih, ln_hh, ln_c, b_ln_c : Parameter, (G·H,), (G·H,), (H,), (H,), or None
        Gains, and the last one the bias, of a cell that is layer-normalised.
    settings : tuple of float
        Constants of a cell that are the same for all units.
    inputs, hidden, size : int
        I, H, and the size of h: H where it is not projected.
    lanes, panels : int
        V, and the P panels that hold the units.
    padded, padded_h : int
        H with the units of padding, and the columns that h takes.
    plans : dict
        How to run, by shape.
    operands : Operands or None
    """

    __slots__ = (
        "b_hh",
        "b_ih",
        "b_ln_c",
        "cell",
        "hidden",
        "inputs",
        "lanes",
        "ln_c",
        "ln_hh",
        "ln_ih",
        "operands",
        "padded",
        "padded_h",
        "panels",
        "plans",
        "settings",
        "size",
        "w_hh",
        "w_hr",
        "w_ih",
        "w_unit",
    )

    def __init__(
        self,
        cell: Cell,
        w_ih: Parameter,
        w_hh: Parameter,
        b_ih: Parameter | None = None,
        b_hh: Parameter | None = None,
        w_hr: Parameter | None = None,
        w_unit: Parameter | None = None,
        ln_ih: Parameter | None = None,
        ln_hh: Parameter | None = None,
        ln_c: Parameter | None = None,
        b_ln_c: Parameter | None = None,
        *,
        settings: tuple[float, ...] = (),
    ) -> None:
        self.cell, self.w_hr, self.w_unit, self.settings = cell, w_hr, w_unit, settings
        self.w_ih, self.w_hh, self.b_ih, self.b_hh = w_ih, w_hh, b_ih, b_hh
        self.ln_ih, self.ln_hh, self.ln_c, self.b_ln_c = ln_ih, ln_hh, ln_c, b_ln_c
        self.inputs = w_ih.shape[1]
        self.hidden = w_hh.shape[0] // cell.gates
        self.lanes = TARGET.lanes(w_hh.dtype.itemsize)
        self.panels = cell.panels(self.hidden, self.lanes)
        self.size = w_hh.shape[1]
        self.padded = cell.padded(self.hidden, self.lanes)
        self.padded_h = cell.padded_h(self.size, self.lanes)
        self.plans: dict[Any, Any] = {}
        self.operands: Operands | None = None

    def parameters(self) -> tuple[Parameter | None, ...]:
        """All, in the order in which they are given."""
        return (
            self.w_ih, self.w_hh, self.b_ih, self.b_hh, self.w_hr, self.w_unit,
            self.ln_ih, self.ln_hh, self.ln_c, self.b_ln_c,
        )  # fmt: skip

    def keep_plan(self, key: Any, plan: Any) -> None:
        """Keep how to run a shape; of many shapes only the last ones."""
        if len(self.plans) >= 64:
            self.plans.clear()
        self.plans[key] = plan

    @property
    def last_gate(self) -> int:
        """Where the last gate's rows begin."""
        return self.hidden * (self.cell.gates - 1)

    def with_w_hh(self, w_hh: Parameter) -> Weights:
        """Give the same with other recurrent weights."""
        _, _, *others = self.parameters()
        return Weights(self.cell, self.w_ih, w_hh, *others, settings=self.settings)

    def step_flops(self, rows: int, inputs: int) -> float:
        """Of the products with so many rows of so many inputs and of h."""
        return 2.0 * rows * self.panels * PANEL * self.lanes * (self.size + inputs)
