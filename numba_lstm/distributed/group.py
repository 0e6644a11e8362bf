"""The ranks that train together, and what they tell each other."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn, TypeVar

import numpy as np

from .. import checks
from .errors import DistributedError, OtherRankError, refuse_other
from .launcher import LAST_WORDS, check_launcher, mpi
from .uncaught import abort_on_uncaught

__all__ = ["Alone", "Group", "group_of"]

T = TypeVar("T")
_SUMMED = tuple(map(np.dtype, (np.float32, np.float64, np.int64)))


class Group:
    """The ranks that train together: a thin wrapper of an mpi4py communicator.

    Every method but `share` and `abort` must be called by all ranks, in the same order. Messages
    go through the communicator as it is given, without a copy of it: all of them are collective,
    and so are matched by their order alone.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm, optional
        All ranks that were started, if None.

    Attributes
    ----------
    rank : int
        This process's number, from 0 on.
    size : int
        How many there are.

    Raises
    ------
    ImportError
        If there is no mpi4py, or no MPI library.
    TypeError
        If `comm` is no such communicator.
    DistributedError
        If a launcher started several ranks, but the MPI library is not of that launcher and sees
        only one.

    Notes
    -----
    Where there are several ranks, an exception that nobody catches ends all of them, after it was
    printed: the others would wait for this one for ever. `sys.exit` on one rank is not seen; call
    `abort` there, or start the program by ``mpiexec -n 4 python -m mpi4py script.py``.

    MPI is called by one thread only, so any level of its support of threads will do. mpi4py asks
    for the highest; set ``mpi4py.rc.thread_level`` before, if an MPI is slow with that.
    """

    rank: int
    size: int

    def __init__(self, comm: Any = None) -> None:
        MPI = mpi()
        world = comm is None
        if world:
            comm = MPI.COMM_WORLD
        if not isinstance(comm, MPI.Intracomm):
            raise TypeError(f"comm: expected mpi4py's Intracomm, got {type(comm).__name__}")
        self.rank, self.size = comm.Get_rank(), comm.Get_size()
        if world and (wrong := check_launcher(self.size, MPI.Get_library_version())):
            raise DistributedError(wrong)
        self._comm, self._mpi = comm, MPI
        if self.size > 1:
            abort_on_uncaught(self.rank, self.size, self.abort)

    def __repr__(self) -> str:
        return f"{type(self).__name__}(rank={self.rank}, size={self.size})"

    # -- messages -----------------------------------------------------------------------------

    def sum(self, array: np.ndarray) -> None:
        """Replace an array by the sum of all ranks', in place.

        Every rank gets the same bits: the MPI standard requires identical results on all. It leaves
        the order of summation to the library, and so whether the next run gets the same bits:
        `DistributedOptimizer` tells what MPICH and Open MPI do.

        Parameters
        ----------
        array : numpy.ndarray
            float32, float64 or int64, C-contiguous; of the same shape and dtype on all ranks.

        Raises
        ------
        TypeError, ValueError
            If it is something else.
        """
        if not isinstance(array, np.ndarray) or array.dtype not in _SUMMED:
            what = getattr(array, "dtype", type(array).__name__)
            raise TypeError(f"array: expected a float32, float64 or int64 array, got {what}")
        if not (array.flags.c_contiguous and array.flags.writeable):
            raise ValueError("array: expected a C-contiguous array that may be written")
        self._sum(array)

    def sums(self, *numbers: float) -> tuple[float, ...]:
        """Sum a few numbers over all ranks, in one message.

        Parameters
        ----------
        *numbers : float
            As many on every rank.

        Returns
        -------
        tuple of float
            Summed in float64.
        """
        array = np.array(numbers, np.float64)
        self._sum(array)
        return tuple(array.tolist())

    def any(self, flag: bool) -> bool:
        """Tell whether any rank's flag is set.

        Parameters
        ----------
        flag : bool

        Returns
        -------
        bool
        """
        array = np.array([bool(flag)], np.int64)
        self._sum(array)
        return bool(array[0])

    def broadcast(self, value: T, root: int = 0) -> T:
        """Give every rank what one rank has.

        Parameters
        ----------
        value : object
            Anything that can be pickled; a `numpy.random.Generator`, for example, whose state all
            ranks then continue from. What the other ranks give is dropped.
        root : int
            The rank that has it.

        Returns
        -------
        object
        """
        return self._comm.bcast(value, root)

    def broadcast_array(self, array: np.ndarray, root: int = 0) -> None:
        """Overwrite an array by that of one rank.

        Parameters
        ----------
        array : numpy.ndarray
            C-contiguous, of the same shape and dtype on all ranks.
        root : int
            The rank whose array stays.
        """
        self._comm.Bcast(array, root)

    def gather(self, value: T, root: int = 0) -> list[T] | None:
        """Give one rank what all ranks have.

        Parameters
        ----------
        value : object
            Anything that can be pickled.
        root : int
            The rank that gets them.

        Returns
        -------
        list or None
            By rank; None on the others.
        """
        return self._comm.gather(value, root)

    def all_gather(self, value: T) -> list[T]:
        """Give every rank what all ranks have.

        Parameters
        ----------
        value : object
            Anything that can be pickled.

        Returns
        -------
        list
            By rank.
        """
        return self._comm.allgather(value)

    def scatter(self, values: list[T] | None, root: int = 0) -> T:
        """Give each rank its own of what one rank has.

        Parameters
        ----------
        values : list or None
            By rank; what the other ranks give is dropped.
        root : int
            The rank that has them.

        Returns
        -------
        object
        """
        return self._comm.scatter(values, root)

    def barrier(self) -> None:
        """Wait until all ranks are here."""
        self._comm.Barrier()

    def _sum(self, array: np.ndarray) -> None:
        self._comm.Allreduce(self._mpi.IN_PLACE, array)

    # -- parts --------------------------------------------------------------------------------

    def share(self, count: int, rank: int | None = None) -> slice:
        """Tell a rank's consecutive part of a number of items.

        Parameters
        ----------
        count : int
        rank : int, optional
            This one if None.

        Returns
        -------
        slice
            Parts differ by one item at most. Where there are fewer items than ranks some are
            empty.

        Raises
        ------
        TypeError, ValueError
            If `count` is no integer of at least 0.
        """
        count = checks.size("count", count, minimum=0)
        rank = self.rank if rank is None else rank
        return slice(rank * count // self.size, (rank + 1) * count // self.size)

    def node(self) -> tuple[int, int]:
        """Tell this process's number among the ranks on its own machine, and how many those are.

        Returns
        -------
        tuple of two ints
        """
        shared = self._comm.Split_type(self._mpi.COMM_TYPE_SHARED)
        try:
            return shared.Get_rank(), shared.Get_size()
        finally:
            shared.Free()

    # -- agreement ----------------------------------------------------------------------------

    def agree(self, name: str, value: str) -> None:
        """Go on only if all ranks have the same.

        Parameters
        ----------
        name : str
            What it is; the message begins with it.
        value : str
            Such as a version, a digest of the data, or a configuration.

        Raises
        ------
        DistributedError
            On all ranks, if any two differ: which ranks have what.
        """
        refuse_other(name, self.all_gather(value))

    @contextmanager
    def together(self, what: str) -> Iterator[None]:
        """Run a block that only this rank takes part in, and fail on all ranks if one fails.

        Without it the ranks where it went well would wait for the failed one in their next message
        for ever. The block itself must send no messages: all ranks meet at its end.

        Parameters
        ----------
        what : str
            What the block does, for the others' message: "reading the data".

        Raises
        ------
        OtherRankError
            Where the block went well here and failed on another rank: which, and its error's words.
        """
        failure: BaseException | None = None
        try:
            yield
        except BaseException as error:
            failure = error
        if self.any(failure is not None):
            mine = failure and (type(failure).__name__, str(failure))
            failed = {r: words for r, words in enumerate(self.all_gather(mine)) if words}
            if failure is None:
                raise OtherRankError(
                    f"{what} failed on "
                    + "; ".join(f"rank {r}: {kind}: {words}" for r, (kind, words) in failed.items())
                )
        if failure is not None:
            raise failure

    def abort(self, code: int = 1) -> NoReturn:
        """End all ranks now, whatever they do.

        Parameters
        ----------
        code : int
            The exit code of this process, and as a rule of ``mpiexec``.
        """
        for stream in (sys.stdout, sys.stderr):
            stream.flush()
        time.sleep(LAST_WORDS)
        self._comm.Abort(code)
        raise SystemExit(code)  # MPI_Abort does not return


class Alone(Group):
    """The group of one process, without MPI: so that training has one way only."""

    def __init__(self) -> None:
        self.rank, self.size = 0, 1

    def broadcast(self, value: T, root: int = 0) -> T:
        """As `Group.broadcast`: the `value` itself, where `root` is 0."""
        return value

    def broadcast_array(self, array: np.ndarray, root: int = 0) -> None:
        """As `Group.broadcast_array`: the `array` stays, where `root` is 0."""

    def gather(self, value: T, root: int = 0) -> list[T] | None:
        """As `Group.gather`: a list of the `value`, where `root` is 0."""
        return [value]

    def all_gather(self, value: T) -> list[T]:
        """As `Group.all_gather`: a list of the `value`."""
        return [value]

    def scatter(self, values: list[T] | None, root: int = 0) -> T:
        """As `Group.scatter`: the only one of the `values`, where `root` is 0."""
        assert values is not None
        return values[0]

    def barrier(self) -> None:
        """As `Group.barrier`: nobody to wait for."""

    def _sum(self, array: np.ndarray) -> None:
        pass

    def node(self) -> tuple[int, int]:
        """As `Group.node`: (0, 1)."""
        return 0, 1

    def abort(self, code: int = 1) -> NoReturn:
        """As `Group.abort`: end this process with the `code`, by SystemExit."""
        raise SystemExit(code)


def group_of(comm: Any = None) -> Group:
    """Give the group of a communicator.

    Parameters
    ----------
    comm : mpi4py.MPI.Intracomm or Group, optional
        None means all ranks that were started. A group is returned as it is.

    Returns
    -------
    Group

    Raises
    ------
    ImportError
        If there is no mpi4py, or no MPI library.
    TypeError
        If `comm` is something else.
    """
    return comm if isinstance(comm, Group) else Group(comm)
