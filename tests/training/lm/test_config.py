"""Options are checked by name, layered in order, and survive their file."""

from __future__ import annotations

import tomllib
from dataclasses import fields

import pytest

from numba_lstm.text.tokens import POLICIES
from numba_lstm.training.lm import config
from numba_lstm.training.lm.config import (
    ConfigError,
    TrainConfig,
    merge,
    names,
    read_toml,
    told,
    write_toml,
)


def test_later_layers_win_and_a_file_takes_hyphens(tmp_path):
    path = tmp_path / "options.toml"
    path.write_text("hidden = 8\nseq-len = 16\nlr = 1\nlevel = 'word'\n")
    made = merge((str(path), read_toml(path)), ("", {"hidden": 24}))
    assert (made.hidden, made.seq_len, made.lr, made.level) == (24, 16, 1.0, "word")
    assert isinstance(made.lr, float)
    assert made.batch == TrainConfig().batch


@pytest.mark.parametrize(
    ("lower", "upper", "left"),
    [
        ({"minutes": 2.0}, {"steps": 7}, ("steps", 7)),
        ({"steps": 7}, {}, ("steps", 7)),
        ({"steps": 7}, {"epochs": 2}, ("epochs", 2)),
        ({}, {}, ("minutes", config.DEFAULT_MINUTES)),
    ],
)
def test_a_run_has_one_length_and_the_later_layer_sets_it(lower, upper, left):
    made = merge(("file", lower), ("", upper))
    set_ones = {n: getattr(made, n) for n in config.BUDGETS if getattr(made, n) is not None}
    assert set_ones == dict([left])


def test_a_validation_file_replaces_the_fraction():
    assert merge(("", {})).valid_fraction == 0.1
    made = merge(("file", {"valid_fraction": 0.3}), ("", {"valid": "other.txt"}))
    assert (made.valid, made.valid_fraction) == ("other.txt", None)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"hidden": 0}, "hidden: expected a whole number of at least 1, got 0"),
        ({"hidden": 8.0}, "hidden: expected a whole number"),
        ({"hidden": True}, "hidden: expected a whole number"),
        ({"hidden": None}, "hidden: .*got nothing"),
        ({"lr": 0}, "lr: expected a number above 0, got 0"),
        ({"lr": float("nan")}, "lr: expected a number above 0, got nan"),
        ({"lr": "fast"}, "lr: .*'fast'"),
        ({"dropout": 1.5}, "dropout: .*at least 0.0 and at most 1.0, got 1.5"),
        ({"level": "byte"}, "level: expected char or word or whitespace, got 'byte'"),
        ({"data": ""}, "data: expected names of texts, got ''"),
        ({"data": []}, r"data: expected names of texts, got \[\]"),
        ({"valid": ["a.txt", 3]}, "valid: expected names of texts"),
        ({"unknown": "drop"}, "unknown: expected error or skip or token, got 'drop'"),
        ({"tie_weights": 1}, "tie_weights: expected true or false, got 1"),
        ({"hiden": 3}, "hiden: no such option; did you mean hidden"),
        ({"steps": 1, "minutes": 2}, "steps and minutes: expected one of"),
        ({"valid": "x", "valid_fraction": 0.2}, "valid and valid_fraction: expected one of"),
        ({"tie_weights": True, "embedding": 3, "hidden": 4}, "tie_weights: .*3 and hidden 4"),
    ],
)
def test_a_wrong_option_is_refused_by_name(options, words):
    with pytest.raises(ConfigError, match=f"^{words}"):
        merge(("", options))


def test_the_message_says_which_file_the_option_came_from():
    with pytest.raises(ConfigError, match=r"mine\.toml: batch: expected"):
        merge(("mine.toml", {"batch": -1}), ("", {}))


