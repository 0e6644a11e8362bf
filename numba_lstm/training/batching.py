"""Batches of sequences for training: drawn anew in each pass, and the same for the same seed.

Sequences of unequal length are padded to the longest of their batch. The steps of padding cost as
much as others, so that sequences of about one length go together: the drawn order is cut into pools
of `POOL` batches, each pool is sorted by length, and its batches are shuffled. Of 10,000 lengths
drawn evenly from 10 to 100, in batches of 32, that leaves 2 % of padding instead of 44 %.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from .. import checks
from ..typing import ArrayLike, Seed
from .passes import Passes

__all__ = ["POOL", "Batches", "batches"]

#: Batches that are sorted by length together.
POOL = 50


def batches(
    x: ArrayLike | Sequence[ArrayLike],
    y: ArrayLike | Sequence[ArrayLike],
    batch_size: int,
    *,
    shuffle: bool = True,
    seed: Seed = None,
    lengths: ArrayLike | None = None,
    sample_weight: ArrayLike | None = None,
) -> Batches:
    """Cut samples into batches that can be iterated any number of times.

    Parameters
    ----------
    x : array_like (N, T, I), or sequence of N array_like (T_i, I)
        Samples first. Tokens are integers without the last dimension. Sequences of a list may be
        of unequal length.
    y : array_like (N, …), or sequence of N array_like (T_i, …)
        What belongs to each sample: one thing, such as a class; or, in arrays of three or more
        dimensions and in lists of arrays as long as those of x, something for each step.
    batch_size : int
        Samples in a batch; the last one may have fewer.
    shuffle : bool
        Whether the order is drawn anew in each pass, with sequences of about one length together.
        False keeps the order as it is.
    seed : None, int or numpy.random.Generator
        The same seed gives the same orders, pass by pass.
    lengths : array_like of int (N,), optional
        How many steps of each sample of an array x are valid. What stands behind them is not read.
    sample_weight : array_like (N,), optional
        How much each sample counts, 0 or more. Those of weight 0 are left out.

    Returns
    -------
    Batches
        An iterable of ``(inputs, targets)``, or with weights of ``(inputs, targets, weight)``.
        ``inputs`` is x (T, B, I), time first, or, where x is a list or has lengths, the tuple ``(x,
        lengths)`` with lengths (B,). ``targets`` are (B, …), or time first where y has something
        for each step; where lengths are unequal, the steps of padding have weight 0 then. A weight
        is (B,), or (T, B) with such targets.

    Raises
    ------
    TypeError, ValueError
        Naming the argument, if it is not of such a form, or if x, y or a weight is not finite.

    Examples
    --------
    >>> x = [np.ones((length, 2)) for length in (5, 3, 4, 5)]
    >>> for (padded, lengths), targets in batches(x, [0, 1, 1, 0], 2, shuffle=False):
    ...     print(padded.shape, lengths, targets)
    (5, 2, 2) [5 3] [0 1]
    (5, 2, 2) [4 5] [1 0]
    """
    return Batches(
        x, y, batch_size, shuffle=shuffle, seed=seed, lengths=lengths, sample_weight=sample_weight
    )


class Batches(Passes):
    """Batches that can be iterated any number of times; `batches` makes them, and says how.

    Attributes
    ----------
    epoch : int
        The number of the pass that the next iteration is, from 0 on. It may be set: pass number n
        of one seed always has the same order.
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        batch_size: int,
        *,
        shuffle: bool = True,
        seed: Seed = None,
        lengths: Any = None,
        sample_weight: Any = None,
    ) -> None:
        super().__init__(np.empty(0, np.int64), batch_size, shuffle, seed)
        if _is_ragged(x):
            if lengths is not None:
                raise ValueError(
                    "lengths: expected none for a list of sequences, which have theirs"
                )
            self._x: Any = _sequences("x", x)
            self._lengths: np.ndarray | None = np.array([len(one) for one in self._x], np.int64)
        else:
            self._x = _samples(x)
            self._lengths = None if lengths is None else _checked_lengths(lengths, self._x)
        _check_finite("x", self._x, self._lengths)
        # Whether there is a target for each step, and whether those are the steps of x.
        self._stepwise = self._steps_of_x = False
        self._y = self._targets(y)
        self._weight = None if sample_weight is None else _weights(sample_weight, len(self._x))
        self._samples = np.arange(len(self._x))
        if self._weight is not None:
            self._samples = self._samples[self._weight > 0.0]

    def order(self, epoch: int) -> list[np.ndarray]:
        """Return which samples are in each batch of pass number `epoch`."""
        if self._lengths is None or not self.shuffle:
            return super().order(epoch)
        size, rng = self.batch_size, self._drawn(epoch)
        samples = rng.permutation(self._samples)
        found = []
        for start in range(0, len(samples), POOL * size):
            pool = samples[start : start + POOL * size]
            pool = pool[np.argsort(self._lengths[pool], kind="stable")]
            found += [pool[at : at + size] for at in range(0, len(pool), size)]
        return [found[k] for k in rng.permutation(len(found))]

    def batch(self, chosen: np.ndarray) -> tuple[Any, ...]:
        """Return the batch of some samples, by their numbers."""
        lengths = None if self._lengths is None else self._lengths[chosen]
        x = _gathered(self._x, chosen, lengths)
        inputs = x if lengths is None else (x, lengths)
        weight = None if self._weight is None else self._weight[chosen]
        if not self._stepwise:
            targets = self._y[chosen]
            return (inputs, targets) if weight is None else (inputs, targets, weight)
        # A sequence of targets that has nothing to do with the length of x has no padding.
        within = lengths if self._steps_of_x else None
        targets = _gathered(self._y, chosen, within)
        if within is not None:
            valid = np.arange(len(x))[:, None] < within
            weight = valid * (1.0 if weight is None else weight)
        elif weight is not None:
            weight = np.broadcast_to(weight, targets.shape[:2]).copy()
        return (inputs, targets) if weight is None else (inputs, targets, weight)

    def weight(self, chosen: np.ndarray) -> float:
        """Return how much some samples count in the mean over a batch of them."""
        counts = np.ones(len(chosen)) if self._weight is None else self._weight[chosen]
        if self._steps_of_x and self._lengths is not None:
            counts = counts * self._lengths[chosen]
        return float(counts.sum())

    def _targets(self, y: Any) -> Any:
        samples = len(self._x)
        steps = [len(one) for one in self._x] if self._lengths is None else self._lengths.tolist()
        found: Any = _sequences("y", y) if _is_ragged(y) else checks.real_array("y", y)
        if isinstance(found, np.ndarray) and found.ndim == 0:
            raise ValueError("y: expected an array of N targets, got a number")
        if len(found) != samples:
            raise ValueError(f"y: expected {samples} targets, one a sample, got {len(found)}")
        if isinstance(found, list):
            here = [len(one) for one in found]
            self._stepwise = self._steps_of_x = here == steps
            if here != steps and len(set(here)) > 1:
                k = next(k for k, (a, b) in enumerate(zip(here, steps)) if a != b)
                raise ValueError(
                    f"y: expected sequences as long as those of x, {steps[k]} steps for number "
                    f"{k}, got {here[k]}"
                )
            if not self._stepwise:
                found = np.stack(found)
        if isinstance(found, np.ndarray):
            self._stepwise = found.ndim >= 3
            self._steps_of_x = self._stepwise and found.shape[1] == np.shape(self._x[0])[0]
        within = self._lengths if self._stepwise and self._steps_of_x else None
        _check_finite("y", found, within)
        return found


