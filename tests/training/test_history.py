"""A history's curves are those of its records."""

from __future__ import annotations

from numba_lstm.training import History


def test_the_curves_are_those_of_the_records():
    history = History([{"train_loss": 2.0, "val_loss": 3.0}, {"train_loss": 1.0, "val_loss": 2.5}])
    assert (history.loss_curve, history.val_curve) == ([2.0, 1.0], [3.0, 2.5])


def test_what_did_not_validate_has_no_curve_of_it():
    assert History([{"train_loss": 2.0, "val_loss": None}]).val_curve == []
    assert (History().loss_curve, History().val_curve, History().best_epoch) == ([], [], None)
