"""What a step of data-parallel training costs on N nodes: the equations of docs/scale.md.

Nothing is measured here, and nothing is read. Times are in seconds, sizes in bytes.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = [
    "BATCH",
    "CACHED",
    "NETWORKS",
    "NODES",
    "Compute",
    "Curve",
    "Network",
    "Scale",
    "allreduce",
    "doubling",
    "fit_allreduce",
    "fit_line",
    "halving",
    "hidden",
    "ring",
]

NODES = tuple(2**k for k in range(11))
# Rows of the batch that all nodes share out, where it stays the same (strong scaling).
BATCH = 1024
# Bytes up to which messages between ranks of one machine pass through its caches; longer ones are
# two to four times as slow by the byte, and one alpha and beta fit not both.
CACHED = 2**22
_FEW = 32  # bytes of the message of a few numbers


@dataclass(frozen=True)
class Network:
    """How long a message takes between two nodes: alpha + beta times its bytes.

    Attributes
    ----------
    name : str
    alpha, beta : float
        Seconds, and seconds for each byte.
    source : str
        Where both come from.
    """

    name: str
    alpha: float
    beta: float
    source: str = ""


_EC2_100 = (
    "Jiawei Zhuang, aws-mpi-benchmark (github.com/JiaweiZhuang/aws-mpi-benchmark, 2019): OSU "
    "micro-benchmarks between two EC2 c5n.18xlarge, Intel MPI over EFA"
)
NETWORKS = (
    Network(
        "10 GbE",
        48e-6,
        1.0 / 1.19e9,
        "Scalable Logic, Enhanced Networking in the AWS Cloud, part 2 (January 2014): between two "
        "EC2 c3.8xlarge 92 to 100 µs there and back, and 95 % of 10 Gbit/s",
    ),
    Network(
        "100 GbE, one stream",
        16.1e-6,
        1.0 / 1.79e9,
        f"{_EC2_100}, one process on each: osu_latency 16.1 µs, and 2339 µs for 4 MiB",
    ),
    Network(
        "100 GbE",
        16.1e-6,
        1.0 / 12.1e9,
        f"{_EC2_100}: the same latency, and with many pairs of processes (osu_mbw_mr) 12.1 GB/s",
    ),
)


def ring(p: int, size: float, alpha: float, beta: float, gamma: float = 0.0) -> float:
    """Allreduce on a ring: p - 1 steps that sum, p - 1 that gather, size / p in each."""
    moved = (p - 1) / p * size
    return 2 * (p - 1) * alpha + 2 * moved * beta + moved * gamma


def halving(p: int, size: float, alpha: float, beta: float, gamma: float = 0.0) -> float:
    """Rabenseifner's Allreduce: recursive halving sums, recursive doubling gathers.

    Where p is no power of two, those above the next lower one first give all they have to a
    neighbour, and get the result at the end (Thakur, Rabenseifner and Gropp 2005).
    """
    steps = int(math.log2(p))
    even = 2**steps
    moved = (even - 1) / even * size
    time = 2 * steps * alpha + 2 * moved * beta + moved * gamma
    return time if even == p else time + 2 * alpha + 2 * size * beta + size * gamma


def doubling(p: int, size: float, alpha: float, beta: float, gamma: float = 0.0) -> float:
    """Allreduce by recursive doubling: all of it in each step, for short messages."""
    steps = int(math.log2(p))
    time = steps * (alpha + size * (beta + gamma))
    return time if 2**steps == p else time + 2 * (alpha + size * beta) + size * gamma


def allreduce(p: int, size: float, network: Network, gamma: float = 0.0) -> float:
    """The fastest of the three, as MPI libraries choose by size and number of ranks.

    Parameters
    ----------
    p : int
        Ranks.
    size : float
        Bytes.
    network : Network
    gamma : float
        Seconds to add a byte's worth of numbers.
    """
    if p == 1:
        return 0.0
    return min(
        way(p, size, network.alpha, network.beta, gamma) for way in (ring, halving, doubling)
    )


def fit_line(x: Sequence[float], y: Sequence[float]) -> tuple[float, float]:
    """(start, slope) of the line through points of which each counts by its relative error."""
    import numpy as np

    xs, ys = np.asarray(x, float), np.asarray(y, float)
    columns = np.stack([1.0 / ys, xs / ys], axis=1)
    (start, slope), *_ = np.linalg.lstsq(columns, np.ones(len(ys)), rcond=None)
    return float(start), float(slope)


def fit_allreduce(
    p: int, sizes: Sequence[float], seconds: Sequence[float], gamma: float
) -> tuple[float, float, float]:
    """The alpha and beta with which `halving` comes closest to measured times, p a power of two.

    Of the sizes those count that pass through caches, up to `CACHED`. The third number is the
    factor by which the worst of these points is off.
    """
    points = [(size, time) for size, time in zip(sizes, seconds) if size <= CACHED]
    start, slope = fit_line(*zip(*points))
    part = (p - 1) / p
    alpha, beta = start / (2 * math.log2(p)), (slope - part * gamma) / (2 * part)
    off = [halving(p, size, alpha, beta, gamma) / time for size, time in points]
    return alpha, beta, max(max(one, 1 / one) for one in off)


@dataclass(frozen=True)
class Curve:
    """Measured times of Allreduce between some ranks.

    Attributes
    ----------
    sizes : tuple of int
        Bytes, increasing.
    seconds : tuple of float
    """

    sizes: tuple[int, ...]
    seconds: tuple[float, ...]

    def of(self, size: float) -> float:
        """Seconds for so many bytes.

        Between points on a straight line, beyond the last one at its bytes a second.
        """
        if size >= self.sizes[-1]:
            return self.seconds[-1] * size / self.sizes[-1]
        k = next(k for k, measured in enumerate(self.sizes) if measured > size)
        if k == 0:
            return self.seconds[0]
        share = (size - self.sizes[k - 1]) / (self.sizes[k] - self.sizes[k - 1])
        return (1 - share) * self.seconds[k - 1] + share * self.seconds[k]


def hidden(layers: Sequence[tuple[float, float]], total: float) -> float:
    """How much of a sum can pass at most while the backward pass still runs.

    Parameters
    ----------
    layers : sequence of (float, float)
        When each layer's gradients are there, and how many bytes they are; the last one at the
        end of the backward pass.
    total : float
        How long the sum of all takes. Each layer takes its share of it by bytes, one after the
        other, and slows nothing down.
    """
    size, end = sum(some for _, some in layers), 0.0
    for ready, some in layers:
        end = max(end, ready) + total * some / size
    return total - (end - layers[-1][0])


@dataclass(frozen=True)
class Compute:
    """Measured times of a step without communication.

    Attributes
    ----------
    rows : tuple of int
        Increasing, from 1 on.
    gradients : tuple of float
        Seconds of forward and backward pass with so many rows.
    norm, update : float
        Seconds of the gradient's norm and of the update, which no number of rows changes.
    """

    rows: tuple[int, ...]
    gradients: tuple[float, ...]
    norm: float
    update: float

    def of(self, rows: int) -> float:
        """Seconds of the gradients of so many rows.

        Between measured numbers on a straight line, or in parts of a measured number that take
        turns, where that is faster; more rows than were measured always in parts.
        """
        if rows == 0:
            return 0.0
        times = [
            rows // part * time + self.of(rows % part)
            for part, time in zip(self.rows, self.gradients)
            if part <= rows
        ]
        if 1 < rows <= self.rows[-1]:
            k = next(k for k, measured in enumerate(self.rows) if measured >= rows)
            share = (rows - self.rows[k - 1]) / (self.rows[k] - self.rows[k - 1])
            times.append((1 - share) * self.gradients[k - 1] + share * self.gradients[k])
        return min(times)

    def faster(self, factor: float) -> Compute:
        """That of a node so many times as fast."""
        times = tuple(time / factor for time in self.gradients)
        return Compute(self.rows, times, self.norm / factor, self.update / factor)


@dataclass(frozen=True)
class Scale:
    """A model on nodes of one kind and a network.

    Attributes
    ----------
    compute : Compute
        Of one node.
    parameters : int
        Float32 numbers whose gradients are summed.
    network : Network
    gamma : float
        Seconds to add a byte's worth of numbers.
    measured : Curve, optional
        Allreduce between all nodes, where it was measured: it stands for network and gamma.
    """

    compute: Compute
    parameters: int
    network: Network
    gamma: float = 0.0
    measured: Curve | None = None

    def communication(self, nodes: int) -> float:
        """Seconds that one node alone does not need.

        The gradients' sum, and one of a few numbers; before them each rank looks for NaN in its
        gradients, which takes as long as their norm.
        """
        if nodes == 1:
            return 0.0
        size = 4.0 * self.parameters
        if self.measured is not None:
            return self.compute.norm + self.measured.of(size) + self.measured.of(_FEW)
        small = math.ceil(math.log2(nodes)) * self.network.alpha
        summing = allreduce(nodes, size, self.network, self.gamma)
        return self.compute.norm + summing + small

    def step(self, nodes: int, batch: int) -> float:
        """Seconds of a step on `batch` rows, shared out as evenly as can be."""
        gradients = self.compute.of(math.ceil(batch / nodes))
        return gradients + self.communication(nodes) + self.compute.norm + self.compute.update

    def strong(self, nodes: int, batch: int = BATCH) -> float:
        """The efficiency where the batch stays: the speed-up over one node, by the nodes."""
        return self.step(1, batch) / (nodes * self.step(nodes, batch))

    def weak(self, nodes: int, rows: int) -> float:
        """The efficiency where each node has so many rows, however many nodes there are."""
        return self.step(1, rows) / self.step(nodes, rows * nodes)

    def last_above_half(self, efficiency: Callable[[int], float]) -> int:
        """The most nodes of `NODES` before an efficiency falls below one half."""
        return max(n for n in NODES if all(efficiency(m) >= 0.5 for m in NODES if m <= n))

    def fastest(self, batch: int = BATCH) -> int:
        """The number among `NODES` with the shortest step; more nodes make it longer."""
        return min(NODES, key=lambda n: self.step(n, batch))
