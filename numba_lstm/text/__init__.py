"""Text: the bundled plays, files, vocabularies, and streams of tokens to train on.

>>> text = shakespeare()
>>> train, valid = split(text, 0.1)
>>> vocabulary = CharVocabulary.build(train)
>>> streams = Streams(vocabulary.encode(train), batch=32, seq_len=64)
>>> inputs, targets, fresh = next(streams)
>>> inputs.shape, targets.shape, fresh
((64, 32), (64, 32), True)

Only NumPy is needed here.
"""

from __future__ import annotations

from .corpus import load_text, shakespeare, split
from .sources import read_sources
from .streams import IGNORE, Streams, Window, windows
from .vocabulary import CharVocabulary, Vocabulary, WordVocabulary, vocabulary_from_json
from .whitespace import WhitespaceVocabulary

__all__ = [
    "IGNORE",
    "CharVocabulary",
    "Streams",
    "Vocabulary",
    "WhitespaceVocabulary",
    "Window",
    "WordVocabulary",
    "load_text",
    "read_sources",
    "shakespeare",
    "split",
    "vocabulary_from_json",
    "windows",
]
