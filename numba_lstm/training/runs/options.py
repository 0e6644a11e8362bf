"""Options of a training, of whatever kind: their types, their bounds, their files.

The command line makes its flags from the fields of a kind's options, a run's ``config.toml`` holds
them, and a wrong value is refused here whichever way it came, naming the option.
"""

from __future__ import annotations

import difflib
import json
import os
import sys
from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from numbers import Integral, Real
from typing import Any, ClassVar, TypeVar

from ..._parsing import parse_toml
from ..._reading import read_bytes

__all__ = [
    "BUDGETS",
    "ConfigError",
    "TrainingOptions",
    "merge_options",
    "names",
    "option",
    "options_of",
    "read_toml",
    "told",
    "write_toml",
]

#: A file of options may name as many files of data as a command can.
MOST_BYTES = 4 << 20
# Of these at most one is set: the length of the run.
BUDGETS = ("steps", "epochs", "minutes")


class ConfigError(ValueError):
    """An option's value, or a combination of options, that cannot be meant."""


def option(
    default: Any,
    kind: type,
    words: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    several: str = "",
    also: str = "",
) -> Any:
    """A dataclass field that knows its type, its bounds and its help text.

    ``several`` says what it is names of, where there may be more than one; ``also`` is another name
    that the option may be given by.
    """
    about = {
        "kind": kind,
        "help": words,
        "low": low,
        "above": above,
        "high": high,
        "choices": choices,
        "several": several,
        "also": also,
    }
    return field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class TrainingOptions:
    """The options that trainings of every kind have, checked; a kind adds its own.

    Raises
    ------
    ConfigError
        When a value has the wrong type or is out of bounds, or when two options exclude each
        other. The message names the option, what was expected and what came.
    """

    #: What stands behind ``train``.
    kind: ClassVar[str] = ""
    #: The file of a run that says what the model's numbers mean.
    beside: ClassVar[str] = "data.json"
    #: What a continuation may change: where the data lie now, how long to go on and how often to
    #: report. All else would make it another run.
    may_change: ClassVar[frozenset[str]] = frozenset(
        {"data", *BUDGETS, "valid_every", "patience", "log_every", "threads"}
    )
    #: Of each group at most one option is set.
    groups: ClassVar[tuple[tuple[str, ...], ...]] = (BUDGETS,)
    #: What an option is where no layer of options sets it, nor another one of its group.
    otherwise: ClassVar[Mapping[str, Any]] = {}

    batch: int = option(16, int, "Sequences trained side by side.", low=1)
    lr: float = option(3e-3, float, "Highest learning rate.", above=0.0)
    optimizer: str = option("adamw", str, "The optimizer.", choices=("adam", "adamw", "sgd"))
    weight_decay: float | None = option(
        None, float, "Weight decay (default: the optimizer's, 0.01 for adamw, else 0).", low=0.0
    )
    schedule: str = option(
        "cosine", str, "How the learning rate falls over the run.", choices=("cosine", "constant")
    )
    warmup: float = option(
        0.02, float, "Part of the run in which the learning rate rises.", low=0.0, high=1.0
    )
    clip: float = option(1.0, float, "Highest gradient norm; 0 does not clip.", low=0.0)
    steps: int | None = option(None, int, "Train for this many steps.", low=1)
    epochs: int | None = option(None, int, "Train for this many passes over the data.", low=1)
    minutes: float | None = option(None, float, "Train for this long.", above=0.0)
    valid_fraction: float | None = option(
        None, float, "Part of the data to validate on (default 0.1).", low=0.0, high=0.9
    )
    valid_every: int | None = option(
        None, int, "Validate each so many steps, and at the end (default: each pass).", low=1
    )
    patience: int | None = option(
        None, int, "Stop after so many validations in a row without a better one.", low=1
    )
    log_every: int = option(100, int, "Log each so many steps.", low=1)
    seed: int = option(0, int, "Seed of the parameters and of dropout.", low=0)
    dtype: str = option("float32", str, "The type of all numbers.", choices=("float32", "float64"))
    threads: int | None = option(None, int, "Threads (default: one a core).", low=1)

    def __post_init__(self) -> None:
        for about in fields(self):
            value = getattr(self, about.name)
            object.__setattr__(self, about.name, _checked(about, value))
        for group in self.groups:
            _refuse_two(group, {n: getattr(self, n) for n in group}, "")

    def values(self) -> dict[str, Any]:
        """The options that are set, by name."""
        named = {about.name: getattr(self, about.name) for about in options_of(type(self))}
        return {name: value for name, value in named.items() if value is not None}


