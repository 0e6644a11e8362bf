"""The example steps many clients at once, and each gets what its own sequence gives."""

from __future__ import annotations

import asyncio
import json
import runpy
from pathlib import Path

import numpy as np

from numba_lstm import nn

EXAMPLE = runpy.run_path(str(Path(__file__).parents[2] / "examples" / "streaming_server.py"))


def test_every_client_gets_what_one_call_over_its_sequence_gives(capsys):
    difference, largest = EXAMPLE["main"](clients=5)
    assert difference < 1e-6 and 1 < largest <= 5
    assert "5 streams" in capsys.readouterr().out


def test_a_client_that_sends_nonsense_is_told_and_disturbs_nobody():
    async def talk():
        lstm, head = nn.LSTM(8, 4, seed=0), nn.Linear(4, 2, seed=1)
        server = EXAMPLE["Server"](lstm, head)
        listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
        steps = asyncio.create_task(server.run())
        port = listening.sockets[0].getsockname()[1]
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        said = []
        for line in ("not json", "[1, 2]", "[1, 2, 3, 4, 5, 6, 7, NaN]", '{"x": 1}', "null"):
            writer.write(line.encode() + b"\n")
            said.append(json.loads(await reader.readline()))
        writer.close()
        x = np.ones((3, 8), np.float32)
        found = await EXAMPLE["client"](port, x)
        steps.cancel()
        listening.close()
        return said, found, head(lstm(x)[0])

    said, found, expected = asyncio.run(talk())
    assert all(set(one) == {"error"} for one in said) and len(said) == 5
    assert np.abs(found - expected).max() < 1e-6
