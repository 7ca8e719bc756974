"""fit_many: train many networks at once, one on each thread."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Literal

import numpy.typing as npt

from ..errors import SpecificationError, check_number
from ..network import Network, Parameters
from ..network.programs import Setting, executable
from ..rules.penalties import Penalty, as_penalty
from ..rules.schedules import Schedule
from ..rules.updates import Adam, Update, as_update
from .examples import Examples, WeightMean, check_validation
from .fit import Callback, Model, begin, restores_best, run_epochs
from .members import Member, members_of
from .settings import Order, check_batch_size, check_dtype
from .stopping import Monitor
from .workers import share_out


def fit_many(
    net: Network, X: Any, y: Any, *, seeds: int | Sequence[int] | None = None, rates: Sequence[float] | None = None,
    penalties: Sequence[Penalty | None] | None = None, rows: Sequence[Any] | None = None,
    validation_rows: Sequence[Any] | None = None, update: str | Update | None = None,
    batch_size: int | Literal["all"] = 32, epochs: int = 100, penalty: Penalty | None = None, validation: Any = None,
    seed: int = 0, weights: Any = None, weight_mean: WeightMean = None, schedule: str | Schedule = "constant",
    dtype: npt.DTypeLike = "float32", patience: int | None = None, monitor: Monitor = "loss",
    min_improvement: float = 0.0, restore_best: bool | None = None, callbacks: Callback | Sequence[Callback] = (),
    progress: Callback | None = None, shuffle: bool = True, order: Order | None = None,
    exact_train_loss: bool = False, initial: Parameters | None = None, clip_norm: float | None = None,
) -> list[Model]:  # fmt: skip
    """Train K independent networks at once, one on each thread; each is what `fit` alone would give, bit for bit.

    Parameters
    ----------
    net : Network
    X : array or sparse matrix (n, inputs)
        Checked once, and never copied for each network.
    y : array (n,) of class codes, or (n, outputs)
    seeds : int or sequence of int, optional
        The seed of each network; a number K means seed, seed + 1, ..., seed + K - 1. By default all have `seed`.
    rates : sequence of float, optional
        The rate of each network's update, in place of the update's own.
    penalties : sequence of Penalty or None, optional
        The penalty of each network.
    rows : sequence of int arrays, optional
        The rows of X that each network has, such as the training rows of a fold, or rows drawn with repetition. A
        network is what ``fit(net, X[rows], y[rows])`` gives (weights likewise); an `order` has positions in its rows.
    validation_rows : sequence of int arrays, optional
        The rows of X that each network validates on, in place of `validation`.
    update, batch_size, epochs, penalty, validation, seed, weights, weight_mean, schedule, dtype, patience, monitor, \
min_improvement, restore_best, shuffle, order, exact_train_loss, initial, clip_norm
        For all networks, as in `fit`. A fraction as `validation` is taken out of each network's rows by its seed.
    callbacks, progress
        As in `fit`, for every network: called in the thread that trains it, though never two at a time.

    Returns
    -------
    list of Model
        In order. A network that diverged is among them: it has the parameters of its last finite epoch, and
        ``model.state.stopped`` is "diverged".

    Raises
    ------
    InputError, SpecificationError
        If an array or a setting cannot be used, or there are not as many rates, say, as seeds.

    Notes
    -----
    K is the common length of those that are given; at least one has to be. One that is a single value stands for all.
    The number of threads is that of the engine (LAYERWISE_THREADS); results do not depend on it. What a callback
    raises ends all trainings. Ctrl-C ends all after their current batch, and returns the models as they are then.

    Examples
    --------
    >>> import numpy as np
    >>> X, y = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]), [0, 1, 1, 0]
    >>> net = Network(2, [8], 2, hidden="tanh")
    >>> models = fit_many(net, X, y, seeds=4, update="sgd", batch_size=1, epochs=200)
    >>> np.mean([model.predict(X) for model in models], axis=0).argmax(axis=1)
    array([0, 1, 1, 0])
    """
    check_number("epochs", epochs, at_least=1, whole=True)
    check_batch_size(batch_size)
    check_dtype(dtype)
    examples = Examples.check(net, X, y, weights, weight_mean)
    if validation is not None and validation_rows is not None:
        raise SpecificationError(
            where="validation_rows", expected="no validation beside them", got="both", remedy="give one of them"
        )
    held_out = check_validation(net, validation, weight_mean)
    chosen = Adam() if update is None else as_update(update)
    members = members_of(
        examples, Member(seed, chosen, as_penalty(penalty)), seeds=seeds, rates=rates, penalties=penalties, rows=rows,
        validation_rows=validation_rows,
    )  # fmt: skip
    restore = restores_best(patience, restore_best)
    one_at_a_time = threading.Lock()

    def alone(callback: Callback) -> Callback:
        def call(state: Any) -> None:
            with one_at_a_time:
                callback(state)

        return call

    after_epoch = [alone(callback) for callback in ([callbacks] if callable(callbacks) else callbacks)]
    within_epoch = None if progress is None else alone(progress)
    weighted, clips = examples.weights is not None, clip_norm is not None
    for setting in {s.key: s for m in members for s in _settings(m, weighted, clips)}.values():
        executable(net, setting, dtype)  # here and now, or every thread would do it

    def train(k: int, interrupted: Callable[[], bool]) -> Model:
        m = members[k]
        data, mean = examples.training_data(held_out, m.seed, m.rows, m.validation_rows)
        state = begin(
            net, data, update=m.update, batch_size=batch_size, epochs=epochs, penalty=m.penalty, seed=m.seed,
            weight_mean=mean, schedule=schedule, dtype=dtype, patience=patience, monitor=monitor,
            min_improvement=min_improvement, restore_best=restore_best, shuffle=shuffle, order=order,
            exact_train_loss=exact_train_loss, initial=initial, clip_norm=clip_norm,
        )  # fmt: skip
        model, _ = run_epochs(state, data, epochs, restore, after_epoch, within_epoch, interrupted)
        return model

    return share_out(len(members), train)


def _settings(member: Member, weighted: bool, clips: bool) -> list[Setting]:
    step = Setting("train_step", member.update, member.penalty, weighted, clips=clips)
    return [step, Setting("evaluate", weighted=weighted)]
