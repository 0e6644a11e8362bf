"""Vocabularies map text to ids and back, refuse what they do not know, and survive JSON."""

from __future__ import annotations

import json
import pickle
import time

import numpy as np
import pytest

from numba_lstm.text import (
    CharVocabulary,
    WhitespaceVocabulary,
    WordVocabulary,
    vocabulary,
    vocabulary_from_json,
)

UNICODE = "naïve Ünïcödé 中文 🙂\n\tend"
VERSE = "to be, or not to be:\nthat is the question"


def test_characters_get_ids_in_code_point_order():
    vocabulary = CharVocabulary.build("hello")
    assert vocabulary.tokens == ("e", "h", "l", "o")
    ids = vocabulary.encode("hole")
    assert ids.dtype == np.int64
    assert ids.tolist() == [1, 3, 2, 0]
    assert vocabulary.unknown_id is None
    assert len(vocabulary) == 4
    assert "h" in vocabulary
    assert "x" not in vocabulary


@pytest.mark.parametrize("unknown", [False, True])
def test_any_unicode_text_comes_back_from_characters(unknown):
    vocabulary = CharVocabulary.build(UNICODE, unknown=unknown)
    ids = vocabulary.encode(UNICODE)
    assert len(ids) == len(UNICODE)
    assert len(vocabulary) == len(set(UNICODE)) + unknown
    assert vocabulary.decode(ids) == UNICODE
    assert vocabulary.encode("").shape == (0,)
    assert vocabulary.decode([]) == ""


def test_lone_surrogates_do_not_break_the_mapping():
    text = "a\udc80b"
    vocabulary = CharVocabulary.build(text)
    assert vocabulary.decode(vocabulary.encode(text)) == text
    assert vocabulary_from_json(json.loads(json.dumps(vocabulary.to_json()))) == vocabulary


@pytest.mark.parametrize("stranger", ["A", "c", "€", "🙂", "\U0010ffff", "\0"])
def test_an_unknown_character_is_refused_by_name_and_place(stranger):
    vocabulary = CharVocabulary.build("bd\n ")
    with pytest.raises(ValueError, match=r"text: .*position 5 \(line 2, column 3\)") as error:
        vocabulary.encode("bd\nbd" + stranger)
    assert f"U+{ord(stranger):04X}" in str(error.value)


def test_unknown_characters_become_one_token_if_the_vocabulary_has_it():
    vocabulary = CharVocabulary.build("abc", unknown=True)
    assert vocabulary.unknown_id == 0
    ids = vocabulary.encode("aXb🙂\0")
    assert ids.tolist() == [1, 0, 2, 0, 0]
    assert vocabulary.decode(ids) == "a\ufffdb\ufffd\ufffd"


def test_a_megabyte_of_characters_is_encoded_in_well_under_50_ms():
    text = "The quick brown fox jumps over the lazy dog.\n" * 23_000
    vocabulary = CharVocabulary.build(text)
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        vocabulary.encode(text)
        seconds.append(time.perf_counter() - start)
    assert min(seconds) < 0.05


def test_words_are_ordered_by_frequency_and_then_by_code_points():
    vocabulary = WordVocabulary.build("b a b c a. b")
    assert vocabulary.tokens == ("<unk>", "<glue>", " ", "\n", "b", "a", ".", "c")
    assert vocabulary.unknown_id == 0
    ids = vocabulary.encode("a b.")
    assert ids.dtype == np.int64
    assert ids.tolist() == [5, 4, 6]


def test_rare_words_are_left_out_and_read_back_as_unknown():
    vocabulary = WordVocabulary.build(VERSE, min_count=2)
    assert vocabulary.tokens[4:] == ("be", "to")
    expected = "to be<unk> <unk> <unk> to be<unk>\n<unk> <unk> <unk> <unk>"
    assert vocabulary.decode(vocabulary.encode(VERSE)) == expected


def test_max_size_counts_every_token_and_keeps_the_frequent_ones():
    assert WordVocabulary.build(VERSE, max_size=6).tokens[4:] == ("be", "to")
    assert len(WordVocabulary.build(VERSE, max_size=1000)) == 14
    with pytest.raises(ValueError, match="max_size"):
        WordVocabulary.build(VERSE, max_size=4)


def test_any_unicode_text_comes_back_from_words():
    for text in (UNICODE, VERSE, "  a--b 'tis o' the  (x).\r\n\n3.14, e\u0301"):
        vocabulary = WordVocabulary.build(text)
        assert vocabulary.decode(vocabulary.encode(text)) == text
        assert vocabulary.unknown_id not in vocabulary.encode(text)


