"""A training that is kept in a run's folder, whatever its kind: what the ``train`` commands do."""

from __future__ import annotations

import contextlib
import copy
import hashlib
import time
from collections.abc import Callable
from dataclasses import asdict
from typing import Any

from ... import threads
from ...distributed.optimizer import DistributedOptimizer
from ...nn import Module
from ..budget import Budget
from ..interrupt import Interrupted
from ..lm.config import ConfigError
from ..loop import Loop
from ..progress import Progress
from ..step import make_optimizer, make_schedule
from .checkpoint import Checkpoint, Run
from .ranks import alike, gathered, load_random_states
from .task import RunTask

__all__ = ["RunTrainer"]

_SAVE_SECONDS = 30.0


class RunTrainer(Loop):
    """Trains a run's task from where it stands to the end of the run.

    Parameters
    ----------
    task
        What is trained, with a new model or one that `restore` will set. One of the options
        ``steps``, ``epochs`` and ``minutes`` is set.
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

    Several ranks make the same calls and take the same decisions. Only rank 0 reads and writes the
    folder and shows the progress; the same number of ranks gives the same bits.
    """

    task: RunTask

    def __init__(
        self,
        task: RunTask,
        *,
        progress: Progress | None = None,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        config = task.config
        if config.patience is not None and not task.validates:
            raise ConfigError(
                "patience: expected a run that validates, got one without valid or valid_fraction"
            )
        counters = task.new_counters()
        digest = hashlib.sha256(counters.digest.encode()).hexdigest()
        task.group.agree("data", f"what has the fingerprint {digest:.16}")
        optimizer = make_optimizer(config, task.model)
        if task.group.size > 1:
            # Each save compares the parameters, and makes them alike.
            optimizer = DistributedOptimizer(optimizer, task.group, check_every=0)
        super().__init__(
            task,
            optimizer,
            counters,
            budget=Budget(minutes=config.minutes),
            schedule=make_schedule(config, optimizer),
            clip=config.clip,
            patience=config.patience,
            progress=progress,
            now=now,
        )
        self.config = config
        load_random_states(task.group, task.model, task.model.random_state(), ())
        self._plan_steps()
        self._saved_at = 0.0
        self._run: Run | None = None
        self._other_valid = False

    @property
    def model(self) -> Module:
        """What is trained."""
        return self.task.model

    @property
    def total_steps(self) -> int | None:
        """How many steps the run has; None where its length is a time."""
        return self.budget.steps

    def _plan_steps(self) -> None:
        self.budget.steps = self.config.steps
        if self.config.epochs is not None:
            # Batches of earlier, shorter passes count as the steps that they were.
            rest = self.config.epochs * self.task.length - self.task.position
            self.budget.steps = self.counters.step + rest

    # -- going on from a checkpoint -----------------------------------------------------------

    def checkpoint(self) -> Checkpoint:
        """Where the run stands now; whole on rank 0, and all ranks have to ask."""
        self.counters.position = self.task.position
        random = self.model.random_state()
        return Checkpoint(
            model=self.model.state_dict(),
            optimizer=self.optimizer.state_dict(),
            random=random,
            state=gathered(self.task.group, self.task.state),
            counters=asdict(self.counters),
            other_random=(self.task.group.gather(random) or [])[1:],
        )

    def restore(self, checkpoint: Checkpoint) -> None:
        """Put everything where a checkpoint of the same configuration had it.

        Where the data have grown since, the next pass over them begins, and the best model so far
        is measured anew if what validates is something else now.

        Raises
        ------
        ConfigError
            When the checkpoint was made with other data.
        KeyError, TypeError, ValueError
            When it does not fit the model.
        """
        # A run that an older version began knows no digest: its best was measured in another way.
        valid_digest = self.counters.valid_digest
        self._other_valid = checkpoint.counters.get("valid_digest", "") != valid_digest
        counters = self.task.restore(checkpoint.counters, checkpoint.state)
        self.model.load_state_dict(checkpoint.model)
        states = checkpoint.random, checkpoint.other_random
        load_random_states(self.task.group, self.model, *states)
        self.optimizer.load_state_dict(checkpoint.optimizer)
        self.counters = counters
        self._plan_steps()

    # -- the run ------------------------------------------------------------------------------

    def warm_up(self) -> None:
        """Compile all kernels that `run` will need, on copies: nothing here changes."""
        self.task.warm_up()

    def run(self, run: Run, finish: Callable[[], None] | None = None) -> None:
        """Train to the end, saving into a run's folder.

        Parameters
        ----------
        run
            The folder.
        finish
            Called at the end, while no other process can train the run: what it writes there is of
            this model.

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
        self._run, group = run, self.task.group
        with contextlib.ExitStack() as held:
            with group.together("opening the run's folder"):
                held.enter_context(run.exclusive())
            self._run_alone(run)
            if finish is not None and group.rank == 0:
                finish()

    def _run_alone(self, run: Run) -> None:
        with self.interrupts:
            self._compile(run)
            self._measure_best_again()
            self.model.train()
            self._start_clock()
            self._saved_at = self.exchange.read_clock()
            try:
                self._loop()
            except Interrupted as interrupt:
                # Raised anywhere else it may have left half of the parameters updated.
                if interrupt.between_steps:
                    self._save()
                raise
            finally:
                self.progress.clear()
            self.counters.ended_step = self.counters.step
            self._save()

    def summary(self) -> dict[str, Any]:
        """The figures of the run so far."""
        c = self.counters
        return {
            "steps": c.step,
            "epochs": self.task.position / self.task.length,
            "tokens": c.tokens,
            "seconds": c.seconds,
            "tokens_per_second": c.tokens / c.seconds if c.seconds > 0.0 else None,
            "train_loss": c.mean_loss(),
            # The loss of the model that was kept.
            "val_loss": c.best_loss,
            **self.task.figures(c),
            "best_step": c.best_step,
            "last_val_loss": c.val_loss,
            "stopped_early": self.stopped_early(),
            "parameters": sum(p.size for p in self.model.parameters()),
            "ranks": self.task.group.size,
            "threads": threads.get_num_threads(),
        }

    # -- inside -------------------------------------------------------------------------------

    def _compile(self, run: Run) -> None:
        """Warm up on all ranks; a signal that comes to any of them meanwhile ends them all."""
        group = self.task.group
        with group.together("compiling kernels"):
            run.require_step(self.counters.step)
            try:
                with self.interrupts.at_once():
                    self.warm_up()
            except Interrupted:
                if group.size == 1:
                    raise
        if group.size > 1:
            self.exchange.check()

    def _between(self) -> None:
        if self.counters.seconds - self._saved_at >= _SAVE_SECONDS:
            self._save()

    def _valid_every(self) -> int:
        return self.config.valid_every or self.task.length

    def _is_due(self, finished: bool) -> bool:
        c = self.counters
        if c.step == c.measured_step:
            return False
        every = (self.config.log_every, self._valid_every())
        return finished or any(c.step % n == 0 for n in every)

    def _measure(self, finished: bool) -> None:
        """Write a line of metrics, validating first where that is due.

        An interruption while validating leaves everything as it was before, so that the
        continuation begins with the same validation.
        """
        assert self._run is not None
        c, task = self.counters, self.task
        validating = task.validates and (finished or c.step % self._valid_every() == 0)
        result = self._validate() if validating else None
        val_loss = None if result is None else result.loss
        self._read_clock()
        c.measured()
        record = {
            "step": c.step,
            "tokens": c.tokens,
            "train_loss": c.train_loss,
            "val_loss": val_loss,
            "lr": float(self.optimizer.lr),
            "seconds": c.seconds,
        }
        if self.task.group.size > 1:
            record["ranks"] = self.task.group.size
        better = False
        if result is not None:
            record.update(task.record(result))
            c.val_loss = val_loss
            better = c.judge(result.loss)
        if better:
            task.note_best(c, result)
            self._run.save_model(self._finite_model(), step=c.step, val_loss=val_loss)
        self._run.append_metrics(record)
        if validating:
            self.progress.validated(record, better)
            self._save()

    def _measure_best_again(self) -> None:
        """Have the best loss tell of the data that validate now."""
        c = self.counters
        if not self._other_valid or not self.task.validates or c.best_step is None:
            return
        assert self._run is not None
        group, kept = self.task.group, None
        with group.together("reading the best model"):
            if group.rank == 0:
                kept = self._run.model()
        best = copy.deepcopy(self.model)
        best.load_state_dict(group.broadcast(kept))  # type: ignore[arg-type]
        result = self.task.evaluate(best, self.exchange.check)
        c.best_loss, c.since_best = result.loss, 0
        self.task.note_best(c, result)
        self._other_valid = False

    def _keep_alike(self) -> None:
        """Have all ranks go on with rank 0's parameters where theirs are others.

        Of the same sums all make the same steps, but processors of different kinds round otherwise.
        """
        if alike(self.task.group, self.model):
            return
        assert isinstance(self.optimizer, DistributedOptimizer)
        self.optimizer.broadcast()
        self.progress.note(
            f"step {self.counters.step}: the ranks had different parameters, as those on "
            "processors of different kinds come to have; all go on with those of rank 0"
        )

    def _save(self) -> None:
        assert self._run is not None
        self._keep_alike()
        model = self._finite_model()
        if self.counters.best_step is None:
            self._run.save_model(model, step=self.counters.step)
        self._run.save(self.checkpoint())
        self._saved_at = self.exchange.read_clock()
