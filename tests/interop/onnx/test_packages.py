"""Trained models that packages on the registry ship, run whole without onnxruntime.

The packages are not needed otherwise, so each test is skipped where its package is not installed:
``pip install silero-vad ddddocr arabic-name-romanizer text2tashkeel g2p-en onnxruntime``. Their
files are read where they lie; none of their code is imported, but for g2p-en's.

Each test holds the results to those of the original (onnxruntime, or the package's own NumPy
code) and prints the largest difference and the times of both (``pytest -rP``). Around an LSTM these
graphs have up to hundreds of other nodes, which are ONNX's NumPy here: there a whole graph
loses against onnxruntime. So the recurrent nodes alone are timed, too.
"""

from __future__ import annotations

import sys
import types
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from side_by_side_tool import side_by_side

from numba_lstm import nn
from numba_lstm.interop import onnx as interop

pytest.importorskip("onnx")
TOLERANCE = 1e-5


def file_of(package, *parts):
    """A file of an installed package, which is not imported."""
    spec = find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        pytest.skip(f"the package {package} is not installed")
    path = Path(next(iter(spec.submodule_search_locations)), *parts)
    if not path.is_file():
        pytest.skip(f"this version of {package} has no {'/'.join(parts)}")
    return path


def both(path):
    """Our session of a file, and onnxruntime's."""
    onnxruntime = pytest.importorskip("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3  # it warns of shapes that ddddocr's file states wrongly
    theirs = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return interop.session(path), theirs


def assert_same(ours, theirs):
    """Compare two lists of arrays; give the largest difference."""
    found = 0.0
    for one, other in zip(ours, theirs, strict=True):
        assert one.shape == other.shape and one.dtype == other.dtype
        found = max(found, np.abs(one.astype("f8") - other.astype("f8")).max())
    assert found <= TOLERANCE
    return found


def compare_times(label, sessions, feeds):
    """Print the times of one run of both on the same inputs."""
    ours, theirs = (lambda one=one: one.run(None, feeds) for one in sessions)
    side_by_side(label, ours, theirs)


@pytest.mark.parametrize("name", ["silero_vad.onnx", "silero_vad_16k_op15.onnx"])
def test_voice_activity_of_a_stream(name, rng):
    """silero-vad (MIT): an LSTM step inside If inside If, convolutions around it."""
    ours, theirs = both(file_of("silero_vad", "data", name))
    states = [np.zeros((2, 1, 128), np.float32)] * 2
    t = np.arange(20 * 512) / 16000  # a voice of 140 Hz, louder and softer, and a little noise
    harmonics = sum(np.sin(2 * np.pi * 140 * k * t) / k for k in range(1, 12))
    sound = 0.1 * harmonics * np.sin(8 * t) ** 2 + 0.003 * rng.standard_normal(t.size)
    largest = 0.0
    for chunk in sound.reshape(20, 1, 512):
        feeds = [
            {"input": chunk.astype("f4"), "state": state, "sr": np.array(16000)} for state in states
        ]
        results = [one.run(None, given) for one, given in zip((ours, theirs), feeds, strict=True)]
        largest = max(largest, assert_same(*results))
        states = [state for _, state in results]
    print(f"{name}: largest difference {largest:.1e} over a stream of 20 chunks")
    compare_times(f"{name}, a chunk of 512 samples", (ours, theirs), feeds[0])


@pytest.mark.parametrize("form", ["half", "openvino_16k", "16k_sequence"])
def test_other_forms_of_the_voice_activity_model(form, rng):
    """float16 weights behind Cast; a graph without If; one LSTM over a whole sequence."""
    ours, theirs = both(file_of("silero_vad", "data", f"silero_vad_{form}.onnx"))
    sizes = {"batch": 1, "sequence": 512, "sequence_length": 40}
    feeds = {
        one.name: 0.1 * rng.standard_normal([sizes.get(size, size) for size in one.shape])
        for one in ours.get_inputs()
    }
    feeds = {name: value.astype("f4") for name, value in feeds.items()}
    largest = assert_same(ours.run(None, feeds), theirs.run(None, feeds))
    print(f"{form}: largest difference {largest:.1e}")
    compare_times(form, (ours, theirs), feeds)


@pytest.mark.parametrize(
    ("place", "node", "steps"),
    [
        (("silero_vad", "data", "silero_vad_16k_op15.onnx"), "/model/decoder/rnn/LSTM", 1),
        (("silero_vad", "data", "silero_vad_16k_op15.onnx"), "/model/decoder/rnn/LSTM", 100),
        (("ddddocr", "common.onnx"), "LSTM_79", 20),
        (("arabic_name_romanizer", "resources", "encoder.onnx"), "/encoder/GRU", 9),
    ],
)
def test_recurrent_nodes_alone(place, node, steps, rng, tmp_path):
    """The node's module, and the same node in onnxruntime."""
    module = interop.load(file_of(*place), node=node).module.eval()
    interop.save(module, tmp_path / "node.onnx", lengths=False, states=False)
    _, theirs = both(tmp_path / "node.onnx")
    x = rng.standard_normal((steps, 1, module.input_size)).astype(np.float32)
    largest = assert_same([module(x)[0]], theirs.run(None, {"x": x}))
    about = f"{place[-1]}, {node} alone, T = {steps}, B = 1"
    print(f"{about}: largest difference {largest:.1e}")
    side_by_side(about, lambda: module(x), lambda: theirs.run(None, {"x": x}))


def test_a_node_inside_if_is_loaded_by_name():
    """The weights reach the node through Slice, Concat and Unsqueeze, in the graph inside it."""
    path = file_of("silero_vad", "data", "silero_vad.onnx")
    name = "If_0_then_branch__Inline_0__/decoder/rnn/LSTM"
    with pytest.raises(ValueError, match=r"silero_vad\.onnx: .* got a graph inside a node"):
        interop.load(path)
    loaded = interop.load(path, node=name)
    assert isinstance(loaded.module, nn.LSTM) and loaded.module.hidden_size == 128
    assert set(loaded.inputs) == {"X", "initial_h", "initial_c"}
    assert loaded.outputs["Y_h"] == f"{name}_output_1"


@pytest.mark.parametrize("width", [64, 150])
def test_reading_characters_of_an_image(width, rng):
    """ddddocr (MIT): an LSTM on convolutions."""
    sessions = ours, theirs = both(file_of("ddddocr", "common.onnx"))
    given = {"input1": rng.random((1, 1, 64, width)).astype(np.float32)}
    largest = assert_same(ours.run(None, given), theirs.run(None, given))
    print(f"common.onnx, 64 x {width}: largest difference {largest:.1e}")
    compare_times(f"common.onnx, 64 x {width}", sessions, given)


@pytest.mark.parametrize("folder", ["", "persian"])
def test_transliteration_of_names(folder, rng):
    """arabic-name-romanizer (MIT): bidirectional GRUs, and a decoder whose cells are unrolled."""
    paths = [
        file_of("arabic_name_romanizer", "resources", *filter(None, [folder]), f"{part}.onnx")
        for part in ("encoder", "decoder")
    ]
    with pytest.raises(ValueError, match=r"expected an LSTM, GRU or RNN node, got none: .*Sigmoid"):
        interop.load(paths[1])
    (encoder, their_encoder), (decoder, their_decoder) = map(both, paths)
    given = {"src": rng.integers(1, 30, (2, 9)), "src_mask": np.arange(9) < [[9], [6]]}
    memory, theirs = encoder.run(None, given), their_encoder.run(None, given)
    largest = assert_same(memory, theirs)
    prefix = np.ones((2, 1), np.int64)
    for _ in range(8):
        names = "memory", "src_mask", "hidden"
        feeds = {"prefix": prefix, **dict(zip(names, memory))}
        ours = decoder.run(None, feeds)
        wanted = their_decoder.run(None, {"prefix": prefix, **dict(zip(names, theirs))})
        largest = max(largest, assert_same(ours, wanted))
        memory[2], theirs[2] = ours[1], wanted[1]
        prefix = np.hstack([prefix, ours[0].argmax(axis=1)[:, None]])
    print(f"{folder or 'arabic'}: largest difference {largest:.1e}")
    compare_times("encoder.onnx, two names of 9 letters", (encoder, their_encoder), given)
    compare_times("decoder.onnx, a letter of two names", (decoder, their_decoder), feeds)


@pytest.mark.parametrize("name", ["rawi", "rawi_v2", "bilstm"])
def test_diacritics_of_an_int8_model(name, rng):
    """text2tashkeel (Apache-2.0): onnxruntime's int8 LSTMs, which here run in floating point."""
    path = file_of("text2tashkeel", "models", f"{name}.int8.onnx")
    with pytest.warns(UserWarning, match="int8 weights of node .* were dequantised"):
        ours, theirs = both(path)
    (given,) = ours.get_inputs()
    text = {given.name: rng.integers(1, 20, (1, 60))}
    (one,), (other,) = ours.run(None, text), theirs.run(None, text)
    # It rounds states to 8 bits at every step, and we do not: close, and nearly always one choice.
    assert np.abs(one - other).max() < 0.1 * np.abs(other).max()
    same = (one.argmax(axis=-1) == other.argmax(axis=-1)).mean()
    assert same > 0.95
    print(f"{name}.int8.onnx: {same:.1%} the same choices")
    compare_times(f"{name}.int8.onnx, 60 letters", (ours, theirs), text)


@pytest.fixture
def g2p(monkeypatch):
    """g2p-en (Apache-2.0), its own NumPy code, without the taggers and numerals that it imports."""
    file_of("g2p_en", "checkpoint20.npz")
    for name in ("nltk", "nltk.corpus", "nltk.tokenize", "inflect"):
        stub = types.ModuleType(name)
        stub.pos_tag = stub.cmudict = stub.engine = lambda *_: None
        stub.TweetTokenizer = lambda: types.SimpleNamespace(tokenize=str.split)
        stub.data = types.SimpleNamespace(find=lambda _: None)
        monkeypatch.setitem(sys.modules, name, stub)
    monkeypatch.setattr("sys.modules", sys.modules)
    from g2p_en.g2p import G2p

    model = object.__new__(G2p)
    model.cmu = types.SimpleNamespace()
    monkeypatch.setattr("g2p_en.g2p.cmudict", types.SimpleNamespace(dict=dict))
    model.__init__()
    return model


def test_pronunciation_of_words(g2p):
    """Its GRUs, from arrays of its own names, give its sequences and its phonemes."""
    encoder, decoder = (nn.GRU(256, 256, seed=0) for _ in range(2))
    kinds = {"w": "weight", "b": "bias"}
    names = {f"{a}_{end}": f"{kinds[a]}_{end}_l0" for a in "wb" for end in ("ih", "hh")}
    for gru, part in ((encoder, "enc"), (decoder, "dec")):
        gru.load_state_dict({ours: g2p.variables[f"{part}_{name}"] for name, ours in names.items()})
    weights = (g2p.enc_w_ih, g2p.enc_w_hh, g2p.enc_b_ih, g2p.enc_b_hh)
    largest = 0.0
    for word in ("recurrent", "activationist", "zxqv", "a"):
        x = g2p.encode(word)
        y, state = encoder(x.swapaxes(0, 1))
        largest = max(largest, assert_same([y[:, 0]], [g2p.gru(x, len(word) + 1, *weights)[0]]))
        found, last = [], 2
        while len(found) < 20:
            h, state = decoder.step(g2p.dec_emb[[last]], state)
            last = int((h @ g2p.fc_w.T + g2p.fc_b).argmax())
            if last == 3:
                break
            found.append(g2p.idx2p[last])
        assert found == g2p.predict(word)
    print(f"g2p-en: largest difference {largest:.1e}")

    def ours():
        return encoder(x.swapaxes(0, 1))

    def theirs():
        return g2p.gru(x, x.shape[1], *weights)

    x = g2p.encode("recurrent")
    side_by_side("g2p-en, the encoder on a word of 9 letters", ours, theirs)
