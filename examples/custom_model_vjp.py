"""A model of one's own, trained by hand: a GRU whose steps are weighted by attention.

The task is the adding problem (Hochreiter & Schmidhuber, 1997): each step has a number and a mark,
two steps are marked, and the sum of their numbers is wanted. Answering 1 always has an error of
1/6.

    python examples/custom_model_vjp.py
"""

from __future__ import annotations

import numpy as np

from numba_lstm import losses, nn, optim, testing
from numba_lstm.typing import Array, ArrayPullback


class Attention(nn.Module):
    """One vector a sequence: Σ_t a_t y_t with a = softmax_t(y_t · query)."""

    def __init__(self, size: int, *, dtype: str = "float32", seed: int = 0) -> None:
        rng = np.random.default_rng(seed)
        self.query = nn.Parameter(rng.normal(0, size**-0.5, size).astype(dtype))

    def __call__(self, y: Array) -> Array:
        return self.vjp(y)[0]

    def vjp(self, y: Array) -> tuple[Array, ArrayPullback]:
        query = self.query.numpy().copy()
        scores = y @ query  # (T, B)
        a = np.exp(scores - scores.max(axis=0))
        a /= a.sum(axis=0)
        pooled = (a[..., None] * y).sum(axis=0)  # (B, H)

        def pullback(dpooled: Array) -> Array:
            da = (y * dpooled).sum(axis=-1)
            dscores = a * (da - (a * da).sum(axis=0))  # of the softmax
            self.query.add_grad(np.einsum("tb,tbh->h", dscores, y))
            return a[..., None] * dpooled + dscores[..., None] * query

        return pooled, nn.once(pullback)


class Adder(nn.Module):
    """A GRU, attention over its steps, and a linear layer."""

    def __init__(self, hidden: int, *, dtype: str = "float32", seed: int = 0) -> None:
        self.rnn = nn.GRU(2, hidden, dtype=dtype, seed=seed)
        self.attention = Attention(hidden, dtype=dtype, seed=seed + 1)
        self.head = nn.Linear(hidden, 1, dtype=dtype, seed=seed + 2)

    def __call__(self, x: Array) -> Array:
        return self.head(self.attention(self.rnn(x)[0]))

    def vjp(self, x: Array) -> tuple[Array, ArrayPullback]:
        (y, _), rnn_back = self.rnn.vjp(x)
        pooled, attention_back = self.attention.vjp(y)
        output, head_back = self.head.vjp(pooled)

        def pullback(doutput: Array) -> Array:
            dx, _ = rnn_back(attention_back(head_back(doutput)))
            return dx

        return output, nn.once(pullback)


def batch(rng: np.random.Generator, steps: int, size: int) -> tuple[Array, Array]:
    """Draw sequences (T, B, 2) and their sums (B, 1)."""
    numbers, marks = rng.random((steps, size)), np.zeros((steps, size))
    places = rng.permuted(np.tile(np.arange(steps)[:, None], size), axis=0)[:2]
    marks[places, np.arange(size)] = 1
    return np.stack([numbers, marks], axis=-1), (numbers * marks).sum(axis=0)[:, None]


def main(updates: int = 600) -> float:
    """Check the gradients, train, and return the error on new sequences."""
    # In float64, against differences: before anything is trained.
    testing.gradcheck(Adder(4, dtype="float64"), np.random.default_rng(0).random((5, 3, 2)))

    rng = np.random.default_rng(1)
    model = Adder(32)
    optimizer = optim.Adam(model.parameters(), lr=0.01)
    for update in range(updates):
        x, target = batch(rng, steps=15, size=64)
        output, pullback = model.vjp(x)
        loss, doutput = losses.mse(output, target)
        optimizer.zero_grad()
        pullback(doutput)
        optim.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if update % 100 == 0:
            print(f"update {update:4}   error {loss:.4f}")

    x, target = batch(rng, steps=15, size=1000)
    loss, _ = losses.mse(model.eval()(x), target, with_gradient=False)
    print(f"on new sequences {loss:.4f}, where answering 1 has {1 / 6:.4f}")
    return loss


if __name__ == "__main__":
    main()
