"""NaN stays in its row and never vanishes; infinities, denormals and ±1e30 give the limits."""

from __future__ import annotations

import numpy as np
from family_tool import by_reference, ours
from hypothesis import given
from hypothesis import strategies as st
from lstm_tool import assert_all_close
from properties_tool import OUTPUTS, calls
from splits_tool import by_row

from numba_lstm import nn


def changed(case, where, place, value):
    """The case with one value put into x, dy, a state or a state's cotangent."""
    arrays = {"x": case.x, "dy": case.dy}
    arrays |= {f"state {k}": s for k, s in enumerate(case.states)}
    arrays |= {f"dstate {k}": d for k, d in enumerate(case.dstates)}
    array = arrays[where].copy()
    array[place] = value
    kind, _, number = where.partition(" ")
    if not number:
        return case._replace(**{kind: array})
    states = list(getattr(case, f"{kind}s"))
    states[int(number)] = array
    return case._replace(**{f"{kind}s": states})


@given(data=st.data(), call=calls(batches=(2, 9)))
def test_what_is_not_finite_in_a_row_changes_no_bit_of_the_others(data, call):
    module, case, rng = call.module, call.case, call.rng
    axis = 0 if module.batch_first else 1
    batch, steps = case.x.shape[axis], case.x.shape[1 - axis]
    states = range(len(module.STATES))
    where = data.draw(st.sampled_from(
        ["x", "dy", *(f"state {k}" for k in states), *(f"dstate {k}" for k in states)]
    ))  # fmt: skip
    value = data.draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    row, t = int(rng.integers(batch)), int(rng.integers(steps))
    in_time = (row, t) if module.batch_first else (t, row)
    place = (*in_time, -1) if where in ("x", "dy") else (0, row, -1)
    clean = by_row(module, case)
    module.zero_grad()
    dirty = by_row(module, changed(case, where, place, value))
    others = np.arange(batch) != row
    for name, array in clean.items():
        assert dirty[name][others].tobytes() == array[others].tobytes(), (name, where, value)
    length = steps if case.lengths is None else case.lengths[row]
    # A reset hides states, a ReLU that is off hides cotangents, and padding hides everything.
    reached = t < length if where in ("x", "dy") else length > 0 and case.reset is None
    if np.isnan(value) and reached and (call.kind != "rnn-relu" or where == "x"):
        changes = {"x": "y", "dy": "dx"}.get(where, "y" if where.startswith("s") else "dx")
        assert np.isnan(dirty[changes][row]).any(), (where, changes)
        assert any(np.isnan(p.grad).any() for p in module.parameters())


def spread(rng, array, values):
    """A copy with some of `values` in about a third of its places."""
    places = rng.random(array.shape) < 0.3
    return np.where(places, rng.choice(values, array.shape), array).astype(array.dtype)


def assert_limits(found, expected, note):
    """Outputs with NaN and infinities in the reference's places, and all other values close."""
    for name in OUTPUTS & found.keys():
        nan = np.isnan(expected[name])
        assert np.array_equal(np.isnan(found[name]), nan), (name, note)
        one, other = found[name][~nan].astype("f8"), expected[name][~nan]
        infinite = np.isinf(other)
        assert np.array_equal(one[infinite], other[infinite]), (name, note)
        one, other = one[~infinite], other[~infinite]
        bound = 1e-5 if found[name].dtype == np.float32 else 1e-12
        assert (np.abs(one - other) <= bound * np.maximum(np.abs(other), 1)).all(), (name, note)


# Not of a ReLU, whose states become infinite.
BOUNDED = ("lstm", "gru", "rnn-tanh", "lstm-projected", "gru-before")


@given(calls(kinds=BOUNDED, batches=(1, 5)))
def test_infinite_inputs_give_the_references_limits(call):
    module, case = call.module, call.case
    case = case._replace(x=spread(call.rng, case.x, [np.inf, -np.inf]))
    with np.errstate(all="ignore"):
        expected = by_reference(module, case)
    found = ours(module, case)
    assert_limits(found, expected, call)


LARGE = [1e30, -1e30, 1e-30, -1e-30, 0.0]


@given(calls(kinds=BOUNDED, batches=(1, 5)))
def test_inputs_and_states_of_1e30_saturate_as_the_reference_does(call):
    module, case, rng = call.module, call.case, call.rng
    states = [spread(rng, state, LARGE) for state in case.states]
    case = case._replace(x=spread(rng, case.x, LARGE), states=states)
    assert_limits(ours(module, case), by_reference(module, case), call)


# With states of 1e30, too, products of two of them would be infinite in float32, and times 0 NaN.
@given(calls(kinds=BOUNDED, batches=(1, 5)))
def test_gradients_of_inputs_of_1e30_are_the_references(call):
    module, case = call.module, call.case
    case = case._replace(x=spread(call.rng, case.x, LARGE))
    found, expected = ours(module, case), by_reference(module, case)
    assert_all_close(found, expected, module.dtype, call, floor=0.1, times=3.0)


@given(calls(batches=(1, 5), padded=False))
def test_denormals_count_as_zeros(call):
    module, case, rng = call.module, call.case, call.rng
    least = np.finfo(module.dtype).smallest_subnormal
    sizes = np.array([1, -1, 3, 1000, -1000], module.dtype) * least
    case = case._replace(
        x=spread(rng, case.x, sizes), states=[spread(rng, s, sizes) for s in case.states],
        dy=spread(rng, case.dy, sizes), dstates=[spread(rng, d, sizes) for d in case.dstates],
    )  # fmt: skip

    def flushed(array):
        return np.where(np.abs(array) < np.finfo(module.dtype).tiny, 0, array).astype(module.dtype)

    zeros = case._replace(
        x=flushed(case.x), states=[flushed(s) for s in case.states], dy=flushed(case.dy),
        dstates=[flushed(d) for d in case.dstates],
    )  # fmt: skip
    assert (zeros.x != case.x).any() or case.x.size < 20
    found, expected = ours(module, case), ours(module, zeros)
    for name, value in expected.items():
        assert np.array_equal(found[name], value), name


def test_nan_in_a_token_s_embedding_stays_in_the_rows_that_have_the_token():
    module, embedding = nn.GRU(5, 21, seed=0), nn.Embedding(7, 5, seed=0)
    tokens = np.arange(40).reshape(4, 10) % 6
    clean = module.infer_tokens(embedding, tokens)[0]
    embedding.weight[6] = np.nan
    tokens[1, 3] = 6
    dirty = module.infer_tokens(embedding, tokens)[0]
    others = np.arange(10) != 3
    assert dirty[:, others].tobytes() == clean[:, others].tobytes()
    assert np.isnan(dirty[1:, 3]).all() and np.isfinite(dirty[0, 3]).all()
