"""The attributes of an LSTM, GRU or RNN node, checked, with the defaults of ONNX's text.

https://onnx.ai/onnx/operators/onnx__LSTM.html, onnx__GRU.html, onnx__RNN.html
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .._gates import CELLS
from .activations import Activation, activation

__all__ = ["DEFAULT_ACTIVATIONS", "OPERATORS", "Attributes", "read_attributes"]

# The operators by name, and how many gates are stacked in their weights' rows.
OPERATORS = {cell.__name__: number for number, cell in CELLS.items()}
DEFAULT_ACTIVATIONS = {
    "LSTM": ("Sigmoid", "Tanh", "Tanh"),
    "GRU": ("Sigmoid", "Tanh"),
    "RNN": ("Tanh",),
}
_DIRECTIONS = {"forward": 1, "reverse": 1, "bidirectional": 2}
_OWN = {"LSTM": {"input_forget"}, "GRU": {"linear_before_reset"}, "RNN": set()}
_NUMBERS, _TEXTS = ((int, float), "a list of numbers"), (str, "a list of names")
_NUMBER, _WHOLE = ((int, float), "a number"), (int, "a whole number")
_KINDS: dict[str, tuple[Any, str]] = {
    "activation_alpha": _NUMBERS,
    "activation_beta": _NUMBERS,
    "activations": _TEXTS,
    "clip": _NUMBER,
    "direction": (str, "a word"),
    "hidden_size": _WHOLE,
    "input_forget": _WHOLE,
    "layout": _WHOLE,
    "linear_before_reset": _WHOLE,
    # Of operators before opset 7; it says nothing that the outputs do not.
    "output_sequence": _WHOLE,
}
_SHARED = _KINDS.keys() - {"input_forget", "linear_before_reset"}


@dataclass(frozen=True)
class Attributes:
    """What a recurrent node computes, apart from its weights."""

    label: str
    operator: str
    direction: str = "forward"
    hidden_size: int | None = None
    layout: int = 0
    clip: float | None = None
    # Those of each direction, in the order of ONNX's text: f, g, h.
    activations: tuple[tuple[Activation, ...], ...] = ()
    linear_before_reset: bool = False
    input_forget: bool = False

    @property
    def directions(self) -> int:
        """D."""
        return _DIRECTIONS[self.direction]

    @property
    def gates(self) -> int:
        """How many gates are stacked in the weights' rows."""
        return OPERATORS[self.operator]

    def reverses(self, direction: int) -> bool:
        """Whether direction 0 or 1 reads the sequence from its end."""
        return self.direction == "reverse" or direction == 1


def read_attributes(label: str, operator: str, values: Mapping[str, Any]) -> Attributes:
    """Check a node's attributes.

    Parameters
    ----------
    label : str
        What messages call the node.
    operator : str
        One of `OPERATORS`.
    values : mapping
        As `files.attribute_values` gives them.

    Raises
    ------
    ValueError
        Naming the node and the attribute.
    """
    for name, value in values.items():
        if name not in _SHARED and name not in _OWN[operator]:
            raise ValueError(f"{label}: attribute {name}: not one of ONNX's {operator}")
        kind, words = _KINDS[name]
        items = value if isinstance(value, (list, tuple)) else [value]
        if not all(isinstance(one, kind) for one in items) or (value is items) != ("list" in words):
            raise ValueError(f"{label}: attribute {name}: expected {words}, got {value!r}")
    direction = values.get("direction", "forward")
    if direction not in _DIRECTIONS:
        raise ValueError(
            f"{label}: attribute direction: expected one of {', '.join(_DIRECTIONS)}, "
            f"got {direction!r}"
        )
    return Attributes(
        label=label,
        operator=operator,
        direction=direction,
        hidden_size=_hidden_size(label, values.get("hidden_size")),
        layout=_switch(label, "layout", values),
        clip=_clip(label, values.get("clip")),
        activations=_activations(label, operator, values, _DIRECTIONS[direction]),
        linear_before_reset=bool(_switch(label, "linear_before_reset", values)),
        input_forget=bool(_switch(label, "input_forget", values)),
    )


def _switch(label: str, name: str, values: Mapping[str, Any]) -> int:
    value = values.get(name, 0)
    if value not in (0, 1):
        raise ValueError(f"{label}: attribute {name}: expected 0 or 1, got {value!r}")
    return int(value)


def _hidden_size(label: str, value: Any) -> int | None:
    if value is None:
        return None
    if not isinstance(value, int) or value < 1:
        raise ValueError(f"{label}: attribute hidden_size: expected at least 1, got {value!r}")
    return value


def _clip(label: str, value: Any) -> float | None:
    if value is None:
        return None
    if not isinstance(value, (int, float)) or not value > 0:  # nor is NaN
        raise ValueError(f"{label}: attribute clip: expected a number above 0, got {value!r}")
    return float(value)


def _activations(
    label: str, operator: str, values: Mapping[str, Any], directions: int
) -> tuple[tuple[Activation, ...], ...]:
    defaults = DEFAULT_ACTIVATIONS[operator]
    names: Sequence[str] = values.get("activations") or defaults
    count = len(defaults)
    if len(names) not in (count, count * directions):
        wanted = f"{count * directions} names"
        raise ValueError(
            f"{label}: attribute activations: expected {wanted}, got {len(names)}: {list(names)}"
        )
    # "The values are consumed in the order of activation functions": by those that have any.
    alphas = iter(values.get("activation_alpha") or ())
    betas = iter(values.get("activation_beta") or ())
    found = tuple(activation(label, name, alphas, betas) for name in names)
    if len(found) == count:  # some exporters name those of one direction for both
        return (found,) * directions
    return found[:count], found[count:]
