"""What `japanese_vowels.py` compares with: the classifier of the Japanese Vowels in torch.

Its one argument is JSON: the options of a run of `train classify`, and "peer" and "threads". It
prints accuracy and seconds as JSON.
"""

from __future__ import annotations

import copy
import json
import math
import sys
import time
from typing import Any

import torch
from tools import ROOT  # noqa: F401 (puts the checkout on the path)
from torch.nn.utils import rnn

from numba_lstm import datasets, training

# What the model below is; another command would need another one.
EXPECTED = {
    "data": "japanese-vowels",
    "valid_fraction": 0.0,
    "scale": "standard",
    "cell": "lstm",
    "layers": 1,
    "bidirectional": True,
    "pooling": "max",
    "recurrent_dropout": 0.0,
    "optimizer": "adamw",
    "schedule": "cosine",
    "dtype": "float32",
}


class Classifier(torch.nn.Module):
    """A bidirectional LSTM, the maximum of its outputs over time, dropout, a linear layer."""

    def __init__(self, inputs: int, classes: int, config: dict[str, Any]) -> None:
        super().__init__()
        hidden = config["hidden"]
        self.input_dropout = config["input_dropout"]
        self.dropout = torch.nn.Dropout(config["dropout"])
        self.head = torch.nn.Linear(2 * hidden, classes)

    def forward(self, x: Any, lengths: Any) -> Any:
        """Logits (B, C) of x (T, B, I)."""
        if self.training and self.input_dropout:  # one mask for all steps
            kept = 1.0 - self.input_dropout
            x = x * (torch.rand(1, *x.shape[1:]) < kept) / kept
        return self.head(self.dropout(self.features(x, lengths)))


class Packed(Classifier):
    """As torch's documentation has it."""

    def __init__(self, inputs: int, classes: int, config: dict[str, Any]) -> None:
        super().__init__(inputs, classes, config)
        self.lstm = torch.nn.LSTM(inputs, config["hidden"], bidirectional=True)

    def features(self, x: Any, lengths: Any) -> Any:
        """(B, 2H)."""
        packed = rnn.pack_padded_sequence(x, lengths, enforce_sorted=False)
        y, _ = self.lstm(packed)
        return rnn.pad_packed_sequence(y, padding_value=-math.inf)[0].amax(0)


class Padded(Classifier):
    """Two dense LSTMs on the padded batch, which oneDNN runs; the second reads it reversed."""

    def __init__(self, inputs: int, classes: int, config: dict[str, Any]) -> None:
        super().__init__(inputs, classes, config)
        self.there = torch.nn.LSTM(inputs, config["hidden"])
        self.back = torch.nn.LSTM(inputs, config["hidden"])

    def features(self, x: Any, lengths: Any) -> Any:
        """(B, 2H)."""
        steps = torch.arange(len(x))[:, None]
        inside = steps < lengths
        # Step t of a sequence of n steps is step n - 1 - t of the reversed one.
        reverse = torch.where(inside, lengths - 1 - steps, steps)[..., None]
        y = self.there(x)[0]
        z = self.back(x.gather(0, reverse.expand_as(x)))[0]
        # The maximum over time needs no order.
        both = torch.cat([y, z], dim=-1)
        return both.masked_fill(~inside[..., None], -math.inf).amax(0)


MODELS = {"torch-packed": Packed, "torch-padded": Padded}


def rate(progress: float, warmup: float) -> float:
    """The factor of the learning rate: a linear rise, then half a cosine."""
    if progress < warmup:
        return max(progress / warmup, 0.01)
    return 0.5 * (1.0 + math.cos(math.pi * (progress - warmup) / (1.0 - warmup)))


def tensors(batch: Any) -> tuple[Any, Any, Any]:
    """x, lengths and targets of a batch."""
    (x, lengths), targets = batch
    return torch.from_numpy(x), torch.from_numpy(lengths), torch.from_numpy(targets)


def make_optimizer(model: Any, config: dict[str, Any]) -> Any:
    decay = config.get("weight_decay", 0.01)
    return torch.optim.AdamW(model.parameters(), config["lr"], weight_decay=decay, fused=True)


def step(model: Any, optimizer: Any, batch: Any, clip: float) -> None:
    x, lengths, targets = tensors(batch)
    optimizer.zero_grad()
    torch.nn.functional.cross_entropy(model(x, lengths), targets).backward()
    if clip:
        torch.nn.utils.clip_grad_norm_(model.parameters(), clip)
    optimizer.step()


def main() -> None:
    config = json.loads(sys.argv[1])
    for name, value in EXPECTED.items():
        if config[name] != value:
            sys.exit(f"{name}: expected {value!r} of the documented command, got {config[name]!r}")
    torch.set_flush_denormal(True)  # as our kernels do
    torch.set_num_threads(config["threads"])
    torch.manual_seed(config["seed"])
    train, test = datasets.load_japanese_vowels()
    scaler = datasets.Scaler.fit(train.x)
    x, x_test = (
        [scaler.transform(one).astype("float32") for one in part.x] for part in (train, test)
    )
    batches = training.batches(x, train.codes, config["batch"], seed=config["seed"])
    model = MODELS[config["peer"]](x[0].shape[1], len(train.classes), config)
    optimizer = make_optimizer(model, config)
    total = config["epochs"] * len(batches)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer, lambda number: rate(min((number + 0.5) / total, 1.0), config["warmup"])
    )
    other = copy.deepcopy(model)  # a step that is not counted, as ours compiles before it counts
    step(other, make_optimizer(other, config), batches.batch(batches.order(0)[0]), config["clip"])
    began = time.perf_counter()
    for _ in range(config["epochs"]):
        for batch in batches:
            step(model, optimizer, batch, config["clip"])
            schedule.step()
    seconds = time.perf_counter() - began
    model.eval()
    right = 0
    with torch.inference_mode():
        for batch in training.batches(x_test, test.codes, 256, shuffle=False):
            inputs, lengths, targets = tensors(batch)
            right += int((model(inputs, lengths).argmax(-1) == targets).sum())
    print(json.dumps({"accuracy": right / len(test), "seconds": seconds}))


if __name__ == "__main__":
    sys.exit(main())
