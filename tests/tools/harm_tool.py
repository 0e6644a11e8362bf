"""What can happen to the files of a cache, and a check that nothing comes of it."""

from __future__ import annotations

import hashlib
import os
import random
import signal
import socket
import threading
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

HOLES = 3 << 30


def _flip(path: Path, rng: random.Random, other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _flip_digest(path: Path, rng: random.Random, other: Path) -> None:
    data = bytearray(path.read_bytes())
    data[rng.randrange(32)] ^= 1 << rng.randrange(8)
    path.write_bytes(data)


def _cut(path: Path, rng: random.Random, other: Path) -> None:
    os.truncate(path, rng.randrange(32, path.stat().st_size))


def _cut_to_less_than_a_digest(path: Path, rng: random.Random, other: Path) -> None:
    os.truncate(path, rng.randrange(32))


def _lengthen(path: Path, rng: random.Random, other: Path) -> None:
    path.write_bytes(path.read_bytes() + rng.randbytes(rng.randrange(1, 5000)))


def _zero_a_page(path: Path, rng: random.Random, other: Path) -> None:
    """As after a power cut."""
    data = bytearray(path.read_bytes())
    start = rng.randrange(0, len(data), 4096)
    end = min(start + 4096, len(data))
    data[start:end] = bytes(end - start)
    path.write_bytes(data)


def _swap(path: Path, rng: random.Random, other: Path) -> None:
    path.write_bytes(other.read_bytes())


def _link_hard_to_another(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    os.link(other, path)


def _leave_the_name_out(path: Path, rng: random.Random, other: Path) -> None:
    """The digest of the content alone."""
    data = path.read_bytes()[32:]
    path.write_bytes(hashlib.sha256(data).digest() + data)


def _empty(path: Path, rng: random.Random, other: Path) -> None:
    path.write_bytes(b"")


def _make_holes(path: Path, rng: random.Random, other: Path) -> None:
    os.truncate(path, HOLES)


def _put_fifo(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _put_folder(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    path.mkdir()


def _put_socket(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    here = os.getcwd()
    os.chdir(path.parent)  # the path of a socket may have a hundred bytes only
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("s")
        os.rename("s", path.name)
    finally:
        os.chdir(here)


def _link_to_the_same(path: Path, rng: random.Random, other: Path) -> None:
    """A whole entry, at another place."""
    elsewhere = path.parent.parent / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)


def _link_to_a_device(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    path.symlink_to("/dev/zero")


def _link_to_nothing(path: Path, rng: random.Random, other: Path) -> None:
    path.unlink()
    path.symlink_to(path.parent / "nothing")


def _open_to_all(path: Path, rng: random.Random, other: Path) -> None:
    path.chmod(0o666)


def _open_to_a_group(path: Path, rng: random.Random, other: Path) -> None:
    path.chmod(0o664)


def _give_away(path: Path, rng: random.Random, other: Path) -> None:
    if os.geteuid() == 0:
        os.chown(path, 1000, -1)
    else:  # only root can
        path.chmod(0o646)


Damage = Callable[[Path, random.Random, Path], None]
CHANGES: list[Damage] = [
    _flip, _flip_digest, _cut, _cut_to_less_than_a_digest, _lengthen, _zero_a_page, _swap, _empty,
    _leave_the_name_out,
]  # fmt: skip
KINDS: list[Damage] = [
    _link_hard_to_another, _make_holes, _put_fifo, _put_folder, _put_socket, _link_to_the_same,
    _link_to_a_device, _link_to_nothing,
]  # fmt: skip
RIGHTS: list[Damage] = [_open_to_all, _open_to_a_group, _give_away]
ALL = CHANGES + KINDS + RIGHTS


def name(damage: Damage) -> str:
    return damage.__name__.strip("_")


def entries(cache: Path) -> list[Path]:
    return sorted(cache.glob("*.bin"))


def damage(path: Path, how: Damage, seed: int, other: Path | None = None) -> None:
    """Damage a file; what needs another one takes `other`, or the entry that is most like it."""
    if other is None:
        found = entries(path.parent)
        other = found[found.index(path) ^ 1]
    how(path, random.Random(seed), other)


class Hangs(BaseException):
    """No error of Python's own: a `TimeoutError` is an OSError, which readers take for damage."""


def _stop(number: int, frame: object) -> None:
    raise Hangs


def within(seconds: int, more_bytes: int) -> None:
    """From now on this process ends when it takes longer or more memory."""
    import resource

    signal.signal(signal.SIGALRM, _stop)
    signal.alarm(seconds)
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    most = pages * os.sysconf("SC_PAGE_SIZE") + more_bytes
    resource.setrlimit(resource.RLIMIT_AS, (most, most))


def in_time(call: Callable[[], Any]) -> Any:
    """What a call gives; it fails where it takes long, in a thread of its own."""
    found: list[Any] = []
    thread = threading.Thread(target=lambda: found.append(call()), daemon=True)
    thread.start()
    thread.join(20)
    assert found, "it hangs, or it failed"
    return found[0]


def sweep(cache: str, turns: int) -> dict[str, int]:
    """Damage each entry in each way so many times, read it, write it again, and count.

    Fails when one is read, cannot be replaced, or is written through; or when there is more than
    one warning over all.
    """
    from numba_lstm import compile_cache

    folder = Path(cache)
    whole = {path: path.read_bytes() for path in entries(folder)}
    counts = dict.fromkeys(map(name, ALL), 0)
    within(600, 512 << 20)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for turn in range(turns):
            for number, path in enumerate(whole):
                for how in ALL:
                    damage(path, how, turn * 1000 + number)
                    if how is _zero_a_page and path.read_bytes() == whole[path]:
                        continue  # it was zero
                    about = path.name, name(how)
                    assert compile_cache.read(path.name) is None, about
                    if path.is_dir():
                        path.rmdir()
                    compile_cache.write(path.name, whole[path][32:])
                    assert compile_cache.read(path.name) == whole[path][32:], about
                    _check_others(whole, about)
                    counts[name(how)] += 1
    assert len(caught) == 1, [str(warning.message) for warning in caught]
    assert "owner" in str(caught[0].message)
    return counts


def _check_others(whole: dict[Path, bytes], about: tuple[str, str]) -> None:
    """Nothing was written but the entry."""
    for other, data in whole.items():
        assert other.read_bytes() == data, (other, *about)
    folder = next(iter(whole)).parent
    assert entries(folder) == sorted(whole), about
    elsewhere = folder.parent / "elsewhere"
    if elsewhere.exists():
        assert elsewhere.read_bytes() == whole[folder / about[0]], about
        elsewhere.unlink()
