"""Damaged runs, options, vocabularies, metrics, texts, tables and sequences, given to the commands.

    python tests/tools/fuzz_tool.py 20000 [seed]

Every input must end in one of the promised exit codes and, where it is refused, in one line of
words; soon, in little memory, and without a change to anything outside of the run's own folder.
What fails that is printed and kept in a folder that is named.
"""

from __future__ import annotations

import json
import os
import random
import re
import resource
import shutil
import signal
import struct
import sys
import tempfile
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).resolve().parents[2])]
os.environ["NUMBA_LSTM_TUNE"] = "0"

import classify_tool  # noqa: E402
import forecast_tool  # noqa: E402
import numpy as np  # noqa: E402
from cli_tool import TEXT, TINY  # noqa: E402
from click.testing import CliRunner  # noqa: E402

from numba_lstm.cli import main  # noqa: E402

#: What an input may take beyond what importing and training took, and how long.
MEMORY, SECONDS = 1 << 30, 30

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


class Place:
    """A folder with good files of every kind, and what commands read them."""

    def __init__(self, root: Path) -> None:
        self.root, self.good, self.work = root, root / "good", root / "work"
        self.outside = root / "outside"
        for one in (self.good, self.outside):
            one.mkdir()
        (self.outside / "precious").write_text("mine")
        (self.good / "text.txt").write_text(TEXT)
        classify_tool.write_csv(self.good / "table.csv", 20)
        self._write_sequences()
        lm = ["train", "lm", "--data", self.good / "text.txt", *TINY, "--steps", 3, "--quiet"]
        run(*lm, "--log-every", 1, "--valid-every", 2, "--out", self.good / "lm")
        for name, about in (
            ("classify", classify_tool.options(self.good / "table.csv")),
            ("ts", ["--data", self.good / "some.ts"]),
        ):
            more = ["--epochs", 1, "--quiet", "--out", self.good / name]
            run("train", "classify", *about, *classify_tool.TINY, *more)
        sales = forecast_tool.write_csv(self.good / "sales.csv", 60)
        about = ["--csv", sales, *forecast_tool.TABLE, "--horizon", 5, "--folds", 2, "--epochs", 1]
        more = [*forecast_tool.TINY, "--quiet", "--out", self.good / "forecast"]
        run("train", "forecast", *about, *more)
        shutil.copytree(self.good, self.work)
        self.targets = self._targets()

    def _write_sequences(self) -> None:
        x, labels = classify_tool.sequences(20)
        head = "@problemName some\n@timeStamps false\n@univariate false\n@dimensions 2\n"
        lines = [head + "@classLabel true falls level rises\n@data"]
        for one, label in zip(x, labels):
            lines.append(":".join(",".join(map(repr, c.tolist())) for c in one.T) + f":{label}")
        (self.good / "some.ts").write_text("\n".join(lines) + "\n")
        steps = [len(one) for one in x]
        names = np.array(["channel 1", "channel 2"])
        about = {"y": np.array(labels), "lengths": np.array(steps), "names": names}
        np.savez_compressed(self.good / "some.npz", x=np.concatenate(x), **about)
        try:
            import pyarrow as pa
            import pyarrow.parquet as pq
        except ImportError:
            return
        rows = [
            (f"s{k}", step, *row.tolist(), label)
            for k, (one, label) in enumerate(zip(x, labels))
            for step, row in enumerate(one)
        ]
        columns = dict(zip(["series", "when", "up", "down", "kind"], map(list, zip(*rows))))
        pq.write_table(pa.table(columns), self.good / "table.parquet")

    def _targets(self) -> list[tuple[str, list[list[Any]]]]:
        """Each file that is damaged, and the commands of which one reads it."""
        w = self.work
        lm, classify, ts = w / "lm", w / "classify", w / "ts"
        resume = ["train", "lm", "--resume", lm, "--steps", 4, "--quiet"]
        again = ["train", "classify", "--resume", classify, "--steps", 3, "--quiet"]
        reads = [["sample", lm, "--length", 3], ["export", lm, w / "out.safetensors"]]
        judge = [["evaluate", lm, "--data", w / "text.txt"], ["evaluate", lm]]
        held = [["evaluate", classify], ["predict", classify, "--input", w / "table.csv",
                                        "--output", w / "out.csv"]]  # fmt: skip
        table = [["evaluate", classify, "--data", w / "table.csv"], held[1]]
        forecast, sales = w / "forecast", w / "sales.csv"
        judged_on = ["evaluate", forecast, "--data", sales]
        ahead = [["predict", forecast, "--input", sales, "--output", w / "out.csv"], judged_on]
        found = [
            ("lm/config.toml", [resume, resume, *reads, *judge]),
            ("lm/vocab.json", [resume, *reads, *judge]),
            ("lm/model.safetensors", [resume, *reads]),
            ("lm/resume.safetensors", [resume]),
            ("lm/resume.safetensors", [resume]),
            ("lm/metrics.jsonl", [resume, resume, ["plot", lm, "-o", w / "out.png"]]),
            ("classify/config.toml", [again, *held]),
            ("classify/data.json", [again, *held]),
            ("classify/resume.safetensors", [again, held[0]]),
            ("classify/results.json", [again, ["plot", classify, "-o", w / "out.png"]]),
            ("forecast/data.json", ahead),
            ("forecast/linear.safetensors", ahead),
            ("forecast/results.json", ahead),
            ("forecast/results.json", [["plot", forecast, "-o", w / "out.png"], judged_on]),
            ("text.txt", [judge[0], resume]),
            ("table.csv", table),
            ("table.csv", table),
            ("some.ts", [["evaluate", ts, "--data", w / "some.ts"]]),
            ("some.ts", [["evaluate", ts, "--data", w / "some.ts"]]),
            ("some.npz", [["evaluate", ts, "--data", w / "some.npz"]]),
        ]
        if (w / "table.parquet").exists():
            found.append(("table.parquet", [["evaluate", classify, "--data", w / "table.parquet"]]))
        return found

    def restore(self) -> None:
        shutil.rmtree(self.work)
        shutil.copytree(self.good, self.work)

    def unchanged(self) -> bool:
        """Whether everything outside of the folder that was worked in is as it was."""
        names = sorted(os.listdir(self.root))
        return (
            names == ["good", "outside", "work"]
            and os.listdir(self.outside) == ["precious"]
            and (self.outside / "precious").read_text() == "mine"
        )


