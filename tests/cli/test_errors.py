"""Each failure has its exit code and one line of words."""

from __future__ import annotations

import re
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from numba_lstm import datasets
from numba_lstm.cli import _errors
from numba_lstm.cli._group import CommandGroup


def fail_with(error, monkeypatch):
    """End a command by an error; the result of running it."""
    command = click.Command("fail", callback=lambda: (_ for _ in ()).throw(error))
    group = CommandGroup("test", {"fail": "nowhere:fail"})
    monkeypatch.setattr(group, "get_command", lambda ctx, name: command)
    return CliRunner().invoke(group, ["fail"])


@pytest.mark.parametrize(
    ("error", "code", "line"),
    [
        (_errors.BadInput("no such file"), 2, "no such file"),
        (RuntimeError("out of\n  luck"), 1, "RuntimeError: out of luck"),
        (OSError(28, "No space left on device", "run/x"), 1, "run/x: No space left on device"),
        (OSError(), 1, "OSError"),
        (FileNotFoundError("a.txt: no such file"), 1, "a.txt: no such file"),
        (MemoryError(), 1, "not enough memory"),
        (MemoryError("Unable to allocate 8 TiB"), 1, "not enough memory: Unable to allocate 8 TiB"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (click.UsageError("what?"), 2, "what?"),
    ],
)
def test_a_failure_is_one_line_without_a_traceback(error, code, line, monkeypatch):
    result = fail_with(error, monkeypatch)
    assert result.exit_code == code
    assert result.stdout == ""
    assert result.stderr.strip() == f"error: {line}"


def test_whoever_debugs_gets_the_traceback(monkeypatch):
    monkeypatch.setenv("NUMBA_LSTM_TRACEBACK", "1")
    result = fail_with(RuntimeError("out of luck"), monkeypatch)
    assert isinstance(result.exception, RuntimeError)


@pytest.mark.parametrize("error", [ValueError, TypeError, OSError, MemoryError])
def test_what_fails_while_input_is_read_is_the_inputs_fault(error):
    with pytest.raises(_errors.BadInput, match="x: bad"), _errors.bad_input():
        raise error("x: bad")


def test_a_bug_while_input_is_read_is_not_the_inputs_fault():
    with pytest.raises(KeyError), _errors.bad_input():
        raise KeyError("bug")


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ("say dayfirst=True or False", "say --dayfirst or --no-dayfirst"),
        ("cannot be read with dayfirst=False", "cannot be read with --no-dayfirst"),
        ("say decimal='.' or decimal=','", "say --decimal . or --decimal ,"),
        ("has, such as encoding='cp1252'", "has, such as --encoding cp1252"),
        ("no mark (encoding='utf-16-le')", "no mark (--encoding utf-16-le)"),
        ("one file need id= (an id column)", "one file need --id (an id column)"),
        ("say time= to sort the rows", "say --time to sort the rows"),
        ("any of these; say delimiter=", "any of these; say --delimiter"),
        ("'say id=3' is no number", "'say id=3' is no number"),
    ],
)
def test_arguments_of_python_are_told_as_options(words, told):
    assert _errors.one_line(ValueError(words)) == told


def test_no_hint_of_the_readers_names_an_argument():
    """Whatever `name=` their sources say in a message is told as an option."""
    folder = Path(datasets.__file__).parent
    hints = [
        line.strip()
        for file in sorted(folder.glob("*.py"))
        for line in file.read_text().splitlines()
        if re.search(r"[\"'(].*\b(say|need|with|such as) [a-z]+=|\(encoding=", line)
        and not line.strip().startswith(("#", ">>>"))
    ]
    assert len(hints) >= 5
    for line in hints:
        told = _errors.one_line(ValueError(line.replace("{dayfirst}", "True")))
        assert not re.search(r"\b(say|need|with|as|or) [a-z]+=|\([a-z]+='", told), told
