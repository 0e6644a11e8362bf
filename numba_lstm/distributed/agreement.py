"""What ranks must have in common before they train together, and the error where they do not."""

from __future__ import annotations

import zlib
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._version import __version__
from ..parameters.parameter import Parameter
from .errors import DistributedError, name_ranks, refuse_other

if TYPE_CHECKING:
    from .group import Group

__all__ = [
    "check_finite",
    "check_same_bits",
    "check_same_parameters",
    "check_same_version",
    "digest",
    "name_of",
    "names_by_ranks",
]


def name_of(p: Parameter, at: int) -> str:
    """What messages call a parameter: its number among the optimizer's, and its name."""
    return f"parameter {at}" + (f" ({p.name})" if p.name else "")


def check_same_version(group: Group) -> None:
    """Refuse ranks that run another version of the package: their steps may differ."""
    group.agree("version of numba_lstm", __version__)


def check_same_parameters(group: Group, parameters: Sequence[Parameter]) -> None:
    """Refuse other numbers, shapes or dtypes of parameters, or ones that are frozen elsewhere."""
    mine = [
        f"shape {p.shape} of {p.dtype}" + ("" if p.requires_grad else ", frozen,")
        for p in parameters
    ]
    ranks = group.all_gather(mine)
    refuse_other("number of parameters", [str(len(one)) for one in ranks])
    for at, p in enumerate(parameters):
        refuse_other(name_of(p, at), [one[at] for one in ranks])


def check_finite(group: Group, parameters: Sequence[Parameter]) -> None:
    """Refuse parameters that are infinite or NaN on any rank, by the rank and the parameter."""
    bad = [name_of(p, at) for at, p in enumerate(parameters) if not np.isfinite(p.numpy()).all()]
    ranks = group.all_gather(bad)
    if any(ranks):
        raise DistributedError(
            f"parameters: expected finite numbers, got others on {names_by_ranks(ranks)}"
        )


def digest(parameters: Sequence[Parameter]) -> int:
    """A CRC-32 of the bits of parameters: it reads each once and copies none."""
    found = 0
    for p in parameters:
        found = zlib.crc32(np.ascontiguousarray(p.numpy()).data, found)
    return found


def check_same_bits(group: Group, parameters: Sequence[Parameter]) -> None:
    """Refuse parameters whose bits are not those of rank 0, by the rank and the parameter."""
    ranks = group.all_gather([digest([p]) for p in parameters])
    other = [
        [name_of(p, at) for at, p in enumerate(parameters) if one[at] != ranks[0][at]]
        for one in ranks
    ]
    if any(other):
        raise DistributedError(
            "parameters: expected the same bits on all ranks, got others than on rank 0 on "
            f"{names_by_ranks(other)}; after one rank changed its own, call broadcast() on all; "
            "where ranks have CPUs of different kinds make the optimizer with check_every=0 and "
            "call broadcast() from time to time"
        )


def names_by_ranks(ranks: Sequence[Sequence[str]]) -> str:
    """Say which ranks have what: names by rank, for a message; those without any are left out."""
    having: dict[str, list[int]] = {}
    for rank, names in enumerate(ranks):
        if names:
            having.setdefault(", ".join(names), []).append(rank)
    return "; ".join(f"{name_ranks(of)}: {names:.200}" for names, of in having.items())
