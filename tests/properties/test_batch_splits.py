"""A row's results do not depend on the other rows of its batch, to the bit.

Parts of a batch are compared with the whole: outputs, states and their gradients, by every cell.
Gradients of weights are sums over the rows and do depend on them.
"""

from __future__ import annotations

import numpy as np
import pytest
from family_tool import MODULES, draw, given, taken
from long_tool import LONG, only_long
from lstm_tool import assert_same_bits
from splits_tool import PARTS, by_row, differing_parts, parts_of, rows_of

from numba_lstm import models, nn, threads, tuning

# T, I, H, and options: sizes that fill no block and no panel; many rows in two layers.
FEW = [
    (3, 19, 37, {"num_layers": 2, "bidirectional": True}),
    (2, 5, 130, {"batch_first": True}),
    (25, 7, 65, {}),
]
MANY = [
    *((2, inputs, hidden, {}) for inputs, hidden in zip((1, 64, 99, 128), (64, 127, 200, 300))),
    (4, 300, 201, {"num_layers": 2, "bidirectional": True}),
    (70, 90, 64, {"bias": False}),
    (1, 3, 1, {}),
]
DTYPES = ("f4", "f8")


@pytest.fixture(params=[1, 2])
def thread_count(request, monkeypatch):
    """On two threads the work of every step is shared, however little it is."""
    monkeypatch.setattr(threads, "_chosen", request.param)
    if request.param > 1:
        monkeypatch.setattr(tuning, "MIN_PARALLEL_WORK", 1)
        monkeypatch.setattr(tuning, "MIN_TEAM_WORK", 1)


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", MODULES)
def test_a_part_of_a_batch_gives_the_bits_of_the_whole(rng, kind, dtype, thread_count):
    compared = 0
    for steps, inputs, hidden, options in FEW + MANY * LONG:
        module = MODULES[kind](inputs, max(hidden, 2), **options, dtype=dtype, seed=1)
        case = draw(rng, module, steps, 100)
        some, wrong = differing_parts(module, case, PARTS, rng)
        assert not wrong, (steps, inputs, hidden, options, wrong)
        compared += some
    print(f"{kind} {dtype}: {compared} parts")
    assert compared >= 50 * len(FEW)


@pytest.mark.parametrize("resets", [False, True], ids=["lengths", "lengths and resets"])
@pytest.mark.parametrize("kind", MODULES)
def test_a_part_of_a_padded_batch_gives_the_bits_of_the_whole(rng, kind, resets, thread_count):
    for dtype in DTYPES:
        module = MODULES[kind](11, 21, 2, bidirectional=True, dtype=dtype, seed=1)
        case = draw(rng, module, 6, 40, lengths=True)
        if resets:
            case = case._replace(reset=rng.random((6, 40)) < 0.2)
        _, wrong = differing_parts(module, case, PARTS if LONG else (1, 2, 5, 7, 13, 30), rng)
        assert not wrong, (dtype, wrong)


# With fewer kinds of tokens than tokens the table is projected, else rows are looked up.
@pytest.mark.parametrize("kinds_of_tokens", [5, 100])
@pytest.mark.parametrize("kind", MODULES)
def test_a_part_of_a_batch_of_tokens_gives_the_bits_of_the_whole(
    rng, kind, kinds_of_tokens, thread_count
):
    for dtype in DTYPES:
        module = MODULES[kind](19, 37, 2, dtype=dtype, seed=1)
        embedding = nn.Embedding(kinds_of_tokens, 19, dtype=dtype, seed=2)
        tokens = rng.integers(0, kinds_of_tokens, (9, 40))
        case = draw(rng, module, 9, 40)._replace(x=tokens)
        sizes = PARTS if LONG else (1, 2, 7, 11, 12, 30)
        _, wrong = differing_parts(module, case, sizes, rng, embedding)
        assert not wrong, (dtype, wrong)


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_part_of_a_batch_gives_a_models_logits_and_a_streams_steps(rng, dtype, thread_count):
    model = models.LanguageModel(70, 24, 40, 2, dtype=dtype, seed=0).eval()
    tokens = rng.integers(0, 70, (5, 40))
    logits, state = model(tokens)
    x = rng.standard_normal((40, 24)).astype(dtype)
    stepped, after = model.stack.step(x, state)
    for size in PARTS[:-1]:
        for rows in parts_of(40, size, rng):
            found, own = model(tokens[:, rows])
            assert found.tobytes() == logits[:, rows].tobytes(), size
            assert all(np.array_equal(a, b[:, rows]) for a, b in zip(own, state)), size
            step, own = model.stack.step(x[rows], own)
            assert step.tobytes() == stepped[rows].tobytes(), size
            assert all(np.array_equal(a, b[:, rows]) for a, b in zip(own, after)), size


LAYERS = {
    "Linear": lambda **k: nn.Linear(24, 70, **k),
    "LayerNorm": lambda dtype, seed: nn.LayerNorm(24, dtype=dtype),
    "LSTMCell": lambda **k: nn.LSTMCell(24, 37, **k),
    "GRUCell": lambda **k: nn.GRUCell(24, 37, **k),
    "RNNCell": lambda **k: nn.RNNCell(24, 37, **k),
}


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("layer", LAYERS)
def test_a_part_of_a_batch_gives_the_bits_of_the_whole_by_other_layers(
    rng, layer, dtype, thread_count
):
    module = LAYERS[layer](dtype=dtype, seed=0)

    def results(x):
        output, pullback = module.vjp(x)
        halves = [one / 2 for one in taken(output)]  # cotangents: a row's own, and exact
        back = pullback(given(halves))
        dx, before = back if "Cell" in layer else (back, ())
        return [*taken(output), *taken(module(x)), dx, *taken(before)]

    x = rng.standard_normal((40, 24)).astype(dtype)
    whole = results(x)
    for size in PARTS[:-2]:
        for rows in parts_of(40, size, rng):
            for one, other in zip(results(x[rows]), whole, strict=True):
                assert one.tobytes() == other[rows].tobytes(), size


@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn-tanh", "lstm-projected"])
def test_a_row_alone_gives_the_bits_it_gives_among_others(rng, kind, thread_count):
    module = MODULES[kind](13, 33, 2, bidirectional=True, seed=0)
    case = draw(rng, module, 8, 23)
    y, states = module(case.x)
    for row in range(23):
        alone, own = module(case.x[:, row])  # (T, I), without an axis of B
        assert alone.tobytes() == y[:, row].tobytes()
        assert all(np.array_equal(a, b[:, row]) for a, b in zip(taken(own), taken(states)))


@only_long
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("kind", ["lstm", "gru", "rnn-tanh", "lstm-projected"])
def test_parts_of_every_batch_of_seventeen_and_fewer(rng, kind, dtype, thread_count):
    """Every batch, cut at every place in two."""
    module = MODULES[kind](33, 97, 1, dtype=dtype, seed=1)
    for batch in range(2, 18):
        case = draw(rng, module, 3, batch)
        whole = by_row(module, case)
        for cut in range(1, batch):
            for rows in (np.arange(cut), np.arange(cut, batch)):
                found = by_row(module, rows_of(case, rows))
                assert_same_bits(
                    found, {n: array[rows] for n, array in whole.items()}, (cut, batch)
                )
