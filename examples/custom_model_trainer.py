"""A model of one's own, trained by `training.Trainer`.

Two steps of a noisy sequence are marked: is the noise higher at the second? An LSTM reads the
sequence, learnt weights say how much each of its steps counts, and a linear layer decides.
"""

import numpy as np

from numba_lstm import losses, nn, optim, training


class AttentionClassifier(nn.Module):
    """Logits (B, C) of sequences (T, B, I): softmax(y·w) weighs the outputs y of an LSTM."""

    def __init__(self, inputs, hidden, classes, seed=None, dtype="float32"):
        rng = np.random.default_rng(seed)
        self.lstm = nn.LSTM(inputs, hidden, dtype=dtype, seed=rng)
        self.weigh = nn.Parameter(rng.normal(0, hidden**-0.5, hidden).astype(dtype))
        self.head = nn.Linear(hidden, classes, dtype=dtype, seed=rng)

    def __call__(self, x):
        return self.vjp(x)[0]

    def vjp(self, x):
        (y, _), lstm_back = self.lstm.vjp(x)
        w = self.weigh.numpy().copy()
        scores = y @ w  # (T, B)
        shares = np.exp(scores - scores.max(axis=0))
        shares /= shares.sum(axis=0)
        pooled = (shares[..., None] * y).sum(axis=0)  # (B, H)
        logits, head_back = self.head.vjp(pooled)

        def pullback(dlogits):
            dpooled = head_back(dlogits)
            dshares = (y * dpooled).sum(axis=-1)  # (T, B)
            dscores = shares * (dshares - (shares * dshares).sum(axis=0))
            self.weigh.add_grad((dscores[..., None] * y).sum(axis=(0, 1)))
            dy = shares[..., None] * dpooled + dscores[..., None] * w
            return lstm_back(dy)[0]

        return logits, pullback


def marked_sequences(samples, steps, rng):
    """(x (N, T, 2), y (N,)): a feature of noise, two marked steps, and which has more noise."""
    noise, marks = rng.normal(size=(samples, steps)), np.zeros((samples, steps))
    first = rng.integers(0, steps // 2, samples)
    second = rng.integers(steps // 2, steps, samples)
    rows = np.arange(samples)
    marks[rows, first] = marks[rows, second] = 1.0
    return np.stack([noise, marks], axis=2), (noise[rows, first] < noise[rows, second]).astype(int)


class Report:
    """A callback: a line for every fifth epoch."""

    def on_epoch_end(self, trainer, record):
        if record["epoch"] % 5 == 0:
            print(f"epoch {record['epoch']:2}: validation loss {record['val_loss']:.3f}")


def main():
    """Train, and say how good the model is on sequences that it has not seen."""
    rng = np.random.default_rng(0)
    train, valid, test = (marked_sequences(n, 20, rng) for n in (2000, 500, 1000))
    model = AttentionClassifier(2, 24, 2, seed=0)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    trainer = training.Trainer(
        model, losses.cross_entropy, optimizer, clip=1.0, patience=5, callbacks=[Report()]
    )
    history = trainer.fit(
        training.batches(*train, 50, seed=0), training.batches(*valid, 500), epochs=25
    )
    found = model(test[0].swapaxes(0, 1)).argmax(axis=1)
    print(f"best epoch {history.best_epoch}, stopped by {history.stopped}")
    print(f"accuracy on the test: {(found == test[1]).mean():.3f}")


if __name__ == "__main__":
    main()
