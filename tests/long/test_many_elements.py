"""Arrays of more than 2^31 elements are read and written where they should be."""

from __future__ import annotations

import mmap
import os
from pathlib import Path

import numpy as np
import pytest
from family_tool import MODULES
from gradcheck import error
from long_tool import only_long

from numba_lstm import system

INPUTS = 1 << 15
ENDS = 6  # steps at either end that are not zero


def mostly_zeros(steps, batch):
    """x (T, B, I) whose zeros take no memory: nothing is written between its two ends.

    In private memory what was never written is one page of zeros; in shared memory, which is mmap's
    default, reading takes a page for each.
    """
    size = steps * batch * INPUTS * 4
    memory = mmap.mmap(-1, size, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    x = np.frombuffer(memory, np.float32).reshape(steps, batch, INPUTS)
    assert x.size > 2**31 and x.flags.carray
    return x


def resident():
    """Bytes of this process's memory that are there; the page of zeros does not count."""
    with open("/proc/self/statm") as file:
        return int(file.read().split()[1]) * mmap.PAGESIZE


def skip_without(needed):
    """Skip where less than the memory that the test needs, and a quarter more, is free."""
    if not os.path.exists("/proc/meminfo"):
        pytest.skip("memory is read on Linux")
    lines = Path("/proc/meminfo").read_text().splitlines()
    about = dict(line.split(":") for line in lines)
    free = min(int(about["MemAvailable"].split()[0]) << 10, system.memory())
    if free < 1.25 * needed:
        pytest.skip(f"needs {1.25 * needed / 2**30:.3g} GB, and {free / 2**30:.3g} are free")


def module_of(kind):
    """A module whose many inputs do not saturate it."""
    module = MODULES[kind](INPUTS, 16, seed=0)
    module.weight_ih_l0[...] = 0.02 * module.weight_ih_l0.numpy()
    return module


@only_long
@pytest.mark.parametrize("kind", ["gru", "rnn-tanh"])
@pytest.mark.parametrize("batch", [1, 4])  # its inputs multiplied beforehand, or step by step
def test_both_ends_of_more_than_two_billion_inputs_are_read(rng, kind, batch):
    skip_without(1 << 30)
    steps = 2**31 // (batch * INPUTS) + 8
    x = mostly_zeros(steps, batch)
    for part in (x[:ENDS], x[-ENDS:]):
        part[...] = rng.standard_normal(part.shape, dtype=np.float32)
    module = module_of(kind)
    before = resident()
    y, hn = module(x)
    assert resident() - before < 1 << 30  # x takes none, and was not copied
    first, _ = module(x[:ENDS].copy())
    # h is all the state that these cells have, and y holds it.
    last, final = module(x[-ENDS:].copy(), y[-ENDS - 1][None])
    assert y[:ENDS].tobytes() == first.tobytes()
    assert y[-ENDS:].tobytes() == last.tobytes() and hn.tobytes() == final.tobytes()
    assert len({row.tobytes() for row in y[-ENDS:, 0]}) == ENDS


@only_long
@pytest.mark.parametrize("kind", ["gru", "rnn-tanh"])
def test_both_ends_of_more_than_two_billion_inputs_get_gradients(rng, kind):
    needed = 9 << 30  # dx
    skip_without(needed)
    steps = 2**31 // INPUTS + 8
    x = mostly_zeros(steps, 1)
    module = module_of(kind)
    for part in (x[:ENDS], x[-ENDS:]):
        part[...] = rng.standard_normal(part.shape, dtype=np.float32)
    before = resident()
    (y, _), pullback = module.vjp(x)
    dy = np.zeros_like(y)
    for part in (dy[:ENDS], dy[-ENDS:]):
        part[...] = rng.standard_normal(part.shape, dtype=np.float32)
    dx, _ = pullback(dy)
    assert resident() - before < needed
    grads = [p.grad.copy() for p in module.parameters()]
    module.zero_grad()
    # Gradients of the last steps have vanished long before they come to the first ones.
    dx_first, _ = module.vjp(x[:ENDS].copy())[1](dy[:ENDS])
    dx_last, _ = module.vjp(x[-ENDS:].copy(), y[-ENDS - 1][None])[1](dy[-ENDS:])
    assert np.array_equal(dx[:ENDS], dx_first) and np.array_equal(dx[-ENDS:], dx_last)
    assert np.abs(dx_last).min(axis=-1).max() > 0
    of_inputs = grads[0]
    assert error(of_inputs, module.weight_ih_l0.grad) < 1e-5
