"""The training loop: truncated back-propagation through time over contiguous streams.

One step reads the next window, carries the state in and out, and updates the parameters. Between
steps the loop logs, validates and saves; whatever it does there changes no bit of what follows, so
that a run may be stopped anywhere and go on as if it had not been.
"""

from __future__ import annotations

import copy
import math
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import numpy as np

from .. import losses, optim
from .checkpoint import Checkpoint, Run, RunError
from .config import ConfigError, TrainConfig, told
from .counters import Counters
from .data import Data
from .evaluation import Evaluation, evaluate, shortest
from .interrupt import Interrupted, Interrupts
from .progress import Progress

if TYPE_CHECKING:
    from ..models import LanguageModel

__all__ = ["Counters", "Diverged", "Trainer"]

_SAVE_SECONDS = 30.0


class Diverged(ArithmeticError):
    """The loss, the gradient or a parameter stopped being a finite number."""


class Trainer:
    """Trains a language model from where it stands to the end of its run.

    Parameters
    ----------
    config
        The options; one of ``steps``, ``epochs`` and ``minutes`` is set.
    data
        The tokens.
    model
        A new LanguageModel, or one that `restore` will set.
    progress
        What shows the run to a person.
    now
        The clock, in seconds.

    Raises
    ------
    ConfigError
        When the run is to stop early, but nothing validates.

    Notes
    -----
    With ``steps`` or ``epochs`` the run is reproducible to the bit, over any number of
    interruptions and for any number of threads. With ``minutes`` the learning rate follows the
    share of the time that is used up, and how many steps fit into it is the machine's affair. The
    time used before an interruption counts.
    """

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        model: LanguageModel,
        *,
        progress: Progress | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        from ..text import Streams

        if config.patience is not None and data.valid is None:
            raise ConfigError(
                "patience: expected a run that validates, got one without valid or valid_fraction"
            )
        self.config, self.data, self.model = config, data, model
        self.progress = Progress(quiet=True) if progress is None else progress
        self.streams = Streams(data.train, config.batch, config.seq_len)
        self.optimizer = make_optimizer(config, model)
        # It goes by the share of the run that is done and remembers nothing, so that it needs no
        # saving: the learning rate it multiplies is the options'.
        self.schedule = make_schedule(config, self.optimizer)
        self.counters = Counters(
            windows=len(self.streams),
            text_length=data.text.length,
            text_digest=data.text.digest,
            digest=data.digest(),
            valid_digest=data.valid_digest(),
        )
        self.state: tuple[np.ndarray, np.ndarray] | np.ndarray | None = None
        self.interrupts = Interrupts()
        self.total_steps = config.steps
        if config.epochs is not None:
            self.total_steps = config.epochs * len(self.streams)
        self._now = now
        self._since = 0.0
        self._saved_at = 0.0
        self._run: Run | None = None
        self._other_valid = False

    # -- going on from a checkpoint -----------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """Where the run stands now."""
        self.counters.position = self.streams.position
        return Checkpoint(
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            random=self.model.random_state(),
            state=self.state,
            counters=asdict(self.counters),
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put everything where a checkpoint of the same configuration had it.

        Where the text has grown since, the next pass over it begins, and the best model so far is
        measured anew if what validates is another text now.

        Raises
        ------
        ValueError
            When the checkpoint does not fit the model, or was made with other data.
        """
        counters, here = Counters(**checkpoint.counters), self.counters
        if counters.digest != here.digest and not self.data.grown_by:
            raise ValueError(
                f"data: {told(self.config.data)}: expected the text that the run was trained on, "
                "with more behind it or not, got another; --init RUN begins a new run with its "
                "weights"
            )
        self.model.load_state_dict(checkpoint.model)
        self.model.load_random_state(checkpoint.random)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.state = checkpoint.state
        if counters.digest != here.digest:
            self._other_valid = counters.valid_digest != here.valid_digest
            counters = counters.on_text_of(here)
        self.streams.position = counters.position
        self.counters = counters
        if self.config.epochs is not None:
            # Windows of earlier, shorter passes count as the steps that they were.
            rest = self.config.epochs * here.windows - counters.position
            self.total_steps = counters.step + rest

    # -- the run ------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Compile all kernels that `run` will need, on copies: nothing here changes."""
        model = copy.deepcopy(self.model)
        optimizer = make_optimizer(self.config, model)
        window = np.zeros((self.config.seq_len, self.config.batch), np.int64)
        _, state = _train_step(model, optimizer, window, window, None, self.config.clip)
        _train_step(model, optimizer, window, window, state, self.config.clip)
        if self.data.valid is not None:
            few = self.data.valid[: shortest(self.config.batch)]
            self._evaluate(model, few)

    def run(self, run: Run) -> None:
        """Train to the end, saving into a run's folder.

        Raises
        ------
        RunError
            When another process is training the run, or has done so since it was read.
        Diverged
            The last good checkpoint is kept.
        Interrupted
            On SIGINT or SIGTERM: after saving where it is ``between_steps``; else at once, and the
            last good checkpoint is kept.
        """
        self._run = run
        with run.exclusive(), self.interrupts:
            if run.load().counters["step"] != self.counters.step:
                raise RunError(
                    f"{run.path}: another process has trained this run meanwhile: resume it again"
                )
            with self.interrupts.at_once():
                self.warm_up()
                self._measure_best_again()
            self.model.train()
            self._since = self._now() - self.counters.seconds
            self._saved_at = self._now()
            try:
                self._loop()
            except Interrupted as interrupt:
                # Raised anywhere else it may have left half of the parameters updated.
                if interrupt.between_steps:
                    self._save()
                raise
            finally:
                self.progress.clear()
            self._save()

    def fraction(self) -> float:
        """How much of the run is done, 0 to 1."""
        if self.total_steps is not None:
            return min(self.counters.step / self.total_steps, 1.0)
        assert self.config.minutes is not None
        return min(self.counters.seconds / (60.0 * self.config.minutes), 1.0)

    def stopped_early(self) -> bool:
        """Whether the run's patience is at its end."""
        patience = self.config.patience
        return patience is not None and self.counters.since_best >= patience

    def summary(self) -> dict[str, Any]:
        """The figures of the run so far."""
        c = self.counters
        return {
            "steps": c.step,
            "epochs": c.position / len(self.streams),
            "tokens": c.tokens,
            "seconds": c.seconds,
            "tokens_per_second": c.tokens / c.seconds if c.seconds > 0.0 else None,
            "train_loss": self._train_loss(),
            # The loss of the model that was kept.
            "val_loss": c.best_loss,
            "val_known_loss": c.best_known_loss,
            "val_unknown_share": self.data.unknown_share(),
            "val_skipped": self.data.skipped,
            "best_step": c.best_step,
            "last_val_loss": c.val_loss,
            "stopped_early": self.stopped_early(),
            "parameters": sum(p.size for p in self.model.parameters()),
        }

    # -- inside -------------------------------------------------------------------------------

    def _loop(self) -> None:
        while True:
            finished = self.fraction() >= 1.0
            if self._is_due(finished):
                self._measure(finished)
            if finished or self.stopped_early():
                return
            self.interrupts.check()
            self._step()
            if self._now() - self._saved_at >= _SAVE_SECONDS:
                self._save()

    def _step(self) -> None:
        c = self.counters
        inputs, targets, fresh = next(self.streams)
        if fresh:
            self.state = None
        self.schedule.step(self._schedule_place())
        loss, self.state = _train_step(
            self.model, self.optimizer, inputs, targets, self.state, self.config.clip, c.step + 1
        )
        c.step += 1
        c.tokens += targets.size
        c.loss_sum += loss
        c.loss_count += 1
        c.seconds = self._now() - self._since
        self.progress.step(
            {
                "fraction": self.fraction(),
                "step": c.step,
                "seconds": c.seconds,
                "train_loss": self._train_loss(),
                "val_loss": c.val_loss,
                "tokens_per_second": c.tokens / c.seconds if c.seconds > 0.0 else None,
            }
        )

    def _schedule_place(self) -> float:
        """Where on the schedule the next step is: at a share of steps its middle, so that neither
        the first step nor the last has a learning rate of zero."""
        if self.total_steps is not None:
            return (self.counters.step + 0.5) / self.total_steps
        return self.fraction()

    def _is_due(self, finished: bool) -> bool:
        c = self.counters
        if c.step == c.measured_step:
            return False
        every = (self.config.log_every, self.config.valid_every)
        return finished or any(c.step % n == 0 for n in every)

    def _measure(self, finished: bool) -> None:
        """Write a line of metrics, validating first where that is due.

        An interruption while validating leaves everything as it was before, so that the
        continuation begins with the same validation.
        """
        assert self._run is not None
        c = self.counters
        validating = self.data.valid is not None and (
            finished or c.step % self.config.valid_every == 0
        )
        result = self._validate() if validating else None
        val_loss = None if result is None else result.loss
        c.seconds = self._now() - self._since
        c.train_loss = self._train_loss()
        c.loss_sum, c.loss_count, c.measured_step = 0.0, 0, c.step
        record = {
            "step": c.step,
            "tokens": c.tokens,
            "train_loss": c.train_loss,
            "val_loss": val_loss,
            "lr": float(self.optimizer.lr),
            "seconds": c.seconds,
        }
        better = val_loss is not None and (c.best_loss is None or val_loss < c.best_loss)
        if val_loss is not None:
            c.val_loss = val_loss
        if validating:
            c.since_best = 0 if better else c.since_best + 1
        if result is not None and better:
            c.best_loss, c.best_known_loss, c.best_step = val_loss, result.known_loss, c.step
            self._run.save_model(self._finite_model(), step=c.step, val_loss=val_loss)
        self._run.append_metrics(record)
        if validating:
            self.progress.validated(record, better)
            self._save()

    def _validate(self) -> Evaluation:
        assert self.data.valid is not None
        result = self._evaluate(self.model, self.data.valid, check=self.interrupts.check)
        if not math.isfinite(result.loss):
            raise Diverged(f"the validation loss at step {self.counters.step} is {result.loss}")
        return result

    def _measure_best_again(self) -> None:
        """Have the best loss tell of the text that validates now."""
        c = self.counters
        if not self._other_valid or self.data.valid is None or c.best_step is None:
            return
        assert self._run is not None
        best = copy.deepcopy(self.model)
        best.load_state_dict(self._run.model())
        result = self._evaluate(best, self.data.valid)
        c.best_loss, c.best_known_loss, c.since_best = result.loss, result.known_loss, 0
        self._other_valid = False

    def _evaluate(self, model: Any, tokens: np.ndarray, **more: Any) -> Evaluation:
        batch = self.config.batch
        unknown_id = self.data.vocabulary.unknown_id
        window = batch * self.config.seq_len
        return evaluate(model, tokens, window, streams=batch, unknown_id=unknown_id, **more)

    def _train_loss(self) -> float | None:
        c = self.counters
        return c.loss_sum / c.loss_count if c.loss_count else c.train_loss

    def _finite_model(self) -> dict[str, np.ndarray]:
        model = self.model.state_dict()
        for name, array in model.items():
            if not np.isfinite(array).all():
                raise Diverged(f"{name} is not finite after step {self.counters.step}")
        return model

    def _save(self) -> None:
        assert self._run is not None
        model = self._finite_model()
        if self.counters.best_step is None:
            self._run.save_model(model, step=self.counters.step)
        self._run.save(self.checkpoint())
        self._saved_at = self._now()


def _train_step(
    model: LanguageModel,
    optimizer: optim.Optimizer,
    inputs: np.ndarray,
    targets: np.ndarray,
    state: Any,
    clip: float,
    step: int = 0,
) -> tuple[float, Any]:
    """One update; gives the loss before it and the state to carry on."""
    optimizer.zero_grad()
    (logits, state), pullback = model.vjp(inputs, state)
    loss, dlogits = losses.cross_entropy(logits, targets)
    loss = float(loss)
    if not math.isfinite(loss):
        raise Diverged(f"the loss at step {step} is {loss}")
    pullback(dlogits)
    norm = optim.grad_norm(model.parameters())
    if not math.isfinite(norm):
        raise Diverged(f"the gradient's norm at step {step} is {norm}")
    # Clipping in the optimizer's own pass spares one over all gradients.
    optimizer.step(grad_scale=optim.clip_scale(norm, clip) if clip else 1.0)
    return loss, state


def make_optimizer(config: TrainConfig, model: LanguageModel) -> optim.Optimizer:
    """The optimizer that the options name, over a model's parameters."""
    kinds = {"adam": optim.Adam, "adamw": optim.AdamW, "sgd": optim.SGD}
    options = {} if config.weight_decay is None else {"weight_decay": config.weight_decay}
    return kinds[config.optimizer](model.parameters(), lr=config.lr, **options)


def make_schedule(config: TrainConfig, optimizer: optim.Optimizer) -> optim.ConstantLR:
    """The learning rate's course that the options name."""
    kinds = {"cosine": optim.CosineLR, "constant": optim.ConstantLR}
    return kinds[config.schedule](optimizer, warmup=config.warmup)
