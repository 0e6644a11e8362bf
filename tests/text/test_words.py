"""Text is cut into words and signs and put together again without loss."""

from __future__ import annotations

import random

import pytest

from numba_lstm.text.words import GLUE, UNKNOWN, cut, is_piece, join


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("", []),
        ("We know't, we know't.", ["We", "know't", ",", "we", "know't", "."]),
        ("half-moon 3.14", ["half", "-", "moon", "3", ".", GLUE, "14"]),
        ("a  b", ["a", " ", " ", "b"]),
        (" a\n b ", [" ", "a", "\n", " ", "b", " "]),
        ("so (he said) went", ["so", " ", "(", "he", "said", ")", "went"]),
        ("naïve 中文\u2014ok", ["naïve", "中文", "\u2014", "ok"]),
        ("<unk>", ["<", "unk", ">"]),
    ],
)
def test_pieces_are_words_and_signs_with_the_usual_space_left_out(text, pieces):
    assert cut(text) == pieces
    assert join(pieces) == text


def _random_text(rng):
    alphabet = "ab'’.,-() \n\t\r_é中\u0301\u00a0<>🙂" + " " * 6 + "c" * 6
    return "".join(rng.choices(alphabet, k=rng.randrange(30)))


def test_any_text_comes_back_exactly():
    rng = random.Random(0)
    for _ in range(3000):
        text = _random_text(rng)
        assert join(cut(text)) == text


def test_with_unknown_pieces_everything_else_comes_back():
    rng = random.Random(1)
    known = {"c", "a", ".", "-", " ", "\n", "(", GLUE, UNKNOWN}
    for _ in range(3000):
        text = _random_text(rng)
        # What should be read back, made without the rule for spaces: each piece by itself.
        expected = "".join(piece if piece in known else UNKNOWN for piece in _pieces_by_hand(text))
        pieces = cut(text, known)
        assert set(pieces) <= known
        assert join(pieces) == expected


def _pieces_by_hand(text):
    """Walk over the characters: an oracle that shares no code with the one under test."""
    pieces = []
    for i, char in enumerate(text):
        wordy = char.isalnum() or char == "_"
        inside = (
            char in "'’"
            and 0 < i < len(text) - 1
            and pieces[-1][-1:] not in ("'", "’")
            and (pieces[-1][0].isalnum() or pieces[-1][0] == "_")
            and (text[i + 1].isalnum() or text[i + 1] == "_")
        )
        open_word = pieces and (pieces[-1][0].isalnum() or pieces[-1][0] == "_")
        if open_word and (wordy or inside):
            pieces[-1] += char
        else:
            pieces.append(char)
    return pieces


def test_joining_can_stop_and_go_on_anywhere():
    rng = random.Random(2)
    for _ in range(300):
        # Also sequences that no text gives, as a model may write them.
        pieces = rng.choices(["a", "b'c", ".", "-", " ", "\n", GLUE, UNKNOWN, "("], k=12)
        for i in range(1, 12):
            assert join(pieces) == join(pieces[:i]) + join(pieces[i:], pieces[i - 1])


def test_only_what_can_be_cut_is_a_piece():
    assert all(map(is_piece, ["a", "don't", "_", "\n", "-", "🙂"]))
    assert not any(map(is_piece, ["", "a b", "--", "<unk>", "'a"]))


def test_an_unknown_piece_counts_as_a_word_so_that_usual_spaces_stay_unsaid():
    assert cut("a stranger, a stranger", {"a"}) == ["a", UNKNOWN, GLUE, UNKNOWN, "a", UNKNOWN]
