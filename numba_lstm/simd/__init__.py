"""Vectors as wide as the target's registers, and the GEMM microkernel: all of the LLVM IR.

Inside a `numba_lstm.jit.kernel`:

- ``at(array, (i, j, …))`` is a pointer to an element of a C-contiguous array. It neither checks
  bounds nor allows negative indices, because both keep LLVM from vectorising.
- ``load(p, offset)`` and ``store(p, offset, v)`` move `lanes(p)` consecutive items. ``load_n`` and
  ``store_n`` move only the first n of them: the others are 0, and their memory is left alone.
- ``prefetch(p, offset)`` has a line of memory, of `LINE` bytes, brought near.
- ``+ - * /`` work between vectors and between a vector and a scalar of its type; `fma`, `vmin`,
  `vmax`, `where_gt`, `round_even`, `exp2_int`, `polynomial`, `hsum` are functions of vectors.
- ``transpose_block`` and ``transpose_block_add`` transpose V rows of V items.
- ``atomic_add``, ``atomic_load``, ``atomic_store``, ``atomic_replace``, ``counter_at``, ``fence``,
  ``pause``, ``yield_core`` and ``ticks`` are for threads that wait for each other.
- ``call_apart`` calls a kernel as a function of its own.
- ``part_of``, ``call_part`` and ``call_system`` call functions by their addresses.
- ``gemm_tile`` and ``gemm_tile_t`` are the microkernels.
"""

from __future__ import annotations

from .atomics import (
    atomic_add,
    atomic_load,
    atomic_replace,
    atomic_store,
    counter_at,
    fence,
    pause,
    ticks,
    yield_core,
)
from .calls import call_apart, call_part, call_system, part_of
from .denormals import flush_denormals, restore_denormals
from .memory import LINE, at, lanes, load, load_n, prefetch, scalar, shift, store, store_n
from .microkernel import BLOCKS, PANEL, STRIP, gemm_tile, gemm_tile_t, load_microkernels
from .target import LLVMLITE_VERSION, TARGET, Target
from .transpose import transpose_block, transpose_block_add
from .vector import (
    Vector,
    exp2_int,
    fma,
    hsum,
    polynomial,
    round_even,
    vmax,
    vmin,
    where_gt,
    zeros_like,
)
from .wide import add_squares_wide, add_wide, hmax, pointer, wide_zeros

__all__ = [
    "BLOCKS",
    "LINE",
    "LLVMLITE_VERSION",
    "PANEL",
    "STRIP",
    "TARGET",
    "Target",
    "Vector",
    "add_squares_wide",
    "add_wide",
    "at",
    "atomic_add",
    "atomic_load",
    "atomic_replace",
    "atomic_store",
    "call_apart",
    "call_part",
    "call_system",
    "counter_at",
    "exp2_int",
    "fence",
    "flush_denormals",
    "fma",
    "gemm_tile",
    "gemm_tile_t",
    "hmax",
    "hsum",
    "lanes",
    "load",
    "load_microkernels",
    "load_n",
    "part_of",
    "pause",
    "pointer",
    "polynomial",
    "prefetch",
    "restore_denormals",
    "round_even",
    "scalar",
    "shift",
    "store",
    "store_n",
    "ticks",
    "transpose_block",
    "transpose_block_add",
    "vmax",
    "vmin",
    "where_gt",
    "wide_zeros",
    "yield_core",
    "zeros_like",
]
