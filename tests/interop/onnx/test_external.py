"""External data is read from the model's own folder, and no further."""

from __future__ import annotations

import os

import numpy as np
import pytest
from onnx_graphs_tool import model_of, tensor

from numba_lstm.interop import onnx as interop
from numba_lstm.interop.onnx.preparing import opened

onnx = pytest.importorskip("onnx")
FLOAT = onnx.TensorProto.FLOAT
make_node, info = onnx.helper.make_node, onnx.helper.make_tensor_value_info
VALUES = np.float32([1, 2, 3, 4])


def model_with(**about):
    """x + k, where k stands in another file: location, offset, length as they are given."""
    k = onnx.TensorProto(name="k", dims=[4], data_type=FLOAT, data_location=1)
    for key, value in about.items():
        k.external_data.add(key=key, value=str(value))
    nodes = [make_node("Add", ["x", "k"], ["y"])]
    return model_of(nodes, [info("x", FLOAT, [4])], [info("y", FLOAT, [4])], [k])


@pytest.fixture
def folder(tmp_path):
    """A folder with a file of values beside it and one in it."""
    for name in ("outside.bin", "models/k.bin", "models/deep/k.bin"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(VALUES.tobytes())
    return tmp_path / "models"


def run(folder, **about):
    path = folder / "model.onnx"
    path.write_bytes(model_with(**about).SerializeToString())
    return interop.session(path).run(None, {"x": np.zeros(4)})[0]


@pytest.mark.parametrize("location", ["k.bin", "./k.bin", "deep/k.bin", "deep//k.bin"])
def test_files_in_the_folder_are_read(folder, location):
    assert run(folder, location=location).tolist() == VALUES.tolist()
    (folder / "inner.bin").symlink_to(folder / "deep" / "k.bin")
    assert run(folder, location="inner.bin").tolist() == VALUES.tolist()


def test_a_part_of_a_file_is_read(folder):
    (folder / "k.bin").write_bytes(b"ab" + VALUES.tobytes() + b"more")
    assert run(folder, location="k.bin", offset=2, length=16).tolist() == VALUES.tolist()


@pytest.mark.parametrize(
    "location",
    ["../outside.bin", "deep/../../outside.bin", "/etc/passwd", "", "C:\\x", "..\\outside.bin"],
)
def test_no_location_leads_out_of_the_folder(folder, location):
    with pytest.raises(ValueError, match=r"model\.onnx: tensor 'k': expected .* model's folder"):
        run(folder, location=location)


def test_a_folder_is_no_file_of_values(folder):
    with pytest.raises(IsADirectoryError):
        run(folder, location="deep")


def test_no_link_leads_out_of_the_folder(folder):
    (folder / "file.bin").symlink_to(folder.parent / "outside.bin")
    (folder / "up").symlink_to(folder.parent)
    for location in ("file.bin", "up/outside.bin"):
        with pytest.raises(ValueError, match=r"tensor 'k': .*, a link out of it"):
            run(folder, location=location)


@pytest.fixture
def cache(tmp_path):
    """A repository as Hugging Face's cache has it: files are links to files of other names."""
    repository = tmp_path / "models--me--mine"
    (repository / "blobs").mkdir(parents=True)
    (repository / "blobs" / "aa").write_bytes(model_with(location="k.bin").SerializeToString())
    (repository / "blobs" / "bb").write_bytes(VALUES.tobytes())
    deep = repository / "snapshots" / "1234" / "onnx"
    deep.mkdir(parents=True)
    for folder, up in ((deep.parent, "../.."), (deep, "../../..")):
        (folder / "model.onnx").symlink_to(f"{up}/blobs/aa")
        (folder / "k.bin").symlink_to(f"{up}/blobs/bb")
    return deep.parent


def session_in(folder):
    return interop.session(folder / "model.onnx").run(None, {"x": np.zeros(4)})[0].tolist()


def test_links_within_one_repository_of_a_cache_are_followed(cache, monkeypatch):
    assert session_in(cache) == session_in(cache / "onnx") == VALUES.tolist()
    monkeypatch.chdir(cache)
    (y,) = interop.session("model.onnx").run(None, {"x": np.zeros(4)})
    assert y.tolist() == VALUES.tolist()
    linked = cache.parents[2] / "cache"
    linked.symlink_to(cache.parents[1])
    assert session_in(linked / "snapshots" / "1234") == VALUES.tolist()


@pytest.mark.parametrize(
    "target",
    [
        "../../../models--me--other/blobs/bb",
        "../../refs/main",
        "../../../outside.bin",
        "/etc/passwd",
    ],
)
def test_no_link_leads_out_of_a_repository(cache, target):
    for name in ("models--me--other/blobs/bb", "models--me--mine/refs/main", "outside.bin"):
        (cache.parents[2] / name).parent.mkdir(parents=True, exist_ok=True)
        (cache.parents[2] / name).write_bytes(VALUES.tobytes())
    (cache / "k.bin").unlink()
    (cache / "k.bin").symlink_to(target)
    with pytest.raises(ValueError, match=r"tensor 'k': expected .*'k\.bin', a link out of it"):
        session_in(cache)
    # Nor by way of a file of the repository.
    (cache / "k.bin").unlink()
    (cache / "k.bin").symlink_to("../../blobs/bb")
    blob = cache.parents[1] / "blobs" / "bb"
    blob.unlink()
    blob.symlink_to(os.path.normpath(os.path.join(cache, target)))
    with pytest.raises(ValueError, match=r"tensor 'k': expected .*'k\.bin', a link out of it"):
        session_in(cache)


def test_a_model_that_is_no_link_has_one_folder(cache):
    """Else whatever link stands beside it would lead anywhere near it."""
    content = (cache / "model.onnx").read_bytes()
    (cache / "model.onnx").unlink()
    (cache / "model.onnx").write_bytes(content)
    with pytest.raises(ValueError, match=r"tensor 'k': expected .*'k\.bin', a link out of it"):
        session_in(cache)


@pytest.mark.parametrize(
    ("about", "words"),
    [
        ({"length": 12}, r"expected 16 bytes of \(4,\) values in 'k.bin', got 12 .* of 16"),
        ({"length": 2**40}, "expected 16 bytes"),
        ({"offset": 8}, "expected 16 bytes .* got 8 from byte 8"),
        ({"offset": 2**50}, "expected 16 bytes"),
        ({"offset": -4}, "offset: expected a number of bytes, got '-4'"),
        ({"offset": "9" * 5000}, "offset: expected a number of bytes"),
        ({"length": "many"}, "length: expected a number of bytes, got 'many'"),
        ({"location": "absent.bin"}, "expected its values in 'absent.bin', got no such file"),
    ],
)
def test_sizes_that_do_not_fit_are_refused_before_anything_is_read(folder, about, words):
    with pytest.raises(ValueError, match=rf"model\.onnx: tensor 'k': {words}"):
        run(folder, **{"location": "k.bin"} | about)


def test_a_file_without_end_and_a_large_one_are_not_read(folder):
    os.mkfifo(folder / "fifo")
    with pytest.raises(ValueError, match=r"tensor 'k': .*fifo: expected an ordinary file"):
        run(folder, location="fifo")
    with open(folder / "large.bin", "wb") as file:
        file.truncate(2**40)
    with pytest.raises(ValueError, match=r"expected 16 bytes .* got 1099511627776"):
        run(folder, location="large.bin")


@pytest.mark.parametrize("dims", [[-4], [2**62, 2**62], [2**40]])
def test_sizes_that_no_memory_has_are_refused(folder, dims):
    model = model_with(location="k.bin")
    model.graph.initializer[0].dims[:] = dims
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"model\.onnx: tensor 'k': expected"):
        interop.session(folder / "model.onnx")


