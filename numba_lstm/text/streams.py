"""Tokens laid out for training and validation: contiguous streams, side by side in a batch.

Truncated back-propagation through time carries the state from one window to the next, so column b
of every window must go on where column b of the last one stopped. ``Streams`` is for training: it
goes round for ever, in windows of one shape. ``windows`` is for validation: one pass in which each
target counts exactly once.

Both take tokens of any integer dtype. Unsigned ones of 1, 2 or 4 bytes are kept as they are and
each window is cast, so that a long text needs no more memory than its vocabulary asks for.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np

from ..checks import as_tokens, size
from ..typing import ArrayLike

__all__ = ["IGNORE", "Streams", "Window", "windows"]

#: The target that ``losses.cross_entropy`` leaves out of its mean (torch's ``ignore_index``).
IGNORE = -100


# None of their values is negative, so there is nothing in them to check.
_COMPACT = tuple(np.dtype(kind) for kind in (np.uint8, np.uint16, np.uint32))


class Window(NamedTuple):
    """One step's data: ``targets[t, b]`` is the token that comes after ``inputs[t, b]``.

    Attributes
    ----------
    inputs, targets
        (T, B) int64, C-contiguous, the receiver's own.
    fresh
        Whether the streams start anew here: the state carried so far must be dropped.
    """

    inputs: np.ndarray
    targets: np.ndarray
    fresh: bool


class Streams:
    """An endless iterator of training windows over `batch` contiguous streams.

    The streams begin at evenly spaced tokens. Each is a whole number of windows long, so all
    windows have one shape; to that end neighbouring streams overlap by a part of a window, and
    every token but, where batch is 1, the last few is trained on in each epoch.

    Parameters
    ----------
    tokens
        (N,) integers; copied only if they are neither int64 nor unsigned, or for a `part`.
    batch
        B, the number of streams.
    seq_len
        T, the length of a window.
    part
        Which of the streams are given, where others are read elsewhere; windows are (T, so many).
        Only these streams' tokens are kept, as a copy: the whole text may go.

    Attributes
    ----------
    tokens : numpy.ndarray
        What is kept, from the first of the streams to the last one's end.
    position : int
        The number of windows given since the start, over all epochs. Setting it on streams over
        the same tokens, batch and seq_len continues exactly there.

    Raises
    ------
    TypeError, ValueError
        An argument of the wrong kind, or fewer than ``batch * seq_len + 1`` tokens.

    Examples
    --------
    >>> streams = Streams(np.arange(13), batch=2, seq_len=3)
    >>> inputs, targets, fresh = next(streams)
    >>> inputs.T.tolist(), targets.T.tolist(), fresh
    ([[0, 1, 2], [6, 7, 8]], [[1, 2, 3], [7, 8, 9]], True)
    >>> next(streams).inputs.T.tolist(), len(streams)
    ([[3, 4, 5], [9, 10, 11]], 2)
    """

    def __init__(
        self, tokens: ArrayLike, batch: int, seq_len: int, *, part: slice = slice(None)
    ) -> None:
        self.batch = size("batch", batch)
        self.seq_len = size("seq_len", seq_len)
        self.tokens = _as_ids("tokens", tokens)
        pairs = self.tokens.size - 1
        if pairs < self.batch * self.seq_len:
            raise ValueError(
                f"tokens: too short: expected at least {self.batch * self.seq_len + 1} for "
                f"batch={batch} streams of seq_len={seq_len} and a target, got {self.tokens.size}"
            )
        # Rounded up, so that the streams reach over all pairs; but a stream cannot be longer than
        # the text, which rounding up could ask for where there are one or two streams.
        self._count = min(_ceil(_ceil(pairs, self.batch), self.seq_len), pairs // self.seq_len)
        last = pairs - self._count * self.seq_len
        starts = np.arange(self.batch, dtype=np.int64) * last // max(self.batch - 1, 1)
        self._starts = starts[part]
        if self._starts.size < self.batch:
            self._keep_own()
        self._position = 0

    def _keep_own(self) -> None:
        """Let go of the tokens that none of the streams reads."""
        first, end = 0, 0
        if self._starts.size:
            first = int(self._starts.min())
            end = int(self._starts.max()) + self._count * self.seq_len + 1
        self.tokens = self.tokens[first:end].copy()
        self._starts = self._starts - first

    def __len__(self) -> int:
        """Return the number of windows in an epoch."""
        return self._count

    def __iter__(self) -> Streams:
        return self

    def __next__(self) -> Window:
        step = self._position % self._count
        places = np.arange(step * self.seq_len, (step + 1) * self.seq_len)[:, None] + self._starts
        self._position += 1
        return Window(_int64(self.tokens[places]), _int64(self.tokens[places + 1]), step == 0)

    @property
    def position(self) -> int:
        """The number of windows given since the start, over all epochs; may be set."""
        return self._position

    @position.setter
    def position(self, value: int) -> None:
        self._position = size("position", value, 0)

    @property
    def epoch(self) -> int:
        """The number of epochs given in full."""
        return self._position // self._count

    def __repr__(self) -> str:
        return (
            f"Streams(tokens={self.tokens.size}, batch={self.batch}, seq_len={self.seq_len}, "
            f"position={self.position})"
        )


def windows(
    tokens: ArrayLike, batch: int, seq_len: int, warmup: int = 0, *, part: slice = slice(None)
) -> Iterator[Window]:
    """Yield one pass over `tokens` in which each of them but the first is a target exactly once.

    Parameters
    ----------
    tokens
        (N,) integers, N at least 2.
    batch
        At most this many streams; fewer where there are fewer targets.
    seq_len
        T, the length of a window; the last one may be shorter.
    warmup
        Each stream but the first reads so many tokens before its own ones, whose targets are
        `IGNORE`: its state is then nearly that of a single stream. All streams are equally long, so
        the first one has so many more targets.
    part
        Which of the streams are given, where others are read elsewhere. There are as many windows
        of each part.

    Yields
    ------
    Window
        The state is carried from each to the next. Where one stream is a token shorter than
        another, its last target is `IGNORE` (and its last input a token whose output is of no
        use), so weight a window's mean loss by ``(targets != IGNORE).sum()``, which is 0 only in a
        part of the streams.

    Raises
    ------
    TypeError, ValueError
        At the call, not at the first window: an argument of the wrong kind, or fewer than two
        tokens.

    Examples
    --------
    >>> [w.targets.T.tolist() for w in windows(np.arange(10), batch=2, seq_len=4, warmup=3)]
    [[[1, 2, 3, 4], [-100, -100, -100, 7]], [[5, 6], [8, 9]]]
    """
    batch, seq_len, warmup = (
        size("batch", batch),
        size("seq_len", seq_len),
        size("warmup", warmup, 0),
    )
    ids = _as_ids("tokens", tokens)
    pairs = ids.size - 1
    if pairs < 1:
        raise ValueError(f"tokens: too short: expected at least 2, got {ids.size}")
    if batch == 1 or pairs <= warmup:
        batch, warmup = 1, 0
    own = pairs - warmup  # of the first stream those after its first `warmup`
    batch = min(batch, own)
    starts = np.arange(batch + 1, dtype=np.int64) * own // batch
    return _windows(ids, starts, seq_len, warmup, part)


def _windows(
    ids: np.ndarray, starts: np.ndarray, seq_len: int, warmup: int, part: slice
) -> Iterator[Window]:
    """Yield the windows of streams b over the pairs starts[b] to starts[b + 1] + warmup."""
    starts, ends = starts[:-1], starts[1:] + warmup
    length = int((ends - starts).max())
    early = (np.arange(len(starts)) > 0)[part]
    starts, ends = starts[part], ends[part]
    for first in range(0, length, seq_len):
        steps = np.arange(first, min(first + seq_len, length))[:, None]
        places = steps + starts
        beyond = places >= ends
        places[beyond] = 0
        targets = _int64(ids[places + 1])
        targets[beyond] = IGNORE
        targets[(steps < warmup) & early] = IGNORE
        yield Window(_int64(ids[places]), targets, first == 0)


def _as_ids(name: str, value: Any) -> np.ndarray:
    """Return a contiguous vector, unsigned as it came or else int64, or raise by name."""
    plain = type(value) is np.ndarray and value.ndim == 1 and value.flags.carray
    if plain and value.dtype in _COMPACT:
        ids = value
    else:
        ids = as_tokens(name, value, np.iinfo(np.int64).max, ndim=1)
    if ids.size == 0:
        raise ValueError(f"{name}: too short: got no tokens at all")
    return ids


def _int64(ids: np.ndarray) -> np.ndarray:
    return ids.astype(np.int64, copy=False)


def _ceil(a: int, b: int) -> int:
    return -(-a // b)
