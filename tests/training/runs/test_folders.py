"""A new run's folder belongs to one process only, however many begin at once."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pytest
from cli_tool import environment

from numba_lstm.training.runs import folders
from numba_lstm.training.runs.folders import (
    FolderTaken,
    RunError,
    claim,
    put_in_place,
    refuse_existing,
)

NAMES = ("a", "b")


def fill(folder):
    for name in NAMES:
        (folder / name).write_text("whole")


def test_a_claimed_folder_is_new_and_the_next_gets_the_next_name(tmp_path):
    made = [claim(tmp_path / "deep" / "lm") for _ in range(3)]
    assert [path.name for path in made] == ["lm", "lm-2", "lm-3"]
    assert all(path.is_dir() for path in made)


def test_threads_that_claim_at_once_get_folders_of_their_own(tmp_path):
    barrier, made = threading.Barrier(8), []

    def claim_some():
        barrier.wait()
        made.extend(claim(tmp_path / "lm") for _ in range(20))

    threads = [threading.Thread(target=claim_some) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(made)) == len(made) == 160


def test_a_file_on_the_way_is_named(tmp_path):
    (tmp_path / "runs").write_text("mine")
    with pytest.raises(RunError, match="runs is a file"):
        claim(tmp_path / "runs" / "lm")


@pytest.mark.skipif(os.name == "nt", reason="links need privileges")
def test_a_link_that_leads_nowhere_is_told_and_not_tried_for_ever(tmp_path):
    (tmp_path / "runs").symlink_to("unmounted")
    with pytest.raises(RunError, match=r"runs is a link that leads nowhere"):
        claim(tmp_path / "runs" / "lm")
    with pytest.raises(RunError, match=r"runs: expected .*, got a link that leads nowhere"):
        put_in_place(tmp_path / "runs", fill, NAMES)


def test_a_folder_is_seen_whole_and_nothing_is_left_beside_it(tmp_path):
    put_in_place(tmp_path / "run", fill, NAMES)
    assert sorted(os.listdir(tmp_path / "run")) == ["a", "b"]
    assert os.listdir(tmp_path) == ["run"]


def test_a_folder_that_another_process_filled_meanwhile_is_left_alone(tmp_path):
    target = tmp_path / "run"

    def slow(folder):
        fill(folder)
        target.mkdir(exist_ok=True)
        (target / "theirs").write_text("theirs")

    with pytest.raises(FolderTaken, match="continue it with --resume"):
        put_in_place(target, slow, NAMES)
    assert os.listdir(target) == ["theirs"]
    assert os.listdir(tmp_path) == ["run"]


def busy(*_):
    raise OSError(errno.EBUSY, "Device or resource busy")


def test_where_something_is_mounted_the_folder_is_filled_by_one_process(tmp_path, monkeypatch):
    target = tmp_path / "mounted"
    target.mkdir()
    monkeypatch.setattr(folders.os, "rename", busy)
    put_in_place(target, fill, NAMES)
    assert sorted(os.listdir(target)) == ["a", "b"]
    assert os.listdir(tmp_path) == ["mounted"]


@pytest.mark.parametrize("theirs", ["a", "other"])
def test_where_something_is_mounted_the_second_process_writes_nothing(
    tmp_path, monkeypatch, theirs
):
    target = tmp_path / "mounted"
    target.mkdir()
    monkeypatch.setattr(folders.os, "rename", busy)
    real = folders.refuse_existing
    asked = []

    def before_they_came(path):
        real(path)
        asked.append(path)
        if len(asked) == 2:
            (target / theirs).write_text("theirs")

    monkeypatch.setattr(folders, "refuse_existing", before_they_came)
    with pytest.raises(FolderTaken):
        put_in_place(target, fill, NAMES)
    assert len(asked) == 2
    assert os.listdir(target) == [theirs]
    assert (target / theirs).read_text() == "theirs"


def test_a_failure_where_something_is_mounted_takes_away_our_files_only(tmp_path, monkeypatch):
    target = tmp_path / "mounted"
    target.mkdir()
    monkeypatch.setattr(folders.os, "rename", busy)

    def fail(folder):
        (folder / "a").write_text("half")
        if folder == target:
            (folder / "theirs").write_text("theirs")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        put_in_place(target, fail, NAMES)
    assert os.listdir(target) == ["theirs"]


@pytest.mark.skipif(os.name == "nt", reason="links need privileges")
def test_a_link_to_an_empty_folder_stays_and_the_folder_is_filled(tmp_path):
    (tmp_path / "disk").mkdir()
    (tmp_path / "run").symlink_to("disk")
    put_in_place(tmp_path / "run", fill, NAMES)
    assert (tmp_path / "run").is_symlink()
    assert sorted(os.listdir(tmp_path / "disk")) == ["a", "b"]


@pytest.mark.parametrize("name", [".", "absolute"])
def test_the_current_folder_is_filled_and_stays_the_current_one(tmp_path, monkeypatch, name):
    (tmp_path / "run").mkdir()
    monkeypatch.chdir(tmp_path / "run")
    put_in_place(Path(".") if name == "." else tmp_path / "run", fill, NAMES)
    assert sorted(os.listdir(".")) == sorted(os.listdir(tmp_path / "run")) == ["a", "b"]
    assert os.listdir(tmp_path) == ["run"]
    with pytest.raises(FolderTaken):
        put_in_place(Path("."), fill, NAMES)


def test_a_name_may_be_as_long_as_the_system_allows_and_a_longer_one_is_told(tmp_path):
    put_in_place(tmp_path / ("a" * 255), fill, NAMES)
    assert os.listdir(tmp_path) == ["a" * 255]
    with pytest.raises(OSError, match=r"a{256}'$"):
        put_in_place(tmp_path / ("a" * 256), fill, NAMES)


def test_a_folder_that_another_process_makes_meanwhile_is_taken_and_no_file(tmp_path, monkeypatch):
    target, is_dir = tmp_path / "run", Path.is_dir

    def made_after(path):
        found = is_dir(path)
        if path == target and not found:
            target.mkdir()
            (target / "config.toml").touch()
        return found

    monkeypatch.setattr(Path, "is_dir", made_after)
    refuse_existing(target)  # another process is faster, but after the look
    with pytest.raises(FolderTaken):
        refuse_existing(target)


# Each process makes a run in each round, at the same moment as the others.
_WORKER = """
import json, os, sys, time
import numpy as np
from numba_lstm.training.runs.checkpoint import Checkpoint, Run
from numba_lstm.training.lm.config import merge
from numba_lstm.training.runs.folders import FolderTaken
number, rounds = int(sys.argv[1]), int(sys.argv[2])
config = merge(("", {"seed": number, "steps": 1}))
state = Checkpoint({"w": np.full(3, number, np.float32)}, {}, {}, None, {"step": 0})
about = config, {"level": "char", "tokens": [chr(65 + number)]}, state
print("ready", flush=True)
begin, made = float(sys.stdin.readline()), []
for turn in range(rounds):
    time.sleep(max(begin + 0.1 * turn - time.time(), 0.0))
    made.append(str(Run.create_new(f"new/{turn}", *about).path))
    try:
        made.append(str(Run.create(f"same/{turn}", *about).path))
    except FolderTaken:
        pass
