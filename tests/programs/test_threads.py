"""Programs of many threads: plain ones, asyncio's, and those of other packages beside ours."""

from __future__ import annotations

import os

import pytest
from programs_tool import run

BESIDE = """
import multiprocessing, sys, threading
import numba
import numpy as np
import numba_lstm as nl
from numba_lstm.plans import store
from programs_tool import LONG, done, gradients, infer, job, some_models, vjp

TURNS = 32 if LONG else 4  # of each of 8 threads, each turn two calls

@numba.njit(parallel=True)
def theirs(a, out):
    for i in numba.prange(len(a)):
        out[i] = 2 * a[i] + 1

def in_threads(count, work):
    failures, barrier = [], threading.Barrier(count)

    def guarded(number):
        try:
            barrier.wait()
            work(number)
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded, args=(n,)) for n in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]

class Beside:
    "Calls the foreign function again and again, in a thread of its own."

    def __init__(self):
        self.calls, self.wrong, self.stop = 0, 0, False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self):
        a = np.arange(20_000.0)
        while not self.stop:
            out = np.zeros_like(a)
            theirs(a, out)
            self.wrong += not np.array_equal(out, 2 * a + 1)
            self.calls += 1

    def end(self):
        self.stop = True
        self.thread.join()
        assert self.calls and not self.wrong

def compare(nt):
    "8 threads call 3 models on nt threads each; how many calls were compared."
    nl.set_num_threads(nt)
    models = some_models()

    def work(number):
        for turn in range(TURNS):
            k = (number + turn) % 3
            assert infer(models[k]) == expected[k][0], "inference gave other bits"
            assert vjp(models[k]) == expected[k][1], "vjp gave other bits"

    in_threads(8, work)
    for k, model in enumerate(models):
        assert gradients(model) == summed(k), "a gradient lost an addend"
    return 2 * 8 * TURNS

def summed(k):
    "What as many equal addends give one after the other, on one thread."
    nl.set_num_threads(1)
    model = some_models()[k]
    for _ in range(sum((number + turn) % 3 == k for number in range(8) for turn in range(TURNS))):
        vjp(model)
    return gradients(model)

def main():
    global expected
    try:
        theirs(np.zeros(9), np.zeros(9))
    except ValueError as error:
        assert "threading layer" in str(error)
        print("absent")
        return done()
    assert numba.threading_layer() == sys.argv[1]
    nl.set_num_threads(1)
    expected = [(infer(model), vjp(model)) for model in some_models()]
    assert all(both.startswith(alone) for alone, both in expected)
    nl.set_num_threads(2)
    digest = job()
    alone = sum(compare(nt) for nt in (2, 5, 8))
    foreign = Beside()
    beside = sum(compare(nt) for nt in (2, 5, 8))
    store.path = lambda: None  # plans are measured, and none is kept in the user's folder
    nl.set_tuning(True)
    tuned = sum(compare(nt) for nt in (2, 8))
    nl.set_num_threads(2)
    forked = 0
    for _ in range(20 if LONG else 2):  # the children call ours only
        with multiprocessing.get_context("fork").Pool(2) as pool:
            assert set(pool.map(job, range(4))) == {digest}
            forked += 4
    foreign.end()
    assert job() == digest
    print(f"{alone} calls, {beside} beside {foreign.calls} of another's on {sys.argv[1]}, "
          f"{tuned} while plans were measured, {forked} in forked children")
    done()

if __name__ == "__main__":
    main()
"""


@pytest.mark.parametrize("layer", ["omp", "tbb", "workqueue"])
def test_threads_and_forked_pools_beside_anothers_parallel_function_get_the_serial_bits(layer):
    lines = run(BESIDE, layer, NUMBA_THREADING_LAYER=layer, NUMBA_NUM_THREADS="8")
    if lines == ["absent"]:
        pytest.skip(f"numba's layer {layer} is not installed")


