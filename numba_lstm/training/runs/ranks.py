"""What each of several ranks has of a checkpoint: its streams' states, its random numbers.

A checkpoint does not tell how many ranks made it, but for the random states. The carried state is
that of all streams in their order. Each rank draws its own dropout masks, so that a run on the same
number of ranks goes on to the same bits; on another number the ranks behind rank 0 begin with
states that follow from rank 0's.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from ..._version import __version__
from ...distributed.agreement import digest
from ...distributed.group import Group
from ...nn import Module
from ...parameters import random_state
from .options import ConfigError

__all__ = [
    "agree_on",
    "alike",
    "gathered",
    "load_random_states",
    "part_of",
    "refuse_small_batch",
]

State = tuple[np.ndarray, np.ndarray] | np.ndarray | None
# The streams, or samples, of a state (layers, B, H).
_BATCH = 1


def agree_on(group: Group, options: Mapping[str, Any]) -> None:
    """Go on only where all ranks have this version of the package and the same options.

    Raises
    ------
    DistributedError
        On all ranks, naming the first option that differs, and what each rank has.
    """
    group.agree("version of numba_lstm", __version__)
    mine = {name: repr(value) for name, value in options.items() if name != "threads"}
    for name in sorted(set().union(*group.all_gather(list(mine)))):
        group.agree(name, mine.get(name, "nothing"))


def refuse_small_batch(group: Group, batch: int) -> None:
    """Raise ConfigError unless each rank has some part of a batch."""
    if batch < group.size:
        raise ConfigError(f"batch: expected at least {group.size}, one for each rank, got {batch}")


def gathered(group: Group, state: State) -> State:
    """The state of all streams on rank 0, of each rank's part; on the others their own."""
    parts = group.gather(state)
    if parts is None or parts[0] is None or len(parts) == 1:
        return state
    return _each(lambda *of_ranks: np.concatenate(of_ranks, _BATCH), *parts)


def part_of(group: Group, state: State) -> State:
    """This rank's part of the state of all streams."""
    if state is None or group.size == 1:
        return state
    return _each(lambda one: one[:, group.share(one.shape[_BATCH])].copy(), state)


def _each(function: Callable[..., np.ndarray], *states: State) -> State:
    """Apply a function to h, or to h and to c."""
    if isinstance(states[0], tuple):
        h, c = (function(*ones) for ones in zip(*states))  # type: ignore[arg-type]
        return h, c
    return function(*states)


def alike(group: Group, model: Module) -> bool:
    """Whether all ranks have the same parameters, to the bit."""
    return group.size == 1 or len(set(group.all_gather(digest(list(model.parameters()))))) == 1


def load_random_states(
    group: Group, model: Module, first: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
) -> None:
    """Put this rank's random generators where they belong.

    Parameters
    ----------
    group
        The ranks.
    model
        Whose generators they are.
    first
        The states on rank 0.
    others
        Those on the other ranks in a checkpoint; of no use on another number of ranks.

    Raises
    ------
    TypeError, ValueError
        When they are no states of these generators.
    """
    if group.rank == 0:
        model.load_random_state(first)
    elif len(others) + 1 == group.size:
        model.load_random_state(others[group.rank - 1])
    else:
        model.load_random_state(first)  # which checks it
        model.load_random_state({name: _own(one, group.rank) for name, one in first.items()})


def _own(state: Any, rank: int) -> dict[str, Any]:
    """A random state that follows from rank 0's, independent of it and of other ranks'."""
    words = hashlib.sha256(json.dumps(state, sort_keys=True).encode()).digest()
    seed = np.random.SeedSequence([rank, *np.frombuffer(words, "<u4").tolist()])
    bits = getattr(np.random, state["bit_generator"])(seed)
    return random_state.get(np.random.Generator(bits))
