"""What the classifier and the regressor share: samples with one target each, or one a step."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.model_selection import train_test_split
from sklearn.utils.validation import _check_sample_weight, check_is_fitted

from .. import training
from .base import ROWS, RecurrentEstimator
from .samples import Samples, read_samples
from .values import check_values, named
from .weights import unbiased

__all__ = ["SupervisedEstimator"]

# Sums of weights and of weighted squares must be finite.
_HEAVIEST = 1e100


class SupervisedEstimator(RecurrentEstimator):
    """The base of LSTMClassifier and LSTMRegressor; use those.

    A subclass reads its targets, makes its network and says its loss.
    """

    _table: bool
    x_scaler_: Any

    def _targets(self, y: Any, samples: Samples, first: bool) -> Any:
        """The targets as the loss takes them: an array (N, …), or Samples with one a step."""
        raise NotImplementedError

    def _network(self, inputs: int, targets: Any) -> Any:
        raise NotImplementedError

    def _loss(self) -> Any:
        raise NotImplementedError

    def _strata(self, targets: Any) -> Any:
        """Labels whose shares a validation part keeps; None for none."""
        return None

    def _scaled_targets(self, targets: Any, part: np.ndarray, weights: Any, first: bool) -> Any:
        """The targets on the scale of the network; the scale follows from `part` of them."""
        return targets

    def _prepare(self, incremental: bool, X: Any, y: Any, weights: Any) -> Any:
        first = self._begins(incremental)
        if y is None:
            raise ValueError(
                f"{type(self).__name__} requires y to be passed, but the target y is None"
            )
        samples = read_samples(self, X, reset=first)
        self._check_targets(y)
        count = _length_of(y)
        if count != len(samples):
            raise ValueError(f"y: expected {len(samples)} targets, one a sample of X, got {count}")
        weights = None if weights is None else _checked_weights(weights, samples)
        # What has no weight is as if it were not there: in classes, scaling, splits and batches.
        samples, y, weights = _without_zeros(samples, y, weights)
        targets = self._targets(y, samples, first)
        weights = _not_too_heavy("class_weight", self._with_class_weights(targets, weights))
        samples, targets, weights = _without_zeros(samples, targets, weights)
        train, valid = self._split(targets)
        train_weights = None if weights is None else weights[train]
        targets = self._scaled_targets(targets, train, train_weights, first)
        part = samples if valid is None else samples.take(train)
        if first:
            by_step = None if weights is None else np.repeat(weights[train], part.lengths)
            self.x_scaler_ = self._scaler(part.steps, by_step)
            self.module_ = self._network(samples.steps.shape[1], targets)
        batches = self._batches(part, _take(targets, train), train_weights, self.shuffle)
        if valid is not None:
            held_out = None if weights is None else weights[valid]
            valid = self._batches(samples.take(valid), _take(targets, valid), held_out, False)
        return unbiased(self._loss()), batches, valid, len(train)

    def _check_targets(self, y: Any) -> None:
        check_values("y", y)

    def _with_class_weights(self, targets: Any, weights: Any) -> Any:
        return weights

    def _split(self, targets: Any) -> tuple[np.ndarray, Any]:
        """The samples that train, and those that validate or None.

        A fit that goes on from another sets the same ones of the same samples aside, so that none
        of them was trained on before.
        """
        everything = np.arange(len(targets))
        if not self.early_stopping:
            return everything, None
        if self._split_seed is None:
            self._split_seed = self._seed()
        return self._split_of(targets, self._split_seed)

    def _split_of(self, targets: Any, seed: int) -> tuple[np.ndarray, np.ndarray]:
        count = len(targets)
        held_out = max(1, round(self.validation_fraction * count))
        if held_out >= count:
            raise ValueError(
                "early_stopping: expected at least 2 samples, one to set aside, "
                f"got n_samples={count}"
            )
        train, valid = train_test_split(
            np.arange(count),
            test_size=held_out,
            stratify=_if_enough(self._strata(targets), held_out),
            random_state=seed % 2**32,
        )
        return np.sort(train), np.sort(valid)

    def _batches(self, samples: Samples, targets: Any, weights: Any, shuffle: bool) -> Any:
        return training.batches(
            self._scaled(samples).sequences(),
            targets.sequences() if isinstance(targets, Samples) else targets,
            self._batch_size(len(samples)),
            shuffle=shuffle,
            seed=self._seed(),
            sample_weight=None if weights is None else weights / weights.mean(),
        )

    def _scaled(self, samples: Samples) -> Samples:
        steps = samples.steps
        if self.x_scaler_ is not None:
            steps = self.x_scaler_.transform(steps)
        return samples.replace(steps.astype(np.float32, copy=False))

    def _outputs(self, X: Any) -> tuple[Any, Samples]:
        """The network's outputs, (N, O), or with one a step (the sum of lengths, O); and X."""
        check_is_fitted(self, "module_")
        samples = read_samples(self, X, reset=False)
        scaled = self._scaled(samples)
        by_step = self.module_.pooling is None
        # Sequences of near lengths together, so that little is padded.
        order = np.argsort(scaled.lengths, kind="stable")
        found = None
        for at in range(0, len(order), ROWS):
            index = order[at : at + ROWS]
            x, lengths = scaled.batch(index)
            outputs = self.module_(x, lengths)
            if found is None:
                count = len(scaled.steps) if by_step else len(scaled)
                found = np.empty((count, outputs.shape[-1]), outputs.dtype)
            if by_step:
                for row, n in enumerate(index):
                    length = scaled.lengths[n]
                    found[scaled.starts[n] : scaled.starts[n] + length] = outputs[:length, row]
            else:
                found[index] = outputs
        return found, samples

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.three_d_array = True
        return tags


def _length_of(y: Any) -> int:
    if not hasattr(y, "__len__"):
        y = np.atleast_1d(np.asarray(y))
    return len(y)


def _take(values: Any, index: np.ndarray) -> Any:
    if isinstance(values, Samples):
        return values.take(index)
    if isinstance(values, (list, tuple)):
        return [values[i] for i in index]
    return np.asarray(values)[index]


def _without_zeros(samples: Samples, y: Any, weights: Any) -> tuple[Samples, Any, Any]:
    """The samples of weights above 0, their targets and weights."""
    if weights is None or weights.all():
        return samples, y, weights
    if not weights.any():
        raise ValueError("sample_weight: expected a weight above zero, got only zeros")
    some = np.flatnonzero(weights)
    return samples.take(some), _take(y, some), weights[some]


def _checked_weights(weights: Any, samples: Samples) -> np.ndarray:
    """Weights of samples, at least 0 each."""
    check_values("sample_weight", weights)
    with named("sample_weight"):
        found = _check_sample_weight(
            weights, samples.lengths[:, None], dtype=np.float64, ensure_non_negative=True
        )
    return _not_too_heavy("sample_weight", found)


def _not_too_heavy(name: str, weights: Any) -> Any:
    if weights is not None and len(weights) * float(weights.max()) > _HEAVIEST:
        raise ValueError(
            f"{name}: expected weights that add up to at most {_HEAVIEST:g}, "
            f"got {weights.max():g} as the greatest"
        )
    return weights


def _if_enough(strata: Any, held_out: int) -> Any:
    """The labels, where both parts can hold some of each; else None."""
    if strata is None:
        return None
    counts = np.unique(strata, return_counts=True)[1]
    enough = counts.min() >= 2 and len(counts) <= min(held_out, len(strata) - held_out)
    return strata if enough else None
