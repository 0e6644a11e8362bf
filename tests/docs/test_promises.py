"""The page of promises: each names a test that holds it, and each of these tests exists."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "promises.md").read_text()
TEST = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def test_the_tests_that_hold_promises_are_there():
    named = TEST.findall(PAGE)
    assert len(named) > 60
    for file, name in named:
        assert re.search(rf"^def {name}\(", (ROOT / file).read_text(), re.MULTILINE), (file, name)


def test_each_promise_names_a_test_that_holds_it():
    promises = re.split(r"^- ", PAGE.replace("\n##", "\n- ##"), flags=re.MULTILINE)[1:]
    promises = [one for one in promises if not one.startswith("##")]
    assert len(promises) > 40
    assert [one for one in promises if not TEST.search(one)] == []
