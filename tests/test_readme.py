"""What the README, and the CHANGELOG and CONTRIBUTING beside it, say of this checkout is so.

That the README's code runs is tested with the other pages', in ``docs/test_pages.py``.
"""

from __future__ import annotations

import re
from pathlib import Path

import pages_tool

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> set[str]:
    """The first word of each `numba-lstm …` of the README."""
    return set(re.findall(r"numba-lstm ([a-z]+)", README))


def test_the_readme_names_the_commands_that_matter():
    assert {"train", "sample", "plot", "evaluate", "predict", "export", "bench"} <= commands()
    assert {"warmup", "info"} <= commands()


def test_every_command_of_the_readme_has_a_test():
    run = "".join(block.code for block in pages_tool.blocks(ROOT / "README.md") if not block.reason)
    for command in commands():
        own = (ROOT / "tests" / "cli" / f"test_{command}.py").is_file()
        assert own or f"numba-lstm {command}" in run, command


def test_every_link_of_the_readme_leads_to_a_file():
    links = re.findall(r"\]\(([^):#]+)\)", README)
    assert len(links) > 20
    for link in links:
        assert (ROOT / link).exists(), link


def test_ci_runs_the_commands_of_the_readme_that_its_test_does_not():
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    left_out = [block.code for block in pages_tool.blocks(ROOT / "README.md") if block.reason]
    for command in ("sphinx-build -q -W", "python -m pytest"):
        (line,) = [line for code in left_out for line in code.splitlines() if command in line]
        assert line[line.index(command) :] in script
    for extra in ("'.[docs]'", "'.[test]'"):
        assert f"pip install {extra}" in README and extra in script


def test_every_extra_is_told_of():
    setup = (ROOT / "setup.cfg").read_text(encoding="utf-8")
    section = setup.split("[options.extras_require]\n")[1].split("\n[")[0]
    installation = (ROOT / "docs" / "installation.md").read_text(encoding="utf-8")
    for extra in re.findall(r"^(\w+) =$", section, re.MULTILINE):
        assert f"`{extra}`" in installation, extra


def test_nothing_is_left_to_be_filled_in():
    for page in [*pages_tool.pages(), ROOT / "CHANGELOG.md", ROOT / "CONTRIBUTING.md"]:
        assert "@@" not in page.read_text(encoding="utf-8"), page