class TooLong(BaseException):
    """An input took more time than any should."""


def run(*args: Any) -> Any:
    result = CliRunner().invoke(main, list(map(str, args)))
    assert result.exit_code == 0, (args, result.output, result.exception)
    return result


def judged(args: list[Any]) -> tuple[int, str]:
    """A command's exit code, and what is wrong with how it ended."""

    def too_long(*_: Any) -> None:
        raise TooLong

    signal.signal(signal.SIGALRM, too_long)
    signal.alarm(SECONDS)
    try:
        result = CliRunner().invoke(main, list(map(str, args)))
    except TooLong:
        return -1, f"more than {SECONDS} seconds"
    finally:
        signal.alarm(0)
    if isinstance(result.exception, TooLong) or "TooLong" in result.stderr:
        return -1, f"more than {SECONDS} seconds"
    code = result.exit_code
    told = [line for line in result.stderr.splitlines() if not line.startswith(("note: ", "comp"))]
    errors = [line for line in told if line.startswith("error: ")]
    ends = [f"error: the model's {what} are not finite" for what in ("logits", "forecasts")]
    if code == 1 and len(told) == 1 and told == errors and told[0] in ends:
        return code, ""  # of weights that are finite, but too large
    if code not in (0, 2, 3):
        return code, f"exit code {code}: {result.stderr[-500:]!r} {result.exception!r}"
    if code == 2 and (len(told) != 1 or len(errors) != 1):
        return code, f"more or less than one line: {result.stderr[-500:]!r}"
    if errors and re.match(r"error: ([A-Z]\w+: |not enough memory|$)", errors[0]):
        return code, f"no words of ours: {errors[0][:300]!r}"
    if not errors and "Traceback" in result.stderr:
        return code, f"a traceback: {result.stderr[-500:]!r}"
    return code, ""


def fuzz(count: int, seed: int = 0, keep: Path | None = None) -> tuple[Counter, list[str]]:
    """Damage `count` files; how each ended by its name and exit code, and what was wrong."""
    warnings.simplefilter("error", RuntimeWarning)
    root = Path(tempfile.mkdtemp(prefix="numba_lstm-fuzz-"))
    ended: Counter = Counter()
    faults: list[str] = []
    try:
        place = Place(root)
        for _, commands in place.targets:
            for args in commands:
                code, wrong = judged(args)
                assert code == 0, (args, wrong)
            place.restore()
        pages = int(Path("/proc/self/statm").read_text().split()[0])
        limit = pages * resource.getpagesize() + MEMORY
        resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
        for number in range(count):
            rng = random.Random(f"{seed} {number}")
            name, commands = rng.choice(place.targets)
            way = damage(place.work / name, place.outside, rng)
            code, wrong = judged(rng.choice(commands))
            ended[f"{name} {code}"] += 1
            if not wrong and not place.unchanged():
                wrong = "something outside was changed"
            if wrong:
                faults.append(f"seed {seed}, number {number}: {name} ({way}): {wrong}")
                if keep is not None and (place.work / name).is_file():
                    shutil.copy(place.work / name, keep / f"{number}-{name.replace('/', '-')}")
            place.restore()
    finally:
        shutil.rmtree(root, ignore_errors=True)
    return ended, faults


if __name__ == "__main__":
    folder = Path(tempfile.mkdtemp(prefix="numba_lstm-faults-"))
    wanted, first = int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 0
    counts, wrongs = fuzz(wanted, first, folder)
    print(*wrongs, sep="\n", file=sys.stderr)
    print(json.dumps({"inputs": wanted, "faults": len(wrongs), **dict(sorted(counts.items()))}))
    if wrongs:
        print(f"kept in {folder}", file=sys.stderr)
    else:
        folder.rmdir()
    sys.exit(bool(wrongs))
