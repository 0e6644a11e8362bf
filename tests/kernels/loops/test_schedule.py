"""The rule that chooses a schedule: always one that a loop can run, serial where work is small."""

from __future__ import annotations

import itertools

import pytest

from numba_lstm import system, threads, tuning
from numba_lstm.kernels.loops.forward import FUSED, PROJECTED
from numba_lstm.kernels.loops.schedule import Schedule, choose, input_source
from numba_lstm.system import Caches


@pytest.fixture(params=[1, 2, 3, 4, 8])
def nt(request, monkeypatch):
    monkeypatch.setattr(threads, "_chosen", request.param)
    return request.param


def test_every_schedule_can_be_run(nt):
    batches, panels = (0, 1, 2, 3, 5, 6, 7, 12, 13, 48, 500), (1, 2, 3, 9, 64)
    for batch, count, flops, size in itertools.product(
        batches, panels, (1.0, 1e6, 1e9), (1e4, 1e6, 1e8)
    ):
        for steps in (1, 100):
            schedule = choose(steps, batch, count, int(size), flops)
            note = (steps, batch, count, flops, size, schedule)
            assert 1 <= schedule.nt <= nt, note
            assert schedule.nt % schedule.columns == 0, note
            assert 1 <= schedule.columns <= count, note


def test_small_work_runs_on_the_calling_thread(nt):
    assert choose(100, 64, 16, 10**6, tuning.MIN_PARALLEL_WORK - 1) == Schedule(1, 1)


def test_many_rows_are_shared_without_waiting_and_few_share_the_panels(nt):
    assert choose(100, 512, 16, 10**8, 1e11) == Schedule(nt, 1)
    assert choose(100, 1, 16, 10**8, 1e11)[:2] == (nt, nt)


@pytest.mark.parametrize("l2", [256 << 10, 512 << 10, 1 << 20, 4 << 20])
def test_threads_share_panels_where_a_step_s_weights_outgrow_this_machine_s_second_level_cache(
    monkeypatch, l2
):
    monkeypatch.setattr(threads, "_chosen", 2)
    monkeypatch.setattr(system, "caches", lambda: Caches(32 << 10, l2, 32 << 20, 2, True))
    monkeypatch.delattr(tuning, "L2_BYTES")  # asked for before, of the true machine
    for share, columns in ((0.7, 1), (0.8, 2)):
        assert choose(100, 4, 16, int(share * l2), 1e11).columns == columns


def test_a_batch_of_one_with_little_work_a_step_is_not_split_into_panels(nt):
    for steps, least in ((1, tuning.MIN_PARALLEL_WORK), (10**6, tuning.MIN_TEAM_WORK)):
        assert choose(steps, 1, 16, 10**4, steps * (least - 1.0)).columns == 1
        assert choose(steps, 1, 16, 10**4, steps * (least + 1.0)).columns == nt


def test_threads_that_share_panels_for_many_steps_stay_together(nt):
    for steps in (1, 2, 100):
        assert choose(steps, 1, 16, 10**8, 1e11).team == (steps > 1 and nt > 1)
    assert not choose(100, 512, 16, 10**8, 1e11).team


def test_few_rows_project_their_inputs_beforehand():
    assert input_source(100, 1, 1e9) == PROJECTED
    assert input_source(1, 1, 1e9) == FUSED  # one step gains nothing
    assert input_source(100, 64, 1e9) == FUSED
    assert input_source(100, 1, 1e3) == FUSED  # one more call would cost more
