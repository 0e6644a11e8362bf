"""What was measured about machines: block sizes and thresholds, each with its measurement.

Everything is a rule from sizes; nothing here knows a benchmark's shape.
"""

from __future__ import annotations

from dataclasses import dataclass

# Waking the pool and joining it costs 1.1 µs (omp), its first kernel some more; 2**17 flops are
# about 1.2 µs of one core's work at 110 GFLOP/s, and both cores then break even near 2.5 µs.
MIN_PARALLEL_WORK = 1 << 18

# Threads of a team wait 0.1 µs for each other after a step, and longer where one has more to do; in
# 0.1 µs a core of Zen 4 does 11000 flops.
MIN_TEAM_WORK = 1 << 14

# What packing or unpacking an item counts for when threads are chosen. Its time is that of 16
# flops, but it is memory's: 98304 items take 13 µs on one thread, 18 on two; 393216 take 67 and 38.
PACK_WORK = 2


@dataclass(frozen=True)
class Blocking:
    """The register block of the microkernel: MR rows of NV vectors, and how a few rows are run.

    Attributes
    ----------
    mr : int
        Rows in a full block.
    nv : int
        Vectors beside each other in a full block, at most 4.
    wide : tuple of int
        For 1, 2, … rows: how many vectors are run at once when panels can be joined, so that few
        rows have enough accumulators to hide the latency of an FMA.
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

# Rows of A that share one sweep over the packed weights in `gemm`: 96 rows of 256 float32 are
# 96 KB of L2 beside the panel being used, and the panel is read once for 16 register blocks.
GEMM_ROWS = 96

# Terms of the sum over time and batch that `gemm_transposed` takes at once: 256 rows of a panel are
# 64 KB (float32), which stay in L2 beside the same rows of A.
GEMM_TRANSPOSED_K = 256

# How many rows ahead of its use `gemm_transposed` asks for A, of which it reads MR items a row.
# GFLOP/s on two cores of Zen 4 (peak 236) with 0, 6, 12, 24, 48 rows ahead: 8192x384 by 4 panels
# 190, 199, 204, 215, 204; by 16 panels 208, 216, 218, 220, 218.
PREFETCH_ROWS = 24

# Bytes of scratch memory kept for the next call.
SCRATCH_BYTES = 1 << 29

# Rows of zeros between the panels of saved gates are added until a panel is this odd multiple of
# cache lines away from the next: panels a power of two apart fall into the same few cache sets. At
# T=128 B=64 H=256 the backward loop in panels went from 139 to 184 GFLOP/s.
GATES_ROW_MULTIPLE, GATES_ROW_REST = 16, 11

# What a core's second-level cache holds of the weights beside everything else.
L2_BYTES = 768 * 1024

# Below so many rows a thread the inputs of all steps are projected by one GEMM beforehand. With two
# rows it gains nothing and long sequences lose: T=2000 B=4 H=128 took 13.4 ms, else 10.5.
PROJECT_ROWS = 2

# Rows (steps times batch) of a piece of a long sequence in inference: with H = 256 their projected
# inputs are 8 MB.
INFER_ROWS = 2048

# Bytes of dz in a piece of time of the backward pass, to be read from the cache by the products
# that follow: a fraction of the last-level cache, whose other users are the states and dx.
PIECE_BYTES = 4 << 20
