"""The state of a NumPy generator as something that JSON can hold, and back."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["check", "get"]


def get(rng: np.random.Generator) -> dict[str, Any]:
    """Return a generator's state as dictionaries, lists, integers and strings.

    Parameters
    ----------
    rng : numpy.random.Generator
        With any of NumPy's bit generators.

    Returns
    -------
    dict
    """
    return _to_plain(rng.bit_generator.state)


def check(name: str, rng: np.random.Generator, state: Any) -> dict[str, Any]:
    """Turn what `get` returned, perhaps read from JSON, into a state that `rng` takes.

    Parameters
    ----------
    name : str
        What the message calls the state.
    rng : numpy.random.Generator
        It is not changed.
    state : dict
        A state of a generator of the same kind.

    Returns
    -------
    dict
        Ready to be assigned to ``rng.bit_generator.state``.

    Raises
    ------
    ValueError
        If it is no state of this kind of generator.
    """
    kind = type(rng.bit_generator)
    try:
        restored = _from_plain(state, rng.bit_generator.state)
        kind(0).state = restored  # NumPy's own check, on a generator that nobody uses
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: expected a state of {kind.__name__}: {error}") from None
    return restored


def _to_plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _to_plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return value.tolist()
    return value.item() if isinstance(value, np.generic) else value


def _from_plain(value: Any, pattern: Any) -> Any:
    """Give `value` the types that `pattern`, the state of a living generator, has."""
    if isinstance(pattern, Mapping):
        if not isinstance(value, Mapping) or set(value) != set(pattern):
            raise ValueError(f"expected the keys {sorted(pattern)}")
        return {key: _from_plain(value[key], item) for key, item in pattern.items()}
    if isinstance(pattern, np.ndarray):
        array = np.array(value, dtype=pattern.dtype)
        if array.shape != pattern.shape:
            raise ValueError(f"expected shape {pattern.shape}, got {array.shape}")
        return array
    return value
