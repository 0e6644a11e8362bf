"""With ``numpy.seterr(all="raise")`` nothing raises from inside, for numbers of any size."""

from __future__ import annotations

import numpy as np
import pytest

from numba_lstm import losses, models, nn, optim

MASKS = {"input_dropout": 0.5, "recurrent_dropout": 0.5, "weight_dropout": 0.5, "zoneout": 0.3}
OPTIONS = {"peepholes": True, "cell_clip": 3.0, "zoneout_cell": 0.2}
T, B, I, H = 5, 2, 3, 4

RECURRENT = {
    "LSTM": lambda **k: nn.LSTM(I, H, **k),
    "LSTM of two directions with masks": lambda **k: nn.LSTM(
        I, H, 2, bidirectional=True, dropout=0.5, **MASKS, **OPTIONS, **k
    ),
    "LSTM normalised": lambda **k: nn.LSTM(I, H, layer_norm=True, **k),
    "LSTM projected": lambda **k: nn.LSTM(I, H, proj_size=2, **k),
    "GRU of two sizes": lambda **k: nn.GRU(I, [H, 3], dropout=0.5, **k),
    "GRU of two directions with masks": lambda **k: nn.GRU(I, H, bidirectional=True, **MASKS, **k),
    "RNN": lambda **k: nn.RNN(I, H, nonlinearity="relu", **k),
}
OTHERS = {
    "LSTMCell": lambda **k: nn.LSTMCell(I, H, **k),
    "GRUCell": lambda **k: nn.GRUCell(I, H, **k),
    "Linear": lambda **k: nn.Linear(I, H, **k),
    "Dropout": lambda **k: nn.Dropout(seed=k["seed"]),
    "LayerNorm": lambda **k: nn.LayerNorm(I, dtype=k["dtype"]),
    "ReLU": lambda **k: nn.ReLU(),
    "Tanh": lambda **k: nn.Tanh(),
    "Sigmoid": lambda **k: nn.Sigmoid(),
    "Sequential": lambda **k: nn.Sequential(nn.Linear(I, H, **k), nn.Tanh(), nn.Linear(H, I, **k)),
}
SIZES = ["denormal", "tiny", "one", "large", "largest"]


def size_of(name, dtype):
    info = np.finfo(dtype)
    values = [float(info.smallest_subnormal) * 3, float(info.tiny) * 2, 1.0, 1e30, float(info.max)]
    return dict(zip(SIZES, values))[name]


def values(shape, size, dtype):
    """Numbers of one size, of both signs."""
    array = np.full(shape, size, dtype)
    array.flat[::2] *= -1
    return array


def like(outputs, size):
    if isinstance(outputs, (tuple, list)):
        return type(outputs)(like(one, size) for one in outputs)
    return values(outputs.shape, size, outputs.dtype)


@pytest.fixture(autouse=True)
def everything_raises():
    with np.errstate(all="raise"):
        yield


def step_optimizers(module):
    parameters = list(module.parameters())
    if parameters:
        optim.clip_grad_norm_(parameters, 1.0)
        for kind in (optim.Adam, optim.AdamW, optim.SGD):
            kind(parameters, lr=1e-3).step()


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", RECURRENT)
def test_a_training_step_of_a_stack(name, dtype, size):
    module, size = RECURRENT[name](dtype=dtype, seed=0), size_of(size, dtype)
    x, embedding = values((T, B, I), size, dtype), nn.Embedding(7, I, dtype=dtype, seed=0)
    for lengths, reset in ((None, None), ([T, 3], None), (None, np.eye(T, B) > 0)):
        outputs, pullback = module.vjp(x, None, lengths, reset)
        pullback(*like(outputs, size))
        module(x, None, lengths, reset)
    outputs, pullback = module.vjp_tokens(embedding, np.zeros((T, B), int))
    pullback(*like(outputs, size))
    if not module.bidirectional:
        module.step(x[0])
    step_optimizers(module)
    module.eval()(x)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
