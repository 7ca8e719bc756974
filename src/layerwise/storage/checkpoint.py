"""Checkpoints: all that training is between two batches, in one file that is whole at every moment."""

from __future__ import annotations

import hashlib
import json
import math
import time
from dataclasses import fields, is_dataclass
from pathlib import Path
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from .. import __version__
from ..engines import Source
from ..errors import StorageError, check_number
from ..network import Parameters
from ..training.batches import TrainingData
from ..training.history import COLUMNS, Record
from ..training.state import TrainingState
from .atomic import write_file
from .checkpoint_file import read_file, to_bytes
from .reading import one_line
from .specification import network_to_data

Array = npt.NDArray[Any]
Document = dict[str, Any]

REMEDY: Final = "begin anew or restore the file"
#: Writing takes one part in so many of the time at most, however often it is asked for.
SHARE: Final = 5
#: Whole numbers up to here are exact as floats, and far beyond any number of steps.
MOST: Final = 2**53
#: Rows and numbers of the inputs that are looked at to tell other data.
SAMPLE_ROWS, SAMPLE_NUMBERS = 1000, 10**6
WHOLE: Final = ("epoch", "steps")
#: Settings that follow from data and other settings: where they differ, that is said of the others first.
CONSEQUENCES: Final = ("steps_per_epoch", "weight_mean")


@final
class Checkpoint:
    """A file that training is kept in from time to time, so that after a crash it ends as if there had been none.

    Given to `fit`, it makes the same call go on from the file: to the same parameters and history, bit for bit (seconds
    apart), on the same kind of machine. At every moment the file is whole, the one before or the new one. Nothing in
    it is run when it is read.

    Parameters
    ----------
    path : path
        The file.
    every : float
        Seconds of training between two writes. They take a fifth of the time at most, however small this is.
    resume : bool, optional
        True goes on from the file, which has to be there; False begins anew and replaces it. By default training goes
        on from the file if there is one.

    Raises
    ------
    SpecificationError
        If `every` is no positive number.

    Notes
    -----
    Settings, network and data have to be those of before: other settings are refused by name, other data by all of the
    targets and a sample of the inputs. What a function given as `order` or as a callback does is not compared.

    Examples
    --------
    >>> import tempfile
    >>> import layerwise as lw
    >>> X, y = [[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]], [0, 1, 1, 0]
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder) / "training.safetensors"
    ...     model = lw.fit(lw.Network(2, [8], 2), X, y, epochs=5, checkpoint=lw.Checkpoint(path, every=30))
    ...     again = lw.fit(lw.Network(2, [8], 2), X, y, epochs=5, checkpoint=lw.Checkpoint(path))  # nothing left to do
    >>> again.parameters.vector.tobytes() == model.parameters.vector.tobytes(), len(again.history)
    (True, 5)
    """

    def __init__(self, path: str | Path, every: float = 30.0, resume: bool | None = None) -> None:
        check_number("every", every, above=0)
        self.path, self.every, self.resume = Path(path), float(every), resume
        self._data: Document | None = None
        self._next = math.inf

    def begin(self, state: TrainingState, data: TrainingData) -> bool:
        """Bring a fresh state to where training was; see `fit`.

        Returns
        -------
        bool
            False if there is nothing to go on from.

        Raises
        ------
        StorageError
            If the file is damaged, or of other settings or data; the state is as it was then.
        """
        self._data = fingerprint(data)
        self._next = time.monotonic() + self.every
        if self.resume is False or (self.resume is None and not self.path.exists()):
            return False
        self.read(state)
        return True

    def due(self) -> bool:
        """Return whether it is time to write."""
        return time.monotonic() >= self._next

    def write(self, state: TrainingState) -> None:
        """Write the state, which has to be between two batches; the file is replaced in one step.

        Raises
        ------
        StorageError
            If the disk is full, or writing is not permitted; the file is as it was then.
        """
        started = time.monotonic()
        document, arrays = _to_data(state, self._data)
        write_file(self.path, to_bytes(document, arrays))
        ended = time.monotonic()
        self._next = ended + max(self.every, (SHARE - 1) * (ended - started))

    def read(self, state: TrainingState) -> None:
        """Bring a state of the same network and settings, made by `start`, to what the file says.

        Raises
        ------
        StorageError
            If the file is missing, damaged, or of another network, other settings or data; nothing is changed then.
        """

        def wanted(document: Document, found: dict[str, tuple[int, ...]]) -> dict[str, tuple[str, Any]]:
            self._compare(state, document)
            return _shapes(state, found)

        read = read_file(self.path, wanted)
        try:
            _into(state, read.document, read.arrays)
        except (KeyError, TypeError, ValueError, OverflowError) as problem:
            raise StorageError(
                where=str(self.path), expected="a checkpoint as Layerwise writes it", got=one_line(problem),
                remedy=REMEDY,
            ) from problem  # fmt: skip

    def _compare(self, state: TrainingState, document: Document) -> None:
        """Raise a StorageError if the file is of something else than this state."""
        compared = [("settings", _settings(state))]
        if self._data is not None and document.get("data") is not None:  # single steps have none to be compared
            compared.append(("data", self._data))
        different = []
        for what, own in compared:
            theirs = document.get(what)
            if not isinstance(theirs, dict):
                raise StorageError(where=str(self.path), expected=what, got=repr(theirs)[:80], remedy=REMEDY)
            different += [(what, name, theirs.get(name), own[name]) for name in own if theirs.get(name) != own[name]]
        if different:
            what, name, theirs, own = min(different, key=lambda difference: difference[1] in CONSEQUENCES)
            expected, got = _difference(theirs, own)
            raise StorageError(
                where=str(self.path), expected=f"{name} {expected}, as when it was written", got=got,
                remedy=f"give the same {what}, or begin anew",
            )  # fmt: skip


