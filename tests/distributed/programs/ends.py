"""Ends of ranks: one raises while the others wait for it, all raise the same, one leaves."""

from __future__ import annotations

import sys

from numba_lstm.distributed import group_of


def main(how: str) -> None:
    group = group_of()
    if how == "one raises" and group.rank == 1:
        raise ValueError("a broken file")
    if how == "all refuse":
        group.agree("version", f"0.{group.rank}")
    if how == "abort" and group.rank == 1:
        print("rank 1 leaves", flush=True)
        group.abort(3)
    group.barrier()
    print("went on")


if __name__ == "__main__":
    main(sys.argv[1])
