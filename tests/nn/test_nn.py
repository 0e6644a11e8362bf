from __future__ import annotations

import doctest
import importlib

import pytest

from numba_lstm import nn


@pytest.mark.parametrize("name", ["Module", "Parameter", "Embedding", "Dropout", "Sequential"])
def test_a_layer_is_there_by_its_name(name):
    assert getattr(nn, name).__name__ == name
    assert name in dir(nn)


def test_init_is_there():
    assert nn.init.orthogonal_.__module__ == "numba_lstm.nn.init"


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match=r"'numba_lstm\.nn' has no attribute 'Banana'"):
        getattr(nn, "Banana")  # noqa: B009


@pytest.mark.parametrize(
    "name",
    ["checks", "parameter", "module", "dropout", "sequential", "embedding", "lstm", "gru", "rnn"],
)
def test_the_examples_in_the_documentation_are_true(name):
    results = doctest.testmod(importlib.import_module(f"numba_lstm.nn.{name}"))
    assert results.attempted > 0 and results.failed == 0
