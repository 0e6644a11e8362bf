"""A server that many clients stream into: each has a state of its own, and one call steps them all.

A client sends a line for each time step, a JSON list of numbers, and gets a line with the model's
output. What arrives while a step is computed waits for the next one, so that the batch grows with
the load and nobody waits for a timer.

    python examples/streaming_server.py
"""

from __future__ import annotations

import asyncio
import json
from typing import Any

import numpy as np

from numba_lstm import nn

FEATURES, UNITS, OUTPUTS = 8, 64, 3


class Server:
    """Steps an LSTM and a linear layer for every client that has sent something."""

    def __init__(self, lstm: nn.LSTM, head: nn.Linear) -> None:
        self.lstm, self.head = lstm.eval(), head
        self.waiting: list[tuple[np.ndarray, tuple[np.ndarray, np.ndarray], Any]] = []
        self.arrived = asyncio.Event()
        self.largest = 0  # batch so far

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one client until it closes the connection."""
        rows = self.lstm.num_layers, 1, self.lstm.sizes[0]
        state = np.zeros(rows, np.float32), np.zeros(rows, np.float32)
        while line := await reader.readline():
            try:
                x = np.array(json.loads(line), np.float32)
                if x.shape != (self.lstm.input_size,) or not np.isfinite(x).all():
                    raise ValueError(f"expected {self.lstm.input_size} finite numbers")
            except (TypeError, ValueError) as error:
                # A step of others must not fail for this one.
                answer: Any = {"error": str(error)}
            else:
                future = asyncio.get_running_loop().create_future()
                self.waiting.append((x, state, future))
                self.arrived.set()
                output, state = await future
                answer = output.tolist()
            writer.write(json.dumps(answer).encode() + b"\n")
            await writer.drain()
        writer.close()

    async def run(self) -> None:
        """Take steps for ever."""
        while True:
            await self.arrived.wait()
            self.arrived.clear()
            clients, self.waiting = self.waiting, []
            self.largest = max(self.largest, len(clients))
            x = np.stack([x for x, _, _ in clients])  # (B, I)
            h, c = (np.concatenate([state[k] for _, state, _ in clients], axis=1) for k in (0, 1))
            y, (h, c) = self.lstm.step(x, (h, c))
            outputs = self.head(y)
            for k, (_, _, future) in enumerate(clients):
                if not future.done():  # a client may be gone
                    future.set_result((outputs[k], (h[:, k : k + 1], c[:, k : k + 1])))
            await asyncio.sleep(0)


async def client(port: int, sequence: np.ndarray) -> np.ndarray:
    """Send a sequence (T, I) step by step, and return what comes back, (T, O)."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    for x in sequence:
        writer.write(json.dumps(x.tolist()).encode() + b"\n")
        found.append(json.loads(await reader.readline()))
    writer.close()
    return np.array(found)


async def demonstrate(clients: int) -> tuple[float, int]:
    """Run a server and some clients; the greatest difference from one call over each sequence."""
    rng = np.random.default_rng(0)
    lstm = nn.LSTM(FEATURES, UNITS, num_layers=2, seed=0)
    head = nn.Linear(UNITS, OUTPUTS, seed=1)
    server = Server(lstm, head)
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = listening.sockets[0].getsockname()[1]
    steps = asyncio.create_task(server.run())
    lengths = rng.integers(5, 30, clients)
    sequences = [rng.standard_normal((n, FEATURES)).astype(np.float32) for n in lengths]
    found = await asyncio.gather(*(client(port, one) for one in sequences))
    steps.cancel()
    listening.close()
    expected = [head(lstm(one)[0]) for one in sequences]
    worst = max(float(np.abs(a - b).max()) for a, b in zip(found, expected))
    return worst, server.largest


def main(clients: int = 16) -> tuple[float, int]:
    """Demonstrate, and return the greatest difference and the largest batch."""
    difference, largest = asyncio.run(demonstrate(clients))
    print(
        f"{clients} streams, up to {largest} in one step: outputs are {difference:.1e} from those "
        "of one call over each sequence"
    )
    return difference, largest


if __name__ == "__main__":
    main()