Options = TypeVar("Options", bound=TrainingOptions)


def options_of(kind: type[TrainingOptions]) -> list[Field[Any]]:
    """The fields of a kind's options, in the order of a help: its own first."""
    order = [name for one in kind.__mro__ for name in vars(one).get("__annotations__", {})]
    return sorted(fields(kind), key=lambda about: order.index(about.name))


def merge_options(kind: type[Options], *layers: tuple[str, Mapping[str, Any]]) -> Options:
    """Make options of layers of them, each winning over those before it.

    Parameters
    ----------
    kind
        The class of the options.
    layers
        Pairs of where the options come from ('' for flags, else a file's name, for messages)
        and the options. An option of a group whose members exclude each other, such as
        ``minutes``, also wins over the group's other members in earlier layers. A ``kind`` among
        them must be that of the class.

    Returns
    -------
    TrainingOptions
        With one option of each group set.

    Raises
    ------
    ConfigError
        For an unknown option, a wrong value, or two options of one group in one layer.
    """
    merged: dict[str, Any] = {}
    known = {about.name: about for about in options_of(kind)}
    for source, given in layers:
        place = f"{source}: " if source else ""
        options = _by_first_name(known, given, place)
        if given.get("kind", kind.kind) != kind.kind:
            raise ConfigError(f"{place}kind: expected {kind.kind}, got {given['kind']!r}")
        for name in options:
            if name not in known:
                raise ConfigError(f"{place}{_unknown(name, list(known))}")
        for group in kind.groups:
            _refuse_two(group, options, place)
            if any(options.get(name) is not None for name in group):
                for name in group:
                    merged.pop(name, None)
        try:
            checked = {name: _checked(known[name], value) for name, value in options.items()}
        except ConfigError as error:
            raise ConfigError(f"{place}{error}") from None
        merged.update(checked)
    for name, value in kind.otherwise.items():
        group = next((group for group in kind.groups if name in group), (name,))
        if all(merged.get(other) is None for other in group):
            merged[name] = value
    return kind(**merged)


def _by_first_name(
    known: Mapping[str, Field[Any]], given: Mapping[str, Any], place: str
) -> dict[str, Any]:
    """Options, but their kind, by the first of their names."""
    also = {name: about.metadata["also"] for name, about in known.items()}
    first = {other: name for name, other in also.items() if other}
    found: dict[str, Any] = {}
    for name, value in given.items():
        known_as = first.get(name, name)
        if known_as in found:
            raise ConfigError(f"{place}{name}: expected once, got {known_as}, too")
        if name != "kind":
            found[known_as] = value
    return found


def names(value: str | tuple[str, ...] | None) -> tuple[str, ...]:
    """What an option names that may name several."""
    if value is None:
        return ()
    return (value,) if isinstance(value, str) else value


def told(value: str | tuple[str, ...]) -> str:
    """The sources that ``data`` or ``valid`` names, for messages."""
    return ", ".join(names(value))


