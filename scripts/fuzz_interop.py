"""Feed damaged ONNX, safetensors and npz files to `interop`, and count what it says.

    python scripts/fuzz_interop.py --count 10000

Each file is a good one changed in a few places: bytes at random, and in ONNX files also fields (a
size, a name, an attribute, a node twice). It has to run, or to be refused by the library's own
ValueError that names the file. Anything else (another exception, a crash, a file that takes more
than 20 seconds or 4 GB) is a fault: the file is kept, and the exit code is 1.
"""

from __future__ import annotations

import argparse
import contextlib
import faulthandler
import io
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from collections import Counter
from pathlib import Path

import numpy as np

from numba_lstm import models, nn
from numba_lstm.interop import npz, onnx, safetensors

NUMBERS = (0, 1, 2, 3, 7, 127, 128, 255, 2**16, 2**31 - 1, 2**31, 2**32, 2**40, 2**63 - 1, -1, -2)
MEMORY = 4 * 2**30
SECONDS = 20


# -- good files -----------------------------------------------------------------------------------


def saved(save, value, **options):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "file")
        save(value, path, **options)
        return path.read_bytes()


def onnx_files():
    """Modules as they are exported, and a graph with If, Scan, a function and int8 weights."""
    classifier = models.SequenceClassifier(3, 4, 2, num_layers=2, bidirectional=True, seed=0)
    return [
        saved(onnx.save, nn.LSTM(3, 4, num_layers=2, peepholes=True, seed=0)),
        saved(onnx.save, nn.GRU(3, 4, bidirectional=True, batch_first=True, seed=0)),
        saved(onnx.save, nn.RNN(3, 4, seed=0), lengths=False, states=False),
        saved(onnx.save, classifier),
        saved(onnx.save, models.LanguageModel(9, 3, 4, seed=0)),
        by_hand(),
    ]


def by_hand():
    from onnx import TensorProto, helper, numpy_helper

    def info(name, shape=None, kind=TensorProto.FLOAT):
        return helper.make_tensor_value_info(name, kind, shape)

    rng = np.random.default_rng(0)
    node = helper.make_node
    step = helper.make_graph(
        [
            node("Unsqueeze", ["xt", "axes"], ["xs"]),
            node("GRU", ["xs", "gw", "gr", "", "", "h"], ["", "hn"], hidden_size=4, clip=3.0),
            node("Identity", ["hn"], ["out"]),
        ],
        "step",
        [info("h"), info("xt")],
        [info("hn"), info("out")],
    )
    then = helper.make_graph([node("Mul", ["s", "two"], ["b"])], "then", [], [info("b")])
    other = helper.make_graph([node("Twice", ["s"], ["b"], domain="own")], "other", [], [info("b")])
    names = ["x", "qw", "qr", "", "", "", "", "", "scale", "zero", "scale", "zero"]
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("own", 1)]
    twice = helper.make_function("own", "Twice", ["a"], ["b"], [node("Add", ["a", "a"], ["b"])],
                                 opsets[:1])  # fmt: skip
    graph = helper.make_graph(
        [
            node("Scan", ["h0", "x"], ["h", "s"], body=step, num_scan_inputs=1),
            node("If", ["choice"], ["y"], then_branch=then, else_branch=other),
            node("DynamicQuantizeLSTM", names, ["z"], domain="com.microsoft", hidden_size=4),
            node("ConstantOfShape", ["sizes"], ["c"]),
            node("Add", ["c", "y"], ["d"]),
        ],
        "by hand",
        [info("x", ["T", 2, 3]), info("choice", [], TensorProto.BOOL)],
        [info("y"), info("z"), info("d")],
        [
            numpy_helper.from_array(value, name)
            for name, value in {
                "gw": rng.standard_normal((1, 12, 3)).astype("f4"),
                "gr": rng.standard_normal((1, 12, 4)).astype("f4"),
                "qw": rng.integers(-99, 99, (1, 3, 16)).astype("i1"),
                "qr": rng.integers(-99, 99, (1, 4, 16)).astype("i1"),
                "scale": np.float32([0.01]),
                "zero": np.int8([1]),
                "axes": np.array([0]),
                "two": np.float32([2]),
                "h0": np.zeros((1, 2, 4), "f4"),
                "sizes": np.array([1, 1, 2, 4]),
            }.items()
        ],
    )
    opsets.append(helper.make_opsetid("com.microsoft", 1))
    model = helper.make_model(graph, opset_imports=opsets, ir_version=8, functions=[twice])
    return model.SerializeToString()


# -- damage ---------------------------------------------------------------------------------------


def damaged(rng, content):
    """Change bytes in a few places."""
    data = bytearray(content)
    for _ in range(int(rng.integers(1, 4))):
        at = int(rng.integers(len(data)))
        length = int(rng.integers(1, 9))
        kind = rng.integers(6)
        if kind == 0:
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1:
            data[at : at + length] = rng.bytes(length)
        elif kind == 2:
            del data[at : at + length]
        elif kind == 3:
            data[at:at] = data[at : at + 8 * length]
        elif kind == 4:
            data[at : at + 8] = int(rng.choice(NUMBERS[:13])).to_bytes(8, "little")
        elif rng.random() < 0.2:
            del data[at:]
        if not data:
            return b""
    return bytes(data)


