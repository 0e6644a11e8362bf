"""What a fit went through."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

__all__ = ["History"]


@dataclass
class History:
    """What `Trainer.fit` gives.

    Attributes
    ----------
    epochs : list of dict
        One for each pass over the batches: epoch (from 1), step (steps so far), train_loss (the
        mean over the pass), val_loss (None where nothing validates), seconds (so far) and lr. A
        pass that was cut short by ``steps`` or ``minutes`` has one, too.
    best_epoch : int or None
        The epoch with the lowest validation loss; without validation, the lowest training loss.
    best_loss : float or None
        That loss.
    stopped : str
        Why the fit ended: "epochs", "steps" or "minutes" were used up, "patience" or a "callback"
        stopped it, it was "interrupted", or it "diverged".
    """

    epochs: list[dict[str, Any]] = field(default_factory=list)
    best_epoch: int | None = None
    best_loss: float | None = None
    stopped: str = ""

    @property
    def loss_curve(self) -> list[float]:
        """The training loss of each epoch."""
        return [record["train_loss"] for record in self.epochs]

    @property
    def val_curve(self) -> list[float]:
        """The validation loss of each epoch; empty where nothing validates."""
        found = [record["val_loss"] for record in self.epochs]
        return [] if None in found else found
