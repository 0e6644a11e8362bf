"""Optimizers, gradient clipping and learning-rate schedules, with torch's defaults and numbers."""

from __future__ import annotations

from .adam import Adam, AdamW
from .clip import clip_grad_norm_, clip_scale, grad_norm
from .optimizer import Optimizer
from .schedules import ConstantLR, CosineLR, ReduceLROnPlateau, Schedule, StepLR
from .sgd import SGD

__all__ = [
    "SGD",
    "Adam",
    "AdamW",
    "ConstantLR",
    "CosineLR",
    "Optimizer",
    "ReduceLROnPlateau",
    "Schedule",
    "StepLR",
    "clip_grad_norm_",
    "clip_scale",
    "grad_norm",
]