def read_toml(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Read the options of a flat TOML file; ``seq-len`` and ``seq_len`` are the same.

    Raises
    ------
    ConfigError
        When the file cannot be read, is no TOML, or holds one option twice.
    """
    if os.fspath(path) == "":
        raise ConfigError("config: expected a file's name, got ''")
    try:
        table = parse_toml(read_bytes(path, MOST_BYTES), os.fspath(path))
    except OSError as error:
        told = f"{os.fspath(path)}: {error.strerror}" if error.strerror else str(error)
        raise ConfigError(told) from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    options: dict[str, Any] = {}
    for key, value in table.items():
        name = key.replace("-", "_")
        if name in options:
            raise ConfigError(f"{os.fspath(path)}: {name}: expected once, got it twice")
        options[name] = value
    return options


def write_toml(options: Mapping[str, Any]) -> str:
    """Write a flat table of text, numbers, truth values and lists of text as TOML."""
    return "".join(f"{name} = {_toml_value(value)}\n" for name, value in options.items())


def _toml_value(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        # JSON's escapes are all TOML's too; DEL alone stands bare in JSON and may not in TOML.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    if isinstance(value, float):
        return repr(value)
    if isinstance(value, int):
        return str(value)
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(_toml_value, value))}]"
    raise TypeError(f"expected text, a number, a truth value or a list, got {value!r}")


def _checked(about: Any, value: Any) -> Any:
    """``value`` as the option's own type, or an error that names the option."""
    if value is None:
        if about.default is None or about.default is MISSING:
            return None
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got nothing")
    kind = about.metadata["kind"]
    if about.metadata["several"]:
        return _sources(about, value)
    good = {
        str: isinstance(value, str) and value != "" and "\0" not in value,
        bool: isinstance(value, bool),
        int: isinstance(value, Integral) and not isinstance(value, bool) and value < 2**63,
        float: isinstance(value, Real) and not isinstance(value, bool),
    }[kind]
    if kind is float and good:
        good = abs(value) <= sys.float_info.max  # neither infinity nor NaN
    if not good:
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got {_shown(value)}")
    value = kind(value)
    low, above, high, choices = (about.metadata[k] for k in ("low", "above", "high", "choices"))
    if (
        (low is not None and value < low)
        or (above is not None and value <= above)
        or (high is not None and value > high)
        or (choices and value not in choices)
    ):
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A value in a message, cut short where it is long."""
    try:
        text = repr(value)
    except ValueError:  # Python writes no number of more than some thousand digits
        return "a number of too many digits"
    return text if len(text) <= 80 else f"{text[:77]}..."


def _expected(about: Any) -> str:
    """What the option takes, in words."""
    low, above, high, choices = (about.metadata[k] for k in ("low", "above", "high", "choices"))
    if choices:
        return " or ".join(choices)
    if about.metadata["several"]:
        return about.metadata["several"]
    words = {str: "text", bool: "true or false", int: "a whole number", float: "a number"}
    bounds = []
    if low is not None:
        bounds.append(f"of at least {low}")
    if above is not None:
        bounds.append(f"above {above:g}")
    if high is not None:
        bounds.append(f"at most {high}")
    return " ".join([words[about.metadata["kind"]], " and ".join(bounds)]).strip()


def _sources(about: Any, value: Any) -> str | tuple[str, ...]:
    """One name, or several, each such that a file of TOML can hold it."""
    several = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not several or not all(
        isinstance(name, str) and name != "" and "\0" not in name for name in several
    ):
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got {_shown(value)}")
    portable = tuple(map(_portable, several))
    return portable[0] if len(portable) == 1 else portable


def _portable(name: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        from ...text.sources import portable_name  # seldom needed, and it imports NumPy

        return portable_name(name)
    return name


def _refuse_two(group: tuple[str, ...], options: Mapping[str, Any], place: str) -> None:
    given = [name for name in group if options.get(name) is not None]
    if len(given) > 1:
        raise ConfigError(
            f"{place}{' and '.join(given)}: expected one of {', '.join(group)}, "
            f"got {len(given)} of them"
        )


def _unknown(name: str, known: list[str]) -> str:
    close = difflib.get_close_matches(name, known, n=1)
    guess = f"; did you mean {close[0]}?" if close else f"; there are {', '.join(known)}"
    return f"{name if len(name) <= 80 else f'{name[:77]}...'}: no such option{guess}"
