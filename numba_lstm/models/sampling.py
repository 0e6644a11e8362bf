"""Text made by a language model, a token at a time."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from numbers import Real
from typing import Any

import numpy as np

from ..checks import as_tokens, generator, size
from ..typing import ArrayLike, Seed
from .language_model import LanguageModel

__all__ = ["draw", "generate"]

# A long prompt is read in windows, so that its logits need no more memory than a window's.
_PROMPT_WINDOW = 256


def generate(
    model: LanguageModel,
    prompt: ArrayLike,
    length: int,
    *,
    temperature: float = 1.0,
    top_k: int | None = None,
    top_p: float | None = None,
    seed: Seed = None,
) -> Iterator[int]:
    """Yield tokens that continue a prompt, each as soon as it is drawn.

    Parameters
    ----------
    model : LanguageModel
        Run in evaluation mode; it is put back into training mode at the end if it was in that.
    prompt : array_like of int
        (N,) tokens, at least one.
    length : int
        How many tokens to make.
    temperature : float
        Divides the logits; 0 takes the most likely token each time.
    top_k : int, optional
        Draw among the so many most likely tokens only.
    top_p : float, optional
        Draw among the fewest most likely tokens only whose probabilities add up to at least this,
        above 0 and at most 1 (nucleus sampling, Holtzman et al., 2020). The probabilities are those
        at the temperature, and of the `top_k` tokens where both are given.
    seed : None, int or numpy.random.Generator
        The same seed gives the same tokens.

    Raises
    ------
    TypeError, ValueError
        At the call: an argument of the wrong kind or out of range, by its name.
    """
    prompt = as_tokens("prompt", prompt, model.vocab_size, ndim=1)
    if prompt.size == 0:
        raise ValueError("prompt: expected at least one token, got none")
    length = size("length", length, 0)
    temperature = _check_temperature(temperature)
    top_k = None if top_k is None else size("top_k", top_k)
    top_p = None if top_p is None else _check_top_p(top_p)
    rng = generator(seed)
    return _generate(model, prompt, length, lambda row: draw(row, temperature, top_k, top_p, rng))


def draw(
    logits: np.ndarray,
    temperature: float,
    top_k: int | None,
    top_p: float | None,
    rng: np.random.Generator,
) -> int:
    """Draw one token from its logits.

    Parameters
    ----------
    logits
        (V,) finite numbers.
    temperature, top_k, top_p
        As in `generate`.
    rng
        Gives one number between 0 and 1 for each token, also where temperature is 0.
    """
    place = rng.random()
    if temperature == 0.0:
        return int(np.argmax(logits))
    # Stable, so that of equally likely tokens the same ones are kept on every machine.
    order = np.argsort(-logits, kind="stable")[:top_k]
    wide = logits[order].astype(np.float64)
    # The highest becomes 0 first. Divided by a tiny temperature the others may overflow to -inf,
    # and their weights underflow to 0: that is what they are to be, whatever numpy.seterr says.
    with np.errstate(over="ignore", under="ignore"):
        weights = np.cumsum(np.exp((wide - wide[0]) / temperature))
    kept = order.size
    if top_p is not None:
        # The first whose sum is at least top_p is kept, too.
        kept = min(int(np.searchsorted(weights, top_p * weights[-1])) + 1, kept)
    found = int(np.searchsorted(weights, place * weights[kept - 1], side="right"))
    return int(order[min(found, kept - 1)])


def _generate(
    model: LanguageModel, prompt: np.ndarray, length: int, choose: Callable[[np.ndarray], int]
) -> Iterator[int]:
    if length == 0:
        return
    was_training = model.training
    model.eval()
    try:
        state = None
        for first in range(0, prompt.size, _PROMPT_WINDOW):
            window = prompt[first : first + _PROMPT_WINDOW]
            logits, state = model(window[:, None], state)
        for made in range(length):
            last = logits[-1, 0]
            if not np.isfinite(last).all():
                raise FloatingPointError("the model's logits are not finite")
            token = choose(last)
            yield token
            if made + 1 < length:
                logits, state = model(np.array([[token]]), state)
    finally:
        model.train(was_training)


def _check_temperature(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"temperature: expected a number of at least 0, got {value!r}")
    number = float(value)
    if not (math.isfinite(number) and number >= 0.0):
        raise ValueError(f"temperature: expected a number of at least 0, got {number}")
    return number


def _check_top_p(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"top_p: expected a number above 0 and at most 1, got {value!r}")
    number = float(value)
    if not 0.0 < number <= 1.0:
        raise ValueError(f"top_p: expected a number above 0 and at most 1, got {number}")
    return number
