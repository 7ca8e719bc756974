"""Which rows an estimator validates on, and how good it is on them."""

from __future__ import annotations

import copy
import threading
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from inspect import Parameter, signature
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt
from scipy import sparse
from sklearn.metrics import get_scorer
from sklearn.model_selection import GroupShuffleSplit, train_test_split
from sklearn.utils.validation import check_consistent_length

from ..engines import Source
from ..ops.sparse import SparseRows
from .checks import checked_weights
from .epochs import Rows

if TYPE_CHECKING:
    from .perceptron import Perceptron

Array = npt.NDArray[Any]
#: Filters of warnings are one for all threads: whoever changes them for a while does so alone.
_FILTERS = threading.RLock()


@dataclass(frozen=True)
class Weights:
    """The weights of rows: as the user gave them, by which estimators are judged, and times those of classes."""

    given: Array | None
    of_training: Array | None


def divided(
    est: Perceptron, X: Any, y: Array, weights: Weights, validation: Any, groups: Any,
    random_state: np.random.RandomState,
) -> Rows:  # fmt: skip
    """Return the rows that train and those to validate on.

    Parameters
    ----------
    est : MLPClassifier, MLPRegressor or Autoencoder
    X, y : arrays
        Checked; y as the network takes it.
    weights : Weights
    validation : (X, y) or (X, y, sample_weight), optional
        As the user gave it.
    groups : array (n,), optional
    random_state : RandomState

    Raises
    ------
    ValueError
        If rows to validate on cannot be had, or cannot be used.
    """
    chosen: Array | None = None
    if validation is not None:
        if not isinstance(validation, tuple | list) or len(validation) not in (2, 3):
            raise ValueError(
                f"validation has to be (X, y) or (X, y, sample_weight), got {type(validation).__name__}. For a part of "
                "the training rows give early_stopping=True and validation_fraction."
            )
        Xv, yv = est._checked(validation[0], validation[1])
        wv = checked_weights(validation[2], Xv) if len(validation) == 3 else None
        est._check_parts(y, yv)
    elif not est.early_stopping:
        return Rows(rows_of(X), y, weights.of_training)
    else:
        chosen, held_out = split(est, X.shape[0], y, groups, random_state)
        if len(held_out) < 2:
            raise ValueError(
                "The validation set is too small. Increase 'validation_fraction' or the size of your dataset."
            )
        if not len(chosen):
            raise ValueError("No rows are left to train on. Decrease 'validation_fraction' or give more rows.")
        Xv, yv, wv = X[held_out], y[held_out], None if weights.given is None else weights.given[held_out]
        trains = weights.of_training is None or weights.of_training[chosen].any()
        if not trains or (wv is not None and not wv.any()):
            raise ValueError("The rows that train, or those that are validated on, all have a weight of zero.")
        est._check_parts(y[chosen], yv)
    counts = None if wv is None else wv / wv.mean()  # a held-out loss is a weighted mean
    judged = Source(rows_of(Xv), yv, counts)
    return Rows(rows_of(X), y, weights.of_training, chosen, judged, scorer(est, Xv, yv, wv))


def rows_of(X: Any) -> Any:
    """Return X as engines take it."""
    return SparseRows(X) if sparse.issparse(X) else X


def split(est: Perceptron, n: int, y: Array, groups: Any, random_state: np.random.RandomState) -> tuple[Array, Array]:
    """Return which rows train and which are held out, as `validation_split` says."""
    fraction, how = est.validation_fraction, est.validation_split
    if groups is not None:
        check_consistent_length(y, groups)
        if len(np.unique(groups)) < 2:
            raise ValueError("groups has one group; two are needed, one to train on and one to validate on.")
        by_group = GroupShuffleSplit(n_splits=1, test_size=fraction, random_state=random_state)
        chosen, held_out = next(by_group.split(y, groups=groups))
        return chosen, held_out
    if how == "groups":
        raise ValueError("validation_split='groups' needs the group of each row: fit(X, y, groups=...).")
    if how == "last":
        first = n - int(np.ceil(fraction * n))
        return np.arange(first), np.arange(first, n)
    strata = est._strata(y, everywhere=how == "stratified")
    chosen, held_out = train_test_split(np.arange(n), random_state=random_state, test_size=fraction, stratify=strata)
    return chosen, held_out


def scorer(est: Perceptron, X: Any, y: Array, weights: Array | None) -> Callable[[], float]:
    """Return what says how good the estimator is on these rows, by its parameter `metric`."""
    if est.metric is None:
        rows = rows_of(X)
        return lambda: est._score(est._f(rows), y, weights)
    if isinstance(est.metric, str) and est.metric == "loss":
        return lambda: -float(est.history_[-1].validation_loss or 0.0)
    judge = get_scorer(est.metric) if isinstance(est.metric, str) else est.metric
    labels = est._decoded(y)
    more = {"sample_weight": weights} if weights is not None and takes_weights(judge) else {}

    def score() -> float:
        seen = copy.copy(est)  # the rows have lost their names in the checks, and so must who predicts them
        seen.__dict__.pop("feature_names_in_", None)
        with _FILTERS, warnings.catch_warnings():
            warnings.filterwarnings("ignore", category=UserWarning, module="sklearn")
            return float(judge(seen, X, labels, **more))

    return score


def takes_weights(judge: Any) -> bool:
    """Return whether a scorer, or a function of the user's, takes `sample_weight`."""
    parameters = signature(getattr(judge, "_score_func", judge)).parameters
    return "sample_weight" in parameters or any(p.kind is Parameter.VAR_KEYWORD for p in parameters.values())


def by_size(y: Array) -> Array:
    """Return to which tenth of the numbers each of them belongs; fewer and larger parts where there are few.

    >>> by_size(np.arange(20) ** 2).tolist()
    [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]
    """
    ranks = np.argsort(np.argsort(y, kind="stable"), kind="stable")
    parts: Array = ranks * max(1, min(10, len(y) // 10)) // len(y)
    return parts
