"""The base of the optimizers: parameter groups, state, and one kernel call for all parameters."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np

from .. import checks
from ..parameters.parameter import Parameter, mutate_all
from .tables import Table, as_parameters, as_rows, threads_of

__all__ = ["Optimizer", "check_number"]

Options = dict[str, Any]
State = dict[str, Any]

# What an optimizer is made of: parameters, or groups of them with options of their own.
Parameters = Parameter | Iterable[Parameter] | Mapping[str, Any] | Iterable[Mapping[str, Any]]


def check_number(
    name: str, value: Any, low: float = 0.0, below: float = math.inf, what: str = ""
) -> float:
    """Check a finite number with low ≤ value < below.

    Raises
    ------
    TypeError
        If it is no real number (a bool is none).
    ValueError
        If it is out of range, infinite or NaN.
    """
    if type(value) is not float and (
        isinstance(value, (bool, np.bool_)) or not isinstance(value, numbers.Real)
    ):
        raise TypeError(f"{name}: expected a number, got {type(value).__name__}")
    number = float(value)
    if not (low <= number < below and math.isfinite(number)):
        limits = f"of at least {low:g}" if below == math.inf else f"from {low:g} to below {below:g}"
        raise ValueError(f"{name}: expected a finite number {limits}, got {number:g}")
    return number


def _mapping(what: str, value: Any) -> Mapping[Any, Any]:
    if not isinstance(value, Mapping):
        raise TypeError(f"state_dict: expected {what} to be a dict, got {type(value).__name__}")
    return value


class Optimizer:
    """The base class of SGD and Adam; use those.

    A subclass names its options and the arrays of its state, and gives the numbers that its kernel
    reads for each parameter.

    Parameters
    ----------
    parameters : Parameter, iterable of Parameter, or iterable of dict
        Each dictionary is a group: ``{"params": parameters, option: value, …}``, as with torch.
    defaults : dict
        The options of a group that does not give its own.

    Raises
    ------
    TypeError, ValueError
        Naming parameters, of which there must be at least one, or an option.

    Attributes
    ----------
    param_groups : list of dict
        Each holds ``params`` and the group's options, which may be changed between steps.
    state : dict
        By parameter: ``step``, and arrays of the parameter's shape and dtype. Made at a parameter's
        first step.
    """

    # Names of the arrays in a parameter's state, in the order of the kernel's table.
    _arrays: tuple[str, ...] = ()
    # Those of them that each parameter has after its first step, whatever the options are.
    _required: tuple[str, ...] = ()
    # Flops that an item counts for when the number of threads is chosen.
    _work = 10

    def __init__(self, parameters: Parameters, defaults: Options) -> None:
        self.defaults = self._checked(defaults)
        self.param_groups: list[Options] = []
        self.state: dict[Parameter, State] = {}
        self._tables: dict[np.dtype, Table] = {}
        groups: Any = [parameters] if isinstance(parameters, Mapping) else parameters
        if not isinstance(groups, Parameter) and hasattr(groups, "__iter__"):
            groups = list(groups)
        if not (isinstance(groups, list) and any(isinstance(g, Mapping) for g in groups)):
            groups = [{"params": groups}]
        for group in groups:
            self.add_param_group(group)
        if not any(group["params"] for group in self.param_groups):
            raise ValueError("parameters: expected at least one, got none")

    # -- what a subclass defines ---------------------------------------------------------------

    def _checked(self, options: Options) -> Options:
        """Return the options as they are kept, or raise, naming the one that is wrong."""
        raise NotImplementedError

    def _uses(self, options: Options) -> tuple[str, ...]:
        """The names of the state arrays that a group's options call for."""
        return self._arrays

    def _row(
        self, options: Options, step: int, fresh: bool, grad_scale: float
    ) -> tuple[float, ...]:
        """The numbers that the kernel reads for a parameter at its step number `step`, from 1 on.

        `fresh` says whether the arrays of its state were made in this step.
        """
        raise NotImplementedError

    @staticmethod
    def _kernel() -> Any:
        raise NotImplementedError

    def __getstate__(self) -> dict[str, Any]:
        # A copy's arrays stand elsewhere than the tables say.
        return {**vars(self), "_tables": {}}

    # -- groups -------------------------------------------------------------------------------

    def add_param_group(self, param_group: Mapping[str, Any]) -> None:
        """Add a group of parameters with options of their own.

        Parameters
        ----------
        param_group : dict
            ``params``, a parameter or an iterable of them, and any of the options.

        Raises
        ------
        TypeError
            If it is something else.
        ValueError
            If an option is unknown or out of range, or a parameter is listed twice.
        """
        if not isinstance(param_group, Mapping):
            raise TypeError(f"parameters: expected a dict, got {type(param_group).__name__}")
        given = dict(param_group)
        if "params" not in given:
            raise ValueError("parameters: expected a group to hold 'params', got none")
        params = as_parameters(given.pop("params"))
        for name in given:
            if name not in self.defaults:
                raise ValueError(
                    f"{name}: expected one of {', '.join(self.defaults)} as a group's option"
                )
        present = {p for group in self.param_groups for p in group["params"]}
        if len(set(params)) < len(params) or not present.isdisjoint(params):
            raise ValueError("parameters: expected each once, got one that is listed twice")
        self.param_groups.append({"params": params, **self._checked({**self.defaults, **given})})

    @property
    def lr(self) -> float:
        """The first group's learning rate; setting it sets that of every group.

        Raises
        ------
        TypeError
            If it is set to anything but a real number.
        ValueError
            If that is negative, infinite or NaN.
        """
        return self.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        value = check_number("lr", value)
        for group in self.param_groups:
            group["lr"] = value

    # -- stepping -----------------------------------------------------------------------------

    def zero_grad(self) -> None:
        """Set every parameter's gradient to None."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None

    def step(self, grad_scale: float = 1.0) -> None:
        """Update every parameter that has a gradient and is not frozen.

        Parameters
        ----------
        grad_scale : float
            The step uses the gradients times this; the gradients themselves stay as they are.
            `optim.clip_scale` gives the factor that clips.
        """
        stepped: dict[np.dtype, list[tuple]] = {}
        for group in self.param_groups:
            # Options may have been changed by hand since the last step.
            options = self._checked({name: group[name] for name in self.defaults})
            uses = self._uses(options)
            same: dict[tuple[int, bool], tuple[float, ...]] = {}  # most parameters' are the same
            for p in group["params"]:
                grad = p.grad
                if grad is None or not p.requires_grad:
                    continue
                state, fresh = self._state_of(p, uses)
                at = state["step"] + 1, fresh
                if at not in same:
                    same[at] = self._row(options, *at, grad_scale)
                arrays = p.values_for_kernel(), *[state[name] for name in uses]
                stepped.setdefault(grad.dtype, []).append((p, grad, state, arrays, same[at]))
        for dtype, rows in stepped.items():
            parameters, gradients, states, arrays, numbers = zip(*rows)
            table = self._tables.setdefault(dtype, Table(3 + len(self._arrays)))
            with mutate_all(parameters):
                addresses = table.of(arrays, gradients)
                nt = threads_of(addresses, self._work)
                self._kernel()(nt, addresses, as_rows(numbers), np.empty(0, dtype))
            for state in states:
                state["step"] += 1

    def _state_of(self, p: Parameter, uses: tuple[str, ...]) -> tuple[State, bool]:
        """(state, fresh): a parameter's state, and whether arrays of it were made just now."""
        state = self.state.get(p)
        if state is None:
            state = self.state[p] = {"step": 0}
        fresh = False
        for name in uses:
            if name not in state:
                state[name] = np.zeros(p.shape, p.dtype)
                fresh = True
        return state, fresh

    # -- saving and loading -------------------------------------------------------------------

    def _parameters(self) -> list[Parameter]:
        return [p for group in self.param_groups for p in group["params"]]

    def state_dict(self) -> dict[str, Any]:
        """Return all that is needed to continue with the same bits, in torch's form.

        Returns
        -------
        dict
            ``{"state": {index: {"step": int, name: array, …}}, "param_groups": [{"params":
            [index, …], option: value, …}]}``. A parameter's index counts over all groups; arrays
            are copies.
        """
        parameters = self._parameters()
        index = {p: i for i, p in enumerate(parameters)}
        return {
            "state": {
                index[p]: {
                    name: value.copy() if isinstance(value, np.ndarray) else value
                    for name, value in self.state[p].items()
                }
                for p in parameters
                if p in self.state
            },
            "param_groups": [
                {**group, "params": [index[p] for p in group["params"]]}
                for group in self.param_groups
            ],
        }

    def load_state_dict(self, state_dict: Mapping[str, Any]) -> None:
        """Continue where another optimizer of the same kind and parameters stood.

        Everything is checked first: on any error nothing changes.

        Parameters
        ----------
        state_dict : dict
            From `state_dict`; arrays are copied. Lists may stand for tuples.

        Raises
        ------
        TypeError
            If a value is of the wrong type.
        ValueError
            If keys, indices, the number of parameters or a shape do not fit.
        """
        saved = _mapping("the whole", state_dict)
        if set(saved) != {"state", "param_groups"}:
            raise ValueError(
                "state_dict: expected 'state' and 'param_groups', got "
                f"{', '.join(map(repr, saved))}"
            )
        groups = self._loaded_groups(saved["param_groups"])
        parameters = self._parameters()
        state = {}
        for index, entry in _mapping("'state'", saved["state"]).items():
            if not isinstance(index, int) or not 0 <= index < len(parameters):
                raise ValueError(
                    f"state_dict: expected indices from 0 to {len(parameters) - 1}, got {index!r}"
                )
            state[parameters[index]] = self._loaded_state(index, parameters[index], entry)
        for group, options in zip(self.param_groups, groups):
            group.update(options)
        self.state = state

    def _loaded_groups(self, saved: Any) -> list[Options]:
        if len(saved) != len(self.param_groups):
            raise ValueError(
                f"state_dict: expected {len(self.param_groups)} groups, got {len(saved)}"
            )
        loaded, start = [], 0
        for group, options in zip(self.param_groups, saved):
            _mapping("a group", options)
            end = start + len(group["params"])
            if list(options.get("params", ())) != list(range(start, end)):
                raise ValueError(
                    f"state_dict: expected a group of the parameters {start} to {end - 1}, "
                    f"got {options.get('params')!r:.80}"
                )
            missing = [name for name in self.defaults if name not in options]
            unknown = [name for name in options if name not in (*self.defaults, "params")]
            if missing or unknown:
                raise ValueError(
                    f"state_dict: expected a group's options to be {', '.join(self.defaults)}; "
                    f"missing: {missing}, unknown: {unknown}"
                )
            loaded.append(self._checked({name: options[name] for name in self.defaults}))
            start = end
        return loaded

    def _loaded_state(self, index: int, p: Parameter, saved: Mapping[str, Any]) -> State:
        _mapping(f"parameter {index}", saved)
        step: Any = saved.get("step")
        whole = isinstance(step, (int, np.integer)) and not isinstance(step, bool) and step >= 0
        unknown = [name for name in saved if name not in ("step", *self._arrays)]
        missing = [name for name in self._required if name not in saved]
        if not whole or unknown or missing:
            raise ValueError(
                f"state_dict: expected parameter {index} to have a whole number 'step' and "
                f"{', '.join(self._arrays)}, got {', '.join(map(str, saved))} (step {step!r})"
            )
        state: State = {"step": int(step)}
        for name in self._arrays:
            if name in saved:
                state[name] = checks.as_float(name, saved[name], p.dtype, shape=p.shape).copy()
        return state

    def __repr__(self) -> str:
        lines = []
        for number, group in enumerate(self.param_groups):
            options = ", ".join(f"{name}={group[name]}" for name in self.defaults)
            lines.append(f"  ({number}): {len(group['params'])} parameters, {options}")
        return "\n".join((f"{type(self).__name__}(", *lines, ")"))
