"""Text is written as it is made, up to a stop string."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm.models import LanguageModel, generate, generate_text
from numba_lstm.models.writing import written
from numba_lstm.text import CharVocabulary, WordVocabulary

LETTERS = CharVocabulary.build("abcdefgh \n")


@pytest.fixture(scope="module")
def model():
    return LanguageModel(len(LETTERS), 6, 16, seed=2).eval()


def spell(text, stop=()):
    """The pieces in which a text is written, and how many of its tokens were taken."""
    tokens = iter(LETTERS.encode(text).tolist())
    pieces = list(written(tokens, LETTERS, 0, stop))
    return pieces, len(text) - len(list(tokens))


def test_without_a_stop_string_each_token_is_written_at_once():
    assert spell("abc") == (["a", "b", "c"], 3)


@pytest.mark.parametrize(
    ("text", "stop", "made", "taken"),
    [
        ("abcdefg", "cd", "ab", 4),
        ("abcdefg", "a", "", 1),
        ("abcdefg", "xyz", "abcdefg", 7),
        ("ababac", "abac", "ab", 6),  # begun twice: the first beginning was none
        ("aab", "ab", "a", 3),
        ("abcabd", "abd", "abc", 6),
        ("abcdefg", ["ef", "bcd", "g"], "a", 4),  # the first that is there
        ("abcdefg", ["cd", "bcd"], "a", 4),  # of those that end together the longer
        ("abcab", "abd", "abcab", 5),  # what was held back is written at the end
        ("ab\n\ncd", "\n\n", "ab", 4),
    ],
)
def test_the_text_ends_before_the_stop_string_and_no_more_tokens_are_made(text, stop, made, taken):
    pieces, count = spell(text, stop)
    assert ("".join(pieces), count) == (made, taken)
    assert all(pieces)


def test_only_what_may_become_the_stop_string_is_held_back():
    assert spell("abcabd", "abd")[0] == ["abc"]
    assert spell("acb", "ab")[0] == ["ac", "b"]


def test_words_are_spaced_as_in_a_text_and_a_stop_string_goes_across_them():
    words = WordVocabulary.build("to be, or not to be")
    tokens = words.encode("to be, or not").tolist()
    assert "".join(written(iter(tokens[1:]), words, tokens[0])) == " be, or not"
    assert "".join(written(iter(tokens[1:]), words, tokens[0], ", or")) == " be"


def test_the_text_is_that_of_the_generated_tokens(model):
    start = LETTERS.encode("ab")
    tokens = list(generate(model, start, 30, temperature=0.9, top_k=7, top_p=0.9, seed=3))
    options = {"temperature": 0.9, "top_k": 7, "top_p": 0.9, "seed": 3}
    text = "".join(generate_text(model, LETTERS, "ab", 30, **options))
    assert text == LETTERS.decode(np.array(tokens))
    stop = text[10:13]
    stopped = "".join(generate_text(model, LETTERS, "ab", 30, **options, stop=stop))
    assert stopped == text[: text.index(stop)]


def test_an_empty_prompt_begins_after_a_newline_or_the_first_token(model):
    newline = [int(LETTERS.encode("\n")[0])]
    text = "".join(generate_text(model, LETTERS, "", 9, seed=1))
    assert text == LETTERS.decode(list(generate(model, newline, 9, seed=1)))
    without = CharVocabulary.build("abcdefghij")
    text = "".join(generate_text(model, without, "", 9, seed=1))
    assert text == without.decode(list(generate(model, [0], 9, seed=1)))


def test_a_model_in_training_is_put_back_when_a_stop_string_ends_the_text(model):
    model.train()
    assert "".join(generate_text(model, LETTERS, "ab", 50, stop=LETTERS.tokens)) == ""
    assert model.training
    model.eval()


@pytest.mark.parametrize(
    ("options", "error", "words"),
    [
        ({"prompt": "Z"}, ValueError, "prompt: .*'Z'"),
        ({"prompt": [1]}, TypeError, "prompt: expected a str, got list"),
        ({"stop": ""}, ValueError, "stop: expected at least one character"),
        ({"stop": ["a", 3]}, TypeError, "stop: expected a str, got int"),
        ({"length": -1}, ValueError, "length"),
        ({"top_p": 2}, ValueError, "top_p"),
    ],
)
def test_wrong_arguments_are_refused_at_the_call(model, options, error, words):
    with pytest.raises(error, match=words):
        generate_text(model, LETTERS, **{"prompt": "a", "length": 3, **options})


def test_what_a_prompt_has_too_much_is_refused_or_left_out(model):
    with pytest.raises(ValueError, match=r"prompt: text: the character .*U\+2014"):
        generate_text(model, LETTERS, "ab\u2014", 5)
    made = generate_text(model, LETTERS, "ab\u2014", 5, unknown="skip", seed=1)
    assert "".join(made) == "".join(generate_text(model, LETTERS, "ab", 5, seed=1))
    nothing = generate_text(model, LETTERS, "\u2014", 5, unknown="skip", seed=1)
    assert "".join(nothing) == "".join(generate_text(model, LETTERS, "", 5, seed=1))
