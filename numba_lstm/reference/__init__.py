"""Slow, plain NumPy: the oracle that every kernel is compared with.

Each function is the equation, written down once forward and once backward, in float64. Nothing
here imports the rest of the package, so no mistake is shared with it. The forward functions are
analytic (no abs, no comparison of what is differentiated) and accept complex arrays, so that their
derivative can be had by a complex step, to the last digit: Im f(x + ih) / h with h = 1e-30.
"""

from . import embedding, linear, losses, lstm, optim

__all__ = ["embedding", "linear", "losses", "lstm", "optim"]
