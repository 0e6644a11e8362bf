"""A call of a recurrent stack: arguments refused by name, cotangents, what a pullback may do."""

from __future__ import annotations

import re

import numpy as np
import pytest
from lstm_tool import assert_all_close, assert_same_bits, draw, ours

from numba_lstm import nn

MODULE = {"input_size": 10, "hidden_size": 7, "num_layers": 2, "seed": 0}


def zeros(*shape):
    return np.zeros(shape, "f4")


@pytest.mark.parametrize(
    ("options", "x", "error", "message"),
    [
        (
            {},
            zeros(5, 3, 11),
            ValueError,
            "x: expected shape (T, B, 10) or (T, 10), got",
        ),
        (
            {"batch_first": True},
            zeros(5, 3, 11),
            ValueError,
            "x: expected shape (B, T, 10) or (T, 10), got (5, 3, 11)",
        ),
        ({}, zeros(10), ValueError, "x: expected shape"),
        ({}, zeros(1, 2, 3, 10), ValueError, "x: expected shape"),
        ({}, 3.0, ValueError, "x: expected shape"),
        ({}, [], ValueError, "x: expected shape"),
        (
            {},
            zeros(0, 3, 10),
            ValueError,
            "x: expected at least one time step, got shape (0,",
        ),
        ({}, zeros(0, 10), ValueError, "x: expected at least one time step"),
        (
            {"batch_first": True},
            zeros(3, 0, 10),
            ValueError,
            "x: expected at least one time step, got shape (3, 0, 10)",
        ),
        ({}, None, TypeError, "x: expected real numbers, got None"),
        ({}, zeros(5, 3, 10).astype(complex), TypeError, "x: expected real numbers"),
        ({}, zeros(5, 3, 10).astype(object), TypeError, "x: expected real numbers"),
        ({}, "text", TypeError, "x: expected real numbers"),
        ({}, [[1.0], [1.0, 2.0]], ValueError, "x: expected"),
        (
            {},
            np.ma.masked_array(zeros(5, 3, 10), np.eye(3, 10)[None].repeat(5, 0)),
            TypeError,
            "x: expected real numbers, got a masked array",
        ),
    ],
)
def test_x_is_refused_by_name(options, x, error, message):
    module = nn.LSTM(**MODULE, **options)
    for method in (module, module.vjp):
        with pytest.raises(error, match=re.escape(message)):
            method(x)


@pytest.mark.parametrize(
    ("hx", "error", "message"),
    [
        (
            (zeros(2, 3, 8), zeros(2, 3, 7)),
            ValueError,
            "h0: expected shape (2, 3, 7), got (2,",
        ),
        (
            (zeros(2, 3, 7), zeros(1, 3, 7)),
            ValueError,
            "c0: expected shape (2, 3, 7), got (1,",
        ),
        ((zeros(3, 7), zeros(2, 3, 7)), ValueError, "h0: expected shape (2, 3, 7), got (3, 7)"),
        ((zeros(2, 3, 7), None), TypeError, "c0: expected real numbers, got None"),
        ((None, zeros(2, 3, 7)), TypeError, "h0: expected real numbers, got None"),
        ((zeros(2, 3, 7), zeros(2, 3, 7) * 1j), TypeError, "c0: expected real numbers"),
        (zeros(2, 2, 3, 7), TypeError, "hx: expected a pair (h0, c0), got ndarray"),
        ((zeros(2, 3, 7),), TypeError, "hx: expected a pair (h0, c0)"),
        (5, TypeError, "hx: expected a pair (h0, c0), got int"),
    ],
)
def test_states_are_refused_by_name(hx, error, message):
    module = nn.LSTM(**MODULE)
    for method in (module, module.vjp):
        with pytest.raises(error, match="^" + re.escape(message)):
            method(zeros(5, 3, 10), hx)
    embedding = nn.Embedding(4, 10)
    with pytest.raises(error, match="^" + re.escape(message)):
        module.vjp_tokens(embedding, np.zeros((5, 3), int), hx)


