"""What the time loops and their steps work on, as named tuples."""

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


class Masks(NamedTuple):
    """What states are multiplied by or replaced with; arrays of no rows for what is not there.

    Attributes
    ----------
    keep : (N,)
        0 where a row's states are set to zero before the step, else 1.
    drop : (B, padded H)
        Factors of h_{t-1} in the recurrent product, the same at every step.
    zone_h, zone_c : (N, size of h) and (N, H), or (1, …) for all steps the same
        Zoneout's k, how much of the old state stays: s_t = k·s_{t-1} + (1 - k)·(the cell's s_t).
    fresh : (N, padded H), or of no columns, written
        With zoneout of c, for a cell that needs it going back: the cell's c_t.
    """

    keep: np.ndarray
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    fresh: np.ndarray


class ForwardArguments(NamedTuple):
    """What a forward pass works on: arguments of `forward`'s driver, by their names there."""

    source: int
    save: bool
    inputs: int
    size: int
    hidden: int
    h_column: int  # where h stands in a row of u
    x: np.ndarray
    w: np.ndarray
    bias: np.ndarray
    input_part: np.ndarray
    z: np.ndarray
    tokens: np.ndarray
    has_initial: bool
    h0: np.ndarray
    c0: np.ndarray
    u: np.ndarray
    gate_state: np.ndarray
    y: np.ndarray
    y_column: int
    constants: np.ndarray
    masked: bool  # whether any of the masks is there
    keep: np.ndarray
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    fresh: np.ndarray


class ForwardRows(NamedTuple):
    """Where row r of a step stands.

    In x, y, tokens and `given` in ``row0 + r``; with its states in ``before + r`` of u and c. It
    leaves new ones in ``after + r`` if it has a next step (r < n_next; there its row of `keep` is
    ``next_row + r``), else in ``end + r``. What the cell keeps of a step is in ``z_row + r`` of z
    and in ``workspace_row + r`` of its own arrays. The step before had it, if r < n_prev, in
    ``prev_row + r``.
    """

    row0: int
    before: int
    after: int
    end: int
    next_row: int
    n_next: int
    z_row: int
    workspace_row: int
    prev_row: int
    n_prev: int


class Turn(NamedTuple):
    """Which steps and phases threads run before they join, and how they share them.

    Steps s0 … s1 of the sequence, counted as time runs, and of each the phases f0 … f1. Each thread
    owns its `shares` of the rows, or, where they are not `alone`, shares panels with others, for
    whom it waits as one of a `team`.
    """

    nt: int
    columns: int
    alone: bool
    team: bool
    reverse: bool
    offsets: np.ndarray
    shares: np.ndarray
    s0: int
    s1: int
    f0: int
    f1: int


class Share(NamedTuple):
    """A thread's part of a step: rows r0 … r1, panels p0 … p1 of z, panels h0 … h1 of h.

    The rows are shared with the other threads of ``columns``, of which it is number `column`.
    """

    r0: int
    r1: int
    p0: int
    p1: int
    h0: int
    h1: int
    column: int
    columns: int


class BackwardArguments(NamedTuple):
    """What a backward pass works on: arguments of `backward`'s driver, by their names there."""

    has_dy: bool
    dy: np.ndarray
    y_column: int
    w_hh: np.ndarray
    z: np.ndarray
    dz: np.ndarray
    u: np.ndarray
    h_column: int
    gate_state: np.ndarray
    dh: np.ndarray
    d_gate_state: np.ndarray
    size: int
    hidden: int
    masked: bool  # whether any of the masks is there
    keep: np.ndarray
    drop: np.ndarray
    zone_h: np.ndarray
    zone_c: np.ndarray
    carry: np.ndarray
    dcells: np.ndarray
    constants: np.ndarray


class BackwardRows(NamedTuple):
    """Where row r of a step stands.

    In x, y and all that was saved in ``row0 + r``; the step after it, as time runs, in
    ``after + r``, but for `last`, when this is the last step of all rows that are looked at: what
    came after is in ``end + r``.
    """

    row0: int
    after: int
    end: int
    last: bool


class Second(NamedTuple):
    """The arrays of such a cell.

    Attributes
    ----------
    w : (panels of h, H, PANEL·V)
        W₂, packed by `pack.pack_rows`.
    zeros : (PANEL·V,)
    m : (N, padded H), or of B rows in inference, written
        What is multiplied.
    """

    w: np.ndarray
    zeros: np.ndarray
    m: np.ndarray


class SecondBack(NamedTuple):
    """The same going back.

    Attributes
    ----------
    w : (panels of m, rows, PANEL·V)
        W₂, packed by `pack.pack_columns`.
    zeros : (PANEL·V,)
    dp : (N, padded size of h), or of no rows, written
        Of a projected cell: what reaches h_t.
    """

    w: np.ndarray
    zeros: np.ndarray
    dh: np.ndarray


class Norm(NamedTuple):
    """The arrays of such a cell; all are written. The rows are N, or in inference B.

    Attributes
    ----------
    x, h : (P, rows, PANEL·V)
        a and u.
    moments : (rows, 2·(groups + 1))
        The mean and 1/√(var + ε) of each group of x, of each of h, and of c.
    m : (rows, padded H), or of no rows
        c_t as the gates gave it, of a cell of two states.
    zeros : (PANEL·V,)
    """

    zx: np.ndarray
    zh: np.ndarray
    moments: np.ndarray
    c: np.ndarray
    zeros: np.ndarray


class NormBack(NamedTuple):
    """The arrays of such a cell going back.

    Attributes
    ----------
    x, h, moments, m
        As forward left them; du takes the place of u in `h`.
    dp : (B, padded H), written
        dh_t, of a cell of two states.
    means : (B, 2·(groups + 1)), written
        mean(d) and mean(d ∘ x̂), in the order of `moments`.
    sums : (B, vectors of units · (3·slots + 2)·V), added to
        For each vector of units those of the gains of x, of h, of g_c and b_c, and of dz.
    """

    zx: np.ndarray
    zh: np.ndarray
    moments: np.ndarray
    c: np.ndarray
    dh: np.ndarray
    means: np.ndarray
    sums: np.ndarray
