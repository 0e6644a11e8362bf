"""A regressor of sequences with scikit-learn's interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.base import RegressorMixin
from sklearn.metrics import r2_score
from sklearn.utils.validation import check_array

from .. import checks, models
from ..models.documented import documented
from ..typing import Array
from .base import LOSSES
from .options import options_of
from .samples import Samples, is_many, read_many
from .supervised import SupervisedEstimator
from .values import named

__all__ = ["LSTMRegressor"]


@documented(**options_of("sequence", "sample"))
class LSTMRegressor(RegressorMixin, SupervisedEstimator):
    """Give numbers for sequences, or for each of their steps, by an LSTM, a GRU or an RNN.

    Parameters
    ----------
    {network}
    pooling : {'last', 'mean', 'max'}
        What the numbers are told from: the final state, or the mean or the maximum of the outputs
        over the steps of the sequence. Not looked at with `return_sequences`.
    return_sequences : bool
        Whether there are targets of each step instead of each sequence.
    loss : {'squared_error', 'huber'}
        What is minimised, of targets on the scale of `standardize`.
    standardize : bool
        Whether each feature and each target is brought to mean 0 and variance 1, as the samples
        that train have it. Predictions are on the targets' own scale.
    {training}
    warm_start : bool
        Whether a further fit goes on with the weights and the scales of the last one. With
        `early_stopping` it sets the same samples aside where it is given the same ones.
    {steps}
    early_stopping : bool
        Whether `validation_fraction` of the samples is set aside, training stops when their loss
        gets no better in `n_iter_no_change` epochs, and the best weights are kept. Without it the
        training loss decides when to stop, and the last weights are kept.
    validation_fraction : float
        The share of samples set aside.
    n_iter_no_change : int
        Epochs in a row without a better loss that end the training.

    Attributes
    ----------
    module_ : models.SequenceRegressor
        The network.
    x_scaler_, y_scaler_ : datasets.Scaler or None
        Means and variances of the features and of the targets.
    loss_curve_ : list of float
        The mean training loss of each epoch, over all fits that went on from another.
    validation_loss_curve_ : list of float or None
        That of the samples set aside, with `early_stopping`.
    n_iter_ : int
        The epochs.
    loss_, best_loss_ : float
        The last training loss, and the best loss of the last fit: on the samples set aside, with
        `early_stopping`.
    n_features_in_ : int
        The features of each step; of a table its columns.
    feature_names_in_ : numpy.ndarray of str
        Their names, where X had some that are all strings.

    See Also
    --------
    LSTMClassifier, LSTMForecaster

    Notes
    -----
    **X** is as for an `LSTMClassifier`: (samples, time, features), a list of sequences, or a table
    whose rows are sequences of one feature.

    **y** is (samples,) or (samples, targets). With `return_sequences` it is (samples, time) or
    (samples, time, targets), or a list of (time,) or (time, targets), of the lengths of X.
    Predictions have the form of y, and are float64.

    NaN, infinity, complex numbers and text are refused with a ValueError that names X or y; times,
    and masked arrays that hide values, with a TypeError.

    A fitted estimator may predict from several threads.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.random.default_rng(0).normal(size=(100, 12, 1))
    >>> model = LSTMRegressor(16, learning_rate_init=0.02, max_iter=60, random_state=0)
    >>> y = X[:, :, 0].mean(axis=1)
    >>> model.fit(X, y).score(X, y) > 0.9
    True

    Of each step:

    >>> y = X[:, :, 0].cumsum(axis=1)
    >>> model.set_params(return_sequences=True).fit(X, y).predict(X[:5]).shape
    (5, 12)
    """

    y_scaler_: Any
    # The axes of a target beyond samples and steps: () or (O,).
    _target_shape: tuple[int, ...]

    def __init__(
        self,
        hidden_size: Any = 64,
        *,
        num_layers: Any = 1,
        cell: Any = "lstm",
        bidirectional: Any = False,
        dropout: Any = 0.0,
        input_dropout: Any = 0.0,
        recurrent_dropout: Any = 0.0,
        pooling: Any = "last",
        return_sequences: Any = False,
        loss: Any = "squared_error",
        standardize: Any = True,
        solver: Any = "adam",
        alpha: Any = 0.0,
        batch_size: Any = "auto",
        learning_rate: Any = "constant",
        learning_rate_init: Any = 0.005,
        max_iter: Any = 200,
        shuffle: Any = True,
        random_state: Any = None,
        tol: Any = 1e-4,
        verbose: Any = False,
        warm_start: Any = False,
        momentum: Any = 0.9,
        clip: Any = 1.0,
        early_stopping: Any = False,
        validation_fraction: Any = 0.1,
        n_iter_no_change: Any = 10,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSTMRegressor:
        """Train the network.

        Parameters
        ----------
        X : array_like or list
            The sequences; see the class's notes.
        y : array_like or list
            Their targets; see the class's notes.
        sample_weight : array_like, (samples,), optional
            At least 0 each. A sample of weight 0 is as if it were not there.

        Returns
        -------
        LSTMRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            Naming X, y, sample_weight or an option.
        training.Diverged
            If the loss is no longer finite.
        KeyboardInterrupt
            After Ctrl-C. The network has then learnt what it has, as `loss_curve_` tells; with
            `early_stopping` it has the best weights.
        """
        return self._fit(False, X, y, sample_weight)

    def partial_fit(self, X: Any, y: Any, sample_weight: Any = None) -> LSTMRegressor:
        """Train for one epoch, going on from where the last call left the network.

        The first call sets the scales, and makes the network. The optimizer's state is kept between
        calls.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.

        Returns
        -------
        LSTMRegressor
            Itself.

        Raises
        ------
        TypeError, ValueError
            As `fit`; with `early_stopping`.
        """
        return self._fit(True, X, y, sample_weight)

    def predict(self, X: Any) -> Array | list[Array]:
        """Give the numbers of each sequence, or of each step.

        Parameters
        ----------
        X : array_like or list
            As for `fit`.

        Returns
        -------
        numpy.ndarray of float64, (samples,) or (samples, targets)
            With `return_sequences` (samples, time) or (samples, time, targets); a list of (time,)
            or (time, targets) where lengths differ.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming X.
        """
        outputs, samples = self._outputs(X)
        values = outputs.astype(np.float64)
        if self.y_scaler_ is not None:
            values = self.y_scaler_.inverse(values)
        if self.module_.pooling is not None:
            return values.reshape(-1, *self._target_shape)
        sequences = samples.replace(values).sequences()
        if isinstance(sequences, list):
            return [one.reshape(-1, *self._target_shape) for one in sequences]
        return sequences.reshape(*sequences.shape[:2], *self._target_shape)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Give the coefficient of determination R² of the predictions; 1 is the best.

        Parameters
        ----------
        X, y
            As for `fit`. With `return_sequences` all steps of all sequences count alike.
        sample_weight : array_like, (samples,), optional

        Returns
        -------
        float

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming X or y.
        """
        predicted = self.predict(X)
        self._check_targets(y)
        if self.module_.pooling is not None:
            return float(r2_score(y, predicted, sample_weight=sample_weight))
        true, ours = _read_steps(self, y), _read_steps(self, predicted)
        if not np.array_equal(true.lengths, ours.lengths):
            raise ValueError("y: expected targets of each step of X, got other lengths")
        if sample_weight is not None:
            sample_weight = np.repeat(np.asarray(sample_weight), true.lengths)
        return float(r2_score(true.steps, ours.steps, sample_weight=sample_weight))

    def _targets(self, y: Any, samples: Samples, first: bool) -> Any:
        if checks.flag("return_sequences", self.return_sequences):
            targets = _read_steps(self, y)
            if not np.array_equal(targets.lengths, samples.lengths):
                n = int(np.argmax(targets.lengths != samples.lengths))
                raise ValueError(
                    f"y[{n}]: expected {samples.lengths[n]} steps, as X[{n}] has, "
                    f"got {targets.lengths[n]}"
                )
            shape = _axes_of_a_step(y)
            width = targets.steps.shape[1]
        else:
            with named("y"):
                targets = check_array(
                    y, dtype=np.float64, ensure_2d=False, input_name="y", estimator=self
                )
            shape = targets.shape[1:]
            targets = targets.reshape(len(targets), -1)
            width = targets.shape[1]
        if not first and width != self.module_.output_size:
            raise ValueError(f"y: expected {self.module_.output_size} targets, got {width}")
        self._target_shape = shape
        return targets

    def _scaled_targets(self, targets: Any, part: np.ndarray, weights: Any, first: bool) -> Any:
        by_step = isinstance(targets, Samples)
        if first:
            chosen = targets.take(part).steps if by_step else targets[part]
            if by_step and weights is not None:
                weights = np.repeat(weights, targets.lengths[part])
            self.y_scaler_ = self._scaler(chosen, weights)
        values = targets.steps if by_step else targets
        if self.y_scaler_ is not None:
            values = self.y_scaler_.transform(values)
        values = values.astype(np.float32)
        return targets.replace(values) if by_step else values

    def _network(self, inputs: int, targets: Any) -> Any:
        if self.return_sequences:
            pooling, width = None, targets.steps.shape[1]
        else:
            pooling, width = self.pooling, targets.shape[1]
            if pooling is None:
                raise ValueError("pooling: expected 'last', 'mean' or 'max', got None")
        options = {**self._network_options(), "seed": self._seed()}
        return models.SequenceRegressor(inputs, self.hidden_size, width, pooling=pooling, **options)

    def _loss(self) -> Any:
        return LOSSES[checks.choice("loss", self.loss, tuple(LOSSES))]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.target_tags.multi_output = True
        return tags


def _read_steps(estimator: Any, y: Any) -> Samples:
    """Targets of each step: (N, T), (N, T, O), or a list of (T_n,) or (T_n, O)."""
    if is_many(y):
        samples = read_many("y", y, estimator)
        return samples.replace(samples.steps.astype(np.float64, copy=False))
    with named("y"):
        array = check_array(y, dtype=np.float64, allow_nd=True, input_name="y", estimator=estimator)
    array = array.reshape(*array.shape[:2], -1)
    return Samples(array.reshape(-1, array.shape[2]), np.full(len(array), array.shape[1], np.int64))


def _axes_of_a_step(y: Any) -> tuple[int, ...]:
    """The shape of one step's target."""
    return np.shape(y[0])[1:] if is_many(y) else np.shape(y)[2:]
