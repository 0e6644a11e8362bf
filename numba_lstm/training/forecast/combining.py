"""Networks and linear forecasters of a run put together: how each is made, solved and weighed.

Networks are trained together, each as if it were alone. When that is done the linear forecasters
are solved on the rows that train; what validates finds their penalty, and the weight of each kind
in the forecast. Then they are solved again on all of these rows.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..._parsing import parse_json
from ...interop import safetensors
from ...models import Combination, Forecaster, LinearForecaster, combination_weights
from ...models.forecast_losses import pinball
from ...models.members import Members
from ...nn import Module
from ..linear_forecasts import best_ridge, outputs_of, solve_linear, targets_of
from ..runs.checkpoint import COMBINED, RESULTS, Run
from ..runs.folders import RunError
from ..runs.memory_limit import check_values, recurrent_parameters
from .config import ForecastConfig
from .data import ForecastData
from .meaning import Meaning
from .windows import WindowBatches

__all__ = [
    "Combined",
    "are_weights",
    "combine",
    "count_parameters",
    "make_members",
    "read_combined",
]

# The penalty of linear forecasters where nothing validates, as of the estimator.
_RIDGE = 0.1
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
    """

    model: Combination
    network: Combination
    linear: Combination | None
    weights: dict[str, float]

    @classmethod
    def of(
        cls, members: Members, weights: Mapping[str, float], alone: Mapping[str, float]
    ) -> Combined:
        """Put members together.

        Parameters
        ----------
        members
            The forecasters.
        weights
            Of each kind; they sum to 1.
        alone
            Of each kind of network among the networks, and of each linear forecaster among these.
        """

        def only(names: Collection[str]) -> Combination | None:
            found = {name: alone[name] * (name in names) for name in members.groups}
            return members.combined(found) if any(found.values()) else None

        network = only(members.networks)
        assert network is not None
        return cls(members.combined(weights), network, only(members.lines), dict(weights))


def make_members(config: ForecastConfig, meaning: Meaning) -> Members:
    """The forecasters that the options describe, with new parameters."""
    width, outputs = len(meaning.columns), meaning.targets * len(config.quantiles)
    common: dict[str, Any] = {
        "future_size": len(meaning.known),
        "targets": meaning.targets,
        "dtype": config.dtype,
    }
    rng = np.random.default_rng(config.seed)
    networks, lines = {}, {}
    for kind in config.kinds:
        suffix = "" if kind is None else f" {kind}"
        networks[f"{config.cell}{suffix}"] = [
            Forecaster(
                width,
                config.hidden,
                outputs,
                meaning.horizon,
                config.layers,
                cell=config.cell,
                dropout=config.dropout,
                input_dropout=config.input_dropout,
                recurrent_dropout=config.recurrent_dropout,
                normalize=kind,
                seed=rng,
                **common,
            )
            for _ in range(config.networks)
        ]
        for reads in _read_by_lines(config, meaning):
            lines[f"linear{suffix}{' alone' if reads < width else ''}"] = LinearForecaster(
                width,
                outputs,
                meaning.horizon,
                meaning.window,
                reads=reads,
                normalize=kind,
                seed=0,
                **common,
            )
    return Members(networks, lines)


def combine(config: ForecastConfig, data: ForecastData, run: Run) -> Combined:
    """Put a run's best networks and linear forecasters together, and keep the result in the run.

    Parameters
    ----------
    config, data
        What it was trained with.
    run
        Its folder.
    """
    members = _networks_of(run, config, data.meaning)
    train = WindowBatches(data.rows, data.train_origins, data.meaning, _BATCH)
    origins = data.valid_origins
    valid = WindowBatches(data.rows, origins, data.meaning, _BATCH) if origins.size else None
    learnt = config.quantiles if len(config.quantiles) > 1 else None
    ridges = {}
    for name, line in members.lines.items():
        ridges[name] = _RIDGE if valid is None else best_ridge(line, train, valid)
        solve_linear(line, train, ridges[name], learnt)
    groups = members.groups
    weights, alone = _alike(groups), {**_alike(members.networks), **_alike(members.lines)}
    if valid is not None:
        weights, alone = _weighed(members, valid, learnt)
        both = WindowBatches(data.rows, data.learnt_origins, data.meaning, _BATCH)
        for name, line in members.lines.items():
            solve_linear(line, both, ridges[name], learnt)
    _save(run, members, weights, alone)
    return Combined.of(members, weights, alone)


