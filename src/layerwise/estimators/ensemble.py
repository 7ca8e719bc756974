"""Several networks that differ by their random state only, and predict together."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.base import clone
from sklearn.utils import check_random_state

from ..training.workers import share_out
from .storing import check_nothing_is_missing

if TYPE_CHECKING:
    from .perceptron import Perceptron

#: What members know of the data, and the ensemble too.
SHARED = ("n_features_in_", "feature_names_in_", "_labels", "n_outputs_", "n_layers_")

#: What a single network needs in order to go on, beside attributes that end in "_".
OF_ONE_NETWORK = ("_state", "_watch", "_one_row", "_rate_given")


def fit_members(est: Perceptron, again: bool, act: Callable[[Perceptron], object]) -> None:
    """Have all members trained on as many threads as the engine uses, each as it would be alone.

    Parameters
    ----------
    est : MLPClassifier or MLPRegressor
    again : bool
        Go on with the members that there are.
    act : callable (member)
        What trains one.
    """
    check_nothing_is_missing(est)
    members: list[Perceptron] = est.__dict__.get("members_", []) if again else []
    if again:
        check_count(est)
    settings = {name: value for name, value in est.get_params(deep=False).items() if name != "random_state"}
    if len(members) == est.n_ensemble:
        for member in members:
            member.set_params(**settings | {"n_ensemble": 1})
    else:
        random_state = check_random_state(est.random_state)
        seeds = random_state.randint(np.iinfo(np.int32).max, size=est.n_ensemble)
        members = [clone(est).set_params(n_ensemble=1, random_state=int(seed)) for seed in seeds]
        shared = {name: settings[name] for name in ("callbacks", "metric") if name in settings}
        for member in members:  # what a callback keeps is to be found in the callback that was given
            member.set_params(**shared)

    def train(k: int, interrupted: Callable[[], bool]) -> None:
        members[k]._interrupted = interrupted
        try:
            act(members[k])
        finally:
            del members[k]._interrupted

    share_out(len(members), train)
    for name in [name for name in est.__dict__ if name.endswith("_") or name in OF_ONE_NETWORK]:
        del est.__dict__[name]
    est.members_ = members
    for name in SHARED:
        if name in members[0].__dict__:
            est.__dict__[name] = members[0].__dict__[name]
    est.n_iter_ = max(member.n_iter_ for member in members)


def check_count(est: Perceptron) -> None:
    """Raise a ValueError if training is to go on with another number of networks than there are."""
    there = len(est.__dict__.get("members_", ())) or int("theta_" in est.__dict__)
    if there not in (0, est.n_ensemble):
        raise ValueError(
            f"warm_start and partial_fit go on with the networks that are there, {there}; n_ensemble={est.n_ensemble} "
            "asks for others. Call fit with warm_start=False."
        )


def networks_of(est: Any) -> list[Any]:
    """Return the estimators that have a network each: the members of an ensemble, or the one itself."""
    return est.__dict__.get("members_") or [est]
