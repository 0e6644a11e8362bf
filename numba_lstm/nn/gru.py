"""The GRU layer stack, with torch's signature."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from ..checks import flag
from ..typing import DTypeLike, Seed, State, StateLike
from .rnn_base import RNNBase

__all__ = ["GRU"]


class GRU(RNNBase[StateLike, StateLike, State]):
    """A stack of GRU layers over a sequence; torch.nn.GRU's signature, order and defaults.

    For each step of each layer, with the gates r, z, n in this order in the weights' rows::

        r, z = sigmoid(W x_t + b + U h_{t-1} + d)
        n = tanh(W_n x_t + b_n + r ∘ (U_n h_{t-1} + d_n))
        h_t = (1 - z) ∘ n + z ∘ h_{t-1}

    or, with ``reset_after=False``, ::

        n = tanh(W_n x_t + b_n + U_n (r ∘ h_{t-1}) + d_n)

    With `layer_norm` each product v stands in these equations as LN(v; g), with gains g of its own
    for W x_t and U h_{t-1}, and b and d the shifts; r and z are normalised together and n apart
    (Ba et al., 2016, equations 26 to 28)::

        LN(v; g) = g ∘ (v - mean v) / √(var v + 1e-5)

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
    input_dropout, recurrent_dropout : float
        In training, the probability with which elements of each layer's inputs, and of the state
        where the recurrent product reads it, are dropped: the same at every step of a sequence.
    weight_dropout : float
        In training, the probability with which elements of W_hh are dropped (DropConnect).
    zoneout : float
        In training, the probability with which each element of h keeps at a step the value that it
        had before, drawn anew at every step: h_t = k ∘ h_{t-1} + (1 - k) ∘ h, with k of 0 and 1. In
        evaluation k is the probability, so that evaluation differs from a module without.
    reset_after : bool
        Whether the reset gate comes after the product, as in torch, in ONNX's
        ``linear_before_reset=1`` and in Keras's default; if not, n is Cho et al.'s, ONNX's default.
    layer_norm : bool
        Whether the products are normalised. Not without `reset_after`.
    learn_initial_state : bool
        Whether states that are not given start at parameters, the same for every sequence, instead
        of at zeros: h_0_l0 (H,), …, zeros at the start.
    dtype : dtype_like
        float32 or float64.
    seed : None, int or numpy.random.Generator
        For the initial values, torch's (uniform within ±1/√H_l), and all masks.

    Attributes
    ----------
    weight_ih_l0, weight_hh_l0, bias_ih_l0, bias_hh_l0, … : Parameter
        (3H, I) or, after the first layer, (3H, D·H); (3H, H); (3H,); (3H,). With the suffix
        ``_reverse`` those of the second direction. With `layer_norm` also the gains weight_ln_ih_l0
        and weight_ln_hh_l0 (3H,), 1 at the start.

    Raises
    ------
    TypeError, ValueError
        Naming the argument: a size below 1, a list of another length than `num_layers`, a flag that
        is no boolean, a dropout or zoneout outside 0..1, another dtype; `layer_norm` without
        `reset_after`.

    Notes
    -----
    **Layers and directions.** Of each state, (L·D, B, H), the part of layer l and direction d
    stands at l·D + d: with two directions ``hn[-2]`` is the last layer's forward state and
    ``hn[-1]`` its backward one. In y the directions stand beside each other: of its last axis the
    first half is the forward direction's, so that ``y[-1, :, :H]`` is ``hn[-2]``, and
    ``y[0, :, H:]``, where the backward one ends, is ``hn[-1]``.

    **Gradients.** ``(y, hn), pullback = gru.vjp(x)`` gives a pullback, which is called once, with
    the cotangents of the outputs in their form: ``pullback(dy, dhn)``. Any of them may be None,
    which means zero. Where an element is both in y and in hn its two cotangents add up. The
    pullback returns ``dx, dh0`` in the form of the inputs, dh0 also where no state was given, and
    adds to the gradient of every parameter.

    **Saving.** `state_dict` gives all parameters by torch's names, `load_state_dict` takes them,
    and `numba_lstm.interop.safetensors` writes and reads files.

    **Threads.** A call keeps nothing in the module, so one may be used from several threads, and
    twice in a network. Results are the same to the bit on any number of threads.

    References
    ----------
    Cho et al., Learning phrase representations using RNN encoder-decoder, EMNLP 2014. Ba, Kiros &
    Hinton, Layer normalization, arXiv:1607.06450, 2016. Krueger et al., Zoneout: regularizing RNNs
    by randomly preserving hidden activations, ICLR 2017.

    Examples
    --------
    >>> import numpy as np
    >>> gru = GRU(10, 20, num_layers=2, seed=0)
    >>> y, hn = gru(np.ones((5, 3, 10)))
    >>> y.shape, hn.shape
    ((5, 3, 20), (2, 3, 20))
    >>> (y, hn), pullback = gru.vjp(np.ones((5, 3, 10)))
    >>> dx, dh0 = pullback(None, np.ones_like(hn))
    >>> dx.shape, dh0.shape
    ((5, 3, 10), (2, 3, 20))
    >>> both = GRU(10, 20, bidirectional=True, seed=0)
    >>> y, hn = both(np.ones((5, 3, 10)))
    >>> bool((y[-1, :, :20] == hn[-2]).all() and (y[0, :, 20:] == hn[-1]).all())
    True
    """

    GATES = 3

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
        reset_after: bool = True,
        layer_norm: bool = False,
        learn_initial_state: bool = False,
        dtype: DTypeLike = np.float32,
        seed: Seed = None,
    ) -> None:
        self.reset_after = flag("reset_after", reset_after)
        self.layer_norm = flag("layer_norm", layer_norm)
        if self.layer_norm and not self.reset_after:
            raise ValueError("layer_norm: expected False with reset_after=False, got True")
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

    def cell(self) -> Any:
        """Give the cell of `kernels.cells.gru`, `gru_before` or `normalised`."""
        if self.layer_norm:
            from ..kernels.cells.normalised import NORMALISED_GRU

            return NORMALISED_GRU
        return cell_with_reset(self.reset_after)

    def extra_repr(self) -> str:
        """Return the arguments that `repr` shows, those that differ from the defaults."""
        return super().extra_repr() + ("" if self.reset_after else ", reset_after=False")


def cell_with_reset(reset_after: bool) -> Any:
    """Give the `kernels.loops.cell.Cell` of a GRU with the reset gate in either place."""
    if reset_after:
        from ..kernels.cells.gru import GRU as AFTER

        return AFTER
    from ..kernels.cells.gru_before import GRU_BEFORE

    return GRU_BEFORE