def test_every_option_survives_its_file():
    awkward = 'a "b" \\ c\n\t\x01\x1f\x7f \u00e9\U0001f600.txt'
    made = merge(("", {"data": awkward, "lr": 1e-05, "steps": 3, "clip": 0.1, "threads": 2}))
    text = write_toml(made.values())
    assert tomllib.loads(text) == made.values()
    assert merge(("file", tomllib.loads(text))) == made


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"hidden = ", "expected a TOML file"),
        (b"data = '\xff'", "expected a TOML file"),
        (b"seq-len = 3\nseq_len = 4\n", "seq_len: expected once"),
    ],
)
def test_a_damaged_file_is_refused_by_its_name(tmp_path, content, words):
    path = tmp_path / "mine.toml"
    path.write_bytes(content)
    with pytest.raises(ConfigError, match=rf"mine\.toml: {words}"):
        read_toml(path)
    with pytest.raises(ConfigError, match=r"^config: expected a file's name, got ''$"):
        read_toml("")
    with pytest.raises(ConfigError, match=r"absent\.toml: no such file"):
        read_toml(tmp_path / "absent.toml")


def test_several_texts_are_a_list_in_the_file(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text("data = ['a.txt', 'b.txt']\nvalid = ['c.txt']\n")
    made = merge((str(path), read_toml(path)))
    assert (made.data, made.valid) == (("a.txt", "b.txt"), "c.txt")
    assert merge(("", tomllib.loads(write_toml(made.values())))) == made
    assert names(made.data) == ("a.txt", "b.txt")
    assert (names("a.txt"), told(made.data)) == (("a.txt",), "a.txt, b.txt")


def test_a_name_that_is_not_utf_8_becomes_one_that_a_file_can_hold(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    made = merge(("", {"data": ["\udcff.txt", "gr\u00fcn.txt"]}))
    assert made.data == (f"{tmp_path.as_uri()}/%FF.txt", "gr\u00fcn.txt")
    assert tomllib.loads(write_toml(made.values()))["data"] == list(made.data)


@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_byte_order_mark_is_no_part_of_a_file(tmp_path, mark):
    path = tmp_path / "mine.toml"
    path.write_bytes(mark + b"hidden = 8\n")
    assert read_toml(path) == {"hidden": 8}


def test_the_ways_with_unknown_tokens_are_the_vocabularies():
    assert config.POLICIES == POLICIES


def test_every_option_has_words_for_its_help():
    assert all(about.metadata["help"].endswith(".") for about in fields(TrainConfig))


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("min_count", 1, 0),
        ("embedding", 1, 0),
        ("layers", 1, 0),
        ("layers", 1000, 1001),
        ("hidden", 2**63 - 1, 2**63),
        ("minutes", 1e308, float("inf")),
        ("minutes", 1e308, float("nan")),
        ("minutes", 1e308, 10**400),
        ("data", "a", "a\0b"),
        ("init", "a", "a\0b"),
        ("dropout", 1.0, 1.01),
        ("dropout", 0.0, -0.01),
        ("embedding_dropout", 1.0, 1.01),
        ("embedding_dropout", 0.0, -0.01),
        ("batch", 1, 0),
        ("seq_len", 1, 0),
        ("lr", 1e-9, 0.0),
        ("optimizer", "sgd", "lion"),
        ("weight_decay", 0.0, -0.01),
        ("schedule", "constant", "linear"),
        ("warmup", 1.0, 1.01),
        ("warmup", 0.0, -0.01),
        ("clip", 0.0, -0.01),
        ("steps", 1, 0),
        ("epochs", 1, 0),
        ("minutes", 1e-9, 0.0),
        ("valid_fraction", 0.9, 0.91),
        ("valid_fraction", 0.0, -0.01),
        ("valid_every", 1, 0),
        ("log_every", 1, 0),
        ("seed", 0, -1),
        ("dtype", "float64", "float16"),
        ("threads", 1, 0),
    ],
)
def test_a_bound_is_the_last_good_value(name, good, bad):
    assert getattr(TrainConfig(**{name: good}), name) == good
    with pytest.raises(ConfigError, match=rf"^{name}: expected"):
        TrainConfig(**{name: bad})


def test_an_option_like_no_other_is_told_which_there_are():
    with pytest.raises(ConfigError, match=r"^zzz: no such option; there are data, level, "):
        merge(("", {"zzz": 1}))


def test_what_toml_has_no_form_for_is_refused():
    with pytest.raises(TypeError, match=r"^expected .*text.*, got None"):
        write_toml({"steps": None})
