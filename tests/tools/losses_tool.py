"""What tests of several losses share."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from numba_lstm import losses

DTYPES = [np.float32, np.float64]
TOLERANCE = {np.float32: 1e-6, np.float64: 1e-13}
PAIRS = [losses.mse, losses.binary_cross_entropy_with_logits, losses.huber]
NAMES = {losses.binary_cross_entropy_with_logits: ("logits", "targets")}
TORCH = {
    losses.mse: "mse_loss",
    losses.binary_cross_entropy_with_logits: "binary_cross_entropy_with_logits",
    losses.huber: "huber_loss",
}


def torch_result(name: str, x: Any, targets: Any, **options: Any) -> tuple[float, np.ndarray]:
    """Loss and gradient of torch.nn.functional's."""
    torch = pytest.importorskip("torch")
    tensor = torch.tensor(x, requires_grad=True)
    loss = getattr(torch.nn.functional, name)(tensor, torch.tensor(targets), **options)
    loss.backward()
    return loss.item(), tensor.grad.numpy()
