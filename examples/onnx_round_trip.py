"""A model to ONNX, through onnxruntime, and back: whole sequences, padded ones, and a stream.

It needs the packages onnx and onnxruntime: pip install 'numba_lstm[onnx]' onnxruntime

    python examples/onnx_round_trip.py
"""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import onnxruntime

from numba_lstm import nn
from numba_lstm.interop import onnx


def main() -> dict[str, float]:
    """Return the greatest differences by what was compared."""
    lstm = nn.LSTM(12, 32, num_layers=2, peepholes=True, seed=0).eval()
    rng = np.random.default_rng(0)
    x = rng.standard_normal((50, 4, 12)).astype(np.float32)  # (T, B, I)
    lengths = np.array([50, 7, 23, 1], np.int32)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lstm.onnx"
        onnx.save(lstm, path)
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 3  # lengths, h0 and c0 have defaults, of which it would warn
        session = onnxruntime.InferenceSession(str(path), options)
        again = onnx.load(path)

    differences = {}

    def compare(what: str, found: np.ndarray, expected: np.ndarray) -> None:
        differences[what] = float(np.abs(found - expected).max())
        print(f"{what:<14}{differences[what]:.1e}")

    y, (_, cn) = lstm(x)
    compare("y", session.run(["y"], {"x": x})[0], y)

    padded, _ = lstm(x, lengths=lengths)
    compare("with lengths", session.run(["y"], {"x": x, "lengths": lengths})[0], padded)

    # A stream: what a call ends with is what the next one begins with.
    state, parts = {}, []
    for chunk in np.split(x, [1, 20, 33]):
        part, h, c = session.run(["y", "hn", "cn"], {"x": chunk, **state})
        state = {"h0": h, "c0": c}
        parts.append(part)
    compare("in chunks", np.concatenate(parts), y)
    compare("final state", state["c0"], cn)

    # Back: a module that can be trained further.
    compare("loaded", again(x)[0], y)
    print(f"onnxruntime and the module differ by {max(differences.values()):.1e} at most")
    return differences


if __name__ == "__main__":
    main()
