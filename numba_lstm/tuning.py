"""What was measured about machines: block sizes and thresholds, each with its measurement.

All of them are rules that start from sizes. None may know a benchmark's shape.
"""

from __future__ import annotations

from dataclasses import dataclass

from . import system

# The least flops that a second thread is worth. To share them out costs 0.2 µs where the other
# thread is awake, and what it computed has to come back to this core. One core does 2**18 flops in
# 2.4 µs at 110 GFLOP/s, two break even.
MIN_PARALLEL_WORK = 1 << 18

# Seconds. How long a worker without work looks for the next job before it sleeps: twice as long as
# it takes to wake it. How long a caller waits for its team: if all workers were awake when the job
# came, and if one had to be woken.
WORKER_SPINS = 100e-6
TEAM_PATIENCE = 20e-6
TEAM_PATIENCE_ASLEEP = 100e-6

# A job's time is compared with what the caller alone would have needed for it. What waiting for
# late workers has cost more than workers have saved before, of which CREDIT seconds count at most,
# is a loss. From LATE seconds on callers then work alone for ALONE times as long, so that no more
# than a part of their time is lost. Without the credit a machine that is interrupted for 10 ms now
# and then, as a virtual one is, was at half its speed all the time.
ALONE = 8
LATE = 50e-6
CREDIT = 10e-3

# For FINE seconds after a worker was late twice in so short a time each thread's part of a
# product is cut into PIECES_OF_PART, so that whoever is free takes the next one, but a job into
# PIECES_OF_JOB at most; that of a time loop by rows, and of a product that copies what it reads,
# into up to PIECES_OF_ROWS, of ROWS_OF_PIECE rows on average or more. From YIELD_AFTER seconds of
# a job on a worker offers its core to others after each piece: who has used up its share of a
# core is stopped anyhow, at the clock's next tick, in the middle of a piece, and then the caller
# waits for 4 ms. In shorter jobs offering loses more than it gains. 64x64x128x256 in training
# beside threads that loop (onnxruntime's and NumPy's, two cores, Zen 5) took 2.0 times as long as
# alone in two parts, 1.8 in 4 pieces each, 1.6 with offers, and 1.45 to 1.6 with 8 pieces of
# products; 1.33 to 1.5 is the least. Where nobody is late pieces cost 0 to 8 %.
FINE = 100e-3
PIECES_OF_PART = 8
PIECES_OF_JOB = 64
PIECES_OF_ROWS = 4
ROWS_OF_PIECE = 4
YIELD_AFTER = 500e-6

# The least flops of a step that a team is worth. Its threads wait 0.1 µs for each other after each
# step, and longer if their work is uneven; what one has computed has to come to the others. 45
# steps of 16000 flops took 0.03 ms on one thread and 0.05 as a team.
MIN_TEAM_WORK = 1 << 15

# Flops that packing or unpacking an item counts for when threads are chosen. It takes as long as 16
# flops but waits for memory: 98304 items take 13 µs on one thread and 18 on two, 393216 take 67 and
# 38.
PACK_WORK = 2