ASYNCIO = """
import asyncio, threading
import numpy as np
import numba_lstm as nl
from numba_lstm import nn
from programs_tool import LONG, done, infer, some_models, vjp

CALLS = 1500 if LONG else 200

async def main():
    loop = asyncio.get_running_loop()
    models = some_models()
    nl.set_num_threads(1)
    expected = [(infer(model), vjp(model)) for model in models]
    nl.set_num_threads(2)
    large = nn.LSTM(64, 128, seed=0)
    x = np.ones((3000, 32, 64), np.float32)
    large(x[:1])
    begun, ended = threading.Event(), threading.Event()

    def long_call():
        begun.set()
        large(x)
        ended.set()

    async def one(n):
        model, (alone, both) = models[n % 3], expected[n % 3]
        if n % 2:
            assert await loop.run_in_executor(None, infer, model) == alone
        else:
            assert await asyncio.to_thread(vjp, model) == both

    cancelled = asyncio.create_task(asyncio.to_thread(long_call))
    while not begun.is_set():
        await asyncio.sleep(0)
    cancelled.cancel()
    results = await asyncio.gather(cancelled, return_exceptions=True)
    assert isinstance(results[0], asyncio.CancelledError)
    calls = [asyncio.create_task(one(n)) for n in range(CALLS)]
    queued = asyncio.create_task(asyncio.to_thread(infer, models[0]))
    await asyncio.sleep(0)
    queued.cancel()
    await asyncio.gather(*calls)
    try:
        await asyncio.wait_for(asyncio.to_thread(large, x), 0.005)
    except TimeoutError:
        pass
    else:
        raise AssertionError("a long call was waited for")
    await one(0)
    assert queued.cancelled() and ended.wait(60)
    print(f"{CALLS} calls in asyncio's executors, 3 not waited for")

asyncio.run(main())
done()
"""


def test_asyncios_executors_get_the_serial_bits_whatever_is_cancelled():
    run(ASYNCIO, NUMBA_NUM_THREADS="2")


RELEASED = """
import ctypes, threading, time
import numpy as np
import numba_lstm as nl
from numba_lstm import nn
from programs_tool import done

def ticks_during(call):
    "How often another thread came to run in the middle half of a call."
    ticks, stop = [], False

    def tick():
        while not stop:
            ticks.append(time.perf_counter())
            time.sleep(0.001)

    thread = threading.Thread(target=tick)
    thread.start()
    begin = time.perf_counter()
    result = call()
    end = time.perf_counter()
    stop = True
    thread.join()
    quarter = (end - begin) / 4
    assert quarter > 0.02, "too short to tell"
    return sum(begin + quarter < one < end - quarter for one in ticks), result

# A call that holds the lock is noticed.
held, _ = ticks_during(lambda: ctypes.PyDLL(None).usleep(200_000))
assert held == 0
lstm = nn.LSTM(128, 256, seed=0)
x = np.ones((400, 64, 128), np.float32)
lstm.vjp(x[:1])[1](np.ones((1, 64, 256), np.float32))

def seconds_of(call):
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin

# Long enough on this machine, as far as memory goes: 400 steps take 40 to 200 ms.
while len(x) < 3200 and min(seconds_of(lambda: lstm(x)) for _ in range(2)) < 0.14:
    x = np.concatenate((x, x))
for nt in (1, 2):
    nl.set_num_threads(nt)
    inference, (y, _) = ticks_during(lambda: lstm(x))
    forward, (_, pullback) = ticks_during(lambda: lstm.vjp(x))
    backward, _ = ticks_during(lambda: pullback(y))
    print(f"on {nt} threads: {inference}, {forward} and {backward} ticks of another thread")
    assert min(inference, forward, backward) >= 10
done()
"""


def test_a_python_thread_runs_on_while_a_long_call_computes():
    run(RELEASED, NUMBA_NUM_THREADS="2")


SERIAL = """
import os, threading
import scipy.linalg, numpy as np  # with the threads of their BLAS

def threads():
    return len(os.listdir("/proc/self/task"))

before = threads()
import numba_lstm as nl
from numba_lstm import workers
from programs_tool import done, infer, some_models, trained, vjp

def serial():
    return [(infer(model), vjp(model)) for model in some_models()], trained()

assert nl.get_num_threads() == 8
nl.set_num_threads(1)
expected = serial()
assert workers._crew is None, "a crew was made"
assert threading.active_count() == 1, threading.enumerate()
assert threads() == before, f"{before} threads became {threads()}"

nl.set_num_threads(2)
assert serial() == expected
assert workers._crew is not None and threading.active_count() == 2
jobs = workers._crew.words[workers.JOB]
assert jobs > 0
nl.set_num_threads(1)
assert serial() == expected
assert workers._crew.words[workers.JOB] == jobs, "a worker was given a part"
done()
"""


@pytest.mark.skipif(not os.path.exists("/proc/self/task"), reason="this system has no /proc")
def test_on_one_thread_a_model_trains_without_any_other():
    run(SERIAL, NUMBA_NUM_THREADS="8")
