"""Plans on disk: read where they are whole and ours, merged, and never a reason to fail."""

from __future__ import annotations

import json
import os
import random
import stat
import subprocess
import sys
from pathlib import Path

import harm_tool
import pytest
from plans_tool import measured

from numba_lstm.plans import store, switch
from numba_lstm.plans.tuner import Known

LONG = os.environ.get("NUMBA_LSTM_LONG", "0") not in ("", "0")
KNOWN = Known("rows:1 fused", "rows:2 fused", 1e-4, 2e-4, 1)


@pytest.fixture(autouse=True)
def folder(tmp_path):
    with measured(tmp_path / "cache"):
        yield tmp_path / "cache"


def forget(monkeypatch):
    """As another process begins."""
    monkeypatch.setattr(store, "_read", None)
    monkeypatch.setattr(store, "_new", {})
    monkeypatch.setattr(store, "_saved_at", -1e9)


def test_what_is_kept_is_found_by_the_next_process(monkeypatch):
    assert store.find("a") is None
    store.keep("a", KNOWN)
    assert store.find("a") == KNOWN
    store.save()
    forget(monkeypatch)
    assert store.find("a") == KNOWN and store.find("b") is None
    assert store.entries() == {"a": KNOWN}


def test_it_is_written_at_once_then_at_most_every_half_minute_and_at_the_end(monkeypatch):
    monkeypatch.setattr(store, "_saved_at", -1e9)
    store.keep("a", KNOWN)
    assert set(store.entries()) == {"a"}
    store.keep("b", KNOWN)
    assert set(store.entries()) == {"a"}
    store.save()
    assert set(store.entries()) == {"a", "b"}


def test_what_other_processes_wrote_meanwhile_stays(folder):
    program = f"""
import sys
from plans_tool import measured
from numba_lstm.plans import store
from numba_lstm.plans.tuner import Known
with measured({str(folder)!r}):
    store.find("nothing")  # read before the others write
    print("ready", flush=True)
    sys.stdin.readline()
    for n in range(20):
        store._saved_at = -1e9
        store.keep(f"{{sys.argv[1]}} {{n}}", Known("p", "r", 1e-4, 2e-4, 1))
    store.save(60.0)
"""
    tests = Path(__file__).parents[1]
    path = os.pathsep.join([str(tests / "tools"), str(tests.parent)])
    started = [
        subprocess.Popen(
            [sys.executable, "-c", program, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True, env={**os.environ, "PYTHONPATH": path},
        )
        for name in "ab"
    ]  # fmt: skip
    for one in started:
        assert one.stdout.readline() == "ready\n"
    for one in started:
        one.stdin.write("\n")
        one.stdin.flush()
    for one in started:
        one.communicate(timeout=60)
        assert one.returncode == 0
    assert set(store.entries()) == {f"{name} {n}" for name in "ab" for n in range(20)}


def write(content):
    path = Path(store.path())
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))


def whole(**plans):
    return {"machine": store.machine(), "plans": {"good": list(KNOWN), **plans}}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "{",
        "[" * 100_000,
        "[1]",
        "null",
        "\x00\xff",
        {},
        {"machine": None, "plans": {"a": list(KNOWN)}},
        {"machine": {"cpu": "another"}, "plans": {"a": list(KNOWN)}},
        {"plans": {"a": list(KNOWN)}},
    ],
)
def test_a_file_that_is_none_of_ours_is_not_heeded_and_is_replaced(content, monkeypatch):
    write(content)
    assert store.entries() == {} and store.find("a") is None
    store.keep("b", KNOWN)
    store.save()
    assert store.entries() == {"b": KNOWN}


@pytest.mark.parametrize(
    "entry",
    [
        None,
        [],
        "rows:1",
        [*KNOWN, 1],
        list(KNOWN._replace(plan=3)),
        list(KNOWN._replace(plan="x" * 1000)),
        list(KNOWN._replace(time=-1.0)),
        list(KNOWN._replace(time=float("nan"))),
        list(KNOWN._replace(rule_time=float("inf"))),
        list(KNOWN._replace(time=True)),
        list(KNOWN._replace(time=10**400)),
        list(KNOWN._replace(checks=0)),
        list(KNOWN._replace(checks=1.5)),
    ],
)
def test_a_malformed_entry_is_left_out(entry):
    write(whole(bad=entry))
    assert store.entries() == {"good": KNOWN}


def test_a_huge_file_is_not_read(monkeypatch):
    write(whole(**{f"{n}": list(KNOWN) for n in range(100)}))
    assert len(store.entries()) == 101
    monkeypatch.setattr(store, "_MOST_BYTES", 1000)
    assert store.entries() == {}


