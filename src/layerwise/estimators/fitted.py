"""What fitting has made of one network, as plain data and arrays, and back: enough to predict and to go on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
import numpy.typing as npt

from ..network import Parameters
from ..ops.memory import aligned
from ..rules.updates import Update
from ..storage.reading import one_line, refusal
from ..storage.tensors import Shape, TensorFile, finite
from ..storage.values import value_from_data, value_to_data
from ..training.state import TrainingState, start
from .epochs import LEFT_OUT, Watch
from .scikit import ScikitAdam, ScikitSGD

if TYPE_CHECKING:
    from .perceptron import Perceptron

Array = npt.NDArray[Any]
#: Lists with an entry an epoch, or None.
CURVES: Final = ("loss_curve_", "validation_loss_curve_", "validation_scores_")
#: Numbers that may be infinite, or None.
NUMBERS: Final = ("loss_", "best_loss_", "best_validation_score_", "temperature_", "_rate_given")
#: What is there after epochs of training, and so together with a history.
OF_EPOCHS: Final = (*CURVES, "best_loss_", "best_validation_score_", "watch")
COUNTS: Final = ("n_iter_", "t_")
UPDATES: Final[dict[str, type[Update]]] = {"ScikitAdam": ScikitAdam, "ScikitSGD": ScikitSGD}
#: Entries of all curves of a folder, at most: as a list of floats each takes 32 bytes.
MOST_OF_CURVES: Final = 1 << 24
#: Arrays of the size of the parameters that a network leaves, at most: the memory of updates, and the best ones.
ARRAYS: Final = 4
MEMORY: Final = ("mean", "squares", "velocity")
#: No count is larger: 2^63 rows have never been seen.
MOST: Final = 1 << 63


def fitted_to_data(est: Perceptron) -> tuple[dict[str, Any], dict[str, Array]]:
    """Return what one network's training left, without its parameters and its history.

    Returns
    -------
    data : dict
        JSON.
    arrays : dict of str to array
        Of the type of the parameters, but for the curves, which are of float64.
    """
    kept = est.__dict__
    data: dict[str, Any] = {name: int(kept[name]) for name in COUNTS}
    data["stopped_"] = _text(est.stopped_)
    data |= {name: value_to_data(_plain(kept[name])) for name in NUMBERS if name in kept}
    arrays: dict[str, Array] = {}
    for name in CURVES:
        if kept.get(name) is not None:
            arrays[name] = np.array(kept[name], np.float64)
        elif name in kept:
            data[name] = None
    if (watch := kept.get("_watch")) is not None:
        data["watch"] = {
            "best_score": value_to_data(_plain(watch.best_score)), "best_loss": value_to_data(_plain(watch.best_loss)),
            "waited": int(watch.waited), "same_metric": watch.metric is est.metric,
        }  # fmt: skip
        if watch.best is not None:
            arrays |= {"best": watch.best.vector, "best_statistics": watch.best.statistics}
    state = kept.get("_state")
    if state is not None and state.parameters is est.theta_:
        update = state.settings.update
        settings = {name: value_to_data(value) for name, value in asdict(cast(Any, update)).items()}
        data["state"] = {
            "update": {"rule": type(update).__name__, "settings": settings},
            "seed": int(state.settings.seed), "steps": int(state.steps), "memory_since": int(state.memory_since),
            "epoch": int(state.epoch), "seconds": float(state.seconds), "stopped": _text(state.stopped),
        }  # fmt: skip
        arrays |= {f"memory_{name}": memory for name, memory in state.update_state.items()}
    return data, arrays


def _text(value: Any) -> str | None:
    return None if value is None else str(value)


def _plain(value: Any) -> float | None:
    return None if value is None else float(value)


def check_arrays(tensors: TensorFile, theta: Parameters, prefix: str) -> list[str]:
    """Return the names of the arrays of one network; refuse those of another shape or type than they have to be."""
    net, dtype = theta.network, theta.vector.dtype.name
    wanted: dict[str, tuple[str, Shape]] = dict.fromkeys(CURVES, ("float64", None))
    wanted |= dict.fromkeys(("best", *(f"memory_{name}" for name in MEMORY)), (dtype, (net.n_parameters,)))
    wanted["best_statistics"] = (dtype, (net.n_statistics,))
    names = [name.removeprefix(prefix) for name in tensors.entries if name.startswith(prefix)]
    for name in names:
        entry = tensors.entries[prefix + name]
        kind, shape = wanted.get(name, ("", None))
        if entry.dtype != kind or len(entry.shape) != 1 or shape not in (None, entry.shape):
            raise refusal(tensors.where, f"arrays of training, {wanted}", f"{prefix + name}: {entry}")
    return names


def set_fitted(est: Perceptron, data: Mapping[str, Any], tensors: TensorFile, prefix: str, left_out: bool) -> None:
    """Give an estimator that has its parameters and its history all that `fitted_to_data` took from another.

    Parameters
    ----------
    est : Perceptron
    data : mapping
    tensors : TensorFile
    prefix : str
        What the names of this network's arrays begin with.
    left_out : bool
        Whether the metric was left out.
    """
    theta = est.theta_
    names = check_arrays(tensors, theta, prefix)
    unknown = data.keys() - {*COUNTS, *NUMBERS, *CURVES, "stopped_", "watch", "state"}
    if unknown:
        raise ValueError(f"the unknown {sorted(unknown)[0]!r}")
    if "history_" in est.__dict__:
        missing = {*OF_EPOCHS} - {*names, *data} | ({"loss_curve_"} - {*names})
        if missing:
            raise ValueError(f"a history, and no {min(missing)!r}")
    for name in COUNTS:
        est.__dict__[name] = _count(data[name])
    est.stopped_ = _word(data["stopped_"])
    for name in NUMBERS:
        if name in data:
            est.__dict__[name] = _number(data[name], name)
    if "temperature_" in data and not 0 < est.__dict__["temperature_"] < math.inf:
        raise ValueError(f"a temperature of {est.__dict__['temperature_']}")
    for name in CURVES:
        if name in names:
            est.__dict__[name] = tensors.read(prefix + name).tolist()
        elif name in data:
            est.__dict__[name] = None
    if "watch" in data:
        est._watch = _watch(est, data["watch"], left_out)
        if "best" in names:
            best = theta.copy()
            tensors.read_into(prefix + "best", best.vector)
            tensors.read_into(prefix + "best_statistics", best.statistics)
            finite(best.vector, tensors.where)
            finite(best.statistics, tensors.where)
            est._watch.best = best
    est._state = _state(est, data["state"], tensors, prefix, names) if "state" in data else None


def _watch(est: Perceptron, data: Mapping[str, Any], left_out: bool) -> Watch:
    same = data["same_metric"] is True
    return Watch(
        best_score=_some(data["best_score"]), best_loss=_some(data["best_loss"]), waited=_count(data["waited"]),
        metric=LEFT_OUT if same and left_out else est.metric if same else "another",
    )  # fmt: skip


def _state(
    est: Perceptron, data: Mapping[str, Any], tensors: TensorFile, prefix: str, names: list[str]
) -> TrainingState:  # fmt: skip
    theta, given = est.theta_, data["update"]
    settings = {name: value_from_data(value) for name, value in given["settings"].items()}
    update = UPDATES[given["rule"]](**settings)
    state = start(theta.network, update=update, dtype=theta.vector.dtype, seed=_count(data["seed"]))
    state.parameters, state.history = theta, est.history_
    kept = [name.removeprefix("memory_") for name in names if name.startswith("memory_")]
    if missing := [name for name in update.memory if name not in kept]:
        raise ValueError(f"no memory of {missing[0]!r}")
    for name in kept:
        state.update_state[name] = aligned(0.0, theta.vector.dtype, theta.network.n_parameters)
        tensors.read_into(f"{prefix}memory_{name}", state.update_state[name])
    state.steps, state.epoch = _count(data["steps"]), _count(data["epoch"])
    state.memory_since = min(_count(data["memory_since"]), state.steps)
    state.seconds, state.stopped = _some(data["seconds"]), _word(data["stopped"])
    return state


def _count(value: Any) -> int:
    if type(value) is not int or not 0 <= value < MOST:
        raise ValueError(f"a count of {one_line(value)}")
    return value


def _word(value: Any) -> str | None:
    if value is not None and not isinstance(value, str):
        raise TypeError(f"{one_line(value)} as a reason to stop")
    return value


def _number(data: Any, name: str) -> float | None:
    return None if data is None and name != "temperature_" else _some(data)


def _some(data: Any) -> float:
    value = value_from_data(data)
    if type(value) not in (int, float):
        raise TypeError(f"{one_line(value)} as a number")
    return float(value)
