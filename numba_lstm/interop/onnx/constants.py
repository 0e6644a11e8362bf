"""The arrays of a graph, kept beside its messages, so that each is in memory once.

A protobuf message that holds an array never gives the memory back while any part of it lives, and
the operators of ONNX's evaluator keep theirs. So initializers become *references*, tensors without
values whose external data is said to be a number here, and so do the weights of recurrent nodes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

__all__ = ["Constants", "is_reference"]

_PLACE = "numba_lstm constant "


class Constants:
    """Arrays by number, and what was made of those that are weights.

    The sessions of one file share it. Threads may read it.
    """

    def __init__(self) -> None:
        self._arrays: dict[int, np.ndarray] = {}
        self._made: dict[Any, Any] = {}
        self._next = 0

    def add(self, array: np.ndarray) -> int:
        """Keep an array, under a number of its own each time."""
        self._next += 1
        self._arrays[self._next] = array
        return self._next

    def __getitem__(self, number: int) -> np.ndarray:
        return self._arrays[number]

    def made_of(
        self, about: Any, numbers: Mapping[str, int], make: Callable[[dict[str, np.ndarray]], Any]
    ) -> Any:
        """Give what `make` makes of arrays by role, the same for the same numbers and `about`.

        The arrays are let go. So every number has to belong to one recurrent node alone.
        """
        key = about, tuple(sorted(numbers.items()))
        if key not in self._made:
            self._made[key] = make({role: self._arrays[one] for role, one in numbers.items()})
            for number in numbers.values():
                del self._arrays[number]
        return self._made[key]

    def reference(self, name: str, array: np.ndarray) -> Any:
        """Make an ``onnx.TensorProto`` that stands for an array."""
        from onnx import StringStringEntryProto, TensorProto

        place = StringStringEntryProto(key="location", value=f"{_PLACE}{self.add(array)}")
        return TensorProto(name=name, data_location=TensorProto.EXTERNAL, external_data=[place])

    def array(self, tensor: Any) -> np.ndarray:
        """Give what a tensor holds, or the array that it stands for.

        Raises
        ------
        ValueError
            Naming the tensor, where it is damaged.
        """
        from onnx import numpy_helper

        if is_reference(tensor):
            return self._arrays[int(tensor.external_data[0].value.removeprefix(_PLACE))]
        try:
            if any(size < 0 for size in tensor.dims):  # which NumPy would fill in
                raise ValueError("a size below 0")
            return numpy_helper.to_array(tensor)
        except Exception as error:
            raise ValueError(
                f"initializer {tensor.name!r}: expected {tuple(tensor.dims)} values, got others "
                f"({error}); is the file whole?"
            ) from None


def is_reference(tensor: Any) -> bool:
    """Whether a tensor stands for an array; `external.read_external` lets none of a file's pass."""
    return bool(tensor.external_data) and tensor.external_data[0].value.startswith(_PLACE)
