"""The parameters of one direction of one recurrent layer, and the sizes that follow from them."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from ..kernels import pack
from ..kernels.blocks import strips_of_panel
from ..kernels.loops.cell import Cell
from ..parameters.parameter import Parameter
from ..simd import PANEL, TARGET

__all__ = ["DirectionParameters", "Operands", "Weights", "no_items"]

_NO_ITEMS = {np.dtype(t): np.empty((0, 0), t) for t in (np.float32, np.float64)}


def no_items(dtype: np.dtype) -> np.ndarray:
    """Give the array (0, 0) that stands for an absent array where kernels expect one."""
    return _NO_ITEMS[dtype]


class DirectionParameters(NamedTuple):
    """The parameters of one direction, None for those that a cell does not have.

    Attributes
    ----------
    w_ih, w_hh : Parameter, (G·H, I) and (G·H, size of h)
        G gates.
    b_ih, b_hh : Parameter, (G·H,)
    w_hr : Parameter, (size of h, H)
        The projection of an LSTM with `proj_size`.
    w_unit : Parameter, (k·H,)
        Peepholes: k weights of each unit.
    ln_ih, ln_hh, ln_c, b_ln_c : Parameter, (G·H,), (G·H,), (H,), (H,)
        Of a layer-normalised cell: gains, and the bias of c.
    """

    w_ih: Parameter
    w_hh: Parameter
    b_ih: Parameter | None = None
    b_hh: Parameter | None = None
    w_hr: Parameter | None = None
    w_unit: Parameter | None = None
    ln_ih: Parameter | None = None
    ln_hh: Parameter | None = None
    ln_c: Parameter | None = None
    b_ln_c: Parameter | None = None


class Operands(NamedTuple):
    """What the kernels read of the parameters.

    Attributes
    ----------
    epoch : int
        `epochs.epoch` when they were made.
    weights : (strips, I + size of h, strip·V)
        W_ih above W_hh, packed.
    bias : (P, PANEL·V)
        b_ih + b_hh in the order of the packed rows.
    constants : (vectors of units, numbers·V), or empty
        What the cell's gates read of each unit beside z.
    """

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
    parameters : DirectionParameters
        Each of them is an attribute of its own, too.
    present : tuple of Parameter
        Those that are not None.
    settings : tuple of float
        Constants of a cell that are the same for all units.
    inputs, hidden, size : int
        I, H, and the size of h: H where it is not projected.
    lanes, panels : int
        V, and the P panels that hold the units.
    padded, padded_h : int
        H with the units of padding, and the columns that h takes.
    row_items : int
        Items of a packed row of all units: what one row of W_ih or W_hh takes.
    plans : dict
        How to run, by shape; see `plan`.
    operands : Operands or None
        The last ones made; they hold as long as `epochs.epoch` is theirs.
    columns_ih, columns_hh : (int, numpy.ndarray) or None
        The last ones that `operands` made for dz·W, and `epochs.epoch` at that time.
    bias_places : (numpy.ndarray, numpy.ndarray)
        Where each item of b_ih and of b_hh stands in a packed row of all units, (G·H,) each. Where
        they stand at the same places it is the same array twice.
    no_gates : (1, 1, 1)
        What stands for the saved gates where a driver saves none and does not look at them.
    """

    __slots__ = (
        *DirectionParameters._fields,
        "bias_places",
        "cell",
        "columns_hh",
        "columns_ih",
        "hidden",
        "inputs",
        "lanes",
        "no_gates",
        "operands",
        "padded",
        "padded_h",
        "panels",
        "parameters",
        "plans",
        "present",
        "row_items",
        "settings",
        "size",
    )

    w_ih: Parameter
    w_hh: Parameter
    b_ih: Parameter | None
    b_hh: Parameter | None
    w_hr: Parameter | None
    w_unit: Parameter | None
    ln_ih: Parameter | None
    ln_hh: Parameter | None
    ln_c: Parameter | None
    b_ln_c: Parameter | None

    def __init__(
        self, cell: Cell, parameters: DirectionParameters, settings: tuple[float, ...] = ()
    ) -> None:
        self.cell, self.parameters, self.settings = cell, parameters, settings
        for name, parameter in zip(DirectionParameters._fields, parameters):
            setattr(self, name, parameter)
        self.present = tuple(p for p in parameters if p is not None)
        w_ih, w_hh = parameters[:2]
        self.inputs = w_ih.shape[1]
        self.hidden = w_hh.shape[0] // cell.gates
        self.lanes = TARGET.lanes(w_hh.dtype.itemsize)
        self.panels = cell.panels(self.hidden, self.lanes)
        self.size = w_hh.shape[1]
        self.padded = cell.padded(self.hidden, self.lanes)
        self.padded_h = cell.padded_h(self.size, self.lanes)
        self.row_items = self.panels * strips_of_panel(cell.strip) * cell.strip * self.lanes
        self.plans: dict[Any, Any] = {}
        self.operands: Operands | None = None
        self.columns_ih: tuple[int, np.ndarray] | None = None
        self.columns_hh: tuple[int, np.ndarray] | None = None
        self.bias_places = tuple(
            _bias_places(cell.gates, self.hidden, tuple(order.tolist()), self.lanes)
            for order in (cell.x_order, cell.bias_order)
        )
        self.no_gates = np.empty((1, 1, 1), w_hh.dtype)

    def keep_plan(self, key: Any, plan: Any) -> None:
        """Keep how to run a shape; of many shapes only the last ones."""
        if len(self.plans) >= 64:
            self.plans.clear()
        self.plans[key] = plan

    @property
    def last_gate(self) -> int:
        """The row of W_ih and W_hh in which the last gate begins."""
        return self.hidden * (self.cell.gates - 1)

    def with_w_hh(self, w_hh: Parameter) -> Weights:
        """Give the same with other recurrent weights; plans follow from sizes and are shared."""
        found = Weights(self.cell, self.parameters._replace(w_hh=w_hh), self.settings)
        found.plans = self.plans
        return found

    def step_flops(self, rows: int, inputs: int) -> float:
        """Operations of the products of so many rows, of `inputs` columns of x and of h."""
        return 2.0 * rows * self.row_items * (self.size + inputs)


@lru_cache(maxsize=128)
def _bias_places(gates: int, hidden: int, order: tuple[int, ...], v: int) -> np.ndarray:
    """What `pack.unpack_bias` makes of the places themselves."""
    panels = -(-pack.vectors(len(order), hidden, v) // PANEL)
    places = np.arange(panels * PANEL * v)
    return pack.unpack_bias(places, gates, hidden, np.array(order, np.int64), v)
