"""Files damaged at random: bytes, lines, values in trees, or something else in a file's place."""

from __future__ import annotations

import json
import os
import random
import re
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

__all__ = ["damage"]

EVIL: list[Any] = [
    *(0, 1, -1, 2, 3, 7, 2**31, 2**32, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 10**99),
    *(0.5, -0.5, 1e-300, 1e300, 1e38, True, False, None),
    *("", "x", "\0", "é", "\ud800", "🙂", "../../etc", "-", "a" * 3000),
    *([], {}, [[]], [0], [None], ["x"], [[[[1]]]]),
    *({"array": "x"}, {"dict": []}, {"dict": [["a", 1]]}),
]
SNIPPETS = [
    *(b"\0", b"\xff", b"\xef\xbb\xbf", b"\n", b"\r", b"\t", b"\xe2\x80\xa8", b"\\", b"\\u0000"),
    *(b",", b":", b";", b'"', b"'", b"=", b"[", b"]", b"{", b"}", b"(", b")", b"#", b".", b".."),
    *(b"-", b"+", b"?", b"@", b"@data\n", b"sep=;", b"%s", b"\x1b[31m", b'"""', b"1970-01-01"),
    *(b"NaN", b"inf", b"-inf", b"1e999", b"null", b"true"),
    *(b"9" * 400, b"[" * 3000, b"a." * 400, b" " * 5000),
]


def of_bytes(data: bytes, rng: random.Random) -> bytes:
    """Some bytes changed, left out, doubled, moved or put in."""
    made = bytearray(data)
    for _ in range(rng.choice([1, 1, 1, 2, 4, 16])):
        at = rng.randrange(len(made) + 1)
        to = min(at + rng.choice([1, 1, 2, 8, 64, 1000]), len(made))
        kind = rng.randrange(7)
        if kind == 0 and at < len(made):
            made[at] ^= 1 << rng.randrange(8)
        elif kind == 1:
            del made[at:to]
        elif kind == 2:
            made[at:at] = made[at:to] * rng.choice([1, 1, 3, 100])
        elif kind == 3:
            made[at:to] = rng.choice(SNIPPETS)
        elif kind == 4:
            made[at:at] = rng.choice(SNIPPETS)
        elif kind == 5:
            made[at:to] = bytes(rng.randrange(256) for _ in range(to - at))
        else:
            del made[at:]
    return bytes(made)


def of_lines(data: bytes, rng: random.Random) -> bytes:
    """Lines left out, doubled or exchanged, or a cell or a number in one replaced."""
    lines = data.split(b"\n")
    at, to = rng.randrange(len(lines)), rng.randrange(len(lines))
    kind = rng.randrange(4)
    if kind == 0:
        del lines[at]
    elif kind == 1:
        lines.insert(to, lines[at])
    elif kind == 2:
        lines[at], lines[to] = lines[to], lines[at]
    else:
        evil = rng.choice(EVIL)
        text = json.dumps(evil).encode() if rng.random() < 0.5 else rng.choice(SNIPPETS)
        found = list(re.finditer(rb"[\w.+-]+|\"[^\"]*\"", lines[at]))
        if found:
            one = rng.choice(found)
            lines[at] = lines[at][: one.start()] + text + lines[at][one.end() :]
    return b"\n".join(lines)


def of_tree(tree: Any, rng: random.Random) -> Any:
    """A value of a JSON tree replaced, left out or doubled."""
    places: list[tuple[Any, Any]] = []

    def visit(one: Any) -> None:
        items = one.items() if isinstance(one, dict) else enumerate(one)
        for key, value in list(items):
            places.append((one, key))
            if isinstance(value, dict | list):
                visit(value)

    if not isinstance(tree, dict | list) or not tree:
        return rng.choice(EVIL)
    visit(tree)
    owner, key = rng.choice(places)
    kind = rng.randrange(6)
    if kind == 0:
        del owner[key]
    elif kind == 1 and isinstance(owner, list):
        owner.insert(key, owner[key])
    elif kind == 2 and isinstance(owner, dict):
        owner[rng.choice(["x", "step", "array", "dict", "kind"])] = owner.pop(key)
    elif kind == 3:
        other, place = rng.choice(places)
        owner[key] = json.loads(json.dumps(other.get(place) if isinstance(other, dict) else other))
    else:
        owner[key] = rng.choice(EVIL)
    return tree


def of_json(data: bytes, rng: random.Random) -> bytes:
    return json.dumps(of_tree(json.loads(data), rng)).encode()


def of_json_lines(data: bytes, rng: random.Random) -> bytes:
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    lines[at] = of_json(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def of_safetensors(data: bytes, rng: random.Random) -> bytes:
    """The header changed, the tree in its metadata, or the numbers behind it."""
    (length,) = struct.unpack("<Q", data[:8])
    header, rest = json.loads(data[8 : 8 + length]), data[8 + length :]
    kind = rng.randrange(4)
    if kind == 0:
        header = of_tree(header, rng)
    elif kind == 1:
        made = np.frombuffer(rest, np.float32).copy()
        made[rng.randrange(made.size)] = rng.choice([np.nan, np.inf, 1e38, -1e38, 0.0])
        rest = made.tobytes()
    else:
        about = header["__metadata__"]
        (name,) = about
        about[name] = json.dumps(of_tree(json.loads(about[name]), rng))
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + rest


STRUCTURED: dict[str, Callable[[bytes, random.Random], bytes]] = {
    ".json": of_json,
    ".jsonl": of_json_lines,
    ".safetensors": of_safetensors,
}


def damage(file: Path, outside: Path, rng: random.Random) -> str:
    """Damage a file in one way, which is told."""
    ways = {"bytes": of_bytes, "lines": of_lines}
    if file.suffix in STRUCTURED:
        ways["structure"] = STRUCTURED[file.suffix]
    kind = rng.choice([*ways, *ways, "structure" if "structure" in ways else "lines", "kind"])
    if kind != "kind":
        data = ways[kind](file.read_bytes(), rng)
        file.write_bytes(data)
        return kind
    file.unlink()
    what = rng.choice(["link", "fifo", "folder", "empty", "absent", "holes", "device", "lost link"])
    if what == "link":
        file.symlink_to(outside / "precious")
    elif what == "fifo":
        os.mkfifo(file)
    elif what == "folder":
        file.mkdir()
    elif what == "empty":
        file.write_bytes(b"")
    elif what == "holes":
        with open(file, "wb") as stream:
            stream.truncate(4 << 30)
    elif what == "device":
        file.symlink_to("/dev/zero")
    elif what == "lost link":
        file.symlink_to("nowhere")
    return what
