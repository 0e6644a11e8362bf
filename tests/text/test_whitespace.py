"""A prepared corpus keeps its own tokens, as the literature counts them."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.text import WhitespaceVocabulary, whitespace, words

# Lines of the style of the Penn Treebank and of WikiText: 11 and 11 tokens with their ends, and 1.
CORPUS = " the <unk> 's move did n't cost N % more \n\n = 1 @,@ 000 @-@ year @.@ old <unk> = \n"


def test_tokens_are_what_stands_between_blanks_and_every_line_ends_in_one():
    vocabulary = WhitespaceVocabulary.build(CORPUS)
    ids = vocabulary.encode(CORPUS)
    assert ids.size == 11 + 1 + 11
    assert (ids == vocabulary.unknown_id).sum() == 2
    assert (ids == vocabulary.line_end_id).sum() == 3
    assert [vocabulary.tokens[i] for i in ids[:11]] == [
        "the", "<unk>", "'s", "move", "did", "n't", "cost", "N", "%", "more", "<eos>"
    ]  # fmt: skip
    assert vocabulary.tokens[:3] == ("<unk>", "<eos>", "=")


def test_it_counts_tokens_as_the_usual_scripts_do():
    ids = WhitespaceVocabulary.build(CORPUS).encode(CORPUS)
    vocabulary = WhitespaceVocabulary.build(CORPUS)
    by_hand = [t for line in CORPUS.splitlines() for t in [*line.split(), "<eos>"]]
    assert [vocabulary.tokens[i] for i in ids] == by_hand


def test_decoding_puts_line_ends_back():
    vocabulary = WhitespaceVocabulary.build(CORPUS)
    plain = "\n".join(" ".join(line.split()) for line in CORPUS.split("\n"))
    assert vocabulary.decode(vocabulary.encode(CORPUS)) == plain
    assert vocabulary.decode([]) == ""


def test_text_can_be_decoded_token_by_token():
    vocabulary = WhitespaceVocabulary.build(CORPUS)
    ids = vocabulary.encode(CORPUS).tolist()
    pieces = [
        vocabulary.decode([i], previous=before)
        for before, i in zip([None, *ids], ids, strict=False)
    ]
    assert "".join(pieces) == vocabulary.decode(ids)


def test_words_that_are_rare_or_new_become_the_unknown_token():
    vocabulary = WhitespaceVocabulary.build("b a b c a\nb\n", min_count=2)
    assert vocabulary.tokens == ("<unk>", "<eos>", "b", "a")
    assert vocabulary.encode("a c z\n").tolist() == [3, 0, 0, 1]
    assert WhitespaceVocabulary.build("b a b", max_size=3).tokens[2:] == ("b",)
    # The corpus's own token is no stranger: only words are left out or refused.
    assert vocabulary.encode_counted("a <unk> z", "skip")[1] == 1
    assert vocabulary.encode("a <unk> z", "skip").tolist() == [3, 0]
    assert vocabulary.encode("a <unk>", "error").tolist() == [3, 0]
    with pytest.raises(ValueError, match=r"the word 'z' at position 4 \(line 2, column 3\)"):
        vocabulary.encode("a\nb z", "error")


def test_a_text_of_several_parts_is_cut_as_a_whole(monkeypatch):
    vocabulary = WhitespaceVocabulary.build(CORPUS)
    ids = vocabulary.encode(CORPUS)
    for part in range(9):
        monkeypatch.setattr(words, "_PART", part)
        assert WhitespaceVocabulary.build(CORPUS) == vocabulary
        assert np.array_equal(vocabulary.encode(CORPUS), ids)


def test_bad_tokens_are_refused():
    for tokens in (
        ["<unk>"],
        ["<eos>", "<unk>"],
        ["<unk>", "<eos>", "a b"],
        ["<unk>", "<eos>", ""],
    ):
        with pytest.raises(ValueError, match="tokens: expected"):
            WhitespaceVocabulary(tokens)
    with pytest.raises(ValueError, match="tokens: expected strings without blanks"):
        WhitespaceVocabulary(["<unk>", "<eos>", "\n"])
    assert whitespace.END_OF_LINE == WhitespaceVocabulary.LINE_END