def _is_ragged(value: Any) -> bool:
    """Whether it is a list of arrays, or what can be no array: sequences with a length each."""
    if isinstance(value, np.ndarray):
        return value.dtype == object
    if not isinstance(value, list | tuple):
        return False
    if any(hasattr(one, "__array__") and np.ndim(one) > 0 for one in value[:1]):
        return True
    try:
        return np.asarray(value).dtype == object
    except ValueError:
        return True


def _sequences(name: str, value: Any) -> list[np.ndarray]:
    """A list of arrays that differ in their first dimension only, of one dtype."""
    found = [checks.real_array(f"{name}[{k}]", one) for k, one in enumerate(value)]
    if not found:
        raise ValueError(f"{name}: expected at least one sequence, got none")
    for k, one in enumerate(found):
        if one.ndim == 0 or one.shape[1:] != found[0].shape[1:]:
            rest = "".join(f", {n}" for n in found[0].shape[1:])
            raise ValueError(f"{name}[{k}]: expected shape (T{rest}), got {one.shape}")
    if name == "x" and found[0].ndim == 1 and found[0].dtype.kind == "f":
        raise ValueError(
            f"x: expected sequences of shape (T, I), or (T,) of tokens, got {found[0].dtype} of "
            f"shape {found[0].shape}; of one feature that is (T, 1)"
        )
    dtype = np.result_type(*{one.dtype for one in found})
    return [np.asarray(one, dtype) for one in found]


