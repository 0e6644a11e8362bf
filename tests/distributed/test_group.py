from __future__ import annotations

import numpy as np
import pytest
from ranks_tool import errors, in_threads

from numba_lstm.distributed import Alone, DistributedError, Group, OtherRankError, group_of


@pytest.mark.parametrize("count", [0, 1, 3, 7, 8, 100])
def test_shares_are_consecutive_cover_all_and_differ_by_one_at_most(count):
    def shares(group):
        return [group.share(count, rank) for rank in range(group.size)], group.share(count)

    for size in (1, 2, 3, 4):
        outcomes = in_threads(size, shares)
        parts, _ = outcomes[0]
        assert [i for part in parts for i in range(count)[part]] == list(range(count))
        sizes = [part.stop - part.start for part in parts]
        assert max(sizes) - min(sizes) <= 1
        assert [mine for _, mine in outcomes] == parts


@pytest.mark.parametrize("count, error", [(-1, ValueError), (2.0, TypeError), (True, TypeError)])
def test_a_count_that_is_none_is_refused(count, error):
    with pytest.raises(error, match=r"^count: expected"):
        Alone().share(count)


def test_one_process_alone_needs_no_mpi_and_gives_itself_everything():
    alone = group_of(Alone())
    assert isinstance(alone, Group) and (alone.rank, alone.size) == (0, 1)
    array = np.array([1.5, 2.5])
    alone.sum(array)
    alone.broadcast_array(array)
    alone.barrier()
    alone.agree("data", "any")
    assert array.tolist() == [1.5, 2.5]
    assert alone.sums(1, 2.5) == (1.0, 2.5) and alone.sums() == ()
    assert (alone.any(True), alone.any(False)) == (True, False)
    assert (alone.broadcast("a"), alone.gather("b"), alone.all_gather("c")) == ("a", ["b"], ["c"])
    assert alone.scatter(["d"]) == "d" and alone.node() == (0, 1)
    assert repr(alone) == "Alone(rank=0, size=1)"
    with pytest.raises(KeyError), alone.together("reading"):
        raise KeyError("x")
    with pytest.raises(SystemExit) as end:
        alone.abort(3)
    assert end.value.code == 3


@pytest.mark.parametrize(
    "array, error, words",
    [
        ([1.0], TypeError, "float32, float64 or int64 array, got list"),
        (np.zeros(3, np.float16), TypeError, "got float16"),
        (np.zeros((3, 3), np.float32).T[1:], ValueError, "C-contiguous"),
        (np.broadcast_to(np.float64(1), 1), ValueError, "may be written"),
    ],
)
def test_an_array_that_cannot_be_summed_in_place_is_refused(array, error, words):
    with pytest.raises(error, match=f"^array: expected .*{words}"):
        Alone().sum(array)


def test_only_a_communicator_makes_a_group():
    pytest.importorskip("mpi4py")
    with pytest.raises(TypeError, match="comm: expected mpi4py's Intracomm, got int"):
        group_of(3)


def test_a_failure_on_some_ranks_is_told_on_all_and_none_waits():
    def run(group):
        with group.together("reading the data"):
            if group.rank in (1, 2):
                raise ValueError(f"file {group.rank}")
        return "went on"

    outcomes = in_threads(4, run)
    words = "rank 1: ValueError: file 1; rank 2: ValueError: file 2"
    other = f"OtherRankError: reading the data failed on {words}"
    assert errors(outcomes) == [other, "ValueError: file 1", "ValueError: file 2", other]
    assert isinstance(outcomes[0], OtherRankError) and isinstance(outcomes[0], DistributedError)


def test_an_interrupt_of_one_rank_stops_the_others_too():
    def run(group):
        try:
            with group.together("a step"):
                if group.rank == 0:
                    raise KeyboardInterrupt
        except KeyboardInterrupt:
            return "interrupted"

    first, second = in_threads(2, run)
    assert first == "interrupted"
    assert str(second) == "a step failed on rank 0: KeyboardInterrupt: "


def test_a_block_that_went_well_everywhere_fails_nowhere():
    def run(group):
        with group.together("reading"):
            pass
        return group.sums(1)

    assert in_threads(3, run) == [(3.0,)] * 3
