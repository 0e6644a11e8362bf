"""Children of forks that have to end, and something small that they compute.

It imports nothing of numba's or this package's by itself: forks may come before that.
"""

from __future__ import annotations

import os
import signal
import sys
import traceback
from collections.abc import Callable
from typing import Any


def child(work: Callable[[], Any], seconds: int = 60) -> int:
    """Fork; the child calls `work` and ends. One that hangs is killed by its alarm."""
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            signal.alarm(seconds)
            work()
            status = 0
        except BaseException:
            traceback.print_exc()
            sys.stderr.flush()
        finally:
            os._exit(status)
    return pid


def wait(pid: int) -> None:
    """Have a child end; it must have done its work."""
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert code == 0, f"the child ended with {code}"


def compute(_: Any = None) -> None:
    """Pack weights and take them out again, on two threads."""
    import numpy as np

    from numba_lstm.kernels import pack
    from numba_lstm.simd import TARGET

    w = np.arange(40, dtype="f4").reshape(8, 5)
    out = np.empty(pack.packed_rows_shape(1, 8, 5, TARGET.lanes(4)), "f4")
    back = np.zeros_like(w)
    pack.pack_rows(2, w, 1, pack.PLAIN, 0, out)
    pack.unpack_rows(2, out, 1, pack.PLAIN, 0, False, back)
    assert np.array_equal(back, w)
