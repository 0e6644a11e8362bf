"""Files of the cache that others could have written, or that are no files, do no harm."""

from __future__ import annotations

import contextlib
import json
import os
import random
import signal
import stat
import sys
import tempfile
from pathlib import Path

import harm_tool
import pytest
from cache_tool import MADE, run
from harm_tool import ALL, CHANGES, KINDS, RIGHTS
from lstm_tool import run_python

from numba_lstm import _entries

pytestmark = pytest.mark.skipif(
    sys.platform == "win32", reason="owners, modes and kinds of files as POSIX has them"
)
LONG = os.environ.get("NUMBA_LSTM_LONG", "0") not in ("", "0")
AS_ROOT = hasattr(os, "geteuid") and os.geteuid() == 0
root_only = pytest.mark.skipif(not AS_ROOT, reason="only root can give files away")


@pytest.fixture(autouse=True)
def soon():
    """No test here hangs."""

    def stop(number, frame):
        raise harm_tool.Hangs

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(3000 if LONG else 120)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, before)


@pytest.fixture
def cache(tmp_path):
    folder = tmp_path / "above" / "cache"
    _entries.write_file(str(folder / "a.bin"), b"content")
    return folder


@contextlib.contextmanager
def umask(mask: int):
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)


def mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


def read(path: Path, most: int = 1000) -> bytes:
    return _entries.read_file(str(path), most)[0]


# Digests


def test_what_was_sealed_under_a_name_is_not_taken_under_another():
    sealed = _entries.seal("a", b"data")
    assert _entries.unseal("a", sealed) == b"data"
    assert _entries.unseal("b", sealed) is None
    # Where the name ends is a part of it.
    assert _entries.unseal("ad", _entries.seal("a", b"ata")[:32] + b"ata") is None
    for damaged in (b"", sealed[:31], sealed[:-1], sealed + b"x", b"x" + sealed[1:]):
        assert _entries.unseal("a", damaged) is None
    assert _entries.unseal("a", _entries.seal("a", b"")) == b""


# Who could have written it


def refused(path: Path) -> OSError:
    """The error on reading an entry; its folder is not written to either."""
    with pytest.raises(_entries.Untrusted) as caught:
        read(path)
    return caught.value


@pytest.mark.parametrize("bits", [0o777, 0o775, 0o757, 0o1777, 0o720])
def test_a_folder_that_others_may_write_to_is_neither_read_nor_written(cache, bits):
    cache.chmod(bits)
    error = refused(cache / "a.bin")
    assert error.filename == str(cache) and f"mode {bits:04o}" in error.strerror
    with pytest.raises(_entries.Untrusted):
        _entries.write_file(str(cache / "b.bin"), b"more")
    assert os.listdir(cache) == ["a.bin"]
    cache.chmod(0o755)
    assert read(cache / "a.bin") == b"content"


@pytest.mark.parametrize("bits", [0o666, 0o664, 0o646])
def test_a_file_that_others_may_write_to_is_not_read_and_is_replaced(cache, bits):
    (cache / "a.bin").chmod(bits)
    error = refused(cache / "a.bin")
    assert error.filename == str(cache / "a.bin") and f"mode {bits:04o}" in error.strerror
    _entries.write_file(str(cache / "a.bin"), b"anew")
    assert mode(cache / "a.bin") == 0o644 and read(cache / "a.bin") == b"anew"


@root_only
@pytest.mark.parametrize("what", ["", "a.bin"])
def test_what_belongs_to_somebody_else_is_not_read(cache, what):
    os.chown(cache / what, 1000, -1)
    error = refused(cache / "a.bin")
    assert error.filename == str(cache / what) and "1000" in error.strerror


def test_another_user_does_not_read_what_is_mine_unless_i_am_root(cache, monkeypatch):
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    if os.getuid() == 0:
        assert read(cache / "a.bin") == b"content"
    else:
        refused(cache / "a.bin")


@root_only
def test_what_root_wrote_is_read_by_another_user():
    program = """
import os, sys
from numba_lstm import _entries
path = sys.argv[1]
_entries.write_file(path, b"content")
if os.fork() == 0:
    os.setuid(1000)
    print(_entries.read_file(path, 10))
"""
    with tempfile.TemporaryDirectory() as open_to_all:  # the tests' own folders are root's alone
        os.chmod(open_to_all, 0o755)
        out = run_python(program.replace("sys.argv[1]", repr(f"{open_to_all}/cache/a.bin")))
    assert "b'content'" in out