@pytest.mark.parametrize("name", OTHERS)
def test_a_training_step_of_a_layer(name, dtype, size):
    module, size = OTHERS[name](dtype=dtype, seed=0), size_of(size, dtype)
    x = values((B, I), size, dtype)
    for _ in range(2):  # the second adds to the first one's gradients
        outputs, pullback = module.vjp(x)
        pullback(like(outputs, size))
    module(x)
    step_optimizers(module)
    module.eval()(x)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("dtype", ["f4", "f8"])
def test_losses(dtype, size):
    x = values((4, 3), size_of(size, dtype), dtype)
    losses.mse(x, -x)
    losses.cross_entropy(x, [0, 1, 2, -100])
    losses.binary_cross_entropy_with_logits(x, np.full(x.shape, 0.5))
    for weights in (None, [1, 0, 2, 1e-300]):
        about = {"sample_weight": weights}
        losses.cross_entropy(x, [0, 1, 2, -100], weight=[1, 2, 0], label_smoothing=0.1, **about)
        losses.mse(x, -x, **about)
        losses.binary_cross_entropy_with_logits(x, np.full(x.shape, 0.5), **about)
        losses.huber(x, -x, **about)
        losses.quantile(x, -x[:, 0], [0.1, 0.5, 0.9], **about)
        losses.ctc(np.stack([x, -x]), [[1], [2], [1], [2]], **about)


@pytest.mark.parametrize("value", [1e-320, 1e-100, 1e-42, 1e300])
def test_numbers_that_float32_does_not_hold(value):
    wide = np.full((B, I), value)
    nn.Linear(I, H, seed=0)(wide)
    nn.LSTM(I, H, seed=0)(wide[None])
    parameter = nn.Parameter(np.ones(I, "f4"))
    parameter[...] = wide[0]
    parameter.grad = wide[0]
    parameter.add_grad(wide[0])
    nn.Parameter(np.full(3, value, np.longdouble))
    nn.init.constant_(parameter, value)
    nn.init.normal_(parameter, 0.0, value)
    nn.init.orthogonal_(nn.Parameter(np.ones((2, 3), "f4")), value)
    module = nn.Linear(I, H, seed=0)
    module.load_state_dict({"weight": np.full((H, I), value), "bias": np.full(H, value)})
    nn.utils.pad_sequence([np.ones(2, "f4"), np.ones(3, "f4")], padding_value=value)


@pytest.mark.parametrize("temperature", [1e-300, 1e-3, 1.0])
def test_a_language_model_is_trained_and_sampled(temperature):
    model = models.LanguageModel(7, 4, 4, 2, dropout=0.5, seed=0)
    (logits, _), pullback = model.vjp([[1, 2], [3, 4]])
    pullback(values(logits.shape, 1e-42, "f4"))
    model.decoder.weight[...] = 1e3 * model.decoder.weight.numpy()
    assert len(list(models.generate(model, [1], 5, temperature=temperature, seed=0))) == 5


def test_sums_that_overflow():
    loss, _ = losses.cross_entropy(np.array([[1e308, 0.0]] * 3), [1, 1, 1])
    assert loss == np.inf
    parameters = [nn.Parameter(np.ones(1)) for _ in range(2)]
    for parameter in parameters:
        parameter.grad = [1.3e154]
    assert optim.grad_norm(parameters) == np.inf


@pytest.mark.parametrize("name", RECURRENT)
def test_gradients_of_biases_that_overflow(name):
    module = RECURRENT[name](dtype="f4", seed=0).eval()
    x = np.random.default_rng(0).standard_normal((1, 500, I))
    (y, _), pullback = module.vjp(x)
    pullback(np.full(y.shape, 3e37))
    assert any(not np.isfinite(p.grad).all() for n, p in module.named_parameters() if "bias" in n)


def test_gradients_of_two_directions_whose_sum_overflows():
    module = nn.RNN(1, 1, nonlinearity="relu", bidirectional=True, bias=False, seed=0)
    for parameter in module.parameters():
        parameter[...] = 1
    _, pullback = module.vjp(np.ones((1, 1, 1)))
    assert pullback(np.full((1, 1, 2), 3e38))[0] == np.inf
