"""Makers of cells: from gates on one vector of units to time loops, forward and backward."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ...simd import PANEL
from ..blocks import strip_of
from .backward import backward_driver
from .backward_step import plain_backward
from .forward import forward_driver
from .forward_step import plain_forward
from .normalised import Groups, normalised_forward
from .normalised_backward import normalised_backward
from .second_product import (
    projected_backward,
    projected_forward,
    reset_before_backward,
    reset_before_forward,
)

PLAIN, RESET_BEFORE, NORMALISED = "plain", "reset before", "normalised"
# Not an input's source, as `forward_step.PROJECTED` is.
H_PROJECTED = "h projected"


class Cell(NamedTuple):
    """A recurrent cell: its time loops, and how its parameters are laid out for them.

    Attributes
    ----------
    name : str
    form : str
        How a step runs. PLAIN: in one phase. H_PROJECTED: h is what the gates give times W_hrᵀ.
        RESET_BEFORE: the last gate reads r ∘ h_prev. NORMALISED: products are layer-normalised.
    gates : int
        Gates whose rows are stacked in the weights: W_ih is (gates·H, I).
    states : int
        2 for a cell with c besides h (an LSTM), 1 for one without.
    carries : bool
        Whether a gradient goes from a state to the one before past z, as f·dc does in an LSTM.
    x_order, h_order : (slots,) int64
        The gate of W_ih and of W_hh in each of a unit's vectors of z, -1 for none; see `pack`.
    bias_order : (slots,) int64
        The same of b_hh, which may reach a vector that W_hh does not reach.
    x_packed, h_packed : (slots,) or (3,) int64
        The orders of the packed weights: those above, or where the windows leave gaps, three of
        them, -1 last.
    x_columns, h_columns : (≤ slots,) int64
        The orders without their -1: the gates whose rows W_ih and W_hh have as operands of dz·W.
    windows : (x_count, h_first, h_count)
        The inputs reach the first x_count of a panel's vectors, the state h_count from h_first on.
    constants : int
        How many numbers the gates read of each unit besides z, the same at every step: rows of
        weights (peepholes, gains), then settings that are the same for all units (a clip).
    weights_gradient : driver, or None
        The gradient of those weights, from what `backward` leaves:
        ``(nt, z, c, fresh, offsets, reverse, keep, out)``, with out (rows of weights, padded H)
        float64.
    groups : normalised.Groups or None
        Which gates a layer-normalised cell normalises together.
    forward, backward : driver
        The time loops.
    """

    name: str
    form: str
    gates: int
    states: int
    carries: bool
    x_order: np.ndarray
    h_order: np.ndarray
    bias_order: np.ndarray
    x_packed: np.ndarray
    h_packed: np.ndarray
    x_columns: np.ndarray
    h_columns: np.ndarray
    windows: tuple[int, int, int]
    constants: int
    weights_gradient: Any
    groups: Groups | None
    forward: Any
    backward: Any

    @property
    def slots(self) -> int:
        """Vectors of z for each vector of units."""
        return self.x_order.size

    @property
    def strip(self) -> int:
        """Vectors beside each other in the packed weights."""
        return strip_of(self.windows)

    def panels(self, hidden: int, v: int) -> int:
        """P, the panels that H units take in vectors of v."""
        return -(-self.slots * -(-hidden // v) // PANEL)

    def padded(self, hidden: int, v: int) -> int:
        """H rounded up to the units of whole panels."""
        return self.panels(hidden, v) * (PANEL // self.slots) * v

    def padded_h(self, size: int, v: int) -> int:
        """Columns of a row of h: `size` rounded up, projected to PANEL·v, else as `padded`."""
        if self.form == H_PROJECTED:
            return -(-size // (PANEL * v)) * PANEL * v
        return self.padded(size, v)


def windows_of(name: str, x_order: list[int], h_order: list[int]) -> tuple[int, int, int]:
    """(x_count, h_first, h_count): which of a panel's vectors the inputs and the state reach.

    Gates may be missing (-1) at the end of `x_order`, and at both ends of `h_order`.

    Raises
    ------
    ValueError
        If one is missing in the middle, or a panel holds several units' vectors.
    """
    if -1 not in x_order and -1 not in h_order:
        return PANEL, 0, PANEL
    x_count, h_count = (sum(gate >= 0 for gate in order) for order in (x_order, h_order))
    h_first = next(at for at, gate in enumerate(h_order) if gate >= 0)
    whole = min([*x_order[:x_count], *h_order[h_first : h_first + h_count]]) >= 0
    if len(x_order) != PANEL or len(h_order) != PANEL or not whole:
        raise ValueError(f"{name}: an order with gaps must fill a panel, and have them at its ends")
    return x_count, h_first, h_count


class Traits(NamedTuple):
    """What a cell tells about itself besides its gates.

    Attributes
    ----------
    x_order, h_order : list of int
        For each of a unit's 4, 2 or 1 vectors of z the gate whose part of W_ih or W_hh it gets; -1
        for none, where `windows_of` allows it.
    bias_order : list of int or None
        The same of b_hh, where it differs from `h_order`.
    states, carries, constants, weights_gradient
        As in `Cell`.
    """

    x_order: list[int]
    h_order: list[int]
    bias_order: list[int] | None = None
    states: int = 1
    carries: bool = False
    constants: int = 0
    weights_gradient: Any = None

    @property
    def slots(self) -> int:
        """Vectors of z for each vector of units."""
        return len(self.x_order)


def make_cell(
    name: str,
    form: str,
    gates: int,
    forward: Any,
    backward: Any,
    traits: Traits,
    groups: Groups | None = None,
    phases: tuple[int, int] = (1, 1),
) -> Cell:
    """Build a cell and its time loops from what they run.

    Parameters
    ----------
    forward, backward : kernel (phase, a, workspace, s, share, tile)
        A phase of a step; see `forward.forward_driver` and `backward.backward_driver`.
    groups : Groups or None
        Of a layer-normalised cell.
    phases : (int, int)
        Of a step forward and backward.
    """
    x_order, h_order, bias_order, states, carries, constants, weights_gradient = traits
    slots, windows = traits.slots, windows_of(name, x_order, h_order)
    of_x, of_h, of_bias = (np.array(o, np.int64) for o in (x_order, h_order, bias_order or h_order))
    packed = (of_x, of_h) if windows[0] == PANEL else (of_x[:3], of_h[windows[1] :])
    return Cell(
        name, form, gates, states, carries, of_x, of_h, of_bias, *packed, of_x[of_x >= 0],
        of_h[of_h >= 0], windows, constants, weights_gradient, groups,
        forward_driver(f"{name}_forward", forward, slots, states, phases[0]),
        backward_driver(f"{name}_backward", backward, slots, windows, phases[1]),
    )  # fmt: skip


def plain_cell(name: str, gates: int, forward: Any, backward: Any, **about: Any) -> Cell:
    """Make a cell of one phase, whose gates need z and the state before, and nothing else.

    Parameters
    ----------
    forward : kernel (z, prev, save, place) -> state, h
        `z` points to the vectors of z of V units; prev, state and h are vectors. With `save`
        it stores at `place` what `backward` needs.
    backward : kernel (place, dh, prev, d_state) -> d_prev
        Overwrites what `forward` stored at `place` by dz. `d_state` is the gradient of the state
        past the gates, and d_prev that of the state before. With `constants` both kernels get one
        more argument: a pointer to as many vectors.
    **about
        `Traits`.
    """
    traits = Traits(**about)
    slots, windows = traits.slots, windows_of(name, traits.x_order, traits.h_order)
    states, constants = traits.states, traits.constants > 0
    return make_cell(
        name, PLAIN, gates,
        plain_forward(forward, slots, states, windows, constants),
        plain_backward(backward, slots, windows, constants), traits,
    )  # fmt: skip


def projected_cell(name: str, gates: int, forward: Any, backward: Any, **about: Any) -> Cell:
    """As `plain_cell`, with c, where h is what the gates give times W_hrᵀ; see `second_product`."""
    traits = Traits(**about)
    slots, windows = traits.slots, windows_of(name, traits.x_order, traits.h_order)
    constants = traits.constants > 0
    return make_cell(
        name, H_PROJECTED, gates,
        projected_forward(forward, slots, windows, constants),
        projected_backward(backward, slots, windows, constants), traits, phases=(2, 2),
    )  # fmt: skip


def reset_before_cell(
    name: str, gates: int, forward: tuple[Any, Any], backward: tuple[Any, Any], **about: Any
) -> Cell:
    """Make a cell without c whose last gate reads r ∘ h_prev; see `second_product`.

    Parameters
    ----------
    forward : kernels (z, prev, save, place) -> r, r and (x, prev, save, place) -> h
        The first gives r. The second gets x, a vector of (r ∘ h_prev)·Wᵀ.
    backward : kernels (place, dh, prev, d_state) -> d_prev and (place, dm, h_prev) -> dh_prev
        The first leaves the last gate's dz in slot 0. The second gets dm, with m = r ∘ h_prev.
    """
    traits = Traits(**about)
    slots, windows = traits.slots, windows_of(name, traits.x_order, traits.h_order)
    return make_cell(
        name, RESET_BEFORE, gates,
        reset_before_forward(*forward, slots, windows),
        reset_before_backward(*backward, slots, windows), traits, phases=(2, 2),
    )  # fmt: skip


def normalised_cell(
    name: str, gates: int, forward: Any, backward: Any, groups: Groups, **about: Any
) -> Cell:
    """Make a cell whose products, and whose c if it has one, are normalised; see `normalised`."""
    traits = Traits(**about)
    slots, windows = traits.slots, windows_of(name, traits.x_order, traits.h_order)
    states, phases = traits.states, (3, 5) if traits.states == 2 else (2, 3)
    return make_cell(
        name, NORMALISED, gates,
        normalised_forward(forward, slots, states, windows, groups),
        normalised_backward(backward, slots, states, windows, groups),
        traits._replace(constants=2 * slots + 2), groups, phases,
    )  # fmt: skip
