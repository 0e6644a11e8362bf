"""NumPy code's matrices: any order of gates, any layout, one bias or two."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from numba_lstm import nn
from numba_lstm.interop import weights

I, H = 3, 5


def sigmoid(z):
    return 1 / (1 + np.exp(-z))


def numpy_lstm(order, w, u, b, x, peepholes=None):
    """An LSTM as NumPy code has it: gates by letters, in rows."""
    p = {gate: np.zeros(H) for gate in "ifo"} | (peepholes or {})
    h = c = np.zeros((x.shape[1], H))
    outputs = []
    for x_t in x:
        a = dict(zip(order, np.split(x_t @ w.T + h @ u.T + b, 4, axis=1)))
        before = c
        c = sigmoid(a["f"] + p["f"] * before) * c
        c = c + sigmoid(a["i"] + p["i"] * before) * np.tanh(a["g"])
        h = sigmoid(a["o"] + p["o"] * c) * np.tanh(c)
        outputs.append(h)
    return np.stack(outputs)


def run(state, x, **options):
    return weights.to_module(state, dtype="f8", **options)(x)[0]


def draw(rng, gates):
    rows = gates * H
    shapes = (rows, I), (rows, H), (rows,), (rows,), (4, 2, I)
    return [rng.standard_normal(shape) for shape in shapes]


@pytest.mark.parametrize("order", ["".join(o) for o in itertools.permutations("ifog")])
def test_every_order_of_an_lstms_gates(rng, order):
    w, u, b, _, x = draw(rng, 4)
    expected = numpy_lstm(order, w, u, b, x)
    np.testing.assert_allclose(run(weights.from_numpy(order, w, u, b), x), expected, atol=1e-13)


LAYOUTS = {
    "rows": lambda w, u, b: (w, u, b, {}),
    "columns": lambda w, u, b: (w.T, u.T, b[None], {}),
    "column bias": lambda w, u, b: (w, u, b[:, None], {}),
    "xh": lambda w, u, b: (np.hstack([w, u]), None, b, {"stacked": "xh"}),
    "hx": lambda w, u, b: (np.hstack([u, w]), None, b, {"stacked": "hx"}),
    "xh columns": lambda w, u, b: (np.hstack([w, u]).T, None, b, {"stacked": "xh"}),
    "hx columns": lambda w, u, b: (np.hstack([u, w]).T, None, b, {"stacked": "hx"}),
    "letters": lambda w, u, b: (letters(w), letters(u), letters(b), {}),
    "letters in columns": lambda w, u, b: (
        {k: v.T for k, v in letters(w).items()},
        {k: v.T for k, v in letters(u).items()},
        {k: v[:, None] for k, v in letters(b).items()},
        {},
    ),
    "letters of hx": lambda w, u, b: (letters(np.hstack([u, w])), None, b, {"stacked": "hx"}),
    "told": lambda w, u, b: (w, u, b, {"transposed": False}),
    "float32": lambda w, u, b: (w.astype("f4"), u.astype("f4"), b.astype("f4"), {}),
    "lists": lambda w, u, b: (w.tolist(), u.tolist(), b.tolist(), {}),
}


def letters(array):
    return dict(zip("fico", np.split(array, 4)))


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_same(rng, layout):
    w, u, b, _, x = draw(rng, 4)
    expected = numpy_lstm("figo", w, u, b, x)
    *arrays, options = LAYOUTS[layout](w, u, b)
    found = run(weights.from_numpy("fico", *arrays, **options), x)
    np.testing.assert_allclose(found, expected, atol=1e-6 if layout == "float32" else 1e-13)


def test_peepholes_by_letter(rng):
    w, u, b, _, x = draw(rng, 4)
    p = {"o": rng.standard_normal(H), "i": rng.standard_normal(H)}
    state = weights.from_numpy("ifog", w, u, b, peepholes=p)
    np.testing.assert_allclose(run(state, x), numpy_lstm("ifog", w, u, b, x, p), atol=1e-13)
    back = weights.to_numpy(state, "ifog")
    assert back["p"].tolist() == [*p["i"], *[0] * H, *p["o"]]


@pytest.mark.parametrize("order", ["zrh", "rzn", "urc", "hzr"])
@pytest.mark.parametrize("update", ["keep", "replace"])
@pytest.mark.parametrize("after", [False, True])
def test_a_gru_of_either_meaning_of_z_and_either_place_of_r(rng, order, update, after):
    w, u, b, d, x = draw(rng, 3)
    names = order.replace("u", "z").replace("h", "n").replace("c", "n")
    h, expected = np.zeros((2, H)), []
    for x_t in x:
        a = dict(zip(names, np.split(x_t @ w.T + b, 3, axis=1)))
        v = dict(zip(names, np.split(h @ u.T + d, 3, axis=1)))
        r, z = (sigmoid(a[gate] + v[gate]) for gate in "rz")
        block = names.index("n")
        u_n, d_n = np.split(u, 3)[block], np.split(d, 3)[block]
        n = np.tanh(a["n"] + (r * v["n"] if after else (r * h) @ u_n.T + d_n))
        h = z * h + (1 - z) * n if update == "keep" else (1 - z) * h + z * n
        expected.append(h)
    state = weights.from_numpy(order, w, u, b, d, update=update)
    np.testing.assert_allclose(run(state, x, reset_after=after), np.stack(expected), atol=1e-13)


def test_a_plain_rnn_is_told_by_its_inputs(rng):
    w, u, b, _, x = draw(rng, 1)
    h, expected = np.zeros((2, H)), []
    for x_t in x:
        h = np.tanh(x_t @ w.T + h @ u.T + b)
        expected.append(h)
    for given in ((w, u), (w.T, u.T)):
        found = run(weights.from_numpy("h", *given, b), x)
        np.testing.assert_allclose(found, np.stack(expected), atol=1e-13)


def test_no_bias_and_names_of_other_directions():
    w, u = np.ones((4 * H, I)), np.ones((4 * H, H))
    assert set(weights.from_numpy("ifog", w, u)) == {"weight_ih_l0", "weight_hh_l0"}
    found = weights.from_numpy("ifog", w, u, suffix="_l2_reverse")
    assert set(found) == {"weight_ih_l2_reverse", "weight_hh_l2_reverse"}
    cell = nn.LSTMCell(I, H)
    cell.load_state_dict(weights.from_numpy("ifog", w, u, np.ones(4 * H), suffix=""))
    assert cell.bias_ih.numpy().tolist() == [1] * 4 * H
    assert not cell.bias_hh.numpy().any()
    only_d = weights.from_numpy("ifog", w, u, d=np.ones(4 * H))
    assert not only_d["bias_ih_l0"].any() and only_d["bias_hh_l0"].all()


@pytest.mark.parametrize("stacked", [None, "xh", "hx"])
@pytest.mark.parametrize("transposed", [False, True])
def test_matrices_come_back_exactly(rng, stacked, transposed):
    module = nn.LSTM(I, H, 2, bidirectional=True, seed=0)
    state = module.state_dict()
    for suffix in ("_l0", "_l1_reverse"):
        found = weights.to_numpy(
            state, "ogfi", stacked=stacked, transposed=transposed, suffix=suffix
        )
        assert set(found) == {"W", "b", "d"} | (set() if stacked else {"U"})
        back = weights.from_numpy(
            "ogfi", **found, stacked=stacked, transposed=transposed, suffix=suffix
        )
        assert len(back) == 4
        assert all(np.array_equal(back[name], state[name]) for name in back)
    summed = weights.to_numpy(state, "ifgo", one_bias=True)
    assert np.array_equal(summed["b"], state["bias_ih_l0"] + state["bias_hh_l0"])
    assert "d" not in summed


def matrices(**changes):
    return {"W": np.ones((4 * H, I)), "U": np.ones((4 * H, H)), "gates": "ifog"} | changes


@pytest.mark.parametrize(
    ("changes", "error", "words"),
    [
        ({"gates": "iffg"}, ValueError, "^gates: expected a letter for each block.* got 'iffg'"),
        ({"gates": "ifg"}, ValueError, "^gates: "),
        ({"gates": ""}, ValueError, "^gates: "),
        ({"gates": 4}, TypeError, "^gates: expected text"),
        ({"U": None}, ValueError, "^U: expected None with stacked"),
        ({"stacked": "xh"}, ValueError, "^U: expected None with stacked"),
        ({"stacked": "xx", "U": None}, ValueError, "^stacked: expected 'xh' or 'hx'"),
        ({"U": np.ones((4 * H, 4))}, ValueError, r"^U: expected shape \(20, 5\), got \(20, 4\)"),
        ({"b": np.ones(5)}, ValueError, r"^b: expected shape \(20,\), got \(5,\)"),
        ({"b": {"i": np.ones(5)}}, ValueError, "^b: expected an array for each of 'ifog'"),
        ({"W": np.ones(3)}, ValueError, "^W: expected 2 dimensions, got 1"),
        ({"W": np.ones((18, 3)), "transposed": False}, ValueError, "^W: expected rows that divide"),
        ({"W": np.ones((20, 5)), "U": None, "stacked": "xh", "transposed": False}, ValueError,
         "^W: expected more than 5 columns"),
        ({"W": np.ones((8, 12)), "U": None, "stacked": "xh"}, ValueError,
         "^transposed: expected True or False"),
        ({"gates": "h", "W": np.ones((5, 5)), "U": np.ones((5, 5))}, ValueError, "^transposed: "),
        ({"update": "replace"}, ValueError, "^update: expected 'keep' where the cell is no GRU"),
        ({"update": "z"}, ValueError, "^update: expected 'keep' or 'replace'"),
        ({"peepholes": np.ones(15)}, ValueError, "^peepholes: expected a dictionary"),
        ({"peepholes": {"i": np.ones(4)}}, ValueError, r"^peepholes\['i'\]: expected shape \(5,\)"),
        ({"suffix": "_r"}, ValueError, "^suffix: "),
        ({"W": {g: np.ones((H, I + (g == "o"))) for g in "ifog"}}, ValueError,
         "^W: expected one shape"),
        ({"W": np.ones((4 * H, I), complex)}, TypeError, "^W: expected real numbers"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_named(changes, error, words):
    with pytest.raises(error, match=words):
        weights.from_numpy(**matrices(**changes))


def test_shapes_that_fit_both_ways_are_told_by_the_bias():
    state = weights.from_numpy("ifog", np.ones((8, 12)), b=np.ones(8), stacked="xh")
    assert state["weight_ih_l0"].shape == (8, 10)
    state = weights.from_numpy("ifog", np.ones((8, 12)), b=np.ones(12), stacked="xh")
    assert state["weight_ih_l0"].shape == (12, 5)


def test_to_numpy_names_what_it_cannot_do():
    state = nn.GRU(I, H).state_dict()
    with pytest.raises(ValueError, match=r"^gates: expected an order of 'rzn', got 'ifog'"):
        weights.to_numpy(state, "ifog")
    with pytest.raises(ValueError, match=r"expected weight_ih_l1, got bias_hh_l0"):
        weights.to_numpy(state, "rzn", suffix="_l1")
    del state["bias_hh_l0"]
    with pytest.raises(ValueError, match=r"expected bias_ih_l0 and bias_hh_l0, or none, got one"):
        weights.to_numpy(state, "rzn")
