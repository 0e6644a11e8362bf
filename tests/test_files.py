"""A file is replaced whole or not at all."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import threading

import pytest
from cli_tool import environment

from numba_lstm import _files


def test_text_and_bytes_are_written_as_they_are(tmp_path):
    _files.write_atomic(tmp_path / "text", "ü\r\nend\n")
    _files.write_atomic(tmp_path / "bytes", b"\x00\xff")
    assert (tmp_path / "text").read_bytes() == "ü\r\nend\n".encode()
    assert (tmp_path / "bytes").read_bytes() == b"\x00\xff"


def test_a_failure_before_the_rename_leaves_the_old_file_and_no_litter(tmp_path, monkeypatch):
    path = tmp_path / "model"
    _files.write_atomic(path, b"old")

    def full_disk(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space"):
        _files.write_atomic(path, b"new")
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize("name", [".", "folder", "absent/file"])
def test_a_failure_names_the_file_that_was_asked_for_and_no_other(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError) as caught:
        _files.write_atomic(name, b"new")
    assert (caught.value.filename, caught.value.filename2) == (name, None)
    assert ".new" not in str(caught.value)
    assert os.listdir(tmp_path) == ["folder"]
    assert os.listdir(tmp_path / "folder") == []


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_a_new_file_has_the_permissions_open_would_give_and_an_old_one_keeps_its_own(tmp_path):
    plain, ours = tmp_path / "plain", tmp_path / "ours"
    plain.write_bytes(b"")
    _files.write_atomic(ours, b"")
    assert stat.S_IMODE(ours.stat().st_mode) == stat.S_IMODE(plain.stat().st_mode)
    ours.chmod(0o640)
    _files.write_atomic(ours, b"again")
    assert stat.S_IMODE(ours.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_permissions_may_be_told_and_the_umask_is_never_changed(tmp_path, monkeypatch):
    """While it is, other threads' files are open to all."""
    path = tmp_path / "file"
    before = os.umask(0o027)
    try:
        with monkeypatch.context() as patch:
            patch.delattr(os, "umask")
            _files.write_atomic(path, b"", mode=0o644)
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
            path.chmod(0o666)
            _files.write_atomic(path, b"", mode=0o644)
            assert stat.S_IMODE(path.stat().st_mode) == 0o640
            _files.write_atomic(tmp_path / "new", b"")
            assert stat.S_IMODE((tmp_path / "new").stat().st_mode) == 0o640
    finally:
        os.umask(before)


@pytest.mark.skipif(os.name == "nt", reason="POSIX permissions")
def test_what_replaces_a_private_file_was_never_open(tmp_path, monkeypatch):
    path, seen = tmp_path / "file", []
    path.write_bytes(b"")
    path.chmod(0o600)

    def noted(handle):
        seen.append(stat.S_IMODE(os.fstat(handle).st_mode))

    monkeypatch.setattr(os, "fsync", noted)
    _files.write_atomic(path, b"secret")
    assert seen[0] == 0o600 == stat.S_IMODE(path.stat().st_mode)