@pytest.mark.parametrize("kind", [CharVocabulary, WordVocabulary])
def test_text_can_be_decoded_token_by_token(kind):
    text = UNICODE + VERSE
    vocabulary = kind.build(text)
    ids = vocabulary.encode(text).tolist()
    pieces = [
        vocabulary.decode([i], previous=before)
        for before, i in zip([None, *ids], ids, strict=False)
    ]
    assert "".join(pieces) == text


@pytest.mark.parametrize(
    "vocabulary",
    [
        CharVocabulary.build(UNICODE),
        CharVocabulary.build(UNICODE, unknown=True),
        WordVocabulary.build(UNICODE),
        WhitespaceVocabulary.build(UNICODE),
    ],
    ids=["char", "char-unknown", "word", "whitespace"],
)
def test_json_and_pickle_give_an_equal_vocabulary(vocabulary):
    data = json.loads(json.dumps(vocabulary.to_json()))
    for copy in (
        vocabulary_from_json(data),
        type(vocabulary).from_json(data),
        pickle.loads(pickle.dumps(vocabulary)),
    ):
        assert copy == vocabulary
        assert hash(copy) == hash(vocabulary)
        assert copy.encode(UNICODE).tolist() == vocabulary.encode(UNICODE).tolist()


def test_vocabularies_differ_by_tokens_order_and_kind():
    base = CharVocabulary(["a", "b"])
    assert base == CharVocabulary(["a", "b"])
    others = (CharVocabulary(["b", "a"]), CharVocabulary(["<unk>", "a", "b"]), ("a", "b"))
    for other in others:
        assert base != other
    assert WordVocabulary.build("a b") != WordVocabulary.build("a a b b", min_count=2, max_size=5)


@pytest.mark.parametrize(
    "data",
    [
        None,
        [],
        {},
        {"level": "char"},
        {"level": "byte", "tokens": ["a"]},
        {"level": ["char"], "tokens": ["a"]},
        {"level": "char", "tokens": "abc"},
        {"level": "char", "tokens": None},
        {"level": "char", "tokens": []},
        {"level": "char", "tokens": ["<unk>"]},
        {"level": "char", "tokens": ["a", "a"]},
        {"level": "char", "tokens": ["a", "bc"]},
        {"level": "char", "tokens": ["a", "<unk>"]},
        {"level": "char", "tokens": ["a", 1]},
        {"level": "word", "tokens": ["a"]},
        {"level": "word", "tokens": ["<unk>", "<glue>", " ", "\n", "a b"]},
        {"level": "word", "tokens": ["<unk>", "<glue>", " ", "\n", " "]},
        {"level": "whitespace", "tokens": ["<unk>", "a"]},
    ],
)
def test_json_that_is_no_vocabulary_is_refused(data):
    with pytest.raises(ValueError, match="vocabulary: "):
        vocabulary_from_json(data)


def test_json_of_the_other_kind_is_refused():
    with pytest.raises(ValueError, match="level 'word'"):
        WordVocabulary.from_json(CharVocabulary.build("a").to_json())


@pytest.mark.parametrize("kind", [CharVocabulary, WordVocabulary, WhitespaceVocabulary])
def test_bad_arguments_are_named(kind):
    with pytest.raises(ValueError, match=r"text: .*empty"):
        kind.build("")
    for call in (kind.build, kind.build("ab").encode):
        with pytest.raises(TypeError, match="text: expected a str, got bytes"):
            call(b"ab")
    vocabulary = kind.build("ab")
    for ids in ([len(vocabulary)], [-1]):
        with pytest.raises(ValueError, match=r"^ids: "):
            vocabulary.decode(ids)
    with pytest.raises(TypeError, match=r"^ids: "):
        vocabulary.decode([0.5])
    with pytest.raises(ValueError, match=r"^ids: "):
        vocabulary.decode([[0]])


