"""The switch: off by the environment or by a call, and then the rules stand."""

from __future__ import annotations

import numpy as np
import pytest
from lstm_tool import run_python
from plans_tool import measured

import numba_lstm as nl
from numba_lstm import nn
from numba_lstm.plans import registry, switch
from numba_lstm.plans.way import Way


@pytest.mark.parametrize(
    "told, on",
    [("", True), ("1", True), ("yes", True), ("0", False), (" False ", False), ("no", False)],
)
def test_the_environment_tells(monkeypatch, told, on):
    monkeypatch.setenv("NUMBA_LSTM_TUNE", told)
    assert switch._told() is on
    monkeypatch.delenv("NUMBA_LSTM_TUNE")
    assert switch._told() is True


def test_it_is_there_without_numpy_and_numba():
    code = """
import sys
import numba_lstm as nl
assert nl.get_tuning() is False
assert "numpy" not in sys.modules
nl.set_tuning(True)
print(nl.get_tuning(), "numba" in sys.modules)
"""
    assert run_python(code).split() == ["True", "False"]


def test_what_is_no_bool_is_refused(monkeypatch):
    monkeypatch.setattr(switch, "on", True)
    for value in (0, 1, "off", None):
        with pytest.raises(TypeError, match=r"^enabled: expected True or False, got"):
            nl.set_tuning(value)
    assert nl.get_tuning() is True
    nl.set_tuning(False)
    assert nl.get_tuning() is False
    nl.set_tuning(np.True_)
    assert nl.get_tuning() is True


def test_switched_off_between_calls_the_rules_stand_at_once(tmp_path, monkeypatch):
    module = nn.LSTM(64, 128, seed=0)
    x = np.zeros((50, 8, 64), np.float32)
    with measured(tmp_path):
        module(x)
        module(x)
        assert len(registry.report()) == 1
        nl.set_tuning(False)
        monkeypatch.setattr(registry, "tuner_for", None)
        module.vjp(x)[1]()
        kept = module.weights()[0].plans.values()
        ways = [way for way in kept if isinstance(way, Way)]
        assert [way.tuner is None for way in ways] == [False, True, True]
        module(x)
    assert list(tmp_path.iterdir()) == []
