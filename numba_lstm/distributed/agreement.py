"""What ranks must have in common before they train together, and the error where they do not."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from .._version import __version__
from ..parameters.parameter import Parameter
from .errors import DistributedError, refuse_other

if TYPE_CHECKING:
    from .group import Group

__all__ = ["check_no_nan", "check_same_parameters", "check_same_version", "name_of"]


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


def check_no_nan(group: Group, parameters: Sequence[Parameter]) -> None:
    """Refuse parameters that hold NaN on any rank, by the rank and the parameter."""
    bad = [name_of(p, at) for at, p in enumerate(parameters) if np.isnan(p.numpy()).any()]
    ranks = {rank: names for rank, names in enumerate(group.all_gather(bad)) if names}
    if ranks:
        has = "; ".join(f"rank {rank}: {', '.join(names):.200}" for rank, names in ranks.items())
        raise DistributedError(f"parameters: expected no NaN, got some on {has}")
