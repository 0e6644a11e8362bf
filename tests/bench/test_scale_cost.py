"""The equations of the cost model of data-parallel training: by hand, and by messages sent."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest

BENCH = Path(__file__).resolve().parents[2] / "bench"


@pytest.fixture
def cost(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCH))
    import scale_cost

    return scale_cost


class Wire:
    """Ranks that send each other parts of their arrays, and what that costs by alpha and beta."""

    def __init__(self, arrays):
        self.arrays = arrays
        self.steps, self.sent, self.added = 0, 0, 0

    def exchange(self, parts, add):
        """Each rank p sends parts[p] = (to whom, which elements), all at once."""
        sent = [(to, where, self.arrays[p][where].copy()) for p, (to, where) in enumerate(parts)]
        for to, where, values in sent:
            if add:
                self.arrays[to][where] += values
            else:
                self.arrays[to][where] = values
        most = max(len(values) for _, _, values in sent)
        self.steps += 1
        self.sent += most
        self.added += most * add

    def seconds(self, alpha, beta, gamma):
        return self.steps * alpha + self.sent * beta + self.added * gamma


def by_ring(wire, p, n):
    block = [slice(k * n // p, (k + 1) * n // p) for k in range(p)]
    for add in (True, False):
        for step in range(p - 1):
            first = -step if add else 1 - step
            wire.exchange([((r + 1) % p, block[(r + first) % p]) for r in range(p)], add)


def by_halving(wire, p, n):
    mine, distance = [slice(0, n)] * p, p // 2
    halves = []
    while distance:
        parts, kept = [], []
        for r in range(p):
            middle = (mine[r].start + mine[r].stop) // 2
            low, high = slice(mine[r].start, middle), slice(middle, mine[r].stop)
            keep, give = (high, low) if r & distance else (low, high)
            parts.append((r ^ distance, give))
            kept.append(keep)
        wire.exchange(parts, True)
        halves.append((distance, list(mine)))
        mine, distance = kept, distance // 2
    for distance, before in reversed(halves):
        wire.exchange([(r ^ distance, mine[r]) for r in range(p)], False)
        mine = before


def by_doubling(wire, p, n):
    for k in range(int(math.log2(p))):
        wire.exchange([(r ^ 2**k, slice(0, n)) for r in range(p)], True)


@pytest.mark.parametrize(("name", "algorithm"), [
    ("ring", by_ring), ("halving", by_halving), ("doubling", by_doubling),
])  # fmt: skip
@pytest.mark.parametrize("p", [2, 4, 8, 16])
def test_the_equations_cost_what_the_algorithms_send_and_add(cost, name, algorithm, p):
    n = 96 * p
    arrays = [np.random.default_rng(r).integers(0, 9, n) for r in range(p)]
    total = np.sum(arrays, axis=0)
    wire = Wire(arrays)
    algorithm(wire, p, n)
    assert all(np.array_equal(one, total) for one in wire.arrays)
    told = getattr(cost, name)(p, n, 1.0, 1e-3, 1e-6)
    assert told == pytest.approx(wire.seconds(1.0, 1e-3, 1e-6), rel=1e-12)


def test_ranks_beyond_a_power_of_two_add_a_message_before_and_one_after(cost):
    for way in (cost.halving, cost.doubling):
        four, six = (way(p, 1000, 1.0, 1e-3, 1e-6) for p in (4, 6))
        assert six - four == pytest.approx(2 * (1.0 + 1000 * 1e-3) + 1000 * 1e-6)


def test_short_messages_double_and_long_ones_halve(cost):
    network = cost.Network("", 1e-5, 1e-9)
    assert cost.allreduce(1, 1e6, network) == 0.0
    assert cost.allreduce(64, 8, network) == cost.doubling(64, 8, 1e-5, 1e-9)
    assert cost.allreduce(64, 1e8, network) == cost.halving(64, 1e8, 1e-5, 1e-9)
    assert cost.allreduce(6, 1e9, network) == cost.ring(6, 1e9, 1e-5, 1e-9)


@pytest.mark.parametrize("p", [2, 4])
def test_the_fit_finds_the_alpha_and_beta_that_times_were_made_with(cost, p):
    sizes = [4, 4096, 2**20, 2**26]
    times = [cost.halving(p, size, 3e-6, 2e-10, 1e-10) for size in sizes]
    times[-1] *= 4.0  # memory is slower than caches, and has no say
    assert cost.fit_allreduce(p, sizes, times, 1e-10) == pytest.approx((3e-6, 2e-10, 1.0))
    times[1] *= 1.5
    assert 1.1 < cost.fit_allreduce(p, sizes, times, 1e-10)[2] < 1.5


def test_a_measured_curve_stands_for_the_network(cost):
    curve = cost.Curve((4, 100, 200), (1.0, 2.0, 6.0))
    assert [curve.of(size) for size in (1, 4, 52, 100, 150, 200, 300)] == [
        1.0, 1.0, 1.5, 2.0, 4.0, 6.0, 9.0,
    ]  # fmt: skip
    compute = cost.Compute((1, 2), (2.0, 3.0), 0.25, 0.75)
    scale = cost.Scale(compute, 50, cost.Network("", 0.125, 0.0), measured=curve)
    # A look at the gradients, their 200 bytes, and a message of a few numbers.
    assert scale.communication(2) == pytest.approx(0.25 + 6.0 + curve.of(32))
    assert scale.communication(1) == 0.0


def test_a_sum_is_hidden_where_layers_are_ready_early(cost):
    # Nothing is ready before the end; all but a tenth is; the sum is longer than what is left.
    assert cost.hidden([(5.0, 100)], 2.0) == pytest.approx(0.0)
    assert cost.hidden([(1.0, 90), (5.0, 10)], 2.0) == pytest.approx(1.8)
    assert cost.hidden([(1.0, 90), (5.0, 10)], 40.0) == pytest.approx(4.0)
    # The second waits for the first.
    assert cost.hidden([(1.0, 50), (2.0, 50), (4.0, 0)], 4.0) == pytest.approx(3.0)


def test_rows_that_were_not_measured_are_between_their_neighbours_or_in_parts(cost):
    compute = cost.Compute((1, 4, 16), (1.0, 2.0, 6.0), 0.5, 0.75)
    assert [compute.of(rows) for rows in (1, 4, 16)] == [1.0, 2.0, 6.0]
    assert compute.of(2) == pytest.approx(4 / 3) and compute.of(10) == pytest.approx(4.0)
    assert compute.of(32) == 12.0 and compute.of(36) == 14.0
    twice = compute.faster(2)
    assert (twice.of(36), twice.norm, twice.update) == (7.0, 0.25, 0.375)
    # Sixteen rows at once are slower here than four by four, for sixteen rows, too.
    slow = cost.Compute((1, 4, 16), (1.0, 2.0, 9.0), 0.0, 0.0)
    assert (slow.of(32), slow.of(16), slow.of(13)) == (16.0, 8.0, 7.0)


def test_efficiencies_by_hand(cost):
    compute = cost.Compute((1, 2), (2.0, 3.0), 0.25, 0.75)
    scale = cost.Scale(compute, 10, cost.Network("", 0.125, 0.0))
    # Two ranks: a look at the gradients, one exchange of all 40 bytes, one of a few numbers.
    assert scale.communication(2) == pytest.approx(0.25 + 0.125 + 0.125)
    assert scale.step(1, 4) == 7.0 and scale.step(2, 4) == pytest.approx(3.0 + 1.0 + 0.5)
    assert scale.strong(2, 4) == pytest.approx(7.0 / (2 * 4.5))
    assert scale.weak(2, 2) == pytest.approx(4.0 / 4.5)
    # Four ranks of one row take 2 + 1 + 0.75, eight none less: the messages alone get longer.
    assert scale.step(4, 4) == pytest.approx(3.75) and scale.step(8, 4) == pytest.approx(4.0)
    assert scale.fastest(4) == 4
    assert scale.last_above_half(lambda n: scale.strong(n, 4)) == 2
