"""TensorBoard: the history of a training while it runs, and the weights' distributions."""

from __future__ import annotations

import time
from dataclasses import fields
from importlib import import_module
from pathlib import Path
from types import TracebackType
from typing import Any, Final

import numpy as np

from ..errors import MissingExtraError, StorageError, check_number
from ..training.state import TrainingState

#: What of a record is written, and under which name; curves of one group share a picture.
TAGS: Final = {
    "train_loss": "loss/training", "validation_loss": "loss/validation", "exact_train_loss": "loss/training, exact",
    "train_metric": "{metric}/training", "validation_metric": "{metric}/validation", "penalty": "objective/penalty",
    "objective": "objective/J", "gradient_norm": "training/gradient norm", "rate": "training/rate",
    "seconds": "training/seconds",
}  # fmt: skip


class TensorBoard:
    """A callback for `fit` and the estimators that writes TensorBoard's event files.

    Every epoch is on the disk before the next begins, so that it can be watched and nothing is lost.

    Parameters
    ----------
    folder : str or Path
        For one training; runs compare when their folders lie in one that ``tensorboard --logdir`` is given.
    histograms : int
        Write the distributions of W^(k) and b^(k) every so many epochs; 0 for never.

    Raises
    ------
    MissingExtraError
        If tensorboard is not installed.
    StorageError
        If the folder cannot be written.

    Examples
    --------
    >>> import tempfile
    >>> import layerwise as lw
    >>> net = lw.Network(2, [3], 2)
    >>> with tempfile.TemporaryDirectory() as folder, TensorBoard(folder) as board:
    ...     model = lw.fit(net, [[0, 1], [1, 0]], [0, 1], epochs=2, callbacks=board)
    ...     len(list(board.folder.glob("events.*")))
    1
    """

    def __init__(self, folder: str | Path, *, histograms: int = 10) -> None:
        check_number("histograms", histograms, at_least=0, whole=True)
        self.folder, self.histograms = Path(folder).expanduser(), histograms
        events = _part_of_tensorboard("summary.writer.event_file_writer")
        self._event = _part_of_tensorboard("compat.proto.event_pb2").Event
        self._scalar = _part_of_tensorboard("plugins.scalar.summary_v2").scalar_pb
        self._histogram = _part_of_tensorboard("plugins.histogram.summary_v2").histogram_pb
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            self._writer = events.EventFileWriter(str(self.folder))
        except OSError as problem:
            raise StorageError(
                where=str(self.folder), expected="a folder that can be written",
                got=(problem.strerror or str(problem)).lower(), remedy="choose another",
            ) from problem  # fmt: skip

    def __call__(self, state: TrainingState) -> None:
        """Write the last epoch."""
        record, metric = state.history[-1], state.history.metric
        for one in fields(record):
            value = getattr(record, one.name)
            if one.name in TAGS and value is not None:
                tag = TAGS[one.name].format(metric=metric)
                self._write(self._scalar(tag, float(value)), record.epoch)
        if self.histograms and record.epoch % self.histograms == 0:
            theta = state.parameters
            for segment in theta.network.segments:
                values = np.asarray(segment.view(theta.vector), dtype=np.float64)
                if np.isfinite(values).all():
                    name = f"{segment.name}/{segment.name}^({segment.k})"
                    self._write(self._histogram(name, values), record.epoch)
        self._writer.flush()

    def _write(self, summary: Any, step: int) -> None:
        self._writer.add_event(self._event(wall_time=time.time(), step=step, summary=summary))

    def close(self) -> None:
        """End the file."""
        self._writer.close()

    def __enter__(self) -> TensorBoard:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:  # fmt: skip
        """End the file."""
        self.close()


def _part_of_tensorboard(name: str) -> Any:
    try:
        return import_module(f"tensorboard.{name}")
    except ImportError as problem:
        raise MissingExtraError(
            where="TensorBoard", expected="tensorboard", got="no such package",
            remedy="pip install 'layerwise[tracking]'",
        ) from problem  # fmt: skip
