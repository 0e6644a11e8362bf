"""Stacks of any cell: everything combined by complex step, and torch's outputs and gradients."""

from __future__ import annotations

import numpy as np
import pytest
from gradcheck import assert_close
from recurrent_tool import FLAVOURS, OPTIONS, check, draw

from numba_lstm.reference.stack import stack_backward, stack_forward

TORCH = {
    "lstm": ("LSTM", {}),
    "lstm-no-bias": ("LSTM", {"bias": False}),
    "lstm-projection": ("LSTM", {"proj_size": 6}),
    "gru-after": ("GRU", {}),
    "gru-no-bias": ("GRU", {"bias": False}),
    "rnn-tanh": ("RNN", {}),
    "rnn-relu": ("RNN", {"nonlinearity": "relu"}),
    "rnn-no-bias": ("RNN", {"bias": False}),
}


@pytest.mark.parametrize("flavour", FLAVOURS)
def test_two_bidirectional_layers_with_all_options_equal_complex_step(rng, flavour):
    case = draw(rng, FLAVOURS[flavour], OPTIONS, hidden=[3, 4], directions=2)
    check(case, rng, 3)


@pytest.mark.parametrize("directions", [1, 2])
@pytest.mark.parametrize("kind", ["lstm-projection", "gru-before", "rnn-relu"])
def test_layers_of_different_sizes_equal_complex_step(rng, kind, directions):
    case = draw(rng, FLAVOURS[kind], ["between"], T=2, hidden=[4, 2, 3], directions=directions)
    check(case, rng, 4)


def torch_twin(torch, flavour, case, I, H, layers, directions):
    kind, options = TORCH[flavour]
    twin = getattr(torch.nn, kind)(
        I, H, layers, bidirectional=directions == 2, dtype=torch.float64, **options
    )
    state = {name: torch.tensor(value) for name, value in case.parameters.items()}
    twin.load_state_dict(state)
    return twin


def run_torch(torch, twin, case, lengths):
    """Outputs and gradients by name, as lists of the leaves; packed where there are lengths."""
    x = torch.tensor(case.x, requires_grad=True)
    initial = [torch.tensor(np.stack(s), requires_grad=True) for s in case.initial]
    states = tuple(initial) if len(initial) > 1 else initial[0]
    if lengths is None:
        y, finals = twin(x, states)
    else:
        rnn = torch.nn.utils.rnn
        packed = rnn.pack_padded_sequence(x, torch.tensor(lengths), enforce_sorted=False)
        y, finals = twin(packed, states)
        y, _ = rnn.pad_packed_sequence(y, total_length=len(case.x))
    finals = finals if isinstance(finals, tuple) else (finals,)
    dfinals = [torch.tensor(np.stack(d)) for d in case.dfinals]
    torch.autograd.backward([y, *finals], [torch.tensor(case.dy), *dfinals])
    found = {"y": y, "dx": x.grad}
    found |= {f"final {k}": value for k, value in enumerate(finals)}
    found |= {f"dinitial {k}": value.grad for k, value in enumerate(initial)}
    found |= {name: p.grad for name, p in twin.named_parameters()}
    return {name: value.detach().numpy() for name, value in found.items()}


@pytest.mark.parametrize("lengths", [None, [5, 9, 1]])
@pytest.mark.parametrize("layers, directions", [(1, 1), (3, 1), (2, 2)])
@pytest.mark.parametrize("flavour", TORCH)
def test_equals_torch(rng, flavour, layers, directions, lengths):
    torch = pytest.importorskip("torch")
    T, B, I, H = 9, 3, 4, 7
    case = draw(rng, FLAVOURS[flavour], T=T, B=B, I=I, hidden=[H] * layers, directions=directions)
    twin = torch_twin(torch, flavour, case, I, H, layers, directions)
    wanted = run_torch(torch, twin, case, lengths)
    output, saved = stack_forward(case.cell, case.parameters, case.x, case.initial, lengths=lengths)
    back = stack_backward(saved, case.dy, case.dfinals)
    found = {"y": output.y, "dx": back.dx} | back.parameters
    found |= {f"final {k}": np.stack(value) for k, value in enumerate(output.finals)}
    found |= {f"dinitial {k}": np.stack(value) for k, value in enumerate(back.dinitial)}
    assert found.keys() == wanted.keys()
    for name, value in wanted.items():
        assert_close(found[name], value, 1e-11, name)


def test_cell_states_of_every_layer(rng):
    case = draw(rng, FLAVOURS["lstm-projection"], ["lengths"], hidden=[3, 5], directions=2)
    output, _ = stack_forward(case.cell, case.parameters, case.x, case.initial, **case.options)
    hs, cs = output.sequences
    assert np.array_equal(output.y, hs[-1])
    assert [h.shape[2] for h in hs] == [4, 8]
    assert [c.shape[2] for c in cs] == [6, 10]
    last = case.options["lengths"].index(4)  # a row that has every step
    assert np.array_equal(cs[1][-1, last, :5], output.finals[1][2][last])  # forward ends at T - 1
    assert np.array_equal(cs[1][0, last, 5:], output.finals[1][3][last])  # reverse at 0
