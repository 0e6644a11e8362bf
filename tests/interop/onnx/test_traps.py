"""Small files that tripped other importers give the answers that lie beside them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import onnx as interop

TRAPS = Path(__file__).parents[2] / "data" / "traps"
FILES = sorted(TRAPS.glob("*.onnx"))
# What `load` makes of each, or the words with which it refuses.
LOADED = {
    "01-empty-names-in-the-middle": nn.LSTM,
    "03-gru-default-reset": nn.GRU,
    "05-lengths-with-zero-bidirectional": nn.LSTM,
    "07-hard-sigmoid-defaults": "attribute activations: nn.LSTM has Sigmoid",
    "09-layout-1": nn.LSTM,
    "11-no-hidden-size-relu": nn.RNN,
    "13-constants-and-transposes": nn.LSTM,
    "15-shared-weights-chained-states": "input X: expected Y of",
}


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_gives_its_answer(path):
    arrays = np.load(path.with_suffix(".npz"))
    session = interop.session(path)
    given = {name[3:]: arrays[name] for name in arrays if name.startswith("in_")}
    names = [name[4:] for name in arrays if name.startswith("out_")]
    outputs = session.run(names, given)
    assert {one.name for one in session.get_inputs()} == set(given)
    for name, output in zip(names, outputs):
        wanted = arrays[f"out_{name}"]
        assert output.shape == wanted.shape and output.dtype == wanted.dtype
        assert np.abs(output - wanted).max() <= 2e-6, name


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_the_file_is_loaded_or_refused_by_node(path):
    wanted = LOADED[path.stem]
    if isinstance(wanted, str):
        with pytest.raises(ValueError, match=wanted) as error:
            interop.load(path)
        assert str(path) in str(error.value) and "'Y" in str(error.value)
        return
    module = interop.load(path)
    assert isinstance(module, wanted)
    arrays = np.load(path.with_suffix(".npz"))
    x = arrays[next(name for name in arrays if name in ("in_X", "in_Xb"))]
    hx = None
    if "in_h0" in arrays:
        hx = arrays["in_h0"], arrays["in_c0"]
        hx = tuple(one.swapaxes(0, 1) for one in hx) if module.batch_first else hx
    y, _ = module(x, hx, arrays.get("in_lens"))
    answer = arrays["out_Y"]
    if answer.ndim == 4:
        answer = answer if module.batch_first else answer.swapaxes(1, 2)
        answer = answer.reshape(*answer.shape[:2], -1)
    assert np.abs(y - answer).max() <= 2e-6


def test_there_are_files():
    assert len(FILES) == len(LOADED) == 8
