"""A kernel's parts, run by the calling thread and by workers that have time for them.

``parts(crew, nt, body, arguments)`` runs ``body(q, *arguments)`` for each q < nt. Part 0 is the
caller's. The others are for the workers, and when part 0 is done the caller runs itself what none
of them has begun. So a worker that is late, because it sleeps or another process has its core, is
not waited for. Worker q begins part q, so that what part q reads stays in its core's cache.

Where a worker was late twice just now, each thread's part is cut into `pieces`: ``body`` then runs
for each q < nt·pieces, and whoever is free takes the next one. So a worker that has half of its
core only, as beside another library's threads that wait by looping, does less, and is seldom waited
for.

The crew is an array of int64, shared by the caller and the workers; `workers` makes it:

- JOB is the number of the last job, and with it stand what to call (FUNCTION, DATA), NT and PIECES.
- Each piece has a CELL. It holds 2·job while nobody has begun the piece, and 2·job + 1 from then
  on. Who replaces the one by the other runs the piece, and only who has done that reads FUNCTION
  and DATA: until that piece is done the job cannot end, and they stay what they are.
- DONE counts pieces that workers have finished.
- OWNER is 1 while a thread's job runs. Another thread that comes meanwhile runs all of its parts
  itself.
- ALONE_UNTIL is when the crew may be hired again. Where other processes take the cores, a worker
  may stop for milliseconds in the middle of a part, and all that one can do is to wait for it. LOST
  is what that has cost more than workers have saved, in ticks; of what they saved 10 ms count at
  most. From 50 µs on callers work alone for a multiple of it (`tuning.ALONE`). So they lose no more
  than a part of their time, however busy the machine is.
- FINE_UNTIL is until when parts are cut, LAST_LATE when a worker was late for the last time.
- A worker without a job looks at JOB for a while, then sets its SLEEPING, looks once more, and
  sleeps in a semaphore of the system. Who has a job for it sets SLEEPING back and wakes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types

from . import tuning, workers
from .jit import driver, kernel
from .simd import (
    atomic_add,
    atomic_load,
    atomic_replace,
    atomic_store,
    call_part,
    call_system,
    counter_at,
    fence,
    part_of,
    pause,
    shift,
    ticks,
    yield_core,
)
from .workers import (
    ALONE,
    ALONE_UNTIL,
    CAPACITY,
    CELL,
    CREDIT,
    DATA,
    DONE,
    FINE,
    FINE_UNTIL,
    FUNCTION,
    HANDLE,
    LAST_LATE,
    LATE,
    LEAVE,
    LONG_PATIENCE,
    LOST,
    NT,
    OFFER,
    OWNER,
    PATIENCE,
    PIECES,
    SEAT,
    SEATS,
    SLEEP,
    SLEEPING,
    SPINS,
    WAKE,
    WOKEN,
    WORKERS,
)

__all__ = [
    "all_here",
    "count_loss",
    "dismiss",
    "fine_parts",
    "hire",
    "parts",
    "patience",
    "pieces",
    "rest",
    "run_hired",
    "run_pauses",
    "serve",
]

# In units of LATE, 50 µs: what a job counts as lost at most, 100 ms.
_MOST_LOST = 2_000
# Pauses before a waiting thread offers its core to others: 10 to 40 µs. The thread that is waited
# for may need it.
_SPINS_BEFORE_YIELD = 1_000


@kernel
def _seat(state, q, place):
    return shift(state, SEATS + SEAT * q + place)


@kernel
def rest(spins):
    """Wait a moment, for the time number `spins` in a row."""
    if spins < _SPINS_BEFORE_YIELD:
        pause()
    else:
        yield_core()


# --- the caller -------------------------------------------------------------------------------


@kernel
def hire(crew, nt):
    """Take the crew for jobs of nt parts. Gives `crew`, or 0 if it has no worker for them now."""
    if crew == 0 or nt == 1:
        return 0
    state = counter_at(crew)
    if state[WORKERS] == 0 or nt > state[CAPACITY]:
        return 0
    alone = state[ALONE_UNTIL] - ticks()
    # More than it can have been: the clock was set back, as by a machine that slept.
    if 0 < alone <= state[ALONE] * _MOST_LOST * state[LATE]:
        return 0
    return crew if atomic_replace(shift(state, OWNER), 0, 1) else 0


@kernel
def dismiss(hired):
    """Give back what `hire` gave."""
    if hired != 0:
        atomic_store(shift(counter_at(hired), OWNER), 0)


@kernel
def count_loss(hired, lost):
    """Count how many ticks more a job took than the caller alone would have needed.

    A negative number is what workers have saved. A process may have been stopped for an hour
    meanwhile: a job counts 100 ms at most.
    """
    state = counter_at(hired)
    total = state[LOST] + min(lost, _MOST_LOST * state[LATE])
    state[LOST] = max(total, -state[CREDIT])
    if total > state[LATE]:
        state[ALONE_UNTIL] = ticks() + state[ALONE] * total
        state[LOST] = 0


@kernel
def pieces(crew, nt):
    """Into how many pieces each of nt parts is to be cut: more than 1 if a worker was late."""
    one = np.int64(1)
    if crew == 0 or nt == 1:
        return one
    state = counter_at(crew)
    now = ticks()
    left = state[FINE_UNTIL] - now
    # More than it can have been: the clock was set back, as by a machine that slept.
    late = 0 < left <= state[FINE] and state[ALONE_UNTIL] <= now
    if not late or nt > state[CAPACITY]:
        return one
    return max(one, min(tuning.PIECES_OF_PART, tuning.PIECES_OF_JOB // nt))


@kernel
def all_here(hired, nt):
    """Whether there is a worker for each of nt parts but the caller's."""
    return hired != 0 and counter_at(hired)[WORKERS] + 1 >= nt


