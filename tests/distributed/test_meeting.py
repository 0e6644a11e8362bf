"""The first message: other versions and other sources are refused by their ranks' numbers."""

from __future__ import annotations

import time

import pytest
from ranks_tool import errors, in_threads

import numba_lstm
from numba_lstm.distributed import Alone, meeting


@pytest.fixture
def words(monkeypatch):
    """What each rank says, by its number; set it as a list of (version, digest, folder)."""
    said: list[tuple[str, str, str]] = []
    real = meeting._exchanged

    def exchanged(group, mine):
        if said:
            mine = "".join(f"{one}\n" for one in said[group.rank]).encode()
        return real(group, mine)

    monkeypatch.setattr(meeting, "_exchanged", exchanged)
    return said


def test_the_same_package_meets(words):
    meeting.meet(Alone())
    assert in_threads(3, meeting.meet) == [None] * 3
    words += [("1.0", "abc", "/node/0"), ("1.0", "abc", "/node/1")]  # folders may differ
    assert in_threads(2, meeting.meet) == [None] * 2


def test_another_version_is_refused_on_all_ranks_whatever_else_its_message_holds(words):
    words += [("1.0", "abc", "/here"), ("1.0", "abc", "/here"), ("2.0", "abc", "")]
    told = "expected the same on all ranks, got 1.0 on ranks 0-1 and 2.0 on rank 2"
    found = errors(in_threads(3, meeting.meet))
    assert found == [f"DistributedError: version of numba_lstm: {told}"] * 3


def test_other_sources_of_the_same_version_are_refused_with_their_folders(words):
    words += [("1.0", "abc", "/a"), ("1.0", "xyz", "/b"), ("1.0", "abc", "/c")]
    name = f"source files of numba_lstm {numba_lstm.__version__}"
    has = "abc (in /a) on ranks 0, 2 and xyz (in /b) on rank 1"
    words = f"DistributedError: {name}: expected the same on all ranks, got {has}"
    assert errors(in_threads(3, meeting.meet)) == [words] * 3


def test_the_digest_follows_from_names_and_contents_of_python_files(tmp_path):
    def digest():
        meeting.digest_of_sources.cache_clear()
        return meeting.digest_of_sources(tmp_path)

    (tmp_path / "room").mkdir()
    (tmp_path / "room" / "a.py").write_text("x = 1\n")
    (tmp_path / "b.py").write_text("")
    seen = [digest()]
    (tmp_path / "room" / "a.pyc").write_text("bytecode")
    assert digest() == seen[0]
    (tmp_path / "room" / "a.py").write_text("x = 2\n")
    seen.append(digest())
    (tmp_path / "room" / "a.py").rename(tmp_path / "room" / "c.py")
    seen.append(digest())
    (tmp_path / "b.py").unlink()
    seen.append(digest())
    assert len(set(seen)) == 4
    (tmp_path / "room" / ".#c.py").symlink_to("nobody@nowhere")  # as Emacs leaves
    (tmp_path / "room" / "again").symlink_to(tmp_path)
    assert digest() == seen[-1]
    assert len(meeting.digest_of_sources(tmp_path / "none")) == 12
    meeting.digest_of_sources.cache_clear()


def test_the_digest_is_cheap_and_taken_once():
    took = []
    for _ in range(5):
        meeting.digest_of_sources.cache_clear()
        began = time.perf_counter()
        first = meeting.digest_of_sources()
        took.append(time.perf_counter() - began)
    assert min(took) < 0.1  # 5 to 10 ms where nothing else runs
    assert meeting.digest_of_sources() is first


def test_a_message_has_its_size_however_long_the_folders_name_is(monkeypatch):
    monkeypatch.setattr(meeting, "_PACKAGE", "/" + "ö" * 1000)
    mine = meeting._mine()
    assert len(mine) <= 512 and mine.startswith(f"{numba_lstm.__version__}\n".encode())
    assert in_threads(2, meeting.meet) == [None] * 2
