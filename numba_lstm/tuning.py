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

# When a caller has lost time with waiting for a worker that another process kept from its core, it
# works alone for so many times as long. A wait counts from LATE seconds on.
ALONE = 8
LATE = 50e-6

# The least flops of a step that a team is worth. Its threads wait 0.1 µs for each other after each
# step, and longer if their work is uneven. A core of Zen 4 does 11000 flops in 0.1 µs.
MIN_TEAM_WORK = 1 << 14

# Flops that packing or unpacking an item counts for when threads are chosen. It takes as long as 16
# flops but waits for memory: 98304 items take 13 µs on one thread and 18 on two, 393216 take 67 and
# 38.
PACK_WORK = 2


@dataclass(frozen=True)
class Blocking:
    """The register block of the microkernel: MR rows of NV vectors, and the blocks of few rows.

    Attributes
    ----------
    mr : int
        Rows in a full block.
    nv : int
        Vectors beside each other in a full block, at most 4.
    wide : tuple of int
        For blocks of 1, 2, … rows: how many vectors they have when panels can be joined. A block
        of few rows needs them to have enough accumulators to hide the latency of an FMA.
    """

    mr: int
    nv: int
    wide: tuple[int, ...]

    def columns_at_once(self, m: int) -> int:
        """Vectors whose accumulators a block of `m` rows holds in registers at a time."""
        return max(self.nv, self.wide[m - 1]) if m <= len(self.wide) else self.nv


# By the number of vector registers. GFLOP/s on one core of Zen 4 (peak 117): 32 registers of 64
# bytes 6x4 117, 8x3 116, 7x3 117, 5x4 117, 12x2 40 (spills); 16 registers of 32 bytes 6x2 116,
# 4x3 111, 4x2 107. On Zen 5 (peak 242) 6x4 232-240, and 3x4 on 16 registers spills.
BLOCKING = {
    32: Blocking(mr=6, nv=4, wide=(16, 8, 4)),
    16: Blocking(mr=6, nv=2, wide=(8, 4)),
}

# Rows of A for which `gemm` reads a panel of packed weights once: 16 register blocks. 96 rows of
# 256 float32 are 96 KB, which stay in L2 beside the panel.
GEMM_ROWS = 96

# Terms of the sum over time and batch that `gemm_transposed` takes at once: 256 rows of a panel are
# 64 KB (float32), which stay in L2 beside the same rows of A.
GEMM_TRANSPOSED_K = 256

# How many rows ahead `gemm_transposed` prefetches A, of which it reads MR items a row.
# GFLOP/s on two cores of Zen 4 (peak 236) with 0, 6, 12, 24, 48 rows ahead: 8192x384 by 4 panels
# 190, 199, 204, 215, 204; by 16 panels 208, 216, 218, 220, 218.
PREFETCH_ROWS = 24

# Bytes of scratch memory kept between calls.
SCRATCH_BYTES = 1 << 29

# Panels of saved gates get unused rows until they have GATES_ROW_REST modulo GATES_ROW_MULTIPLE of
# them. Panels a power of two apart would fall into the same few cache sets. At T=128 B=64 H=256 the
# backward loop went from 139 to 184 GFLOP/s.
GATES_ROW_MULTIPLE, GATES_ROW_REST = 16, 11

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
