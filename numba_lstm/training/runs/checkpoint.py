"""A run's folder: what it holds, and how it stays whole whenever the process may be killed.

It holds::

    config.toml         the resolved options, and the run's kind
    vocab.json          what the model's numbers mean: the vocabulary, or its like (the options'
                        class says which name it has)
    model.safetensors   the best model by validation so far (the last one where nothing validates)
    metrics.jsonl       a line for each logging step
    resume.safetensors  all that an identical continuation needs: the last model, the optimizer,
                        random states, the carried state and the counters, in one file

Each file is replaced whole. ``resume.safetensors`` alone says where the run stands: lines of
``metrics.jsonl`` beyond it are taken back when the run is resumed. A better model is written before
the state that knows of it; killed between the two, the continuation makes the same model again.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ..._files import locked, write_atomic
from ...interop import safetensors
from ...nn import Module
from .folders import FolderTaken, RunError, claim, put_in_place
from .kinds import kind_of
from .options import TrainingOptions, merge_options, read_toml, write_toml

__all__ = ["Checkpoint", "Run", "RunError"]

CONFIG, MODEL = "config.toml", "model.safetensors"
METRICS, RESUME = "metrics.jsonl", "resume.safetensors"
#: What is found of a model at the end, and what is put beside a forecaster's networks; a run that
#: goes on has none until its next end.
RESULTS, COMBINED = "results.json", "linear.safetensors"
# One key only: the format does not keep the order of several, and equal runs make equal files.
_KEY = "numba_lstm"
_FORMAT = 1

Model = TypeVar("Model", bound=Module)


@dataclass
class Checkpoint:
    """All that a continuation needs.

    Attributes
    ----------
    model
        The model's state dict.
    optimizer
        The optimizer's state dict: dictionaries and lists of arrays and of what JSON can hold.
    random
        The states of the model's random generators, for JSON.
    state
        The carried (h, c), or h where the cell has no c; None before the first step.
    counters
        Whatever else the loop counts, for JSON.
    """

    model: dict[str, np.ndarray]
    optimizer: dict[str, Any]
    random: dict[str, Any]
    state: tuple[np.ndarray, np.ndarray] | np.ndarray | None
    counters: dict[str, Any]

    def is_finite(self) -> bool:
        """Whether every parameter is a finite number."""
        return all(bool(np.isfinite(array).all()) for array in self.model.values())

    def pack(self) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
        """Split into flat arrays by name and a tree for JSON."""
        arrays: dict[str, np.ndarray] = {}
        tree = {
            name: _take_arrays(getattr(self, name), name, arrays)
            for name in ("model", "optimizer", "random", "state", "counters")
        }
        return arrays, tree

    @classmethod
    def unpack(cls, arrays: Mapping[str, np.ndarray], tree: Mapping[str, Any]) -> Checkpoint:
        """Join what `pack` split."""
        parts = {name: _put_arrays(value, arrays) for name, value in tree.items()}
        if isinstance(parts["state"], list):
            parts["state"] = tuple(parts["state"])
        return cls(**parts)


class Run:
    """An existing run folder.

    Parameters
    ----------
    path
        The folder.

    Raises
    ------
    RunError
        When it is missing, or lacks its options or what its model's numbers mean.
    ConfigError
        When its options are of no kind that there is.

    Attributes
    ----------
    path : pathlib.Path
        The folder.
    kind : type
        The class of its options.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        if os.fspath(path) == "":  # to Path the current folder, which nobody named
            raise RunError("run: expected a folder's name, got ''")
        self.path = Path(path)
        if not self.path.is_dir():
            what = "no such folder" if not self.path.exists() else "expected a folder, got a file"
            raise RunError(f"{self.path}: {what}")
        self._require(CONFIG)
        options = self.path / CONFIG
        self.kind = kind_of(str(options), read_toml(options))
        self._require(self.kind.beside)

    def _require(self, name: str) -> None:
        if not (self.path / name).is_file():
            raise RunError(f"{self.path}: expected a run, but it has no {name}")

    def require_kind(self, *kinds: str) -> None:
        """Raise RunError unless the run is of one of these kinds."""
        if self.kind.kind not in kinds:
            wanted = " or ".join(f"train {kind}" for kind in kinds)
            raise RunError(
                f"{self.path}: expected a run of {wanted}, got one of train {self.kind.kind}"
            )

    @contextlib.contextmanager
    def exclusive(self) -> Iterator[None]:
        """Be the only one who writes into the folder.

        Raises
        ------
        RunError
            When another process is training the run.
        """
        try:
            with locked(self.path):
                yield
        except BlockingIOError:
            raise RunError(
                f"{self.path}: another process is training this run: wait for it, or stop it"
            ) from None

    # -- making one ---------------------------------------------------------------------------

    @classmethod
    def create(
        cls,
        path: str | os.PathLike[str],
        config: TrainingOptions,
        beside: Mapping[str, Any],
        checkpoint: Checkpoint,
    ) -> Run:
        """Make a run's folder, complete from the moment it can be seen.

        Parameters
        ----------
        path
            Absent, or an empty folder; folders above it are made.
        config
            The resolved options.
        beside
            What the model's numbers mean, for JSON.
        checkpoint
            Where the run stands; its model is written as the model, too.

        Raises
        ------
        RunError
            When there is something already, or another process made the same folder first.
        OSError
            When it cannot be written.
        """

        def fill(folder: Path) -> None:
            write_atomic(folder / CONFIG, _options_text(config))
            write_atomic(folder / config.beside, json.dumps(beside, ensure_ascii=True) + "\n")
            write_atomic(folder / METRICS, "")
            run = cls(folder)
            run.save_model(checkpoint.model)
            run.save(checkpoint)

        put_in_place(Path(path), fill, (CONFIG, config.beside, METRICS, MODEL, RESUME))
        return cls(path)

    @classmethod
    def create_new(cls, stem: str | os.PathLike[str], *about: Any) -> Run:
        """Make a run's folder under a name that nothing has: ``stem``, ``stem-2``, and so on.

        Parameters
        ----------
        stem
            The wanted name; folders above it are made.
        about
            As `create` takes them after the path.

        Raises
        ------
        RunError, OSError
            When no folder can be made there.
        """
        while True:
            folder = claim(stem)
            try:
                return cls.create(folder, *about)
            except FolderTaken:
                continue  # another process was told this very name, and was faster
            except BaseException:
                with contextlib.suppress(OSError):
                    folder.rmdir()
                raise

    # -- options, and what the numbers mean ---------------------------------------------------

    def config(self, flags: Mapping[str, Any] | None = None) -> Any:
        """Read the run's options, with ``flags`` over them; of the class that `kind` is."""
        path = self.path / CONFIG
        return merge_options(self.kind, (str(path), read_toml(path)), ("", flags or {}))

    def write_config(self, config: TrainingOptions) -> None:
        """Replace the run's options, for a continuation that changed some."""
        write_atomic(self.path / CONFIG, _options_text(config))

    def beside(self) -> Any:
        """Read what the model's numbers mean: the vocabulary's JSON, or that of its like."""
        return _read_json(self.path / self.kind.beside)

    # -- the model ----------------------------------------------------------------------------

    def save_model(self, model: Mapping[str, np.ndarray], **about: Any) -> None:
        """Replace the model; ``about`` (step, val_loss) goes into the file's metadata."""
        metadata = {_KEY: json.dumps({"format": _FORMAT, **about}, allow_nan=False)}
        safetensors.save(model, self.path / MODEL, metadata)

    def model(self) -> dict[str, np.ndarray]:
        """Read the model's state dict; RunError when there is none, ValueError when damaged."""
        self._require(MODEL)
        return safetensors.load(self.path / MODEL)

    def open_model(self, make: Callable[[], Model]) -> Model:
        """Give the model that ``make`` makes with the run's parameters, in evaluation mode.

        Raises
        ------
        RunError
            When there are none, or they do not fit.
        """
        # Read before parameters are drawn: what is missing is told at once.
        values = self.model()
        model = make()
        try:
            model.load_state_dict(values)
        except (TypeError, ValueError) as error:
            raise RunError(
                f"{self.path}: the model does not fit the run's options: {error}"
            ) from None
        return model.eval()

    # -- where it stands ----------------------------------------------------------------------

    def save(self, checkpoint: Checkpoint) -> None:
        """Replace the state that `load` reads.

        Raises
        ------
        FloatingPointError
            When a parameter is not finite; the file is then as it was.
        """
        if not checkpoint.is_finite():
            raise FloatingPointError("a parameter is not finite")
        arrays, tree = checkpoint.pack()
        metadata = {_KEY: json.dumps({"format": _FORMAT, **tree}, allow_nan=False)}
        safetensors.save(arrays, self.path / RESUME, metadata)

    def load(self) -> Checkpoint:
        """Read where the run stands.

        Raises
        ------
        RunError
            When the folder has no such state, or one of another format.
        ValueError
            When the file is damaged.
        """
        path = self.path / RESUME
        if not path.is_file():
            raise RunError(f"{self.path}: expected a run to resume, but it has no {RESUME}")
        arrays, metadata = safetensors.load_with_metadata(path)
        try:
            tree = json.loads(metadata[_KEY])
            found = tree.pop("format")
            if found != _FORMAT:
                raise RunError(f"{path}: expected format {_FORMAT}, got {found}")
            return Checkpoint.unpack(arrays, tree)
        except (KeyError, TypeError, AttributeError, json.JSONDecodeError) as error:
            raise RunError(f"{path}: expected a run's state, got something else: {error}") from None

    # -- metrics ------------------------------------------------------------------------------

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a line to the metrics."""
        with open(self.path / METRICS, "a", encoding="utf-8", newline="\n") as file:
            file.write(json.dumps(record, allow_nan=False) + "\n")

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the metrics' lines; a last line cut short by a kill is passed by.

        Raises
        ------
        RunError
            When the file is missing, or any other line is no JSON object.
        """
        path = self.path / METRICS
        try:
            lines = path.read_text(encoding="utf-8-sig").splitlines(keepends=True)
        except FileNotFoundError:
            raise RunError(f"{self.path}: expected a run, but it has no {METRICS}") from None
        except UnicodeDecodeError as error:
            raise RunError(f"{path}: expected JSON lines: {error}") from None
        for number, line in enumerate(lines, 1):
            if not line.endswith("\n"):
                return
            try:
                record = json.loads(line)
                record["step"] + 0
            except (json.JSONDecodeError, KeyError, TypeError):
                raise RunError(
                    f"{path}: line {number}: expected a JSON object with a step"
                ) from None
            yield record

    def rewind(self, step: int) -> None:
        """Drop what a killed process left: metrics after ``step``, and half-written files.

        What was found at an earlier end goes, too: it is of another model than the next one.
        """
        for name in (RESULTS, COMBINED):
            (self.path / name).unlink(missing_ok=True)
        for litter in self.path.glob(".*.new"):
            litter.unlink(missing_ok=True)
        kept = [record for record in self.metrics() if record["step"] <= step]
        write_atomic(
            self.path / METRICS,
            "".join(json.dumps(record, allow_nan=False) + "\n" for record in kept),
        )


