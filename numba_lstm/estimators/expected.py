"""Which of scikit-learn's checks an estimator does not pass, and why."""

from __future__ import annotations

from typing import Any

__all__ = ["expected_failed_checks"]

_WEIGHTS = {
    "check_sample_weight_equivalence_on_dense_data": (
        "a sample repeated twice and a sample of weight 2 fall into different batches, so that the "
        "steps of training differ, as those of scikit-learn's own MLPClassifier do"
    ),
}

# A forecaster takes (y, X), as forecasters do: scikit-learn's table of samples is y, a series, and
# its target X, exogenous columns.
_ORDER = {
    "check_fit_score_takes_y": "fit and score take the series y first, and then X",
    "check_n_features_in_after_fitting": (
        "the check gives score its target as y by name, which is the series"
    ),
    "check_fit1d": "a series may have one dimension",
}
_EXOGENOUS = (
    "the check gives its target to fit, where it is an exogenous column, and none to predict, "
    "which then asks for it"
)
_WITHOUT_FUTURE = (
    "check_dict_unchanged",
    "check_dtype_object",
    "check_estimators_dtypes",
    "check_estimators_pickle",
    "check_f_contiguous_array_estimator",
    "check_fit_idempotent",
    "check_methods_sample_order_invariance",
    "check_methods_subset_invariance",
)


def expected_failed_checks(estimator: Any) -> dict[str, str]:
    """Tell which checks of ``sklearn.utils.estimator_checks`` an estimator does not pass, and why.

    Parameters
    ----------
    estimator : LSTMClassifier, LSTMRegressor or LSTMForecaster

    Returns
    -------
    dict
        Reasons by the names of checks, as ``check_estimator(…, expected_failed_checks=…)`` takes
        them. ``parametrize_with_checks`` takes this function itself.

    Examples
    --------
    >>> from numba_lstm import estimators
    >>> sorted(expected_failed_checks(estimators.LSTMClassifier()))
    ['check_sample_weight_equivalence_on_dense_data']
    """
    from .forecaster import LSTMForecaster

    if isinstance(estimator, LSTMForecaster):
        return {**_ORDER, **dict.fromkeys(_WITHOUT_FUTURE, _EXOGENOUS)}
    return dict(_WEIGHTS)
