"""ONNX files that are known to say what Layerwise says: each is checked and run before it is written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import ExportError, MissingExtraError
from .atomic import check_file_place, make_file
from .exported import Exported, Numbers, exported
from .onnx_graph import onnx_model

Array = npt.NDArray[Any]
#: How far results may be apart, absolute and relative, in the units of the network.
TOLERANCE: Final = 1e-5
#: Errors alone; what onnxruntime warns of while it starts is no concern of the user.
QUIET: Final = 3


@dataclass(frozen=True)
class Parity:
    """How an ONNX model compares with Layerwise.

    Parameters
    ----------
    rows : int
        How many were compared.
    largest : float
        The largest difference of a probability, or of a number in standard deviations of the target.
    """

    rows: int
    largest: float


def export_onnx(model: Any, path: str | Path, *, rows: Any = None, overwrite: bool = False) -> Parity:
    """Write a model as an ONNX file, once it is known to say there what it says here.

    A model that knows its table has one input for each column, (N, 1): numbers in float64, NaN for a missing one, and
    words, "" for a missing one. Images come in as "image" (N, pixels), and "X" (N, inputs) is the input of any other
    model. Results are "probabilities" (N, C) and "prediction", or the prediction alone of numbers; several answers a
    row have "probabilities_0", "prediction_0" and so on.

    Parameters
    ----------
    model : SavedModel, Model, or a fitted estimator
    path : path
    rows : polars.DataFrame or array, optional
        Rows to compare on, as `model.predict` takes them; 256 random ones by default.
    overwrite : bool
        Replace an existing file.

    Returns
    -------
    Parity
        How many rows were compared, and the largest difference.

    Raises
    ------
    ExportError
        If onnxruntime says something else than Layerwise, by more than 1e-5 absolute plus relative.
    MissingExtraError
        If onnx or onnxruntime is not installed.
    SpecificationError
        If something of the model cannot be expressed; the message names it.
    StorageError
        If the file exists or cannot be written.

    Examples
    --------
    >>> import tempfile, layerwise as lw
    >>> model = lw.fit(lw.Network(2, [3], 2), [[0.0, 1.0], [1.0, 0.0]], [0, 1], epochs=2)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     export_onnx(model, f"{folder}/xor.onnx").rows
    256
    """
    made = exported(model)
    return write_onnx(made, Path(path), [made.random_rows() if rows is None else rows], overwrite)


def write_onnx(model: Exported, path: Path, pieces: Iterable[Any], overwrite: bool) -> Parity:
    """Write a model that agrees on all pieces of rows; see `export_onnx`."""
    load_onnx()
    check_file_place(path, overwrite)
    content = serialised(onnx_model(model), path.name)
    parity = compared(model, content, pieces, path.name)
    make_file(path, content, overwrite)
    return parity


def load_onnx() -> tuple[Any, Any]:
    """Import onnx and onnxruntime, when they are needed and not before.

    Raises
    ------
    MissingExtraError
        If one of them is not installed.
    """
    found = []
    for name in ("onnx", "onnxruntime"):
        try:
            found.append(import_module(name))
        except ImportError as problem:
            raise MissingExtraError(
                where="export", expected=name, got="no such package", remedy="pip install 'layerwise[onnx]'"
            ) from problem
    return found[0], found[1]


def serialised(proto: Any, where: str) -> bytes:
    """Return an ONNX model as it is written, after ONNX's own checks; ExportError if they fail."""
    onnx, _ = load_onnx()
    content: bytes = proto.SerializeToString()
    try:
        onnx.checker.check_model(content, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as problem:
        raise ExportError(
            where=where, expected="a model that onnx.checker accepts", got=_one_line(problem),
            remedy="report it, with the model; nothing was written",
        ) from problem  # fmt: skip
    return content


def compared(model: Exported, content: bytes, pieces: Iterable[Any], where: str) -> Parity:
    """Run an ONNX model beside Layerwise on rows, piece by piece.

    Raises
    ------
    ExportError
        If they differ, or onnxruntime cannot run it.
    """
    _, onnxruntime = load_onnx()
    options = onnxruntime.SessionOptions()
    options.log_severity_level = QUIET
    rows, largest = 0, 0.0
    try:
        session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
        names = [result.name for result in session.get_outputs()]
    except Exception as problem:  # onnxruntime's own share no other base
        raise _cannot_run(problem, where) from problem
    for features in pieces:
        expected, given = model.expected(features), model.given(features)
        try:
            found = dict(zip(names, session.run(names, given), strict=True))
        except Exception as problem:
            raise _cannot_run(problem, where) from problem
        largest = max(largest, _difference(model, expected, found, rows, where))
        rows += len(next(iter(expected.values())))
    return Parity(rows, largest)


def _difference(
    model: Exported, expected: dict[str, Array], found: dict[str, Array], first_row: int, where: str
) -> float:
    """Return the largest difference, if all are small and all classes the same."""
    largest = 0.0
    for name, here in expected.items():
        there = np.asarray(found[name])
        is_class = name.startswith("prediction") and not isinstance(model.answer, Numbers)
        if here.shape != there.shape:
            raise _differ(where, f"{name} of shape {here.shape}", str(there.shape))
        if is_class:
            probabilities = expected[name.replace("prediction", "probabilities")]
            differs = (here != there) & ~_is_undecided(probabilities, here.ndim)
            far, apart = differs, differs * 0.0
        else:
            unit = model.answer.scale if isinstance(model.answer, Numbers) else 1.0
            with np.errstate(invalid="ignore"):
                apart = np.where(here == there, 0.0, np.abs(here - there.astype(np.float64))) / unit
            far = ~(apart <= TOLERANCE * (1 + np.abs(here) / unit))  # NaN is far
        if far.any():
            place = tuple(int(i) for i in np.argwhere(far)[0])
            row = first_row + place[0] + 1
            raise _differ(where, f"{here[place]!s} as {name} of row {row}", str(there[place]))
        largest = max(largest, float(apart.max(initial=0.0)))
    return largest


def _is_undecided(probabilities: Array, axes: int) -> Array:
    """Whether rounding may decide: labels near 1/2, or rows whose two largest probabilities are alike."""
    if axes == 2:
        return np.abs(probabilities - 0.5) <= TOLERANCE
    if probabilities.shape[1] < 2:
        return np.zeros(len(probabilities), bool)
    second, first = np.partition(probabilities, -2, axis=1)[:, -2:].T
    near: Array = first - second <= TOLERANCE
    return near


def _differ(where: str, expected: str, got: str) -> ExportError:
    return ExportError(
        where=where, expected=f"{expected}, as Layerwise says", got=f"{got} from onnxruntime",
        remedy="nothing was written; numbers in a smaller range, or float64, leave less to rounding",
    )  # fmt: skip


def _cannot_run(problem: Exception, where: str) -> ExportError:
    return ExportError(
        where=where, expected="a model that onnxruntime runs", got=_one_line(problem),
        remedy="update onnxruntime, or report it with the model; nothing was written",
    )  # fmt: skip


def _one_line(problem: Exception) -> str:
    text = " ".join(str(problem).split())
    return text if len(text) <= 300 else text[:296] + " ..."