@pytest.mark.parametrize("kind", [0, 8, 999])
def test_types_without_a_size_are_refused(folder, kind):
    model = model_with(location="k.bin")
    model.graph.initializer[0].data_type = kind
    (folder / "model.onnx").write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match="tensor 'k': expected a type of numbers"):
        interop.session(folder / "model.onnx")


def test_without_a_path_there_is_no_folder():
    model = model_with(location="k.bin")
    for source in (model, model.SerializeToString()):
        with pytest.raises(ValueError, match=r"^model: tensor 'k': .*expected the path of the"):
            interop.session(source)


def test_a_tensor_that_looks_like_one_of_ours_is_none():
    """Inside this library a place stands for an array; a file cannot say so."""
    k = tensor("k", VALUES)
    k.external_data.add(key="location", value="numba_lstm constant 7")
    model = model_with()
    model.graph.initializer[0].CopyFrom(k)
    assert interop.session(model).run(None, {"x": np.zeros(4)})[0].tolist() == VALUES.tolist()


def test_values_of_attributes_and_inner_graphs_are_read_too(folder):
    value = model_with(location="k.bin").graph.initializer[0]
    constant = make_node("Constant", [], ["k"], value=value)
    then = onnx.helper.make_graph([constant], "then", [], [info("k", FLOAT, [4])])
    other = onnx.helper.make_graph(
        [make_node("Identity", ["x"], ["k"])], "else", [], [info("k", FLOAT, [4])]
    )
    model = model_of(
        [make_node("If", ["c"], ["y"], then_branch=then, else_branch=other)],
        [info("x", FLOAT, [4]), info("c", onnx.TensorProto.BOOL, [])],
        [info("y", FLOAT, [4])],
    )
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    (y,) = interop.session(path).run(None, {"x": np.zeros(4), "c": True})
    assert y.tolist() == VALUES.tolist()


