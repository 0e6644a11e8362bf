"""Texts, names and prompts in any encoding: no traceback, and nothing lost."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from typing import NamedTuple

import pytest
from cli_tool import COMMAND, COMPILING, TEXT, TINY, environment, together, trained
from click.testing import CliRunner
from long_tool import LONG

from numba_lstm.cli import main

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names and arguments are Unicode there")

# The POSIX locale, with and without Python's own remedy for it.
POSIX = {"LC_ALL": "C", "PYTHONIOENCODING": ""}
STRICT = {**POSIX, "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
STRANGE = b"caf\xe9"  # Latin-1, and no UTF-8


def run(*args, **more):
    """A command's exit code, output and errors, as bytes; arguments may be bytes, too."""
    command = [*COMMAND, *(arg if isinstance(arg, bytes) else str(arg) for arg in args)]
    env = {name: value for name, value in environment(**more).items() if value != ""}
    done = subprocess.run(command, env=env, capture_output=True, timeout=300)
    err = done.stderr.replace(COMPILING.encode(), b"")
    assert b"Traceback" not in err
    return done.returncode, done.stdout, err


@pytest.fixture(scope="module")
def accented(tmp_path_factory):
    """A run that knows an accent, and its text in a file whose name is not UTF-8."""
    folder = tmp_path_factory.mktemp("accented")
    text = os.path.join(os.fsencode(folder), STRANGE + b".txt")
    with open(text, "wb") as file:
        file.write((TEXT + "d\u00e9j\u00e0 \u03a9\n" * 9).encode())
    name = os.path.join(os.fsencode(folder), STRANGE)
    options = [*TINY, "--steps", 2, "--valid-every", 1, "--json"]
    code, out, err = run("train", "lm", "--data", text, *options, "--out", name)
    assert code == 0, err
    assert os.fsencode(json.loads(out)["run"]) == name
    # Terminals show what they can; the rest is escaped.
    assert rb"run: " in err
    assert rb"caf\udce9" in err
    return name, text


# Python's remedy makes the POSIX locale one of UTF-8.
LOCALES = {"utf-8": {}, "ascii": STRICT} | ({"posix": POSIX} if LONG else {})


class Ended(NamedTuple):
    """How commands ended in one process of a locale, each with what it was."""

    served: list
    told: list
    prompted: list
    made: set[bytes]


@pytest.fixture(scope="module", params=LOCALES)
def ended(request, accented, tmp_path_factory):
    name, text = accented
    folder = os.fsencode(tmp_path_factory.mktemp("made"))
    out = os.path.join(folder, STRANGE)
    few = ["--batch", 4, "--seq-len", 8, "--steps", 1, "--quiet"]
    served = [
        ["train", "lm", "--resume", name, "--steps", 3, "--quiet"],
        ["sample", name, "--length", 3],
        ["train", "lm", "--init", name, "--data", text, *few, "--out", out],
        ["train", "lm", "--config", os.path.join(out, b"config.toml"), *few, "--out", out + b"2"],
        ["evaluate", name],
        ["evaluate", name, "--data", text, "--json"],
        ["plot", name, "-o", out + b".png"],
    ]
    told = [
        ["train", "lm", "--data", STRANGE],
        ["train", "lm", "--config", STRANGE],
        ["train", "lm", "--resume", STRANGE],
        ["sample", STRANGE],
        ["evaluate", STRANGE],
        ["evaluate", trained()[0], "--data", STRANGE],
        ["plot", STRANGE, "-o", "x.png"],
    ]
    prompted = [
        ["sample", name, "--prompt", "d\u00e9j\u00e0 ".encode(), "--length", 4, "--json"],
        ["sample", name, "--prompt", STRANGE],
    ]
    commands = [*served, *told, *prompted]
    ends = list(zip(commands, together(commands, **LOCALES[request.param]), strict=True))
    made = set(os.listdir(folder))
    return Ended(ends[:7], ends[7:14], ends[14:], made)


def test_a_name_that_is_not_utf_8_serves_in_every_command(ended):
    for args, (code, _, err) in ended.served:
        assert code == 0, (args, err)
    assert ended.made == {STRANGE, STRANGE + b"2", STRANGE + b".png"}


def test_a_name_that_is_not_utf_8_is_told_in_messages(ended):
    for args, (code, out, err) in ended.told:
        assert (code, out) == (2, b""), (args, err)
        (line,) = err.splitlines()
        assert line.startswith(b"error: "), args
        assert rb"caf\udce9" in line, (args, line)


def test_a_prompt_is_utf_8_in_any_locale(ended):
    (_, (code, out, err)), (_, refused) = ended.prompted
    assert code == 0, err
    assert json.loads(out)["text"].startswith("d\u00e9j\u00e0 ")
    code, out, err = refused
    assert (code, out) == (2, b"")
    assert b"expected UTF-8" in err
    assert b"--prompt" in err


@pytest.mark.parametrize("page", ["ascii", "cp1252", "utf-16"])
def test_output_of_another_code_page_loses_nothing(accented, page):
    args = ["sample", accented[0], "--prompt", "d\u00e9j\u00e0 \u03a9", "--length", 0]
    (code, out, err), as_json = together([args, [*args, "--json"]], PYTHONIOENCODING=page)
    assert (code, err) == (0, b"")
    # ASCII is taken for a mistake and answered by UTF-8.
    encoding = "utf-8" if page == "ascii" else page
    expected = {"cp1252": "d\u00e9j\u00e0 \\u03a9"}.get(page, "d\u00e9j\u00e0 \u03a9")
    assert out.decode(encoding).rstrip("\n") == expected
    code, out, err = as_json
    assert code == 0, err
    assert json.loads(out.decode(page))["text"] == "d\u00e9j\u00e0 \u03a9"


def test_byte_order_marks_are_no_part_of_texts_and_options(tmp_path):
    mark = b"\xef\xbb\xbf"
    (tmp_path / "text.txt").write_bytes(mark + TEXT.encode())
    (tmp_path / "mine.toml").write_bytes(mark + b"steps = 1\nquiet = 3\n")
    args = ["train", "lm", "--config", str(tmp_path / "mine.toml")]
    assert "quiet: no such option" in CliRunner().invoke(main, args).stderr
    (tmp_path / "mine.toml").write_bytes(mark + b"steps = 1\n")
    args += ["--data", str(tmp_path / "text.txt"), "--out", str(tmp_path / "run"), "--quiet"]
    assert CliRunner().invoke(main, [*args, *TINY]).exit_code == 0
    vocabulary = (tmp_path / "run" / "vocab.json").read_text()
    assert "ufeff" not in vocabulary
    # An editor may put one into a run's own files.
    for name in ("config.toml", "vocab.json", "metrics.jsonl"):
        path = tmp_path / "run" / name
        path.write_bytes(mark + path.read_bytes())
    resumed = ["train", "lm", "--resume", str(tmp_path / "run"), "--steps", "2", "--quiet"]
    result = CliRunner().invoke(main, resumed)
    assert (result.exit_code, result.output) == (0, "")
    shutil.rmtree(tmp_path / "run")
