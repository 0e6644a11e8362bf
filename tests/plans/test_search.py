"""The search: the fastest is found at a bounded cost, and the first stands in doubt."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.plans.search import Entrant, Search


def entrants(*threads, family="rows"):
    return [Entrant(nt, family, "warm") for nt in threads]


def run(search, time_of, most=1000):
    """Run the search to its end; how often each entrant ran."""
    ran = []
    while search.verdict is None:
        index, timed = search.next()
        ran.append((index, timed))
        search.note(index, time_of(index, len(ran)))
        assert len(ran) < most
    return ran


def test_the_fastest_is_found():
    times = [1.0, 0.9, 0.7, 1.2]
    search = Search(entrants(2, 2, 2, 2))
    run(search, lambda index, _: times[index])
    assert search.verdict == (2, 0.7, 1.0, True)


def test_the_first_stands_unless_another_is_clearly_faster():
    for second, best in ((0.98, 0), (0.96, 1), (1.0, 0)):
        search = Search(entrants(2, 2))
        run(search, lambda index, _, second=second: (1.0, second)[index])
        assert search.verdict.best == best, second


def test_the_first_run_that_brings_something_new_is_not_timed():
    search = Search([Entrant(2, 0, "parallel"), Entrant(2, 1, "parallel"), Entrant(1, 2, "serial")])
    times = {0: [30.0], 1: [], 2: [50.0]}
    ran = run(search, lambda index, _: times[index].pop() if times[index] else 1.0)
    assert ran[:5] == [(0, False), (0, True), (1, True), (2, False), (2, True)]
    assert all(timed for _, timed in ran[5:])
    assert search.times[0] == [1.0] * len(search.times[0])
    assert all(
        timed for _, timed in run(Search(entrants(2, 2), warmed={"warm", 0}), lambda *_: 1.0)
    )


def test_a_short_call_is_timed_after_another_one_of_the_same_plan():
    """The second plan is the faster one, once the caches hold its weights."""
    for seconds, best in ((1e-5, 1), (1e-1, 0)):
        before = []

        def time_of(index, _, seconds=seconds, before=before):
            moved = bool(before) and before[-1] != index
            before.append(index)
            return seconds * (1.0, 0.8)[index] * (1.4 if moved and index else 1.0)

        search = Search(entrants(2, 2), warmed={"warm"})
        run(search, time_of)
        assert search.verdict.best == best
        assert len(search.times[0]) == 9


def test_rounds_alternate_and_go_there_and_back():
    ran = run(Search(entrants(2, 2, 2), warmed={"warm", 0}), lambda index, _: 1.0 + index / 100)
    assert [index for index, _ in ran][:9] == [0, 1, 2, 2, 1, 0, 0, 1, 2]


def test_what_is_much_slower_is_dropped_after_its_first_time():
    search = Search(entrants(2, 2, 2), warmed={"warm", 0})
    ran = run(search, lambda index, _: (1.0, 1.6, 0.9)[index])
    assert [index for index, _ in ran].count(1) == 1
    assert search.verdict.best == 2


def test_a_single_interruption_decides_nothing():
    """The best candidate is struck once after its first time, and the worse one is lucky once."""
    for struck in range(4, 9):
        search = Search(entrants(2, 2), warmed={"warm", 0})
        run(search, lambda index, n, at=struck: (1.0, 0.8)[index] * (30 if n == at else 1))
        assert search.verdict.best == 1, struck


def test_fewer_threads_are_not_tried_where_more_of_them_are_too_few():
    search = Search(entrants(16, 8, 4, 2, 1), warmed={"warm", 0})
    ran = run(search, lambda index, _: 2.0**index)
    assert {index for index, _ in ran} == {0, 1}


def test_where_one_is_hopeless_others_on_as_many_threads_are_not_tried():
    some = [Entrant(1, "rows", 0), *(Entrant(2, n, 0) for n in range(5))]
    search = Search(some, keep_first=False, warmed={"warm", 0})
    ran = run(search, lambda index, _: 0.1 if index else 1e-4)
    assert [index for index, _ in ran].count(1) == 1
    assert {index for index, _ in ran} == {0, 1}


def test_a_first_one_that_is_far_behind_is_not_measured_to_the_end():
    some = [Entrant(2, "a", 0), Entrant(1, "b", 0)]
    for keep_first, count in ((True, 2), (False, 1)):
        search = Search(some, keep_first, warmed={"warm", 0})
        ran = run(search, lambda index, _: (100.0, 1.0)[index])
        assert [index for index, _ in ran].count(0) == count
        assert search.verdict.best == 1


def test_times_that_scatter_are_taken_longer_and_do_not_hold():
    rng = np.random.default_rng(0)
    noisy = Search(entrants(2, 2), warmed={"warm", 0})
    long = run(noisy, lambda index, _: 1.0 + rng.random())
    quiet = Search(entrants(2, 2), warmed={"warm", 0})
    short = run(quiet, lambda index, _: 1.0 + index / 5 + rng.random() / 20)
    assert len(short) <= 10 < len(long) <= 18
    assert quiet.verdict.quiet and not noisy.verdict.quiet


@pytest.mark.parametrize("scale", [1e-5, 1e-2, 10.0])
@pytest.mark.parametrize("others", [3, 39])
def test_what_may_be_lost_is_bounded(scale, others):
    """Against running the first one all the time; 39 others that are all 1.4 times as slow."""
    search = Search(entrants(*[2] * (others + 1)), warmed={"warm", 0})
    ran = run(search, lambda index, _: scale * (1.4 if index else 1.0))
    lost = sum(0.4 * scale for index, _ in ran if index)
    assert lost <= max(0.005, min(20 * scale, 3.0)) + 0.4 * scale
    assert search.verdict.best == 0


def test_a_candidate_that_ran_once_is_taken_only_if_it_is_better_by_half():
    for second, best in ((0.5, 1), (0.9, 0)):
        times = (1.0, second, *[1e9] * 3)
        search = Search([Entrant(2, n, 0) for n in range(5)], warmed={"warm", 0})
        run(search, lambda index, _, times=times: times[index])
        assert search.verdict.best == best and not search.verdict.quiet


def test_a_time_of_an_overtaken_call_changes_nothing():
    search = Search(entrants(2, 2), warmed={"warm", 0})
    search.note(1, 5.0)
    assert search.times == [[], []] and search.next() == (0, True)


def test_a_single_candidate_ends_at_once_and_a_clock_that_stands_still_is_no_failure():
    search = Search(entrants(1), warmed={"warm", 0})
    run(search, lambda *_: 1.0)
    assert search.verdict.best == 0
    search = Search(entrants(2, 2), warmed={"warm", 0})
    run(search, lambda *_: 0.0)
    assert search.verdict.best == 0
