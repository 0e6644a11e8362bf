"""Every option of ``train lm`` in one place: its default, its bounds, its words.

The command line makes its flags from these fields, a run's ``config.toml`` holds them, and a
wrong value is refused here whichever way it came, naming the option.
"""

from __future__ import annotations

import difflib
import json
import math
import os
import tomllib
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from numbers import Integral, Real
from pathlib import Path
from typing import Any

__all__ = [
    "POLICIES",
    "ConfigError",
    "TrainConfig",
    "merge",
    "names",
    "read_toml",
    "told",
    "write_toml",
]

# Of each group at most one is set: one length of the run, one source of validation text.
BUDGETS = ("steps", "epochs", "minutes")
VALIDATION = ("valid", "valid_fraction")
GROUPS = (BUDGETS, VALIDATION)
DEFAULT_MINUTES = 3.25
#: Those of `numba_lstm.text.tokens`, which imports NumPy: a help must not wait for that.
POLICIES = ("error", "skip", "token")


class ConfigError(ValueError):
    """An option's value, or a combination of options, that cannot be meant."""


def _option(
    default: Any,
    kind: type,
    words: str,
    *,
    low: float | None = None,
    above: float | None = None,
    high: float | None = None,
    choices: tuple[str, ...] = (),
    several: bool = False,
) -> Any:
    """A dataclass field that knows its type, its bounds and its help text."""
    about = {
        "kind": kind,
        "help": words,
        "low": low,
        "above": above,
        "high": high,
        "choices": choices,
        "several": several,
    }
    return field(default=default, metadata=about)


@dataclass(frozen=True, kw_only=True)
class TrainConfig:
    """The options of one training run, checked.

    Raises
    ------
    ConfigError
        When a value has the wrong type or is out of bounds, or when two options exclude each
        other. The message names the option, what was expected and what came.
    """

    data: str | tuple[str, ...] = _option(
        "shakespeare",
        str,
        "A UTF-8 text file, a folder of *.txt, - for standard input, or the bundled 'shakespeare'; "
        "may be given several times.",
        several=True,
    )
    level: str = _option(
        "char",
        str,
        "What a token is: a character; a word or sign; or, for a text that was cut into tokens "
        "before, as the Penn Treebank or WikiText, what stands between blanks.",
        choices=("char", "word", "whitespace"),
    )
    min_count: int = _option(
        1, int, "What is seen less often than this becomes the unknown token.", low=1
    )
    unknown: str | None = _option(
        None,
        str,
        "What becomes of that which the vocabulary lacks, in a validation text: an error, left "
        "out, or the unknown token, which this gives to characters, too (default: token where the "
        "vocabulary has one).",
        choices=POLICIES,
    )
    init: str | None = _option(
        None,
        str,
        "Begin with the weights of this run: sizes are its, and so is the vocabulary, to which "
        "tokens that only the new text has are added.",
    )
    cell: str = _option("lstm", str, "The layers' kind.", choices=("lstm", "gru", "rnn"))
    embedding: int = _option(128, int, "Width of the embedding.", low=1)
    hidden: int = _option(384, int, "Hidden units of each recurrent layer.", low=1)
    layers: int = _option(1, int, "Recurrent layers.", low=1)
    dropout: float = _option(
        0.2, float, "Probability to drop a unit while training.", low=0.0, high=1.0
    )
    # Without it the first layer's input product is done by kind of token, a fifth of a step less.
    embedding_dropout: float = _option(
        0.0, float, "Probability to drop a part of the embedding.", low=0.0, high=1.0
    )
    tie_weights: bool = _option(
        False, bool, "Use the embedding as the output's weight (needs embedding = hidden)."
    )
    batch: int = _option(16, int, "Streams of text trained side by side.", low=1)
    seq_len: int = _option(64, int, "Steps that gradients travel back.", low=1)
    lr: float = _option(3e-3, float, "Highest learning rate.", above=0.0)
    optimizer: str = _option("adamw", str, "The optimizer.", choices=("adam", "adamw", "sgd"))
    weight_decay: float | None = _option(
        None, float, "Weight decay (default: the optimizer's, 0.01 for adamw, else 0).", low=0.0
    )
    schedule: str = _option(
        "cosine", str, "How the learning rate falls over the run.", choices=("cosine", "constant")
    )
    warmup: float = _option(
        0.02, float, "Part of the run in which the learning rate rises.", low=0.0, high=1.0
    )
    clip: float = _option(1.0, float, "Highest gradient norm; 0 does not clip.", low=0.0)
    steps: int | None = _option(None, int, "Train for this many steps.", low=1)
    epochs: int | None = _option(None, int, "Train for this many passes over the text.", low=1)
    minutes: float | None = _option(
        None, float, f"Train for this long (default {DEFAULT_MINUTES:g}).", above=0.0
    )
    valid: str | tuple[str, ...] | None = _option(
        None, str, "A text to validate on, named as --data is.", several=True
    )
    valid_fraction: float | None = _option(
        None, float, "Part of the text's end to validate on (default 0.1).", low=0.0, high=0.9
    )
    valid_every: int = _option(1000, int, "Validate each so many steps, and at the end.", low=1)
    patience: int | None = _option(
        None, int, "Stop after so many validations in a row without a better one.", low=1
    )
    log_every: int = _option(100, int, "Log each so many steps.", low=1)
    seed: int = _option(0, int, "Seed of the parameters and of dropout.", low=0)
    dtype: str = _option("float32", str, "The type of all numbers.", choices=("float32", "float64"))
    threads: int | None = _option(None, int, "Threads (default: one a core).", low=1)

    def __post_init__(self) -> None:
        for about in fields(self):
            value = getattr(self, about.name)
            object.__setattr__(self, about.name, _checked(about, value))
        for group in GROUPS:
            _refuse_two(group, {n: getattr(self, n) for n in group}, "")
        if self.tie_weights and self.embedding != self.hidden:
            raise ConfigError(
                "tie_weights: expected embedding and hidden of one size, "
                f"got embedding {self.embedding} and hidden {self.hidden}"
            )

    def values(self) -> dict[str, Any]:
        """The options that are set, by name."""
        named = {about.name: getattr(self, about.name) for about in fields(self)}
        return {name: value for name, value in named.items() if value is not None}