# What leads to the folder


def test_a_folder_above_that_all_may_write_to_needs_the_sticky_bit(cache):
    cache.parent.chmod(0o1777)
    assert read(cache / "a.bin") == b"content"
    cache.parent.chmod(0o777)
    assert refused(cache / "a.bin").filename == str(cache.parent)
    with pytest.raises(_entries.Untrusted):
        _entries.make_folder(str(cache.parent / "new" / "cache"))
    assert os.listdir(cache.parent) == ["cache"]
    cache.parent.chmod(0o775)  # a home of a group of one, under umask 002
    assert read(cache / "a.bin") == b"content"


@root_only
def test_where_all_may_write_somebody_else_s_folder_is_not_gone_through(cache):
    os.chown(cache.parent, 1000, -1)
    assert read(cache / "a.bin") == b"content"
    cache.parent.parent.chmod(0o1777)
    assert refused(cache / "a.bin").filename == str(cache.parent)


@pytest.mark.parametrize("target", ["above/cache", "./above/../above/cache", "ABSOLUTE"])
def test_links_of_one_s_own_are_followed(cache, tmp_path, target):
    link, second = tmp_path / "link", tmp_path / "second"
    link.symlink_to(target if target != "ABSOLUTE" else cache)
    second.symlink_to("link")
    assert read(second / "a.bin") == b"content"
    _entries.write_file(str(second / "b.bin"), b"more")
    assert (cache / "b.bin").read_bytes() == b"more" and second.is_symlink()
    (tmp_path / "cache").mkdir()  # where second/.. leads is above
    assert read(second / ".." / "cache" / "a.bin") == b"content"
    (tmp_path / "cache").chmod(0o777)
    assert read(second / ".." / "cache" / "a.bin") == b"content"
    cache.parent.chmod(0o777)
    assert refused(second / "a.bin").filename == str(cache.parent)


@root_only
def test_somebody_else_s_link_is_not_followed(cache, tmp_path):
    (tmp_path / "theirs").symlink_to("above")
    (tmp_path / "mine").symlink_to("theirs/cache")
    assert read(tmp_path / "mine" / "a.bin") == b"content"
    os.chown(tmp_path / "theirs", 1000, -1, follow_symlinks=False)
    assert refused(tmp_path / "mine" / "a.bin").filename == str(tmp_path / "theirs")


def test_what_leads_nowhere_is_an_error_of_the_system(cache, tmp_path):
    (tmp_path / "circle").symlink_to("circle")
    (tmp_path / "nowhere").symlink_to("nothing")
    for folder in ("circle", "nowhere", "absent", "above/cache/a.bin"):
        with pytest.raises(OSError) as caught:
            read(tmp_path / folder / "a.bin")
        assert not isinstance(caught.value, _entries.Untrusted)
        if folder != "absent":
            with pytest.raises(OSError):
                _entries.make_folder(str(tmp_path / folder))


# Modes


@pytest.mark.parametrize(
    "mask, folders, files",
    [(0, 0o755, 0o644), (0o002, 0o755, 0o644), (0o022, 0o755, 0o644), (0o077, 0o700, 0o600)],
)
def test_what_is_made_is_never_open_to_others_for_writing(tmp_path, mask, folders, files):
    cache = tmp_path / "a" / "b" / "cache"
    with umask(mask):
        _entries.write_file(str(cache / "a.bin"), b"x")
    for folder in (cache, *cache.parents[:2]):
        assert mode(folder) == folders
    assert mode(cache / "a.bin") == files
    assert read(cache / "a.bin") == b"x"


# Kinds of files, and sizes


def test_a_file_that_is_larger_than_it_may_be_is_not_read(cache):
    assert read(cache / "a.bin", 7) == b"content"
    with pytest.raises(OSError, match="large"):
        read(cache / "a.bin", 6)


