"""What `Module.load_state_dict` does before it writes: names, shapes and values, all that is wrong.

The message lists everything at once, and ends in hints where the names or shapes are those of a
form that can be told: a prefix, a cell's names, another library's layout.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

import numpy as np

from ..checks import real_array
from ..parameters.parameter import Parameter

__all__ = ["Reading", "read", "under_prefix"]


class Reading(NamedTuple):
    """What a state dict holds for a module.

    Attributes
    ----------
    values : list of (Parameter, numpy.ndarray)
        What is to be written.
    missing, unexpected : list of str
        Names.
    """

    values: list[tuple[Parameter, np.ndarray]]
    missing: list[str]
    unexpected: list[str]


def under_prefix(state_dict: Any, prefix: Any) -> Mapping[Any, Any]:
    """Take what stands under a prefix, by the rest of its names.

    Parameters
    ----------
    state_dict : mapping of str to array_like
    prefix : str
        With or without its dot; empty for all.

    Raises
    ------
    TypeError
        If `state_dict` is no mapping, or `prefix` is no text.
    ValueError
        If no name begins with the prefix.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict: expected a mapping of names to arrays, got {type(state_dict).__name__}"
        )
    if not isinstance(prefix, str):
        raise TypeError(f"prefix: expected text, got {type(prefix).__name__}")
    if not prefix:
        return state_dict
    names = [name for name in state_dict if isinstance(name, str)]
    for one in (f"{prefix.removesuffix('.')}.", prefix):
        found = {name[len(one) :]: state_dict[name] for name in names if name.startswith(one)}
        if found:
            return found
    raise ValueError(
        f"prefix: expected a beginning of names in state_dict, got {prefix!r}; "
        f"they begin with {_beginnings(names)}"
    )


def read(what: str, wanted: Mapping[str, Parameter], d: Mapping[str, Any], strict: bool) -> Reading:
    """Read what `d` holds for each wanted name.

    Parameters
    ----------
    what : str
        What to call the module.
    wanted : mapping of str to Parameter
        A shared one comes under each of its names.
    d : mapping of str to array_like
    strict : bool
        Whether names that are missing or not known are wrong.

    Raises
    ------
    TypeError, ValueError
        With everything that does not fit; the first if all of it is values that are no real
        numbers.
    """
    values, problems, only_types = _read_values(wanted, d)
    loaded = {id(wanted[name]) for name in d if name in wanted}
    missing = [name for name, p in wanted.items() if name not in d and id(p) not in loaded]
    unexpected = [str(name) for name in d if name not in wanted]
    if strict and (missing or unexpected):
        only_types = False
        problems += [f"missing: {name}" for name in missing]
        problems += [f"not known: {name}" for name in unexpected]
    if problems:
        problems += [f"hint: {hint}" for hint in _hints(wanted, d, missing, unexpected)]
        error = TypeError if only_types else ValueError
        raise error(f"state_dict does not fit this {what}:\n  " + "\n  ".join(problems))
    return Reading(values, missing, unexpected)


def _read_values(
    wanted: Mapping[str, Parameter], d: Mapping[str, Any]
) -> tuple[list[tuple[Parameter, np.ndarray]], list[str], bool]:
    """Read what `d` holds for each wanted name, and list in words whatever does not fit."""
    values: dict[int, tuple[Parameter, str, np.ndarray]] = {}
    problems: list[str] = []
    only_types = True
    for name, parameter in wanted.items():
        if name not in d:
            continue
        try:
            value = real_array(name, d[name])
        except (TypeError, ValueError) as error:
            problems.append(str(error))
            only_types = only_types and isinstance(error, TypeError)
            continue
        if value.shape != parameter.shape:
            problems.append(f"{name}: expected shape {parameter.shape}, got {value.shape}")
            only_types = False
            continue
        _, other, first = values.setdefault(id(parameter), (parameter, name, value))
        if first is not value and not np.array_equal(first, value, equal_nan=True):
            problems.append(f"{other} and {name} are one parameter here, but the values differ")
            only_types = False
    return [(parameter, value) for parameter, _, value in values.values()], problems, only_types


# -- hints ------------------------------------------------------------------------------------

_CELL_NAMES = ("weight_ih", "weight_hh", "bias_ih", "bias_hh")


def _hints(
    wanted: Mapping[str, Parameter], d: Mapping[str, Any], missing: list[str], unexpected: list[str]
) -> list[str]:
    """What may be meant: a sentence for each form that the names or shapes are known by."""
    prefix = _prefix(missing, unexpected)
    if prefix:
        return [f"the names begin with {prefix!r}: load_state_dict(state_dict, prefix={prefix!r})"]
    hints = []
    layers, cells = {f"{name}_l0" for name in _CELL_NAMES}, set(_CELL_NAMES)
    weights = "numba_lstm.interop.weights"
    if _ends(missing) & layers and _ends(unexpected) & cells:
        hints.append(
            f"these are a cell's names, a layer's end in _l0: {weights}.cell_to_layer(state_dict)"
        )
    if _ends(missing) & cells and _ends(unexpected) & layers:
        hints.append(
            f"these are a layer's names, a cell's have no _l0: {weights}.layer_to_cell(state_dict)"
        )
    if any(_is_transposed(p, d[name]) for name, p in wanted.items() if name in d):
        hints.append(
            "arrays are transposed, as in Keras and in much NumPy code: "
            f"{weights}.from_keras, {weights}.from_numpy"
        )
    return hints


def _ends(names: Iterable[str]) -> set[str]:
    return {name.rpartition(".")[2] for name in names}


def _prefix(missing: list[str], unexpected: list[str]) -> str:
    """What stands before every missing name among those that are not known; '' for nothing."""
    given = set(unexpected)
    for name in unexpected:
        for one in missing[:1]:
            prefix = name.removesuffix(one)
            if prefix not in ("", name) and given.issuperset(prefix + other for other in missing):
                return prefix
    return ""


def _is_transposed(parameter: Parameter, value: Any) -> bool:
    shape = np.shape(value)
    return len(shape) == 2 and shape != parameter.shape and shape[::-1] == parameter.shape


def _beginnings(names: list[str]) -> str:
    """The first parts of names, a few of them."""
    parts = list(dict.fromkeys(name.partition(".")[0] for name in names))
    return ", ".join(map(repr, parts[:5])) + (", …" if len(parts) > 5 else "") or "nothing"
