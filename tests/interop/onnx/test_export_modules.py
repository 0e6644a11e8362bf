"""Every module that there is can be written as ONNX, or is known not to be."""

from __future__ import annotations

from importlib import import_module

import pytest

from numba_lstm import models, nn
from numba_lstm.interop.onnx import export_modules

# What holds modules and computes nothing.
HOLDERS = {"Module", "ModuleList", "ModuleDict"}


def modules():
    for package in (nn, models):
        for name in package.__all__:
            value = getattr(package, name)
            if isinstance(value, type) and issubclass(value, nn.Module) and name not in HOLDERS:
                yield value


@pytest.mark.parametrize("kind", list(modules()), ids=lambda kind: kind.__name__)
def test_there_is_a_way_to_write_every_module(kind):
    home = kind.__module__.removeprefix("numba_lstm.")
    assert f"{home}.{kind.__name__}" in export_modules._KINDS


def test_every_name_of_the_table_is_a_class():
    for name in export_modules._KINDS:
        home, _, kind = name.rpartition(".")
        assert isinstance(getattr(import_module(f"numba_lstm.{home}"), kind), type), name
