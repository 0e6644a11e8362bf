"""The commands under strict interpreters, in the C locale, and with names of any bytes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import classify_tool
import pytest
from cli_tool import ROOT, TEXT, TINY, environment

# Every command in one process, whose good ends are checked by a way that -O does not leave out.
_PROGRAM = """
import json, os, sys
{first}
sys.path.insert(0, {root!r})
from numba_lstm.cli import main
for args in json.loads(sys.argv[1]):
    args = [os.fsdecode(bytes.fromhex(one)) for one in args]  # as the system hands them over
    print("#", args, flush=True)
    try:
        main(args)
    except SystemExit as end:
        if end.code:
            print(f"FAILED {{end.code}}", args, flush=True)
            raise
print("WHOLE")
"""


def commands(text: str, table: str, place: str) -> list[list[str]]:
    lm, classify = f"{place}/a run", f"{place}/classes"
    made = [
        ["train", "lm", "--data", text, *TINY, "--steps", "3", "--out", lm],
        ["train", "lm", "--resume", lm, "--steps", "5"],
        ["train", "lm", "--data", text, "--init", lm, "--steps", "2", "--batch", "4",
         "--seq-len", "8", "--level", "char", "--out", f"{place}/more", "--quiet", "--json"],
        ["sample", lm, "--prompt", "so é wan", "--unknown", "skip", "--length", "5"],
        ["evaluate", lm, "--data", text, "--json"],
        ["export", lm, f"{place}/model.safetensors"],
        ["train", "classify", *classify_tool.options(table), *classify_tool.TINY, "--epochs", "2",
         "--out", classify],
        ["train", "classify", "--resume", classify, "--epochs", "3", "--quiet"],
        ["evaluate", classify],
        ["predict", classify, "--input", table, "--output", f"{place}/classes.csv"],
        ["info"],
    ]  # fmt: skip
    return [[str(one) for one in args] for args in made]


def passed(args, cwd, options=(), first="", **more):
    plain = [[os.fsencode(one).hex() for one in some] for some in args]
    program = _PROGRAM.format(first=first, root=str(ROOT))
    done = subprocess.run(
        [sys.executable, *options, "-c", program, json.dumps(plain)],
        cwd=cwd, env=environment(**more), capture_output=True, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, (done.stdout[-500:], done.stderr[-3000:])
    assert done.stdout.endswith(b"WHOLE\n")
    return done


@pytest.fixture
def place(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    classify_tool.write_csv(tmp_path / "table.csv")
    return tmp_path


@pytest.mark.parametrize(
    ("options", "first"),
    [
        (["-O"], ""),
        (["-W", "error"], ""),
        (["-bb"], ""),
        (["-I"], ""),
        ([], "import numpy; numpy.seterr(all='raise')"),
    ],
    ids=["without asserts", "warnings raise", "bytes are no text", "isolated", "seterr raises"],
)
def test_every_command_runs_under_a_strict_interpreter(place, options, first):
    passed(commands("text.txt", "table.csv", "."), place, options, first)


C_LOCALE = {"LC_ALL": "C", "LANG": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}

ODD = [b"caf\xe9 \xff", "späte 🙂 Ж".encode(), b"-dash", b"a\nb\tc", b"%s $HOME 'q' \"d\" `x` \\n",
       b"n" * 240, b"[x]*?{a}", b"file:x", b"a=b;c#d", b"shakespeare"]  # fmt: skip


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("locale", [{}, C_LOCALE], ids=["UTF-8", "C"])
def test_names_of_any_bytes_are_names(place, locale):
    args = []
    for number, name in enumerate(ODD):
        odd = Path(os.fsdecode(bytes(place) + b"/" + name))
        odd.mkdir()
        folder = str(odd)
        (odd / name[:200].decode("utf-8", "surrogateescape")).write_text(TEXT)
        text = str(odd / name[:200].decode("utf-8", "surrogateescape"))
        about = [*TINY, "--steps", "2"]
        args += [
            ["train", "lm", "--data", text, *about, "--out", f"{folder}/{'r' * 9}", "--quiet"],
            ["train", "lm", "--resume", f"{folder}/{'r' * 9}", "--steps", "3"],
            ["evaluate", f"{folder}/{'r' * 9}"],
        ]
        if number == 0:
            table = f"{folder}/t.csv"
            classify_tool.write_csv(table)
            args += commands(text, table, folder)
    passed(args, place, **locale)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("locale", [{}, C_LOCALE], ids=["UTF-8", "C"])
def test_names_of_any_bytes_are_told_in_one_line(place, locale):
    command = [sys.executable, str(ROOT / "cli.py"), "sample"]
    for name in ODD:
        done = subprocess.run(
            [*map(os.fsencode, command), b"./" + name + b"/absent"],
            cwd=place, env=environment(**locale), capture_output=True,
        )  # fmt: skip
        assert done.returncode == 2
        assert done.stderr.startswith(b"error: ") and done.stderr.endswith(b"no such folder\n")
        assert done.stderr.count(b"\n") == 1
