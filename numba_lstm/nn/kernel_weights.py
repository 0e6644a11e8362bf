"""A recurrent module's parameters as the kernels take them."""

from __future__ import annotations

from typing import Any

from ..parameters import epochs

__all__ = ["weights_of"]


def weights_of(module: Any) -> list[Any]:
    """A `weights.Weights` for each layer and direction, anew when a parameter is exchanged.

    They are kept in the module, with the exchange after which they were looked at last.

    Parameters
    ----------
    module : RNNBase or RNNCellBase
        It names the parameters of each direction in `_names`, and checks them by
        `_check_parameters`.

    Raises
    ------
    TypeError, ValueError
        Naming a parameter that was exchanged for one that does not fit.
    """
    d = module.__dict__
    cached = d.get("_weights")
    if cached is not None and cached[0] == epochs.exchange:
        return cached[2]
    from ..recurrent.weights import DirectionParameters, Weights

    exchange = epochs.exchange
    cell, settings = module.cell(), module.settings()
    values = [tuple(map(d.get, names)) for names in module._names]
    # Ids, as what stands here may be an array, whose == is another; `weights` keep them.
    found = cell, settings, [tuple(map(id, some)) for some in values]
    if cached is not None and cached[1] == found:
        weights = cached[2]
    else:
        module._check_parameters(values)
        weights = [Weights(cell, DirectionParameters(*w), settings) for w in values]
    module._weights = (exchange, found, weights)
    return weights
