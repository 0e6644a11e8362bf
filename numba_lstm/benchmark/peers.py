"""Who is measured: which module computes, what it needs, how to install it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from importlib.util import find_spec

from .cases import Case
from .compare import TOLERANCE

__all__ = ["DEFAULT", "OURS", "PEERS", "Peer", "missing", "parse"]

INSTALL = "pip install 'numba_lstm[bench]'"


@dataclass(frozen=True)
class Peer:
    """One library.

    Attributes
    ----------
    name : str
    module : str
        The module of this package that speaks for it.
    needs : tuple of str
        What must be importable.
    kinds : tuple of str
        The kinds of measurement it takes part in.
    cells : tuple of str
        The cells that it speaks for, in plain layers.
    tolerance : float
        How far its results may be off, as a part of an array's largest value.
    environment : dict
        What its process finds in its environment besides the parent's.
    """

    name: str
    module: str
    needs: tuple[str, ...]
    kinds: tuple[str, ...]
    cells: tuple[str, ...] = ()
    tolerance: float = TOLERANCE
    environment: Mapping[str, str] = field(default_factory=dict, hash=False)

    def takes(self, case: Case, kind: str) -> bool:
        """Whether it takes part in a measurement."""
        plain = case.form == "layer" and not case.proj and case.cell in self.cells
        return kind in self.kinds and (plain or not self.cells)


OURS = Peer(
    "ours", "ours", (), ("infer", "train", "step", "latency", "cold", "memory"),
    environment={"NUMBA_LSTM_TUNE": "1"},
)  # fmt: skip
_CELLS = ("lstm", "gru", "rnn")
PEERS = {
    peer.name: peer
    for peer in (
        Peer("torch", "torch_peer", ("torch",), OURS.kinds),
        Peer("onnxruntime", "onnx_peer", ("onnxruntime", "onnx"), ("infer", "latency"), _CELLS),
        Peer("openvino", "openvino_peer", ("openvino", "onnx"), ("infer", "latency"), _CELLS),
        # This library again, whose rules choose each call's plan, and no measurement does. The bits
        # of a result depend on no plan.
        Peer("rules", "ours", (), OURS.kinds, tolerance=0.0, environment={"NUMBA_LSTM_TUNE": "0"}),
    )
}
DEFAULT = ("torch", "onnxruntime", "openvino")


def parse(text: str) -> list[Peer]:
    """Peers from ``"torch,onnxruntime"``; an empty text and "none" mean nobody.

    Raises
    ------
    ValueError
        If a name is unknown.
    """
    names = [name.strip() for name in text.split(",") if name.strip()]
    if names == ["none"]:
        return []
    for name in names:
        if name not in PEERS:
            raise ValueError(f"--peers: expected some of {', '.join(PEERS)}, got {name!r}")
    return [PEERS[name] for name in dict.fromkeys(names)]


def missing(peers: Iterable[Peer]) -> dict[str, str]:
    """For each peer that cannot be measured here, why not and what helps."""
    found = {}
    for peer in peers:
        absent = [name for name in peer.needs if find_spec(name) is None]
        if absent:
            found[peer.name] = f"{' and '.join(absent)} not installed: {INSTALL}"
    return found
