"""The named tuples that a time loop hands to its steps: what they read, write, and which part.

Drivers take flat arguments, because numba encodes a tuple's fields anew at every call from Python,
and build these tuples inside. The comments use these letters:

    T, B    steps, rows of the batch             N    rows of all steps together, n_0 + n_1 + …
    I, H    inputs, hidden units                 S    the size of h: H, or less where h is projected
    V       items of a vector                    P    panels, of PANEL vectors each
    padded  rounded up to the units of whole panels

Arrays are C-contiguous and of the layer's dtype, float32 or float64, unless another stands there.
An array that does not apply has no rows, or no columns where the comment says so.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

__all__ = [
    "BackwardArguments",
    "BackwardRows",
    "ForwardArguments",
    "ForwardRows",
    "Masks",
    "Norm",
    "NormBack",
    "Second",
    "SecondBack",
    "Share",
    "Turn",
]


# --- what a pass works on ---------------------------------------------------------------------


class Masks(NamedTuple):
    """What states are multiplied by or mixed with: resets, dropout of h, zoneout.

    Zoneout keeps a part k of the old state: s_t = k·s_{t-1} + (1 - k)·(the cell's s_t).
    """

    keep: np.ndarray  # (N,): 0 where a row's states are reset to zero before its step, else 1
    drop: np.ndarray  # (B, padded S): factors of h_{t-1} in its product, the same at every step
    zone_h: np.ndarray  # (N, S), or (1, S) for all steps the same: k of h
    # (N, H) or (1, H): k of c. Going back, of a cell whose only state is h: `zone_h` once more.
    zone_c: np.ndarray
    # (N, padded H), or of no columns; written forward. c_t as the gates gave it, before zoneout,
    # for cells whose `weights_gradient` needs it.
    fresh: np.ndarray


class ForwardArguments(NamedTuple):
    """What a forward pass reads and writes: arguments of `forward`'s driver, under their names."""

    source: int  # FUSED, PROJECTED or TOKENS: where the input's part of z comes from
    save: bool  # whether what `backward` needs is kept
    inputs: int  # I
    size: int  # S
    hidden: int  # H
    h_column: int  # where h begins in a row of u: behind x_t with FUSED, else 0
    h_width: int  # its columns there: padded S
    x: np.ndarray  # (N, I): the inputs; not read with PROJECTED and TOKENS
    w: np.ndarray  # (P, I + S, PANEL·V): packed W_ih above W_hh
    bias: np.ndarray  # (P, PANEL·V): packed b_ih + b_hh
    input_part: np.ndarray  # (P, rows or vocabulary, PANEL·V): x·W_ihᵀ + bias, by row or by token
    z: np.ndarray  # (P, ≥ N, PANEL·V): written with `save`: what the gates leave for `backward`
    tokens: np.ndarray  # (N,) int64: the row of `input_part`, with TOKENS
    has_initial: bool  # whether h0 and c0 are read; they are zero otherwise
    h0: np.ndarray  # (B, S)
    c0: np.ndarray  # (B, H)
    u: np.ndarray  # (N + B, ≥ h_column + padded S): [x_t,] h_{t-1} as the product reads it; written
    gate_state: np.ndarray  # (N + B, padded H) or no columns: c_{t-1}, or h_{t-1}; written
    y: np.ndarray  # (N, ≥ y_column + S): h_t; written
    y_column: int  # where h_t begins in a row of y
    constants: np.ndarray  # (vectors of units, numbers·V): what gates read of their units beside z
    masked: bool  # whether any of the masks that follow is there
    keep: np.ndarray  # this and the rest as in `Masks`
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    fresh: np.ndarray


class BackwardArguments(NamedTuple):
    """What a backward pass reads and writes: arguments of `backward`'s driver, by their names."""

    has_dy: bool  # whether dy is read; it is zero otherwise
    dy: np.ndarray  # (N, ≥ y_column + S)
    y_column: int  # where dh begins in a row of dy
    w_hh: np.ndarray  # (panels of h, rows, PANEL·V): W_hh packed by `pack_columns`
    z: np.ndarray  # (P, ≥ N, PANEL·V): what forward left; overwritten by dz
    dz: np.ndarray  # (P, ≥ N, PANEL·V): what is multiplied by W_hh: z, or `NormBack.zh`
    u: np.ndarray  # (N + B, …), as forward saved it
    h_column: int  # where h begins in a row of u
    gate_state: np.ndarray  # (N + B, padded H) or no columns, as forward saved it
    dh: np.ndarray  # (B, padded S): dhn before, the recurrent part of dh0 after
    d_gate_state: np.ndarray  # (B, padded H) or no columns: what reaches it past the gates
    size: int  # S
    hidden: int  # H
    masked: bool  # whether any of the four masks that follow is there
    keep: np.ndarray  # these four as in `Masks`
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    carry: np.ndarray  # (B, padded S) or no columns: with zoneout of h, what reaches h_t past z
    dcells: np.ndarray  # (N, padded H) or no rows: what reaches c_t from outside, except through y
    constants: np.ndarray  # as in `ForwardArguments`


# --- which part of it -------------------------------------------------------------------------


class Turn(NamedTuple):
    """What one thread runs until all have finished: steps s0 … s1, of each phases f0 … f1.

    Steps are counted in the order in which they run. See `turns`.
    """

    nt: int  # threads, or pieces of their rows; see `turns.finer_shares`
    columns: int  # parts of the panels; nt / columns threads have parts of the rows
    alone: bool  # columns = 1: no thread reads what another one writes
    team: bool  # whether threads wait for each other within the turn; see `team`
    reverse: bool  # whether step 0 to run is the sequence's last
    offsets: np.ndarray  # (T + 1,) int64: step t has rows offsets[t] … offsets[t + 1]
    shares: np.ndarray  # (nt / columns + 1,) int64: with `alone`, bounds of their rows
    s0: int
    s1: int
    f0: int
    f1: int


class Share(NamedTuple):
    """A thread's part of one step.

    `columns` threads have the same rows and each its part of the panels; this one is number
    `column` among them. Going back, p and h count vectors instead of panels.
    """

    r0: int  # rows r0 … r1 of the step
    r1: int
    p0: int  # panels p0 … p1 of z
    p1: int
    h0: int  # panels h0 … h1 of h
    h1: int
    column: int
    columns: int


class ForwardRows(NamedTuple):
    """Where row r of a step stands, going forward."""

    row0: int  # in x, y, tokens, keep, zone_h, zone_c and fresh: row0 + r
    before: int  # its states before the step, in u and gate_state: before + r
    after: int  # its new states go to after + r if it has a next step (r < n_next),
    end: int  # else to end + r
    next_row: int  # its row of keep at its next step: next_row + r
    n_next: int  # rows of the next step
    z_row: int  # in z: z_row + r
    workspace_row: int  # in the arrays of the workspace: workspace_row + r
    prev_row: int  # h_{t-1} in y: prev_row + r, if the step before had the row (r < n_prev)
    n_prev: int  # rows of the step before


class BackwardRows(NamedTuple):
    """Where row r of a step stands, going back."""

    row0: int  # in x, y and all that was saved: row0 + r
    after: int  # the step after it, as forward ran: after + r
    end: int  # where its last state stands: end + r
    last: bool  # whether this is the last step of all rows that are looked at


# --- workspaces: arrays of a cell whose step has several phases ------------------------------


class Second(NamedTuple):
    """The workspace of a cell with a second product, forward; see `second_product`."""

    w: np.ndarray  # (panels of h, H, PANEL·V): W₂ packed by `pack.pack_rows`
    zeros: np.ndarray  # (PANEL·V,)
    m: np.ndarray  # (N, padded H), of B rows in inference: what W₂ multiplies; written


class SecondBack(NamedTuple):
    """The same, backward."""

    w: np.ndarray  # (panels of m, rows, PANEL·V): W₂ packed by `pack.pack_columns`
    zeros: np.ndarray  # (32·V,)
    dh: np.ndarray  # (N, padded S): dh_t of a projected cell, else no rows; written


class Norm(NamedTuple):
    """The workspace of a layer-normalised cell, forward; rows: N, or B in inference. Written."""

    zx: np.ndarray  # (P, rows, PANEL·V): x_t·W_ihᵀ
    zh: np.ndarray  # (P, rows, PANEL·V): h_{t-1}·W_hhᵀ
    # (rows, 2·(groups + 1)): mean and 1/√(var + ε) of each group of zx, of each of zh, and of c.
    moments: np.ndarray
    c: np.ndarray  # (rows, padded H): c_t as the gates gave it; no rows for a cell without c
    zeros: np.ndarray  # (PANEL·V,); read


class NormBack(NamedTuple):
    """The same, backward."""

    zx: np.ndarray  # as forward left it
    zh: np.ndarray  # (P, rows, PANEL·V), as forward left it; overwritten by its gradient
    moments: np.ndarray  # as forward left them
    c: np.ndarray  # as forward left it
    dh: np.ndarray  # (B, padded H): dh_t of a cell with c; written
    means: np.ndarray  # (B, 2·(groups + 1)): mean(d) and mean(d ∘ x̂), as `moments`; written
    # (B, vectors of units · (3·slots + 2)·V), added to: for each vector of units the sums for the
    # gains of zx, for those of zh, for g_c, for b_c, and of dz.
    sums: np.ndarray
