"""A module of one's own with its loss and data, for tests of training it."""

from __future__ import annotations

import numpy as np

from numba_lstm import losses, nn, optim
from numba_lstm.training import Trainer, batches

RNG = np.random.default_rng(3)
X = RNG.normal(size=(40, 6, 2))
Y = (X.sum(axis=(1, 2)) > 0).astype(np.int64)


class Classifier(nn.Module):
    """The last step of an LSTM, dropout and a linear layer."""

    def __init__(self, dropout=0.0, seed=0, **options):
        rng = np.random.default_rng(seed)
        self.lstm = nn.LSTM(2, 5, seed=rng, **options)
        self.dropout = nn.Dropout(dropout, seed=rng)
        self.head = nn.Linear(5, 2, seed=rng, **options)

    def __call__(self, x):
        return self.vjp(x)[0]

    def vjp(self, x):
        (y, _), lstm_back = self.lstm.vjp(x)
        dropped, dropout_back = self.dropout.vjp(y[-1])
        logits, head_back = self.head.vjp(dropped)

        def pullback(dlogits):
            dy = np.zeros_like(y)
            dy[-1] = dropout_back(head_back(dlogits))
            return lstm_back(dy)[0]

        return logits, pullback


def make(lr=0.02, dropout=0.0, loss=losses.cross_entropy, **options):
    model = Classifier(dropout)
    return Trainer(model, loss, optim.Adam(model.parameters(), lr=lr), **options)


def data(size=8, **options):
    return batches(X, Y, size, seed=1, **options)


def weights(module):
    return {name: array.tobytes() for name, array in module.state_dict().items()}


class Stub:
    """A loss that is told what to find when it validates."""

    def __init__(self, values):
        self.values = iter(values)

    def __call__(self, outputs, targets, with_gradient=True):
        loss, gradient = losses.cross_entropy(outputs, targets)
        return (loss if with_gradient else next(self.values)), gradient


class Weights:
    """Keeps the weights of each epoch."""

    def __init__(self):
        self.kept = []

    def on_epoch_end(self, trainer, record):
        self.kept.append(weights(trainer.module))


class Stops:
    """Asks for the end at a step or an epoch."""

    def __init__(self, step=None, epoch=None):
        self.step, self.epoch, self.records = step, epoch, []

    def on_step_end(self, trainer, record):
        self.records.append(record)
        return record["step"] == self.step

    def on_epoch_end(self, trainer, record):
        self.records.append(record)
        return record["epoch"] == self.epoch