@kernel
def patience(hired, q):
    """For how many pauses part q may wait until all parts of its job have begun.

    The caller, who runs part 0, knows whether it had to wake a worker.
    """
    state = counter_at(hired)
    return state[LONG_PATIENCE] if q > 0 or state[WOKEN] > 0 else state[PATIENCE]


@kernel
def _begin(state, nt, cut, function, data):
    """Publish a job and wake those who sleep. Gives its number."""
    job = atomic_load(state) + 1
    for q in range(1, nt * cut):
        atomic_store(_seat(state, q, CELL), 2 * job)
    atomic_store(shift(state, DONE), 0)
    atomic_store(shift(state, FUNCTION), function)
    atomic_store(shift(state, DATA), data)
    atomic_store(shift(state, NT), nt)
    atomic_store(shift(state, PIECES), cut)
    atomic_store(state, job)
    fence()  # a worker either sees the job, or is seen to sleep
    woken = 0
    for q in range(1, min(nt, state[WORKERS] + 1)):
        sleeping = _seat(state, q, SLEEPING)
        if atomic_load(sleeping) == 1 and atomic_replace(sleeping, 1, 0):
            call_system(state[WAKE], _seat(state, q, HANDLE)[0], 1)
            woken += 1
    state[WOKEN] = woken
    return job


@kernel
def _claim(state, q, job):
    """Whether part q of a job is the caller's of this function from now on."""
    cell = _seat(state, q, CELL)
    return atomic_load(cell) == 2 * job and atomic_replace(cell, 2 * job, 2 * job + 1)


