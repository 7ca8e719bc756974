"""The learning curve: loss and metric of training and validation, epoch by epoch."""

from __future__ import annotations

import io
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from ..errors import MissingExtraError
from ..training.history import History

if TYPE_CHECKING:
    from matplotlib.figure import Figure

#: Two colours that stay apart in print and for colour-blind readers (Okabe and Ito 2008).
TRAINING, VALIDATION = "#0072B2", "#D55E00"
METRIC_LABELS: Final = {"accuracy": "accuracy", "r2": "$R^2$"}


@dataclass
class LossCurveDisplay:
    """The learning curve of a history.

    Parameters
    ----------
    history : History
    best_epoch : int, optional
        Marked, if given.
    """

    history: History
    best_epoch: int | None = None
    figure_: Any = None
    axes_: Any = None

    @classmethod
    def from_history(cls, history: History, best_epoch: int | None = None, title: str = "") -> LossCurveDisplay:
        """Draw the loss and the metric side by side.

        Parameters
        ----------
        history : History
        best_epoch : int, optional
        title : str

        Returns
        -------
        LossCurveDisplay
            With ``figure_`` and ``axes_``.

        Raises
        ------
        MissingExtraError
            If matplotlib is not installed.
        """
        return cls(history, best_epoch).plot(title)

    def plot(self, title: str = "") -> LossCurveDisplay:
        """Draw into a new figure, which no window shows."""
        figure = _new_figure()
        self.figure_, self.axes_ = figure, figure.subplots(1, 2)
        label = METRIC_LABELS.get(self.history.metric, self.history.metric)
        for axes, name, text in zip(self.axes_, ("loss", "metric"), ("loss (data term)", label), strict=True):
            self._draw(axes, name, text)
        if title:
            figure.suptitle(title, parse_math=False)  # names of files may have dollar signs
        return self

    def _draw(self, axes: Any, name: str, label: str) -> None:
        epochs = self.history["epoch"]
        marker = "o" if len(epochs) == 1 else None  # a line of one point cannot be seen
        axes.plot(epochs, self.history[f"train_{name}"], color=TRAINING, marker=marker, label="training (running mean)")
        validation = self.history[f"validation_{name}"]
        if np.isfinite(validation).any():
            axes.plot(epochs, validation, color=VALIDATION, marker=marker, label="validation")
        if self.best_epoch is not None:
            axes.axvline(self.best_epoch, color="0.5", linestyle=":", label=f"best epoch ({self.best_epoch})")
        if name == "loss" and (self.history["train_loss"] > 0).all():
            axes.set_yscale("log")
        bottom, top = axes.get_ylim()
        if name == "metric" and self.history.metric == "r2" and bottom < -1.0 < top:
            axes.set_ylim(-1.0, min(top, 1.05))  # the first epochs can be far below
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")
        axes.set_ylabel(label)
        axes.grid(alpha=0.25)
        axes.legend(frameon=False)

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        content = io.BytesIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Glyph .* missing from")  # boxes in the title will do
            self.figure_.savefig(content, format="png", dpi=120)
        return content.getvalue()


def _new_figure() -> Figure:
    try:
        with _without_remarks():
            from matplotlib.figure import Figure
    except ImportError as problem:
        raise MissingExtraError(
            where="plots", expected="matplotlib", got="no such package", remedy="pip install 'layerwise[plots]'"
        ) from problem
    return Figure(figsize=(10, 4), layout="constrained")


@contextmanager
def _without_remarks() -> Iterator[None]:
    """Keep matplotlib from telling standard error about its font cache and where it lies."""
    logger = logging.getLogger("matplotlib")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
