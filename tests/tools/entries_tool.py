"""Which compiled kernels a program asks the cache for, whether they are there or not."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from cli_tool import environment

PROGRAM = """
import json, sys
from numba_lstm import compile_cache
names, read = set(), compile_cache.read
def noted(name):
    names.add(name)
    return read(name)
compile_cache.read = noted
file, code = sys.argv[1:3]
sys.argv = sys.argv[2:]
try:
    exec(code)
finally:
    with open(file, "w") as out:
        json.dump(sorted(names), out)
"""
COMMAND = "from numba_lstm.cli import main; main(sys.argv[1:], standalone_mode=False)"


def asked(folder: Path, code: str, *args: object, **more: str) -> set[str]:
    """The names of the cache's entries that a program asks for in a process of its own."""
    file = folder / "entries.json"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), code, *map(str, args)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(**more),
    )
    assert done.returncode == 0, done.stderr
    return set(json.loads(file.read_text()))


def asked_by_command(folder: Path, *args: object, **more: str) -> set[str]:
    """Those that a command of the command line asks for."""
    return asked(folder, COMMAND, *args, **more)
