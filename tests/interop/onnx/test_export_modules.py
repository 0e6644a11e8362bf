"""Every module that there is can be written as ONNX, or is known not to be."""

from __future__ import annotations

from importlib import import_module

import numpy as np
import pytest

from numba_lstm import models, nn
from numba_lstm.interop.onnx import export_modules, save

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


def test_a_member_that_no_combination_is_written_of_is_refused_by_name(tmp_path):
    pytest.importorskip("onnx")
    line = models.LinearForecaster(1, 1, 2, window=3, seed=0)
    inner = models.Combination([line])
    for members in ([inner], [line, inner]):
        whole = models.Combination(members)
        assert whole(np.ones((3, 1, 1))).shape == (2, 1, 1)
        for module in (whole, nn.Sequential(whole)):
            words = (
                rf"^members\.{len(members) - 1}: expected Forecaster or LinearForecaster, got Com"
            )
            with pytest.raises(TypeError, match=words):
                save(module, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_every_name_of_the_table_is_a_class():
    for name in export_modules._KINDS:
        home, _, kind = name.rpartition(".")
        assert isinstance(getattr(import_module(f"numba_lstm.{home}"), kind), type), name