@pytest.mark.parametrize("kind", [CharVocabulary, WordVocabulary, WhitespaceVocabulary])
def test_what_is_strange_is_refused_or_left_out_or_becomes_the_unknown_token(kind):
    known = "to be\nor "
    made = kind.build(known)
    # Among words the space before one goes without saying.
    expected = made.encode(known if kind is CharVocabulary else known.rstrip())
    strange = "to be\nor \u03a9"
    assert np.array_equal(made.encode(strange, "skip"), expected)
    assert made.encode_counted(strange, "skip")[1] == 1
    assert made.encode_counted(known, "skip")[1] == 0
    with pytest.raises(
        ValueError, match=r"position 9 \(line 2, column 4\) is not in the vocabulary"
    ):
        made.encode(strange, "error")
    assert np.array_equal(made.encode(known, "error"), made.encode(known))
    if made.unknown_id is None:
        with pytest.raises(ValueError, match="unknown: expected error or skip"):
            made.encode(known, "token")
        with pytest.raises(ValueError, match="is not in the vocabulary"):
            made.encode(strange)
    else:
        assert made.encode(strange, "token").tolist() == [*expected, made.unknown_id]
        assert made.encode(strange).tolist() == [*expected, made.unknown_id]
    with pytest.raises(ValueError, match="unknown: expected 'error' or 'skip' or 'token'"):
        made.encode(known, "drop")


def test_rare_characters_are_left_out_for_the_unknown_token():
    made = CharVocabulary.build("aabbc\u20ac", min_count=2)
    assert made.tokens == ("<unk>", "a", "b")
    assert made.encode("abc\u20ac").tolist() == [1, 2, 0, 0]
    with pytest.raises(ValueError, match=r"min_count: expected at most 2, .* got 3"):
        CharVocabulary.build("aabbc", min_count=3)


def test_the_token_that_ends_a_line_is_known():
    assert CharVocabulary.build("a\nb").line_end_id == 0
    assert CharVocabulary.build("ab").line_end_id is None
    assert WordVocabulary.build("a").line_end_id == 3
    assert WhitespaceVocabulary.build("a").line_end_id == 1


@pytest.mark.parametrize(("count", "kind"), [(255, np.uint8), (256, np.uint16), (65536, np.uint32)])
@pytest.mark.parametrize("unknown", ["skip", None])
def test_ids_can_be_written_in_the_smallest_dtype(count, kind, unknown):
    characters = "".join(map(chr, range(0x100, 0x100 + count)))
    made = CharVocabulary.build(characters)
    assert made.dtype == kind
    ids = made.encode(characters, unknown, made.dtype)
    assert ids.dtype == kind
    assert np.array_equal(ids, np.arange(count))
    assert made.encode("a" + characters, "skip", kind)[0] == 0
    for wrong in (np.uint8 if count > 255 else np.int8, np.float64, bool):
        with pytest.raises(ValueError, match="dtype: expected integers"):
            made.encode(characters, dtype=wrong)


@pytest.mark.parametrize("text", [UNICODE, "a" * 13 + "b", "\U0001f642\udc80" * 5])
def test_characters_are_counted_and_encoded_in_parts(monkeypatch, text):
    whole = CharVocabulary.build(text)
    ids = whole.encode(text)
    for part in (1, 3, 7):
        monkeypatch.setattr(vocabulary, "_PART", part)
        assert CharVocabulary.build(text) == whole
        assert np.array_equal(whole.encode(text), ids)


def test_bad_counts_are_named():
    for value, kind in ((0, ValueError), (1.5, TypeError), (True, TypeError)):
        with pytest.raises(kind, match="min_count"):
            WordVocabulary.build("a", min_count=value)
        with pytest.raises(kind, match="max_size"):
            WordVocabulary.build("a", max_size=value)
        with pytest.raises(kind, match="min_count"):
            CharVocabulary.build("a", min_count=value)
    with pytest.raises(ValueError, match=r"^previous: "):
        WordVocabulary.build("a").decode([0], previous=99)


def test_the_place_of_an_unknown_character_counts_the_lines_before_it():
    vocabulary = CharVocabulary.build("a\n")
    for text, place in (
        ("?", r"position 0 \(line 1, column 1\)"),
        ("\n?\n\n", r"position 1 \(line 2, column 1\)"),
        ("\na?\na\n", r"position 2 \(line 2, column 2\)"),
        ("aa?", r"position 2 \(line 1, column 3\)"),
    ):
        with pytest.raises(ValueError, match=place):
            vocabulary.encode(text)


def test_tokens_that_do_not_fit_are_named():
    with pytest.raises(ValueError, match=r"^tokens: expected distinct ones, got 'b' twice"):
        CharVocabulary(["a", "b", "c", "b"])
    with pytest.raises(ValueError, match=r"^tokens: expected single characters, got 'bc'"):
        CharVocabulary(["a", "bc"])


def test_an_empty_text_has_integer_ids_too():
    for made in (CharVocabulary.build("a"), WordVocabulary.build("a")):
        assert made.encode("").dtype.kind in "iu"
        assert made.encode("").shape == (0,)
