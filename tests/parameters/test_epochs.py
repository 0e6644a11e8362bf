"""One number tells that some parameter changed, another that a module exchanged one."""

from __future__ import annotations

import numpy as np

from numba_lstm.nn import Module, Parameter
from numba_lstm.parameters import epochs


def test_an_epoch_begins_when_a_parameter_is_made_written_or_exchanged():
    module = Module()
    seen = [epochs.epoch]

    def began():
        seen.append(epochs.epoch)
        return seen[-1] not in seen[:-1]

    one = Parameter(np.zeros(2))
    assert began()
    one[0] = 1.0
    assert began()
    with one.mutate() as values:
        values += 1
    assert began()
    module.weight = one
    assert began()
    del module.weight
    assert began()
    one.numpy().sum()
    one.grad = np.ones(2)
    assert not began()


def test_only_an_exchange_changes_the_exchange():
    module, one = Module(), Parameter(np.zeros(2))
    before = epochs.exchange
    one[0] = 1.0
    Parameter(np.zeros(2))
    assert epochs.exchange == before
    module.weight = one
    assert epochs.exchange == epochs.epoch != before
    before = epochs.exchange
    del module.weight
    assert epochs.exchange == epochs.epoch != before
