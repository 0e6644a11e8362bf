"""A kernel's parts, run by the calling thread and by workers that have time for them.

``parts(crew, nt, body, arguments)`` runs ``body(q, *arguments)`` for each q < nt. Part 0 is the
caller's. The others are for the workers, and when part 0 is done the caller runs itself what none
of them has begun. So a worker that is late, because it sleeps or another process has its core, is
not waited for. Worker q begins part q, so that what part q reads stays in its core's cache.

The crew is an array of int64, shared by the caller and the workers; `workers` makes it:

- JOB is the number of the last job, and with it stand what to call (FUNCTION, DATA) and NT.
- Each part has a CELL. It holds 2·job while nobody has begun the part, and 2·job + 1 from then on.
  Who replaces the one by the other runs the part, and only who has done that reads FUNCTION and
  DATA: until that part is done the job cannot end, and they stay what they are.
- DONE counts parts that workers have finished.
- OWNER is 1 while a thread's job runs. Another thread that comes meanwhile runs all of its parts
  itself.
- ALONE_UNTIL is when the crew may be hired again. Where other processes take the cores, a worker
  may stop for milliseconds in the middle of a part, and all that one can do is to wait for it. LOST
  is what that has cost more than workers have saved, in ticks; of what they saved 10 ms count at
  most. From 50 µs on callers work alone for a multiple of it (`tuning.ALONE`). So they lose no more
  than a part of their time, however busy the machine is.
- A worker without a job looks at JOB for a while, then sets its SLEEPING, looks once more, and
  sleeps in a semaphore of the system. Who has a job for it sets SLEEPING back and wakes it.
"""

from __future__ import annotations

from typing import Any

from numba import types

from . import workers
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
    FUNCTION,
    HANDLE,
    LATE,
    LEAVE,
    LONG_PATIENCE,
    LOST,
    NT,
    OWNER,
    PATIENCE,
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
    "hire",
    "parts",
    "patience",
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
def _begin(state, nt, function, data):
    """Publish a job and wake those who sleep. Gives its number."""
    job = atomic_load(state) + 1
    for q in range(1, nt):
        atomic_store(_seat(state, q, CELL), 2 * job)
    atomic_store(shift(state, DONE), 0)
    atomic_store(shift(state, FUNCTION), function)
    atomic_store(shift(state, DATA), data)
    atomic_store(shift(state, NT), nt)
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
def _run(hired, nt, function, data):
    if hired == 0:
        for q in range(nt):
            call_part(function, data, q)
        return
    state = counter_at(hired)
    begin = ticks()
    job = _begin(state, nt, function, data)
    call_part(function, data, 0)
    begun_by_workers = 0
    for q in range(1, nt):
        if _claim(state, q, job):
            call_part(function, data, q)
        else:
            begun_by_workers += 1
    part, spins = ticks() - begin, 0
    while atomic_load(shift(state, DONE)) < begun_by_workers:
        rest(spins)
        spins += 1
    # `part` is the caller's time for its own ones. Alone it would have taken it for those of
    # workers, too, of which each is about as long as part 0.
    count_loss(hired, ticks() - begin - part * nt // (nt - begun_by_workers))


@kernel
def run_hired(hired, nt, body, arguments):
    """As `parts`, with what `hire` gave: for several jobs in a row."""
    function, data = part_of(body, arguments)
    _run(hired, nt, function, data)


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
    hired = hire(crew, nt)
    run_hired(hired, nt, body, arguments)
    dismiss(hired)


# --- a worker ---------------------------------------------------------------------------------


@kernel
def _work(state, i, job, nt):
    """Run part i of a job, and then those that nobody has begun, if there are any."""
    for n in range(nt - 1):
        q = 1 + (i - 1 + n) % (nt - 1)
        if _claim(state, q, job):
            call_part(state[FUNCTION], state[DATA], q)
            atomic_add(shift(state, DONE), 1)


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
            parts_of_job = atomic_load(shift(state, NT))
            if i < parts_of_job:
                _work(state, i, job, parts_of_job)
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
