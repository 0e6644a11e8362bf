"""What a peer gives for a case: something to run again and again, and its results once."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

__all__ = ["CLIP", "LEARNING_RATE", "STEPS", "Arrays", "Subject", "parameters"]

Arrays = Mapping[str, np.ndarray]

# Of the language model's training step, the same for every peer.
LEARNING_RATE = 1e-3
CLIP = 1.0
STEPS = 3  # after which losses are compared, so that a wrong optimizer shows


@dataclass
class Subject:
    """A prepared case.

    Attributes
    ----------
    run : callable
        Does once what is timed.
    results : callable
        Computes what is compared with the other peers; called once, before `run`.
    """

    run: Callable[[], Any]
    results: Callable[[], dict[str, np.ndarray]]


def parameters(arrays: Arrays) -> dict[str, np.ndarray]:
    """The weights among a case's arrays, by their own names."""
    prefix = "parameter/"
    return {key[len(prefix) :]: arrays[key] for key in arrays if key.startswith(prefix)}
