"""Bad input of ``train lm``, refused in one line."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from numba_lstm.cli import main


def refused(args: Sequence[Any], cwd: Path) -> str:
    """The one line with which bad input is refused; nothing may be written."""
    before = sorted((str(path), path.stat().st_mtime_ns) for path in cwd.rglob("*"))
    result = CliRunner().invoke(main, ["train", "lm", *map(str, args)])
    assert result.exit_code == 2, (result.output, result.exception)
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert "Error: " not in line, "a class's name is no user's word"
    assert sorted((str(path), path.stat().st_mtime_ns) for path in cwd.rglob("*")) == before
    return line
