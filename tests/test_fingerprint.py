"""Texts for functions change with what compiles, and with nothing else."""

from __future__ import annotations

import enum
import importlib
import sys
import textwrap
from collections import namedtuple

import numba
import numpy as np
import pytest
from lstm_tool import run_python
from numba import types
from numba.extending import intrinsic, overload

from numba_lstm.fingerprint import Fingerprints, Unknown, of_code, of_modules, of_types
from numba_lstm.jit import kernel


def text(source: str, name: str = "f", **known: object) -> str:
    """A fingerprint of the function `name` that this source defines."""
    namespace = {"kernel": kernel, "np": np, **known}
    exec(compile(textwrap.dedent(source), "<a file of any name>", "exec"), namespace)
    function = namespace[name]
    return Fingerprints().of(getattr(function, "py_func", function))


PLAIN = """
def f(x, y=2):
    '''Doubles.'''
    return x * 2 + y
"""


@pytest.mark.parametrize(
    "same",
    [
        PLAIN.replace("Doubles.", "What it does is said otherwise."),
        "\n\n\n# a comment\n" + PLAIN,
        PLAIN.replace("x * 2 + y", "(x * 2  # twice\n + y)").replace("return", "\n\n    return"),
        "other = 3\n" + PLAIN + "\ndef g():\n    return other\n",
    ],
)
def test_places_comments_docstrings_and_other_functions_do_not_count(same):
    assert text(same) == text(PLAIN)


@pytest.mark.parametrize(
    "old, new",
    [
        ("x * 2", "x * 3"),
        ("x * 2", "x * 2.0"),
        ("x * 2", "x + 2"),
        ("y=2", "y=3"),
        ("x, y=2", "x, *, y=2"),
        ("x * 2 + y", "abs(x * 2 + y)"),
        ("x * 2", "x.real * 2"),
        ("x * 2", "x * (lambda: 2)()"),
    ],
)
def test_code_constants_and_defaults_count(old, new):
    assert text(PLAIN.replace(old, new)) != text(PLAIN)


def test_a_constant_that_is_the_docstring_too_counts():
    source = "def f(x):\n    'one'\n    return x == 'one'\n"
    assert text(source) != text(source.replace("one", "two"))


@pytest.mark.parametrize(
    "first, second",
    [
        (1, 2),
        (1, 1.0),
        (1, True),
        (0.0, -0.0),
        ((1, 2), (2, 1)),
        ([1], [2]),
        ({1: 2}, {1: 3}),
        ({"a", "b"}, {"a", "c"}),
        (np.arange(3), np.arange(4)),
        (np.arange(4), np.arange(4).reshape(2, 2)),
        (np.zeros(2, "f4"), np.zeros(2, "i4")),
        (np.asarray([[1, 2], [2, 1]], order="C"), np.asarray([[1, 2], [2, 1]], order="F")),
        (np.float32(1), np.float64(1)),
        (np.dtype("f4"), np.dtype("f8")),
        (types.int32, types.int64),
        (namedtuple("A", "x y"), namedtuple("A", "y x")),
        (namedtuple("A", "x y")(1, 2), namedtuple("A", "y x")(1, 2)),
        (namedtuple("A", "x", defaults=[1]), namedtuple("A", "x", defaults=[2])),
        (enum.Enum("E", "a b").a, enum.Enum("E", "a b").b),
        (KeyError, ValueError),
        (np.sin, np.cos),
        (np, numba),
        (kernel(lambda x: x), kernel(lambda x: x + 1)),
        (numba.njit(lambda x: x), numba.njit(fastmath=True)(lambda x: x)),
    ],
)
def test_values_of_globals_and_closures_count(first, second):
    source = "def f(x):\n    return x, value\n"
    closed = (
        "def make(value):\n    def f(x):\n        return x, value\n    return f\nf = make(held)\n"
    )
    for held in (first, second):
        assert text(source, value=held) == text(source, value=held)
        assert text(closed, held=held) == text(closed, held=held)
    assert text(source, value=first) != text(source, value=second)
    assert text(closed, held=first) != text(closed, held=second)


def test_names_that_only_a_nested_function_uses_count():
    source = "def f(x):\n    def g():\n        return value\n    return g()\n"
    assert text(source, value=1) != text(source, value=2)


