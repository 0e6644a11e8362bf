"""Networks and linear forecasters of a run put together: how each is made, solved and weighed.

Networks are trained together, each as if it were alone. When that is done the linear forecasters
are solved on the rows that train; what validates finds their penalty, and the weight of each kind
in the forecast. Then they are solved again on all of these rows.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..._parsing import parse_json
from ...interop import safetensors
from ...models import Combination
from ...models.members import Members
from ...nn import Module
from ..runs.checkpoint import COMBINED, RESULTS, Run
from ..runs.folders import RunError
from ..runs.memory_limit import check_values, recurrent_parameters
from ..windowed import members
from ..windowed.rows import KnownWindows
from .config import ForecastConfig
from .data import ForecastData
from .meaning import Meaning

__all__ = [
    "Combined",
    "are_weights",
    "combine",
    "count_parameters",
    "make_members",
    "read_combined",
    "weigh",
]

_BATCH = 256
_WEIGHTS = "weights"


@dataclass(frozen=True)
class Combined:
    """A run's forecasters, and what is made of them.

    Attributes
    ----------
    model : Combination
        What forecasts.
    network : Combination
        The networks alone.
    linear : Combination or None
        The linear forecasters alone; None where there are none, and before the run's end.
    weights : dict of str to float
        Of each kind in `model`; they sum to 1.
    errors : numpy.ndarray or None
        (O, H, K), truth less forecast of what validates, scaled, before that was learnt, too; NaN
        where the truth was filled. None where nothing validates, and of what was read.
    """

    model: Combination
    network: Combination
    linear: Combination | None
    weights: dict[str, float]
    errors: np.ndarray | None = None

    @classmethod
    def of(
        cls,
        made: Members,
        weights: Mapping[str, float],
        alone: Mapping[str, float],
        errors: np.ndarray | None = None,
    ) -> Combined:
        """Put members together.

        Parameters
        ----------
        made
            The forecasters.
        weights
            Of each kind; they sum to 1.
        alone
            Of each kind of network among the networks, and of each linear forecaster among these.
        errors
            On what validates.
        """

        def only(names: Collection[str]) -> Combination | None:
            found = {name: alone[name] * (name in names) for name in made.groups}
            return made.combined(found) if any(found.values()) else None

        network = only(made.networks)
        assert network is not None
        return cls(made.combined(weights), network, only(made.lines), dict(weights), errors)


def make_members(config: ForecastConfig, meaning: Meaning) -> Members:
    """The forecasters that the options describe, with new parameters."""
    return members.make_members(
        meaning.sizes,
        config.kinds,
        itertools.repeat(np.random.default_rng(config.seed)),
        hidden=config.hidden,
        count=config.networks,
        quantiles=len(config.quantiles),
        linear=config.linear,
        dtype=config.dtype,
        num_layers=config.layers,
        cell=config.cell,
        dropout=config.dropout,
        input_dropout=config.input_dropout,
        recurrent_dropout=config.recurrent_dropout,
    )


def combine(config: ForecastConfig, data: ForecastData, run: Run) -> Combined:
    """Put a run's best networks and linear forecasters together, and keep the result in the run.

    Parameters
    ----------
    config, data
        What it was trained with.
    run
        Its folder.
    """
    made = _networks_of(run, config, data.meaning)
    rows, sizes = data.rows, data.meaning.sizes
    train = KnownWindows(rows, data.train_origins, sizes, _BATCH)
    origins = data.valid_origins
    valid = KnownWindows(rows, origins, sizes, _BATCH) if origins.size else None
    learnt = config.quantiles if len(config.quantiles) > 1 else None
    ridges = members.solve(made, train, valid, learnt)
    weights, errors = members.alike(made.groups), None
    alone = {**members.alike(made.networks), **members.alike(made.lines)}
    if valid is not None:
        judge = members.Judge(made, valid, learnt)
        weights, alone = weigh(judge, made)
        errors = judge.errors(weights)
        both = KnownWindows(rows, data.learnt_origins, sizes, _BATCH)
        members.solve(made, both, None, learnt, ridges)
    _save(run, made, weights, alone)
    return Combined.of(made, weights, alone, errors)


def weigh(judge: members.Judge, made: Members) -> tuple[dict[str, float], dict[str, float]]:
    """The weights with which what validates is forecast best.

    By all; and by the networks without the linear forecasters, and by these without the networks.
    """
    lines = judge.weights(made.lines) if made.lines else {}
    return judge.weights(), {**judge.weights(made.networks), **lines}


def read_combined(run: Run, config: ForecastConfig, meaning: Meaning) -> Combined:
    """Read a run's forecasters.

    Before a run has come to its end its networks are all that there is, each as good as another.

    Raises
    ------
    RunError
        When its files are damaged, or one of them is lost.
    """
    _refuse_lost(run)
    path = run.path / COMBINED
    if not run.has(COMBINED):
        made = _networks_of(run, replace(config, linear=False), meaning)
        weights = members.alike(made.networks)
        return Combined.of(made, weights, weights)
    arrays, metadata = run.arrays(COMBINED)
    what = f"{path}: expected the run's linear forecasters"
    # Before they are made: a window of a thousand million rows in a damaged file takes 19 GiB.
    check_values(arrays, count_parameters(config, meaning)[1], what)
    made = _networks_of(run, config, meaning)
    try:
        weights, alone = _read_weights(metadata.get(_WEIGHTS, "null"), made)
        for name, line in made.lines.items():
            line.load_state_dict(arrays, prefix=f"{name}.")
    except (KeyError, TypeError, ValueError) as error:
        raise RunError(f"{what}: {error}") from None
    return Combined.of(made, weights, alone)


def _read_weights(text: str, made: Members) -> tuple[dict[str, float], dict[str, float]]:
    """The weights of all kinds, and those of networks and linear forecasters by themselves."""
    found = parse_json(text, "weights")
    parts: dict[str, Collection[str]] = {
        "model": made.groups,
        "network": made.networks,
        "linear": made.lines,
    }
    for part, names in parts.items():
        here = found[part]
        if names and not (are_weights(here) and set(here) == set(names)):
            raise ValueError(f"weights of {', '.join(names)} that sum to 1")
    return found["model"], {**found["network"], **found["linear"]}


def are_weights(found: Any) -> bool:
    """Whether this is what a file holds of the weights of kinds: numbers from 0 that sum to 1."""
    if not isinstance(found, dict) or not found:
        return False
    numbers = [one for one in found.values() if type(one) in (int, float) and 0 <= one <= 1]
    return len(numbers) == len(found) and abs(sum(numbers) - 1) < 1e-6


def count_parameters(config: ForecastConfig, meaning: Meaning) -> tuple[int, int]:
    """How many parameters the networks of the options have, and their linear forecasters."""
    width, future = len(meaning.columns), meaning.horizon * len(meaning.known)
    outputs = meaning.horizon * meaning.targets * len(config.quantiles)
    stack = recurrent_parameters(config.cell, width, config.hidden, config.layers)
    network = stack + (config.hidden + future + 1) * outputs
    lines = 0
    for reads in members.read_by_lines(meaning.sizes, config.linear):
        lines += (meaning.window * reads + future + 1) * outputs
    return len(config.kinds) * config.networks * network, len(config.kinds) * lines


def _refuse_lost(run: Run) -> None:
    """The results are written last: where they are, linear forecasters and weights were, too."""
    if run.has(RESULTS) and not run.has(COMBINED):
        raise RunError(
            f"{run.path / COMBINED}: no such file, but {RESULTS} says that the run has ended; put "
            f"it back, or make it again: numba-lstm train {run.kind.kind} --resume {run.path}"
        )


def _networks_of(run: Run, config: ForecastConfig, meaning: Meaning) -> Members:
    """The members of a run, whose networks are those that it keeps."""
    made: list[Members] = []

    def together() -> Module:
        made.append(make_members(config, meaning))
        return made[0].together

    run.open_model(together, count_parameters(config, meaning)[0])
    return made[0]


def _save(
    run: Run, made: Members, weights: Mapping[str, float], alone: Mapping[str, float]
) -> None:
    arrays = {
        f"{name}.{part}": array
        for name, line in made.lines.items()
        for part, array in line.state_dict().items()
    }
    # One entry: the order of several is not the same each time.
    parts = {
        "model": dict(weights),
        "network": {name: alone[name] for name in made.networks},
        "linear": {name: alone[name] for name in made.lines},
    }
    metadata = {_WEIGHTS: json.dumps(parts)}
    run.write(COMBINED, safetensors.serialized(arrays, metadata))
