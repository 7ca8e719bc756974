"""A trained model as a folder: model.json, parameters.safetensors, history.csv, and what else belongs to it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy.typing as npt

from ..data.preparation import Preparation
from ..data.targets import TargetCoding
from ..errors import StorageError
from ..network import Network, Parameters
from ..training.fit import Model
from .document import (
    DESCRIPTION,
    HISTORY,
    PARAMETERS,
    dtype_of,
    foreign_files,
    parameter_bytes,
    parameter_shapes,
    parameter_tensors,
    read_document,
    read_parameters,
    write_document,
)
from .reading import refusal, refusing
from .specification import network_from_data, network_to_data
from .tensors import tensor_file, tensors_to_bytes

__all__ = ["SavedModel", "foreign_files", "load", "save"]


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


def save(
    folder: str | Path, model: Model, *, preparation: Preparation | None = None, target: TargetCoding | None = None,
    description: Mapping[str, Any] | None = None, files: Mapping[str, bytes] | None = None, overwrite: bool = False,
    unfinished: Mapping[str, bytes] | None = None,
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
    unfinished : mapping of name to content, optional
        The files of a training that is to go on.

    Raises
    ------
    StorageError
        If the folder exists, the disk is full, or writing is not permitted; or if the coding of the target does not fit
        what the output gives.
    """
    theta = model.parameters
    if target is not None and target.kind == "numbers" and theta.network.output.name == "gaussian":
        raise StorageError(  # decoded like numbers, log variances would be wrong without a word
            where="target", expected="an output whose columns are in the units of the target", got="log variances",
            remedy="save without the target, and decode the means",
        )  # fmt: skip
    contents = {
        PARAMETERS: tensors_to_bytes(parameter_tensors(theta)),
        HISTORY: model.history.to_csv().encode(),
        **(files or {}),
    }
    document = {
        **(description or {}),  # first: nothing in it may take the place of what follows
        "estimator": None,
        "network": network_to_data(theta.network),
        "dtype": theta.vector.dtype.name,
        "preparation": preparation.to_data() if preparation else None,
        "target": target.to_data() if target else None,
    }
    write_document(Path(folder), document, contents, overwrite, unfinished)


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
    return saved_model(folder, read_document(folder))


def saved_model(folder: Path, document: dict[str, Any]) -> SavedModel:
    """Read the rest of a model folder whose model.json is read already."""
    where = folder / DESCRIPTION
    if document.get("estimator") is not None:
        raise refusal(where, "a model made by layerwise train", "an estimator", "read it with lw.load")
    net = network_from_data(document["network"])
    preparation, target = _coding(net, document, str(where))
    dtype = dtype_of(document, where)
    with tensor_file(folder, PARAMETERS, document["sha256"].get(PARAMETERS), parameter_bytes(net, dtype)) as tensors:
        tensors.check(dtype, parameter_shapes(net))
        theta = read_parameters(net, tensors, dtype)
    shown = {key: value for key, value in document.items() if key not in ("network", "preparation", "target")}
    return SavedModel(net, theta, preparation, target, shown)


def _coding(net: Network, document: dict[str, Any], where: str) -> tuple[Preparation | None, TargetCoding | None]:
    preparation, target = document.get("preparation"), document.get("target")
    with refusing(where, "the columns or the image shape of a saved model"):
        inputs = None if preparation is None else Preparation.from_data(preparation)
    if inputs is not None and inputs.n_inputs != net.inputs:
        raise refusal(where, f"a preparation of {net.inputs} inputs", inputs.n_inputs)
    with refusing(where, "classes, or a mean and a scale"):
        outputs = None if target is None else TargetCoding.from_data(target)
    if outputs is not None and outputs.kind == "classes" and len(outputs.classes) != max(net.outputs, 2):
        raise refusal(where, f"classes for {net.outputs} outputs", len(outputs.classes))
    return inputs, outputs