def _shapes(state: TrainingState, found: dict[str, tuple[int, ...]]) -> dict[str, tuple[str, Any]]:
    """Return what arrays may be in the file: name to type and shape; None stands for any number of rows."""
    dtype = state.settings.dtype.name
    theta, statistics = (dtype, state.parameters.vector.shape), (dtype, state.parameters.statistics.shape)
    wanted: dict[str, tuple[str, Any]] = {"theta": theta, "statistics": statistics}
    wanted |= {f"memory.{name}": theta for name in state.update_state}
    for copy in ("best", "last"):
        if f"{copy}.theta" in found:
            wanted |= {f"{copy}.theta": theta, f"{copy}.statistics": statistics}
    wanted |= {"history": ("float64", (None, len(COLUMNS))), "history.given": ("bool", (None, len(COLUMNS)))}
    if "order" in found and state.settings.order is not None:
        wanted["order"] = ("int64", (None,))
    return wanted


def fingerprint(data: TrainingData) -> Document:
    """Return what tells these data from others: numbers of rows, and checksums of targets and of some inputs."""
    digest = hashlib.sha256()
    for array in (data.rows, data.chosen, data.validation_rows, data.penalty_factors):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)
    sources = [("training", data.source)] + ([] if data.validation is None else [("validation", data.validation)])
    for _, source in sources:
        _add_source(digest, source)
    rows = {f"{name} rows": len(source) for name, source in sources}
    return {"rows to train on": len(data.rows), "rows to validate on": 0, **rows, "checksum": digest.hexdigest()[:32]}


def _add_source(digest: Any, source: Source) -> None:
    rows = min(len(source), SAMPLE_ROWS, max(1, SAMPLE_NUMBERS // max(source.X.shape[1], 1)))
    sample = np.unique(np.linspace(0, len(source) - 1, rows).astype(np.int64))
    digest.update(f"{source.X.shape} {source.X.dtype} {source.y.shape} {source.y.dtype}".encode())
    for array in (source.X[sample], source.y, source.weights, source.places):
        if array is not None:
            digest.update(np.ascontiguousarray(array).data)


def _settings(state: TrainingState) -> Document:
    """Return the network and every setting as text or a number, to be compared."""
    chosen, stopping = state.settings, state.early_stopping
    try:
        network = json.dumps(network_to_data(state.network))
    except StorageError:  # an output of functions, which cannot be compared
        network = "-".join(map(str, state.network.sizes)) + f" {state.network.output.name}"
    own = {field.name: getattr(chosen, field.name) for field in fields(chosen)}
    order = chosen.order
    own["order"] = "a function" if callable(order) else None if order is None else _digest_of_rows(order)
    own |= {"monitor": stopping.monitor, "patience": stopping.patience, "min_improvement": stopping.min_improvement}
    return {"network": network, **{name: _as_text(value) for name, value in own.items()}}


def _as_text(value: Any) -> str:
    return repr(value) if is_dataclass(value) or not hasattr(value, "__dict__") else type(value).__qualname__


def _digest_of_rows(order: Any) -> str:
    digest = hashlib.sha256()
    for row in order:
        digest.update(np.asarray(row, np.int64).tobytes() + b"|")
    return f"rows {digest.hexdigest()[:16]}"


def _difference(expected: Any, got: Any) -> tuple[str, str]:
    """Return two values as short texts that begin where they differ, if they are long."""
    first, second = str(expected), str(got)
    at = 0
    if max(len(first), len(second)) > 80:
        at = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), 0)
        at = max(0, at - 20)
    return "..." * (at > 0) + first[at : at + 60], "..." * (at > 0) + second[at : at + 60]