def test_of_a_module_the_attributes_that_are_used_count(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    source = "def f(x):\n    return x * fingerprinted_sizes.A\n"

    def of(values: str) -> str:
        (tmp_path / "fingerprinted_sizes.py").write_text(values)
        sys.modules.pop("fingerprinted_sizes", None)
        importlib.invalidate_caches()
        return text(source, fingerprinted_sizes=importlib.import_module("fingerprinted_sizes"))

    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    assert of("A, B = 1, 2") == of("A, B = 1, 3") != of("A, B = 2, 2")
    sys.modules.pop("fingerprinted_sizes")


CALLS = """
@kernel
def g(x):
    return x + 1

@kernel
def h(x):
    return g(x)

def f(x):
    return h(x)
"""


def test_what_is_called_by_what_is_called_counts():
    assert text(CALLS) == text("\n" + CALLS) != text(CALLS.replace("+ 1", "+ 2"))


def test_recursion_ends_and_counts():
    source = """
    @kernel
    def g(x):
        return h(x - 1) if x else A

    @kernel
    def h(x):
        return g(x - 1) if x else 2

    def f(x):
        return g(x), h(x), f(x)
    """
    assert text(source, A=1) == text(source, A=1) != text(source, A=2)
    assert text(source, A=1) != text(source.replace("else 2", "else 3"), A=1)


def test_a_function_is_read_once():
    namespace = {"A": 1}
    exec("def f(x):\n    return x + A\n", namespace)
    fingerprints = Fingerprints()
    before = fingerprints.of(namespace["f"])
    namespace["A"] = 2
    assert fingerprints.of(namespace["f"]) == before != Fingerprints().of(namespace["f"])


def test_what_replaces_a_function_when_it_is_compiled_counts():
    def texts(by: int) -> str:
        def stub(x):
            raise TypeError

        @overload(stub)
        def _stub(x):
            return lambda x: x * by

        return text("def f(x):\n    return stub(x)\n", stub=stub)

    assert texts(1) == texts(1) != texts(2)


def test_what_an_intrinsic_emits_counts():
    def texts(by: int) -> str:
        @intrinsic
        def constant(typingctx):
            def codegen(context, builder, sig, args):
                return context.get_constant(types.int64, by)

            return types.int64(), codegen

        return text("def f(x):\n    return x + constant()\n", constant=constant)

    assert texts(1) == texts(1) != texts(2)


@pytest.mark.parametrize("value", [object(), iter(()), np.array([object()])])
def test_what_it_does_not_know_is_refused(value):
    with pytest.raises(Unknown):
        text("def f(x):\n    return x, value\n", value=value)


def test_a_name_alone_counts_of_packages_that_the_caller_vouches_for():
    def g():
        pass

    g.__module__ = "vouched.for_.here"
    namespace = {"g": g, "anything": object}
    exec("def f():\n    return g()\n", namespace)
    by_name = Fingerprints(by_name=("vouched.for_",)).of(namespace["f"])
    assert by_name != Fingerprints(by_name=("vouched.for",)).of(namespace["f"])


def test_types_of_named_tuples_have_fields():
    first, second = (namedtuple("A", fields) for fields in ("x y", "y x"))
    one, other = (numba.typeof((kind(1, 2.0),)) for kind in (first, second))
    assert repr(one) == repr(other)
    assert of_types((one,)) != of_types((other,))
    assert of_types((numba.int32,)) != of_types((numba.int64,))


def test_it_is_the_same_in_every_process():
    program = """
import numba_lstm.kernels.cells.lstm as lstm
from numba_lstm.compile_cache import _fingerprints
cell = lstm.LSTM
print(_fingerprints().of(cell.forward.function), _fingerprints().of(cell.backward.function))
"""
    first, second = (run_python(program, PYTHONHASHSEED=seed) for seed in ("1", "2"))
    assert first == second
    assert len(set(first.split())) == 2


def test_modules_without_bytecode_are_refused():
    assert of_modules(["numba_lstm.tuning"]) != of_modules(["numba_lstm.inlining"])
    with pytest.raises(Unknown):
        of_modules(["sys"])


def test_code_differs_where_exceptions_are_caught():
    first, second = (
        compile(f"try:\n a\nexcept {name}:\n b", "", "exec") for name in ("KeyError", "ValueError")
    )
    assert of_code(first) == of_code(first) != of_code(second)
