"""What every module does to its arguments first: refuse what cannot be meant, unify the rest.

Everything a caller passes goes through here. Each function takes the argument's name, with which
its message begins.
"""

from .arrays import as_cotangent, as_float, as_input, real_array
from .integers import as_lengths, as_tokens
from .kinds import dtype, generator
from .scalars import choice, flag, positive, probability, size

__all__ = [
    "as_cotangent",
    "as_float",
    "as_input",
    "as_lengths",
    "as_tokens",
    "choice",
    "dtype",
    "flag",
    "generator",
    "positive",
    "probability",
    "real_array",
    "size",
]
