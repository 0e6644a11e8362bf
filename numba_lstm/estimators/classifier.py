"""A classifier of sequences with scikit-learn's interface."""

from __future__ import annotations

from typing import Any

import numpy as np
from scipy.special import log_softmax, softmax
from sklearn.base import ClassifierMixin
from sklearn.utils import column_or_1d, compute_sample_weight
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_array, check_is_fitted

from .. import losses, models
from ..models.documented import documented
from ..typing import Array, ArrayLike
from .options import options_of
from .samples import Samples
from .supervised import SupervisedEstimator
from .values import check_labels, check_values, named

__all__ = ["LSTMClassifier"]


@documented(**options_of("sequence", "sample"))
class LSTMClassifier(ClassifierMixin, SupervisedEstimator):
    """Classify sequences by an LSTM, a GRU or an RNN.

    Parameters
    ----------
    {network}
    pooling : {'last', 'mean', 'max'}
        What the label is told from: the final state, or the mean or the maximum of the outputs over
        the steps of the sequence.
    standardize : bool
        Whether each feature is brought to mean 0 and variance 1, as the samples that train have it.
    {training}
    warm_start : bool
        Whether a further fit goes on with the weights and the scale of the last one. With
        `early_stopping` it sets the same samples aside where it is given the same ones.
    {steps}
    early_stopping : bool
        Whether `validation_fraction` of the samples is set aside, training stops when their loss
        gets no better in `n_iter_no_change` epochs, and the best weights are kept. Without it the
        training loss decides when to stop, and the last weights are kept.
    validation_fraction : float
        The share of samples set aside; of each class alike where there are enough.
    n_iter_no_change : int
        Epochs in a row without a better loss that end the training.
    class_weight : dict, 'balanced' or None
        The weight of each class, which multiplies `sample_weight`; 'balanced' makes classes count
        alike.

    Attributes
    ----------
    classes_ : numpy.ndarray, (C,)
        The labels.
    module_ : models.SequenceClassifier
        The network.
    x_scaler_ : datasets.Scaler or None
        The features' means and variances.
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
    LSTMRegressor, LSTMForecaster

    Notes
    -----
    **X** is one of

    - an array (samples, time, features);
    - a list of arrays or frames (time, features), or of arrays (time,) of one feature, of any
      lengths;
    - a table (samples, time), array or frame: each row is a sequence of one feature, and each
      column a time step.

    A list of lists of numbers is a table where they are equally long, and else one of sequences.
    NaN, infinity, complex numbers and text are refused with a ValueError that names X; times, and
    masked arrays that hide values, with a TypeError. A table has as many columns in `predict` as in
    `fit`; sequences may have any length.

    A fitted estimator may predict from several threads.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> X = [rng.normal(size=(rng.integers(5, 9), 2)) for _ in range(60)]
    >>> y = np.array(["falls", "rises"])[[int(x[-1, 0] > 0) for x in X]]
    >>> model = LSTMClassifier(16, max_iter=60, learning_rate_init=0.02, random_state=0)
    >>> model.fit(X, y).score(X, y) > 0.9
    True
    >>> model.predict_proba(X[:3]).shape
    (3, 2)
    """

    classes_: Any

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
        class_weight: Any = None,
    ) -> None:
        self._keep(locals())

    def fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> LSTMClassifier:
        """Train the network.

        Parameters
        ----------
        X : array_like or list
            The sequences; see the class's notes.
        y : array_like, (samples,)
            Their labels: numbers or strings, of at least two kinds.
        sample_weight : array_like, (samples,), optional
            At least 0 each. A sample of weight 0 is as if it were not there.

        Returns
        -------
        LSTMClassifier
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

    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> LSTMClassifier:
        """Train for one epoch, going on from where the last call left the network.

        The first call sets the scale, and makes the network. The optimizer's state is kept between
        calls.

        Parameters
        ----------
        X, y, sample_weight
            As for `fit`.
        classes : array_like, optional
            All labels that any call will have; needed in the first one.

        Returns
        -------
        LSTMClassifier
            Itself.

        Raises
        ------
        TypeError, ValueError
            As `fit`; if classes is missing, or others than before; with `early_stopping` or a
            `class_weight` of 'balanced'.
        """
        if isinstance(self.class_weight, str):
            raise ValueError(
                "class_weight: expected a dict or None for partial_fit, got "
                f"{self.class_weight!r}, which needs all labels at once"
            )
        return self._fit(True, X, y, sample_weight, classes)

    def predict(self, X: Any) -> Array:
        """Tell the label of each sequence.

        Parameters
        ----------
        X : array_like or list
            As for `fit`.

        Returns
        -------
        numpy.ndarray, (samples,)

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming X.
        """
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def predict_proba(self, X: Any) -> Array:
        """Tell the probability of each label.

        Parameters
        ----------
        X : array_like or list
            As for `fit`.

        Returns
        -------
        numpy.ndarray of float64, (samples, C)
            In the order of ``classes_``; each row sums to 1.

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming X.
        """
        return softmax(self._logits(X), axis=1)

    def predict_log_proba(self, X: Any) -> Array:
        """Tell the logarithm of each label's probability.

        Parameters
        ----------
        X : array_like or list
            As for `fit`.

        Returns
        -------
        numpy.ndarray of float64, (samples, C)

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming X.
        """
        return log_softmax(self._logits(X), axis=1)

    def score(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Give the share of labels that are told right.

        Parameters
        ----------
        X, y
            As for `fit`.
        sample_weight : array_like, (samples,), optional

        Returns
        -------
        float

        Raises
        ------
        NotFittedError, TypeError, ValueError
            Before `fit`; naming X or y.
        """
        self._check_targets(y)
        return float(super().score(X, y, sample_weight))

    def _logits(self, X: Any) -> np.ndarray:
        check_is_fitted(self, "module_")
        return self._outputs(X)[0].astype(np.float64)

    def _prepare(self, incremental: bool, X: Any, y: Any, weights: Any, classes: Any = None) -> Any:
        if incremental:
            self._settle_classes(classes)
        elif not (self.warm_start and hasattr(self, "module_")):
            self.__dict__.pop("classes_", None)
        return super()._prepare(incremental, X, y, weights)

    def _settle_classes(self, classes: Any) -> None:
        known = getattr(self, "classes_", None)
        if classes is None and known is None:
            raise ValueError("classes: expected all labels in the first partial_fit, got None")
        if classes is not None:
            check_values("classes", classes, times=True)
            with named("classes"):
                given = np.unique(np.asarray(classes))
            if known is not None and not np.array_equal(given, known):
                raise ValueError(f"classes: expected {known}, as before, got {given}")
            self.classes_ = given

    def _check_targets(self, y: Any) -> None:
        check_values("y", y, times=True)

    def _targets(self, y: Any, samples: Samples, first: bool) -> np.ndarray:
        with named("y"):
            array = check_array(y, ensure_2d=False, dtype=None, input_name="y", estimator=self)
            check_labels("y", y)
            y = column_or_1d(array, warn=True)
            check_classification_targets(y)
            labels = np.unique(y)
        if not hasattr(self, "classes_"):
            if len(labels) < 2:
                raise ValueError(f"y: expected at least two classes, got one class, {labels[0]}")
            self.classes_ = labels
        unknown = labels[~np.isin(labels, self.classes_)]
        if len(unknown):
            raise ValueError(f"y: expected labels of {self.classes_}, got {unknown[0]}, too")
        return np.searchsorted(self.classes_, y)

    def _network(self, inputs: int, targets: Any) -> Any:
        return models.SequenceClassifier(
            inputs,
            self.hidden_size,
            len(self.classes_),
            pooling=self.pooling,
            seed=self._seed(),
            **self._network_options(),
        )

    def _loss(self) -> Any:
        return losses.cross_entropy

    def _strata(self, targets: Any) -> Any:
        return targets

    def _with_class_weights(self, targets: Any, weights: Any) -> Any:
        if self.class_weight is None:
            return weights
        by_class = compute_sample_weight(self.class_weight, self.classes_[targets])
        return by_class if weights is None else weights * by_class