def _to_data(state: TrainingState, data: Document | None) -> tuple[Document, dict[str, Array]]:
    stopping = state.early_stopping
    document: Document = {
        "layerwise": __version__,
        "settings": _settings(state),
        "data": data,
        "steps": state.steps, "memory_since": state.memory_since, "epoch": state.epoch, "position": state.position,
        "seconds": state.seconds, "stopped": state.stopped,
        "sums": {name: _number(value) for name, value in state.sums.items()},
        "seen": {name: _number(value) for name, value in state.seen.items()},
        "early_stopping": {
            "best_epoch": stopping.best_epoch, "best_value": _number(stopping.best_value), "waited": stopping.waited,
        },
    }  # fmt: skip
    arrays = {"theta": state.parameters.vector, "statistics": state.parameters.statistics}
    arrays |= {f"memory.{name}": array for name, array in state.update_state.items()}
    copies = {"best": stopping.best_parameters, "last": state.last_finite if state.position else None}
    for name, copy in copies.items():
        if copy is not None:
            arrays |= {f"{name}.theta": copy.vector, f"{name}.statistics": copy.statistics}
    if state.order is not None and state.settings.order is not None:  # else the seed gives it
        arrays["order"] = np.asarray(state.order, np.int64)
    cells = [[getattr(record, name) for name in COLUMNS] for record in state.history]
    shape = (len(cells), len(COLUMNS))
    given = [[cell is not None for cell in row] for row in cells]
    arrays["history.given"] = np.array(given, bool).reshape(shape)
    arrays["history"] = np.array([[cell or 0.0 for cell in row] for row in cells], np.float64).reshape(shape)
    return document, arrays


def _number(value: float) -> float | str:
    return float(value) if math.isfinite(value) else repr(float(value))  # JSON has no number for it


def _into(state: TrainingState, document: Document, arrays: dict[str, Array]) -> None:
    """Change the state after everything has been looked at."""
    steps, since, epoch, position = (_whole(document, name) for name in ("steps", "memory_since", "epoch", "position"))
    seconds, stopped = float(document["seconds"]), document["stopped"]
    sums, seen = ({name: float(value) for name, value in dict(document[what]).items()} for what in ("sums", "seen"))
    stopping = document["early_stopping"]
    best_epoch = None if stopping["best_epoch"] is None else _whole(stopping, "best_epoch")
    best_value, waited = float(stopping["best_value"]), _whole(stopping, "waited")
    names = {name for name, _ in state.executable(weighted=False).program.outputs}
    if since > steps or not math.isfinite(seconds) or not isinstance(stopped, str | None):
        raise ValueError("counters that do not go together")
    if (position > 0 and not names == set(sums) == set(seen)) or (best_epoch is None) != ("best.theta" not in arrays):
        raise ValueError(f"sums of {[*sums]}, best epoch {best_epoch}")
    if (position > 0) != ("last.theta" in arrays) or not np.isfinite(arrays["theta"]).all():
        raise ValueError("no parameters to go on from")
    records = [_record(row, given) for row, given in zip(arrays["history"], arrays["history.given"], strict=True)]
    if len(records) > epoch:
        raise ValueError(f"{len(records)} records of {epoch} epochs")
    state.steps, state.memory_since, state.epoch, state.position = steps, since, epoch, position
    state.seconds, state.stopped, state.sums, state.seen = seconds, stopped, sums, seen
    state.order = arrays.get("order")
    state.parameters.vector, state.parameters.statistics = arrays["theta"], arrays["statistics"]
    for name, memory in state.update_state.items():
        memory[...] = arrays[f"memory.{name}"]
    watch = state.early_stopping
    watch.best_epoch, watch.best_value, watch.waited = best_epoch, best_value, waited
    watch.best_parameters = _copy(state, arrays, "best")
    state.last_finite = _copy(state, arrays, "last")
    while len(state.history):
        state.history.pop()
    for record in records:
        state.history.append(record)


def _whole(document: Document, name: str) -> int:
    value = document[name]
    if not isinstance(value, int) or isinstance(value, bool) or not 0 <= value <= MOST:
        raise ValueError(f"{name} {str(value)[:40]}")
    return value


def _copy(state: TrainingState, arrays: dict[str, Array], name: str) -> Parameters | None:
    if f"{name}.theta" not in arrays:
        return None
    copy = state.parameters.copy()
    copy.vector, copy.statistics = arrays[f"{name}.theta"], arrays[f"{name}.statistics"]
    return copy


def _record(row: Array, given: Array) -> Record:
    cells = [
        None if not there else int(cell) if name in WHOLE else float(cell)
        for name, cell, there in zip(COLUMNS, row.tolist(), given.tolist(), strict=True)
    ]
    return Record(*cells)  # type: ignore[arg-type]  # as they were taken from one
