"""The base class of every layer and model: a tree of parameters with names like torch's."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, TypeVar

import numpy as np

from ..parameters import random_state as _random
from ..parameters.epochs import exchanged
from ..parameters.parameter import Parameter
from ..user_warning import warn
from .state_dicts import read, under_prefix

__all__ = ["LoadResult", "Module"]

M = TypeVar("M", bound="Module")


class LoadResult(NamedTuple):
    """What `Module.load_state_dict` left alone."""

    missing_keys: list[str]
    unexpected_keys: list[str]


class Module:
    """A function of arrays with parameters, and its vector-Jacobian product.

    A subclass sets its parameters and submodules as attributes, which registers them in order of
    assignment (``super().__init__()`` is not needed), and defines two methods:

    - ``__call__(x, …)`` gives the output and keeps nothing;
    - ``vjp(x, …)`` gives the output and a pullback, a function that takes the cotangents of the
      outputs (the loss's gradient with respect to them), adds to every parameter's gradient by
      `Parameter.add_grad` or by the pullbacks of its submodules, and returns the cotangents of the
      inputs.

    What the backward pass needs is kept in the pullback, never in the module: so a module may be
    used twice in one network, stepped in a loop, and called from several threads.

    Submodules that stand in a list or a dictionary are not found: `ModuleList` and `ModuleDict`
    hold them.

    Attributes
    ----------
    training : bool
        True from the start; `train` and `eval` switch it. Dropout is all that looks at it.

    See Also
    --------
    numba_lstm.testing.gradcheck : compares a pullback with differences.
    numba_lstm.interop.safetensors : writes and reads what `state_dict` gives.

    Examples
    --------
    A classifier of sequences: the last step of an LSTM, times a learnt scale, and a linear layer.

    >>> from numba_lstm import losses, nn, optim, testing
    >>> class Classifier(nn.Module):
    ...     def __init__(self, inputs, hidden, classes, **options):
    ...         self.lstm = nn.LSTM(inputs, hidden, **options)
    ...         self.scale = nn.Parameter(np.ones(hidden, self.lstm.dtype))
    ...         self.head = nn.Linear(hidden, classes, **options)
    ...
    ...     def __call__(self, x):
    ...         y, _ = self.lstm(x)
    ...         return self.head(y[-1] * self.scale.numpy())
    ...
    ...     def vjp(self, x):
    ...         (y, _), lstm_back = self.lstm.vjp(x)
    ...         scale = self.scale.numpy().copy()
    ...         logits, head_back = self.head.vjp(y[-1] * scale)
    ...
    ...         def pullback(dlogits):
    ...             dscaled = head_back(dlogits)
    ...             self.scale.add_grad((dscaled * y[-1]).sum(axis=0))
    ...             dy = np.zeros_like(y)
    ...             dy[-1] = dscaled * scale
    ...             dx, _ = lstm_back(dy)
    ...             return dx
    ...
    ...         return logits, pullback
    >>> model = Classifier(2, 8, 3, seed=0)
    >>> [name for name, _ in model.named_parameters()][:3]
    ['scale', 'lstm.weight_ih_l0', 'lstm.weight_hh_l0']

    Its gradients are right:

    >>> testing.gradcheck(Classifier(2, 4, 3, dtype="float64", seed=0), np.ones((5, 2, 2)))

    A step of training:

    >>> optimizer = optim.Adam(model.parameters(), lr=0.01)
    >>> logits, pullback = model.vjp(np.ones((5, 4, 2)))
    >>> loss, dlogits = losses.cross_entropy(logits, [0, 1, 2, 0])
    >>> optimizer.zero_grad()
    >>> dx = pullback(dlogits)
    >>> optimizer.step()

    Saved and loaded:

    >>> import os, tempfile
    >>> from numba_lstm.interop import safetensors
    >>> file = os.path.join(tempfile.mkdtemp(), "model.safetensors")
    >>> safetensors.save(model.state_dict(), file)
    >>> twin = Classifier(2, 8, 3)
    >>> twin.load_state_dict(safetensors.load(file))
    LoadResult(missing_keys=[], unexpected_keys=[])
    """

    training: bool = True

    # What subclasses keep to be quicker next time; not copied, not pickled.
    _CACHES = frozenset({"_stack", "_weights"})

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self._CACHES:
            object.__setattr__(self, name, value)
            return
        there = self.__dict__.get(name)
        if isinstance(there, Parameter):
            if value is None:
                self.__dict__["_taken_away"] = {*self.__dict__.get("_taken_away", ()), name}
            elif not isinstance(value, Parameter):
                raise TypeError(
                    f"{name}: expected a Parameter of shape {there.shape} or None, got "
                    f"{type(value).__name__}; to change its values write module.{name}[...] = value"
                )
        elif isinstance(value, np.ndarray) and name in self.__dict__.get("_taken_away", ()):
            raise TypeError(f"{name}: expected a Parameter or None, got {type(value).__name__}")
        if isinstance(value, Parameter):
            value.name = value.name or name
        object.__setattr__(self, name, value)
        exchanged()

    def __delattr__(self, name: str) -> None:
        object.__delattr__(self, name)
        exchanged()

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in list(vars(self).items()) if name not in self._CACHES}

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output and keep nothing.

        Raises
        ------
        NotImplementedError
            In a class that does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define __call__")

    def vjp(self, *args: Any, **kwargs: Any) -> Any:
        """Compute the output, and return it with its pullback.

        Raises
        ------
        NotImplementedError
            In a class that does not define it.
        """
        raise NotImplementedError(f"{type(self).__name__} does not define vjp")

    # -- the tree -----------------------------------------------------------------------------

    def named_children(self) -> Iterator[tuple[str, Module]]:
        """Yield the direct submodules with their names, in order of assignment."""
        for name, value in list(vars(self).items()):
            if isinstance(value, Module):
                yield name, value
            elif isinstance(value, (list, tuple, dict)):
                _warn_of_hidden(self, name, value)

    def children(self) -> Iterator[Module]:
        """Yield the direct submodules, each once."""
        return iter(dict.fromkeys(child for _, child in self.named_children()))

    def named_modules(self, prefix: str = "") -> Iterator[tuple[str, Module]]:
        """Yield this module and all below it with dotted names, parents first, each once.

        Parameters
        ----------
        prefix : str
            This module's own name, put before every other with a dot; its own last dot is left out.
        """
        return self._named_modules(prefix.removesuffix("."), set())

    def _named_modules(self, prefix: str, seen: set[int]) -> Iterator[tuple[str, Module]]:
        if id(self) in seen:
            return
        seen.add(id(self))
        yield prefix, self
        for name, child in self.named_children():
            yield from child._named_modules(_join(prefix, name), seen)

    def modules(self) -> Iterator[Module]:
        """Yield this module and all below it, parents first, each once."""
        return (module for _, module in self.named_modules())

    def named_parameters(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Yield every parameter with its dotted name; a shared one once, under its first name.

        Parameters
        ----------
        prefix : str
            Put before every name, with a dot, which may stand in it.
        """
        seen: set[int] = set()
        for path, module in self.named_modules(prefix):
            for name, value in list(vars(module).items()):
                if isinstance(value, Parameter) and id(value) not in seen:
                    seen.add(id(value))
                    yield _join(path, name), value

    def parameters(self) -> Iterator[Parameter]:
        """Yield every parameter once."""
        return (parameter for _, parameter in self.named_parameters())

    def zero_grad(self) -> None:
        """Set every parameter's gradient to None."""
        for parameter in self.parameters():
            parameter.grad = None

    def train(self: M, mode: bool = True) -> M:
        """Switch this module and all below it to training, or with False to evaluation.

        Parameters
        ----------
        mode : bool

        Returns
        -------
        Module
            Itself.

        Raises
        ------
        TypeError
            If `mode` is not a bool.
        """
        if not isinstance(mode, (bool, np.bool_)):
            raise TypeError(f"mode: expected True or False, got {mode!r}")
        for module in self.modules():
            module.training = bool(mode)
        return self

    def eval(self: M) -> M:
        """Switch this module and all below it to evaluation.

        Returns
        -------
        Module
            Itself.
        """
        return self.train(False)

    # -- saving and loading -------------------------------------------------------------------

    def _all_names(self, prefix: str = "") -> Iterator[tuple[str, Parameter]]:
        """Like `named_parameters`, but a shared parameter comes under each of its names."""
        for name, value in list(vars(self).items()):
            if isinstance(value, Parameter):
                yield _join(prefix, name), value
        for name, child in self.named_children():
            yield from child._all_names(_join(prefix, name))

    def state_dict(self, prefix: str = "") -> dict[str, np.ndarray]:
        """Return copies of all parameters' values by name, torch's names.

        As with torch, a parameter that stands in two places comes under both names. Write them to a
        file by `numba_lstm.interop.safetensors.save`, which torch's users can read.

        Parameters
        ----------
        prefix : str
            Put before every name, with a dot, which may stand in it, as torch wants.

        Returns
        -------
        dict of str to numpy.ndarray
        """
        names = self._all_names(prefix.removesuffix("."))
        return {name: p.numpy().copy() for name, p in names}

    def load_state_dict(
        self, state_dict: Mapping[str, Any], strict: bool = True, *, prefix: str = ""
    ) -> LoadResult:
        """Write all parameters from a dictionary, or, on any error, none.

        Parameters
        ----------
        state_dict : mapping of str to array_like
            Values by name, as `state_dict` gives them; any real dtype is cast. Of a parameter with
            several names any one name will do; several must hold the same values.
        strict : bool
            Where False, names that are missing or not known are passed by.
        prefix : str
            What stands before this module's names in `state_dict`, such as ``"module."`` or
            ``"encoder.rnn."``, with or without the last dot. Names that begin otherwise are another
            module's and passed by.

        Returns
        -------
        LoadResult
            The names missing from `state_dict` and those in it that are not known: empty lists if
            strict. Both without the prefix.

        Raises
        ------
        TypeError
            If `state_dict` is no mapping, or all that is wrong is values that are not real
            numbers.
        ValueError
            If names or shapes do not fit, or no name begins with `prefix`. The message lists
            everything that is wrong, and what may be meant.

        See Also
        --------
        numba_lstm.interop.weights : Keras's, ONNX's and other arrays under these names.
        """
        given = under_prefix(state_dict, prefix)
        found = read(type(self).__name__, dict(self._all_names()), given, strict)
        for parameter, value in found.values:
            parameter[...] = value
        return LoadResult(found.missing, found.unexpected)

    def random_state(self) -> dict[str, Any]:
        """Return the state of every random generator in the tree, ready for JSON.

        Returns
        -------
        dict
            The state of each generator that a module holds as an attribute, by its dotted name; a
            generator that several modules share comes once.
        """
        return {name: _random.get(rng) for name, rng in self._generators()}

    def load_random_state(self, random_state: Mapping[str, Any]) -> None:
        """Put every random generator in the tree into a state that `random_state` gave.

        Parameters
        ----------
        random_state : mapping of str to dict

        Raises
        ------
        TypeError
            If `random_state` is no mapping.
        ValueError
            If it holds other names, or states of another kind of generator; then nothing changes.
        """
        if not isinstance(random_state, Mapping):
            raise TypeError(
                "random_state: expected a mapping of names to states, got "
                f"{type(random_state).__name__}"
            )
        generators = dict(self._generators())
        if set(generators) != set(random_state):
            raise ValueError(
                f"random_state: expected the states of {sorted(generators)}, got "
                f"{sorted(map(str, random_state))}"
            )
        states = {
            name: _random.check(name, rng, random_state[name]) for name, rng in generators.items()
        }
        for name, rng in generators.items():
            rng.bit_generator.state = states[name]

    def _generators(self) -> Iterator[tuple[str, np.random.Generator]]:
        seen: set[int] = set()
        for path, module in self.named_modules():
            for name, value in list(vars(module).items()):
                if isinstance(value, np.random.Generator) and id(value.bit_generator) not in seen:
                    seen.add(id(value.bit_generator))
                    yield _join(path, name), value

    # -- repr ---------------------------------------------------------------------------------

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows."""
        return ""

    def __repr__(self) -> str:
        head, extra = type(self).__name__, self.extra_repr()
        lines = [f"({name}): {child!r}" for name, child in self.named_children()]
        if not lines:
            return f"{head}({extra})"
        if extra:
            lines.insert(0, extra)
        body = "\n".join(lines).replace("\n", "\n  ")
        return f"{head}(\n  {body}\n)"


def _warn_of_hidden(
    module: Module, name: str, value: list[Any] | tuple[Any, ...] | dict[Any, Any]
) -> None:
    """Tell of modules and parameters in a plain list, where nobody finds them.

    The first item tells: a list may be as long as a text, and this is asked at every step.
    """
    first = next(iter(value.values() if isinstance(value, dict) else value), None)
    if not isinstance(first, (Module, Parameter)):
        return
    kind = "ModuleDict" if isinstance(value, dict) else "ModuleList"
    way = f"use nn.{kind}" if isinstance(first, Module) else "make each an attribute of its own"
    warn(
        f"{type(module).__name__}.{name}: parameters(), state_dict() and train() do not find the "
        f"{type(first).__name__} in a {type(value).__name__}; {way}"
    )


def _join(prefix: str, name: str) -> str:
    return f"{prefix}.{name}" if prefix else name
