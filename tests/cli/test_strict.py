"""The commands under strict interpreters, in the C locale, and with names of any bytes."""

from __future__ import annotations

import os
from pathlib import Path

import classify_tool
import forecast_tool
import pytest
from cli_tool import TEXT, TINY, together


def commands(text: str, table: str, sales: str, place: str) -> list[list[str]]:
    lm, classify, forecast = f"{place}/a run", f"{place}/classes", f"{place}/ahead"
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
        ["train", "forecast", "--csv", sales, *forecast_tool.TABLE, *forecast_tool.TINY,
         "--horizon", "5", "--folds", "2", "--epochs", "1", "--out", forecast],
        ["train", "forecast", "--resume", forecast, "--epochs", "2", "--quiet"],
        ["evaluate", forecast, "--json"],
        ["predict", forecast, "--input", sales, "--output", f"{place}/ahead.csv"],
        ["info"],
    ]  # fmt: skip
    return [[str(one) for one in args] for args in made]


def passed(commands, *about, **more):
    """Run commands in one process; all must end well."""
    ends = together(commands, *about, **more)
    for args, (code, out, err) in zip(commands, ends, strict=True):
        assert code == 0, (args, out[-500:], err[-3000:])


@pytest.fixture
def place(tmp_path):
    (tmp_path / "text.txt").write_text(TEXT)
    classify_tool.write_csv(tmp_path / "table.csv")
    forecast_tool.write_csv(tmp_path / "sales.csv", 80)
    return tmp_path


# One process may be strict in several ways: each can only refuse more. It has asserts left out only
# where warnings raise, so that each command's own asserts are run by the other process.
@pytest.mark.parametrize(
    ("options", "first"),
    [
        (["-I", "-O", "-bb", "-W", "error"], ""),
        ([], "import numpy; numpy.seterr(all='raise')"),
    ],
    ids=["isolated, no asserts, bytes are no text, warnings raise", "seterr raises"],
)
def test_every_command_runs_under_a_strict_interpreter(place, options, first):
    passed(commands("text.txt", "table.csv", "sales.csv", "."), place, options, first)


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
            table, sales = f"{folder}/t.csv", f"{folder}/s.csv"
            classify_tool.write_csv(table)
            forecast_tool.write_csv(sales, 80)
            args += commands(text, table, sales, folder)
    passed(args, place, **locale)


@pytest.mark.skipif(os.name == "nt", reason="names are Unicode there")
@pytest.mark.parametrize("locale", [{}, C_LOCALE], ids=["UTF-8", "C"])
def test_names_of_any_bytes_are_told_in_one_line(place, locale):
    commands = [["sample", b"./" + name + b"/absent"] for name in ODD]
    for code, out, err in together(commands, place, **locale):
        assert (code, out) == (2, b"")
        assert err.startswith(b"error: ") and err.endswith(b"no such folder\n")
        assert err.count(b"\n") == 1