@dataclass(frozen=True)
class Blocks:
    """Register blocks of the microkernel for weights packed in strips of a certain width.

    Attributes
    ----------
    at_once : tuple of int
        For blocks of 1, 2, … MR rows: the vectors whose accumulators are in registers at a time.
        Blocks of few rows take those of several strips, for enough accumulators to hide the latency
        of an FMA.
    split : tuple of int
        When MR + 1, MR + 2, … 2·MR - 1 rows are left: the rows of the next block. Empty for halves.
    """

    at_once: tuple[int, ...]
    split: tuple[int, ...] = ()

    @property
    def mr(self) -> int:
        """Rows in a full block."""
        return len(self.at_once)

    @property
    def splits(self) -> tuple[int, ...]:
        """`split`, or halves where that is empty."""
        return self.split or tuple((left + 1) // 2 for left in range(self.mr + 1, 2 * self.mr))


@dataclass(frozen=True)
class Blocking:
    """How packed weights are cut into strips, and the register blocks for each width of strips.

    Attributes
    ----------
    strip : int
        Vectors beside each other in a strip, 2 or 4; 3 for cells whose weights have three gates in
        a panel. A sweep over K reads one strip from end to end, without a gap.
    blocks : dict
        `Blocks` by the width of strips.
    """

    strip: int
    blocks: dict[int, Blocks]


# By the number of vector registers. GFLOP/s of blocks in the first-level cache of one core of Zen 4
# (peak 117), rows x vectors:
# 32 registers of 64 bytes: 6x4 117, 8x3 116, 7x3 117, 5x4 117, 2x8 108, 3x4 108; 12x2 40, 7x4 46
# (they spill).
# 16 registers of 32 bytes: 6x2 116, 4x3 110, 3x4 108, 5x2 106, 2x6 105, 3x3 103, 2x4 99, 4x2 97,
# 1x8 94, 3x2 83, 6x1 83; 5x3 47, 4x4 40 (they spill). On Zen 3 the blocks 4x2 reach 60 % of 6x2.
# So 8 rows are 5 + 3 there, and 9 are 6 + 3.
BLOCKING = {
    32: Blocking(4, {4: Blocks((16, 8, 4, 4, 4, 4)), 3: Blocks((12, 6, 6, 3, 3, 3, 3, 3))}),
    16: Blocking(
        2, {2: Blocks((8, 4, 4, 2, 2, 2), split=(5, 5, 6, 5, 6)), 3: Blocks((9, 6, 3, 3))}
    ),
}

# Rows of A for which `gemm` reads a panel of packed weights once: 16 register blocks. 96 rows of
# 256 float32 are 96 KB, which stay in L2 beside the panel.
GEMM_ROWS = 96

# Terms of a sum that `gemm` takes at once, about: 6 rows of 512 float32 are 12 KB. They stay in the
# first cache while all strips of W pass.
GEMM_K = 512

# Terms of the sum over time and batch that `gemm_transposed` takes at once: rows of a panel, which
# stay in a cache beside rows of A. More would push these out, fewer read and write C more often.
# Where a panel takes two sweeps, it takes half as many for a panel before it takes the other half:
# 128 rows of 128 bytes stay in the first cache. GFLOP/s of one core of Zen 4 for 4096x384 by 256
# units, 256 and 128 rows: one sweep (rows of 256 bytes) 98 and 94, two 62 and 79.
GEMM_TRANSPOSED_K = 256

# Where a panel takes two sweeps, `gemm_transposed` first copies so many blocks of A's columns, if
# each thread has so many panels or more that read them and A does not stay in L2: of each line that
# its rows bring a block uses 24 bytes, and the rows may be a power of two apart. GFLOP/s of one
# core of Zen 4 as it is read and copied, terms x columns by units: 1024x1024 by 512 64 and 96,
# 1024x850 by 650 69 and 95, 1024x640 by 512 91 and 98; but training with 384 columns by 256 units
# lost 3 %. One sweep reads A half as often, and gains nothing.
GEMM_TRANSPOSED_BLOCKS = 32
GEMM_TRANSPOSED_PANELS = 8

# How many rows ahead `gemm_transposed` prefetches A, of which it reads MR items a row.
# GFLOP/s on two cores of Zen 4 (peak 236) with 0, 6, 12, 24, 48 rows ahead: 8192x384 by 4 panels
# 190, 199, 204, 215, 204; by 16 panels 208, 216, 218, 220, 218.
PREFETCH_ROWS = 24

# How many bytes ahead a sweep over a strip prefetches weights, in blocks of so many rows or more.
# Weights that outgrow the second cache come from the third, and the hardware's prefetchers do not
# look as far. GFLOP/s on one core of Zen 4 with 0, 3, 6, 12 KB ahead, steps x rows x inputs x
# units: 16 registers, 8x17x16x1003 71, 90, 97, 93; 8x20x200x1000 71, 92, 96, 97; 10x20x650x650 97,
# 98, 101, 101. 32 registers with 0, 6, 9 KB: 10x20x650x650 100, 107, 108.
# Blocks of fewer rows read weights faster than that. With prefetching 30x1x128x256 fell from 50
# to 48 and from 55 to 45, 20x3x200x400 from 102 to 92.
PREFETCH_BYTES = 6 << 10
PREFETCH_LEAST_ROWS = 4

# After each step a thread of a team prefetches what the next step's product reads and the others
# wrote, if it is no more bytes than this, such as two rows of an LSTM's dz with 256 units. On two
# cores of Zen 5 one row of 256 units took 0.89 to 0.93 of the time, in inference and training, in
# minutes in which whatever went from one core to the other took several times as long (a virtual
# machine's cores may be on different chips); else, at 128 or 512 units and held to AVX2, 0.97 to
# 1.03.
FETCH_BYTES = 8 << 10

# Bytes of scratch memory kept between calls.
SCRATCH_BYTES = 1 << 29

# Panels of saved gates get unused rows until they have GATES_ROW_REST modulo GATES_ROW_MULTIPLE of
# them. Panels a power of two apart would fall into the same few cache sets. At T=128 B=64 H=256 the
# backward loop went from 139 to 184 GFLOP/s.
GATES_ROW_MULTIPLE, GATES_ROW_REST = 16, 11

# Rows of states of so many cache lines or more get an odd number of lines. Rows a power of two of
# lines apart would fall into the same few cache sets: a block's rows, and the rows of which
# `gemm_transposed` reads a few items each.
SPREAD_LINES = 16
_LINE = 64  # bytes


def spread_columns(columns: int, itemsize: int) -> int:
    """Columns that a row of states takes, so many of them used."""
    lines = (columns * itemsize + _LINE - 1) // _LINE
    return (lines | 1) * _LINE // itemsize if lines >= SPREAD_LINES else columns


# With fewer rows a thread than this, one GEMM projects the inputs of all steps beforehand. With two
# rows that gains nothing and long sequences lose: T=2000 B=4 H=128 took 13.4 ms instead of 10.5.
PROJECT_ROWS = 2

# Rows (steps times batch) of a piece of a long sequence in inference. With H = 256 in float32 their
# projected inputs are 8 MB.
INFER_ROWS = 2048

# What follows from the machine's caches. They are read when one of these is first asked for.

# Bytes of weights that a core's second-level cache holds beside everything else: 3/4 of it.
L2_BYTES: int

# Bytes of dz in a piece of time of the backward pass. The products that follow read it from the
# last-level cache, which holds states and dx as well: an eighth of it, but no more than the 4 MB
# that were measured on 32 MB.
PIECE_BYTES: int
_MOST_PIECE_BYTES, _LEAST_PIECE_BYTES = 4 << 20, 1 << 19

# What follows from none of them, because even the smallest caches in use hold it: GEMM_ROWS and
# GEMM_TRANSPOSED_K take 96 and 64 KB of an L2.


def __getattr__(name: str) -> int:
    found = system.caches() if name in ("L2_BYTES", "PIECE_BYTES") else None
    if found is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = found.l2 * 3 // 4
    if name == "PIECE_BYTES":
        value = max(_LEAST_PIECE_BYTES, min(_MOST_PIECE_BYTES, found.l3 // 8))
    globals()[name] = value
    return value