@pytest.mark.parametrize("how", KINDS, ids=harm_tool.name)
def test_what_is_no_ordinary_file_is_not_waited_for_and_not_written_through(cache, how):
    (cache / "other.bin").write_bytes(b"other")
    harm_tool.damage(cache / "a.bin", how, 0)
    if how is harm_tool._link_hard_to_another:
        assert read(cache / "a.bin") == b"other"
    else:
        with pytest.raises(OSError):
            read(cache / "a.bin")
    if how is harm_tool._put_folder:
        with pytest.raises(IsADirectoryError):
            _entries.write_file(str(cache / "a.bin"), b"anew")
        return
    _entries.write_file(str(cache / "a.bin"), b"anew")
    assert read(cache / "a.bin") == b"anew"
    assert (cache / "other.bin").read_bytes() == b"other"
    assert not (cache / "nothing").exists()
    if how is harm_tool._link_to_the_same:
        assert (cache.parent / "elsewhere").read_bytes() == b"content"


# Real entries, damaged


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    """A cache of four entries: two drivers, and the microkernels of both dtypes."""
    cache = tmp_path_factory.mktemp("filled") / "cache"
    assert run(cache) == (MADE, [])
    assert len(harm_tool.entries(cache)) == 4
    return cache


def copied(filled: Path, tmp_path: Path) -> Path:
    cache = tmp_path / "cache"
    cache.mkdir(0o755)
    for path in harm_tool.entries(filled):
        (cache / path.name).write_bytes(path.read_bytes())
        (cache / path.name).chmod(0o644)
    return cache


@pytest.mark.skipif(sys.platform != "linux", reason="the memory's bound")
def test_no_damaged_entry_is_read_and_each_is_replaced(filled, tmp_path, capsys):
    cache = copied(filled, tmp_path)
    turns = 100 if LONG else 2
    program = f"import json, harm_tool\nprint(json.dumps(harm_tool.sweep({str(cache)!r}, {turns})))"
    counts = json.loads(run_python(program, timeout=900, NUMBA_LSTM_CACHE_DIR=str(cache)))
    assert all(counts.values()), counts
    with capsys.disabled():
        print(f"\n{sum(counts.values())} damaged entries in {len(counts)} ways: none was read")


def drivers(paths: list[Path]) -> list[str]:
    return [name for name in MADE if any(path.name.startswith(f"{name}.") for path in paths)]


def damaged_and_run(filled: Path, folder: Path, plan: dict[int, harm_tool.Damage], seed: int):
    """Run a program whose cache was damaged, and once more."""
    cache = copied(filled, folder)
    before = harm_tool.entries(cache)
    hurt = [before[number] for number in plan]
    for number, how in plan.items():
        harm_tool.damage(before[number], how, seed)
    compiled, warned = run(cache)
    told = [harm_tool.name(how) for how in plan.values()]
    assert compiled == drivers(hurt), told
    assert len(warned) <= 1, warned
    kept = [path for path in hurt if path.is_file() and not path.is_symlink()]
    again, warned = run(cache)
    assert again == drivers([path for path in hurt if path not in kept]), told
    assert bool(warned) <= (len(kept) < len(hurt)), warned


@pytest.mark.parametrize(
    "ways",
    [
        [harm_tool._swap, harm_tool._flip, harm_tool._swap, harm_tool._put_fifo],
        [harm_tool._link_to_a_device, harm_tool._open_to_all, harm_tool._make_holes,
         harm_tool._put_folder],
    ],
)  # fmt: skip
def test_a_program_with_damaged_entries_is_right_with_one_warning_at_most(filled, tmp_path, ways):
    damaged_and_run(filled, tmp_path, dict(enumerate(ways)), 0)


@pytest.mark.skipif(not LONG, reason="NUMBA_LSTM_LONG=1 runs it: 96 caches, 2 processes each")
def test_each_entry_damaged_in_each_way_costs_a_compile_at_most(filled, tmp_path, capsys):
    rng = random.Random(0)
    ways = [*ALL, *(rng.choice(CHANGES + RIGHTS) for _ in range(24 - len(ALL)))]
    for number in range(4):
        for seed, how in enumerate(ways):
            folder = tmp_path / f"{number} {seed}"
            folder.mkdir()
            damaged_and_run(filled, folder, {number: how}, seed)
    with capsys.disabled():
        print(f"\n{4 * len(ways)} damaged entries, end to end: all right")
