"""What the estimators share: options of the network and of its training, and one way to train."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state

from .. import checks, losses, optim, training
from ..datasets.scaling import Scaler
from ..nn import Module
from ..optim.optimizer import check_number

__all__ = ["LOSSES", "ROWS", "RecurrentEstimator"]

# Of numbers; of labels there is but one.
LOSSES: dict[str, Any] = {"squared_error": losses.mse, "huber": losses.huber}
# Sequences that are predicted in one call: enough for full speed, few enough for little memory.
ROWS = 512

_SOLVERS = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
_AUTO_BATCH = 32  # small batches make many steps of an epoch, which small data sets need


class RecurrentEstimator(BaseEstimator):
    """The base of LSTMClassifier, LSTMRegressor and LSTMForecaster; use those.

    A subclass makes the network and the batches, and calls `_train`.
    """

    # What `early_stopping` may be besides True and False.
    _MORE_EARLY_STOPPING: tuple[str, ...] = ()

    # The options that every subclass has.
    hidden_size: Any
    num_layers: Any
    cell: Any
    bidirectional: Any
    dropout: Any
    input_dropout: Any
    recurrent_dropout: Any
    standardize: Any
    solver: Any
    alpha: Any
    batch_size: Any
    learning_rate: Any
    learning_rate_init: Any
    max_iter: Any
    shuffle: Any
    random_state: Any
    tol: Any
    verbose: Any
    warm_start: Any
    momentum: Any
    clip: Any
    early_stopping: Any
    validation_fraction: Any
    n_iter_no_change: Any

    # What fit sets.
    module_: Any
    _optimizer: Any
    _split_seed: int | None
    n_features_in_: int
    n_iter_: int
    loss_: float | None
    best_loss_: float | None
    loss_curve_: list[float]
    validation_loss_curve_: list[float] | None

    def _keep(self, arguments: dict[str, Any]) -> None:
        """Keep the constructor's arguments as they are, as scikit-learn wants it."""
        for name in self._get_param_names():
            setattr(self, name, arguments[name])

    def _check_options(self) -> None:
        """Check what no part of the library checks under the name that it has here."""
        checks.choice("solver", self.solver, tuple(_SOLVERS))
        checks.choice("learning_rate", self.learning_rate, ("constant", "cosine"))
        checks.size("max_iter", self.max_iter)
        checks.size("n_iter_no_change", self.n_iter_no_change)
        if not (isinstance(self.batch_size, str) and self.batch_size == "auto"):
            checks.size("batch_size", self.batch_size)
        for name in ("learning_rate_init", "alpha", "tol"):
            check_number(name, getattr(self, name))
        check_number("momentum", self.momentum, below=1.0)
        if self.clip is not None:
            checks.positive("clip", self.clip)
        for name in ("standardize", "shuffle", "warm_start"):
            checks.flag(name, getattr(self, name))
        if self.early_stopping not in self._MORE_EARLY_STOPPING:
            checks.flag("early_stopping", self.early_stopping)
        fraction = checks.probability("validation_fraction", self.validation_fraction)
        if not 0.0 < fraction < 1.0:
            raise ValueError(f"validation_fraction: expected between 0 and 1, got {fraction:g}")

    def _begins(self, incremental: bool) -> bool:
        """Whether a fit begins anew; where it does, forget the last one and draw a seed."""
        self._check_options()
        if incremental and self.early_stopping and not isinstance(self.early_stopping, str):
            raise ValueError("early_stopping: expected False for partial_fit, got True")
        if hasattr(self, "module_") and (incremental or self.warm_start):
            return False
        seed = check_random_state(self.random_state).randint(2**31 - 1, size=4)
        self._rng = np.random.default_rng(seed)
        self._optimizer = None
        self._split_seed = None
        self.loss_curve_ = []
        self.validation_loss_curve_ = None
        self.n_iter_, self.loss_, self.best_loss_ = 0, None, None
        return True

    def _seed(self) -> int:
        return int(self._rng.integers(2**63))

    def _batch_size(self, samples: int) -> int:
        return min(_AUTO_BATCH if self.batch_size == "auto" else self.batch_size, samples)

    def _network_options(self) -> dict[str, Any]:
        names = (
            "num_layers",
            "cell",
            "bidirectional",
            "dropout",
            "input_dropout",
            "recurrent_dropout",
        )
        return {name: getattr(self, name) for name in names}

    def _scaler(self, values: np.ndarray, weights: np.ndarray | None = None) -> Scaler | None:
        """A scaler fitted to values (n, columns); None where nothing is to be scaled."""
        return Scaler.fit(values, weights) if self.standardize else None

    def _fit(self, incremental: bool, *data: Any) -> Any:
        """Read the data and train; where they are refused, nothing has changed."""
        before = dict(self.__dict__)
        try:
            plan = self._prepare(incremental, *data)
        except BaseException:
            self.__dict__ = before
            raise
        self._train(*plan, incremental)
        return self

    def _prepare(
        self, incremental: bool, *args: Any, **kwargs: Any
    ) -> tuple[Callable[..., Any], Iterable[Any], Iterable[Any] | None, int]:
        """Read the data and make the network; the loss, both kinds of batches, and samples."""
        raise NotImplementedError

    def _train(
        self,
        loss: Callable[..., Any],
        batches: Iterable[Any],
        valid: Iterable[Any] | None,
        samples: int,
        incremental: bool,
        module: Module | None = None,
    ) -> training.History:
        """Train ``module_``, or what it holds, on batches of so many samples; keep the losses."""
        module = self.module_ if module is None else module
        if self._optimizer is None or not incremental:
            self._optimizer = self._make_optimizer(module, samples)
        best = _BestWeights()
        trainer = training.Trainer(
            module,
            loss,
            self._optimizer,
            clip=self.clip,
            schedule=None if incremental else self._schedule(self._optimizer),
            patience=None if incremental else self.n_iter_no_change,
            min_delta=self.tol,
            callbacks=() if valid is None else (best,),
            progress=bool(self.verbose),
        )
        try:
            history = trainer.fit(batches, valid, epochs=1 if incremental else self.max_iter)
        except KeyboardInterrupt:
            if best.weights is not None:
                module.load_state_dict(best.weights)
            raise
        finally:
            module.eval().zero_grad()
            if not incremental:
                self._optimizer = None
            if trainer.history.epochs:
                self._remember(trainer.history)
        if history.stopped == "epochs" and valid is None and not incremental:
            warnings.warn(
                f"max_iter={self.max_iter} epochs were done and the training loss still falls; "
                "a greater max_iter or learning_rate_init may give a better fit",
                ConvergenceWarning,
                stacklevel=4,
            )
        return history

    def _schedule(self, optimizer: Any) -> Any:
        return optim.CosineLR(optimizer) if self.learning_rate == "cosine" else None

    def _make_optimizer(self, module: Module, samples: int) -> Any:
        # As scikit-learn's networks have it: a penalty of all samples, while losses are of one.
        decay = self.alpha if self.solver == "adamw" else self.alpha / samples
        options = {"lr": self.learning_rate_init, "weight_decay": decay}
        if self.solver == "sgd":
            options["momentum"] = self.momentum
        return _SOLVERS[self.solver](module.parameters(), **options)

    def _remember(self, history: Any) -> None:
        self.loss_curve_ = [*self.loss_curve_, *history.loss_curve]
        if history.val_curve:
            self.validation_loss_curve_ = [
                *(self.validation_loss_curve_ or []),
                *history.val_curve,
            ]
        self.n_iter_ = len(self.loss_curve_)
        self.loss_ = self.loss_curve_[-1]
        self.best_loss_ = history.best_loss


class _BestWeights:
    """Keeps the weights of the lowest validation loss, for a training that is interrupted."""

    def __init__(self) -> None:
        self.weights: dict[str, np.ndarray] | None = None

    def on_epoch_end(self, trainer: Any, record: dict[str, Any]) -> None:
        if trainer.history.best_epoch == record["epoch"]:
            self.weights = trainer.module.state_dict()