def _options_text(config: TrainingOptions) -> str:
    # How many threads a machine has is no property of the run.
    values = {name: value for name, value in config.values().items() if name != "threads"}
    return write_toml({"kind": config.kind, **values})


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_bytes())
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{path}: expected JSON: {error}") from None


def _take_arrays(value: Any, name: str, arrays: dict[str, np.ndarray]) -> Any:
    """A copy of a tree in which each array is replaced by a reference to ``arrays``."""
    if isinstance(value, np.ndarray):
        while name in arrays:  # {"a": {"b": …}, "a.b": …} would meet in one name
            name += "'"
        arrays[name] = value
        return {"array": name}
    if isinstance(value, Mapping):
        # Pairs, because JSON would turn whole-number keys into text.
        return {
            "dict": [[k, _take_arrays(item, f"{name}.{k}", arrays)] for k, item in value.items()]
        }
    if isinstance(value, list | tuple):
        return [_take_arrays(item, f"{name}.{i}", arrays) for i, item in enumerate(value)]
    return value.item() if isinstance(value, np.generic) else value


def _put_arrays(value: Any, arrays: Mapping[str, np.ndarray]) -> Any:
    """The inverse of `_take_arrays`; tuples come back as lists."""
    if isinstance(value, list):
        return [_put_arrays(item, arrays) for item in value]
    if isinstance(value, dict):
        if "array" in value:
            return arrays[value["array"]]
        return {key: _put_arrays(item, arrays) for key, item in value["dict"]}
    return value
