"""Files that are no whole ONNX model are refused with the file's name."""

from __future__ import annotations

import numpy as np
import pytest
from onnx_nodes_tool import make_model, random_node

from numba_lstm.interop import onnx as interop

onnx = pytest.importorskip("onnx")


def model_bytes():
    return make_model(random_node(np.random.default_rng(0), "LSTM"))


@pytest.mark.parametrize("use", [interop.session, interop.load])
def test_a_file_cut_anywhere_is_refused_or_runs(use, tmp_path):
    whole = model_bytes()
    refused = 0
    for size in [0, 1, 5, *range(20, len(whole), 97), len(whole) - 1]:
        path = tmp_path / "cut.onnx"
        path.write_bytes(whole[:size])
        with pytest.raises(ValueError, match=r"cut\.onnx"):
            use(path)
        refused += 1
    assert refused > 10


@pytest.mark.parametrize("content", [b"", b"\x00" * 64, b"PK\x03\x04 a zip", b"x,y\n1,2\n"])
def test_what_is_no_onnx_file_is_refused(content, tmp_path):
    path = tmp_path / "other.onnx"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=r"other\.onnx: expected"):
        interop.session(path)
    with pytest.raises(ValueError, match="model: expected"):
        interop.session(content)


def test_a_path_that_is_absent_or_of_another_type_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError):
        interop.session(tmp_path / "no.onnx")
    with pytest.raises(TypeError, match="path: expected a file, bytes or an onnx"):
        interop.session(3)


def test_an_initializer_with_too_few_bytes_is_refused(tmp_path):
    model = onnx.load_from_string(model_bytes())
    model.graph.initializer[0].raw_data = model.graph.initializer[0].raw_data[:-4]
    with pytest.raises(ValueError, match="model: initializer 'W'"):
        interop.session(model)


def test_external_data_is_read_and_missed_by_name(tmp_path):
    model = onnx.load_from_string(model_bytes())
    path = tmp_path / "external.onnx"
    onnx.save_model(
        model, path, save_as_external_data=True, location="weights.bin", size_threshold=0
    )
    interop.session(path)
    (tmp_path / "weights.bin").unlink()
    with pytest.raises((ValueError, FileNotFoundError), match=r"weights\.bin"):
        interop.session(path)