def test_a_batch_of_states_for_one_sequence_is_refused():
    module = nn.LSTM(**MODULE)
    with pytest.raises(ValueError, match=re.escape("h0: expected shape (2, 7), got (2, 1, 7)")):
        module(zeros(5, 10), (zeros(2, 1, 7), zeros(2, 1, 7)))


REFUSED = [
    ((zeros(5, 3, 8),), ValueError, "dy: expected shape (5, 3, 7), got (5, 3, 8)"),
    ((zeros(5, 3, 7) * 1j,), TypeError, "dy: expected real numbers"),
    ((None, (zeros(2, 3, 8), None)), ValueError, "dhn: expected shape (2, 3, 7), got (2, 3, 8)"),
    ((None, (None, zeros(3, 7))), ValueError, "dcn: expected shape (2, 3, 7), got (3, 7)"),
    ((None, (None, "text")), TypeError, "dcn: expected real numbers"),
    ((None, zeros(2, 2, 3, 7)), TypeError, "dstate: expected a pair (dhn, dcn), got ndarray"),
]


@pytest.mark.parametrize(("arguments", "error", "message"), REFUSED)
def test_a_refused_pullback_adds_nothing_and_may_be_called_again(rng, arguments, error, message):
    module = nn.LSTM(**MODULE)
    case = draw(rng, module, 5, 3)
    expected = ours(module, case)
    before = {name: p.grad.copy() for name, p in module.named_parameters()}
    (_, _), pullback = module.vjp(case.x, case.hx)
    with pytest.raises(error, match="^" + re.escape(message)):
        pullback(*arguments)
    for name, p in module.named_parameters():
        assert np.array_equal(p.grad, before[name])
    module.zero_grad()
    dx, _ = pullback(case.dy, case.dstate)
    assert np.array_equal(dx, expected["dx"])
    for name, p in module.named_parameters():
        assert np.array_equal(p.grad, expected[name])


def test_a_second_call_of_a_pullback_is_an_error_and_adds_nothing(rng):
    module = nn.LSTM(**MODULE)
    case = draw(rng, module, 5, 3)
    (_, _), pullback = module.vjp(case.x)
    pullback(case.dy)
    before = {name: p.grad.copy() for name, p in module.named_parameters()}
    with pytest.raises(RuntimeError, match="called already"):
        pullback(case.dy)
    for name, p in module.named_parameters():
        assert np.array_equal(p.grad, before[name])


@pytest.mark.parametrize("bidirectional", [False, True])
def test_a_cotangent_of_none_means_zero(rng, bidirectional):
    module = nn.LSTM(**MODULE, bidirectional=bidirectional)
    case = draw(rng, module, 4, 3)
    none = [np.zeros_like(case.dy), *map(np.zeros_like, case.dstate)]
    for given in range(8):
        full, some = [], []
        for bit, cotangent in enumerate((case.dy, *case.dstate)):
            there = given >> bit & 1
            full.append(cotangent if there else none[bit])
            some.append(cotangent if there else None)
        expected = ours(module, case._replace(dy=full[0], dstate=tuple(full[1:])))
        assert_all_close(
            ours(module, case._replace(dy=some[0], dstate=tuple(some[1:]))), expected, "f4", given
        )
    without = ours(module, case._replace(dy=none[0], dstate=None))
    for name in ("dx", "dh0", "dc0", *(name for name, _ in module.named_parameters())):
        assert not without[name].any(), name


def test_gradients_add_up_over_pullbacks(rng):
    module = nn.LSTM(**MODULE, dtype="f8")
    cases = [draw(rng, module, steps, 3) for steps in (1, 6)]
    apart = [ours(module, case) for case in cases]
    module.zero_grad()
    pullbacks = [module.vjp(case.x, case.hx)[1] for case in cases]
    for case, pullback in zip(reversed(cases), reversed(pullbacks)):
        pullback(case.dy, case.dstate)
    found = {name: p.grad for name, p in module.named_parameters()}
    assert_all_close(found, {name: apart[0][name] + apart[1][name] for name in found}, "f8")


