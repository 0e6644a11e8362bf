"""The time loop backward: dz overwrites what forward saved, step by step from the last.

In NumPy, for a plain cell (see `reference.recurrent.recurrent_backward`):

    for t in reversed(range(T)):
        dh = dy[t] + dz[t + 1] @ W_hh
        dz[t], d_state = gates_backward(saved[t], dh, d_state)

A step does this for some vectors of hidden units and a block of rows at a time: it puts dy_t into a
tile, adds dz_{t+1}·W_hh with the microkernel, whose accumulators stay in registers over all panels
of dz, and applies the gates' derivatives to the tile. Afterwards `gemm` makes dx of dz, and
`gemm_transposed` the gradients of weights and biases. Threads, phases, turns, and rows of different
lengths are as in `forward`; threads share vectors of units instead of panels.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ...jit import kernel, named_driver
from ...simd import PANEL, at, lanes
from ..blocks import TILE, first
from ..scratch import APART, scratch_rows
from .arguments import BackwardArguments, BackwardRows, Share
from .backward_step import initial_gradient
from .states import any_mask, rows_in_step
from .team import fetch_rows, wait_for_all
from .turns import finer_shares, taking_turns

__all__ = ["backward_driver"]


@kernel
def _between(low, high, part, parts, t):
    """Which rows of low … high a thread runs: those that are its own if `alone`, else a part."""
    if t.alone:
        return max(low, min(high, t.shares[part])), max(low, min(high, t.shares[part + 1]))
    return low + first(part, parts, high - low), low + first(part + 1, parts, high - low)


def _thread_part(run: Any, slots: int, windows: tuple) -> Any:
    """A kernel: what thread q runs of a turn, step after step."""
    start = initial_gradient(windows)

    @kernel
    def thread_part(given, t, q, counter, tile):
        a, workspace = given
        steps = t.offsets.size - 1
        rows, row, column = t.nt // t.columns, q // t.columns, q % t.columns
        vectors, h_vectors = a.z.shape[0] * (PANEL // slots), a.dh.shape[1] // lanes(tile)
        v0, v1 = first(column, t.columns, vectors), first(column + 1, t.columns, vectors)
        h0, h1 = first(column, t.columns, h_vectors), first(column + 1, t.columns, h_vectors)
        waits = t.nt
        for step in range(t.s0, t.s1):
            now = step if t.reverse else steps - 1 - step
            later = now - 1 if t.reverse else now + 1
            n, n_after = rows_in_step(t.offsets, now), rows_in_step(t.offsets, later)
            row0 = t.offsets[now] if step < steps else 0
            after, end = t.offsets[later] if step > 0 else 0, t.offsets[steps]
            for phase in range(t.f0, t.f1):
                if phase == 0:
                    # Rows whose first step was `later`: only dh0 is left to do.
                    r0, r1 = _between(min(n, n_after), n_after, row, rows, t)
                    share = Share(r0, r1, v0, v1, h0, h1, column, t.columns)
                    start(a, workspace, BackwardRows(row0, after, end, False), share, tile)
                for part in range(2 if step < steps else 0):
                    # First the rows that ran `later`, too; then those whose last step this is.
                    low = 0 if part == 0 else min(n, n_after)
                    high = min(n, n_after) if part == 0 else n
                    r0, r1 = _between(low, high, row, rows, t)
                    share = Share(r0, r1, v0, v1, h0, h1, column, t.columns)
                    s = BackwardRows(row0, after, end, part == 1)
                    run(phase, a, workspace, s, share, tile)
                if t.team:
                    waits += t.nt
                    wait_for_all(counter, waits)
            if t.team and rows == 1 and step < steps:
                # What `_recurrent_part` of the next step reads.
                segments, width = a.dz.shape[0], a.dz.shape[2]
                dz = at(a.dz, (0, row0, windows[1] * lanes(tile)))
                items = windows[2] * lanes(tile)
                fetch_rows(dz, n, width, segments, a.dz.shape[1] * width, items, a.dz.itemsize)

    return thread_part


def backward_driver(name: str, run: Any, slots: int, windows: tuple, phases: int = 1) -> Any:
    """Make the time loop backward of one cell.

    Parameters
    ----------
    name : str
        The driver's, under which the compile cache keeps it.
    run : kernel (phase, a, workspace, s, share, tile)
        Runs one phase of a step for one thread: a `BackwardArguments`, the cell's workspace, where
        the step's rows stand (`BackwardRows`), the thread's part (`Share`, of vectors instead of
        panels), and a tile of TILE panels of scratch.
    slots, phases : int
        As for `forward.forward_driver`.
    windows : (x_count, h_first, h_count)
        As in `cell.Cell`.
    """
    take_turns = taking_turns(_thread_part(run, slots, windows), phases)

    @named_driver(name)
    def backward(
        crew, nt, columns, team, reverse, begin, end, offsets, shares, has_dy, dy, y_column, w_hh,
        z, dz, u, h_column, gate_state, dh, d_gate_state, size, hidden, masks, carry, dcells,
        workspace, constants,
    ):  # fmt: skip
        """Go back through time: z holds what forward saved on entry, and dz on return.

        Letters and dtypes are those of `arguments`.

        Parameters
        ----------
        nt : int
            Threads.
        columns : int
            Threads share the batch in nt / columns parts and the units in `columns` parts.
        team : bool
            As for `forward`.
        reverse : bool
            As forward ran.
        begin, end : int
            Which steps, counted from the last that ran forward (0) to the first (T - 1). A call
            from 0 to T gives the same as several calls one after the other.
        offsets : (T + 1,) int64
        shares : (nt / columns + 1,) int64
            Both as for `forward`.
        has_dy : bool
            Whether dy is read; it is zero otherwise.
        dy : (N, ≥ y_column + S)
        y_column : int
            Where this direction's columns of dy begin.
        w_hh : (strips of h, rows, strip·V)
            W_hh packed by `pack.pack_columns`: a row for each item of dz that the state reaches.
        z : (P, ≥ N, PANEL·V), overwritten
        dz : (P, ≥ N, PANEL·V)
            What is multiplied by W_hh: z, or the workspace's `zh` of a layer-normalised cell.
        u : (N + B, h_column + padded S)
        h_column : int
        gate_state : (N + B, padded H), or of no columns
            u and gate_state as forward saved them.
        dh : (B, padded S), overwritten
            dhn on entry, its padding zero. What h0 gets through the products when step T - 1 is
            done.
        d_gate_state : (B, padded H), overwritten; of no columns for a cell that has no such path
            What reaches the state past the gates. On entry dcn, its padding zero, or zeros for a
            cell without c. Then dc0, or for a cell without c a part of dh0.
        size, hidden : int
            S and H.
        masks : arguments.Masks
        carry : (B, padded S), zeros on entry, overwritten; of no columns without zoneout of h
            What reaches h past the cell. In the end a part of dh0.
        dcells : (N, padded H), or of no rows
            What reaches c_t from outside, except through y.
        workspace : arguments.SecondBack, arguments.NormBack or None
        constants : (vectors of units, numbers·V), or of no rows
            As for `forward`.

        Returns
        -------
        bool
            Whether a team ran. False where `team` was False or did not come together.
        """
        keep, drop, zone_h, zone_c, _ = masks
        masked = any_mask(keep, drop, zone_h, zone_c)
        a = BackwardArguments(
            has_dy, dy, y_column, w_hh, z, dz, u, h_column, gate_state, dh, d_gate_state, size,
            hidden, masked, keep, drop, zone_h, zone_c, carry, dcells, constants,
        )  # fmt: skip
        cut, shares = finer_shares(crew, nt, columns, shares)
        tiles = scratch_rows(nt * cut, TILE * PANEL * lanes(z) + APART, z)
        counters = np.zeros(2, np.int64)
        stop = end + (end == offsets.size - 1)  # a step more, for dh0 of the rows of the first one
        return take_turns(
            crew, nt, cut, columns, team, reverse, offsets, shares, begin, stop, counters, tiles,
            (a, workspace),
        )  # fmt: skip

    return backward
