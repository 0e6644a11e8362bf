"""A parameter: an array that counts its writes, so that packed copies of it are never stale."""

from __future__ import annotations

import os
import sys
import threading
import weakref
from collections.abc import Callable, Hashable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, TypeVar

import numpy as np

from .. import quiet
from ..checks import real_array
from .epochs import begin_epoch

__all__ = ["Parameter", "mutate_all"]

T = TypeVar("T")
_FLOATS = (np.dtype(np.float32), np.dtype(np.float64))
# What `sys.getrefcount` gives for an object that one local variable holds and nobody else. Before
# Python 3.14 its argument counts, too; since then a call borrows the variable's reference.
_ONE_HOLDER = 1 if sys.version_info >= (3, 14) else 2

# All there are, for the child of a fork.
_alive: weakref.WeakSet[Parameter] = weakref.WeakSet()


def _after_fork() -> None:
    # If another thread held a lock, the child has no such thread that would release it.
    for one in _alive:
        one._lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


class Parameter:
    """An array that is learnt, with its gradient and with packed copies for the kernels.

    The values are stored once, in torch's layout. They are read through `numpy()` and written
    through ``p[...] = value`` or `mutate()`; each write adds one to `version`, against which the
    copies in `packed` are checked.

    Parameters
    ----------
    data : array_like
        Real numbers of any shape; copied. float32 and float64 keep their dtype, longer floats
        become float64, everything else becomes float32.

    Attributes
    ----------
    requires_grad : bool
        Where False the parameter is frozen: it takes no gradient and optimizers pass it by.
    name : str
        What errors call it: the first attribute of a module that it became, or ``""``.

    Notes
    -----
    `add_grad` and `packed` may be called from several threads at once. Writing while another thread
    computes with the parameter is the caller's to avoid.

    Examples
    --------
    >>> p = Parameter(np.zeros((2, 3), np.float32))
    >>> p[0] = 1
    >>> p.version, float(p.numpy().sum())
    (1, 3.0)
    """

    __slots__ = (
        "__weakref__",
        "_data",
        "_grad",
        "_home",
        "_lock",
        "_packed",
        "_spare",
        "_stale",
        "_version",
        "_view",
        "name",
        "requires_grad",
    )

    def __init__(self, data: Any) -> None:
        source = real_array("data", data)
        dtype = source.dtype.newbyteorder("=")
        if dtype not in _FLOATS:
            wide = dtype.kind == "f" and dtype.itemsize > 8
            dtype = _FLOATS[wide]
        self._set_up(quiet.cast(source, dtype))

    def _set_up(self, data: np.ndarray) -> None:
        self._data = data
        self._view = data.view()
        self._view.flags.writeable = False
        self._version = 0
        self._grad: np.ndarray | None = None
        self._home: np.ndarray | None = None
        self._spare: np.ndarray | None = None
        self._packed: dict[Hashable, Any] = {}
        self._stale: dict[Hashable, Any] = {}
        self._lock = threading.RLock()  # reentrant: a `make` may ask for another packed form
        self.requires_grad = True
        self.name = ""
        _alive.add(self)
        begin_epoch()

    # -- reading ------------------------------------------------------------------------------

    def numpy(self) -> np.ndarray:
        """Return a read-only view of the values, which later writes show through."""
        return self._view

    def values_for_kernel(self) -> np.ndarray:
        """Return the stored array itself, for kernels that read it; it must not be written to.

        A read-only view is another Numba type and would compile every kernel once more.
        """
        return self._data

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> np.ndarray:
        if copy:
            return np.array(self._view, dtype=dtype)
        if dtype is None or np.dtype(dtype) == self._view.dtype:
            return self._view
        if copy is False:
            raise ValueError(f"a {self.dtype} parameter cannot be seen as {dtype} without a copy")
        return self._view.astype(dtype)

    def __getitem__(self, key: Any) -> Any:
        """Return a copy of a part, so that ``p[...] -= step`` reads, computes and writes back."""
        part = self._view[key]
        return part.copy() if isinstance(part, np.ndarray) else part

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape, which never changes."""
        return self._data.shape

    @property
    def dtype(self) -> np.dtype:
        """float32 or float64."""
        return self._data.dtype

    @property
    def size(self) -> int:
        """The number of values."""
        return self._data.size

    @property
    def ndim(self) -> int:
        """The number of dimensions."""
        return self._data.ndim

    @property
    def version(self) -> int:
        """How many times the values have been written."""
        return self._version

    # -- writing ------------------------------------------------------------------------------

    def __setitem__(self, key: Any, value: Any) -> None:
        """Write a part as NumPy would, casting any real dtype.

        Raises
        ------
        TypeError
            If `value` is not real numbers.
        ValueError
            If its shape does not broadcast to the part. The message begins with `name`.
        IndexError
            If `key` is out of range.
        """
        self._write(key, real_array(self.name or "value", value))

    @quiet.without_errors  # in float32 a value may vanish or overflow
    def _write(self, key: Any, value: np.ndarray) -> None:
        with self._lock:
            try:
                self._data[key] = value
            except ValueError:
                # NumPy's words have both shapes of what it was about to copy, but no name.
                shape = self._data[key].shape
                raise ValueError(
                    f"{self.name or 'value'}: expected shape {shape}, or one that broadcasts to "
                    f"it, got {value.shape}"
                ) from None
            finally:
                self._bump()
                begin_epoch()

    @contextmanager
    def mutate(self) -> Iterator[np.ndarray]:
        """Lend the writeable array itself, for optimizers and loaders.

        The version rises when the block ends, however it ends. The array must not be kept.
        """
        try:
            yield self._data
        finally:
            with self._lock:
                self._bump()
            begin_epoch()

    def _bump(self) -> None:
        self._version += 1
        if self._packed:
            self._stale, self._packed = self._packed, {}

    # -- gradient -----------------------------------------------------------------------------

    @property
    def grad(self) -> np.ndarray | None:
        """The gradient added up so far, an array like the values, or None.

        Setting it copies; None clears it.

        Raises
        ------
        TypeError
            If it is set to anything but real numbers.
        ValueError
            If it is set to an array of another shape.
        """
        return self._grad

    @grad.setter
    def grad(self, value: Any) -> None:
        if value is self._grad:  # ``p.grad *= 0.5`` ends here
            return
        if value is not None:
            array = self._checked_grad("grad", value)
            value = quiet.cast(array, self._data.dtype)
        with self._lock:
            old = self._grad
            if value is not None and self._home is not None:
                kept = self._home if old is None else old
                kept[...] = value
                self._grad = kept
                return
            self._grad = value
            # If nobody else holds the array, the next gradient is written into it. New memory comes
            # from the system page by page, which took 10 ms of a word model's step of 330.
            given_up = value is None and old is not None and old.base is None
            if given_up and sys.getrefcount(old) <= _ONE_HOLDER:
                self._spare = old

    def add_grad(self, g: Any, copy: bool = True) -> None:
        """Add to the gradient; of several threads that do, none loses an addend.

        Parameters
        ----------
        g : array_like
            Of the parameter's shape.
        copy : bool
            If False, and there is no gradient yet, the array `g` itself becomes the gradient; the
            caller must not use it any more.

        Raises
        ------
        TypeError
            If `g` is not real numbers.
        ValueError
            If it has another shape.

        Notes
        -----
        A frozen parameter ignores it.
        """
        array = self._checked_grad("g", g)
        if not self.requires_grad:
            return
        dtype = self._data.dtype
        with self._lock:
            if self._grad is None and self._home is not None:
                self._home[...] = array if array.dtype == dtype else quiet.cast(array, dtype)
                self._grad = self._home
            elif self._grad is None:
                if not copy and array.dtype == dtype and array.flags.carray:
                    self._grad, self._spare = array, None
                else:
                    self._grad = quiet.cast(array, dtype)
            elif array.dtype == dtype:
                quiet.add_into(self._grad, array)
            else:
                with np.errstate(all="ignore"):
                    np.add(self._grad, array, out=self._grad, casting="same_kind")

    def accumulate(self) -> AbstractContextManager[tuple[np.ndarray, bool]]:
        """Lend the gradient's array to a kernel that adds into it, or fills it.

        Yields
        ------
        grad : numpy.ndarray
            Like the values. Nobody else adds to it until the block ends.
        accumulate : bool
            Whether to add to what stands there; if False it is uninitialised and all of it must be
            written. It becomes the gradient when the block ends without an error.
        """
        return _Accumulation(self)

    def keep_grad_in(self, home: np.ndarray | None) -> None:
        """Let every gradient stand in one array from now on, such as a part of a larger one.

        The gradient that there is moves there, unless it stands there already. After
        ``p.grad = None`` there is none, as always, and the next one overwrites what the array
        holds, whoever else looks at it.

        Parameters
        ----------
        home : numpy.ndarray or None
            C-contiguous, of the parameter's shape and dtype. None: in arrays of its own again; the
            gradient that there is stays where it stands.

        Raises
        ------
        ValueError
            If it is another array.
        """
        fits = home is None or (
            home.shape == self.shape and home.dtype == self.dtype and home.flags.carray
        )
        if not fits:
            raise ValueError(f"home: expected a C-contiguous array of {self.shape} of {self.dtype}")
        with self._lock:
            self._home, self._spare = home, None
            if home is None or self._grad is None:
                return
            if home.__array_interface__["data"] != self._grad.__array_interface__["data"]:
                home[...] = self._grad
                self._grad = home

    def _checked_grad(self, name: str, value: Any) -> np.ndarray:
        array = value if type(value) is np.ndarray and value.dtype == self._data.dtype else None
        if array is None:
            array = real_array(name, value)
        if array.shape != self._data.shape:
            raise ValueError(f"{name}: expected shape {self._data.shape}, got {array.shape}")
        return array

    # -- packed copies ------------------------------------------------------------------------

    def packed(self, key: Hashable, make: Callable[[np.ndarray], T]) -> T:
        """Return ``make(values)``, computed once for each key and version.

        Parameters
        ----------
        key : hashable
            Which packed form this is.
        make : callable
            Called with the stored array, which it must not write to or return.

        Returns
        -------
        object
            What `make` returned. Whoever gets it must not write to it. What was made from older
            values is dropped at the next write.
        """
        entry = self._packed.get(key)
        if entry is None:
            with self._lock:
                entry = self._packed.get(key)
                if entry is None:
                    # A one-element list, so that a `make` that returns None is computed once, too.
                    entry = self._packed[key] = [make(self._data)]
        return entry[0]

    def stale(self, key: Hashable) -> Any:
        """Return what `packed` last held under `key` before the values changed, or None; once.

        A `make` may fill it again: taking new memory for each optimizer step costs as much in page
        faults as packing does.
        """
        return self._stale.pop(key, (None,))[0]

    def repack(self, key: Hashable, value: Any) -> None:
        """Replace what `packed` holds under `key` by `value`: it depends on more than this."""
        with self._lock:
            self._packed[key] = [value]

    # -- copying ------------------------------------------------------------------------------

    def __copy__(self) -> Parameter:
        # An array that two parameters share would be written with one's version alone rising, and
        # the other's packed copies would be stale.
        state = self.__getstate__()
        grad = state["grad"]
        state |= {"data": state["data"].copy(), "grad": None if grad is None else grad.copy()}
        twin = type(self).__new__(type(self))
        twin.__setstate__(state)
        return twin

    def __getstate__(self) -> dict[str, Any]:
        # Locks cannot be copied, and packed copies are cheaper made again than stored.
        with self._lock:
            return {
                "data": self._data,
                "grad": self._grad,
                "version": self._version,
                "requires_grad": self.requires_grad,
                "name": self.name,
            }

    def __setstate__(self, state: dict[str, Any]) -> None:
        self._set_up(np.require(state["data"], requirements=("C", "A", "W")))
        self._grad = state["grad"]
        self._version = state["version"]
        self.requires_grad = state["requires_grad"]
        self.name = state.get("name", "")

    def __repr__(self) -> str:
        frozen = "" if self.requires_grad else ", requires_grad=False"
        return f"Parameter(shape={self.shape}, dtype={self.dtype}{frozen})"


class _Accumulation:
    """What `Parameter.accumulate` gives. `contextmanager` would take 1.4 µs longer."""

    __slots__ = ("_new", "_parameter")

    def __init__(self, parameter: Parameter) -> None:
        self._parameter = parameter
        self._new: np.ndarray | None = None

    def __enter__(self) -> tuple[np.ndarray, bool]:
        p = self._parameter
        p._lock.acquire()
        if p._grad is not None:
            return p._grad, True
        if p._home is not None:
            self._new = p._home
            return self._new, False
        self._new, p._spare = p._spare, None
        try:
            if self._new is None:
                self._new = np.empty_like(p._data)
        except BaseException:
            p._lock.release()
            raise
        return self._new, False

    def __exit__(self, kind: Any, *_: Any) -> None:
        p = self._parameter
        if self._new is not None and kind is None:
            p._grad = self._new
        p._lock.release()


class mutate_all:
    """As `Parameter.mutate`, for several parameters at once: their versions rise together.

    Parameters
    ----------
    parameters : sequence of Parameter

    Examples
    --------
    >>> p, q = Parameter([1.0]), Parameter([2.0])
    >>> with mutate_all([p, q]) as (a, b):
    ...     a[0], b[0] = b[0], a[0]
    >>> p.numpy().tolist(), q.numpy().tolist(), p.version, q.version
    ([2.0], [1.0], 1, 1)
    """

    __slots__ = ("_parameters",)

    def __init__(self, parameters: Sequence[Parameter]) -> None:
        self._parameters = parameters

    def __enter__(self) -> list[np.ndarray]:
        return [p._data for p in self._parameters]

    def __exit__(self, *_: Any) -> None:
        for p in self._parameters:
            with p._lock:
                p._bump()
        begin_epoch()