def merge(*layers: tuple[str, Mapping[str, Any]]) -> TrainConfig:
    """Make a configuration of layers of options, each winning over those before it.

    Parameters
    ----------
    layers
        Pairs of where the options come from ('' for flags, else a file's name, for messages)
        and the options. An option of a group whose members exclude each other, such as
        ``minutes``, also wins over the group's other members in earlier layers.

    Returns
    -------
    TrainConfig
        With one length of the run and one source of validation text set.

    Raises
    ------
    ConfigError
        For an unknown option, a wrong value, or two options of one group in one layer.
    """
    merged: dict[str, Any] = {}
    for source, options in layers:
        place = f"{source}: " if source else ""
        known = {about.name: about for about in fields(TrainConfig)}
        for name in options:
            if name not in known:
                raise ConfigError(f"{place}{_unknown(name, list(known))}")
        for group in GROUPS:
            _refuse_two(group, options, place)
            if any(options.get(name) is not None for name in group):
                for name in group:
                    merged.pop(name, None)
        try:
            checked = {name: _checked(known[name], value) for name, value in options.items()}
        except ConfigError as error:
            raise ConfigError(f"{place}{error}") from None
        merged.update(checked)
    if all(merged.get(name) is None for name in BUDGETS):
        merged["minutes"] = DEFAULT_MINUTES
    if all(merged.get(name) is None for name in VALIDATION):
        merged["valid_fraction"] = 0.1
    return TrainConfig(**merged)


def names(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """The sources that ``data`` or ``valid`` names."""
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
    try:
        # Some editors put a byte-order mark at the start.
        table = tomllib.loads(Path(path).read_bytes().decode("utf-8-sig"))
    except OSError as error:
        raise ConfigError(f"{os.fspath(path)}: {error.strerror or error}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigError(f"{os.fspath(path)}: expected a TOML file: {error}") from None
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
        str: isinstance(value, str) and value != "",
        bool: isinstance(value, bool),
        int: isinstance(value, Integral) and not isinstance(value, bool),
        float: isinstance(value, Real) and not isinstance(value, bool),
    }[kind]
    if not good or (kind is float and not math.isfinite(value)):
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got {value!r}")
    value = kind(value)
    low, above, high, choices = (about.metadata[k] for k in ("low", "above", "high", "choices"))
    if (
        (low is not None and value < low)
        or (above is not None and value <= above)
        or (high is not None and value > high)
        or (choices and value not in choices)
    ):
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got {value!r}")
    return value


def _expected(about: Any) -> str:
    """What the option takes, in words."""
    low, above, high, choices = (about.metadata[k] for k in ("low", "above", "high", "choices"))
    if choices:
        return " or ".join(choices)
    if about.metadata["several"]:
        return "names of texts"
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
    """One name of a text, or several, each such that a file of TOML can hold it."""
    several = tuple(value) if isinstance(value, list | tuple) else (value,)
    if not several or not all(isinstance(name, str) and name != "" for name in several):
        raise ConfigError(f"{about.name}: expected {_expected(about)}, got {value!r}")
    portable = tuple(map(_portable, several))
    return portable[0] if len(portable) == 1 else portable


def _portable(name: str) -> str:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        from ..text.sources import portable_name  # seldom needed, and it imports NumPy

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
    return f"{name}: no such option{guess}"
