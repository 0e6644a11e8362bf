"""Texts become tokens, and what cannot be trained on is refused by name."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.training.config import ConfigError, merge
from numba_lstm.training.data import BUNDLED, load_data, read_text

TEXT = "the cat sat on the mat.\nthe dog lay on the log.\n" * 8


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def make(data, **options):
    return merge(("", {"data": str(data), "batch": 2, "seq_len": 4, **options}))


def test_the_first_part_trains_and_the_last_validates(text_file):
    data = load_data(make(text_file, valid_fraction=0.25))
    whole = data.vocabulary.decode(np.concatenate([data.train, data.valid]))
    assert whole == TEXT
    assert data.train.size == int(len(TEXT) * 0.75)


def test_a_character_only_the_validation_part_has_is_in_the_vocabulary(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 40 + "z" * 10)
    assert "z" in load_data(make(path)).vocabulary


def test_words_are_counted_in_the_training_part_only(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("yes no " * 40 + "zebra " * 5)
    data = load_data(make(path, level="word", min_count=2, valid_fraction=0.08))
    assert "zebra" not in data.vocabulary
    assert data.vocabulary.unknown_id in data.valid


def test_a_validation_file_leaves_all_of_the_text_to_train(text_file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("the dog sat.")
    data = load_data(make(text_file, valid=str(other)))
    assert data.vocabulary.decode(data.train) == TEXT
    assert data.vocabulary.decode(data.valid) == "the dog sat."
    other.write_text("été")
    with pytest.raises(ConfigError, match=r"valid: .*other\.txt: .*U\+00E9"):
        load_data(make(text_file, valid=str(other)))


def test_nothing_validates_at_a_fraction_of_zero(text_file):
    data = load_data(make(text_file, valid_fraction=0.0))
    assert data.valid is None
    assert data.train.size == len(TEXT)


def test_the_digest_tells_texts_splits_and_vocabularies_apart(text_file):
    digests = [
        load_data(make(text_file, **options)).digest()
        for options in ({}, {}, {"valid_fraction": 0.2}, {"level": "word"}, {"valid_fraction": 0.0})
    ]
    assert digests[0] == digests[1]
    assert len(set(digests)) == 4


@pytest.mark.parametrize("content", [b"", b"ab\x00cd", b"\xff\xfe\x00", b"caf\xe9 " * 50])
def test_what_is_no_text_is_refused_by_the_files_name(tmp_path, content):
    path = tmp_path / "strange.txt"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"strange\.txt: expected"):
        load_data(make(path))


def test_a_text_too_short_for_the_options_is_refused(text_file):
    with pytest.raises(ConfigError, match=r"too short: expected at least 6401 tokens .* got 345"):
        load_data(make(text_file, batch=64, seq_len=100))
    with pytest.raises(ConfigError, match="too short"):
        load_data(make(text_file, batch=1, seq_len=1, valid_fraction=0.0001))


def test_another_vocabulary_than_the_runs_is_refused_naming_a_token(text_file, tmp_path):
    vocabulary = load_data(make(text_file)).vocabulary.to_json()
    assert load_data(make(text_file), vocabulary).vocabulary.to_json() == vocabulary
    other = tmp_path / "other.txt"
    other.write_text(TEXT + "Q")
    with pytest.raises(ConfigError, match=r"expected the run's vocabulary of .*'Q' is new"):
        load_data(make(other), vocabulary)
    other.write_text(TEXT.replace("g", "t"))
    with pytest.raises(ConfigError, match="'g' is missing"):
        load_data(make(other), vocabulary)


def test_the_bundled_text_is_read_by_its_name():
    assert len(read_text(BUNDLED)) > 1_000_000


def test_a_validation_text_too_short_is_refused_by_its_own_name(text_file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("t")
    with pytest.raises(ConfigError, match=r"^valid: too short: .* got 1 of .*other\.txt$"):
        load_data(make(text_file, valid=str(other)))
    short = tmp_path / "short.txt"
    short.write_text("yes no " * 10 + "zzz")  # three characters, and one word
    with pytest.raises(ConfigError, match=r"^valid: too short: .* got 1 of .*short\.txt$"):
        load_data(make(short, level="word", valid_fraction=0.03))
