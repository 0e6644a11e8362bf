"""What drivers and their tuples tell a reader: each argument and each field says what it is."""

from __future__ import annotations

import ast
import importlib
import inspect
import pkgutil
import re

import pytest

from numba_lstm import jit, kernels
from numba_lstm.kernels.loops import arguments
from numba_lstm.kernels.loops.cell import Cell


def every_driver():
    found = {}
    for info in pkgutil.walk_packages(kernels.__path__, f"{kernels.__name__}."):
        for value in vars(importlib.import_module(info.name)).values():
            some = (value.forward, value.backward) if isinstance(value, Cell) else (value,)
            found |= {one.__name__: one for one in some if isinstance(one, jit.driver)}
    assert len(found) > 30
    return list(found.values())


def documented(docstring):
    """Names that stand before a colon, alone or with others, or alone in a line of their own."""
    names = set()
    for line in docstring.splitlines():
        head = line.split(" :")[0].strip()
        if re.fullmatch(r"\w+(, \w+)*", head):
            names.update(head.split(", "))
    return names


@pytest.mark.parametrize("driver", every_driver(), ids=lambda driver: driver.__name__)
def test_every_argument_of_a_driver_is_documented_at_its_signature(driver):
    crew, *expected = inspect.signature(driver.function).parameters
    assert crew == "crew" and expected[0] == "nt"  # `jit.driver` tells what the first one is
    assert set(expected) - documented(inspect.getdoc(driver.function)) == set()
    assert driver.__doc__ == driver.function.__doc__


def test_a_missing_argument_is_found():
    assert documented("Parameters\n----\nnt : int\nh0, c0 : (B, H)\nsize\n    S.") >= {
        "nt", "h0", "c0", "size",
    }  # fmt: skip
    assert "dy" not in documented("dy_t of a row\nx : (N,)\n    dy and others.")


def test_every_field_of_the_tuples_has_a_comment_beside_it_or_above():
    source = inspect.getsource(arguments)
    lines = source.splitlines()
    fields = [
        node
        for tuple_class in ast.parse(source).body
        if isinstance(tuple_class, ast.ClassDef)
        for node in tuple_class.body
        if isinstance(node, ast.AnnAssign)
    ]
    assert len(fields) > 90
    # Masks, and a thread's s1, f0, …, follow a field that speaks for them.
    spoken_for = {"drop", "zone_h", "zone_c", "fresh", "s1", "f0", "f1", "r1", "p1", "h1"}
    spoken_for |= {"column", "columns", "s0"}
    for field in fields:
        here, above = lines[field.lineno - 1], lines[field.lineno - 2].strip()
        said = "  # " in here or above.startswith("#") or field.target.id in spoken_for
        assert said, (field.lineno, here)