def read_combined(run: Run, config: ForecastConfig, meaning: Meaning) -> Combined:
    """Read a run's forecasters.

    Before a run has come to its end its networks are all that there is, each as good as another.

    Raises
    ------
    RunError
        When its files are damaged, or one of them is lost.
    """
    _refuse_lost(run)
    members = _networks_of(run, config, meaning)
    path = run.path / COMBINED
    weights = {**_alike(members.networks), **dict.fromkeys(members.lines, 0.0)}
    alone = weights
    if path.is_file():
        arrays, metadata = run.arrays(COMBINED)
        what = f"{path}: expected the run's linear forecasters"
        check_values(arrays, count_parameters(config, meaning)[1], what)
        try:
            weights, alone = _read_weights(metadata.get(_WEIGHTS, "null"), members)
            for name, line in members.lines.items():
                line.load_state_dict(arrays, prefix=f"{name}.")
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{what}: {error}") from None
    return Combined.of(members, weights, alone)


def _read_weights(text: str, members: Members) -> tuple[dict[str, float], dict[str, float]]:
    """The weights of all kinds, and those of networks and linear forecasters by themselves."""
    found = parse_json(text, "weights")
    parts: dict[str, Collection[str]] = {
        "model": members.groups,
        "network": members.networks,
        "linear": members.lines,
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
    for reads in _read_by_lines(config, meaning):
        lines += (meaning.window * reads + future + 1) * outputs
    return len(config.kinds) * config.networks * network, len(config.kinds) * lines


def _refuse_lost(run: Run) -> None:
    """The results are written last: where they are, linear forecasters and weights were, too."""
    path = run.path / COMBINED
    if (run.path / RESULTS).is_file() and not path.is_file():
        raise RunError(
            f"{path}: no such file, but {RESULTS} says that the run has ended; put it back, or "
            f"make it again: numba-lstm train {run.kind.kind} --resume {run.path}"
        )


def _read_by_lines(config: ForecastConfig, meaning: Meaning) -> tuple[int, ...]:
    """How many columns each linear forecaster of a kind reads."""
    width, targets = len(meaning.columns), meaning.targets
    if not config.linear:
        return ()
    # Those of the targets alone have fewer weights, which may be better told.
    return (width, targets) if width > targets + len(meaning.known) else (width,)


def _networks_of(run: Run, config: ForecastConfig, meaning: Meaning) -> Members:
    """The members of a run, whose networks are those that it keeps."""
    made: list[Members] = []

    def together() -> Module:
        made.append(make_members(config, meaning))
        return made[0].together

    run.open_model(together, count_parameters(config, meaning)[0])
    return made[0]


def _alike(names: Collection[str]) -> dict[str, float]:
    return {name: 1.0 / len(names) for name in names}


def _weighed(
    members: Members, valid: WindowBatches, quantiles: tuple[float, ...] | None
) -> tuple[dict[str, float], dict[str, float]]:
    """The weights with which what validates is forecast best.

    By all; and by the networks without the linear forecasters, and by these without the networks.
    """
    forecasts = {
        name: np.mean([outputs_of(one.eval(), valid) for one in group], axis=0)
        for name, group in members.groups.items()
    }
    loss: Callable[..., float] | None = None
    if quantiles is not None:
        measure = pinball(quantiles)

        def loss(found: np.ndarray, true: np.ndarray) -> float:
            return float(measure(found, true, with_gradient=False)[0])

    truth = targets_of(valid)

    def best(names: Collection[str]) -> dict[str, float]:
        found = combination_weights([forecasts[name] for name in names], truth, loss)
        return dict(zip(names, found.tolist()))

    lines = best(members.lines) if members.lines else {}
    return best(forecasts), {**best(members.networks), **lines}


def _save(
    run: Run, members: Members, weights: Mapping[str, float], alone: Mapping[str, float]
) -> None:
    arrays = {
        f"{name}.{part}": array
        for name, line in members.lines.items()
        for part, array in line.state_dict().items()
    }
    # One entry: the order of several is not the same each time.
    parts = {
        "model": dict(weights),
        "network": {name: alone[name] for name in members.networks},
        "linear": {name: alone[name] for name in members.lines},
    }
    metadata = {_WEIGHTS: json.dumps(parts)}
    run.write(COMBINED, safetensors.serialized(arrays, metadata))
