"""What every format checks before it writes a dictionary of arrays."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ..foreign import as_array

__all__ = ["named_arrays"]


def named_arrays(state_dict: Any, dtypes: frozenset[np.dtype]) -> dict[str, np.ndarray]:
    """Bring a dictionary's values to C-contiguous, little-endian arrays, whatever layout they have.

    Parameters
    ----------
    state_dict : mapping of str to array_like
    dtypes : frozenset of numpy.dtype
        What the format has, in native byte order.

    Raises
    ------
    TypeError
        If `state_dict` is no mapping, a name is no text, or a value is no array of such a dtype, or
        a masked one that hides values.
    ValueError
        If a value is ragged.
    """
    if not isinstance(state_dict, Mapping):
        raise TypeError(
            f"state_dict: expected a mapping of names to arrays, got {type(state_dict).__name__}"
        )
    found = {}
    for name, value in state_dict.items():
        if not isinstance(name, str):
            raise TypeError(f"state_dict: expected names to be text, got {name!r}")
        about = f"state_dict[{name!r}]"
        array = as_array(about, value)
        if array.dtype.newbyteorder("=") not in dtypes:
            raise TypeError(
                f"{about}: expected numbers that the format can hold, got dtype {array.dtype}"
            )
        # Writers take the memory as it lies and ignore strides: a transposed array would be saved
        # with its values in the wrong places. ascontiguousarray makes (1,) of ().
        little = array.astype(array.dtype.newbyteorder("<"), copy=False)
        found[name] = np.ascontiguousarray(little).reshape(array.shape)
    return found
