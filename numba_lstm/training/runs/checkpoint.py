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
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from ... import system
from ..._files import append, locked, write_atomic
from ..._parsing import parse_json
from ..._reading import open_ordinary, ordinary, read_bytes, size_in_words
from ...interop import safetensors
from ...nn import Module
from .folders import FolderTaken, RunError, claim, put_in_place
from .kinds import KINDS, kind_of
from .memory_limit import check_values
from .metrics import read_metrics
from .options import (
    MOST_BYTES,
    ConfigError,
    TrainingOptions,
    merge_options,
    read_toml,
    write_toml,
)
from .state import Checkpoint, put_arrays

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

# Of a JSON file: a million words and more, which Python then takes twenty times of.
_MOST_JSON = 64 << 20
# A file of arrays, the arrays, and the parameters made of them.
_COPIES = 3


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
        self._held: int | None = None

    def _require(self, name: str) -> None:
        if not self.has(name):
            raise RunError(f"{self.path}: expected a run, but it has no {name}")

    def has(self, name: str) -> bool:
        """Whether the folder has this file.

        Raises
        ------
        RunError
            When something else has its name, such as a FIFO or a folder: that is not its absence.
        """
        path = self.path / name
        try:
            ordinary(path)
        except FileNotFoundError:
            if path.is_symlink():
                raise RunError(f"{path}: expected a file, got a link that leads nowhere") from None
            return False
        except (OSError, ValueError) as error:
            raise RunError(str(error)) from None
        return True

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
            with locked(self.path) as self._held:
                yield
        except BlockingIOError:
            raise RunError(
                f"{self.path}: another process is training this run: wait for it, or stop it"
            ) from None
        finally:
            self._held = None

    def require_own_files(self) -> None:
        """Raise RunError where a name of the run's files stands for a link, or for no file.

        Somebody else may have put a link there. Reading through links is harmless, and stores of
        models are made of them. What would be written through one may be anything.
        """
        for name in self.names():
            if (self.path / name).is_symlink():
                raise RunError(
                    f"{self.path / name}: expected a file of the run's own, got a link: "
                    "copy the run to go on with it"
                )
            self.has(name)

    @contextlib.contextmanager
    def naming_state(self, name: str = "") -> Iterator[None]:
        """Within it, what does not fit is told as a fault of the state in this folder, or file."""
        try:
            yield
        except (ConfigError, RunError):
            raise
        except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError) as error:
            raise RunError(
                f"{self.path / name}: the state does not fit the options: {error}"
            ) from None

    def names(self) -> tuple[str, ...]:
        """The names of the files that the folder may hold."""
        return CONFIG, self.kind.beside, METRICS, MODEL, RESUME, RESULTS, COMBINED

    def write(self, name: str, data: bytes | str) -> None:
        """Replace one of the folder's files, and never what a link of its name points to.

        Raises
        ------
        RunError
            When another folder has come in the place of the one that is held.
        OSError
            When it cannot be written.
        """
        self._check_held()
        write_atomic(self.path / name, data, follow=False)

    def _check_held(self) -> None:
        if self._held is not None and not os.path.samestat(
            os.fstat(self._held), os.stat(self.path)
        ):
            raise RunError(f"{self.path}: the run's folder has been moved, and this is another one")

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

        options, meaning = _options_text(config), json.dumps(beside, ensure_ascii=True) + "\n"
        for name, text, most in (
            (CONFIG, options, MOST_BYTES),
            (config.beside, meaning, _MOST_JSON),
        ):
            if len(text.encode()) > most:
                raise RunError(f"{name}: expected at most {size_in_words(most)}, got more")

        def fill(folder: Path) -> None:
            write_atomic(folder / CONFIG, options, follow=False)
            write_atomic(folder / config.beside, meaning, follow=False)
            write_atomic(folder / METRICS, "", follow=False)
            run = cls(folder)
            run.save_model(checkpoint.model)
            run.save(checkpoint)

        kinds = sorted({kind.beside for kind in KINDS.values()})
        put_in_place(Path(path), fill, (CONFIG, METRICS, MODEL, RESUME, *kinds))
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
        self.write(CONFIG, _options_text(config))

    def beside(self) -> Any:
        """Read what the model's numbers mean: the vocabulary's JSON, or that of its like."""
        return self.read_json(self.kind.beside)

    def read_json(self, name: str) -> Any:
        """Read one of the folder's files; RunError where it is no JSON."""
        try:
            return parse_json(read_bytes(self.path / name, _MOST_JSON), str(self.path / name))
        except ValueError as error:
            raise RunError(str(error)) from None

    # -- the model ----------------------------------------------------------------------------

    def save_model(self, model: Mapping[str, np.ndarray], **about: Any) -> None:
        """Replace the model; ``about`` (step, val_loss) goes into the file's metadata."""
        metadata = {_KEY: json.dumps({"format": _FORMAT, **about}, allow_nan=False)}
        self.write(MODEL, safetensors.serialized(model, metadata))

    def model(self) -> dict[str, np.ndarray]:
        """Read the model's state dict; RunError when there is none, ValueError when damaged."""
        self._require(MODEL)
        return self.arrays(MODEL)[0]

    def arrays(self, name: str) -> tuple[dict[str, np.ndarray], dict[str, str]]:
        """Read one of the folder's files of arrays, and its metadata; ValueError when damaged."""
        path = self.path / name
        open_ordinary(path, system.memory() // _COPIES).close()
        return safetensors.load_with_metadata(path)

    def open_model(self, make: Callable[[], Model], parameters: int) -> Model:
        """Give the model that ``make`` makes with the run's parameters, in evaluation mode.

        Raises
        ------
        RunError
            When there are none, or they are fewer than ``parameters``, or do not fit.
        """
        # Read before parameters are drawn: what is missing is told at once, and what options ask
        # for that somebody else wrote takes no more memory than the file does.
        values = self.model()
        what = f"{self.path}: the model does not fit the run's options"
        check_values(values, parameters, what)
        model = make()
        try:
            model.load_state_dict(values)
        except (TypeError, ValueError) as error:
            raise RunError(f"{what}: {error}") from None
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
        self.write(RESUME, safetensors.serialized(arrays, metadata))

    def load(self) -> Checkpoint:
        """Read where the run stands.

        Raises
        ------
        RunError
            When the folder has no such state, or one of another format.
        ValueError
            When the file is damaged.
        """
        path = self._state()
        arrays, metadata = self.arrays(RESUME)
        try:
            return Checkpoint.unpack(arrays, self._tree(metadata))
        except (LookupError, TypeError, ValueError) as error:
            raise RunError(f"{path}: expected a run's state, got something else: {error}") from None

    def require_step(self, step: int) -> None:
        """Raise RunError unless the state is that of a step."""
        if self.load().counters["step"] != step:
            raise RunError(
                f"{self.path}: another process has trained this run meanwhile: resume it again"
            )

    def ended(self) -> bool:
        """Whether the run came to its end, and was not interrupted, killed, or is being trained.

        Raises
        ------
        RunError, ValueError
            As from `load`; the arrays are not read.
        """
        path = self._state()
        metadata = safetensors.load_metadata(path)
        try:
            counters = put_arrays(self._tree(metadata)["counters"], {})
            # Runs of older versions do not tell.
            return bool(counters.get("ended_step", counters["step"]) == counters["step"])
        except (AttributeError, LookupError, TypeError) as error:
            raise RunError(f"{path}: expected a run's state, got something else: {error}") from None

    def _state(self) -> Path:
        if not self.has(RESUME):
            raise RunError(f"{self.path}: expected a run to resume, but it has no {RESUME}")
        return self.path / RESUME

    def _tree(self, metadata: Mapping[str, str]) -> dict[str, Any]:
        """What the state's file tells beside its arrays."""
        path = self.path / RESUME
        if _KEY not in metadata:
            raise RunError(f"{path}: expected a run's state, got something else")
        try:
            tree = parse_json(metadata[_KEY], str(path))
        except ValueError as error:
            raise RunError(str(error)) from None
        found = tree.get("format") if isinstance(tree, dict) else None
        if found != _FORMAT:
            raise RunError(f"{path}: expected format {_FORMAT}, got {found!r:.40}")
        return dict(tree)

    # -- metrics ------------------------------------------------------------------------------

    def append_metrics(self, record: Mapping[str, Any]) -> None:
        """Add a line to the metrics."""
        line = json.dumps(record, allow_nan=False) + "\n"
        self._check_held()
        append(self.path / METRICS, line)

    def metrics(self) -> Iterator[dict[str, Any]]:
        """Yield the metrics' lines; a last line cut short by a kill is passed by.

        Raises
        ------
        RunError
            When the file is missing, or any other line is no JSON object with a step, or has
            something else than numbers where they should be.
        """
        try:
            yield from read_metrics(self.path / METRICS)
        except FileNotFoundError:
            raise RunError(f"{self.path}: expected a run, but it has no {METRICS}") from None

    def rewind(self, step: int) -> None:
        """Drop what a killed process left: metrics after ``step``, and half-written files.

        What was found at an earlier end goes, too: it is of another model than the next one.
        """
        kept = [record for record in self.metrics() if record["step"] <= step]
        for name in (RESULTS, COMBINED):
            (self.path / name).unlink(missing_ok=True)
        for name in self.names():
            for litter in self.path.glob(f".{name}.*.new"):
                if not litter.is_dir() or litter.is_symlink():
                    litter.unlink(missing_ok=True)
        self.write(METRICS, "".join(json.dumps(record, allow_nan=False) + "\n" for record in kept))


def _options_text(config: TrainingOptions) -> str:
    # How many threads a machine has is no property of the run.
    values = {name: value for name, value in config.values().items() if name != "threads"}
    return write_toml({"kind": config.kind, **values})
