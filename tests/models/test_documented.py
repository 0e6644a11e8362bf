"""Shared parts of docstrings stand where their names stood, and no name is left."""

from __future__ import annotations

import inspect
import re

import pytest

from numba_lstm import estimators, models
from numba_lstm.models.documented import documented


def test_parts_are_put_in_with_the_indent_of_their_place():
    @documented(a="one\n    two", b="three")
    class Kind:
        """Head.

            {a}
        {b}
        {c} stays, as {a} in a line does.
        """

    # Python 3.13 and later take away what all lines are indented by.
    lines = inspect.cleandoc(Kind.__doc__).splitlines()
    assert lines[2:] == [
        "    one",
        "        two",
        "three",
        "{c} stays, as {a} in a line does.",
    ]


def test_without_docstrings_nothing_happens():
    class Kind:
        pass

    assert documented(a="one")(Kind) is Kind and Kind.__doc__ is None


@pytest.mark.parametrize("package", [models, estimators])
def test_no_name_of_a_part_is_left(package):
    if package is estimators:
        pytest.importorskip("sklearn")
    for name in package.__all__:
        text = getattr(package, name).__doc__
        assert text and not re.search(r"^ *\{\w+\}$", text, re.M), name