print(json.dumps(made))
"""


def test_processes_that_begin_at_once_never_share_a_folder(tmp_path):
    import time

    count, rounds = 5, 8
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", _WORKER, str(number), str(rounds)],
            cwd=tmp_path,
            env=environment(),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(count)
    ]
    try:
        assert all(worker.stdout.readline() == "ready\n" for worker in workers)
        begin = f"{time.time() + 0.2}\n"
        for worker in workers:
            worker.stdin.write(begin)
            worker.stdin.flush()
        made = [json.loads(worker.communicate(timeout=120)[0]) for worker in workers]
    finally:
        for worker in workers:
            worker.kill()
            worker.communicate()
    owners = {path: number for number, paths in enumerate(made) for path in paths}
    assert len(owners) == sum(map(len, made)) == rounds * (count + 1)
    for path, number in owners.items():
        folder = tmp_path / path
        assert f"seed = {number}\n" in (folder / "config.toml").read_text()
        assert chr(65 + number) in (folder / "vocab.json").read_text()
        assert len(list(folder.iterdir())) == 5
    assert sorted(os.listdir(tmp_path / "same")) == sorted(map(str, range(rounds)))
    assert len(os.listdir(tmp_path / "new")) == rounds * count


def abandoned(parent, files=("a",)):
    """What a process that is killed while it makes a run leaves."""
    folder = parent / ".0123456789abcdef.new"
    folder.mkdir()
    for name in files:
        (folder / name).write_text("half")
    return folder


def test_what_a_killed_creation_left_is_taken_away_by_the_next(tmp_path):
    pytest.importorskip("fcntl")
    abandoned(tmp_path, ("a", ".a.x1yz.new", ".b.x1yz.new"))
    put_in_place(tmp_path / "run", fill, NAMES)
    assert os.listdir(tmp_path) == ["run"]


def test_a_folder_that_another_process_fills_at_this_moment_is_left_alone(tmp_path):
    pytest.importorskip("fcntl")
    seen = []

    def fill_beside(folder):
        fill(folder)
        put_in_place(tmp_path / "other", fill, NAMES)
        seen.extend(sorted(os.listdir(folder)))

    put_in_place(tmp_path / "run", fill_beside, NAMES)
    assert seen == ["a", "b"]
    assert sorted(os.listdir(tmp_path)) == ["other", "run"]


def test_nothing_is_taken_away_that_may_be_somebody_elses(tmp_path):
    theirs = abandoned(tmp_path, ("a", "thesis.txt", ".hidden", ".a"))
    (tmp_path / "outside").mkdir()
    fill(tmp_path / "outside")
    (tmp_path / ".fedcba9876543210.new").symlink_to("outside")
    (tmp_path / ".ffffffffffffffff.new").write_text("a file")
    (tmp_path / ".new").mkdir()
    put_in_place(tmp_path / "run", fill, NAMES)
    assert sorted(os.listdir(theirs)) == [".a", ".hidden", "thesis.txt"]
    assert sorted(os.listdir(tmp_path / "outside")) == ["a", "b"]
    assert len(os.listdir(tmp_path)) == 6


def test_a_folder_that_was_taken_for_abandoned_is_made_again(tmp_path, monkeypatch):
    real, made = folders.locked, []

    def too_late(folder, **options):
        made.append(Path(folder))
        if len(made) == 1:
            Path(folder).rmdir()
        return real(folder, **options)

    monkeypatch.setattr(folders, "locked", too_late)
    put_in_place(tmp_path / "run", fill, NAMES)
    assert len(made) == 2
    assert sorted(os.listdir(tmp_path / "run")) == ["a", "b"]
    assert os.listdir(tmp_path) == ["run"]


_KILLED = """
import os, sys
from pathlib import Path
from numba_lstm.training.runs.folders import put_in_place
def fill(folder):
    (folder / "a").write_text("half")
    print("filling", flush=True)
    sys.stdin.read()
put_in_place(Path("run"), fill, ("a", "b"))
"""


def test_a_creation_killed_by_the_system_leaves_nothing_for_ever(tmp_path):
    pytest.importorskip("fcntl")
    with subprocess.Popen(
        [sys.executable, "-c", _KILLED],
        cwd=tmp_path,
        env=environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout.readline() == "filling\n"
        put_in_place(tmp_path / "other", fill, NAMES)  # while it lives nothing is taken from it
        assert len(os.listdir(tmp_path)) == 2
        process.kill()
    put_in_place(tmp_path / "run", fill, NAMES)
    assert sorted(os.listdir(tmp_path)) == ["other", "run"]
