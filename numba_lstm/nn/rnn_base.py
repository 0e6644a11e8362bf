"""What LSTM, GRU and RNN share: parameters with torch's names, calls, and torch's `repr`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

import numpy as np

from ..checks import as_float, flag, generator, probability, size
from ..checks import dtype as check_dtype
from ..parameters.exchanged import check_parameters
from ..parameters.parameter import Parameter
from ..recurrent.short_call import infer, new_call, step
from ..recurrent.token_ids import check_ids
from ..typing import Array, ArrayLike, DTypeLike, Seed, StatePullback, TokensPullback
from ..user_warning import warn
from . import init
from .embedding import Embedding
from .kernel_weights import weights_of
from .module import Module
from .pullback import once

__all__ = ["RNNBase"]

# A state as it is given, as its cotangent is given, and as it is returned.
Given = TypeVar("Given")
Cotangent = TypeVar("Cotangent")
Taken = TypeVar("Taken")

_DROPOUTS = "input_dropout", "recurrent_dropout", "weight_dropout", "zoneout", "zoneout_cell"


class RNNBase(Module, Generic[Given, Cotangent, Taken]):
    """A stack of recurrent layers; a subclass says which cell.

    A subclass sets `GATES`, how many gates are stacked in the weights' rows, and `STATES`, the
    names of its initial states, and defines `cell`.
    """

    GATES: int
    STATES: tuple[str, ...] = ("h0",)

    # What only some cells have.
    layer_norm: bool = False
    learn_initial_state: bool = False  # of a module that was pickled before there was such
    zoneout_cell: float = 0.0

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        *,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        zoneout: float = 0.0,
        learn_initial_state: bool = False,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.input_size = size("input_size", input_size)
        sizes = _hidden_sizes(hidden_size, num_layers)
        self.hidden_size = sizes[0] if len(set(sizes)) == 1 else sizes
        self.num_layers = len(sizes)
        # Of each state, in the order of `STATES`, the width in each layer.
        self.widths = list(zip(*map(self._state_sizes, sizes)))
        # The last layer's; h's is y's.
        self.sizes = tuple(widths[-1] for widths in self.widths)
        self.use_bias = flag("bias", bias)
        self.batch_first = flag("batch_first", batch_first)
        self.dropout = probability("dropout", dropout)
        if self.dropout and self.num_layers == 1:
            warn(
                f"dropout: expected 0 with num_layers=1, got {self.dropout}; it stands between "
                "layers, and there is one layer only. nn.Dropout drops elements of y"
            )
        self.bidirectional = flag("bidirectional", bidirectional)
        self.input_dropout = probability("input_dropout", input_dropout)
        self.recurrent_dropout = probability("recurrent_dropout", recurrent_dropout)
        self.weight_dropout = probability("weight_dropout", weight_dropout)
        self.zoneout = probability("zoneout", zoneout)
        self.dtype = check_dtype(dtype)
        self.rng = generator(seed)
        self._names: list[tuple[str, ...]] = []
        for layer in range(self.num_layers):
            self._add_layer(layer)
        init.reset_recurrent_(self, self.hidden_size, seed=self.rng)
        self.learn_initial_state = flag("learn_initial_state", learn_initial_state)
        # Of each state, the parameters that it starts at, in the order of layers and directions.
        self.initial_names: list[list[str]] = []
        if self.learn_initial_state:
            self._add_initial_states()

    if TYPE_CHECKING:
        # Parameters are named by layer and direction: weight_ih_l0, bias_hh_l3_reverse, ….
        def __getattr__(self, name: str) -> Parameter: ...
        def __setattr__(self, name: str, value: Parameter | None) -> None: ...

    def _add_layer(self, layer: int) -> None:
        directions = 2 if self.bidirectional else 1
        for suffix in ("", "_reverse")[:directions]:
            names = []
            for kind, shape in self._shapes(layer).items():
                names.append(f"{kind}_l{layer}{suffix}")
                if shape is not None:
                    setattr(self, names[-1], Parameter(np.empty(shape, self.dtype)))
            self._names.append(tuple(names))

    def _add_initial_states(self) -> None:
        """Add h_0_l0, h_0_l0_reverse, …, and those of c, zeros."""
        endings = [names[0].removeprefix("weight_ih") for names in self._names]
        directions = 2 if self.bidirectional else 1
        for state, widths in zip(self.STATES, self.widths):
            names = [f"{state[0]}_0{ending}" for ending in endings]
            for at, name in enumerate(names):
                setattr(self, name, Parameter(np.zeros(widths[at // directions], self.dtype)))
            self.initial_names.append(names)

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...] | None]:
        """The parameters of one direction, as `DirectionParameters` has them: names and shapes.

        None for those left out.
        """
        rows, size = self.GATES * self.widths[-1][layer], self.widths[0][layer]
        inputs = self.input_size
        if layer > 0:
            inputs = self.widths[0][layer - 1] * (2 if self.bidirectional else 1)
        bias = (rows,) if self.use_bias else None
        gain = (rows,) if self.layer_norm else None
        return {
            "weight_ih": (rows, inputs),
            "weight_hh": (rows, size),
            "bias_ih": bias,
            "bias_hh": bias,
            "weight_hr": None,
            "weight_peephole": None,
            "weight_ln_ih": gain,
            "weight_ln_hh": gain,
            "weight_ln_c": None,
            "bias_ln_c": None,
        }

    def _state_sizes(self, hidden: int) -> tuple[int, ...]:
        """Give the widths of the states of a layer of so many units; the last is that number."""
        return (hidden,) * len(self.STATES)

    @property
    def drops(self) -> bool:
        """Whether training differs from evaluation."""
        p = self.dropout, self.input_dropout, self.recurrent_dropout, self.weight_dropout
        return any(p) or bool(self.zoneout or self.zoneout_cell)

    @property
    def _sees_rows(self) -> bool:
        """Whether the rows of an embedding have to be looked up before the input product.

        With dropout of the inputs one token's rows differ from sequence to sequence, and
        layer-normalised cells make the input product in each step.
        """
        return self.layer_norm or (self.training and self.input_dropout > 0)

    def cell(self) -> Any:
        """Give the `kernels.loops.cell.Cell`, which is imported late, as it needs numba."""
        raise NotImplementedError(f"{type(self).__name__} does not define cell")

    def settings(self) -> tuple[float, ...]:
        """Give the constants of the cell that are the same for all units."""
        return ()

    def weights(self) -> list[Any]:
        """A `weights.Weights` for each layer and direction, anew when a parameter is exchanged.

        Raises
        ------
        TypeError, ValueError
            Naming a parameter that was exchanged for one that does not fit.
        """
        return weights_of(self)

    def _check_parameters(self, found: Sequence[Sequence[Any]]) -> None:
        directions = 2 if self.bidirectional else 1
        for at, (names, values) in enumerate(zip(self._names, found)):
            shapes = list(self._shapes(at // directions).values())
            check_parameters(dict(zip(names, values)), shapes, self.dtype)

    def __call__(
        self,
        x: ArrayLike,
        h0: Given | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
    ) -> tuple[Array, Taken]:
        """Run over a sequence and keep nothing.

        Parameters
        ----------
        x : array_like, (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sequence
            T at least 1.
        h0 : array_like, (L·D, B, H), or (L·D, H) for a single sequence, optional
            Initial states; zeros, or with `learn_initial_state` the parameters, where not given.
            Where the layers' sizes differ a list of arrays, one a layer, (D, B, H_l) each, and so
            are hn and their gradients.
        lengths : array_like of int, (B,), optional
            How long each sequence is, 0 to T, in any order; T where not given. What stands in x
            after a sequence's end is not looked at, and y is zero there; the reverse direction
            starts at it. Time goes with the sum of the lengths, not with T·B.
        reset : array_like of bool, (T, B) in the layout of x, optional
            Where the states are set to zero before a step, and gradients cut: nothing passes
            between step t - 1 and step t, in either direction.

        Returns
        -------
        y : numpy.ndarray, (T, B, D·H) in the layout of x
            The last layer's outputs, forward direction first.
        hn : numpy.ndarray, (L·D, B, H)
            The state after the last step of each sequence, in each layer and direction; the
            initial state of a sequence of length 0.

        Raises
        ------
        TypeError, ValueError
            Naming x, h0, lengths or reset.
        """
        return infer(self, x, h0, lengths, reset)

    def vjp(
        self,
        x: ArrayLike,
        h0: Given | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
    ) -> tuple[tuple[Array, Taken], StatePullback[Cotangent, Taken]]:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        y, hn
            As from a call.
        pullback : callable (dy, dhn=None) -> dx, dh0
            Back-propagation through time: takes cotangents of the outputs' shapes, any of them None
            for zero, and returns those of the inputs; adds to every parameter's gradient. May be
            called once.

        Raises
        ------
        TypeError, ValueError
            Naming x, h0, lengths or reset; the pullback's name dy or dhn.
        """
        call = new_call(self, h0, x=x, lengths=lengths, reset=reset)
        return call.forward(), once(call.backward)

    def step(self, x: ArrayLike, state: Given | None = None) -> tuple[Array, Taken]:
        """Take one time step of a stream.

        Parameters
        ----------
        x : array_like, (B, I), or (I,) for a single sequence
        state : optional
            What the step before gave; zeros where not given.

        Returns
        -------
        y : numpy.ndarray, (B, H) or (H,)
        state
            For the next step. In evaluation, or without dropout and zoneout, steps give what a call
            over the whole sequence gives; in training each step draws masks of its own.

        Raises
        ------
        TypeError, ValueError
            Naming x or the state; ValueError for a module of two directions, whose second one
            starts at the end.
        """
        if self.bidirectional:
            raise ValueError("step: expected one direction; a second one starts at the end")
        x = as_float("x", x, self.dtype)
        if x.ndim not in (1, 2) or x.shape[-1] != self.input_size:
            raise ValueError(
                f"x: expected shape (B, {self.input_size}) or ({self.input_size},), got {x.shape}"
            )
        return step(self, x, state)

    def vjp_tokens(
        self,
        embedding: Embedding,
        tokens: ArrayLike,
        hx: Given | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
    ) -> tuple[tuple[Array, Taken], TokensPullback[Cotangent, Taken]]:
        """As ``vjp(embedding(tokens), hx)``, with the first layer's input product done by token.

        The embedding's table is projected once, (V, G·H), and its rows gathered; going back, dz is
        summed by token. With fewer kinds of tokens than tokens that saves all but V rows of the
        input product, and y is the same to the bit. The pullback adds to the embedding's gradient,
        too, and its dx is None. With `input_dropout` in training, and with layer normalisation, the
        rows are multiplied after all.

        Parameters
        ----------
        embedding : Embedding
            Of `input_size` columns.
        tokens : array_like of int, (T, B), or (B, T) with batch_first
        hx, lengths, reset
            As for a call.

        Raises
        ------
        TypeError, ValueError
            Naming embedding, tokens, h0, c0, lengths or reset; the pullback's name dy, dhn or dcn.
        """
        if self._sees_rows:
            x, embedding_back = embedding.vjp(check_ids(self, embedding, tokens, lengths))
            outputs, pullback = self.vjp(x, hx, lengths, reset)

            def both(*cotangents: Any) -> tuple[None, Any]:
                dx, dstate = pullback(*cotangents)
                embedding_back(dx)
                return None, dstate

            return outputs, once(both)
        call = new_call(self, hx, tokens=tokens, embedding=embedding, lengths=lengths, reset=reset)
        return call.forward(), once(call.backward)

    def infer_tokens(
        self,
        embedding: Embedding,
        tokens: ArrayLike,
        hx: Given | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
    ) -> tuple[Array, Taken]:
        """As ``self(embedding(tokens), hx)``, by `vjp_tokens`'s way where that is less work.

        Which it is where the tokens are at least as many as the embedding's rows.

        Parameters
        ----------
        embedding, tokens
            As for `vjp_tokens`.
        hx, lengths, reset
            As for a call.

        Raises
        ------
        TypeError, ValueError
            Naming embedding, tokens, h0, c0, lengths or reset.
        """
        if self._sees_rows:
            x = embedding(check_ids(self, embedding, tokens, lengths))
            return self(x, hx, lengths, reset)
        return new_call(
            self, hx, tokens=tokens, embedding=embedding, lengths=lengths, reset=reset
        ).infer()

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows, those that differ from the defaults."""
        parts = [str(self.input_size), str(self.hidden_size)]
        if self.num_layers != 1 and isinstance(self.hidden_size, int):
            parts.append(f"num_layers={self.num_layers}")
        if not self.use_bias:
            parts.append("bias=False")
        if self.batch_first:
            parts.append("batch_first=True")
        if self.dropout:
            parts.append(f"dropout={self.dropout}")
        if self.bidirectional:
            parts.append("bidirectional=True")
        for name in _DROPOUTS:
            if getattr(self, name):
                parts.append(f"{name}={getattr(self, name)}")
        if self.layer_norm:
            parts.append("layer_norm=True")
        if self.learn_initial_state:
            parts.append("learn_initial_state=True")
        return ", ".join(parts)


def _hidden_sizes(hidden_size: Any, num_layers: Any) -> list[int]:
    """Check both: the hidden size of each layer."""
    count = size("num_layers", num_layers)
    if not isinstance(hidden_size, (list, tuple)):
        return [size("hidden_size", hidden_size)] * count
    if not hidden_size:
        raise ValueError("hidden_size: expected at least one size, got none")
    sizes = [size(f"hidden_size[{layer}]", one) for layer, one in enumerate(hidden_size)]
    # 1 is what it is where nobody gives it.
    if count not in (1, len(sizes)):
        raise ValueError(
            f"num_layers: expected {len(sizes)}, as many as hidden_size has, got {count}"
        )
    return sizes
