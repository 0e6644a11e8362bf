"""The task of ``train lm``: truncated back-propagation through time over contiguous streams.

One step reads the next window and carries the state in and out.
"""

from __future__ import annotations

import contextlib
import copy
import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from ... import optim
from ...distributed.group import Group
from ..counters import Counters, TextCounters
from ..progress import Progress
from ..runs.ranks import part_of
from ..runs.task import RunTask
from ..step import make_optimizer, train_step
from ..task import Step
from .config import ConfigError, TrainConfig, told
from .data import Data, naming_vocabulary
from .evaluation import Evaluation, evaluate, shortest

if TYPE_CHECKING:
    from ...models import LanguageModel

__all__ = ["TextTask"]

# Without --valid the text's end is held back, and with a longer text that is another part.
_CUT_ANEW = (
    "; its validation part is cut anew, so that losses before and after do not compare (with "
    "--valid they would)"
)


class TextTask(RunTask):
    """Trains a language model.

    Parameters
    ----------
    config
        The options.
    data
        The tokens. Of those to train on the task keeps its own rank's streams.
    model
        A new LanguageModel, or one that will be restored.
    group
        The ranks that share the streams: each has the state of its own.
    """

    kind = "lm"
    config: TrainConfig
    model: LanguageModel

    def __init__(
        self,
        config: TrainConfig,
        data: Data,
        model: LanguageModel,
        group: Group | None = None,
    ) -> None:
        from ...text import Streams

        super().__init__(config, model, group)
        part = self.group.share(config.batch)
        self._digests = data.digest(), data.valid_digest()
        self.streams = Streams(data.train, config.batch, config.seq_len, part=part)
        self.data = data
        if self.group.size > 1:
            # Of the training text a rank keeps what it trains on. What validates may be a view of
            # the same array, which would hold all of it.
            valid = None if data.valid is None else data.valid.copy()
            self.data = dataclasses.replace(data, train=self.streams.tokens, valid=valid)
        self._columns = part.stop - part.start
        self.validates = data.valid is not None
        self.length = len(self.streams)

    @property
    def position(self) -> int:  # type: ignore[override]
        """The streams' position."""
        return self.streams.position

    def new_counters(self) -> TextCounters:
        """Counters of a run that has not begun, with the fingerprints of its text."""
        return TextCounters(
            windows=self.length,
            text_length=self.data.text.length,
            text_digest=self.data.text.digest,
            digest=self._digests[0],
            valid_digest=self._digests[1],
        )

    def restore(self, counters: dict[str, Any], state: Any) -> TextCounters:
        """Go on where a checkpoint of the same options stood.

        Where the text has grown since, the next pass over it begins.

        Raises
        ------
        ConfigError
            When the checkpoint was made with other data.
        TypeError, ValueError
            When it counts something else, or its state is of another model.
        """
        before, here = TextCounters.of(counters), self.new_counters()
        if before.digest != here.digest and not self.data.grown_by:
            self._refuse_other_text(before)
        self._check_state(state)
        self.state = part_of(self.group, state)
        now = before.on_text_of(here)
        self.streams.position = now.position
        return now

    def _check_state(self, state: Any) -> None:
        """Raise ValueError unless a step can begin with a state that a file holds."""
        if state is None:
            return
        config = self.config
        shape, parts = (config.layers, config.batch, config.hidden), 1 + (config.cell == "lstm")
        found = state if isinstance(state, tuple) else (state,)
        if len(found) != parts or isinstance(state, tuple) != (parts == 2):
            raise ValueError(f"state: expected {parts} arrays, got {len(found)}")
        for one in found:
            if not isinstance(one, np.ndarray) or (one.shape, one.dtype) != (shape, config.dtype):
                came = getattr(one, "dtype", type(one).__name__), np.shape(one)
                raise ValueError(f"state: expected {config.dtype} of {shape}, got {came}")
            if not np.isfinite(one).all():
                raise ValueError("state: expected finite numbers, got infinity or NaN")

    def _refuse_other_text(self, counters: TextCounters) -> None:
        where = f"data: {told(self.config.data)}"
        text = "was trained on, with more behind it or not"
        if self.config.valid is not None and counters.text_digest == self.data.text.digest:
            where, text = f"valid: {told(self.config.valid)}", "validates on"
        raise ConfigError(
            f"{where}: expected the text that the run {text}, got another; --init RUN begins a new "
            "run with its weights"
        )

    def naming_sizes(self) -> contextlib.AbstractContextManager[None]:
        """Within it, a lack of memory is told with the vocabulary's size."""
        return naming_vocabulary(self.config, self.model.vocab_size)

    def tell_changes(self, progress: Progress) -> None:
        """Tell how much longer the text is, where it has grown."""
        data, config = self.data, self.config
        if data.grown_by:
            progress.note(
                f"data: {told(config.data)}: {data.grown_by} characters longer than before; the "
                "next pass over it begins"
                + ("" if config.valid or data.valid is None else _CUT_ANEW)
            )

    def warm_up(self) -> None:
        """Compile all kernels that the run will need, on copies: nothing here changes."""
        model = copy.deepcopy(self.model)
        optimizer = make_optimizer(self.config, model)
        window = np.zeros((self.config.seq_len, self._columns), np.int64)
        _, state = train_step(model, optimizer, window, window, None, self.config.clip)
        train_step(model, optimizer, window, window, state, self.config.clip)
        if self.data.valid is not None:
            self._evaluate(model, self.data.valid[: shortest(self.config.batch)])

    def next(self) -> Any:
        """The next window."""
        return next(self.streams)

    def step(self, batch: Any, optimizer: optim.Optimizer, clip: float | None, number: int) -> Step:
        """Train on a window, with the state that the one before left."""
        inputs, targets, fresh = batch
        if fresh:
            self.state = None
        loss, self.state = train_step(
            self.model,
            optimizer,
            inputs,
            targets,
            self.state,
            clip or 0.0,
            number,
            self._columns / self.config.batch,
            lambda part: self.exchange.step(number, part)[0],
        )
        return Step(loss, 1, self.config.batch * self.config.seq_len)

    def evaluate(self, model: Any, check: Callable[[], None]) -> Evaluation:
        """Measure a model on the validation text."""
        assert self.data.valid is not None
        return self._evaluate(model, self.data.valid, check=check, group=self.group)

    def _evaluate(self, model: Any, tokens: np.ndarray, **more: Any) -> Evaluation:
        batch = self.config.batch
        unknown_id = self.data.vocabulary.unknown_id
        window = batch * self.config.seq_len
        return evaluate(model, tokens, window, streams=batch, unknown_id=unknown_id, **more)

    def note_best(self, counters: Counters, result: Evaluation) -> None:
        """Keep the best model's loss over the tokens that are not unknown."""
        assert isinstance(counters, TextCounters)
        counters.best_known_loss = result.known_loss

    def figures(self, counters: Counters) -> dict[str, Any]:
        """What is told of the validation text beside the loss."""
        assert isinstance(counters, TextCounters)
        return {
            "val_known_loss": counters.best_known_loss,
            "val_unknown_share": self.data.unknown_share(),
            "val_skipped": self.data.skipped,
        }