@pytest.mark.skipif(os.name == "nt", reason="links need privileges")
@pytest.mark.parametrize("exists", [True, False])
def test_a_link_stays_and_what_it_points_to_is_replaced(tmp_path, exists):
    (tmp_path / "real").mkdir()
    target, link = tmp_path / "real" / "file", tmp_path / "link"
    if exists:
        target.write_bytes(b"old")
        target.chmod(0o640)
    link.symlink_to("real/file")
    _files.write_atomic(link, b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert not target.is_symlink()
    assert os.listdir(tmp_path / "real") == ["file"]
    if exists:
        assert stat.S_IMODE(target.stat().st_mode) == 0o640


@pytest.mark.skipif(os.name == "nt", reason="links need privileges")
def test_links_in_a_circle_are_an_error_that_names_the_file(tmp_path):
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    with pytest.raises(OSError, match="a"):
        _files.write_atomic(tmp_path / "a", b"new")
    assert (tmp_path / "a").is_symlink()
    assert sorted(os.listdir(tmp_path)) == ["a", "b"]


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_a_fifo_is_written_to_and_stays(tmp_path):
    fifo, read = tmp_path / "fifo", []
    os.mkfifo(fifo)
    reader = threading.Thread(target=lambda: read.append(fifo.read_bytes()), daemon=True)
    reader.start()
    _files.write_atomic(fifo, "through")
    reader.join(10)
    assert read == [b"through"]
    assert stat.S_ISFIFO(fifo.stat().st_mode)
    assert os.listdir(tmp_path) == ["fifo"]


@pytest.mark.skipif(not os.path.exists("/dev/stdout"), reason="no /dev/stdout here")
def test_standard_output_can_be_named_as_a_file(tmp_path):
    code = (
        "from numba_lstm import _files\nprint('before', flush=True)\n"
        "_files.write_atomic('/dev/stdout', 'told\\n')\nprint('after')"
    )
    command = [sys.executable, "-c", code]
    done = subprocess.run(command, env=environment(), capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (0, "before\ntold\nafter\n", "")
    # In a file, too, it takes nothing from what was printed.
    with open(tmp_path / "log", "w") as log:
        subprocess.run(command, env=environment(), stdout=log, check=True)
    assert (tmp_path / "log").read_text() == "before\ntold\nafter\n"
    assert os.listdir(tmp_path) == ["log"]


def test_a_folder_s_lock_is_held_by_one_and_let_go_however_its_process_ends(tmp_path):
    pytest.importorskip("fcntl")
    program = (
        "import sys; from numba_lstm._files import locked\n"
        "with locked(sys.argv[1]): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program, str(tmp_path)],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment(),
    ) as other:  # fmt: skip
        assert other.stdout.readline() == b"held\n"
        with pytest.raises(BlockingIOError), _files.locked(tmp_path):
            pass
        other.kill()
        other.wait()
        with _files.locked(tmp_path):
            assert os.listdir(tmp_path) == []
    with _files.locked(tmp_path):
        pass


def test_text_is_added_to_a_file_s_end_and_a_new_one_is_made(tmp_path):
    for _ in range(2):
        _files.append(tmp_path / "log", "ü\n")
    assert (tmp_path / "log").read_bytes() == "ü\nü\n".encode()


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_nothing_is_added_to_what_is_no_file_of_its_own(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "link").symlink_to("mine")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "folder").mkdir()
    for name in ("link", "fifo", "folder", "absent/file"):
        with pytest.raises(OSError, match=name):
            _files.append(tmp_path / name, "more")
    assert (tmp_path / "mine").read_text() == "mine"
    reader = os.open(tmp_path / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    with pytest.raises(OSError, match="expected an ordinary file"):
        _files.append(tmp_path / "fifo", "more")
    os.close(reader)


def test_a_disk_that_is_full_is_told_with_the_name(tmp_path, monkeypatch):
    def full(handle, data):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OSError, match=r"No space.*log"):
        _files.append(tmp_path / "log", "more")


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no FIFOs here")
def test_where_links_are_not_followed_whatever_has_the_name_is_replaced(tmp_path):
    (tmp_path / "mine").write_text("mine")
    (tmp_path / "mine").chmod(0o600)
    (tmp_path / "link").symlink_to("mine")
    (tmp_path / "lost").symlink_to("absent/file")
    (tmp_path / "to folder").symlink_to(".")
    os.mkfifo(tmp_path / "fifo")
    (tmp_path / "plain").write_bytes(b"")
    usual = stat.S_IMODE((tmp_path / "plain").stat().st_mode)
    for name in ("link", "lost", "to folder", "fifo", "plain", "new"):
        _files.write_atomic(tmp_path / name, "new", follow=False)
        found = (tmp_path / name).lstat().st_mode
        assert stat.S_ISREG(found) and stat.S_IMODE(found) == usual, name
        assert (tmp_path / name).read_text() == "new"
    assert (tmp_path / "mine").read_text() == "mine"
    (tmp_path / "folder").mkdir()
    with pytest.raises(IsADirectoryError):
        _files.write_atomic(tmp_path / "folder", "new", follow=False)


def test_a_lock_tells_what_it_holds_and_may_refuse_links(tmp_path):
    pytest.importorskip("fcntl")
    (tmp_path / "folder").mkdir()
    (tmp_path / "link").symlink_to("folder")
    with _files.locked(tmp_path / "link") as handle:
        assert os.path.samestat(os.fstat(handle), os.stat(tmp_path / "folder"))
    for name in ("link", "absent"):
        with pytest.raises(OSError), _files.locked(tmp_path / name, follow=False):
            pass
