"""Connectionist temporal classification, one sequence after another, in probabilities.

Graves et al., "Connectionist temporal classification" (ICML 2006), sections 3 and 4. Products of
probabilities need no logarithms while sequences are short, which an oracle's are.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

__all__ = ["ctc", "ctc_gradient"]

Array = np.ndarray


def ctc(
    logits: Array, targets: Sequence[Sequence[int]], lengths: Sequence[int], blank: int = 0
) -> float:
    """Return the mean over sequences of -log p(labels) / the number of labels, at least 1.

    Parameters
    ----------
    logits : array, shape (T, B, V)
    targets : B sequences of labels
    lengths : B numbers
        The steps of each sequence.
    blank : int

    Returns
    -------
    loss : float
    """
    total = 0.0
    for b, labels in enumerate(targets):
        p = _softmax(logits[: lengths[b], b])
        total = total - np.log(_forward(p, _states(labels, blank))[-1]) / max(len(labels), 1)
    return total / len(targets)


def ctc_gradient(
    logits: Array, targets: Sequence[Sequence[int]], lengths: Sequence[int], blank: int = 0
) -> Array:
    """Return the gradient of `ctc` with respect to the logits.

    For each step softmax minus the probability that a path says the label there, of all paths that
    give the labels; zero after a sequence's end.

    Parameters
    ----------
    logits : array, shape (T, B, V)
    targets : B sequences of labels
    lengths : B numbers
    blank : int

    Returns
    -------
    dlogits : array, shape (T, B, V)
    """
    dlogits = np.zeros(logits.shape)
    for b, labels in enumerate(targets):
        steps = lengths[b]
        p, states = _softmax(logits[:steps, b]), _states(labels, blank)
        whole = _forward(p, states)[-1]
        said = np.zeros_like(p)
        for t in range(steps):
            for label in set(states):
                # p is linear in the probability of a label at one step: its share is that part.
                without = p.copy()
                without[t, label] = 0
                said[t, label] = 1 - _forward(without, states)[-1] / whole
        dlogits[:steps, b] = (p - said) / max(len(labels), 1) / len(targets)
    return dlogits


def _states(labels: Sequence[int], blank: int) -> list[int]:
    """Blank, label, blank, …, label, blank."""
    return [blank, *(one for label in labels for one in (int(label), blank))]


def _softmax(logits: Array) -> Array:
    exponentials = np.exp(logits - np.real(logits).max(axis=-1, keepdims=True))
    return exponentials / exponentials.sum(axis=-1, keepdims=True)


def _forward(p: Array, states: list[int]) -> list[complex]:
    """The probability of the labels after each step, that of no step first."""
    # Before the first step a path stands before the first state: one that may be left for either
    # of the first two.
    before: list[complex] = [0.0] * len(states)
    found: list[complex] = [1.0 if len(states) == 1 else 0.0]
    for t in range(len(p)):
        now: list[complex] = []
        for s, label in enumerate(states):
            total = before[s] + (before[s - 1] if s > 0 else 0.0)
            if s > 1 and label not in (states[0], states[s - 2]):
                total += before[s - 2]
            if t == 0 and s < 2:
                total = 1.0
            now.append(total * p[t, label])
        before = now
        found.append(now[-1] + (now[-2] if len(states) > 1 else 0.0))
    return found
