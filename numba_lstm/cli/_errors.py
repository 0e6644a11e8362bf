"""Which failure ends in which exit code, and in which words."""

from __future__ import annotations

import contextlib
import errno
import re
from collections.abc import Iterator

import click

from ._text import printable

__all__ = ["BadInput", "bad_input", "exit_code", "one_line"]

FAILED, BAD_INPUT, DIVERGED, INTERRUPTED = 1, 2, 3, 130
# Of the disk, which nobody's input can help.
_DISK = {getattr(errno, name, -1) for name in ("ENOSPC", "EDQUOT", "EFBIG", "EIO")}
# Longer lines nobody reads; a file may have put anything into them.
_LONGEST = 2000
# An argument of Python's in a hint, such as "say dayfirst=True or False". A word of ours stands
# before it, so that a file's own text is hardly ever taken for one.
_ARGUMENT = re.compile(
    r"(\b(?:say|need|or|with|as) |\()(dayfirst|decimal|delimiter|encoding|id|time)="
    r"(True or False|True|False|'[^']*'|(?![\w']))"
)


class BadInput(click.ClickException):
    """What the user gave cannot be used."""

    exit_code = BAD_INPUT


@contextlib.contextmanager
def bad_input() -> Iterator[None]:
    """Within it, while the user's input is read, a wrong value or file is the input's fault.

    A disk that is full or fails is not. Where it is wrong on some ranks only, all of them end.
    """
    try:
        yield
    except RuntimeError as error:
        from ..distributed.errors import DistributedError

        if not isinstance(error, DistributedError):
            raise
        raise BadInput(one_line(ValueError(str(error)))) from error
    except (ValueError, TypeError, OSError, MemoryError) as error:
        if isinstance(error, BrokenPipeError) or getattr(error, "errno", None) in _DISK:
            raise
        raise BadInput(one_line(error)) from error


def exit_code(error: BaseException) -> int:
    """The code that the process ends with."""
    if isinstance(error, click.ClickException):
        return error.exit_code
    if isinstance(error, click.Abort | KeyboardInterrupt):
        return INTERRUPTED
    return FAILED


def one_line(error: BaseException) -> str:
    """The failure in one line, without a traceback."""
    if isinstance(error, click.ClickException):
        text = error.format_message()
    elif isinstance(error, click.Abort | KeyboardInterrupt):
        text = "interrupted"
    elif isinstance(error, OSError) and error.strerror:
        text = f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    elif isinstance(error, MemoryError):
        # NumPy's tells the size that was asked for; Python's own has no words.
        text = f"not enough memory: {error}".rstrip(": ")
    elif isinstance(error, ValueError | TypeError | ArithmeticError | OSError):
        # An OSError with words of our own, or of a library's: what kind it is, they say.
        text = _ARGUMENT.sub(_as_option, str(error))
    else:
        text = f"{type(error).__name__}: {error}".rstrip(": ")
    line = printable(" ".join(text.split())) or type(error).__name__
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 3]}..."


def _as_option(found: re.Match[str]) -> str:
    """An argument as the option of the same name: ``id=`` is --id, ``dayfirst=False`` its no."""
    before, name, value = found.groups()
    yes, no = f"--{name}", f"--no-{name}"
    of_flag = {"True or False": f"{yes} or {no}", "True": yes, "False": no}
    if value in of_flag:
        return before + of_flag[value]
    return before + f"{yes} {value[1:-1]}".rstrip()