def test_of_many_entries_the_last_are_kept(monkeypatch):
    monkeypatch.setattr(store, "MOST", 3)
    for name in "abcda":
        store.keep(name, KNOWN)
        store.save()
    assert list(store.entries()) == ["c", "d", "a"]


def test_where_nothing_can_be_written_or_read_nothing_is_said(folder, monkeypatch, recwarn):
    folder.parent.joinpath("cache").write_text("a file where the folder should be")
    store.keep("a", KNOWN)
    store.save()
    assert store.entries() == {} and store.find("a") == KNOWN
    monkeypatch.setattr(store, "folder", lambda: None)
    store.save()
    assert store.path() is None and store.entries() == {}
    assert not recwarn.list


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write")
def test_a_folder_that_can_only_be_read_is_read(folder, monkeypatch):
    store.keep("a", KNOWN)
    store.save()
    forget(monkeypatch)
    folder.chmod(stat.S_IRUSR | stat.S_IXUSR)
    store.keep("b", KNOWN)
    store.save()
    assert store.entries() == {"a": KNOWN}


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX owners and modes")
def test_what_others_could_have_written_is_neither_read_nor_written_in_silence(folder, recwarn):
    write(whole())
    assert store.entries() == {"good": KNOWN}
    before = Path(store.path()).read_text()
    for path, bits in ((Path(store.path()), 0o666), (folder, 0o777)):
        usual = stat.S_IMODE(path.stat().st_mode)
        path.chmod(bits)
        assert store.entries() == {}, path
        if path == folder:
            store.keep("a", KNOWN)
            store.save()
            assert Path(store.path()).read_text() == before
        path.chmod(usual)
    assert not recwarn.list


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="POSIX owners and modes")
def test_whatever_the_umask_is_only_the_user_may_write(folder, monkeypatch):
    before = os.umask(0)
    try:
        store.keep("a", KNOWN)
        store.save()
    finally:
        os.umask(before)
    assert stat.S_IMODE(folder.stat().st_mode) == 0o755
    assert stat.S_IMODE(os.stat(store.path()).st_mode) == 0o644
    assert store.entries() == {"a": KNOWN}


@pytest.mark.skipif(sys.platform == "win32", reason="kinds of files as POSIX has them")
@pytest.mark.parametrize("how", harm_tool.KINDS, ids=harm_tool.name)
def test_what_is_no_ordinary_file_is_not_waited_for_and_not_written_through(folder, how):
    write(whole())
    path, other = Path(store.path()), folder / "other.bin"
    other.write_bytes(b"other")
    content = path.read_bytes()
    harm_tool.damage(path, how, 0, other)
    assert harm_tool.in_time(store.entries) == {}
    store.keep("a", KNOWN)
    store.save()
    assert store.entries() == ({} if path.is_dir() else {"a": KNOWN})
    assert other.read_bytes() == b"other" and not (folder / "nothing").exists()
    elsewhere = folder.parent / "elsewhere"
    assert not elsewhere.exists() or elsewhere.read_bytes() == content


def test_damage_is_never_an_error_and_never_more_than_another_known_plan(folder):
    rng = random.Random(0)
    write(whole(**{f"{n}": list(KNOWN) for n in range(3)}))
    content = Path(store.path()).read_bytes()
    read = 0
    for _ in range(20_000 if LONG else 500):
        data = bytearray(content)
        for _ in range(rng.randrange(1, 4)):
            data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
        Path(store.path()).write_bytes(data[: rng.choice([len(data), rng.randrange(len(data))])])
        found = store.entries()
        assert all(type(known) is Known and 0 < known.time < 1e6 for known in found.values())
        read += bool(found)
    assert read, "no damage was read: the test tries too much at once"


def test_switched_off_nothing_is_read_or_written(monkeypatch, folder):
    write(whole())
    monkeypatch.setattr(switch, "on", False)
    assert store.find("good") is None
    store.keep("a", KNOWN)
    store._new["a"] = KNOWN
    store.save()
    monkeypatch.setattr(switch, "on", True)
    assert store.entries() == {"good": KNOWN}


def test_a_file_is_for_one_machine_and_one_meaning_of_names(monkeypatch):
    paths = {store.path()}
    for change in ({"format": store.FORMAT + 1}, {"cpus": 3}, {"cpu": "other"}, {"l2": 1}):
        machine = {**store.machine(), **change}
        with monkeypatch.context() as patch:
            patch.setattr(store, "machine", lambda machine=machine: machine)
            paths.add(store.path())
    assert len(paths) == 5
