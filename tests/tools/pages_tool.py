"""The code blocks of a Markdown page, run in order, as a reader would type them.

All blocks of a page run in one process and one folder. ``python`` blocks share one namespace;
``sh`` blocks are run by bash, which stops at the first command that fails. Comments of HTML, which
a reader does not see, say what is different here:

``<!-- not run: WHY -->``
    The block that follows is not run.
``<!-- run with: OLD => NEW -->``
    OLD, which must stand in the block that follows, is replaced: so long commands become short.
``<!-- first: STATEMENT -->``
    Python that is run at this place: what a reader has already, such as a text of their own.
``<!-- check: EXPRESSION -->``
    Must be true at this place of the page; its names are those of the ``python`` blocks.

Blocks of the languages in `SHOWN` are output or files, and there is nothing to run in them.
"""

from __future__ import annotations

import atexit
import contextlib
import functools
import json
import os
import re
import signal
import subprocess
import sys
import traceback
from dataclasses import dataclass
from pathlib import Path

from commands_tool import Commands, import_all

ROOT = Path(__file__).resolve().parents[2]
LANGUAGES = ("python", "sh")
SHOWN = ("text", "toml", "json")

_FENCE = re.compile(r"(?P<ticks>`{3,})(?P<language>[^`\s]*)\s*$")
_MARK = re.compile(r"<!-- (?P<kind>not run|run with|first|check): (?P<words>.*) -->\s*$")


@dataclass
class Block:
    """What one place of a page asks for.

    Attributes
    ----------
    kind
        ``python``, ``sh``, ``first`` or ``check``.
    code
        What is run; as on the page, but for ``run with``.
    line
        The number, from 1, of the line before the first one of the code.
    reason
        Why it is not run; empty if it is.
    """

    kind: str
    code: str
    line: int
    reason: str = ""


def pages() -> list[Path]:
    """The README and every page of the documentation."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    return [ROOT / "README.md", *(path for path in found if "_build" not in path.parts)]


def blocks(page: Path) -> list[Block]:
    """Read a page's blocks and checks in their order.

    Raises
    ------
    ValueError
        For what would be passed over in silence: a block of no known language or indented code,
        a mark that stands before no block, or a replacement of what is not there.
    """
    found: list[Block] = []
    marks: list[tuple[str, str]] = []
    lines = page.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines):
        line, at = lines[at], at + 1
        place = f"{page.name}:{at}"
        if mark := _MARK.match(line):
            kind, words = mark["kind"], mark["words"].strip()
            if kind in ("first", "check"):
                found.append(Block(kind, words, at))
            else:
                marks.append((kind, words))
        elif fence := _FENCE.match(line):
            end = at
            while lines[end] != fence["ticks"]:
                end += 1
            if not fence["language"].startswith("{"):
                code = "\n".join(lines[at:end]) + "\n"
                found += _block(place, fence["language"], code, at, marks)
                marks = []
            elif marks:
                raise ValueError(f"{place}: a mark before a directive")
            at = end + 1
        elif line.startswith("    ") and not lines[at - 2].strip():
            raise ValueError(f"{place}: indented code; use a fence that says the language")
        elif line.lstrip().startswith("```"):
            raise ValueError(f"{place}: an indented fence")
        elif line.strip() and marks:
            raise ValueError(f"{place}: a mark before no block")
    return found


def _block(
    place: str, language: str, code: str, line: int, marks: list[tuple[str, str]]
) -> list[Block]:
    if language in SHOWN and not marks:
        return []
    if language not in LANGUAGES:
        expected = ", ".join([*LANGUAGES, *SHOWN])
        raise ValueError(f"{place}: expected one of {expected}, got {language!r}")
    reason = ""
    for kind, words in marks:
        if kind == "not run":
            reason = words
            continue
        old, _, new = words.partition(" => ")
        if old not in code:
            raise ValueError(f"{place}: {old!r} to be replaced stands not in the block")
        code = code.replace(old, new)
    return [Block(language, code, line, reason)]


def run(page: Path, kinds: tuple[str, ...] = ("python", "sh", "first", "check")) -> int:
    """Run a page's blocks of some kinds in the current folder; how many were run."""
    names: dict = {"__name__": "__main__"}
    count = 0
    for block in blocks(page):
        place = f"{page.name}:{block.line}"
        if block.reason or block.kind not in kinds:
            continue
        if block.kind in ("python", "first"):
            # Empty lines before it, so that a traceback tells the page's line.
            exec(compile("\n" * block.line + block.code, page, "exec"), names)
        elif block.kind == "check":
            assert eval(block.code, names), f"{place}: not true: {block.code}"
        else:
            done = subprocess.run(["bash", "-euo", "pipefail", "-c", block.code], check=False)
            assert done.returncode == 0, f"{place}: exit code {done.returncode} of\n{block.code}"
        count += block.kind in LANGUAGES
    return count


def run_apart(page: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run a page in a process of its own, where `numba-lstm` is this checkout's command."""
    (folder / ".programs").mkdir()
    server = _server()
    assert server.stdin is not None and server.stdout is not None
    server.stdin.write(json.dumps([str(page.resolve()), str(folder)]) + "\n")
    server.stdin.flush()
    code = int(server.stdout.readline())
    out, err = ((folder / ".programs" / name).read_text("utf-8") for name in ("out", "err"))
    return subprocess.CompletedProcess([str(page)], code, out, err)


def _end(server: subprocess.Popen[str]) -> None:
    server.kill()
    server.communicate()


@functools.cache
def _server() -> subprocess.Popen[str]:
    """A process that has imported what pages import, and forks for each.

    On one thread, as there are other tests beside it, and threads that wait for each other on busy
    cores are slower than one.
    """
    tools = str(Path(__file__).parent)
    path = os.pathsep.join(filter(None, [str(ROOT), tools, os.environ.get("PYTHONPATH")]))
    server = subprocess.Popen(
        [sys.executable, "-P", __file__],
        env={**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": "1"},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    atexit.register(_end, server)
    return server


def serve() -> None:
    """Run the pages that are asked for on standard input, and tell their exit codes."""
    import_all()
    for line in sys.stdin:
        page, folder = json.loads(line)
        child = os.fork()
        if not child:
            os.chdir(folder)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            for number, name in ((1, "out"), (2, "err")):
                os.dup2(os.open(f".programs/{name}", os.O_WRONLY | os.O_CREAT), number)
            sys.stdin = open(0, closefd=False)  # noqa: SIM115
            signal.alarm(300)
            os.environ["PATH"] = f"{folder}/.programs{os.pathsep}{os.environ.get('PATH', '')}"
            code = 1
            try:
                main(Path(page))
                code = 0
            except BaseException:
                traceback.print_exc()
            sys.stdout.flush(), sys.stderr.flush()
            os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)


def main(page: Path) -> None:
    """Run a page, with `numba-lstm` where `run_apart` said that programs are."""
    program = Path(".programs", "numba-lstm")
    used = any("numba-lstm" in block.code for block in blocks(page) if block.kind == "sh")
    with Commands(program) if used else contextlib.nullcontext():
        print(run(page), "blocks were run")


if __name__ == "__main__":
    serve()
