"""Options of any kind: their order, their defaults, and the kind that a file tells."""

from __future__ import annotations

from dataclasses import fields

import pytest

from numba_lstm.training.classify.config import DEFAULT_EPOCHS, ClassifyConfig
from numba_lstm.training.forecast.config import ForecastConfig
from numba_lstm.training.lm.config import TrainConfig
from numba_lstm.training.runs.kinds import KINDS, kind_of
from numba_lstm.training.runs.options import (
    BUDGETS,
    ConfigError,
    TrainingOptions,
    merge_options,
    names,
    options_of,
)


@pytest.mark.parametrize("kind", KINDS.values())
def test_a_kinds_own_options_come_first_and_none_is_lost(kind):
    names = [about.name for about in options_of(kind)]
    assert names[0] == "data"
    assert sorted(names) == sorted(about.name for about in fields(kind))
    assert {about.name for about in fields(TrainingOptions)} <= set(names)


@pytest.mark.parametrize("kind", KINDS.values())
def test_every_option_has_words_for_its_help(kind):
    assert all(about.metadata["help"].endswith(".") for about in fields(kind))


@pytest.mark.parametrize("kind", KINDS.values())
def test_what_a_continuation_may_change_are_options(kind):
    assert kind.may_change <= {about.name for about in fields(kind)}


def test_what_no_layer_sets_is_the_kinds_default():
    made = merge_options(ClassifyConfig, ("", {}))
    assert (made.epochs, made.steps, made.valid_fraction) == (DEFAULT_EPOCHS, None, 0.1)
    made = merge_options(ClassifyConfig, ("", {"minutes": 2, "valid_fraction": 0}))
    assert (made.epochs, made.minutes, made.valid_fraction) == (None, 2.0, 0.0)
    assert sum(getattr(made, name) is not None for name in BUDGETS) == 1


def test_a_test_file_replaces_the_fraction_and_both_are_refused():
    made = merge_options(ClassifyConfig, ("a.toml", {"test_fraction": 0.2}), ("", {"test": "b"}))
    assert (made.test, made.test_fraction) == ("b", None)
    with pytest.raises(ConfigError, match="test and test_fraction: expected one of"):
        merge_options(ClassifyConfig, ("", {"test": "b", "test_fraction": 0.2}))


def test_an_option_may_have_another_name_but_is_given_once():
    assert merge_options(ForecastConfig, ("", {"csv": "a.csv"})).data == "a.csv"
    made = merge_options(ForecastConfig, ("a.toml", {"csv": "a.csv"}), ("", {"data": "b.csv"}))
    assert made.data == "b.csv"
    with pytest.raises(ConfigError, match=r"^a\.toml: csv: expected once, got data, too"):
        merge_options(ForecastConfig, ("a.toml", {"data": "a.csv", "csv": "b.csv"}))


def test_several_columns_are_a_list_and_one_is_a_name():
    made = merge_options(ForecastConfig, ("", {"target": ["a", "b"], "exog": ("c",)}))
    assert (made.target, made.exog, made.known) == (("a", "b"), "c", None)
    assert (names(made.target), names(made.exog), names(made.known)) == (("a", "b"), ("c",), ())
    with pytest.raises(ConfigError, match="target: expected names of columns, got 3"):
        merge_options(ForecastConfig, ("", {"target": 3}))


def test_a_file_of_another_kind_is_refused():
    assert merge_options(TrainConfig, ("a.toml", {"kind": "lm", "hidden": 8})).hidden == 8
    with pytest.raises(ConfigError, match=r"^a\.toml: kind: expected lm, got 'classify'"):
        merge_options(TrainConfig, ("a.toml", {"kind": "classify"}))


def test_options_that_tell_no_kind_are_of_a_language_model():
    # Runs of older versions.
    assert kind_of("config.toml", {}) is TrainConfig
    assert kind_of("config.toml", {"kind": "classify"}) is ClassifyConfig
    for wrong in ("banana", 3, None):
        with pytest.raises(
            ConfigError, match=r"config\.toml: kind: expected lm or classify or forecast"
        ):
            kind_of("config.toml", {"kind": wrong})
