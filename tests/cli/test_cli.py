"""What every command shares: help, one line of error, exit codes, completion."""

from __future__ import annotations

import subprocess
import sys

import pytest
from cli_tool import cli, environment
from click.testing import CliRunner

from numba_lstm import __version__
from numba_lstm.cli import main

COMMANDS = ("train", "sample", "evaluate", "plot", "info", "warmup")


def test_the_help_names_every_command_the_codes_and_completion():
    result = cli("--help")
    assert result.code == 0
    for word in (*COMMANDS, "130", "_NUMBA_LSTM_COMPLETE=bash_source", "fish"):
        assert word in result.out
    assert result.err == ""


@pytest.mark.parametrize("command", [*COMMANDS[1:], "train lm"])
def test_every_command_has_a_help(command):
    result = CliRunner().invoke(main, [*command.split(), "--help"])
    assert result.exit_code == 0
    assert result.output.startswith("Usage: ")


def run_python(code, **more):
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment(**more), capture_output=True, text=True
    )
    return done.returncode, done.stdout


def test_the_package_run_as_a_module_is_the_command_line():
    command = [sys.executable, "-m", "numba_lstm"]
    done = subprocess.run(
        [*command, "train", "--help"], env=environment(), capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: python -m numba_lstm train")
    done = subprocess.run([*command, "trian"], env=environment(), capture_output=True, text=True)
    assert done.returncode == 2
    assert done.stderr == "error: No such command 'trian'.\n"


def test_help_imports_no_compiler():
    code = (
        "import sys\nfrom numba_lstm.cli import main\n"
        "try: main(['train', 'lm', '--help'])\nexcept SystemExit: pass\n"
        "sys.exit(any(name in sys.modules for name in ('numba', 'scipy', 'matplotlib')))"
    )
    assert run_python(code)[0] == 0


def test_the_version_is_the_packages():
    result = CliRunner().invoke(main, ["--version"])
    assert __version__ in result.output


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["trian"], "No such command 'trian'"),
        (["train", "lm", "--hiden", "3"], "--hiden"),
        (["train", "lm", "--hidden", "many"], "--hidden"),
        (["sample"], "Missing argument 'RUN'"),
    ],
)
def test_wrong_usage_is_one_line_and_exit_code_2(args, words):
    result = CliRunner().invoke(main, args)
    assert result.exit_code == 2
    assert result.stdout == ""
    (line,) = result.stderr.splitlines()
    assert line.startswith("error: ")
    assert words in line


def test_a_group_without_a_command_shows_its_help_and_fails():
    result = CliRunner().invoke(main, ["train"])
    assert result.exit_code == 2
    assert result.stdout == ""
    assert "Usage: " in result.stderr
    assert "lm" in result.stderr


def test_completion_offers_the_commands():
    code = "from numba_lstm.cli import main\nmain(prog_name='numba-lstm')"
    complete = {"_NUMBA_LSTM_COMPLETE": "bash_complete", "COMP_CWORD": "1"}
    assert "evaluate" in run_python(code, **complete, COMP_WORDS="numba-lstm ev")[1]
