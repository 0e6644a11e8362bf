"""Text made by a language model, a piece at a time, up to a stop string."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np

from ..text import Vocabulary
from ..typing import Seed
from .language_model import LanguageModel
from .sampling import generate

__all__ = ["begin", "generate_text", "written"]


def generate_text(
    model: LanguageModel,
    vocabulary: Vocabulary,
    prompt: str,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    stop: str | Iterable[str] = (),
    unknown: str | None = None,
    seed: Seed = None,
) -> Iterator[str]:
    """Yield the text that continues a prompt, each piece as soon as it is made.

    Parameters
    ----------
    model : LanguageModel
        Run in evaluation mode.
    vocabulary
        What the model's tokens mean.
    prompt : str
        The text to go on from, which is not repeated. An empty one begins a text.
    length : int
        How many tokens to make at most.
    temperature, top_k, top_p, seed
        As `generate` takes them.
    stop : str or iterable of str
        The text ends before the first of these that is made. What the prompt holds does not count.

    unknown : str, optional
        What becomes of that in the prompt which the vocabulary lacks, as its ``encode`` takes it:
        ``"error"``, ``"skip"`` or ``"token"``.

    Raises
    ------
    TypeError, ValueError
        At the call: an argument of the wrong kind or out of range, by its name.

    Examples
    --------
    >>> from numba_lstm.text import CharVocabulary
    >>> vocabulary = CharVocabulary.build("to be")
    >>> model = LanguageModel(len(vocabulary), 4, 8, seed=0)
    >>> len("".join(generate_text(model, vocabulary, "to", 20, seed=1)))
    20
    """
    stops = _check_stop(stop)
    if not isinstance(prompt, str):
        raise TypeError(f"prompt: expected a str, got {type(prompt).__name__}")
    try:
        start = vocabulary.encode(prompt, unknown)
    except ValueError as error:
        raise ValueError(f"prompt: {error}") from None
    if not start.size:
        start = begin(vocabulary)
    options: dict[str, Any] = {"temperature": temperature, "top_k": top_k, "top_p": top_p}
    tokens = generate(model, start, length, **options, seed=seed)
    return written(tokens, vocabulary, int(start[-1]), stops)


def begin(vocabulary: Vocabulary) -> np.ndarray:
    """Give the tokens that a text begins after: a line end, or else the first known one, (1,)."""
    token = vocabulary.line_end_id
    if token is None:
        token = 0 if vocabulary.unknown_id is None else 1
    return np.array([token], np.int64)


def written(
    tokens: Iterable[int], vocabulary: Vocabulary, previous: int, stop: str | Iterable[str] = ()
) -> Iterator[str]:
    """Yield the text of tokens as they come, and end before a stop string.

    Parameters
    ----------
    tokens
        No more of them are taken once a stop string is there.
    vocabulary
        What they mean.
    previous
        The token before the first.
    stop
        As in `generate_text`.

    Raises
    ------
    TypeError, ValueError
        At the call: naming stop.
    """
    return _written(tokens, vocabulary, previous, _check_stop(stop))


def _written(
    tokens: Iterable[int], vocabulary: Vocabulary, previous: int, stops: tuple[str, ...]
) -> Iterator[str]:
    held = ""  # what may yet become a stop string
    for token in tokens:
        held += vocabulary.decode([token], previous=previous)
        previous = token
        places = [place for place in map(held.find, stops) if place >= 0]
        if places:
            held = held[: min(places)]
            break
        free = len(held) - _begun(held, stops)
        if free:
            yield held[:free]
            held = held[free:]
    if held:
        yield held


def _begun(text: str, stops: tuple[str, ...]) -> int:
    """How many characters at a text's end a stop string may have begun with."""
    longest = max(map(len, stops), default=0)
    for size in range(min(longest - 1, len(text)), 0, -1):
        if any(stop.startswith(text[-size:]) for stop in stops):
            return size
    return 0


def _check_stop(stop: str | Iterable[str]) -> tuple[str, ...]:
    stops = (stop,) if isinstance(stop, str) else tuple(stop)
    for one in stops:
        if not isinstance(one, str):
            raise TypeError(f"stop: expected a str, got {type(one).__name__}")
        if not one:
            raise ValueError("stop: expected at least one character, got an empty text")
    return stops
