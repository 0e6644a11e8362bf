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
file, programs, found = sys.argv[1], json.loads(sys.argv[2]), []
for code, args in programs:
    names.clear()
    sys.argv = ["", *args]
    exec(code, {"__name__": "__main__"})
    found.append(sorted(names))
with open(file, "w") as out:
    json.dump(found, out)
"""
COMMAND = "from numba_lstm.cli import main; main(sys.argv[1:], standalone_mode=False)"


def command(*args: object) -> tuple[str, list[str]]:
    """A program for `asked`: a command of the command line."""
    return "import sys\n" + COMMAND, [str(one) for one in args]


def asked(folder: Path, *programs: str | tuple[str, list[str]], **more: str) -> list[set[str]]:
    """The names of the cache's entries that programs ask for, one after another in one process.

    Each asks for those alone that none before it has loaded.
    """
    file = folder / "entries.json"
    plain = [(one, []) if isinstance(one, str) else one for one in programs]
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(file), json.dumps(plain)],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment(**more),
    )
    assert done.returncode == 0, done.stderr
    return [set(names) for names in json.loads(file.read_text())]
