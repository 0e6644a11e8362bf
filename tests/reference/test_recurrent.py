"""The time loop: lengths, resets and dropouts, each alone and together, for every kind of cell."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from recurrent_tool import FLAVOURS, OPTIONS, check, draw, draw_parameters, widths

from numba_lstm.reference.recurrent import Dropout, recurrent_backward, recurrent_forward

KINDS = ["lstm", "lstm-projection", "gru-after", "gru-before", "rnn-tanh"]
LOOP = [option for option in OPTIONS if option != "between"]


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("option", [*LOOP, "zoneout expected"])
@pytest.mark.parametrize("kind", KINDS)
def test_gradients_with_an_option_equal_complex_step(rng, kind, option, directions):
    check(draw(rng, FLAVOURS[kind], [option], T=4, hidden=[3], directions=directions), rng, 4)


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_gradients_with_all_options_equal_complex_step(rng, flavour):
    check(draw(rng, FLAVOURS[flavour], LOOP, T=5, B=4, hidden=[3]), rng, 4)


def layer(rng, kind, T, B, I=2, H=3):
    flavour = FLAVOURS[kind]
    p = draw_parameters(rng, flavour, I, H)
    initial = [rng.standard_normal((B, size)) for size in widths(flavour, H)]
    return flavour.cell, p, rng.standard_normal((T, B, I)), initial


def run(cell, p, x, initial, doutputs, dfinals, **options):
    """Every array that a layer gives, forward and backward, by name."""
    outputs, finals, saved = recurrent_forward(cell, p, x, initial, **options)
    back = recurrent_backward(saved, doutputs, dfinals)
    arrays = {f"output {k}": value for k, value in enumerate(outputs)}
    arrays |= {f"final {k}": value for k, value in enumerate(finals)}
    arrays |= {f"dinitial {k}": value for k, value in enumerate(back.dinitial)}
    return arrays | back.parameters | {"dx": back.dx}


def cotangents(rng, T, initial):
    return (
        [rng.standard_normal((T, *s.shape)) for s in initial],
        [rng.standard_normal(s.shape) for s in initial],
    )


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_padding_changes_no_bit(rng, kind, reverse):
    T, lengths = 5, [3, 0, 5, 1]
    cell, p, x, initial = layer(rng, kind, T, 4)
    doutputs, dfinals = cotangents(rng, T, initial)
    options = {"lengths": lengths, "reverse": reverse, "reset": rng.random((T, 4)) < 0.4}
    clean = run(cell, p, x, initial, doutputs, dfinals, **options)
    padding = np.arange(T)[:, None] >= np.array(lengths)
    dirty = [np.where(padding[..., None], np.nan, value) for value in (x, *doutputs)]
    options["reset"] = options["reset"] ^ padding
    found = run(cell, p, dirty[0], initial, dirty[1:], dfinals, **options)
    for name, value in clean.items():
        assert np.array_equal(value, found[name]), name
    for name in ("output 0", "dx"):
        assert not clean[name][padding].any()


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_an_empty_row_hands_states_and_gradients_on(rng, kind, reverse):
    cell, p, x, initial = layer(rng, kind, 4, 3)
    doutputs, dfinals = cotangents(rng, 4, initial)
    reset = np.ones((4, 3), bool)
    options = {"lengths": [0, 2, 0], "reverse": reverse, "reset": reset}
    found = run(cell, p, x, initial, doutputs, dfinals, **options)
    for k in range(len(initial)):
        assert np.array_equal(found[f"final {k}"][[0, 2]], initial[k][[0, 2]])
        assert np.array_equal(found[f"dinitial {k}"][[0, 2]], dfinals[k][[0, 2]])


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_a_row_alone_is_the_row_among_others(rng, kind, reverse):
    T, lengths = 5, [3, 5, 2]
    cell, p, x, initial = layer(rng, kind, T, 3)
    doutputs, dfinals = cotangents(rng, T, initial)
    together = run(cell, p, x, initial, doutputs, dfinals, lengths=lengths, reverse=reverse)
    for b, length in enumerate(lengths):
        row = slice(b, b + 1)
        alone = run(
            cell,
            p,
            x[:length, row],
            [s[row] for s in initial],
            [d[:length, row] for d in doutputs],
            [d[row] for d in dfinals],
            reverse=reverse,
        )
        assert_close(together["dx"][:length, row], alone["dx"], 1e-12, "dx")
        for k in range(len(initial)):
            for name in (f"final {k}", f"dinitial {k}"):
                assert_close(together[name][row], alone[name], 1e-12, name)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("kind", KINDS)
def test_packed_documents_are_the_documents_apart(rng, kind, reverse):
    T, start = 6, 2
    cell, p, x, initial = layer(rng, kind, T, 1)
    initial = [np.zeros_like(s) for s in initial]
    doutputs, _ = cotangents(rng, T, initial)
    reset = np.zeros((T, 1), bool)
    reset[start] = True
    whole = run(cell, p, x, initial, doutputs, [], reset=reset, reverse=reverse)
    pieces = [
        run(cell, p, x[part], initial, [d[part] for d in doutputs], [], reverse=reverse)
        for part in (slice(0, start), slice(start, T))
    ]
    for name in ("output 0", "dx"):
        assert_close(whole[name], np.concatenate([piece[name] for piece in pieces]), 1e-13, name)
    for name in p:
        assert_close(whole[name], sum(piece[name] for piece in pieces), 1e-12, name)


@pytest.mark.parametrize("kind", KINDS)
def test_a_reset_at_the_first_step_cuts_the_initial_state(rng, kind):
    cell, p, x, initial = layer(rng, kind, 3, 2)
    doutputs, dfinals = cotangents(rng, 3, initial)
    reset = np.zeros((3, 2), bool)
    reset[0, 1] = True
    found = run(cell, p, x, initial, doutputs, dfinals, reset=reset)
    initial = [np.where([[True], [False]], s, 0.0) for s in initial]
    wanted = run(cell, p, x, initial, doutputs, dfinals)
    assert np.array_equal(found["output 0"], wanted["output 0"])
    for k in range(len(initial)):
        assert not found[f"dinitial {k}"][1].any()
        assert np.array_equal(found[f"dinitial {k}"][0], wanted[f"dinitial {k}"][0])


def test_dropout_that_drops_nothing_changes_no_bit(rng):
    cell, p, x, initial = layer(rng, "lstm", 4, 2)
    doutputs, dfinals = cotangents(rng, 4, initial)
    ones = Dropout(np.ones((2, 2)), np.ones((2, 3)), np.ones((12, 3)), (np.zeros((4, 2, 3)), 0.0))
    plain = run(cell, p, x, initial, doutputs, dfinals)
    for name, value in run(cell, p, x, initial, doutputs, dfinals, dropout=ones).items():
        assert np.array_equal(value, plain[name]), name


def test_zoneout_that_keeps_everything_keeps_the_states(rng):
    cell, p, x, initial = layer(rng, "lstm", 4, 2)
    doutputs, dfinals = cotangents(rng, 4, initial)
    keep = Dropout(zoneout=(1.0, 1.0))
    found = run(cell, p, x, initial, doutputs, dfinals, dropout=keep)
    assert not found["dx"].any()
    for k, s in enumerate(initial):
        assert np.array_equal(found[f"final {k}"], s)


def test_cotangents_left_out_mean_zero(rng):
    cell, p, x, initial = layer(rng, "lstm", 3, 2)
    *_, saved = recurrent_forward(cell, p, x, initial)
    dy, zero = rng.standard_normal((3, 2, 3)), np.zeros((2, 3))
    full = recurrent_backward(saved, [dy, np.zeros_like(dy)], [zero, zero])
    for short in (recurrent_backward(saved, [dy]), recurrent_backward(saved, [dy, None], [None])):
        assert np.array_equal(short.dx, full.dx)
        assert np.array_equal(short.dinitial[1], full.dinitial[1])


def test_writes_to_no_argument_and_gives_copies(rng):
    cell, p, x, initial = layer(rng, "gru-after", 3, 2)
    for value in (x, *initial, *p.values()):
        value.flags.writeable = False
    (y,), (hn,), _ = recurrent_forward(cell, p, x, initial, lengths=[0, 0])
    assert np.array_equal(hn, initial[0])
    assert not np.shares_memory(hn, initial[0])
    assert not np.shares_memory(y, hn)
