"""One command runs the long versions of all tests that have one, and says how each did."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
SCRIPT = ROOT / ".ci" / "long"
READS = re.compile(r"environ(?:\.get\(|\[)\"(NUMBA_LSTM_\w+)\"")
# Those of the package, and what makes no test longer.
OTHERS = {"NUMBA_LSTM_TUNE", "NUMBA_LSTM_CACHE_DIR", "NUMBA_LSTM_TESTS_NEED_MPI"}

needs_bash = pytest.mark.skipif(shutil.which("bash") is None, reason="the command is bash's")


def asked_by(text: str) -> set[str]:
    """The variables that a file of the tests reads."""
    return set(READS.findall(text)) - OTHERS


def that_ask() -> set[str]:
    """The test files that ask for a long version: themselves, by a tool, or by their conftest."""
    tests = ROOT / "tests"
    texts = {path: path.read_text(encoding="utf-8") for path in tests.rglob("*.py")}
    asking = {path for path, text in texts.items() if asked_by(text)}
    while True:
        names = "|".join(path.stem for path in asking if path.parent.name == "tools")
        imports = re.compile(rf"^(?:from|import) .*\b(?:{names})\b", re.MULTILINE)
        more = {path for path, text in texts.items() if imports.search(text)}
        if more <= asking:
            break
        asking |= more
    return {
        path.relative_to(ROOT).as_posix()
        for path in texts
        if path.name.startswith("test_") and asking & {path, path.parent / "conftest.py"}
    }


def listed() -> list[str]:
    done = subprocess.run(["bash", SCRIPT, "--list"], capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_the_command_sets_whatever_a_test_asks_for():
    script = SCRIPT.read_text(encoding="utf-8")
    paths = (ROOT / "tests").rglob("*.py")
    asked = set().union(*(asked_by(path.read_text(encoding="utf-8")) for path in paths))
    assert {"NUMBA_LSTM_LONG", "NUMBA_LSTM_FUZZ", "NUMBA_LSTM_KILLS"} <= asked
    for name in asked:
        assert f"export {name}=" in script, name
    assert "`.ci/long`" in (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


@needs_bash
def test_the_command_runs_every_file_that_has_a_long_version():
    asking = that_ask()
    assert len(asking) > 15 and asking <= {*listed()}


@needs_bash
def test_a_file_that_crashes_ends_no_other_and_the_last_lines_say_how_each_did(tmp_path):
    """`python` is a stand-in that says how many tests passed, and is killed in one file."""
    python = tmp_path / "python"
    python.write_text(
        "#!/bin/sh\n"
        'for last; do :; done; echo "1 passed of $NUMBA_LSTM_LONG"\n'
        'case "$last" in *test_soak.py) kill -KILL $$ ;; *test_fuzz.py) exit 5 ;; esac\n'
    )
    python.chmod(0o755)
    path = os.pathsep.join([str(tmp_path), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", SCRIPT], env=os.environ | {"PATH": path}, capture_output=True, text=True
    )
    assert done.returncode == 1, done.stderr
    lines = done.stdout.split("=== summary\n")[1].splitlines()
    for line, test in zip(lines, listed(), strict=True):
        result = "FAILED (137)" if test.endswith("test_soak.py") else "ok"
        assert line.startswith(f"{result}  {test}  "), line
        assert line.endswith("  1 passed of 1"), line
