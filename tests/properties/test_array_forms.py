"""Arrays of any form give the bits of plain ones, or are refused by name."""

from __future__ import annotations

import hypothesis
import numpy as np
import pytest
from family_tool import flat, given, ours, taken
from forms_tool import FORMS, REFUSED, WithArray, mapped
from hypothesis import strategies as st
from lstm_tool import assert_same_bits
from properties_tool import calls

KINDS = ("lstm", "gru")


@pytest.fixture(scope="module")
def forms(tmp_path_factory):
    """All of `FORMS`, and arrays in files."""
    folder = tmp_path_factory.mktemp("maps")
    maps = {f"mapped {mode}": mapped(folder, mode) for mode in ("r", "r+", "c")}
    return FORMS | maps


def plain(value, dtype):
    """The values of a form in the module's own."""
    if isinstance(value, WithArray):
        value = value.array
    return np.array(value, order="C", copy=True, subok=False).astype(dtype)


def bytes_of(value):
    return np.array(value, subok=False).tobytes()


@hypothesis.given(data=st.data(), call=calls(kinds=KINDS, resets=False))
def test_every_form_gives_the_bits_of_the_plain_array(forms, data, call):
    module, case = call.module, call.case
    form = st.sampled_from(sorted(forms))

    def formed(array):
        name = data.draw(form)
        # A list of no rows says nothing of its columns.
        return array if name == "nested lists" and not array.size else forms[name](array)

    odd = case._replace(
        x=formed(case.x), states=[formed(s) for s in case.states], dy=formed(case.dy),
        dstates=[formed(d) for d in case.dstates],
    )  # fmt: skip
    arrays = [odd.x, *odd.states, odd.dy, *odd.dstates]
    before = [bytes_of(array) for array in arrays]
    same = odd._replace(
        x=plain(odd.x, module.dtype), states=[plain(s, module.dtype) for s in odd.states],
        dy=plain(odd.dy, module.dtype), dstates=[plain(d, module.dtype) for d in odd.dstates],
    )  # fmt: skip
    found = ours(module, odd)
    assert_same_bits(found, ours(module, same), call)
    assert [bytes_of(array) for array in arrays] == before
    for result in found.values():
        for array in arrays:
            assert not isinstance(array, np.ndarray) or not np.shares_memory(result, array)


@hypothesis.given(data=st.data(), call=calls(kinds=KINDS, batches=(1, 5), resets=False))
def test_what_is_no_array_of_real_numbers_is_refused_and_changes_nothing(data, call):
    module, case = call.module, call.case
    refused = st.sampled_from(sorted(REFUSED))

    def spoilt(array):
        return REFUSED[data.draw(refused)](array)

    with pytest.raises(TypeError, match=r"^x: expected real numbers, got "):
        module.vjp(spoilt(case.x))
    for k, name in enumerate(module.STATES):
        states = list(case.states)
        states[k] = spoilt(states[k])
        with pytest.raises(TypeError, match=rf"^{name}: expected real numbers, got "):
            module(case.x, given(states))
    expected = ours(module, case)
    module.zero_grad()
    _, pullback = module.vjp(case.x, given(case.states), case.lengths)
    with pytest.raises(TypeError, match=r"^dy: expected real numbers, got "):
        pullback(spoilt(case.dy), given(case.dstates))
    for k, name in enumerate(module.STATES):
        dstates = list(case.dstates)
        dstates[k] = spoilt(dstates[k])
        with pytest.raises(TypeError, match=rf"^d{name[0]}n: expected real numbers, got "):
            pullback(case.dy, given(dstates))
    assert all(p.grad is None or not p.grad.any() for p in module.parameters())
    dx, dinitial = pullback(case.dy, given(case.dstates))
    assert dx.tobytes() == expected["dx"].tobytes()
    for name, d in zip(module.STATES, taken(dinitial)):
        for one, other in zip(flat(d), flat(expected[f"d{name}"])):
            assert one.tobytes() == other.tobytes()
    for name, p in module.named_parameters():
        assert np.array_equal(p.grad, expected[name])


@hypothesis.given(data=st.data(), call=calls(kinds=KINDS, padded=False, resets=False))
def test_no_steps_are_refused_in_every_form_and_no_rows_are_not(forms, data, call):
    module, form = call.module, forms[data.draw(st.sampled_from(sorted(forms)))]
    shape = [*call.case.x.shape]
    shape[1 if module.batch_first else 0] = 0
    none = np.zeros(shape, module.dtype)
    if not isinstance(form(none), list):
        for method in (module, module.vjp):
            with pytest.raises(ValueError, match=r"^x: expected at least one time step"):
                method(form(none))
    with pytest.raises(ValueError, match=r"^x: expected shape "):
        module(form(np.zeros((3, 2, module.input_size + 1), module.dtype)))
