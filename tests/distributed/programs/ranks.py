"""What real ranks do: each writes what it saw to a file of its own, RANK.json, in a folder."""

from __future__ import annotations

import hashlib
import json
import sys
from pathlib import Path

import numpy as np

from numba_lstm import losses, models, optim
from numba_lstm.distributed import (
    DistributedError,
    DistributedOptimizer,
    Group,
    OtherRankError,
    group_of,
    launched,
)

BATCH, STEPS, VOCABULARY = 8, 12, 17


def model(dtype: str, seed: int, **options) -> models.LanguageModel:
    return models.LanguageModel(VOCABULARY, 12, 12, dtype=dtype, seed=seed, **options)


def backward(group: Group, module: models.LanguageModel, tokens: np.ndarray) -> float:
    """Add the gradients of this rank's share of a batch, and return its share of the loss."""
    mine = tokens[:, group.share(tokens.shape[1])]
    (logits, _), pullback = module.vjp(mine[:-1])
    loss, dlogits = losses.cross_entropy(logits, mine[1:])
    share = mine.shape[1] / tokens.shape[1]
    pullback(dlogits * dlogits.dtype.type(share))
    return float(loss) * share


def gradients(group: Group, dtype: str) -> list[np.ndarray]:
    """The gradients of one batch, whatever the number of ranks; embedding and output are tied."""
    module = model(dtype, seed=1, tie_weights=True)
    optimizer = DistributedOptimizer(optim.SGD(module.parameters(), lr=0.1), group)
    tokens = np.random.default_rng(5).integers(0, VOCABULARY, (STEPS, BATCH))
    backward(group, module, tokens)
    optimizer.reduce()
    return [p.grad for p in module.parameters()]


def train(group: Group, steps: int) -> tuple[str, list[float]]:
    """A digest of the parameters after some steps with clipping, and the losses of all ranks."""
    # Other parameters and other batches on each rank, until rank 0's are broadcast.
    module = model("float32", seed=group.rank)
    rng = group.broadcast(np.random.default_rng(10 + group.rank))
    optimizer = DistributedOptimizer(optim.Adam(module.parameters(), lr=0.02), group)
    history = []
    for _ in range(steps):
        tokens = np.cumsum(rng.integers(0, 3, (STEPS, BATCH)), axis=0) % VOCABULARY
        optimizer.zero_grad()
        loss = backward(group, module, tokens)
        optimizer.reduce()
        optim.clip_grad_norm_(module.parameters(), 1.0)
        optimizer.step()
        history += group.sums(loss)
    values = b"".join(p.numpy().tobytes() for p in module.parameters())
    return hashlib.sha256(values).hexdigest(), history


def talk(group: Group) -> dict[str, object]:
    """What comes of each message."""
    last = group.size - 1
    array = np.full(5, group.rank, np.float32)
    group.broadcast_array(array, root=last)
    counts = np.array([1, group.rank], np.int64)
    group.sum(counts)
    return {
        "launched": launched(),
        "size": group.size,
        "node": group.node(),
        "array": array.tolist(),
        "counts": counts.tolist(),
        "sums": group.sums(1, 0.5 * group.rank),
        "any": [group.any(False), group.any(group.rank == last)],
        "broadcast": group.broadcast(f"from {group.rank}", root=last),
        "draw": float(group.broadcast(np.random.default_rng(group.rank)).random()),
        "gather": group.gather(group.rank),
        "all_gather": group.all_gather(group.rank),
        "scatter": group.scatter([f"to {r}" for r in range(group.size)]),
    }


def refusals(group: Group) -> dict[str, str]:
    """The words of what is refused on all ranks; they go on after each."""
    words = {}

    def refused(name, run) -> None:
        try:
            run()
        except (DistributedError, KeyError) as error:
            words[name] = f"{type(error).__name__}: {error}"
        group.barrier()

    def fail() -> None:
        with group.together("reading the data"):
            if group.rank == 1:
                raise KeyError("no such column")

    def nan() -> None:
        module = model("float32", seed=0)
        optimizer = DistributedOptimizer(optim.SGD(module.parameters(), lr=0.1), group)
        backward(group, module, np.zeros((STEPS, BATCH), int))
        if group.rank == group.size - 1:
            module.decoder.weight.grad[0, 0] = np.nan
        optimizer.step()

    def start(value: float) -> None:
        module = model("float32", seed=0)
        if group.rank == group.size - 1:
            module.decoder.weight[0, 0] = value
        optimizer = DistributedOptimizer(optim.SGD(module.parameters(), lr=0.1), group)
        module.decoder.weight[0, 0] = group.rank // 2  # without broadcast
        optimizer.step()

    refused("agree", lambda: group.agree("data", f"digest {group.rank // 2}"))
    refused("together", fail)
    refused("nan", nan)
    refused("nan at the start", lambda: start(np.nan))
    refused("infinity at the start", lambda: start(np.inf))
    refused("other bits", lambda: start(0.0))
    assert issubclass(OtherRankError, DistributedError)
    return words


def look(group: Group, steps: int) -> dict[str, object]:
    digest, history = train(group, steps)
    return {
        "talk": talk(group),
        "refusals": refusals(group) if group.size > 1 else {},
        "digest": digest,
        "history": history,
        "gradients": {
            dtype: [g.tolist() for g in gradients(group, dtype)] for dtype in ("float32", "float64")
        },
    }


def main(folder: Path, steps: int) -> None:
    group = group_of()
    (folder / f"{group.rank}.json").write_text(json.dumps(look(group, steps)))


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]))
