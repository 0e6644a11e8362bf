"""What is found again and what is compiled anew, and what happens where nothing can be written."""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from cache_tool import MADE, PROGRAM, cache_in, in_folder, put_microkernels, run
from lstm_tool import run_python

from numba_lstm import compile_cache


@pytest.fixture
def elsewhere(tmp_path):
    """A folder of this test's own."""
    with cache_in(tmp_path / "cache"):
        yield tmp_path / "cache"


# Which folder


@pytest.mark.parametrize(
    ("environment", "expected"),
    [
        ({"NUMBA_LSTM_CACHE_DIR": "/a/b", "NUMBA_CACHE_DIR": "/c"}, "/a/b"),
        ({"NUMBA_CACHE_DIR": "/c"}, "/c/numba_lstm"),
        ({"NUMBA_CACHE_DIR": "c"}, f"{os.getcwd()}/c/numba_lstm"),
        ({"XDG_CACHE_HOME": "/d"}, "/d/numba_lstm"),
        ({"XDG_CACHE_HOME": "not/absolute", "HOME": "/e"}, "/e/.cache/numba_lstm"),
        ({"HOME": "/e"}, "/e/.cache/numba_lstm"),
        ({"HOME": ""}, "/home/of/them/.cache/numba_lstm"),
        ({"HOME": "not/absolute"}, None),
    ],
)
@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
def test_the_environment_chooses_the_folder(monkeypatch, environment, expected):
    import pwd

    class Entry:
        pw_dir = "/home/of/them"

    monkeypatch.setattr(pwd, "getpwuid", lambda number: Entry)
    for name in ("NUMBA_LSTM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert compile_cache.cache_folder.__wrapped__() == expected


@pytest.mark.skipif(sys.platform != "linux", reason="other systems have other folders")
@pytest.mark.parametrize("home", ["/", None])
def test_without_a_home_there_is_no_folder(monkeypatch, home):
    import pwd

    def entry(number):
        if home is None:
            raise KeyError(number)
        return type("Entry", (), {"pw_dir": home})

    monkeypatch.setattr(pwd, "getpwuid", entry)
    for name in ("NUMBA_LSTM_CACHE_DIR", "NUMBA_CACHE_DIR", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", "")
    assert compile_cache.cache_folder.__wrapped__() is None


@pytest.mark.skipif(sys.platform != "linux", reason="a folder in use can be removed")
def test_where_the_current_folder_is_gone_a_relative_one_is_none(monkeypatch, tmp_path):
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setenv("NUMBA_LSTM_CACHE_DIR", "cache")
    assert compile_cache.cache_folder.__wrapped__() is None


# Files


def test_what_was_written_is_read_and_damage_is_seen(elsewhere):
    name = compile_cache.entry_name("kernel", 1)
    assert compile_cache.read(name) is None
    compile_cache.write(name, b"machine code")
    assert compile_cache.read(name) == b"machine code"
    path = elsewhere / name
    whole = path.read_bytes()
    for damaged in (whole[:-1], whole[:10], b"", whole[:-1] + b"X", b"X" + whole[1:]):
        path.write_bytes(damaged)
        assert compile_cache.read(name) is None
    assert [p.name for p in elsewhere.iterdir()] == [name]


def test_a_disk_that_is_full_leaves_no_file_and_warns_once(elsewhere, monkeypatch):
    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.warns(UserWarning, match="No space left on device.*NUMBA_LSTM_CACHE_DIR") as caught:
        compile_cache.write(compile_cache.entry_name("a"), b"x")
        compile_cache.write(compile_cache.entry_name("b"), b"x")
    assert len(caught) == 1
    assert list(elsewhere.iterdir()) == []


def test_entries_that_nothing_used_for_long_are_removed_and_nothing_else_is(elsewhere):
    elsewhere.mkdir(0o755)
    entry = compile_cache.entry_name
    days = {
        entry("used", 1): 89,
        entry("unused", 1): 91,
        f".{entry('killed', 1)}.abc.new": 2,
        f".{entry('being_written', 1)}.abc.new": 0,
        "notes.bin": 999,
        "model.safetensors": 999,
    }
    for name, age in days.items():
        (elsewhere / name).write_bytes(b"")
        os.utime(elsewhere / name, (0, time.time() - age * 24 * 3600))
    compile_cache.write(entry("new", 1), b"x")
    gone = set(days) - {path.name for path in elsewhere.iterdir()}
    assert gone == {entry("unused", 1), f".{entry('killed', 1)}.abc.new"}


def test_reading_an_entry_keeps_it(elsewhere):
    name = compile_cache.entry_name("kernel", 1)
    compile_cache.write(name, b"x")
    os.utime(elsewhere / name, (0, time.time() - 80 * 24 * 3600))
    assert compile_cache.read(name) == b"x"
    assert time.time() - (elsewhere / name).stat().st_mtime < 60


def test_an_entry_is_whole_under_its_own_name_only(elsewhere):
    names = [compile_cache.entry_name(f"microkernels_f{bits}", 1) for bits in (32, 64)]
    for name in names:
        compile_cache.write(name, name.encode())
    first, second = (elsewhere / name for name in names)
    first.rename(elsewhere / "x")
    second.rename(first)
    (elsewhere / "x").rename(second)
    assert [compile_cache.read(name) for name in names] == [None, None]


# Forks


MID_WALK = """
import os, threading, warnings
from numba import types
from numba_lstm import compile_cache
warnings.simplefilter("ignore")  # of threads and forks
begun, end = threading.Event(), threading.Event()

class Slow(types.Type):
    def __repr__(self):
        begun.set()
        end.wait(20)
        return "slow"

slow = Slow("slow")
def first():
    return slow
def second():
    return first()

def key(function):
    return compile_cache.Entries(function, (), print).key

walk = threading.Thread(target=key, args=(second,))
walk.start()
begun.wait(20)
child = os.fork()
end.set()
if child:
    os.wait()
    walk.join()
print(key(first), key(second), flush=True)
if not child:
    os._exit(0)
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no forks here")
def test_a_child_forked_in_the_middle_of_a_walk_has_the_same_keys():
    child, parent = run_python(MID_WALK).splitlines()
    assert child == parent and len(parent) == 65


# What is compiled, in processes of their own


def files(cache: Path) -> list[Path]:
    """All but the file that processes lock."""
    found = (path for path in cache.rglob("*") if path.name != "compiling.lock")
    return sorted(path for path in found if path.is_file())


def test_what_was_compiled_is_found_again(tmp_path):
    assert run(tmp_path) == (MADE, [])
    assert len(files(tmp_path)) == 4  # with the microkernels
    assert run(tmp_path) == ([], [])


def test_another_target_has_its_own_entries(tmp_path):
    put_microkernels(tmp_path)
    assert run(tmp_path)[0] == MADE
    if os.uname().machine == "x86_64":
        assert run(tmp_path, NUMBA_CPU_NAME="x86-64")[0] == MADE
    assert run(tmp_path, NUMBA_OPT="2")[0] == MADE


def test_what_was_compiled_under_options_changed_after_the_import_is_not_kept(elsewhere):
    """A program may set numba's options at any time; keys tell those of the import."""
    from numba.core import config

    from numba_lstm.jit import driver

    def made(item):
        @driver
        def changed(crew, nt, x):
            x[0] = item

        x = np.zeros(1)
        changed(1, x)
        assert x[0] == item
        return list(elsewhere.glob("changed.*"))

    before = config.LOOP_VECTORIZE
    try:
        config.LOOP_VECTORIZE = not before
        assert made(1.0) == []
    finally:
        config.LOOP_VECTORIZE = before
    assert len(made(2.0)) == 1


# Where nothing can be written


def once(warned: list[str]) -> None:
    assert len(warned) == 1 and "cannot be kept" in warned[0], warned


def test_a_folder_that_cannot_be_made_warns_once_and_leaves_nothing(tmp_path):
    # A file where the folder should be stops every user, root as well.
    (tmp_path / "file").write_text("")
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    compiled, warned = run(tmp_path / "file" / "cache", TMPDIR=str(temporary))
    assert compiled == MADE
    once(warned)
    assert (tmp_path / "file").read_text() == "" and list(temporary.iterdir()) == []


# Permissions do not bind root; they do without this capability, from the next program on.
WITHOUT_RIGHTS = """
import ctypes, os, sys
if os.geteuid() == 0:
    assert ctypes.CDLL(None).prctl(24, 1, 0, 0, 0) == 0  # PR_CAPBSET_DROP, CAP_DAC_OVERRIDE
os.execv(sys.executable, [sys.executable, "-c", os.environ["PROGRAM"]])
"""


def run_reading_only(cache: Path) -> tuple[list[str], list[str]]:
    """As `run`, where the files of the cache can be read, and nothing can be written."""
    cache.chmod(0o500)
    try:
        assert "denied" in run_python(
            WITHOUT_RIGHTS, PROGRAM=f"try:\n open({str(cache / 'x')!r}, 'w')\n"
            "except PermissionError:\n print('denied')",
        )  # fmt: skip
        out = run_python(WITHOUT_RIGHTS, PROGRAM=PROGRAM, NUMBA_LSTM_CACHE_DIR=str(cache))
    finally:
        cache.chmod(0o700)
    compiled, warned = json.loads(out)
    return compiled, warned


@pytest.mark.skipif(sys.platform != "linux", reason="Linux's capabilities")
def test_a_full_cache_is_read_where_it_cannot_be_written(tmp_path):
    cache = tmp_path / "cache"
    put_microkernels(cache)
    run(cache)
    before = files(cache)
    for path in before:
        os.utime(path, (0, 0))  # nor can it be told that they are in use
    assert run_reading_only(cache) == ([], [])
    assert files(cache) == before
    for path in cache.glob("halve.*"):
        path.unlink()
    before = files(cache)
    compiled, warned = run_reading_only(cache)
    assert compiled == MADE[1:]
    once(warned)
    assert files(cache) == before


@pytest.mark.skipif(sys.platform == "win32", reason="HOME means nothing there")
@pytest.mark.parametrize(
    "home, temporary", [("/dev/null", "absent"), ("relative/folder", "present")]
)
def test_a_home_that_is_no_folder_warns_once_and_works(tmp_path, home, temporary):
    (tmp_path / "present").mkdir()
    unset = {"NUMBA_CACHE_DIR": "", "XDG_CACHE_HOME": "", "HOME": home}
    compiled, warned = run("", TMPDIR=str(tmp_path / temporary), **unset)
    assert compiled == MADE
    once(warned)
    assert list(tmp_path.iterdir()) == [tmp_path / "present"] and not Path("relative").exists()
    assert list((tmp_path / "present").iterdir()) == []


# Entries in each other's places

DRIVERS = """
import numpy as np
from numba_lstm import jit
from numba_lstm.jit import driver
jit.on_compile(print)

@driver
def added(crew, nt, x, out):
    out[0] = x[0] + x[1]

@driver
def subtracted(crew, nt, x, out):
    out[0] = x[0] - x[1]

x, out = np.array([5.0, 3.0]), np.empty(1)
for function in (added, subtracted):
    function(1, x, out)
    print(*out)
"""


def test_an_entry_in_the_place_of_another_of_the_same_types_is_not_run(tmp_path):
    put_microkernels(tmp_path / "cache")
    assert in_folder(tmp_path, DRIVERS).split() == ["added", "8.0", "subtracted", "2.0"]
    (first,), (second,) = (
        (tmp_path / "cache").glob(f"{name}.*") for name in ("added", "subtracted")
    )
    data = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(data)
    assert in_folder(tmp_path, DRIVERS).split() == ["added", "8.0", "subtracted", "2.0"]
    assert in_folder(tmp_path, DRIVERS).split() == ["8.0", "2.0"]


# What numba is given

TUPLES = """
import sys
from collections import namedtuple
import numpy as np
from numba_lstm import jit
from numba_lstm.jit import driver
jit.on_compile(print)
Pair = namedtuple("Pair", FIELDS)
Pair.__module__ = "kinds"
kinds = type(sys)("kinds")
kinds.Pair = Pair
sys.modules["kinds"] = kinds

@driver
def difference(crew, nt, pair, out):
    for q in range(nt):
        out[q] = pair.x - pair.y

out = np.empty(1)
difference(1, Pair(5.0, 3.0), out)
print(*out)
"""


def test_an_argument_whose_class_has_other_fields_or_is_gone_costs_a_compile(tmp_path):
    def difference(fields: str, program: str = TUPLES) -> list[str]:
        return in_folder(tmp_path, program.replace("FIELDS", fields)).split()

    put_microkernels(tmp_path / "cache")
    assert difference("'x y'") == ["difference", "2.0"]
    assert difference("'x y'") == ["2.0"]
    assert difference("'y x'") == ["difference", "-2.0"]
    # Under the same name, but not where the entry looks for it.
    gone = TUPLES.replace("kinds.Pair = Pair", "kinds.Other = Pair")
    assert difference("'x y'", gone) == ["difference", "2.0"]
    # The entry finds another class of that name.
    other = TUPLES.replace("kinds.Pair = Pair", "kinds.Pair = namedtuple('Pair', 'x y')")
    assert difference("'x y'", other) == ["difference", "2.0"]


def test_a_driver_of_unknown_things_is_compiled_in_memory_with_a_warning(elsewhere):
    thing = object()

    def driver(nt, x):
        return thing

    missing = []
    with pytest.warns(UserWarning, match=r"driver is compiled anew in each process.*object"):
        entries = compile_cache.Entries(driver, (), missing.append)
    assert entries.key == ""
    entries.save_overload((), None)
    assert not elsewhere.exists()
