"""A language model of letters, trained by several processes that share each batch.

Without mpiexec one process trains the same model, to rounding. A batch has 32 streams of text, of
which each process reads its own.

    mpiexec -n 4 python examples/data_parallel_mpi.py
"""

from __future__ import annotations

import numpy as np

from numba_lstm import distributed, losses, models, optim, text

BATCH, STEPS = 32, 32


def validate(ranks: distributed.Group, model: models.LanguageModel, tokens: np.ndarray) -> float:
    """Return the loss in nats a token; each process looks at its own part of the text."""
    mine = tokens[ranks.share(len(tokens))]
    logits, _ = model(mine[:-1, None])
    loss, _ = losses.cross_entropy(logits, mine[1:, None], with_gradient=False)
    total, count = ranks.sums(float(loss) * (len(mine) - 1), len(mine) - 1)
    return total / count


def main(updates: int = 150) -> float:
    """Train, and return the loss on text that was not trained on."""
    ranks = distributed.group_of()  # every process that mpiexec started
    distributed.share_cores(ranks)
    with ranks.together("reading the text"):  # a file that one lacks ends all, by name
        train, valid = text.split(text.shakespeare()[:200_000], 0.1)
        vocabulary = text.CharVocabulary.build(train)
    ranks.agree("vocabulary", "".join(vocabulary.tokens))

    model = models.LanguageModel(len(vocabulary), 32, 64, seed=0)
    # From here on all have the parameters of rank 0, and take the same steps.
    optimizer = distributed.DistributedOptimizer(optim.Adam(model.parameters(), lr=0.01), ranks)
    schedule = optim.CosineLR(optimizer, warmup=0.1)

    mine = ranks.share(BATCH)
    share = (mine.stop - mine.start) / BATCH
    state = None
    for update, (inputs, targets, fresh) in zip(
        range(updates), text.Streams(vocabulary.encode(train), BATCH, STEPS)
    ):
        state = None if fresh else state
        schedule.step(update / updates)
        optimizer.zero_grad()
        (logits, state), pullback = model.vjp(inputs[:, mine], state)
        loss, dlogits = losses.cross_entropy(logits, targets[:, mine])
        pullback(dlogits * share)  # the sum over the processes is the gradient of the whole mean
        optimizer.reduce()
        norm = optim.grad_norm(model.parameters())
        optimizer.step(grad_scale=optim.clip_scale(norm, 1.0))
        (loss,) = ranks.sums(float(loss) * share)
        if update % 50 == 0 and ranks.rank == 0:
            print(f"update {update:4}   loss {loss:.3f}   norm {norm:.2f}")

    loss = validate(ranks, model.eval(), vocabulary.encode(valid))
    if ranks.rank == 0:
        print(f"{ranks.size} processes: {loss:.2f} nats a letter on text that was not trained on")
    return loss


if __name__ == "__main__":
    main()
