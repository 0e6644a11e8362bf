"""The LSTM layer stack, with torch's signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal, overload

import numpy as np

from ..checks import flag, positive, probability, size
from ..recurrent.short_call import infer, new_call
from ..typing import (
    Array,
    ArrayLike,
    CellsPullback,
    DTypeLike,
    Seed,
    StatePair,
    StatePairCotangent,
    StatePairLike,
    StatePullback,
)
from .pullback import once
from .rnn_base import RNNBase

__all__ = ["LSTM"]


class LSTM(RNNBase[StatePairLike, StatePairCotangent, StatePair]):
    """A stack of LSTM layers over a sequence; torch.nn.LSTM's signature, order and defaults.

    For each step of each layer, with the gates i, f, g, o in this order in the weights' rows::

        i, f, o = sigmoid(W x_t + b + U h_{t-1} + d)    g = tanh(the same)
        c_t = f ∘ c_{t-1} + i ∘ g
        h_t = o ∘ tanh(c_t)

    and with ONNX's options, in any combination, where a = W x_t + b + U h_{t-1} + d::

        i = sigmoid(clip(a_i + p_i ∘ c_{t-1}))
        f = sigmoid(clip(a_f + p_f ∘ c_{t-1})), coupled: 1 - i
        g = tanh(clip(a_g))
        o = sigmoid(clip(a_o + p_o ∘ c_t))

    With `layer_norm` (Ba et al., 2016, equations 20 to 22) W x_t and U h_{t-1} stand in a as
    LN(W x_t; g_x) and LN(U h_{t-1}; g_h), each normalised over all four gates, and ::

        h_t = o ∘ tanh(LN(c_t; g_c) + b_c)    LN(v; g) = g ∘ (v - mean v) / √(var v + 1e-5)

    Parameters
    ----------
    input_size : int
        I.
    hidden_size : int or list of int
        H, or that of each layer, H_l.
    num_layers : int
        L; each layer reads the outputs of the one before. With a list its length, and need not be
        given.
    bias : bool
        Whether there are b and d.
    batch_first : bool
        Whether x and y are (B, T, …) instead of (T, B, …). States never are.
    dropout : float
        In training, the probability with which each output of all layers but the last is dropped.
    bidirectional : bool
        Whether a second direction (D = 2) reads the sequence from its end.
    proj_size : int
        If not 0, h_t is W_hr (proj_size, H) times o ∘ tanh(c_t), and y, h0, hn and the inputs of
        further layers have that width. Less than H, and the same for all layers: then h0 and hn
        are one array each where layers differ, and c0 and cn lists.
    input_dropout, recurrent_dropout : float
        In training, the probability with which elements of each layer's inputs, and of the state
        where the recurrent product reads it, are dropped: the same at every step of a sequence.
    weight_dropout : float
        In training, the probability with which elements of W_hh are dropped (DropConnect).
    zoneout : float
        In training, the probability with which each element of h keeps at a step the value that it
        had before, drawn anew at every step: h_t = k ∘ h_{t-1} + (1 - k) ∘ h, with k of 0 and 1. In
        evaluation k is the probability, so that evaluation differs from a module without.
    zoneout_cell : float
        The same for c.
    peepholes : bool
        Whether the gates see the cell's state through weights p (Gers & Schmidhuber, 2000).
    cell_clip : float, optional
        A number above 0: the gates' arguments are held within ±cell_clip. As in onnxruntime, and
        other than in TensorFlow, c_t is not. Nothing goes back through an argument that was held.
    coupled : bool
        Whether f is 1 - i. The rows of f in the weights remain, with gradients of zero.
    layer_norm : bool
        Whether the products, and c_t on its way to h_t, are normalised. Not with `proj_size`,
        `peepholes`, `cell_clip` or `coupled`.
    learn_initial_state : bool
        Whether states that are not given start at parameters, the same for every sequence, instead
        of at zeros: h_0_l0 (H,) or (proj_size,), c_0_l0 (H,), …, zeros at the start.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's (uniform within ±1/√H_l), and all masks.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, … : Parameter
        (4H, I) or, after the first layer, (4H, D·H); (4H, H); (4H,); (4H,). With the suffix
        ``_reverse`` those of the second direction. With `proj_size` also weight_hr_l0 (proj_size,
        H), and proj_size stands for H in the widths of the others. With `peepholes` also
        weight_peephole_l0 (3H,), p_i, p_f and p_o in this order (ONNX's P is p_i, p_o, p_f). With
        `layer_norm` also the gains weight_ln_ih_l0 and weight_ln_hh_l0 (4H,) and weight_ln_c_l0
        (H,), 1 at the start, and with `bias` the shift bias_ln_c_l0 (H,), 0 at the start; those of
        the products are bias_ih_l0 and bias_hh_l0.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a list of another length than `num_layers`, a flag that
        is no boolean, a dropout or zoneout outside 0..1, a cell_clip that is not above 0, another
        dtype; `layer_norm` with an option that it does not go with.

    Notes
    -----
    **Layers and directions.** Of each state, (L·D, B, H), the part of layer l and direction d
    stands at l·D + d: with two directions ``hn[-2]`` is the last layer's forward state and
    ``hn[-1]`` its backward one. In y the directions stand beside each other: of its last axis the
    first half is the forward direction's, so that ``y[-1, :, :H]`` is ``hn[-2]``, and
    ``y[0, :, H:]``, where the backward one ends, is ``hn[-1]``.

    **Gradients.** ``(y, (hn, cn)), pullback = lstm.vjp(x)`` gives a pullback, which is called once,
    with the cotangents of the outputs in their form: ``pullback(dy, (dhn, dcn))``. Any of them may
    be None, which means zero. Where an element is both in y and in hn its two cotangents add up.
    The pullback returns ``dx, (dh0, dc0)`` in the form of the inputs, dh0 also where no state was
    given, and adds to the gradient of every parameter.

    **Saving.** `state_dict` gives all parameters by torch's names, `load_state_dict` takes them,
    and `numba_lstm.interop.safetensors` writes and reads files.

    **Threads.** A call keeps nothing in the module, so one may be used from several threads, and
    twice in a network. Results are the same to the bit on any number of threads.

    References
    ----------
    Hochreiter & Schmidhuber, Long short-term memory, Neural Computation 9(8), 1997. Gers,
    Schmidhuber & Cummins, Learning to forget, Neural Computation 12(10), 2000. Gers & Schmidhuber,
    Recurrent nets that time and count, IJCNN, 2000. ONNX's operator LSTM. Ba, Kiros & Hinton, Layer
    normalization, arXiv:1607.06450, 2016. Krueger et al., Zoneout: regularizing RNNs by randomly
    preserving hidden activations, ICLR 2017.

    Examples
    --------
    >>> lstm = LSTM(10, 20, num_layers=2, seed=0)
    >>> y, (hn, cn) = lstm(np.ones((5, 3, 10)))
    >>> y.shape, hn.shape, cn.shape
    ((5, 3, 20), (2, 3, 20), (2, 3, 20))
    >>> (y, (hn, cn)), pullback = lstm.vjp(np.ones((5, 3, 10)))
    >>> dx, (dh0, dc0) = pullback(y, (None, np.ones_like(cn)))
    >>> dx.shape, dh0.shape, lstm.weight_ih_l1.grad.shape
    ((5, 3, 10), (2, 3, 20), (80, 20))
    >>> y, (hn, cn) = LSTM(10, [20, 30], seed=0)(np.ones((5, 3, 10)))
    >>> y.shape, [one.shape for one in cn]
    ((5, 3, 30), [(1, 3, 20), (1, 3, 30)])
    >>> y, (hn, cn), cells = lstm(np.ones((5, 3, 10)), return_cells=True)
    >>> cells.shape, bool((cells[-1] == cn[-1]).all())
    ((5, 3, 20), True)
    """

    GATES = 4
    STATES = ("h0", "c0")

    def __init__(
        self,
        input_size: int,
        hidden_size: int | Sequence[int],
        num_layers: int = 1,
        bias: bool = True,
        batch_first: bool = False,
        dropout: float = 0.0,
        bidirectional: bool = False,
        proj_size: int = 0,
        *,
        input_dropout: float = 0.0,
        recurrent_dropout: float = 0.0,
        weight_dropout: float = 0.0,
        zoneout: float = 0.0,
        zoneout_cell: float = 0.0,
        peepholes: bool = False,
        cell_clip: float | None = None,
        coupled: bool = False,
        layer_norm: bool = False,
        learn_initial_state: bool = False,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.proj_size = size("proj_size", proj_size, 0)
        self.peepholes, self.coupled = flag("peepholes", peepholes), flag("coupled", coupled)
        self.cell_clip = None if cell_clip is None else positive("cell_clip", cell_clip)
        self.layer_norm = flag("layer_norm", layer_norm)
        self.zoneout_cell = probability("zoneout_cell", zoneout_cell)
        for name in ("proj_size", "peepholes", "cell_clip", "coupled"):
            if self.layer_norm and getattr(self, name):
                value = getattr(self, name)
                raise ValueError(f"layer_norm: expected False with {name}={value}, got True")
        super().__init__(
            input_size,
            hidden_size,
            num_layers,
            bias,
            batch_first,
            dropout,
            bidirectional,
            input_dropout=input_dropout,
            recurrent_dropout=recurrent_dropout,
            weight_dropout=weight_dropout,
            zoneout=zoneout,
            learn_initial_state=learn_initial_state,
            dtype=dtype,
            seed=seed,
        )

    def _state_sizes(self, hidden: int) -> tuple[int, ...]:
        if self.proj_size >= hidden:
            raise ValueError(
                f"proj_size: expected less than hidden_size, {hidden}, got {self.proj_size}"
            )
        return self.proj_size or hidden, hidden

    def _shapes(self, layer: int) -> dict[str, tuple[int, ...] | None]:
        hidden = self.widths[1][layer]
        projection = (self.proj_size, hidden) if self.proj_size else None
        peephole = (3 * hidden,) if self.peepholes else None
        more: dict[str, tuple[int, ...] | None] = {
            "weight_hr": projection,
            "weight_peephole": peephole,
            "weight_ln_c": (hidden,) if self.layer_norm else None,
            "bias_ln_c": (hidden,) if self.layer_norm and self.use_bias else None,
        }
        return super()._shapes(layer) | more

    def cell(self) -> Any:
        """Give the cell of `kernels.cells.lstm`, of `lstm_options` or of `normalised`."""
        if self.layer_norm:
            from ..kernels.cells.normalised import NORMALISED_LSTM

            return NORMALISED_LSTM
        if self._has_options:
            from ..kernels.cells import lstm_options as kinds

            return kinds.PROJECTED_LSTM_OPTIONS if self.proj_size else kinds.LSTM_OPTIONS
        from ..kernels.cells import lstm

        return lstm.PROJECTED_LSTM if self.proj_size else lstm.LSTM

    @property
    def _has_options(self) -> bool:
        return self.peepholes or self.coupled or self.cell_clip is not None

    def settings(self) -> tuple[float, ...]:
        """Give the clip and the coupling to a cell that has them."""
        if not self._has_options:
            return ()
        from ..kernels.cells.lstm_options import settings

        return settings(self.cell_clip, self.coupled)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows, those that differ from the defaults."""
        parts = super().extra_repr()
        if self.proj_size:
            first = f"{self.input_size}, {self.hidden_size}"
            parts = f"{first}, proj_size={self.proj_size}{parts[len(first) :]}"
        if self.peepholes:
            parts += ", peepholes=True"
        if self.cell_clip is not None:
            parts += f", cell_clip={self.cell_clip}"
        if self.coupled:
            parts += ", coupled=True"
        return parts

    @overload
    def __call__(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: Literal[False] = False,
    ) -> tuple[Array, StatePair]: ...

    @overload
    def __call__(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: Literal[True],
    ) -> tuple[Array, StatePair, Array]: ...

    @overload
    def __call__(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: bool,
    ) -> Any: ...

    def __call__(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: bool = False,
    ) -> Any:
        """Run over a sequence and keep nothing.

        Parameters
        ----------
        x : array_like, (T, B, I), or (B, T, I) with batch_first, or (T, I) for a single sequence
            T at least 1.
        hx : (h0, c0), optional
            (L·D, B, H) each, or (L·D, H) for a single sequence; zeros, or with
            `learn_initial_state` the parameters, where not given. Where the layers' sizes differ
            each is a list of arrays, one a layer, (D, B, H_l) each, and so are hn, cn and their
            gradients.
        lengths : array_like of int, (B,), optional
            How long each sequence is, 0 to T, in any order; T where not given. What stands in x
            after a sequence's end is not looked at, and y is zero there; the reverse direction
            starts at it. Time goes with the sum of the lengths, not with T·B.
        reset : array_like of bool, (T, B) in the layout of x, optional
            Where the states are set to zero before a step, and gradients cut: nothing passes
            between step t - 1 and step t, in either direction.
        return_cells : bool
            Whether to give the last layer's cell states, too. Costs the memory of a training step.

        Returns
        -------
        y : numpy.ndarray, (T, B, D·H) in the layout of x
            The last layer's outputs, forward direction first.
        (hn, cn) : numpy.ndarray, (L·D, B, H) each
            The states after the last step of each sequence, in each layer and direction; the
            initial states of a sequence of length 0.
        cells : numpy.ndarray, (T, B, D·H) in the layout of x
            With `return_cells` only: the last layer's c_t at every step, forward direction first;
            zero past a sequence's length.

        Raises
        ------
        TypeError, ValueError
            Naming x, hx, h0, c0, lengths, reset or return_cells.
        """
        if return_cells is not False and flag("return_cells", return_cells):
            return new_call(self, hx, x=x, lengths=lengths, reset=reset).infer_cells()
        return infer(self, x, hx, lengths, reset)

    @overload
    def vjp(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: Literal[False] = False,
    ) -> tuple[tuple[Array, StatePair], StatePullback[StatePairCotangent, StatePair]]: ...

    @overload
    def vjp(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: Literal[True],
    ) -> tuple[tuple[Array, StatePair, Array], CellsPullback[StatePairCotangent, StatePair]]: ...

    @overload
    def vjp(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: bool,
    ) -> Any: ...

    def vjp(
        self,
        x: ArrayLike,
        hx: StatePairLike | None = None,
        lengths: ArrayLike | None = None,
        reset: ArrayLike | None = None,
        *,
        return_cells: bool = False,
    ) -> Any:
        """Do the same, and return a pullback too.

        `x` must keep its values until the pullback has been called.

        Returns
        -------
        (y, (hn, cn)), or with `return_cells` (y, (hn, cn), cells)
            As from a call.
        pullback : callable (dy, (dhn, dcn)=None) -> dx, (dh0, dc0)
            Back-propagation through time: takes cotangents of the outputs' shapes, any of them None
            for zero, and returns those of the inputs; adds to every parameter's gradient. May be
            called once. With `return_cells` it takes (dy, (dhn, dcn)=None, dcells=None), and dcells
            reaches c_t at every step.

        Raises
        ------
        TypeError, ValueError
            Naming x, hx, h0, c0, lengths, reset or return_cells; the pullback's name dy, dhn, dcn
            or dcells.
        """
        if return_cells is not False and flag("return_cells", return_cells):
            call = new_call(self, hx, x=x, lengths=lengths, reset=reset)
            return call.forward_cells(), once(call.backward_cells)
        return super().vjp(x, hx, lengths, reset)
