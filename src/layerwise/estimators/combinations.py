"""Which parameters go together: what would be ignored is refused."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sklearn.metrics import get_scorer

if TYPE_CHECKING:
    from .perceptron import Perceptron


def check_together(est: Perceptron, validation: Any, groups: Any, incremental: bool) -> None:
    """Raise a ValueError if parameters that are right by themselves do not go together."""
    if isinstance(est.metric, str) and est.metric != "loss":
        get_scorer(est.metric)
    if not all(map(callable, est._callbacks())):
        raise ValueError(f"callbacks have to be functions of the state of training, got {est.callbacks!r}.")
    if est.early_stopping and incremental and validation is None:
        raise ValueError(
            "partial_fit does not support early_stopping=True without rows to validate on: give validation=(X, y)"
        )
    if groups is not None and (
        validation is not None or not est.early_stopping or est.validation_split not in ("scikit-learn", "groups")
    ):
        raise ValueError(
            "groups say which rows early_stopping=True holds out together, in the place of other ways to split; "
            "they do not go with validation rows of your own."
        )
    if est.schedule is not None and (est.learning_rate != "constant" or est.solver == "lbfgs" or incremental):
        raise ValueError(
            "schedule takes the place of learning_rate for solver='sgd' or 'adam' and a whole fit: it does not go "
            "with partial_fit, 'lbfgs' or another learning_rate than 'constant'."
        )
    if est.solver == "lbfgs" and (
        validation is not None or groups is not None or est.clip_norm is not None or est._callbacks()
    ):
        raise ValueError("validation, groups, clip_norm and callbacks need solver='sgd' or 'adam', not 'lbfgs'.")
    if getattr(est, "calibrate", False):
        if est.solver == "lbfgs":
            raise ValueError("calibrate=True needs solver='sgd' or 'adam', not 'lbfgs'.")
        if not est.early_stopping and validation is None:
            raise ValueError(
                "calibrate=True needs rows to validate on: early_stopping=True, or validation=(X, y) at every call."
            )
