"""model.json and the files that it vouches for: written together, read with every check."""

from __future__ import annotations

import hashlib
import json
import shlex
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np

from ..errors import StorageError
from ..network import Network, Parameters
from ..network.specification import Segment
from ..ops.memory import aligned
from .atomic import write_folder
from .reading import MOST_BYTES, MOST_VALUES, digests_of, one_line, parsed, read, refusal, values_of
from .tensors import Array, Shape, TensorFile, finite
from .unfinished import FILES, is_unfinished

FORMAT: Final = "layerwise-model"
VERSION: Final = 2
#: Version 1 has no estimators.
VERSIONS: Final = (1, 2)
DESCRIPTION, PARAMETERS, HISTORY = "model.json", "parameters.safetensors", "history.csv"
#: Bytes and epochs of all histories of a folder, at most; an epoch takes several times as much memory as disk.
MOST_HISTORY: Final = 64 << 20
MOST_EPOCHS: Final = 250_000


def write_document(
    folder: Path, document: Mapping[str, Any], contents: Mapping[str, bytes], overwrite: bool,
    unfinished: Mapping[str, bytes] | None = None,
) -> None:  # fmt: skip
    """Write a model folder: model.json with the version and the checksums of the other files, and these.

    Raises
    ------
    StorageError
        If the folder cannot be written, or could not be read again.
    """
    histories = [content for name, content in contents.items() if name.endswith(HISTORY)]
    epochs = sum(content.count(b"\n") - 1 for content in histories)
    if epochs > MOST_EPOCHS or sum(map(len, histories)) > MOST_HISTORY:
        raise refusal(
            HISTORY, f"at most {MOST_EPOCHS} epochs", epochs,
            "keep the last epochs: est.history_ = lw.History(est.history_.metric, est.history_[-10_000:])",
        )  # fmt: skip
    full: dict[str, Any] = dict.fromkeys(("format", "version")) | {  # first in the file
        **document,
        "format": FORMAT,
        "version": VERSION,
        "sha256": {name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    }
    digests_of(full, folder)
    try:
        text = json.dumps(full, indent=1, ensure_ascii=False, allow_nan=False) + "\n"
        description = text.encode()
    except (TypeError, ValueError, RecursionError) as problem:
        raise StorageError(
            where=DESCRIPTION, expected="a description of JSON", got=one_line(problem),
            remedy="give words, finite numbers, lists and mappings",
        ) from problem  # fmt: skip
    values = values_of(description)
    if len(description) > MOST_BYTES or values > MOST_VALUES:
        raise refusal(
            DESCRIPTION, f"at most {MOST_BYTES} bytes and about {MOST_VALUES} values",
            f"{len(description)} and {values}", "leave out words, names or settings",
        )  # fmt: skip

    def fill(fresh: Path) -> None:
        # Checksums are for what stays as it is, so none of what a training goes on from.
        for name, content in {**contents, DESCRIPTION: description, **(unfinished or {})}.items():
            (fresh / name).write_bytes(content)

    write_folder(folder, fill, overwrite, foreign_files)


def read_document(folder: Path) -> dict[str, Any]:
    """Return model.json after the checks that hold for every model: format, version, names and checksums of files."""
    path = folder / DESCRIPTION
    if is_unfinished(folder) and not path.exists():
        raise refusal(
            folder, "a trained model", "a training that has not ended",
            f"finish it: layerwise train --resume {shlex.quote(str(folder))}",
        )  # fmt: skip
    document = parsed(read(folder, DESCRIPTION), path)
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise refusal(path, "a Layerwise model", "something else")
    version = document.get("version")
    if type(version) is not int or version not in VERSIONS:
        known = " or ".join(map(str, VERSIONS))
        raise refusal(path, f"version {known}", repr(version), "update Layerwise")
    if version == 1 and "estimator" in document:
        raise refusal(path, "no estimator in version 1", "one")
    if "network" not in document:
        raise refusal(path, "network and sha256", [*document])
    digests_of(document, path)
    return document


def foreign_files(folder: Path) -> list[str]:
    """Return the names in a folder that `save` did not write there; all of them if it holds no model."""
    try:
        ours = {DESCRIPTION, *read_document(folder)["sha256"]}
    except StorageError:
        ours = set()
    if is_unfinished(folder):
        ours |= FILES
    return sorted(path.name for path in folder.iterdir() if path.name not in ours)


def tensor_name(segment: Segment) -> str:
    """Return what an array of parameters is called in a file: "W1", "running_mean2"."""
    return f"{segment.name}{segment.k}"


def parameter_tensors(theta: Parameters) -> dict[str, Array]:
    """Return every array of the parameters and statistics by its name; a StorageError if one is not finite."""
    net = theta.network
    if not (np.isfinite(theta.vector).all() and np.isfinite(theta.statistics).all()):
        raise refusal("parameters", "finite parameters", "NaN or infinity", "train with a lower rate")
    return {
        **{tensor_name(s): s.view(theta.vector) for s in net.segments},
        **{tensor_name(s): s.view(theta.statistics) for s in net.statistic_segments},
    }


def parameter_shapes(net: Network) -> dict[str, Shape]:
    """Return the shape of every array of `parameter_tensors`."""
    return {tensor_name(s): s.shape for s in (*net.segments, *net.statistic_segments)}


def parameter_bytes(net: Network, dtype: str) -> int:
    """Return how much room the parameters and statistics of one network take."""
    return (net.n_parameters + net.n_statistics) * np.dtype(dtype).itemsize


def read_parameters(net: Network, tensors: TensorFile, dtype: str, prefix: str = "") -> Parameters:
    """Return the parameters of one network out of a file that was found to have all of them."""
    vector, statistics = aligned(0.0, dtype, net.n_parameters), np.zeros(net.n_statistics, dtype)
    for whole, segments in ((vector, net.segments), (statistics, net.statistic_segments)):
        for segment in segments:
            tensors.read_into(prefix + tensor_name(segment), segment.view(whole))
        finite(whole, tensors.where)
    return Parameters(net, vector, statistics)


def dtype_of(document: Mapping[str, Any], where: object) -> str:
    """Return the type of the parameters."""
    dtype = document.get("dtype")
    if dtype not in ("float32", "float64"):
        raise refusal(where, "the dtype float32 or float64", repr(dtype))
    return str(dtype)
