"""What makes a cell: its gates, forward and backward, and where they stand in a panel."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ..simd import PANEL
from .backward import backward_driver
from .forward import forward_driver


class Cell(NamedTuple):
    """A recurrent cell, as layers see it.

    Attributes
    ----------
    name : str
    gates : int
        Gates that are stacked in the rows of the weights: W_ih is (gates·H, I).
    states : int
        2 where there is a state besides h (an LSTM's c), 1 where h is all.
    carries : bool
        Whether a gradient goes from state to state past the gates.
    x_order, h_order : (slots,) int64
        The gate in each vector of a unit, of W_ih and of W_hh, in `pack.pack_rows`'s sense.
    windows : (x_count, h_first, h_count)
        Which of a panel's PANEL vectors the inputs and the state reach.
    projects : bool
        Whether h is what the gates give times W_hrᵀ.
    constants : int
        How many numbers each unit has of its own, the same at every step, that the gates read:
        rows of weights, and then settings that are the same for all units.
    weights_gradient : driver, or None
        The gradient of those weights, from what `backward` leaves:
        ``(nt, z, c, offsets, reverse, keep, out)``, `out` (rows of weights, padded H) of float64.
    forward, backward : driver
        The time loops.
    """

    name: str
    gates: int
    states: int
    carries: bool
    x_order: np.ndarray
    h_order: np.ndarray
    windows: tuple[int, int, int]
    projects: bool
    constants: int
    weights_gradient: Any
    forward: Any
    backward: Any

    @property
    def slots(self) -> int:
        """Vectors of z for each vector of units."""
        return self.x_order.size

    def panels(self, hidden: int, v: int) -> int:
        """P, for H units in vectors of v."""
        return -(-self.slots * -(-hidden // v) // PANEL)

    def padded(self, hidden: int, v: int) -> int:
        """H with the units of padding."""
        return self.panels(hidden, v) * (PANEL // self.slots) * v

    def padded_h(self, size: int, v: int) -> int:
        """How many columns h of `size` items takes: H and its units of padding, or whole panels."""
        return -(-size // (PANEL * v)) * PANEL * v if self.projects else self.padded(size, v)

    @property
    def x_columns(self) -> np.ndarray:
        """The gates that W_ih's rows belong to as the operand of dz·W_ih."""
        return self.x_order[self.x_order >= 0]

    @property
    def h_columns(self) -> np.ndarray:
        """The same of W_hh."""
        return self.h_order[self.h_order >= 0]


def make_cell(
    name: str,
    gates: int,
    forward: Any,
    backward: Any,
    *,
    x_order: list[int],
    h_order: list[int],
    states: int = 1,
    carries: bool = False,
    projects: bool = False,
    constants: int = 0,
    weights_gradient: Any = None,
) -> Cell:
    """Build a cell and its time loops from its gates' two kernels.

    Parameters
    ----------
    forward : kernel (z, prev, save, place) -> state, h
    backward : kernel (place, dh, prev, state, d_state) -> d_prev
        With `constants` both take one more argument: a pointer to as many vectors.
    x_order, h_order : list of int
        For each of a unit's vectors (4, 2 or 1) the gate whose input or state part it gets; -1 for
        none, which may stand at the end of `x_order` and at the start of `h_order`.
    """
    slots = len(x_order)
    windows = (PANEL, 0, PANEL)
    if -1 in x_order or -1 in h_order:
        if slots != PANEL:
            raise ValueError(f"{name}: an order with gaps must fill a panel")
        h_first = sum(gate < 0 for gate in h_order)
        windows = (sum(gate >= 0 for gate in x_order), h_first, PANEL - h_first)
    return Cell(
        name, gates, states, carries, np.array(x_order, np.int64), np.array(h_order, np.int64),
        windows, projects, constants, weights_gradient,
        forward_driver(f"{name}_forward", forward, slots, states, windows, projects, constants > 0),
        backward_driver(f"{name}_backward", backward, slots, windows, projects, constants > 0),
    )  # fmt: skip
