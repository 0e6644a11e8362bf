"""One process at a time for a name, and none that waits for ever."""

from __future__ import annotations

import os
import select
import signal
import stat
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from lstm_tool import ROOT

from numba_lstm import _turns

pytest.importorskip("fcntl")
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(ROOT)}

# Waits for its turn, says so, and leaves when it is told to.
HOLDER = """
import sys
from numba_lstm import _turns
path, name = sys.argv[1:]
with _turns.turn(path, name) as held:
    print(held, flush=True)
    sys.stdin.readline()
print("left", flush=True)
sys.stdin.readline()
"""


@pytest.fixture(autouse=True)
def file(tmp_path, monkeypatch):
    """A file to lock; this process has locked none."""
    monkeypatch.setattr(_turns, "_inside", {})
    monkeypatch.setattr(_turns, "_file", None)
    yield str(tmp_path / "lock")
    if _turns._file is not None:
        os.close(_turns._file[1])


def start(program: str, *args: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-c", program, *args], text=True, env=ENVIRONMENT,
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


@pytest.fixture
def holder(file):
    """Another process that has the turn for "a"."""
    with start(HOLDER, file, "a") as other:
        assert other.stdout.readline() == "True\n"
        yield other
        other.kill()


def waits(other: subprocess.Popen) -> bool:
    """Whether another process has said nothing for a while."""
    return select.select([other.stdout], [], [], 0.5)[0] == []


def taken(file: str, name: str) -> bool:
    """Whether this process would have to wait."""
    try:
        held = _turns._enter(file, _turns._byte(name))
    except BlockingIOError:
        return True
    assert held
    _turns._leave(_turns._byte(name))
    return False


# What it is for

COMPILER = """
import os, sys, time
from pathlib import Path
from numba_lstm import _turns
folder = Path(sys.argv[1])
sys.stdin.readline()
for name in ("a", "b", "c"):
    if (folder / name).exists():
        continue
    with _turns.turn(str(folder / "lock"), name):
        if (folder / name).exists():  # another process made it while this one waited
            continue
        with open(folder / "made", "a") as made:
            made.write(name)
        time.sleep(0.2)
        (folder / name).touch()
"""


def test_of_eight_processes_that_need_the_same_three_things_each_is_made_once(tmp_path):
    started = [start(COMPILER, str(tmp_path)) for _ in range(8)]
    for one in started:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in started:
        assert one.communicate(timeout=60)[1] == "" and one.returncode == 0
    assert sorted((tmp_path / "made").read_text()) == ["a", "b", "c"]


def test_other_names_are_not_waited_for(file, holder):
    assert taken(file, "a")
    before = time.monotonic()
    with _turns.turn(file, "b") as held:
        assert held
    assert time.monotonic() - before < _turns._PAUSE


# How it ends


def test_a_process_that_is_killed_leaves(file, holder):
    holder.kill()
    holder.wait()
    assert not taken(file, "a")


def test_it_waits_so_long_and_then_goes_on_alone(file, holder):
    before = time.monotonic()
    with _turns.turn(file, "a", patience=0.3) as held:
        assert not held
        assert 0.3 <= time.monotonic() - before < 5
    assert taken(file, "a")


def test_ctrl_c_ends_the_wait(file, holder):
    waiting = start(f"print('ready', flush=True)\n{HOLDER}", file, "a")
    assert waiting.stdout.readline() == "ready\n"
    time.sleep(0.5)
    waiting.send_signal(signal.SIGINT)
    out, err = waiting.communicate(timeout=10)
    assert out == "" and "KeyboardInterrupt" in err
    assert waiting.returncode not in (0, None)


def test_an_error_inside_ends_the_turn(file):
    with pytest.raises(ZeroDivisionError), _turns.turn(file, "a"):
        raise ZeroDivisionError
    with start(HOLDER, file, "a") as other:
        assert other.stdout.readline() == "True\n"
        other.kill()


# Threads and children


def test_threads_of_a_process_enter_together_and_leave_when_the_last_one_does(file):
    entered, leave = threading.Barrier(3), [threading.Event(), threading.Event()]

    def inside(number: int) -> None:
        with _turns.turn(file, "a") as held:
            assert held
            entered.wait(10)
            leave[number].wait(10)

    threads = [threading.Thread(target=inside, args=(number,)) for number in range(2)]
    for thread in threads:
        thread.start()
    entered.wait(10)
    with start(HOLDER, file, "a") as other:
        for thread, event in zip(threads, leave):
            assert waits(other), "entered while a thread was inside"
            event.set()
            thread.join()
        assert other.stdout.readline() == "True\n"
        other.kill()


def test_to_leave_one_name_leaves_no_other(file):
    """Closing a file ends all locks of a process on it."""
    with _turns.turn(file, "a"), start(HOLDER, file, "a") as other:
        with _turns.turn(file, "b"):
            pass
        assert waits(other)
        other.kill()


def test_inside_a_turn_there_is_none_at_another_file(tmp_path, file):
    """Another folder's: to open it would close this one."""
    with _turns.turn(file, "a"), start(HOLDER, file, "a") as other:
        with _turns.turn(str(tmp_path / "other"), "b") as held:
            assert not held
        assert waits(other)
        other.kill()


FORK = """
import os, sys
from numba_lstm import _turns
path = sys.argv[1]
with _turns.turn(path, "a"):
    child = os.fork()
    if child == 0:
        with _turns.turn(path, "a", patience=0.1) as held:
            print("child", held, flush=True)
        with _turns.turn(path, "b") as held:
            print("child", held, flush=True)
    else:
        os.waitpid(child, 0)
if child:
    other = os.fork()
    if other == 0:
        with _turns.turn(path, "a") as held:
            print("later", held, flush=True)
    else:
        os.waitpid(other, 0)
"""


def test_a_child_of_a_fork_has_none_of_its_parent_s_turns(file):
    out, err = start(FORK, file).communicate(timeout=30)
    assert (out, err) == ("child False\nchild True\nlater True\n", "")


# Where no lock can be had


@pytest.mark.parametrize("kind", ["fifo", "folder", "link", "no folder", "file for folder", "open"])
def test_where_the_file_is_none_of_ours_it_is_entered_at_once(tmp_path, kind):
    path = tmp_path / "lock"
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "folder":
        path.mkdir()
    elif kind == "link":
        path.symlink_to("elsewhere")
    elif kind == "open":
        path.touch()
        path.chmod(0o666)
    else:
        path = tmp_path / "absent" / "lock"
        if kind == "file for folder":
            path.parent.touch()
    before = time.monotonic()
    with _turns.turn(str(path), "a") as held:
        assert not held
    assert time.monotonic() - before < 1
    assert not (tmp_path / "elsewhere").exists()


@pytest.mark.parametrize("number", ["ENOLCK", "EACCES", "EINVAL"])
def test_where_there_are_no_locks_it_is_entered_at_once(file, monkeypatch, number):
    import errno

    def none(*args):
        raise OSError(getattr(errno, number), "no locks")

    monkeypatch.setattr(_turns.fcntl, "lockf", none)
    with _turns.turn(file, "a") as held:
        assert not held
    monkeypatch.setattr(_turns, "fcntl", None)
    with _turns.turn(file, "a") as held:
        assert not held


def test_nobody_else_can_open_the_file_and_keep_all_waiting(file):
    before = os.umask(0)
    try:
        with _turns.turn(file, "a"):
            assert stat.S_IMODE(os.stat(file).st_mode) == 0o600
    finally:
        os.umask(before)


def test_a_folder_that_was_deleted_and_made_again_has_new_turns(tmp_path):
    file = str(tmp_path / "cache" / "lock")
    Path(file).parent.mkdir(0o755)
    with _turns.turn(file, "a"):
        pass
    Path(file).unlink()
    with start(HOLDER, file, "a") as other:
        assert other.stdout.readline() == "True\n"
        assert taken(file, "a")
        other.kill()


def test_one_descriptor_stays_open(tmp_path):
    before = len(os.listdir("/dev/fd"))
    for number in range(20):
        with _turns.turn(str(tmp_path / f"{number % 2}"), str(number)) as held:
            assert held
    assert len(os.listdir("/dev/fd")) == before + 1
