"""Scratch memory: never lent twice at once, used again, bounded."""

from __future__ import annotations

import gc
import itertools
import threading
from collections import OrderedDict

import numpy as np
import pytest
from lstm_tool import draw, ours

from numba_lstm import nn, tuning
from numba_lstm.parameters import scratch
from numba_lstm.parameters.scratch import Lease

F4, F8 = np.dtype("f4"), np.dtype("f8")


@pytest.fixture
def empty_store(monkeypatch):
    """No memory kept from other tests."""
    monkeypatch.setattr(scratch, "_free", OrderedDict())
    monkeypatch.setattr(scratch, "_kept", 0)
    monkeypatch.setattr(scratch, "_blocks", [])


def kept() -> int:
    return sum(buffer.nbytes for buffers in scratch._free.values() for buffer in buffers)


@pytest.mark.parametrize("shape", [(1,), (3, 5, 7), (0,), (4, 0, 3), (1000, 1000), (17, 1023)])
@pytest.mark.parametrize("dtype", [F4, F8])
def test_an_array_is_contiguous_writeable_and_starts_on_a_cache_line(shape, dtype):
    lease = Lease()
    a = lease.array(shape, dtype)
    assert a.shape == shape and a.dtype == dtype and a.flags.carray
    assert a.size == 0 or a.ctypes.data % 64 == 0
    a[...] = 1


def test_arrays_on_loan_never_overlap(empty_store):
    shapes = [(3, 5), (16,), (1000,), (64, 64), (5000,)]
    for _ in range(2):  # the second time they come from what was given back
        leases = [Lease() for _ in range(3)]
        arrays = [lease.array(s, d) for lease in leases for s in shapes for d in (F4, F8)]
        for number, a in enumerate(arrays):
            a[...] = number
        for number, a in enumerate(arrays):
            assert (a == number).all()
        for one, two in itertools.combinations(arrays, 2):
            assert not np.shares_memory(one, two)
        for lease in leases:
            lease.release()
            lease.release()  # giving back twice must not lend twice


def test_memory_is_used_again_after_release_and_when_the_lease_is_gone(empty_store):
    lease = Lease()
    place = lease.array((10_000,), F4).ctypes.data
    lease.release()
    second = Lease()
    assert second.array((10_000,), F4).ctypes.data == place
    assert Lease().array((10_000,), F4).ctypes.data != place
    del second
    gc.collect()
    assert Lease().array((10_000,), F4).ctypes.data == place


def test_kept_memory_is_bounded(empty_store, monkeypatch):
    monkeypatch.setattr(tuning, "SCRATCH_BYTES", 100_000)
    leases = [Lease() for _ in range(20)]
    for lease in leases:
        lease.array((4_000,), F4)
    for lease in leases:
        lease.release()
    assert 0 < kept() <= 100_000
    big = Lease()
    big.array((1_000_000,), F4)
    big.release()
    assert kept() <= 100_000


def test_small_arrays_are_pieces_of_a_block_that_is_used_again(empty_store):
    lease = Lease()
    first, second = lease.array((3, 5), F4), lease.array((7,), F8)
    assert second.ctypes.data - first.ctypes.data == 64
    rest = lease.array((scratch._BLOCK - 128,), np.dtype("u1"))  # what is left, to the last byte
    assert rest.ctypes.data - first.ctypes.data == 128 and not scratch._blocks
    beyond = lease.array((1,), F4)
    assert not 0 <= beyond.ctypes.data - first.ctypes.data < scratch._BLOCK
    lease.release()
    assert len(scratch._blocks) == 2 and scratch._kept == 0
    lease.release()
    del lease
    assert len(scratch._blocks) == 2  # given back once
    again = Lease().array((9,), F4)
    assert again.ctypes.data in (first.ctypes.data, beyond.ctypes.data)


def test_a_block_is_given_back_when_its_lease_is_gone_and_only_so_many_are_kept(
    empty_store, monkeypatch
):
    monkeypatch.setattr(scratch, "_MOST_BLOCKS", 3)
    leases = [Lease() for _ in range(5)]
    for lease in leases:
        lease.array((10,), F4)
    del lease, leases
    gc.collect()
    assert len(scratch._blocks) == 3


