"""Estimators as model folders, and back: which class, its parameters, its classes, and each of its networks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from sklearn.utils.validation import check_is_fitted

from ..errors import LayerwiseError, StorageError, closest
from ..network import Network
from ..ops import Expression
from ..storage.document import (
    DESCRIPTION,
    HISTORY,
    MOST_EPOCHS,
    MOST_HISTORY,
    PARAMETERS,
    dtype_of,
    parameter_bytes,
    parameter_shapes,
    parameter_tensors,
    read_document,
    read_parameters,
    write_document,
)
from ..storage.histories import read_history
from ..storage.reading import one_line, opened, refusing, size_of
from ..storage.specification import network_from_data, network_to_data
from ..storage.tensors import Array, TensorFile, tensor_file, tensors_to_bytes
from ..storage.values import value_from_data, value_to_data
from .autoencoder import Autoencoder
from .classifier import MLPClassifier
from .ensemble import SHARED, networks_of
from .fitted import ARRAYS, CURVES, MOST_OF_CURVES, fitted_to_data, set_fitted
from .labels import labels_from_data, labels_to_data
from .perceptron import Perceptron, network_of
from .regressor import MLPRegressor
from .scikit import with_reported_loss

#: What may be in a folder, by the name of its class.
KINDS: Final[dict[str, type[Perceptron]]] = {kind.__name__: kind for kind in (MLPClassifier, MLPRegressor, Autoencoder)}
TRAINING: Final = "training.safetensors"
#: Parameters that may be formulas.
FORMULAS: Final = ("activation", "loss")
#: The most networks of an ensemble.
MOST_MEMBERS: Final = 1000


# --- save -------------------------------------------------------------------------------------------------------------


def save_estimator(est: Perceptron, folder: Path, overwrite: bool) -> None:
    """Write a fitted estimator to a model folder; see `Stored.save`."""
    from .. import __version__

    kind = type(est).__name__
    if KINDS.get(kind) is not type(est):
        raise StorageError(
            where="save", expected="one of " + ", ".join(KINDS), got=kind, remedy="store what it is made of"
        )
    check_is_fitted(est)
    networks = networks_of(est)
    ensemble = networks != [est]
    if len(networks) > MOST_MEMBERS:
        raise StorageError(
            where="members_", expected=f"at most {MOST_MEMBERS}", got=str(len(networks)), remedy="store fewer"
        )
    specification = network_to_data(_bare(networks[0].network_))
    dtype = networks[0].theta_.vector.dtype
    contents: dict[str, bytes] = {}
    parameters: dict[str, Array] = {}
    training: dict[str, Array] = {}
    stored: list[dict[str, Any]] = []
    for k, one in enumerate(networks):
        prefix = _prefix(k, ensemble)
        if one.theta_.vector.dtype != dtype or _bare(one.network_) != _bare(networks[0].network_):
            raise StorageError(
                where=f"members_[{k}]", expected="the network of the others", got=repr(one.theta_),
                remedy="fit all members together",
            )  # fmt: skip
        data, arrays = fitted_to_data(one)
        parameters |= {prefix + name: array for name, array in parameter_tensors(one.theta_).items()}
        training |= {prefix + name: array for name, array in arrays.items()}
        if "history_" in one.__dict__:
            data["history"] = prefix + HISTORY
            contents[data["history"]] = one.history_.to_csv().encode()
        stored.append({**(_parameters_to_data(one) if ensemble else {}), "fitted": data})
    curves = sum(array.size for name, array in training.items() if name.endswith(CURVES))
    if curves > MOST_OF_CURVES:
        raise StorageError(
            where="loss_curve_", expected=f"at most {MOST_OF_CURVES} entries of all curves", got=str(curves),
            remedy="drop early ones: del est.loss_curve_[:-10_000]",
        )  # fmt: skip
    contents |= {PARAMETERS: tensors_to_bytes(parameters), TRAINING: tensors_to_bytes(training)}
    document = {
        "layerwise": __version__,
        "estimator": {
            "class": kind, **_parameters_to_data(est), **_shared_to_data(est), "ensemble": ensemble, "networks": stored,
        },
        "network": specification,
        "dtype": dtype.name,
        "preparation": None,
        "target": None,
    }  # fmt: skip
    write_document(folder, document, contents, overwrite)


def _prefix(k: int, is_member: bool) -> str:
    return f"member{k}-" if is_member else ""


def _bare(net: Network) -> Network:
    """Return the network without what its output only reports."""
    return network_of(
        net.inputs, net.layers, net.outputs, replace(net.output, reported=None), tied=net.tied,
        input_dropout=net.input_dropout, input_noise=net.input_noise, initialisation=net.output_initialisation,
    )  # fmt: skip


def _parameters_to_data(est: Perceptron) -> dict[str, Any]:
    """Return the parameters, and what those are that cannot be kept."""
    kept: dict[str, Any] = {}
    left_out = dict(est.__dict__.get("_left_out", {}))
    with refusing("parameters", "parameters that can be", "correct them with set_params"):
        est._validate_params()
    for name, value in est.get_params(deep=False).items():
        left_out = {n: kind for n, kind in left_out.items() if n != name or value is None}
        if (kind := _not_for_storage(name, value)) is not None:
            left_out[name] = kind
            continue
        try:
            kept[name] = value_to_data(_with_formulas(value) if name in FORMULAS else value)
        except (LayerwiseError, TypeError, RecursionError) as problem:
            raise StorageError(
                where=name, expected="words, numbers, arrays, lists and formulas, to store it", got=one_line(problem),
                remedy=f"call set_params({name}=...) with such a value before save",
            ) from problem  # fmt: skip
    return {"parameters": kept, "left_out": left_out}


def _not_for_storage(name: str, value: Any) -> str | None:
    """Return what a parameter is that predictions do not depend on and that no folder holds; else None."""
    if name == "callbacks" and value is not None and (callable(value) or len(value)):
        return "Python functions"
    if name == "metric" and callable(value):
        return "a Python function"
    if name == "random_state" and isinstance(value, np.random.RandomState | np.random.Generator):
        return "a generator"
    return None


def _with_formulas(value: Any) -> Any:
    """Return a parameter with the formula in the place of every function that is one."""
    if isinstance(value, list | tuple):
        return type(value)(_with_formulas(part) for part in value)
    plain_function = callable(value) and not isinstance(value, Expression | type)
    return Expression.trace(value) if plain_function else value


def _shared_to_data(est: Perceptron) -> dict[str, Any]:
    names = est.__dict__.get("feature_names_in_")
    labels = est.__dict__.get("_labels")
    try:
        coding = None if labels is None else labels_to_data(labels)
    except TypeError as problem:
        raise StorageError(
            where="classes_", expected="words, numbers or truth values", got=one_line(problem),
            remedy="train on such classes",
        ) from problem  # fmt: skip
    return {
        "n_features_in": int(est.n_features_in_),
        "feature_names_in": None if names is None else [str(name) for name in names],
        "labels": coding,
        "set_output": est.__dict__.get("_sklearn_output_config", {}).get("transform"),
        "n_iter": int(est.n_iter_),
    }


# --- load -------------------------------------------------------------------------------------------------------------


def load_estimator(folder: Path, document: Mapping[str, Any] | None = None) -> Perceptron:
    """Read an estimator out of a model folder; nothing in it is run.

    Parameters
    ----------
    folder : Path
    document : mapping, optional
        Its model.json, if that is read already.

    Raises
    ------
    StorageError
        If the folder is damaged, holds no estimator, or what it says cannot be.
    """
    where = folder / DESCRIPTION
    document = read_document(folder) if document is None else document
    dtype, net = dtype_of(document, where), network_from_data(document["network"])
    digests = document["sha256"]
    with refusing(where, "an estimator as Layerwise writes it"):
        data = document["estimator"]
        est = _with_parameters(_kind(data["class"]), data)
        stored, ensemble = data["networks"], data["ensemble"] is True
        if not isinstance(stored, list) or not 0 < len(stored) <= (MOST_MEMBERS if ensemble else 1):
            raise ValueError(f"{len(stored)} networks")
        _set_shared(est, data, net)
        made = _as_trained(est, net, dtype)
        prefixes = [_prefix(k, ensemble) for k in range(len(stored))]
        members = [_with_parameters(type(est), one) for one in stored] if ensemble else [est]
        room = len(stored) * parameter_bytes(net, dtype)
        with tensor_file(folder, PARAMETERS, digests.get(PARAMETERS), room) as tensors:
            wanted = parameter_shapes(net)
            tensors.check(dtype, {prefix + name: shape for prefix in prefixes for name, shape in wanted.items()})
            for one, prefix in zip(members, prefixes, strict=True):
                one.theta_ = read_parameters(made, tensors, dtype, prefix)
        _check_histories(folder, [part["fitted"].get("history") for part in stored])
        with tensor_file(folder, TRAINING, digests.get(TRAINING), ARRAYS * room + 8 * MOST_OF_CURVES) as tensors:
            if strange := [name for name in tensors.entries if not name.startswith(tuple(prefixes))]:
                raise ValueError(f"the array {strange[0]!r} of no network")
            curves = sum(entry.size for name, entry in tensors.entries.items() if name.endswith(CURVES))
            if curves > 8 * MOST_OF_CURVES:
                raise ValueError(f"{curves} bytes of curves")
            epochs = MOST_EPOCHS
            for one, prefix, part in zip(members, prefixes, stored, strict=True):
                _set_trained(one, dict(part["fitted"]), tensors, prefix, folder, digests, epochs)
                epochs -= len(one.__dict__.get("history_", ()))
        if ensemble:
            _gather(est, members, data)
        return est


def _check_histories(folder: Path, names: list[Any]) -> None:
    """Refuse histories that are too much for the memory, before one is read."""
    total = 0
    for name in names:
        if name is not None:
            with opened(folder, one_line(name)) as file:
                total += size_of(file)
    if total > MOST_HISTORY:
        raise ValueError(f"{total} bytes of histories")


def _kind(name: Any) -> type[Perceptron]:
    if name not in KINDS:
        raise ValueError(f"the class {name!r}; {closest(str(name), list(KINDS))}")
    return KINDS[name]


def _with_parameters(kind: type[Perceptron], data: Mapping[str, Any]) -> Perceptron:
    known = kind._get_param_names()
    if unknown := [name for name in data["parameters"] if name not in known]:
        raise ValueError(f"the parameter {unknown[0]!r} of {kind.__name__}; {closest(unknown[0], known)}")
    est = kind(**{name: value_from_data(value) for name, value in data["parameters"].items()})
    est._validate_params()
    left_out = data["left_out"]
    if any(name not in known or not isinstance(left_out[name], str) for name in left_out):
        raise ValueError(f"the parameters {list(left_out)} left out")
    if left_out:
        est._left_out = dict(left_out)
    return est


def _set_shared(est: Perceptron, data: Mapping[str, Any], net: Network) -> None:
    """Set what is known of rows and targets, and see that the network is one for them."""
    features, names = data["n_features_in"], data["feature_names_in"]
    if features != net.inputs or type(features) is not int:
        raise ValueError(f"{features} features for {net.inputs} inputs")
    est.n_features_in_ = features
    if names is not None:
        if len(names) != features or not all(isinstance(name, str) for name in names):
            raise ValueError(f"{len(names)} names of {features} features")
        est.feature_names_in_ = np.array(names, dtype=object)
    if (container := data["set_output"]) not in (None, "default", "pandas", "polars"):
        raise ValueError(f"the output of transform as {one_line(container)}")
    if container is not None:
        est._sklearn_output_config = {"transform": container}
    target = net.output.target
    if isinstance(est, MLPClassifier):
        est._labels = labels_from_data(data["labels"])
        if est._labels.output(dict(net.output.settings).get("smoothing", 0.0)) != (net.output, net.outputs):
            raise ValueError(f"the network of a classifier with {net.outputs} outputs of {net.output}")
    elif data["labels"] is not None or target not in ("numbers", "labels"):
        raise ValueError(f"classes, or the output {net.output}, for {type(est).__name__}")
    if isinstance(est, Autoencoder) and (net.L % 2 == 0 or net.outputs != net.inputs):
        raise ValueError(f"an autoencoder with a network of {net.sizes}")
    est.n_outputs_ = net.targets if target == "numbers" else net.outputs
    est.n_layers_ = net.L + 2


def _as_trained(est: Perceptron, net: Network, dtype: str) -> Network:
    """Return the network as `fit` makes it: what it reports is scikit-learn's loss."""
    plain = isinstance(est, Autoencoder)
    output = net.output if plain else with_reported_loss(net.output, dtype, net.outputs)
    return network_of(
        net.inputs, net.layers, net.outputs, output, tied=net.tied, input_dropout=net.input_dropout,
        input_noise=net.input_noise, initialisation=net.output_initialisation,
    )  # fmt: skip


def _set_trained(
    est: Perceptron, data: dict[str, Any], tensors: TensorFile, prefix: str, folder: Path, digests: Mapping[str, str],
    most: int,
) -> None:  # fmt: skip
    history = data.pop("history", None)
    if history is not None:
        if history != prefix + HISTORY:
            raise ValueError(f"a history in {one_line(history)}")
        est.history_ = read_history(folder, history, est.theta_.network.output.metric, digests.get(history), most)
    elif "watch" in data or "state" in data:
        raise ValueError("no history")
    set_fitted(est, data, tensors, prefix, "metric" in est.__dict__.get("_left_out", {}))


def _gather(est: Perceptron, members: list[Perceptron], data: Mapping[str, Any]) -> None:
    """Make an ensemble of its members."""
    for member in members:
        member.__dict__.update({name: est.__dict__[name] for name in SHARED if name in est.__dict__})
    if type(data["n_iter"]) is not int or data["n_iter"] < 0:
        raise ValueError(f"{one_line(data['n_iter'])} epochs")
    est.members_, est.n_iter_ = members, data["n_iter"]