def _samples(x: Any) -> np.ndarray:
    array = checks.real_array("x", x)
    if array.ndim < 2 or (array.ndim == 2 and array.dtype.kind == "f"):
        raise ValueError(
            f"x: expected shape (N, T, I), or (N, T) of tokens, got {array.dtype} of shape "
            f"{array.shape}"
        )
    if len(array) == 0:
        raise ValueError("x: expected at least one sample, got none")
    return array


def _checked_lengths(lengths: Any, x: np.ndarray) -> np.ndarray:
    found = checks.as_tokens("lengths", lengths, x.shape[1] + 1, ndim=1)
    if len(found) != len(x):
        raise ValueError(f"lengths: expected {len(x)}, one a sample, got {len(found)}")
    return found.copy()


def _weights(sample_weight: Any, samples: int) -> np.ndarray:
    weight = checks.as_float("sample_weight", sample_weight, np.dtype(np.float64), ndim=1)
    if len(weight) != samples:
        raise ValueError(f"sample_weight: expected {samples}, one a sample, got {len(weight)}")
    bad = ~(np.isfinite(weight) & (weight >= 0.0))
    if bad.any():
        k = int(np.argmax(bad))
        raise ValueError(
            f"sample_weight: expected finite numbers of at least 0, got {weight[k]} at index {k}"
        )
    if not weight.any():
        raise ValueError("sample_weight: expected at least one above 0, got none")
    return weight.copy()


def _check_finite(name: str, value: Any, lengths: np.ndarray | None) -> None:
    """Raise ValueError unless all numbers of arrays, within their lengths, are finite."""
    ragged = isinstance(value, list)
    for k, one in enumerate(value if ragged else [value]):
        if one.dtype.kind != "f":
            continue
        bad = ~np.isfinite(one)
        if not ragged and lengths is not None and bad.any():
            bad[np.arange(one.shape[1]) >= lengths[:, None]] = False
        if bad.any():
            place = tuple(int(i) for i in np.argwhere(bad)[0])
            index = ", ".join(map(str, place))
            where = f"{name}[{k}]" if ragged else name
            raise ValueError(f"{where}: expected finite numbers, got {one[place]} at ({index})")


def _gathered(values: Any, chosen: np.ndarray, lengths: np.ndarray | None) -> np.ndarray:
    """Some samples (N, T, …) as one array (T, B, …), with zeros behind each one's length."""
    if lengths is None and isinstance(values, np.ndarray):
        return np.take(values.swapaxes(0, 1), chosen, axis=1)
    assert lengths is not None or isinstance(values, list)
    sizes = [len(values[i]) for i in chosen] if lengths is None else lengths
    # At least one step, which a sequence of none then has as padding.
    steps = max(int(max(sizes)), 1)
    first = values[int(chosen[0])]
    out = np.zeros((steps, len(chosen), *first.shape[1:]), first.dtype)
    for column, (sample, size) in enumerate(zip(chosen, sizes)):
        out[:size, column] = values[sample][:size]
    return out