@kernel
def _run(hired, nt, cut, function, data):
    count = nt * cut
    if hired == 0:
        for q in range(count):
            call_part(function, data, q)
        return
    state = counter_at(hired)
    begin = ticks()
    job = _begin(state, nt, cut, function, data)
    call_part(function, data, 0)
    done, own = 1, begin
    for q in range(1, count):
        if _claim(state, q, job):
            if done == cut:
                own = ticks()
            call_part(function, data, q)
            done += 1
    end, spins = ticks(), 0
    part = end - begin
    if done <= cut:
        own = end
    while atomic_load(shift(state, DONE)) < count - done:
        rest(spins)
        spins += 1
    now = ticks()
    # What came after the caller's own share, others' pieces and waiting, is as long as the share
    # beside a worker that has half of a core; where parts are cut it is a third of it on two
    # threads, and less on more of them. Shares are never quite equal, the caller's is the largest,
    # and to wake a worker may take as long as LATE is.
    share, allowed = own - begin, state[LATE] * (4 if state[WOKEN] > 0 else 1)
    if now - own > max(allowed, share // 2 if cut == 1 else share // min(2 * nt, 8)):
        # A system stops every thread now and then: once is no sign of more.
        if begin - state[LAST_LATE] < state[FINE]:
            state[FINE_UNTIL] = now + state[FINE]
        state[LAST_LATE] = now
    # `part` is the caller's time for its own pieces. Alone it would have taken it for those of
    # workers, too, of which each is about as long as one of the caller's.
    count_loss(hired, now - begin - part * count // done)


@kernel
def run_hired(hired, nt, cut, body, arguments):
    """As `fine_parts`, with what `hire` gave: for several jobs in a row."""
    function, data = part_of(body, arguments)
    _run(hired, nt, cut, function, data)


@kernel
def parts(crew, nt, body, arguments):
    """Run ``body(q, *arguments)`` for each q < nt, at the same time where there are workers.

    Parameters
    ----------
    crew : int
        What a driver got as its first argument.
    nt : int
    body : kernel (q, …)
        Gives nothing back. Parts wait for each other only if all are there; see `loops.team`.
    arguments : tuple
    """
    fine_parts(crew, nt, np.int64(1), body, arguments)


@kernel
def fine_parts(crew, nt, cut, body, arguments):
    """Run ``body(q, *arguments)`` for each q < nt·cut on nt threads, `cut` being from `pieces`."""
    hired = hire(crew, nt)
    run_hired(hired, nt, cut, body, arguments)
    dismiss(hired)


# --- a worker ---------------------------------------------------------------------------------


@kernel
def _work(state, i, job, cut, count):
    """Run worker i's pieces of a job, and then those of its `count` that nobody has begun."""
    begin = ticks()
    for n in range(count - 1):
        q = 1 + (i * cut - 1 + n) % (count - 1)
        if _claim(state, q, job):
            call_part(state[FUNCTION], state[DATA], q)
            atomic_add(shift(state, DONE), 1)
            if cut > 1 and ticks() - begin > state[OFFER]:
                yield_core()


@kernel
def _sleep(state, i, seen):
    """Sleep until there is another job for worker i than the one it has seen."""
    sleeping, handle = _seat(state, i, SLEEPING), _seat(state, i, HANDLE)
    atomic_store(sleeping, 1)
    fence()
    leave = shift(state, LEAVE)
    if (atomic_load(state) != seen or atomic_load(leave)) and atomic_replace(sleeping, 1, 0):
        return
    while atomic_load(sleeping) and not atomic_load(leave):  # signals interrupt it
        call_system(state[SLEEP], handle[0], -1)


@driver
def serve(crew, nt, i):
    """Be worker i of a crew, until it is told to leave. (nt counts for nothing.)"""
    state = counter_at(crew)
    seen = spins = 0
    while atomic_load(shift(state, LEAVE)) == 0:
        job = atomic_load(state)
        if job != seen:
            seen = job
            nt, cut = atomic_load(shift(state, NT)), atomic_load(shift(state, PIECES))
            if i < nt:
                _work(state, i, job, cut, nt * cut)
                spins = 0
        elif spins < state[SPINS]:
            pause()
            spins += 1
        else:
            _sleep(state, i, seen)
            spins = 0


@driver
def run_pauses(crew, nt, n):
    """Pause n times. Gives how many ticks that took."""
    begin = ticks()
    for _ in range(n):
        pause()
    return ticks() - begin


def _compiled_serve() -> Any:
    """`serve` to be called as (crew, nt, i), without a compiler at work in the worker."""
    dispatcher = serve.compiled()
    dispatcher.compile((types.int64, types.int64, types.int64))
    return dispatcher


workers.their_work_is(_compiled_serve, run_pauses)
