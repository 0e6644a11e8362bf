"""What is said of a run that has not come to its end, wherever its model is used."""

from __future__ import annotations

__all__ = ["not_ended"]


def not_ended(run: str) -> list[str]:
    """Give a note about a run that was interrupted, or is being trained.

    Raises
    ------
    ValueError
        When it is no run.
    """
    from ..training.runs.checkpoint import COMBINED, Run

    opened = Run(run)
    note = "the run has not ended: it was interrupted, or is being trained"
    if opened.kind.kind == "forecast":
        if opened.has(COMBINED):
            return []
        return [
            f"{note}; its networks forecast alone, for the linear forecasters and the weights are "
            "found at its end"
        ]
    try:
        if opened.ended():
            return []
    except (OSError, ValueError):  # to use a model its state is not needed
        return []
    return [f"{note}; this is the best of its models so far"]
