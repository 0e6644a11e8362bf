"""Busy loops really run, and none is left behind, however the run ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from numba_lstm.benchmark.busy import busy_loops

linux = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
ROOT = Path(__file__).parents[2]


def alive(pid):
    """Whether a process runs; one that ended and was not waited for does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def seconds(pid):
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def gone(pids, limit=10.0):
    end = time.monotonic() + limit
    while any(map(alive, pids)) and time.monotonic() < end:
        time.sleep(0.02)
    return not any(map(alive, pids))


@linux
def test_as_many_as_asked_for_use_the_processor_until_the_block_ends():
    with busy_loops(2) as pids:
        assert len(set(pids)) == 2
        before = sum(map(seconds, pids))
        time.sleep(0.5)
        assert sum(map(seconds, pids)) - before > 0.05
    assert not any(map(alive, pids))


def test_none_are_started_where_none_are_asked_for():
    with busy_loops(0) as pids:
        assert pids == []


@linux
@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_ends_them_and_passes(error):
    with pytest.raises(error), busy_loops(1) as pids:
        raise error
    assert not any(map(alive, pids))


@linux
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_they_end_with_their_parent_however_it_ends(how):
    program = (
        "import signal, time\n"
        # Beneath nohup it would be ignored.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from numba_lstm.benchmark.busy import busy_loops\n"
        "with busy_loops(2) as pids:\n"
        "    print(*pids, flush=True)\n"
        "    time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as parent:
        pids = [int(word) for word in parent.stdout.readline().split()]
        assert len(pids) == 2 and all(map(alive, pids))
        parent.send_signal(how)
        parent.wait(timeout=30)
    assert gone(pids)


@linux
def test_our_own_loops_are_not_other_programs():
    """The watch over the machine counts what our ended children used as ours."""
    from numba_lstm.benchmark.machine import _own_seconds

    before = _own_seconds()
    with busy_loops(1) as (pid,):
        time.sleep(0.3)
        used = seconds(pid)
    assert _own_seconds() - before > used - 0.02 > 0.0
