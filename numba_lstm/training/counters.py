"""What a run counts, all of which a continuation needs."""

from __future__ import annotations

from dataclasses import dataclass, replace

__all__ = ["Counters"]


@dataclass
class Counters:
    """What the loop counts, all of which a continuation needs.

    Attributes
    ----------
    step, tokens
        Steps done, and tokens trained on.
    seconds
        The time training has taken, validation and saving included, over all continuations.
    position
        The streams' position.
    loss_sum, loss_count
        The losses of the steps since the last line of metrics.
    measured_step
        The step of the last line of metrics.
    train_loss, val_loss
        Of the last line that had them.
    best_loss, best_known_loss, best_step
        Of the best validation so far; over all tokens, and over those that are not unknown.
    since_best
        Validations since then, none of them better.
    windows
        Windows in a pass over the text.
    text_length, text_digest
        The text's `Fingerprint`.
    digest, valid_digest
        Fingerprints of all tokens, and of those that validate.
    """

    step: int = 0
    tokens: int = 0
    seconds: float = 0.0
    position: int = 0
    loss_sum: float = 0.0
    loss_count: int = 0
    measured_step: int = 0
    train_loss: float | None = None
    val_loss: float | None = None
    best_loss: float | None = None
    best_known_loss: float | None = None
    best_step: int | None = None
    since_best: int = 0
    windows: int = 0
    text_length: int = 0
    text_digest: str = ""
    digest: str = ""
    valid_digest: str = ""

    def on_text_of(self, other: Counters) -> Counters:
        """The same run at the beginning of its next pass, over the text that ``other`` is of."""
        passes = -(-self.position // self.windows)
        names = ("windows", "text_length", "text_digest", "digest", "valid_digest")
        text = {name: getattr(other, name) for name in names}
        return replace(self, position=passes * other.windows, **text)
