"""A trained model as a folder: model.json, parameters.safetensors, history.csv, and what else belongs to it."""

from __future__ import annotations

import csv
import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..data.preparation import Preparation
from ..data.targets import TargetCoding
from ..errors import DataError, InputError, StorageError
from ..network import Network, Parameters
from ..network.specification import Segment
from ..training.fit import Model
from ..training.history import History
from .atomic import write_folder
from .specification import network_from_data, network_to_data

FORMAT: Final = "layerwise-model"
VERSION: Final = 1
DESCRIPTION, PARAMETERS, HISTORY = "model.json", "parameters.safetensors", "history.csv"
REMEDY: Final = "train the model anew or restore the folder"


@dataclass(frozen=True)
class SavedModel:
    """What a model folder holds.

    Attributes
    ----------
    network : Network
    parameters : Parameters
    preparation : Preparation or None
        Turns a table or images into the network's inputs.
    target : TargetCoding or None
        Turns the network's outputs into classes or numbers in the user's units.
    description : dict
        The rest of model.json: settings, data and results of the training.
    """

    network: Network
    parameters: Parameters
    preparation: Preparation | None
    target: TargetCoding | None
    description: Mapping[str, Any]

    def predict(self, features: Any) -> npt.NDArray[Any]:
        """Return what the model says of rows as they came, before any preparation.

        Parameters
        ----------
        features : polars.DataFrame or array (n, pixels)
            A table with the columns of the training data, or images; prepared inputs if the model has no preparation.

        Returns
        -------
        array (n, outputs)
            Class probabilities; or numbers in the units of the target.
        """
        prepared = features
        if self.preparation is not None:
            prepared = self.preparation.transform(features, dtype=self.parameters.vector.dtype.name)
        f = self.predict_prepared(prepared)
        return self.target.decode(f) if self.target is not None and self.target.kind == "numbers" else f

    def predict_prepared(self, X: Any) -> npt.NDArray[Any]:
        """Return f(x) of every row of inputs that are prepared already.  X: (n, inputs) -> (n, outputs)"""
        return self.network.predict(self.parameters, X)


def foreign_files(folder: Path) -> list[str]:
    """Return the names in a folder that `save` did not write there; all of them if it holds no model."""
    try:
        ours = {DESCRIPTION, *_document(folder)["sha256"]}
    except StorageError:
        ours = set()
    return sorted(path.name for path in folder.iterdir() if path.name not in ours)


