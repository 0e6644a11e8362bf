"""The time loop backward: dz overwrites the saved gates in place, step by step from the last.

A step is, for each vector of hidden units and block of rows: start from dy_t, add dz_{t+1}·W_hh on
the microkernel (its accumulators stay in registers over all panels of dz), apply the gates'
derivatives to the finished tile. Afterwards dz feeds `gemm` (dx) and `gemm_transposed` (dW, db).
Threads share rows or vectors, a step has phases, and rows of different lengths stand, as in
`forward`.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import kernel, named_driver, prange
from ...simd import PANEL, at, flush_denormals, lanes, restore_denormals
from ..blocks import first
from .arguments import BackwardArguments, BackwardRows, Share, Turn
from .backward_step import initial_state
from .states import active, any_mask
from .team import failed, gather, wait_for_all

__all__ = ["backward_driver"]


@kernel
def _between(low, high, part, parts, t):
    """The rows of low … high that are a thread's: its own, or a share of them."""
    if t.alone:
        return max(low, min(high, t.shares[part])), max(low, min(high, t.shares[part + 1]))
    return low + first(part, parts, high - low), low + first(part + 1, parts, high - low)


def backward_driver(name: str, run: Any, slots: int, windows: tuple, phases: int = 1) -> Any:
    """The time loop backward of one cell.

    Parameters
    ----------
    name : str
        Of the driver, and so of its entry in the compile cache.
    run : kernel (phase, a, workspace, s, share, tile)
        A thread's share (`Share`, of vectors instead of panels) of one phase of the step at s
        (`Stage`) in the layer a (`Back`), `workspace` the cell's arrays. See `arguments`.
    slots, phases : int
        As for `forward.forward_driver`.
    windows : (x_count, h_first, h_count)
        As in `cell.Cell`.
    """
    start = initial_state(windows)

    @kernel
    def work(a, workspace, t, q, met, tile):
        """A thread's part of the steps and phases that `t` says."""
        steps = t.offsets.size - 1
        rows, row, column = t.nt // t.columns, q // t.columns, q % t.columns
        vectors, h_vectors = a.z.shape[0] * (PANEL // slots), a.dh.shape[1] // lanes(tile)
        v0, v1 = first(column, t.columns, vectors), first(column + 1, t.columns, vectors)
        h0, h1 = first(column, t.columns, h_vectors), first(column + 1, t.columns, h_vectors)
        waits = t.nt
        for step in range(t.s0, t.s1):
            now = step if t.reverse else steps - 1 - step
            later = now - 1 if t.reverse else now + 1
            n, n_after = active(t.offsets, now), active(t.offsets, later)
            row0 = t.offsets[now] if step < steps else 0
            after = t.offsets[later] if step > 0 else 0
            for phase in range(t.f0, t.f1):
                # Rows whose first step was the one after this one are done.
                if phase == 0:
                    r0, r1 = _between(min(n, n_after), n_after, row, rows, t)
                    share = Share(r0, r1, v0, v1, h0, h1, column, t.columns)
                    start(
                        a,
                        workspace,
                        BackwardRows(row0, after, t.offsets[steps], False),
                        share,
                        tile,
                    )
                for part in range(2 if step < steps else 0):
                    # Rows that go on, and those whose last step this is.
                    low = 0 if part == 0 else min(n, n_after)
                    high = min(n, n_after) if part == 0 else n
                    r0, r1 = _between(low, high, row, rows, t)
                    share = Share(r0, r1, v0, v1, h0, h1, column, t.columns)
                    s = BackwardRows(row0, after, t.offsets[steps], part == 1)
                    run(phase, a, workspace, s, share, tile)
                if t.team:
                    waits += t.nt
                    wait_for_all(met, waits)

    @named_driver(name)
    def backward(
        nt, columns, team, reverse, begin, end, offsets, shares, has_dy, dy, y_column, w_hh, z, dz,
        u, h_column, gate_state, dh, d_gate_state, size, hidden, masks, carry, dcells, workspace,
        constants,
    ):  # fmt: skip
        tiles = np.empty((nt, 32 * PANEL * lanes(z)), z.dtype)
        keep, drop, zone_h, zone_c, _ = masks
        masked = any_mask(keep, drop, zone_h, zone_c)
        a = BackwardArguments(
            has_dy, dy, y_column, w_hh, z, dz, u, h_column, gate_state, dh, d_gate_state, size,
            hidden, masked, keep, drop, zone_h, zone_c, carry, dcells, constants,
        )  # fmt: skip
        alone = columns == 1
        stop = end + (end == offsets.size - 1)
        counter, met_all = np.zeros(1, np.int64), team
        turns, turn = 1 if alone or team else (stop - begin) * phases, 0
        while turn < turns:
            for q in prange(nt):
                mode = flush_denormals()
                met = at(counter, (0,))
                s0, f0 = begin + turn // phases, turn % phases
                s1, f1 = s0 + 1, f0 + 1
                if alone:
                    s0, s1, f1 = begin, stop, phases
                elif team:
                    s0, s1, f1 = begin, stop if gather(met, nt) else begin, phases
                t = Turn(nt, columns, alone, team, reverse, offsets, shares, s0, s1, f0, f1)
                work(a, workspace, t, q, met, at(tiles, (q, 0)))
                restore_denormals(mode)
            turn += 1
            if team and failed(at(counter, (0,))):
                met_all = False
                team, turn, turns = False, 0, (stop - begin) * phases
        return met_all

    backward.__doc__ = DOCUMENTATION
    return backward


DOCUMENTATION = """Back through time: z holds what forward saved on entry and dz on return.

    Parameters
    ----------
    columns : int
        Threads share the batch in nt / columns parts and the units in `columns` parts.
    team : bool
        As for forward.
    begin, end : int
        Which steps, counted from the sequence's last (0) to its first (T - 1). A call from 0 to T
        and calls that follow each other give the same.
    offsets, shares, own, constants
        As for forward.
    has_dy : bool
        False where nothing but dhn and dcn arrives.
    dy : (N, ≥ y_column + H)
    size, hidden : int
        Of h, which may be projected, and H.
    w_hh : (ceil(P/PANEL), rows, PANEL·V)
        Packed by `pack.pack_columns`: a row for each item of dz that the state reaches.
    z : (P, ≥ N, PANEL·V)
    dz : as z
        What W_hh is multiplied by: z itself, or an array of the cell's own.
    u, c : (N + B, …)
        As forward saved them; h stands from `h_column` on.
    dh, dc : (B, padded H)
        dhn and dcn on entry, their padding zero; dh0 and dc0 when step T - 1 is done. dc is what
        reaches the state past the gates: a GRU's starts at zero and is to be added to dh0 in the
        end; of no columns for a cell without.
    masks : arguments.Masks
    carry : (B, padded size of h), zeros on entry, or of no columns
        With zoneout of h: what reaches h past the cell, to be added to dh0 in the end.
    dcells : (N, padded H), or of no rows
        What reaches the state after each step from outside; of a cell with dc only.
    """
