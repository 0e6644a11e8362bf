"""The microkernel alone, on one core: each block of the tuning table against the FMA peak.

The weights of a panel stream from the second-level cache (K = 256: 64 KB) as they do in the time
loop; A and C stay in the first. NUMBA_CPU_NAME=haswell measures the blocks for AVX2.
"""

from __future__ import annotations

import sys
from typing import Any

from tools import finish, numbers, parser, time_of

REPEATS = 200  # tiles in a timed call


def loop(transposed: bool) -> Any:
    """A compiled loop over one tile; not cached, because a cache would not see edits here."""
    from numba import njit

    from numba_lstm.jit import FLAGS, load_microkernels
    from numba_lstm.simd import at, gemm_tile, gemm_tile_t

    load_microkernels()

    @njit(**FLAGS)
    def plain(n, m, nv, a, k, w, bias, c):
        for _ in range(n):
            gemm_tile(
                m, nv, at(a, (0, 0)), k, 1, 0, k, at(w, (0, 0, 0)), w.shape[1] * w.shape[2],
                at(bias, (0,)), 0, at(c, (0, 0)), c.shape[1],
            )  # fmt: skip

    @njit(**FLAGS)
    def turned(n, m, nv, a, k, w, bias, c):
        for _ in range(n):
            gemm_tile_t(
                m, nv, at(a, (0, 0)), m, 1, 0, k, at(w, (0, 0, 0)), w.shape[1] * w.shape[2],
                at(bias, (0,)), 0, at(c, (0, 0)), c.shape[1],
            )  # fmt: skip

    return turned if transposed else plain


def blocks() -> list[tuple[int, int]]:
    """(rows, vectors) of every block of this target's table."""
    from numba_lstm.simd import PANEL, TARGET

    blocking = TARGET.blocking
    narrow = [(m, nv) for m in range(1, blocking.mr + 1) for nv in range(1, PANEL + 1)]
    return narrow + [(m, nv) for m, nv in enumerate(blocking.wide, 1) if nv > PANEL]


def measure(dtype: Any, k: int, seconds: float) -> dict[str, Any]:
    """GFLOP/s of the peak, and of each block both ways."""
    import numpy as np

    from numba_lstm.benchmark.peak import peak_gflops
    from numba_lstm.simd import PANEL, TARGET

    v = TARGET.lanes(np.dtype(dtype).itemsize)
    rng = np.random.default_rng(0)
    peaks, found = [peak_gflops(1, seconds, dtype)], []
    for transposed in (False, True):
        run = loop(transposed)
        for m, nv in blocks():
            if transposed and nv > PANEL:
                continue
            panels = -(-nv // PANEL)
            a = rng.standard_normal((m, k)).astype(dtype)
            w = rng.standard_normal((panels, k, PANEL * v)).astype(dtype)
            bias, c = np.zeros(panels * PANEL * v, dtype), np.zeros((m, nv * v), dtype)
            arguments = (REPEATS, m, nv, a, k, w, bias, c)
            took = time_of(lambda run=run, given=arguments: run(*given), seconds)
            gflops = 2.0 * REPEATS * m * nv * v * k / took / 1e9
            found.append({"transposed": transposed, "m": m, "nv": nv, "gflops": gflops})
        peaks.append(peak_gflops(1, seconds, dtype))
    peak = max(peaks)
    for block in found:
        block["fraction"] = block["gflops"] / peak
    return {"dtype": np.dtype(dtype).name, "k": k, "peak_gflops": peak, "blocks": found}


def show(result: dict[str, Any], full: tuple[int, int]) -> None:
    """Tables of fractions of the peak: rows down, vectors across."""
    print(f"{result['dtype']}: peak {result['peak_gflops']:.1f} GFLOP/s, K = {result['k']}")
    for transposed in (False, True):
        of = {
            (b["m"], b["nv"]): b["fraction"]
            for b in result["blocks"]
            if b["transposed"] == transposed
        }
        columns = sorted({nv for _, nv in of})
        print(
            f"  {'A transposed' if transposed else 'A':<14}" + "".join(f"{n:>7}" for n in columns)
        )
        for m in sorted({m for m, _ in of}):
            cells = [f"{of[m, n]:7.1%}" if (m, n) in of else " " * 7 for n in columns]
            print(f"  {m:<14}" + "".join(cells))
    (best,) = (b for b in result["blocks"] if not b["transposed"] and (b["m"], b["nv"]) == full)
    print(
        f"  full block {full[0]}x{full[1]}: {best['gflops']:.1f} GFLOP/s, {best['fraction']:.1%}\n"
    )


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--k", type=numbers, default=[256], help="terms of the sum, e.g. 64,256")
    given = options.parse_args()

    import numpy as np

    from numba_lstm.simd import TARGET

    if given.json != "-":
        print(f"{TARGET.cpu}: {TARGET.registers} registers of {TARGET.vector_bytes} bytes")
    results = []
    for dtype in (np.float32, np.float64):
        for k in given.k:
            results.append(measure(dtype, k, given.seconds))
            if given.json != "-":
                show(results[-1], (TARGET.blocking.mr, TARGET.blocking.nv))
    finish({"microkernels": results}, given.json)


if __name__ == "__main__":
    sys.exit(main())
