"""Weights that torch trained, run without torch: torch -> safetensors -> NumPy.

The first half runs where the model was trained and needs torch. The second half runs anywhere: it
needs numba_lstm only, and its outputs are torch's to rounding.

    python examples/torch_weights_to_numpy.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np

from numba_lstm import nn
from numba_lstm.interop import safetensors, weights

FEATURES, UNITS, CLASSES = 12, 64, 9


def train_and_save(path: Path, x: np.ndarray) -> np.ndarray:
    """Make a classifier in torch, save its weights, and return its logits for x (B, T, I)."""
    import torch
    from safetensors.torch import save_file

    class Classifier(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.rnn = torch.nn.LSTM(FEATURES, UNITS, batch_first=True, bidirectional=True)
            self.head = torch.nn.Linear(2 * UNITS, CLASSES)

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            _, (hn, _) = self.rnn(x)
            return self.head(torch.cat([hn[0], hn[1]], dim=1))

    torch.manual_seed(0)
    model = Classifier().eval()
    # DataParallel and compiled models put a prefix before every name. It does not matter.
    save_file({f"module.{name}": value for name, value in model.state_dict().items()}, path)
    with torch.no_grad():
        return model(torch.from_numpy(x)).numpy()


def infer(path: Path, x: np.ndarray) -> np.ndarray:
    """Compute the logits for x (B, T, I) from the file alone."""
    arrays = safetensors.load(path)
    # Sizes, layers and directions are read from the names and shapes.
    rnn = weights.to_module(arrays, prefix="module.rnn", batch_first=True)
    head = nn.Linear(2 * UNITS, CLASSES)
    head.load_state_dict(arrays, prefix="module.head")
    _, (hn, _) = rnn(x)
    return head(np.concatenate([hn[0], hn[1]], axis=1))


def main() -> float:
    """Do both, and return the greatest difference."""
    x = np.random.default_rng(0).standard_normal((32, 29, FEATURES)).astype(np.float32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "classifier.safetensors"
        expected = train_and_save(path, x)
        found = infer(path, x)
    difference = float(np.abs(found - expected).max())
    agree = float((found.argmax(1) == expected.argmax(1)).mean())
    print(f"logits {found.shape}: {difference:.1e} from torch's, {agree:.0%} of classes the same")
    return difference


if __name__ == "__main__":
    main()
