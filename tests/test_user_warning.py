"""A warning names the user's file and line, not one of the package's."""

from __future__ import annotations

import warnings

import pytest

from numba_lstm import nn
from numba_lstm.user_warning import warn


def test_a_warning_points_to_the_line_that_called_the_package():
    for act in (
        lambda: warn("here"),
        lambda: nn.LSTM(3, 4, dropout=0.5),
        lambda: nn.Sequential(nn.GRU(3, 4, dropout=0.5)),
    ):
        with pytest.warns(UserWarning) as caught:
            act()
        assert [one.filename for one in caught] == [__file__]


def test_a_module_hidden_in_a_list_is_told_at_the_users_line():
    class Hides(nn.Module):
        def __init__(self):
            self.parts = [nn.Linear(2, 3)]

    for act in (lambda m: list(m.parameters()), lambda m: m.state_dict(), lambda m: m.train()):
        module = Hides()
        with pytest.warns(UserWarning, match="use nn.ModuleList") as caught:
            act(module)
        assert {one.filename for one in caught} == {__file__}


def test_a_warning_made_an_error_is_raised():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match=r"^here$"):
            warn("here")
