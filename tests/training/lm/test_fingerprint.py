"""A text is known again, also when it has grown."""

from __future__ import annotations

import hashlib

import pytest

from numba_lstm.training.lm import fingerprint as module
from numba_lstm.training.lm.fingerprint import Fingerprint


@pytest.mark.parametrize("part", [1, 3, 1 << 18])
def test_it_is_the_sha_256_of_the_texts_bytes(monkeypatch, part):
    monkeypatch.setattr(module, "_PART", part)
    text = "so \u00fc\U0001f600\n"
    expected = hashlib.sha256(text.encode()).hexdigest()
    assert Fingerprint.of(text) == Fingerprint(len(text), expected)
    assert Fingerprint.of(text + "more", len(text)) == Fingerprint(len(text), expected)
    assert Fingerprint.of("\udcff").length == 1  # no text, but Python may hold it


def test_a_text_begins_with_itself_and_what_it_was():
    known = Fingerprint.of("to be")
    assert known.begins("to be")
    assert known.begins("to be or not")
    for other in ("to b", "to bE", "xto be", "", "to b or not"):
        assert not known.begins(other)


def test_no_text_begins_nothing():
    assert not Fingerprint().begins("to be")
    assert not Fingerprint().begins("")
