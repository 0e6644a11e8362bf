"""Training a module of one's own: the loop, with what belongs to it, in one call."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from .. import checks, optim
from ..nn import Module
from ..optim.optimizer import check_number
from ..typing import Seed
from .budget import Budget
from .exchange import Exchange
from .fit import Fit
from .history import History
from .progress import Progress
from .supervised import Supervised
from .task import modes_kept

__all__ = ["Trainer"]


class Trainer:
    """Trains a module on batches of inputs and targets.

    Parameters
    ----------
    module : Module
        Anything with `vjp`: a model of `numba_lstm.models`, an `nn.Sequential`, a class of one's
        own. It is called as ``module.vjp(*inputs)``, and to validate as ``module(*inputs)`` in
        evaluation mode.
    loss : callable
        ``loss(outputs, targets)`` gives the loss and its gradient with respect to the outputs, as
        those of `numba_lstm.losses` do. Batches with weights call ``loss(outputs, targets,
        sample_weight=w)``. Of a module with several outputs it gets a tuple, and gives one of
        gradients.
    optimizer : optim.Optimizer
        Over the module's parameters, or some of them. Others are not trained. With a
        `distributed.DistributedOptimizer` all ranks fit together, and `fit` tells what that asks.
    clip : float, optional
        The highest norm of all gradients together.
    schedule : optim.Schedule, optional
        Over the same optimizer. `ConstantLR` and `CosineLR` follow the share of the fit that is
        done, `StepLR` counts epochs, `ReduceLROnPlateau` is given the validation loss of each (the
        training loss where nothing validates).
    patience : int, optional
        Stop after so many epochs in a row without a lower validation loss; where nothing
        validates, without a lower training loss.
    min_delta : float
        A loss must be lower by more than this than the lowest before it to count for `patience`.
        The best epoch is that of the lowest loss, by however little.
    restore_best : bool
        At the end give the module the weights of its lowest validation loss. Where nothing
        validates it keeps the last ones: the training loss of an epoch is of weights that changed
        during it.
    callbacks : sequence of object
        With any of ``on_epoch_end(trainer, record)`` and ``on_step_end(trainer, record)``. One that
        returns True ends the fit, on all ranks where there are several. The record of an epoch is
        that of the history; a step's has epoch, step, train_loss (the mean of the epoch so far),
        seconds and lr.
    progress : bool or Progress, optional
        True shows a line on standard error, that is rewritten on a terminal.
    seed : None, int or numpy.random.Generator
        Puts the module's random generators, those of dropout, where this seed has them, at the
        start of each fit. None leaves them where they are. Of several ranks that give the same seed
        each has random numbers of its own; those of rank 0 are those of one process. The order of
        batches is theirs (`training.batches` has a seed of its own).

    Attributes
    ----------
    history : History
        Of the last fit, also of one that was interrupted.

    Raises
    ------
    TypeError, ValueError
        Naming the argument.

    Notes
    -----
    With ``epochs`` or ``steps`` the result is the same to the bit each time, on any number of
    threads, if module, batches and optimizer begin the same.

    Examples
    --------
    Does a sequence sum to more than nothing?

    >>> import numpy as np
    >>> from numba_lstm import losses, models, optim, training
    >>> x = np.random.default_rng(0).normal(size=(64, 10, 1))
    >>> y = (x.sum(axis=(1, 2)) > 0).astype(int)
    >>> model = models.SequenceClassifier(1, 16, 2, seed=0)
    >>> optimizer = optim.Adam(model.parameters(), lr=0.02)
    >>> trainer = training.Trainer(model, losses.cross_entropy, optimizer, clip=1.0)
    >>> history = trainer.fit(training.batches(x, y, 16, seed=0), epochs=20)
    >>> history.loss_curve[-1] < 0.5 * history.loss_curve[0]
    True
    """

    def __init__(
        self,
        module: Module,
        loss: Callable[..., Any],
        optimizer: optim.Optimizer,
        *,
        clip: float | None = None,
        schedule: optim.Schedule | None = None,
        patience: int | None = None,
        min_delta: float = 0.0,
        restore_best: bool = True,
        callbacks: Sequence[Any] = (),
        progress: bool | Progress | None = None,
        seed: Seed = None,
    ) -> None:
        self.module = _having("module", module, ("vjp", "parameters"), "a Module")
        self.loss = _having("loss", loss, ("__call__",), "a function")
        self.optimizer = _having("optimizer", optimizer, ("step", "param_groups"), "an Optimizer")
        self.clip = None if clip is None else checks.positive("clip", clip)
        self.schedule = schedule
        self.patience = None if patience is None else checks.size("patience", patience)
        self.min_delta = check_number("min_delta", min_delta)
        self.restore_best = checks.flag("restore_best", restore_best)
        self.callbacks = tuple(callbacks)
        self.progress = _progress(progress)
        self.seed = seed
        self.history = History()
        checks.generator(seed)
        _check_together(self.module, self.optimizer, schedule)
        for k, callback in enumerate(self.callbacks):
            if not (hasattr(callback, "on_epoch_end") or hasattr(callback, "on_step_end")):
                raise TypeError(
                    f"callbacks: expected objects with on_epoch_end or on_step_end, got "
                    f"{type(callback).__name__} as number {k}"
                )

    def fit(
        self,
        batches: Iterable[Any],
        valid: Iterable[Any] | None = None,
        epochs: int | None = None,
        minutes: float | None = None,
        steps: int | None = None,
    ) -> History:
        """Train, and go on where a fit before it ended.

        Parameters
        ----------
        batches : iterable
            Of ``(inputs, targets)`` or ``(inputs, targets, sample_weight)``; ``inputs`` is an
            array, or a tuple of what the module takes. Each iteration is an epoch, so that it must
            be one that can be iterated again: a list, or what `training.batches` gives.
        valid : iterable, optional
            The like, for the validation at the end of each epoch. Its loss is the mean over
            batches, each weighted by its number of targets, or by the sum of its weights.
        epochs, minutes, steps : int, float, int
            How long; at least one of them. With several the first that is used up ends the fit.

        Returns
        -------
        History

        Raises
        ------
        Diverged
            If a loss, a gradient or a parameter is not finite. The module then has the weights of
            its best validation if they were to be restored, else those before the step that
            failed; where these are not finite either, those after the epoch before.
        KeyboardInterrupt
            After Ctrl-C, once the step at hand is done: the module is as that step left it (after
            the last step as at the end of any fit), and `history` tells of the epochs until then.
            A second Ctrl-C does not wait for it.
        TypeError, ValueError
            If an argument is of the wrong kind, there is no batch, or inputs, targets or weights
            hold NaN. NaN in the padding that inputs ``(x, lengths)`` have is none of them.
        DistributedError
            On all ranks, if they were given other numbers of batches or other arguments.

        Notes
        -----
        Several ranks of a `distributed.DistributedOptimizer` give batches of their own, equally
        many on each; made with ``average=True`` where the loss is a mean over a batch. They give
        data of their own to validate on, however many, also none on some of them; Ctrl-C waits for
        the end of that. Losses and the time are the same on all. Callbacks may differ: where one
        returns True on one rank, all ranks end after the same step. Where a rank has
        ``on_step_end`` that takes one more message of 8 bytes a step. Rank 0 alone shows the
        progress.
        """
        if epochs is None and minutes is None and steps is None:
            raise ValueError("epochs: expected epochs, minutes or steps, got none of them")
        budget = Budget(
            None if steps is None else checks.size("steps", steps),
            None if epochs is None else checks.size("epochs", epochs),
            None if minutes is None else checks.positive("minutes", minutes),
        )
        for name, value in (("batches", batches), ("valid", valid)):
            if value is not None and not hasattr(value, "__iter__"):
                raise TypeError(f"{name}: expected an iterable, got {type(value).__name__}")
        task = Supervised(self.module, self.loss, batches, valid)
        task.exchange = Exchange(getattr(self.optimizer, "group", None))
        fit = Fit(
            self,
            task,
            restore_best=self.restore_best,
            budget=budget,
            schedule=self.schedule,
            clip=self.clip,
            patience=self.patience,
            min_delta=self.min_delta,
            progress=self.progress if task.group.rank == 0 else None,
        )
        self.history = fit.history
        self._seed_module(task.group.rank)
        with modes_kept(self.module):
            if not self.module.training:
                self.module.train()
            fit.run()
        return fit.history

    def _seed_module(self, rank: int) -> None:
        if self.seed is None:
            return
        found = [rng for _, rng in self.module._generators()]
        seeds = checks.generator(self.seed).integers(2**63, size=len(found))
        child = (rank,) if rank else ()  # else all ranks would drop the same units of their samples
        for rng, seed in zip(found, seeds.tolist(), strict=True):
            own = np.random.SeedSequence(seed, spawn_key=child)
            rng.bit_generator.state = type(rng.bit_generator)(own).state


def _having(name: str, value: Any, methods: Sequence[str], what: str) -> Any:
    if not all(hasattr(value, method) for method in methods):
        raise TypeError(f"{name}: expected {what}, got {type(value).__name__}")
    return value


def _progress(value: bool | Progress | None) -> Progress:
    if value is None or isinstance(value, (bool, np.bool_)):
        return Progress(quiet=not value, unit="time steps")
    return _having("progress", value, ("step", "validated", "clear"), "True, False or a Progress")


def _check_together(module: Module, optimizer: optim.Optimizer, schedule: Any) -> None:
    trained = {id(p) for group in optimizer.param_groups for p in group["params"]}
    if not any(id(p) in trained for p in module.parameters()):
        raise ValueError(
            "optimizer: expected one over the module's parameters, got one that has none of them"
        )
    if schedule is None:
        return
    if not isinstance(schedule, optim.Schedule):
        raise TypeError(f"schedule: expected a Schedule, got {type(schedule).__name__}")
    if schedule.optimizer is not optimizer:
        raise ValueError("schedule: expected one over the same optimizer, got one over another")
