"""Arrays of other libraries seen as NumPy's, in the memory that they have where NumPy can.

``numpy.asarray`` knows ``__array__``, ``__array_interface__`` and the buffer protocol. What it does
not know is seen to here, after it has failed: ``__dlpack__``, and floats of 16 and 8 bits that
NumPy has no dtype for.
"""

from __future__ import annotations

from typing import Any

import numpy as np

__all__ = ["as_array", "describe"]

# DLPack's numbers for memory that a CPU can read: its own, and what CUDA and ROCm share with it.
_READABLE = (1, 3, 11, 13)


def as_array(name: str, value: Any) -> np.ndarray:
    """See an argument as an array, of whatever dtype and layout it has.

    Parameters
    ----------
    name : str
        The argument's name, with which every message begins.
    value : array_like
        Numbers, nested lists, or an object that has ``__array__``, ``__array_interface__`` or
        ``__dlpack__``: a tensor of torch or JAX on the CPU, a frame or a column of pandas, polars
        or pyarrow. bfloat16, and floats of 8 bits, become float32, with the same values.

    Returns
    -------
    numpy.ndarray
        Exactly an ndarray. It may be `value` itself, or share its memory.

    Raises
    ------
    TypeError
        If it cannot be seen from here: it is on another device, or wants its gradient recorded; or
        if it is, or holds, a masked array that hides values.
    ValueError
        If it is ragged.
    """
    if _hides_values(value):
        raise TypeError(
            f"{name}: expected real numbers, got a masked array that hides values; "
            "fill them first (numpy.ma.filled)"
        )
    try:
        array = np.asarray(value)
    except ValueError as error:
        if isinstance(value, tuple) and any(isinstance(item, np.ndarray) for item in value):
            raise ValueError(
                f"{name}: expected an array, got a tuple of {len(value)}; a recurrent module gives "
                "(y, state), of which y is the array"
            ) from None
        raise ValueError(f"{name}: expected an array of real numbers: {error}") from None
    except Exception as error:  # whatever a foreign object's __array__ raises
        return _widened(name, value, error)
    if array.ndim == 0 and array.dtype == object and hasattr(value, "__dlpack__"):
        return _from_dlpack(name, value)
    if array.dtype.kind == "V" and _is_small_float(array.dtype.name):
        return array.astype(np.float32)  # those who make such a dtype have told NumPy how
    return array


def describe(value: Any, array: np.ndarray | None = None) -> str:
    """Give a few words on what came, never a whole array."""
    if value is None:
        return "None"
    if isinstance(value, (str, bytes, bool, int, float, complex, np.generic)):
        text = repr(value)
        return text if len(text) <= 40 else f"{text[:37]}..."
    if array is not None and (array.ndim or array.dtype != object):
        return f"an array of {array.dtype}"
    return f"an object of type {type(value).__name__}"


def _hides_values(value: Any) -> bool:
    if isinstance(value, np.ma.MaskedArray):
        return bool(np.any(np.ma.getmaskarray(value)))
    if isinstance(value, (list, tuple)):
        return any(_hides_values(item) for item in value)
    return False


def _widened(name: str, value: Any, error: Exception) -> np.ndarray:
    """A tensor of small floats as float32; else what NumPy's failure means."""
    if _is_small_float(str(getattr(value, "dtype", ""))) and callable(getattr(value, "float", 0)):
        try:
            return np.asarray(value.float())
        except Exception as another:  # it has more reasons than its dtype
            error = another
    raise TypeError(f"{name}: expected real numbers, got {describe(value)}: {error}") from None


def _is_small_float(dtype: str) -> bool:
    name = dtype.rpartition(".")[2]  # torch writes "torch.bfloat16"
    return name == "bfloat16" or name.startswith("float8")


def _from_dlpack(name: str, value: Any) -> np.ndarray:
    came = f"{name}: expected real numbers, got {describe(value)}"
    try:
        device = int(value.__dlpack_device__()[0])
        if device not in _READABLE:
            raise TypeError(f"{came} on another device, DLPack's {device}: copy it to the CPU")
        return np.asarray(np.from_dlpack(value))
    except TypeError:
        raise
    except Exception as error:
        raise TypeError(f"{came}: {error}") from None
