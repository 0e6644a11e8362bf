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
    def plain(n, strip, m, nv, a, k, w, bias, c):
        for _ in range(n):
            gemm_tile(
                strip, m, nv, at(a, (0, 0)), k, 1, 0, k, at(w, (0, 0, 0)), w.shape[1] * w.shape[2],
                at(bias, (0,)), 0, at(c, (0, 0)), c.shape[1],
            )  # fmt: skip

    @njit(**FLAGS)
    def turned(n, strip, m, nv, a, k, w, bias, c):
        for _ in range(n):
            gemm_tile_t(
                strip, m, nv, at(a, (0, 0)), m, 1, 0, k, at(w, (0, 0, 0)), w.shape[1] * w.shape[2],
                at(bias, (0,)), 0, at(c, (0, 0)), c.shape[1],
            )  # fmt: skip

    return turned if transposed else plain


def measure(dtype: Any, k: int, seconds: float) -> dict[str, Any]:
    """GFLOP/s of the peak, and of each block both ways."""
    import numpy as np

    from numba_lstm.benchmark.peak import peak_gflops
    from numba_lstm.simd import PANEL, TARGET
    from numba_lstm.simd.microkernel import blocks

    v = TARGET.lanes(np.dtype(dtype).itemsize)
    rng = np.random.default_rng(0)
    peaks, found = [peak_gflops(1, seconds, dtype)], []
    for transposed in (False, True):
        run = loop(transposed)
        for strip, m, nv in blocks(transposed):
            width = PANEL if transposed else strip
            strips = -(-nv // width)
            a = rng.standard_normal((m, k)).astype(dtype)
            w = rng.standard_normal((strips, k, width * v)).astype(dtype)
            bias, c = (np.zeros((rows, strips * PANEL * v), dtype) for rows in (1, m))
            arguments = (REPEATS, strip, m, nv, a, k, w, bias[0], c)
            took = time_of(lambda run=run, given=arguments: run(*given), seconds)
            gflops = 2.0 * REPEATS * m * nv * v * k / took / 1e9
            found.append(
                {"transposed": transposed, "strip": strip, "m": m, "nv": nv, "gflops": gflops}
            )
        peaks.append(peak_gflops(1, seconds, dtype))
    peak = max(peaks)
    for block in found:
        block["fraction"] = block["gflops"] / peak
    return {"dtype": np.dtype(dtype).name, "k": k, "peak_gflops": peak, "blocks": found}


def show(result: dict[str, Any], full: tuple[int, int, int]) -> None:
    """Tables of fractions of the peak for each width of strips: rows down, vectors across."""
    print(f"{result['dtype']}: peak {result['peak_gflops']:.1f} GFLOP/s, K = {result['k']}")
    for transposed, strip in sorted({(b["transposed"], b["strip"]) for b in result["blocks"]}):
        of = {
            (b["m"], b["nv"]): b["fraction"]
            for b in result["blocks"]
            if b["transposed"] == transposed and b["strip"] == strip
        }
        columns = sorted({nv for _, nv in of})
        head = f"{'A transposed' if transposed else 'A'}, {strip}"
        print(f"  {head:<16}" + "".join(f"{n:>7}" for n in columns))
        for m in sorted({m for m, _ in of}):
            cells = [f"{of[m, n]:7.1%}" if (m, n) in of else " " * 7 for n in columns]
            print(f"  {m:<16}" + "".join(cells))
    (best,) = (
        b for b in result["blocks"] if not b["transposed"] and (b["strip"], b["m"], b["nv"]) == full
    )
    print(
        f"  full block {full[1]}x{full[2]}: {best['gflops']:.1f} GFLOP/s, {best['fraction']:.1%}\n"
    )


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--k", type=numbers, default=[256], help="terms of the sum, e.g. 64,256")
    given = options.parse_args()

    import numpy as np

    from numba_lstm.simd import STRIP, TARGET

    full = STRIP, TARGET.blocking.blocks[STRIP].mr, STRIP
    if given.json != "-":
        print(f"{TARGET.cpu}: {TARGET.registers} registers of {TARGET.vector_bytes} bytes")
    results = []
    for dtype in (np.float32, np.float64):
        for k in given.k:
            results.append(measure(dtype, k, given.seconds))
            if given.json != "-":
                show(results[-1], full)
    finish({"microkernels": results}, given.json)


if __name__ == "__main__":
    sys.exit(main())
