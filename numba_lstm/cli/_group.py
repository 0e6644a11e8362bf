"""A click group that imports its commands late and ends every failure in one line."""

from __future__ import annotations

import codecs
import contextlib
import io
import os
import sys
from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Any

import click

from ._errors import exit_code, one_line

__all__ = ["CommandGroup"]


class CommandGroup(click.Group):
    """The commands' home.

    Parameters
    ----------
    name
        The group's name.
    homes
        For each command ``"module:attribute"`` inside this package, in the order of the help.
    attrs
        As click's Group takes them.
    """

    def __init__(self, name: str, homes: Mapping[str, str], **attrs: Any) -> None:
        super().__init__(name, **attrs)
        self._homes = dict(homes)

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the help."""
        return list(self._homes)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command, or give None where there is no such."""
        if cmd_name not in self._homes:
            return None
        module, attribute = self._homes[cmd_name].split(":")
        return getattr(import_module(f".{module}", __package__), attribute)

    def main(  # type: ignore[override]
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        **extra: Any,
    ) -> Any:
        """Run the command line; in standalone mode exit with one of the promised codes."""
        if not standalone_mode:
            return super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
        _never_fail_to_print()
        # Commands tell in their own way that kernels are compiled, or do not.
        os.environ.setdefault("NUMBA_LSTM_QUIET", "1")
        try:
            result = super().main(args, prog_name, complete_var, standalone_mode=False, **extra)
            # Of ctx.exit(code) click returns the code; a command's own result is None.
            code = result if isinstance(result, int) else 0
            sys.stdout.flush()
        except BaseException as error:
            if isinstance(error, SystemExit):
                raise
            if os.environ.get("NUMBA_LSTM_TRACEBACK"):
                raise
            code = exit_code(error)
            if isinstance(error, BrokenPipeError):
                _close_stdout()
            elif isinstance(error, click.exceptions.NoArgsIsHelpError):
                error.show()
            else:
                click.echo(f"error: {one_line(error)}", err=True)
            _flush_stdout()
        sys.exit(code)


def _never_fail_to_print() -> None:
    """A character that the terminal's encoding lacks is no reason to fail; it is escaped.

    Nor is an output that is closed, as that of a service may be; what is printed goes nowhere.

    Where the encoding is ASCII click writes UTF-8, because that is a mistaken setting more often
    than not, but it would put a question mark for each byte of a name that is no UTF-8.
    """
    if sys.stdout is None:
        sys.stdout = open(os.devnull, "w")  # noqa: SIM115  (open to the end)
    if sys.stderr is None:
        sys.stderr = open(os.devnull, "w")  # noqa: SIM115
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            ascii_only = codecs.lookup(stream.encoding).name == "ascii"
            encoding = "utf-8" if ascii_only else stream.encoding
            stream.reconfigure(encoding=encoding, errors="backslashreplace")
    sys.stderr = _unfailing(sys.stderr)


class _Unfailing(io.FileIO):
    """Standard error, of which is lost what cannot be written.

    The disk of a log may be full, and a terminal may have been closed. The work goes on.
    """

    def write(self, data: Any) -> int:
        size = memoryview(data).nbytes
        with contextlib.suppress(OSError):
            written = super().write(data)
            return size if written is None else written
        return size


def _unfailing(stream: Any) -> Any:
    """The same stream, but that it never fails; where it is no plain file, the stream itself."""
    if type(stream) is not io.TextIOWrapper or os.name == "nt":
        return stream
    try:
        stream.flush()
        raw = _Unfailing(stream.fileno(), "wb", closefd=False)
    except (OSError, ValueError):
        return stream
    buffer = io.BufferedWriter(raw)
    return io.TextIOWrapper(buffer, stream.encoding, "backslashreplace", line_buffering=True)


def _flush_stdout() -> None:
    """Have the interpreter's own last flush not complain of what is told already."""
    try:
        sys.stdout.flush()
    except OSError:
        _close_stdout()


def _close_stdout() -> None:
    """What is printed from now on, or was and could not be, goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