@pytest.mark.parametrize("part", ["values", "indices"])
def test_sparse_values_of_attributes_are_read_from_the_folder_too(folder, part, monkeypatch):
    """And not from where the program runs."""
    sparse = onnx.SparseTensorProto(
        dims=[4], values=tensor("v", VALUES), indices=tensor("i", np.arange(4))
    )
    outside = getattr(sparse, part)
    (folder / "part.bin").write_bytes(outside.raw_data)
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "part.bin").write_bytes(bytes(len(outside.raw_data)))
    outside.ClearField("raw_data")
    outside.data_location = onnx.TensorProto.EXTERNAL
    outside.external_data.add(key="location", value="part.bin")
    monkeypatch.chdir(elsewhere)
    constant = make_node("Constant", [], ["k"], sparse_value=sparse)
    about = onnx.helper.make_attribute("several", [sparse])
    model = model_of([constant], [], [info("k", FLOAT, [4])])
    model.graph.node[0].attribute.append(about)
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    found = opened(path).graph.node[0].attribute
    for one in (found[0].sparse_tensor, *found[1].sparse_tensors):
        assert onnx.numpy_helper.to_array(one.values).tolist() == VALUES.tolist()
        assert onnx.numpy_helper.to_array(one.indices).tolist() == [0, 1, 2, 3]
    outside.external_data[0].value = "../elsewhere/part.bin"
    model.graph.node[0].attribute[0].sparse_tensor.CopyFrom(sparse)
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"model\.onnx: tensor '[vi]': expected .* model's folder"):
        interop.session(path)


def test_defaults_of_the_attributes_of_functions_are_read_too(folder, monkeypatch):
    """And from the folder only, not from where the program runs."""
    elsewhere = folder.parent / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / "k.bin").write_bytes(bytes(16))
    monkeypatch.chdir(elsewhere)
    value = model_with(location="k.bin").graph.initializer[0]
    constant = make_node("Constant", [], ["k"])
    constant.attribute.append(
        onnx.AttributeProto(name="value", ref_attr_name="shift", type=onnx.AttributeProto.TENSOR)
    )
    shifted = onnx.helper.make_function(
        "own",
        "Shift",
        ["a"],
        ["b"],
        [constant, make_node("Add", ["a", "k"], ["b"])],
        [onnx.helper.make_opsetid("", 17)],
        attribute_protos=[onnx.helper.make_attribute("shift", value)],
    )
    model = model_of(
        [make_node("Shift", ["x"], ["y"], domain="own")],
        [info("x", FLOAT, [4])],
        [info("y", FLOAT, [4])],
        functions=[shifted],
    )
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    (y,) = interop.session(path).run(None, {"x": np.zeros(4)})
    assert y.tolist() == VALUES.tolist()
    model.functions[0].attribute_proto[0].t.external_data[0].value = "../elsewhere/k.bin"
    path.write_bytes(model.SerializeToString())
    with pytest.raises(ValueError, match=r"model\.onnx: tensor 'k': expected .* model's folder"):
        interop.session(path)


def test_int4_values_are_two_a_byte(folder):
    model = model_of(
        [make_node("DequantizeLinear", ["k", "scale"], ["y"])],
        [info("x", FLOAT, [4])],
        [info("y", FLOAT, [3])],
        [
            onnx.TensorProto(name="k", dims=[3], data_type=onnx.TensorProto.INT4, data_location=1),
            tensor("scale", np.float32(0.5)),
        ],
        opset=21,
    )
    model.graph.initializer[0].external_data.add(key="location", value="four.bin")
    (folder / "four.bin").write_bytes(bytes([0x21, 0x0F]))
    path = folder / "model.onnx"
    path.write_bytes(model.SerializeToString())
    (y,) = interop.session(path).run(None, {"x": np.zeros(4)})
    assert y.tolist() == [0.5, 1.0, -0.5]
