"""Times of two ways to compute the same, side by side: calls alternate, one thread each."""

from __future__ import annotations

import contextlib
import time
from statistics import median

import numba_lstm


@contextlib.contextmanager
def one_thread():
    """Hold this library, and NumPy's BLAS where threadpoolctl is installed, to one thread."""
    before = numba_lstm.get_num_threads()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(ImportError):
            from threadpoolctl import threadpool_limits

            stack.enter_context(threadpool_limits(1, user_api="blas"))
        numba_lstm.set_num_threads(1)
        stack.callback(numba_lstm.set_num_threads, before)
        yield


def side_by_side(label, ours, theirs, *, seconds=1.0, least=5):
    """Print the medians of both in milliseconds, of calls that alternate for about `seconds`."""
    found = ([], [])
    with one_thread():
        ours(), theirs()
        end = time.perf_counter() + seconds
        while time.perf_counter() < end or len(found[1]) < least:
            for times, call in zip(found, (ours, theirs), strict=True):
                begin = time.perf_counter()
                call()
                times.append(time.perf_counter() - begin)
    first, second = (1e3 * median(times) for times in found)
    print(
        f"{label}: {first:.3f} ms, the original {second:.3f} ms, ratio {first / second:.2f} "
        f"({len(found[0])} calls each, one thread)"
    )
    return first, second