def save(
    folder: str | Path, model: Model, *, preparation: Preparation | None = None, target: TargetCoding | None = None,
    description: Mapping[str, Any] | None = None, files: Mapping[str, bytes] | None = None, overwrite: bool = False,
) -> None:  # fmt: skip
    """Write a model folder; it appears complete or not at all.

    Parameters
    ----------
    folder : path
    model : Model
    preparation, target : optional
        What was done to the data before they reached the network.
    description : mapping, optional
        More to keep in model.json; must be JSON.
    files : mapping of name to content, optional
        More files, such as a picture.
    overwrite : bool
        Replace an existing model folder, if nothing else is in it.

    Raises
    ------
    StorageError
        If the folder exists, the disk is full, or writing is not permitted; or if the coding of the target does not fit
        what the output gives.
    """
    import safetensors.numpy

    theta = model.parameters
    if target is not None and target.kind == "numbers" and theta.network.output.name == "gaussian":
        raise StorageError(  # decoded like numbers, log variances would be wrong without a word
            where="target", expected="an output whose columns are in the units of the target", got="log variances",
            remedy="save without the target, and decode the means",
        )  # fmt: skip
    tensors = {
        **{_tensor_name(s): np.ascontiguousarray(s.view(theta.vector)) for s in theta.network.segments},
        **{_tensor_name(s): np.ascontiguousarray(s.view(theta.statistics)) for s in theta.network.statistic_segments},
    }
    contents = {
        PARAMETERS: safetensors.numpy.save(tensors),
        HISTORY: model.history.to_csv().encode(),
        **(files or {}),
    }
    document = {
        **(description or {}),  # first: nothing in it may take the place of what follows
        "format": FORMAT,
        "version": VERSION,
        "network": network_to_data(theta.network),
        "dtype": theta.vector.dtype.name,
        "preparation": preparation.to_data() if preparation else None,
        "target": target.to_data() if target else None,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    contents[DESCRIPTION] = (json.dumps(document, indent=1, ensure_ascii=False, allow_nan=False) + "\n").encode()

    def fill(fresh: Path) -> None:
        for name, content in contents.items():
            (fresh / name).write_bytes(content)

    write_folder(Path(folder), fill, overwrite, foreign_files)


def load(folder: str | Path) -> SavedModel:
    """Read a model folder; nothing in it is run.

    Parameters
    ----------
    folder : path

    Returns
    -------
    SavedModel

    Raises
    ------
    StorageError
        If the folder is missing, damaged, or of an unknown version.
    """
    folder = Path(folder)
    document = _document(folder)
    net = network_from_data(document["network"])
    content = _read(folder / PARAMETERS)
    if hashlib.sha256(content).hexdigest() != document["sha256"].get(PARAMETERS):
        raise StorageError(
            where=str(folder / PARAMETERS),
            expected="the file that was saved",
            got="another or damaged one",
            remedy=REMEDY,
        )
    preparation, target = _coding(net, document, str(folder / DESCRIPTION))
    shown = {key: value for key, value in document.items() if key not in ("network", "preparation", "target")}
    theta = _parameters(net, content, str(document.get("dtype")), str(folder / PARAMETERS))
    return SavedModel(net, theta, preparation, target, shown)


def load_history(folder: str | Path) -> History:
    """Read what happened in each epoch of a model folder's training.

    Parameters
    ----------
    folder : path

    Returns
    -------
    History

    Raises
    ------
    StorageError
        If the folder is no model, or its history is missing or damaged.
    """
    path = Path(folder) / HISTORY
    document = _document(Path(folder))
    content = _read(path)
    if hashlib.sha256(content).hexdigest() != document["sha256"].get(HISTORY):
        raise StorageError(
            where=str(path), expected="the file that was saved", got="another or damaged one", remedy=REMEDY
        )
    try:
        return History.from_csv(content.decode())
    except (InputError, UnicodeDecodeError, csv.Error) as problem:
        raise StorageError(
            where=str(path), expected="a history of training", got=str(problem), remedy=REMEDY
        ) from problem


def _tensor_name(segment: Segment) -> str:
    return f"{segment.name}{segment.k}"


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as problem:
        raise StorageError(
            where=str(path), expected="a model folder made by layerwise train",
            got=(problem.strerror or str(problem)).lower(), remedy="check the path",
        ) from problem  # fmt: skip


def _document(folder: Path) -> dict[str, Any]:
    path = folder / DESCRIPTION
    try:
        document = json.loads(_read(path))
    except (ValueError, RecursionError) as problem:
        raise StorageError(where=str(path), expected="JSON", got=str(problem), remedy=REMEDY) from problem
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise StorageError(where=str(path), expected="a Layerwise model", got="something else", remedy=REMEDY)
    if document.get("version") != VERSION:
        raise StorageError(
            where=str(path), expected=f"version {VERSION}", got=repr(document.get("version")), remedy="update Layerwise"
        )
    if "network" not in document or not isinstance(document.get("sha256"), dict):
        raise StorageError(where=str(path), expected="network and sha256", got=str([*document]), remedy=REMEDY)
    return document


def _coding(net: Network, document: dict[str, Any], where: str) -> tuple[Preparation | None, TargetCoding | None]:
    preparation, target = document.get("preparation"), document.get("target")
    try:
        inputs = None if preparation is None else Preparation.from_data(preparation)
        outputs = None if target is None else TargetCoding.from_data(target)
    except DataError as problem:
        raise StorageError(where=where, expected=problem.expected, got=problem.got, remedy=REMEDY) from problem
    if inputs is not None and inputs.n_inputs != net.inputs:
        raise StorageError(
            where=where, expected=f"a preparation of {net.inputs} inputs", got=str(inputs.n_inputs), remedy=REMEDY
        )
    return inputs, outputs


def _parameters(net: Network, content: bytes, dtype: str, where: str) -> Parameters:
    import safetensors
    import safetensors.numpy

    try:
        tensors = safetensors.numpy.load(content)
    except (safetensors.SafetensorError, KeyError) as problem:  # it raises KeyError for types that NumPy has not
        raise StorageError(where=where, expected="a safetensors file", got=str(problem), remedy=REMEDY) from problem
    segments = (*net.segments, *net.statistic_segments)
    wanted = {_tensor_name(s): s.shape for s in segments}
    found = {name: tensor.shape for name, tensor in tensors.items()}
    if dtype not in ("float32", "float64") or found != wanted or any(t.dtype != dtype for t in tensors.values()):
        raise StorageError(where=where, expected=f"the {dtype} arrays {wanted}", got=str(found), remedy=REMEDY)
    flat = [
        np.concatenate([tensors[_tensor_name(s)].ravel() for s in part]) if part else None
        for part in (net.segments, net.statistic_segments)
    ]
    assert flat[0] is not None  # every network has a W1
    if not all(np.isfinite(vector).all() for vector in flat if vector is not None):
        raise StorageError(where=where, expected="finite parameters", got="NaN or infinity", remedy=REMEDY)
    return Parameters(net, flat[0], flat[1])
