"""How long Allreduce takes between the ranks of one machine, by size: for mpiexec.

    mpiexec -n 2 python bench/allreduce.py

Rank 0 prints one object of JSON: for each size in bytes the microseconds of Allreduce (in place,
float32) and of an exchange between two ranks; and how long adding takes by itself. alpha and beta
are those with which Rabenseifner's algorithm comes closest to Allreduce of what caches hold, up to
4 MiB; `worst` is the factor by which a point of those is off.
"""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from typing import Any

from tools import numbers, parser

SIZES = [4, 256, 4096, 65536, 2**20, 2**22, 2**24, 2**26]


def measure(comm: Any, run: Callable[[], Any], seconds: float) -> float:
    """Seconds of a call: the least of five means, of the rank that takes longest."""
    run()
    comm.Barrier()
    begin = time.perf_counter()
    run()
    count = max(1, int(seconds / 5 / max(time.perf_counter() - begin, 1e-7)))
    count = comm.bcast(min(count, 100_000))
    best = float("inf")
    for _ in range(5):
        comm.Barrier()
        begin = time.perf_counter()
        for _ in range(count):
            run()
        best = min(best, comm.allreduce((time.perf_counter() - begin) / count, op=max))
    return best


def main() -> None:
    options = parser(__doc__)
    options.add_argument("--sizes", type=numbers, default=SIZES, metavar="N,N,...")
    given = options.parse_args()

    import numpy as np
    from mpi4py import MPI
    from scale_cost import fit_allreduce

    comm = MPI.COMM_WORLD
    partner = comm.rank ^ 1 if comm.rank ^ 1 < comm.size else MPI.PROC_NULL
    summed, exchanged = [], []
    for size in given.sizes:
        there, back = np.zeros(size // 4, np.float32), np.zeros(size // 4, np.float32)
        summed.append(measure(comm, lambda a=there: comm.Allreduce(MPI.IN_PLACE, a), given.seconds))
        exchanged.append(
            measure(
                comm,
                lambda a=there, b=back: comm.Sendrecv(a, partner, recvbuf=b, source=partner),
                given.seconds,
            )
        )
    a, b = np.zeros(given.sizes[-1] // 4, np.float32), np.zeros(given.sizes[-1] // 4, np.float32)
    gamma = measure(comm, lambda: np.add(a, b, out=a), given.seconds) / a.nbytes
    alpha, beta, worst = fit_allreduce(comm.size, given.sizes, summed, gamma)
    if comm.rank == 0:
        result = {
            "ranks": comm.size,
            "sizes": given.sizes,
            "allreduce_us": [1e6 * t for t in summed],
            "exchange_us": [1e6 * t for t in exchanged],
            "alpha_us": 1e6 * alpha,
            "beta_ns": 1e9 * beta,
            "gamma_ns": 1e9 * gamma,
            "worst": worst,
        }
        print(json.dumps(result))


if __name__ == "__main__":
    sys.exit(main())