def changed(rng, content):
    """Change fields of a model."""
    from onnx import ModelProto

    model = ModelProto.FromString(content)
    places = list(fields(model))
    texts = sorted({value for _, field, value in places if field.type == field.TYPE_STRING})
    for _ in range(int(rng.integers(1, 4))):
        message, field, value = places[int(rng.integers(len(places)))]
        with contextlib.suppress(ValueError, TypeError, IndexError):  # it may be gone
            change(rng, message, field, value, texts)
    return model.SerializeToString()


def fields(message):
    """Every field that is set, of a message and those in it: (message, field, a value)."""
    for field, value in message.ListFields():
        many = value if field.is_repeated else [value]
        for one in many:
            yield message, field, one
            if field.type == field.TYPE_MESSAGE:
                yield from fields(one)


def change(rng, message, field, value, texts):
    if field.type == field.TYPE_MESSAGE:
        if not field.is_repeated:
            message.ClearField(field.name)
            return
        some = getattr(message, field.name)
        at = int(rng.integers(len(some)))
        if rng.random() < 0.5:
            del some[at]
        else:
            some.add().CopyFrom(some[at])
        return
    if field.type == field.TYPE_STRING:
        new = str(rng.choice([*texts, "", "Loop", "Scan", "LSTM", "Tile", "Range", "x" * 99]))
    elif field.type == field.TYPE_BYTES:
        new = damaged(rng, value) if value else b"\0"
    elif field.cpp_type in (field.CPPTYPE_FLOAT, field.CPPTYPE_DOUBLE):
        new = float(rng.choice([0, -1, np.nan, np.inf, 1e30]))
    else:
        new = int(rng.choice(NUMBERS))
    if field.is_repeated:
        some = getattr(message, field.name)
        some[int(rng.integers(len(some)))] = new
    else:
        setattr(message, field.name, new)


# -- what is done with a file ---------------------------------------------------------------------


def open_onnx(content, rng):
    """Open it in both ways, and run it on inputs of the shapes that it says."""
    said = []
    for use in (onnx.session, onnx.load):
        try:
            made = use(content)
        except ValueError as error:
            said.append(own("model: ", error))
            continue
        said.append("opened")
        if use is onnx.session:
            said.append(run(made, rng))
    return said


def run(session, rng):
    feeds = {}
    for name, shape, kind in session.get_inputs():
        sizes = [one if isinstance(one, int) and one < 99 else 2 for one in shape[:5]]
        whole = "int" in kind
        feeds[name] = rng.integers(0, 3, sizes) if whole else rng.random(sizes) > 0.5
    try:
        session.run(None, feeds)
    except (ValueError, TypeError) as error:
        return own(("model: ", "input", "node ", "the node "), error)
    return "ran"


def own(beginning, error):
    """Whether an error is the library's: its message begins with what was given."""
    if not str(error).startswith(beginning) or isinstance(error, UnicodeError):
        raise error
    return "refused"


def open_file(load):
    def use(content, rng):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "file")
            path.write_bytes(content)
            try:
                load(path)
            except ValueError as error:
                return [own(f"{path}: ", error)]
        return ["read"]

    return use


def kinds():
    arrays = nn.LSTM(3, 4, seed=0).state_dict() | {"text": np.array(["a", "b"])}
    numbers = {name: value for name, value in arrays.items() if name != "text"}
    return {
        "onnx": (onnx_files(), (damaged, changed, changed), open_onnx),
        "safetensors": (
            [saved(safetensors.save, numbers, metadata={"a": "b"})],
            (damaged,),
            open_file(safetensors.load),
        ),
        "npz": (
            [saved(npz.save, arrays | {"text": np.arange(3)}, compressed=one) for one in (0, 1)],
            (damaged,),
            open_file(npz.load),
        ),
    }


def late(*_):
    raise TimeoutError(f"more than {SECONDS} seconds")


def fuzz(count, seed, folder):
    """Try `count` files; give what was said, and how many faults there were."""
    rng = np.random.default_rng(seed)
    said, faults = Counter(), 0
    some = kinds()
    names = ["onnx", "onnx", "onnx", "safetensors", "npz"]
    signal.signal(signal.SIGALRM, late)
    for number in range(count):
        name = names[number % len(names)]
        files, ways, use = some[name]
        way = ways[int(rng.integers(len(ways)))]
        content = way(rng, files[int(rng.integers(len(files)))])
        kept = Path(folder, f"fault_{seed}_{number}.{name}")
        kept.write_bytes(content)  # before: a crash leaves it
        signal.alarm(SECONDS)
        try:
            said.update(f"{name} {word}" for word in use(content, rng))
        except BaseException as error:
            if isinstance(error, KeyboardInterrupt):
                raise
            faults += 1
            print(f"fault: {kept}", file=sys.stderr)
            traceback.print_exc()
        else:
            kept.unlink()
        finally:
            signal.alarm(0)
    return said, faults


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=10_000, help="how many files")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", default=".", help="the folder for files that are faults")
    options = parser.parse_args()
    faulthandler.enable()
    warnings.simplefilter("ignore")
    used = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + MEMORY, used + MEMORY))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):  # onnx prints what it cannot run
        said, faults = fuzz(options.count, options.seed, options.keep)
    for words, times in sorted(said.items()):
        print(f"{words}: {times}")
    print(f"{options.count} files, {faults} faults")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
