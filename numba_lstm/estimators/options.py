"""What the estimators' docstrings share: the options of the network and of its training."""

from __future__ import annotations

from ..models.documented import NETWORK

__all__ = ["options_of"]

# As the models have it, without the letters of their shapes.
_NETWORK = """\
hidden_size : int or list of int
    The units of each recurrent layer.
""" + NETWORK.replace(" (D = 2)", "").replace("sequence", "[sequence]")

_TRAINING = """\
solver : {'adam', 'adamw', 'sgd'}
    The optimizer.
alpha : float
    The strength of the L2 penalty, which is divided by the number of [samples]; with 'adamw'
    the decoupled weight decay itself.
batch_size : int or 'auto'
    [Samples] of a step; 'auto' is 32.
learning_rate : {'constant', 'cosine'}
    The course of the learning rate; 'cosine' falls to 0 at `max_iter` epochs.
learning_rate_init : float
    The learning rate at the start.
max_iter : int
    The epochs at most.
shuffle : bool
    Whether [samples] come in another order in each epoch.
random_state : int, RandomState instance or None
    For initial weights, order, dropout and the validation part. An int gives the same bits each
    time, on any number of threads.
tol : float
    A loss must be lower by more than this than the best before it to count as better, in the
    epochs that `n_iter_no_change` counts. The best weights are those of the lowest loss.
verbose : bool
    Whether a progress bar, or where there is no terminal a few lines, go to standard error."""

_STEPS = """\
momentum : float
    Of 'sgd'.
clip : float or None
    The greatest norm of the gradient."""


def options_of(sequence: str, sample: str) -> dict[str, str]:
    """Give the parts `network`, `training` and `steps` of an estimator's docstring.

    Parameters
    ----------
    sequence, sample : str
        What the network reads, and what batches hold.
    """
    words = {"[sequence]": sequence, "[samples]": f"{sample}s", "[Samples]": f"{sample}s".title()}
    parts = {"network": _NETWORK, "training": _TRAINING, "steps": _STEPS}
    for old, new in words.items():
        parts = {name: text.replace(old, new) for name, text in parts.items()}
    return parts
