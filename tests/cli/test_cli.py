"""What every command shares: help, one line of error, exit codes, completion."""

from __future__ import annotations

import fnmatch
import re
import subprocess
import sys

import click
import pytest
from cli_tool import ROOT, cli, environment
from click.testing import CliRunner

from numba_lstm import __version__
from numba_lstm.cli import main

COMMANDS = ("train", "sample", "evaluate", "predict", "plot", "export", "info", "warmup")


def test_the_help_names_every_command_the_codes_and_completion():
    result = cli("--help")
    assert result.code == 0
    for word in (*COMMANDS, "130", "_NUMBA_LSTM_COMPLETE=bash_source", "fish"):
        assert word in result.out
    assert result.err == ""


@pytest.mark.parametrize("command", [*COMMANDS[1:], "train lm", "train classify", "train forecast"])
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


def complete(*words, shell="bash"):
    """What the shell is told when Tab is pressed behind these words: (type, value) pairs."""
    code = "from numba_lstm.cli import main\nmain(prog_name='numba-lstm')"
    told = {
        "_NUMBA_LSTM_COMPLETE": f"{shell}_complete",
        "COMP_WORDS": " ".join(["numba-lstm", *words]),
        "COMP_CWORD": str(len(words)),
    }
    lines = run_python(code, **told)[1].splitlines()
    return [tuple(line.split(",", 1)) for line in lines]


def test_completion_offers_the_commands():
    assert complete("ev") == [("plain", "evaluate")]


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        (("train", "lm", "--data"), "file"),
        (("train", "lm", "--valid"), "file"),
        (("train", "lm", "--config"), "file"),
        (("train", "lm", "--out"), "dir"),
        (("train", "lm", "--resume"), "dir"),
        (("train", "lm", "--init"), "dir"),
        (("train", "classify", "--test"), "file"),
        (("predict", "run", "--input"), "file"),
        (("sample",), "dir"),
        (("plot",), "dir"),
        (("plot", "run", "-o"), "file"),
        (("evaluate",), "dir"),
        (("evaluate", "run", "--data"), "file"),
        (("bench", "--json"), "file"),
        (("bench", "--plot"), "file"),
    ],
)
def test_completion_leaves_files_and_folders_to_the_shell(words, kind):
    assert complete(*words, "ab") == [(kind, "ab")]


@pytest.mark.parametrize(
    ("words", "values"),
    [
        (("bench", "small-5x3"), ["small-5x3x10x20-L2"]),
        (("bench", "usua"), ["usual", "usual-*"]),
        (("bench", "--kind", "tr"), ["train"]),
        (("bench", "--kind", "infer,la"), ["infer,latency"]),
        (("bench", "--peers", "o"), ["onnxruntime"]),
        (("train", "lm", "--cell", "g"), ["gru"]),
    ],
)
def test_completion_offers_names_that_are_known(words, values):
    found = [value for _, value in complete(*words)]
    for value in values:
        assert any(fnmatch.fnmatchcase(one, value) for one in found), found
    assert all(one.startswith(words[-1]) for one in found)


def test_every_option_that_names_a_file_is_known_to_the_completion():
    """By its metavar or its words: whatever is a file's or a run's name."""
    missed = []
    for command in ("train lm", "train classify", "train forecast", *COMMANDS[1:], "bench"):
        found = main
        for word in command.split():
            found = found.get_command(click.Context(found), word)
        for one in found.params:
            names = {"RUN", "FILE"} & set(re.findall("[A-Z]+", one.metavar or ""))
            if names and not isinstance(one.type, click.Path):
                missed.append(f"{command} {one.name}")
    assert missed == []


@pytest.mark.parametrize("command", [*COMMANDS[1:], "train lm", "bench"])
def test_help_is_whole_where_python_drops_docstrings(command):
    lines = []
    for options in ([], ["-OO"]):
        done = subprocess.run(
            [sys.executable, *options, str(ROOT / "cli.py"), *command.split(), "--help"],
            env=environment(),
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        lines.append(done.stdout)
    assert lines[0] == lines[1]


@pytest.mark.skipif(sys.platform == "win32", reason="descriptors are closed by a shell")
@pytest.mark.parametrize("closed", ["1>&-", "2>&-"])
def test_an_output_that_is_closed_is_no_fault(tmp_path, closed):
    for args, code in (("--version", 0), (f"sample {tmp_path}/absent", 2)):
        command = f'exec "{sys.executable}" "{ROOT / "cli.py"}" {args} {closed}'
        done = subprocess.run(["sh", "-c", command], env=environment(), capture_output=True)
        assert done.returncode == code, done.stderr
