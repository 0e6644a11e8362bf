"""Keras's files are read without Keras.

The layout of the files is that of Keras 3's and 2's own; the one test that saves with Keras is
skipped where it is not installed.
"""

from __future__ import annotations

import builtins
import io
import os
import zipfile

import numpy as np
import pytest

from numba_lstm.interop import weights


def arrays(count, seed=0):
    rng = np.random.default_rng(seed)
    return [rng.standard_normal((3, 4)).astype("f4") for _ in range(count)]


def numbered(file, layers, holder="layers"):
    """Arrays by group, in Keras 3's layout."""
    for group, some in layers.items():
        for number, array in enumerate(some):
            file[f"{holder}/{group}/vars/{number}"] = array


def file_of(h5py, fill):
    data = io.BytesIO()
    with h5py.File(data, "w") as file:
        fill(file)
    return data.getvalue()


def zipped(name, data):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("config.json", "{}")
        archive.writestr(name, data)
    return out.getvalue()


def same(found, expected):
    assert found.keys() == expected.keys()
    for name, some in expected.items():
        assert len(found[name]) == len(some)
        assert all(np.array_equal(a, b) for a, b in zip(found[name], some, strict=True)), name


@pytest.mark.parametrize("form", ["keras", "h5", "old"])
def test_layers_are_read_in_the_order_of_get_weights(tmp_path, form):
    h5py = pytest.importorskip("h5py")
    lstm, forward, backward, dense, long = (arrays(n, n) for n in (3, 4, 5, 2, 12))

    def fill(file):
        holder = "_layer_checkpoint_dependencies" if form == "old" else "layers"
        layers = {
            "lstm/cell": lstm,
            "bidirectional/backward_layer/cell": backward,
            "bidirectional/forward_layer/cell": forward,
            "dense": dense,
            "custom": long,
            "sequential/layers/dense_1": dense,
            "lstm/cell/seed_generator": arrays(1),
        }
        numbered(file, layers, holder)
        file["optimizer/vars/0"] = np.ones(3)
        file.create_group(f"{holder}/dropout/vars")

    data = file_of(h5py, fill)
    path = tmp_path / "model"
    path.write_bytes(data if form == "h5" else zipped("model.weights.h5", data))
    same(
        weights.read_keras(path),
        {
            "lstm": lstm,
            "bidirectional": forward + backward,
            "dense": dense,
            "custom": long,
            "sequential/dense_1": dense,
        },
    )


@pytest.mark.parametrize("whole", [False, True])
def test_files_of_keras_2_say_the_order_themselves(tmp_path, whole):
    h5py = pytest.importorskip("h5py")
    some = arrays(3)

    def fill(file):
        root = file.create_group("model_weights") if whole else file
        root.attrs["layer_names"] = [b"input", b"lstm"]
        root.create_group("input").attrs["weight_names"] = []
        group = root.create_group("lstm")
        names = [f"lstm/lstm_cell/{name}:0" for name in ("kernel", "recurrent_kernel", "bias")]
        group.attrs["weight_names"] = [name.encode() for name in names]
        for name, array in zip(names, some, strict=True):
            group[name] = array

    path = tmp_path / "model.h5"
    path.write_bytes(file_of(h5py, fill))
    same(weights.read_keras(path), {"lstm": some})


def test_a_file_that_is_none_of_kerass_is_refused_by_its_name(tmp_path):
    h5py = pytest.importorskip("h5py")
    path = tmp_path / "model.keras"
    other = file_of(h5py, lambda file: file.create_dataset("a", data=np.ones(2)))
    for data, words in (
        (b"", "expected a whole file that Keras saved"),
        (b"words", "expected a whole file that Keras saved"),
        (zipped("other.h5", other), "a zip without model.weights.h5"),
        (zipped("model.weights.h5", other)[:-40], "expected a whole .keras file"),
        (zipped("model.weights.h5", other), "expected layers with weights"),
        (other, "expected layers with weights"),
    ):
        path.write_bytes(data)
        with pytest.raises(ValueError, match=rf"model\.keras: .*{words}"):
            weights.read_keras(path)
    with pytest.raises(FileNotFoundError):
        weights.read_keras(tmp_path / "absent.keras")


def changed(data, at, value):
    """The data with 2 bytes at this place of the last entry of its central directory."""
    entry = data.rindex(b"PK\x01\x02") + at
    return data[:entry] + value.to_bytes(2, "little") + data[entry + 2 :]


@pytest.mark.parametrize(
    ("at", "value"), [(6, 99), (8, 1), (10, 97), (10, 8)], ids=["version", "password", "way", "8"]
)
def test_damage_of_any_kind_is_a_valueerror_that_names_the_file(tmp_path, at, value):
    h5py = pytest.importorskip("h5py")
    data = file_of(h5py, lambda file: numbered(file, {"lstm/cell": arrays(3)}))
    path = tmp_path / "model.keras"
    path.write_bytes(changed(zipped("model.weights.h5", data), at, value))
    with pytest.raises(ValueError, match=r"model\.keras: expected a whole \.keras file"):
        weights.read_keras(path)


@pytest.mark.parametrize("names", [3, ["lstm"]], ids=["number", "group"])
def test_attributes_that_make_no_sense_are_a_valueerror_that_names_the_file(tmp_path, names):
    h5py = pytest.importorskip("h5py")

    def fill(file):
        file.attrs["layer_names"] = names
        file.create_group("lstm/kernel").attrs["weight_names"] = [b"x"]
        file["lstm"].attrs["weight_names"] = 4.5

    path = tmp_path / "model.h5"
    path.write_bytes(file_of(h5py, fill))
    with pytest.raises(ValueError, match=r"model\.h5: expected a whole file that Keras saved"):
        weights.read_keras(path)


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    imported = builtins.__import__

    def without(name, *about):
        if name == "h5py":
            raise ImportError(name)
        return imported(name, *about)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(ImportError, match=r"pip install 'numba_lstm\[keras\]'"):
        weights.read_keras(tmp_path / "model.keras")


@pytest.mark.parametrize("ending", [".keras", ".weights.h5"])
def test_what_keras_saves_gives_its_outputs(tmp_path, ending):
    os.environ.setdefault("KERAS_BACKEND", "torch")
    keras = pytest.importorskip("keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((None, 3)),
            layers.Bidirectional(layers.GRU(5, return_sequences=True, dropout=0.1)),
            layers.LSTM(4, return_sequences=True, recurrent_dropout=0.1),
            layers.SimpleRNN(6, return_sequences=True),
        ]
    )
    path = str(tmp_path / f"model{ending}")
    model.save(path) if ending == ".keras" else model.save_weights(path)
    x = np.random.default_rng(0).standard_normal((2, 7, 3)).astype("f4")
    expected = keras.ops.convert_to_numpy(model(x))
    read = weights.read_keras(path)
    assert [len(some) for some in read.values()] == [6, 3, 3]
    y = x
    for some in read.values():
        state = weights.from_keras(some, bidirectional=len(some) == 6)
        y, _ = weights.to_module(state, batch_first=True)(y)
    np.testing.assert_allclose(y, expected, atol=1e-6)
