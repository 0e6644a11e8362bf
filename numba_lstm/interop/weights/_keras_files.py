"""The files that Keras saves: ``.keras``, ``.weights.h5`` and the ``.h5`` of Keras 2.

A ``.keras`` file is a zip with ``model.weights.h5`` in it. There each layer is a group below a
group ``layers``, and its arrays stand, numbered, in groups ``vars``: ``layers/lstm/cell/vars/0``,
of a Bidirectional ``layers/bidirectional/forward_layer/cell/vars/0``. Keras 2's ``.h5`` lists its
layers and their arrays in attributes.
"""

from __future__ import annotations

import io
import os
import zipfile
from typing import Any

import numpy as np

from ..._damaged import DAMAGED
from ..._reading import open_ordinary

__all__ = ["read_keras"]

_MEMBER = "model.weights.h5"


def read_keras(path: str | os.PathLike[str]) -> dict[str, list[np.ndarray]]:
    """Read the weights of every layer of a file that Keras saved.

    Needs h5py, not Keras. Nothing of the model's configuration is read, and no code is run.

    Parameters
    ----------
    path : path_like
        A ``.keras`` file, a ``.weights.h5``, or a model or weights as ``.h5`` of Keras 2.

    Returns
    -------
    dict of str to list of numpy.ndarray
        For each layer that has weights, by the name that it has in the file, what its
        ``get_weights()`` gives, for `from_keras`. Of a Bidirectional the forward direction's come
        first. Layers come in the order of their names, not of the model.

    Raises
    ------
    ImportError
        If h5py is not installed.
    ValueError
        If the file is damaged, or none that Keras saved.
    OSError
        If it cannot be read.

    Notes
    -----
    A bidirectional GRU out of a model::

        layers = read_keras("model.keras")  # {"bidirectional": [six arrays], "dense": [two]}
        gru = to_module(from_keras(layers["bidirectional"], bidirectional=True), batch_first=True)
    """
    try:
        import h5py
    except ImportError:
        raise ImportError(
            "read_keras needs h5py, which is not installed: pip install 'numba_lstm[keras]'"
        ) from None
    place = os.fspath(path)
    with open_ordinary(path) as stream:
        data = stream.read()
    if data[:4] == b"PK\x03\x04":
        data = _member(place, data)
    try:
        with h5py.File(io.BytesIO(data), "r") as file:
            found = _listed(file) or _numbered(file)
    except DAMAGED as error:
        raise ValueError(f"{place}: expected a whole file that Keras saved: {error}") from None
    if not found:
        raise ValueError(f"{place}: expected layers with weights, as Keras saves them, got none")
    return found


def _member(place: str, data: bytes) -> bytes:
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return archive.read(_MEMBER)
    except KeyError:
        raise ValueError(f"{place}: expected a .keras file, got a zip without {_MEMBER}") from None
    except DAMAGED as error:
        raise ValueError(f"{place}: expected a whole .keras file: {error}") from None


def _listed(file: Any) -> dict[str, list[np.ndarray]]:
    """Keras 2's layers, which attributes name in their order."""
    root = file.get("model_weights", file)
    found = {}
    for layer in map(_text, root.attrs.get("layer_names", ())):
        names = map(_text, root[layer].attrs.get("weight_names", ()))
        arrays = [np.asarray(root[layer][name]) for name in names]
        if arrays:
            found[layer] = arrays
    return found


def _numbered(file: Any) -> dict[str, list[np.ndarray]]:
    """Keras 3's layers, whose arrays are numbered in groups `vars`."""
    import h5py

    parts: dict[str, list[tuple[tuple[str, ...], int, np.ndarray]]] = {}

    def visit(name: str, item: Any) -> None:
        words = name.split("/")
        way, group, number = words[:-2], words[-2:-1], words[-1]
        if not isinstance(item, h5py.Dataset) or group != ["vars"] or not number.isdigit():
            return
        owners = [at for at, word in enumerate(way) if word in _HOLDERS]
        # Random generators are no weights, and what stands below no layer is the optimizer's.
        if not owners or owners[-1] + 1 >= len(way) or "seed_generator" in way:
            return
        first = owners[-1] + 1
        layer = "/".join(word for word in way[: first + 1] if word not in _HOLDERS)
        inner = tuple(_ORDER.get(word, word) for word in way[first + 1 :])
        parts.setdefault(layer, []).append((inner, int(number), np.asarray(item)))

    file.visititems(visit)
    return {
        layer: [array for _, _, array in sorted(arrays, key=lambda part: part[:2])]
        for layer, arrays in parts.items()
    }


_HOLDERS = ("layers", "_layer_checkpoint_dependencies")  # the second one is of Keras 2.12
_ORDER = {"forward_layer": "0", "backward_layer": "1"}


def _text(name: Any) -> str:
    return name.decode() if isinstance(name, bytes) else str(name)
