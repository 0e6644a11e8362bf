"""What the README shows works as shown."""

import re
import shlex
from pathlib import Path

import click
import pytest

from numba_lstm.cli import main

README = (Path(__file__).parents[1] / "README.md").read_text()


def commands():
    """Every `numba-lstm …` line of the README, its comment cut off."""
    found = re.findall(r"(?<![\w/-])numba-lstm ([a-z][^\n#`&]*)", README)
    return sorted({line.strip() for line in found})


def test_the_python_of_the_readme_runs_and_learns():
    blocks = re.findall(r"```python\n(.*?)```", README, re.S)
    assert blocks
    for block in blocks:
        names: dict = {}
        exec(block, names)
        assert names["y"].shape == (5, 3, 20)
        first = float((names["head"](names["lstm"](names["x"])[0]) ** 2).mean())
        assert first <= names["loss"] * 1.5


@pytest.mark.parametrize("line", commands())
def test_a_command_of_the_readme_is_one_that_exists(line):
    words = [word for word in shlex.split(line) if word != "…"]
    command: click.Command = main
    context = click.Context(main, info_name="numba-lstm")
    while isinstance(command, click.Group) and words:
        found = command.get_command(context, words[0])
        assert found is not None, words[0]
        command, words = found, words[1:]
        context = click.Context(command, parent=context, info_name=command.name)
    if not isinstance(command, click.Group):
        command.make_parser(context).parse_args(args=list(words))


def test_the_readme_names_the_commands_that_matter():
    first_words = {line.split()[0] for line in commands()}
    assert {"train", "sample", "plot", "evaluate", "warmup", "info"} <= first_words


def test_ci_runs_the_test_command_of_the_readme():
    script = (Path(__file__).parents[1] / ".ci" / "run").read_text()
    command = "python -m pytest -q -n 2 --dist loadfile"
    assert command in README and command in script
    assert "pip install '.[test]'" in README and "'.[test]'" in script


def test_nothing_is_left_to_be_filled_in():
    for name in ("README.md", "CHANGELOG.md", "CONTRIBUTING.md"):
        text = (Path(__file__).parents[1] / name).read_text(encoding="utf-8")
        assert "@@" not in text, name