def lent(*sizes: int) -> list[int]:
    """Addresses of arrays of so many bytes, on loan together and given back."""
    lease = Lease()
    places = [lease.array((size // 4,), F4).ctypes.data for size in sizes]
    lease.release()
    return places


def counts() -> dict[int, int]:
    return {size: len(buffers) for size, buffers in scratch._free.items() if buffers}


def test_sizes_not_used_for_longest_make_room_for_new_ones(empty_store, monkeypatch):
    monkeypatch.setattr(tuning, "SCRATCH_BYTES", 64 << 10)
    first, second, new = 16 << 10, 20 << 10, 24 << 10
    lent(first, first)
    lent(second)
    assert counts() == {first: 2, second: 1} and scratch._kept == kept()
    lent(first)  # now `second` is the one that was not used for longest
    place = lent(new)
    assert counts() == {first: 2, new: 1} and scratch._kept == kept()
    assert lent(new) == place
    lent(new, new)  # as many as it takes and no more
    assert counts() == {first: 1, new: 2} and scratch._kept == kept()


def test_what_cannot_be_kept_drives_nothing_out(empty_store, monkeypatch):
    monkeypatch.setattr(tuning, "SCRATCH_BYTES", 64 << 10)
    lent(16 << 10, 20 << 10)
    before = counts()
    lent(80 << 10)
    assert counts() == before


def test_a_program_that_changes_its_sizes_finds_its_memory_again(empty_store, monkeypatch):
    monkeypatch.setattr(tuning, "SCRATCH_BYTES", 1 << 20)
    for size in range(100_000, 500_000, 50_000):  # more than is kept, taken together
        places = lent(size, size)
        assert sorted(lent(size, size)) == sorted(places)
        assert kept() == scratch._kept <= 1 << 20


def test_at_most_a_quarter_more_is_taken_than_asked_for():
    for size in (*range(1, 5000, 7), 10**5, 10**6 + 1, 2**20, 2**20 + 1, 3 * 2**19 + 1):
        got = scratch._size_class(size)
        assert size <= got <= max(1024, 1.25 * size + 1024)


def test_a_lease_may_end_while_its_thread_takes_memory():
    # As when Python collects garbage in the middle of another call: it must not wait for itself.
    def work():
        lease = Lease()
        lease.array((100,), F4)
        with scratch._lock:
            del lease

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    worker.join(10)
    assert not worker.is_alive()


def test_no_two_threads_get_the_same_memory(empty_store):
    clashes = []

    def work(number):
        for turn in range(300):
            lease = Lease()
            arrays = [lease.array((200 + turn % 3,), F4) for _ in range(3)]
            for a in arrays:
                a[...] = number
            if not all((a == number).all() for a in arrays):
                clashes.append(number)
            lease.release()

    workers = [threading.Thread(target=work, args=(n,)) for n in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert not clashes


def test_results_outlive_the_scratch_memory_of_later_calls(rng):
    modules = [
        nn.LSTM(5, 7, num_layers=2, bidirectional=True, seed=0),
        nn.LSTM(5, 7, batch_first=True, seed=0),
    ]
    for module in modules:
        case = draw(rng, module, 6, 4)
        results = ours(module, case)
        y, (hn, cn) = module(case.x)
        results |= {"inferred": y, "inferred hn": hn, "inferred cn": cn}
        copies = {name: a.copy() for name, a in results.items()}
        other = draw(rng, module, 6, 4)
        module.zero_grad()
        (_, _), pullback = module.vjp(other.x)  # not called: its memory stays on loan
        ours(module, other)
        module(other.x)
        for name, a in results.items():
            assert np.array_equal(a, copies[name]), name
        del pullback
        # And what is written into results is not found by calls that come later.
        expected = ours(module, case)["y"].copy()
        for a in results.values():
            a[...] = np.nan
        assert np.array_equal(ours(module, case)["y"], expected)


def test_a_forward_pass_waits_unharmed_while_others_run(rng):
    module = nn.LSTM(5, 7, num_layers=2, seed=0)
    case, other = draw(rng, module, 6, 4), draw(rng, module, 6, 4)
    expected = {name: a.copy() for name, a in ours(module, case).items()}
    module.zero_grad()
    (_, _), pullback = module.vjp(case.x, case.hx)
    for _ in range(3):
        module(other.x)
        module.vjp(other.x)[1](other.dy)
    module.zero_grad()
    dx, (dh0, dc0) = pullback(case.dy, case.dstate)
    for name, a in {"dx": dx, "dh0": dh0, "dc0": dc0}.items():
        assert np.array_equal(a, expected[name])
    for name, p in module.named_parameters():
        assert np.array_equal(p.grad, expected[name])


@pytest.mark.parametrize("dtype", [np.dtype("f4"), np.dtype("f8")])
def test_rows_of_a_power_of_two_of_lines_are_spread_over_the_cache(dtype):
    for columns in (1, 7, 128, 256, 500, 512, 640, 1024):
        array = Lease().rows(3, columns, dtype)
        lines = array.strides[0] / 64
        assert columns <= array.shape[1] < columns + 2 * 64 // dtype.itemsize
        assert lines < tuning.SPREAD_LINES or lines % 2 == 1
