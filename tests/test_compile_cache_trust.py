"""The cache reads and writes what is its user's own only, and its users take turns."""

from __future__ import annotations

import os
import select
import stat
import subprocess
import sys
import time

import harm_tool
import pytest
from cache_tool import cache_in
from cli_tool import environment

from numba_lstm import compile_cache


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of this test's own."""
    with cache_in(tmp_path / "cache"):
        yield tmp_path / "cache"


posix_only = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX owners and modes")


@posix_only
def test_a_folder_that_others_may_write_to_is_not_used_with_one_warning(elsewhere):
    name = compile_cache.entry_name("kernel", 1)
    compile_cache.write(name, b"x")
    elsewhere.chmod(0o777)
    with pytest.warns(UserWarning) as caught:
        assert compile_cache.read(name) is None
        compile_cache.write(compile_cache.entry_name("kernel", 2), b"x")
        assert compile_cache.read(name) is None
    (warning,) = caught
    text = str(warning.message)
    owner = f"{elsewhere}: owner"
    for part in (owner, f"({os.geteuid()})", "mode 0777", "NUMBA_LSTM_CACHE_DIR", "chmod go-w"):
        assert part in text
    assert [path.name for path in elsewhere.iterdir()] == [name]


@posix_only
def test_an_entry_that_others_may_write_to_is_made_anew_with_one_warning(elsewhere):
    name = compile_cache.entry_name("kernel", 1)
    compile_cache.write(name, b"x")
    (elsewhere / name).chmod(0o666)
    with pytest.warns(UserWarning, match="0666") as caught:
        assert compile_cache.read(name) is None
        compile_cache.write(name, b"y")
        assert compile_cache.read(name) == b"y"
    assert len(caught) == 1


@posix_only
@pytest.mark.parametrize("mask", [0, 0o002])
def test_whatever_the_umask_is_only_the_user_may_write(elsewhere, mask, recwarn):
    name = compile_cache.entry_name("kernel", 1)
    before = os.umask(mask)
    try:
        compile_cache.write(name, b"x")
    finally:
        os.umask(before)
    assert stat.S_IMODE(elsewhere.stat().st_mode) == 0o755
    assert stat.S_IMODE((elsewhere / name).stat().st_mode) == 0o644
    assert compile_cache.read(name) == b"x" and not recwarn.list


@posix_only
@pytest.mark.parametrize(
    "how",
    [harm_tool._put_fifo, harm_tool._link_to_the_same],
    ids=harm_tool.name,
)
def test_what_is_no_ordinary_file_is_not_waited_for_and_not_written_through(elsewhere, how):
    names = [compile_cache.entry_name("kernel", number) for number in range(2)]
    for name in names:
        compile_cache.write(name, b"x")
    whole = (elsewhere / names[0]).read_bytes()
    harm_tool.damage(elsewhere / names[0], how, 0)
    assert harm_tool.in_time(lambda: compile_cache.read(names[0])) is None
    compile_cache.write(names[0], b"y")
    assert compile_cache.read(names[0]) == b"y"
    linked = elsewhere.parent / "elsewhere"
    assert not linked.exists() or linked.read_bytes() == whole


# Turns


def entered_at_once(name: str) -> bool:
    before = time.monotonic()
    with compile_cache.turn(name):
        return time.monotonic() - before < 1


def test_a_turn_is_for_one_process(elsewhere):
    pytest.importorskip("fcntl")
    program = """
import sys
from numba_lstm import compile_cache
with compile_cache.turn("kernel"):
    print("inside", flush=True)
    sys.stdin.readline()
"""
    with compile_cache.turn("kernel"):
        assert sorted(path.name for path in elsewhere.iterdir()) == ["compiling.lock"]
        other = subprocess.Popen(
            [sys.executable, "-c", program], text=True, stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, env=environment(),
        )  # fmt: skip
        assert select.select([other.stdout], [], [], 3)[0] == []
    assert other.stdout.readline() == "inside\n"
    other.communicate("\n")
    assert other.returncode == 0


@posix_only
@pytest.mark.parametrize("where", ["none", "open to all", "a file"])
def test_where_nothing_can_be_kept_a_turn_is_had_at_once_and_nothing_is_said(
    elsewhere, monkeypatch, where, recwarn
):
    if where == "none":
        monkeypatch.setattr(compile_cache, "cache_folder", lambda: None)
    elif where == "open to all":
        elsewhere.mkdir()
        elsewhere.chmod(0o777)
    else:
        elsewhere.write_text("")
    assert entered_at_once("kernel")
    assert not elsewhere.is_dir() or list(elsewhere.iterdir()) == []
    assert not recwarn.list


def test_a_process_that_could_keep_nothing_makes_nobody_wait(elsewhere, monkeypatch):
    monkeypatch.setattr(compile_cache, "_warned", True)
    assert entered_at_once("kernel") and not elsewhere.exists()
