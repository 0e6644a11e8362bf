"""Forcing every schedule on one call: the same bits by every way."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from crew_tool import patient_teams
from drivers_tool import watched
from family_tool import MODULES, assert_references, draw, ours
from lstm_tool import assert_same_bits
from masks_tool import draw_masks, fix

from numba_lstm import jit, nn, threads
from numba_lstm.kernels.loops.forward import FUSED, PROJECTED
from numba_lstm.kernels.loops.schedule import Schedule
from numba_lstm.recurrent import plan

LONG = os.environ.get("NUMBA_LSTM_LONG", "0") not in ("", "0")
# T, B, I, H: a single step, a single row, sizes that fill no block and no panel.
SIZES = [(1, 1, 1, 2), (5, 2, 3, 17), (3, 3, 70, 33), (4, 7, 5, 129), (9, 13, 20, 65)]


def sizes_of(turn: int) -> list[tuple[int, int, int, int]]:
    """Of `SIZES` every other one, which kinds of another `turn` leave out; with LONG all."""
    return SIZES if LONG else SIZES[turn % 2 :: 2]


def forced_bits(*about: Any, **more: Any) -> int:
    """As `_forced_bits`, with teams that come together on a busy machine, too."""
    with patient_teams():
        return _forced_bits(*about, **more)


def _forced_bits(
    make: Any,
    most: int,
    wanted: tuple[str, ...] = (),
    *,
    sizes: Sequence[tuple[int, int, int, int]] | None = None,
    dtype: str = "f4",
    ragged: Sequence[bool] | None = None,
    turn: int = 0,
) -> int:
    """Compare all schedules of up to `most` threads and both sources of the inputs' part.

    Run it in a process of its own, which may have more threads than this machine has cores.

    Parameters
    ----------
    make : str or callable
        A kind of `family_tool.MODULES`, or what makes a module like them.
    most : int
    wanted : tuple of str
        Which masks there are, see `masks_tool.draw_masks`.
    sizes : (T, B, I, H) each
        By default those of `sizes_of` this turn.
    dtype : str
    ragged : sequence of bool or None
        Whether lengths differ. By default one size has whole sequences and the next one others,
        so that kinds of another `turn` have them where this one has not; with NUMBA_LSTM_LONG=1
        each size has both.
    turn : int
        Whether the first size has whole sequences, where it is even; and which sizes there are.

    Returns
    -------
    int
        How many comparisons were made.
    """
    make = MODULES.get(make, make) if isinstance(make, str) else make
    compared, met = 0, []
    for number, (steps, batch, inputs, hidden) in enumerate(sizes or sizes_of(turn), turn):
        rng = np.random.default_rng(hidden)
        drops = {"recurrent_dropout": 0.5} if wanted else {}
        module = make(inputs, hidden, bidirectional=True, dtype=dtype, seed=1, **drops)
        for lengths in ragged or ((False, True) if LONG else (number % 2 == 1,)):
            cells = lengths and isinstance(module, nn.LSTM)
            case = draw(rng, module, steps, batch, lengths, cells)
            masks = draw_masks(rng, module, case, wanted) if wanted else None
            expected = None
            for nt in range(1, most + 1):
                for columns in (c for c in range(1, nt + 1) if nt % c == 0):
                    for source in (FUSED, PROJECTED):
                        module.weight_ih_l0 = nn.Parameter(module.weight_ih_l0.numpy())
                        reverse = module.weight_ih_l0_reverse
                        module.weight_ih_l0_reverse = nn.Parameter(reverse.numpy())
                        # Each schedule in panels as a team once, once shared out step by step.
                        choice = Schedule(nt, columns, columns > 1 and (nt + source) % 2 == 0)
                        with pytest.MonkeyPatch.context() as patch:
                            patch.setattr(plan, "choose", lambda *a, c=choice: c)
                            patch.setattr(plan, "input_source", lambda *a, s=source: s)
                            patch.setattr(threads, "threads_for", lambda w, n=nt: n)
                            patch.setattr(jit.driver, "on", noting(met))
                            if wanted:
                                fix(patch, module, case.lengths, masks)
                            found = ours(module, case, bool(wanted))
                            if expected is None:
                                expected = assert_references(module, case, masks)
                        assert_same_bits(found, expected, (module, nt, columns, source))
                        compared += 1
    assert most == 1 or any(met), "no team ever met"
    return compared


def noting(met: list[bool]) -> Any:
    """A driver's `on` that notes whether there was a team, where there should be one."""

    def note(driver: Any, arguments: tuple[Any, ...], result: Any) -> None:
        if driver.__name__.endswith("ward") and arguments[2] is True:
            met.append(result)

    return watched(note)