def test_what_the_caller_does_to_arrays_changes_nothing_else(rng):
    module = nn.LSTM(**MODULE, bidirectional=True)
    case = draw(rng, module, 4, 3)
    expected = ours(module, case)
    copies = [a.copy() for a in (case.x, *case.hx, case.dy, *case.dstate)]
    module.zero_grad()
    (y, (hn, cn)), pullback = module.vjp(case.x, case.hx)
    for array in (y, hn, cn, *case.hx):  # outputs and initial states are the caller's
        array[...] = np.nan
    dx, (dh0, dc0) = pullback(case.dy, case.dstate)
    found = {"dx": dx, "dh0": dh0, "dc0": dc0}
    found |= {name: p.grad for name, p in module.named_parameters()}
    assert_same_bits(found, {name: expected[name] for name in found})
    for array, copied in zip((case.x, case.dy, *case.dstate), [copies[0], *copies[3:]]):
        assert np.array_equal(array, copied)


def test_results_alias_neither_each_other_nor_the_arguments(rng):
    for batched in (True, False):
        for options in ({}, {"batch_first": True}, {"bidirectional": True}):
            module = nn.LSTM(10, 7, **options, seed=0)
            case = draw(rng, module, 4, 1, True, batched)
            (y, (hn, cn)), pullback = module.vjp(case.x, case.hx)
            dx, (dh0, dc0) = pullback(case.dy, case.dstate)
            y2, (hn2, cn2) = module(case.x, case.hx)
            grads = [p.grad for p in module.parameters()]
            results = [y, hn, cn, dx, dh0, dc0, y2, hn2, cn2, *grads]
            for number, one in enumerate(results):
                assert one.flags.writeable
                for other in (*results[:number], case.x, *case.hx, case.dy, *case.dstate):
                    assert not np.shares_memory(one, other)


@pytest.mark.parametrize("form", ["lists", "float64", "float16", "swapped", "fortran", "strided"])
def test_every_form_of_the_same_numbers_gives_the_same_bits(rng, form):
    module = nn.LSTM(**MODULE)
    case = draw(rng, module, 5, 3)
    # Multiples of 1/8 are exact in every float.
    case = case._replace(
        x=np.round(case.x * 8) / 8,
        hx=tuple(np.round(s * 8) / 8 for s in case.hx),
        dy=np.round(case.dy * 8) / 8,
        dstate=tuple(np.round(s * 8) / 8 for s in case.dstate),
    )

    def changed(a):
        if form == "lists":
            return a.tolist()
        if form == "strided":
            wide = np.zeros((*a.shape[:-1], 2 * a.shape[-1]), a.dtype)
            wide[..., ::2] = a
            return wide[..., ::2]
        if form == "fortran":
            return np.asfortranarray(a)
        return a.astype({"float64": "f8", "float16": "f2", "swapped": ">f4"}[form])

    other = type(case)(
        changed(case.x),
        tuple(map(changed, case.hx)),
        changed(case.dy),
        list(map(changed, case.dstate)),
    )
    assert_same_bits(ours(module, case), ours(module, other))


@pytest.mark.parametrize("dtype", [np.int8, np.uint64, bool])
def test_integers_and_booleans_are_numbers(rng, dtype):
    module = nn.LSTM(4, 3, seed=0)
    x = rng.integers(0, 2, (5, 2, 4)).astype(dtype)
    y, (hn, cn) = module(x)
    assert y.dtype == hn.dtype == cn.dtype == np.float32
    assert np.array_equal(y, module(x.astype("f4"))[0])


def test_read_only_arguments_are_accepted(rng):
    module = nn.LSTM(**MODULE)
    case = draw(rng, module, 5, 3)
    expected = ours(module, case)
    for array in (case.x, *case.hx, case.dy, *case.dstate):
        array.flags.writeable = False
    assert_same_bits(ours(module, case), expected)
