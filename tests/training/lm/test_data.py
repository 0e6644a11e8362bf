"""Texts become tokens, and what cannot be trained on is refused by name."""

from __future__ import annotations

import dataclasses
import hashlib
import io
import json
import sys
import tracemalloc

import numpy as np
import pytest

from numba_lstm.text import CharVocabulary, Streams
from numba_lstm.text.sources import BUNDLED
from numba_lstm.training.lm import data as module
from numba_lstm.training.lm.config import ConfigError, merge
from numba_lstm.training.lm.data import Data, encode_text, load_data
from numba_lstm.training.lm.fingerprint import Fingerprint

TEXT = "the cat sat on the mat.\nthe dog lay on the log.\n" * 8


@pytest.fixture
def text_file(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text(TEXT, encoding="utf-8")
    return str(path)


def make(data, **options):
    data = data if isinstance(data, list) else str(data)
    return merge(("", {"data": data, "batch": 2, "seq_len": 4, **options}))


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


def test_a_runs_vocabulary_is_kept_and_a_text_that_has_more_is_refused(text_file, tmp_path):
    vocabulary = load_data(make(text_file)).vocabulary
    assert load_data(make(text_file), vocabulary).vocabulary == vocabulary
    other = tmp_path / "other.txt"
    other.write_text(TEXT.replace("g", "t"))
    assert load_data(make(other), vocabulary).vocabulary == vocabulary
    other.write_text(TEXT + "Q")
    with pytest.raises(ConfigError, match=r"'Q'.* is not in the vocabulary .* --init RUN begins"):
        load_data(make(other), vocabulary)


def test_a_text_that_has_grown_is_told_from_another(text_file, tmp_path):
    first = load_data(make(text_file))
    assert (first.text, first.grown_by) == (Fingerprint.of(TEXT), 0)
    vocabulary, other = first.vocabulary, tmp_path / "other.txt"
    for text, grown_by in ((TEXT, 0), (TEXT + "the cat", 7), ("the cat" + TEXT, 0), (TEXT[:-9], 0)):
        other.write_text(text)
        data = load_data(make(other), vocabulary, before=first.text)
        assert (data.text, data.grown_by) == (Fingerprint.of(text), grown_by)


def test_the_digests_tell_which_part_changed(text_file):
    data = load_data(make(text_file))
    longer = dataclasses.replace(data, train=data.train[:-1])
    assert longer.digest() != data.digest()
    assert longer.valid_digest() == data.valid_digest()
    shorter = dataclasses.replace(data, valid=data.valid[:-1])
    assert shorter.valid_digest() != data.valid_digest()


# -- what the vocabulary lacks ------------------------------------------------------------------


@pytest.fixture
def foreign(tmp_path):
    path = tmp_path / "foreign.txt"
    path.write_text("the cat\u00e9 \u2014 sat.", encoding="utf-8")
    return str(path)


def test_a_strange_character_is_refused_naming_the_ways_out(text_file, foreign):
    for options in ({}, {"unknown": "error"}):
        with pytest.raises(ConfigError, match=r"foreign\.txt: .*U\+00E9") as caught:
            load_data(make(text_file, valid=foreign, **options))
        assert "--unknown skip" in str(caught.value)
        assert "--unknown token" in str(caught.value)


def test_strange_characters_are_left_out_and_counted(text_file, foreign):
    data = load_data(make(text_file, valid=foreign, unknown="skip"))
    assert data.vocabulary.decode(data.valid) == "the cat  sat."
    assert data.skipped == 2
    assert data.vocabulary.unknown_id is None
    assert data.unknown_share() == 0.0


def test_strange_characters_become_the_unknown_token(text_file, foreign):
    data = load_data(make(text_file, valid=foreign, unknown="token"))
    assert data.vocabulary.decode(data.valid) == "the cat\ufffd \ufffd sat."
    assert data.skipped == 0
    assert data.unknown_share() == 2 / 14
    assert data.vocabulary.unknown_id not in data.train


def test_a_token_for_the_unknown_stands_for_characters_the_training_part_lacks(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 40 + "z" * 9)
    data = load_data(make(path, unknown="token"))
    assert "z" not in data.vocabulary
    assert (data.valid == data.vocabulary.unknown_id).all()


def test_rare_characters_become_the_unknown_token(tmp_path):
    path = tmp_path / "text.txt"
    path.write_text("ab" * 20 + "!" + "ab" * 20)
    data = load_data(make(path, min_count=2))
    assert data.vocabulary.tokens == ("<unk>", "a", "b")
    assert (data.train == data.vocabulary.unknown_id).sum() == 1


def test_strange_words_may_be_refused_or_left_out(text_file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("the zebra sat")
    words = make(text_file, valid=str(other), level="word")
    assert load_data(words).unknown_share() == 1 / 2
    data = load_data(words, unknown="skip")
    assert data.vocabulary.decode(data.valid) == "the sat"
    assert data.skipped == 1
    with pytest.raises(ConfigError, match=r"the word 'zebra' .*line 1, column 5.*--unknown token"):
        load_data(words, unknown="error")


@pytest.mark.parametrize("unknown", [None, "error"])
def test_an_editors_last_newline_ends_nothing(unknown):
    vocabulary = CharVocabulary.build("abc")
    tokens, skipped = encode_text(vocabulary, "cab\n", unknown, "here")
    assert (vocabulary.decode(tokens), skipped) == ("cab", 1)
    with pytest.raises(ConfigError, match=r"here: .*'\\n'"):
        encode_text(vocabulary, "ca\nb", unknown, "here")
    with_unknown = CharVocabulary.build("abc", unknown=True)
    tokens, skipped = encode_text(with_unknown, "cab\n", None, "here")
    assert (with_unknown.decode(tokens), skipped) == ("cab\ufffd", 0)


def test_a_token_for_the_unknown_that_the_vocabulary_lacks_is_refused():
    with pytest.raises(ConfigError, match=r"here: unknown: expected error or skip.*trained with"):
        encode_text(CharVocabulary.build("abc"), "cab", "token", "here")


# -- several sources, other levels, memory --------------------------------------------------------


def test_several_texts_are_one(text_file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("a cat sat on")
    data = load_data(make([text_file, str(other)], valid_fraction=0.0))
    assert data.vocabulary.decode(data.train) == TEXT + "a cat sat on"
    data = load_data(make(text_file, valid=[str(other), text_file]))
    assert data.vocabulary.decode(data.valid) == "a cat sat on\n" + TEXT


def test_a_prepared_corpus_keeps_its_tokens(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(" we do n't <unk> 1 @,@ 000 \n \n" * 9)
    data = load_data(make(path, level="whitespace", valid_fraction=0.0))
    assert data.train.size == 9 * 9
    assert (data.train == data.vocabulary.unknown_id).sum() == 9
    assert set(data.vocabulary.tokens) == {
        "<unk>", "<eos>", "we", "do", "n't", "1", "@,@", "000"
    }  # fmt: skip


@pytest.mark.parametrize("level", ["char", "word", "whitespace"])
def test_tokens_take_the_fewest_bytes_and_have_the_fingerprint_of_any_dtype(text_file, level):
    data = load_data(make(text_file, level=level))
    assert data.train.dtype == data.valid.dtype == np.uint8
    wide = Data(data.vocabulary, data.train.astype(np.int64), data.valid.astype(">i4"))
    assert wide.digest() == data.digest()


@pytest.mark.parametrize(
    ("level", "size", "rest"), [("char", 20, 20), ("word", 2, 8), ("whitespace", 2, 8)]
)
def test_a_text_takes_three_bytes_for_each_of_its_own(tmp_path, level, size, rest):
    path = tmp_path / "text.txt"
    path.write_text((TEXT * (size * 10**6 // len(TEXT) + 1))[: size * 10**6])
    tracemalloc.start()
    try:
        data = load_data(make(path, level=level))
        data.digest()
        Streams(data.train, 2, 4)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    # Besides there are a count for each character of Unicode, and parts of a fixed size.
    assert peak < (3 * size + rest) * 10**6


def test_a_fingerprint_is_that_of_all_tokens_at_once(text_file, monkeypatch):
    data = load_data(make(text_file))
    expected = hashlib.sha256(json.dumps(data.vocabulary.to_json()).encode())
    for tokens in (data.train, data.valid):
        expected.update(tokens.astype("<i8").tobytes() + b"|")
    monkeypatch.setattr(module, "_PART", 7)
    assert data.digest() == expected.hexdigest()


def test_a_run_that_read_standard_input_does_not_wait_for_a_person(text_file, monkeypatch):
    piped = make("-")
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    vocabulary = load_data(piped).vocabulary
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(TEXT.encode())))
    assert load_data(piped, vocabulary).train.size == int(0.9 * len(TEXT))
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    with pytest.raises(ConfigError, match="data: the run read standard input"):
        load_data(piped, vocabulary)
    monkeypatch.setattr(sys, "stdin", None)  # as in a program without a terminal
    with pytest.raises(ValueError, match=r"standard input: expected text, got .* closed"):
        load_data(piped, vocabulary)


@pytest.mark.parametrize(
    ("data", "valid", "words"), [("-", "-", "data and valid"), (["-", "-"], None, "data")]
)
def test_standard_input_is_asked_for_once(data, valid, words):
    with pytest.raises(ConfigError, match=f"^{words}: expected - once, .* got it 2 times"):
        load_data(make(data, valid=valid))


def test_the_bundled_text_is_read_by_its_name():
    assert load_data(make(BUNDLED)).train.size > 1_000_000


def test_a_validation_text_too_short_is_refused_by_its_own_name(text_file, tmp_path):
    other = tmp_path / "other.txt"
    other.write_text("t")
    with pytest.raises(ConfigError, match=r"^valid: too short: .* got 1 of .*other\.txt$"):
        load_data(make(text_file, valid=str(other)))
    short = tmp_path / "short.txt"
    short.write_text("yes no " * 10 + "zzz")  # three characters, and one word
    with pytest.raises(ConfigError, match=r"^valid: too short: .* got 1 of .*short\.txt$"):
        load_data(make(short, level="word", valid_fraction=0.03))
