"""The learning curve: loss and metric of training and validation, epoch by epoch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from ..training.history import History
from .figures import SCORES, TRAINING, VALIDATION, axes_to_draw_on, fitted, hidden_figure, png

Array = npt.NDArray[np.float64]
METRIC_LABELS: Final = {"accuracy": "accuracy", "r2": "$R^2$"}


@dataclass
class LossCurveDisplay:
    """The learning curve of a history or of a fitted estimator.

    It is best made by `from_history` or `from_estimator`.

    Parameters
    ----------
    epochs : array (n,)
    training_loss : array (n,)
        Where there is no number, NaN.
    validation_loss, training_metric, validation_metric : array (n,), optional
    metric : str
        "accuracy", "r2", or any other label of the scores.
    best_epoch : int, optional
        Marked, if given.
    loss_label : str
    training_label : str

    Attributes
    ----------
    figure_ : matplotlib Figure
    axes_ : array of Axes
        One for the loss and one for the metric; from an estimator without scores, only the one for the loss.
    ax_ : Axes
        The first of them.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> estimator = SimpleNamespace(loss_curve_=[0.9, 0.5, 0.4], validation_scores_=[0.6, 0.9, 0.8])
    >>> display = LossCurveDisplay.from_estimator(estimator)
    >>> display.best_epoch, display.ax_.get_ylabel(), display.axes_[1].get_ylabel()
    (2, 'loss', 'score')
    """

    epochs: Array
    training_loss: Array
    validation_loss: Array | None = None
    training_metric: Array | None = None
    validation_metric: Array | None = None
    metric: str = "score"
    best_epoch: int | None = None
    loss_label: str = "loss"
    training_label: str = "training"
    figure_: Any = None
    axes_: Any = None

    @property
    def ax_(self) -> Any:
        """The axes of the loss."""
        return self.axes_[0]

    @classmethod
    def from_history(cls, history: History, best_epoch: int | None = None, title: str = "") -> LossCurveDisplay:
        """Draw the loss and the metric side by side, into a new figure, which no window shows.

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
        display = cls(
            history["epoch"], history["train_loss"], history["validation_loss"], history["train_metric"],
            history["validation_metric"], history.metric, best_epoch, "loss (data term)", "training (running mean)",
        )  # fmt: skip
        return display.plot_side_by_side(title)

    @classmethod
    def from_estimator(
        cls, estimator: Any, ax: Any = None, *, metric: str | None = None, best_epoch: int | None = None, **options: Any
    ) -> LossCurveDisplay:
        """Draw the loss of training and validation, and the scores of validation, of a fitted estimator.

        Parameters
        ----------
        estimator : object
            With ``loss_curve_`` and, where there was validation, ``validation_loss_curve_`` or ``validation_scores_``.
        ax : Axes, optional
            A new figure is made if not given.
        metric : str, optional
            What the scores are: "accuracy", "r2" or any other label; by default what ``history_`` says.
        best_epoch : int, optional
            Counted from 1. By default ``best_epoch_``; without it the epoch with the highest score, or the one with the
            lowest validation loss if there are no scores; the first of equal ones.
        **options
            For `plot`.

        Returns
        -------
        LossCurveDisplay

        Raises
        ------
        InputError
            If the estimator is not fitted, or keeps no loss curve, or its curves differ in length.
        MissingExtraError
            If matplotlib is not installed.
        """
        (loss,) = fitted(estimator, "loss_curve_")
        training = np.asarray(loss, dtype=np.float64)
        validation, scores = (
            _curve_of(estimator, name, len(training)) for name in ("validation_loss_curve_", "validation_scores_")
        )
        if metric is None:
            history = getattr(estimator, "history_", None)
            scored = "accuracy" if hasattr(estimator, "classes_") else "score"
            metric = history.metric if isinstance(history, History) else scored
        if best_epoch is None:
            best_epoch = getattr(estimator, "best_epoch_", None)
        if best_epoch is None:
            best_epoch = _best(scores, validation)
        display = cls(np.arange(1.0, len(training) + 1), training, validation, None, scores, metric, best_epoch)
        return display.plot(ax, **options)

    def plot(self, ax: Any = None, *, title: str = "", **line_options: Any) -> LossCurveDisplay:
        """Draw the losses, and the scores of validation, if there are any, on a second axis at the right.

        Parameters
        ----------
        ax : Axes, optional
            A new figure is made if not given.
        title : str
        **line_options
            For every curve: ``linewidth``, ``alpha``, ...
        """
        ax = axes_to_draw_on(ax, (6.4, 4.0))
        drawn = self._draw_losses(ax, line_options)
        scale, rows = [ax], 0
        if _has_numbers(self.validation_metric):
            right = ax.twinx()
            scale.append(right)
            label = METRIC_LABELS.get(self.metric, self.metric)
            drawn += right.plot(
                self.epochs, self.validation_metric, label=f"validation {label}", color=SCORES,
                **{"marker": self._marker, "linestyle": "--"} | line_options,
            )  # fmt: skip
            right.set_ylabel(label, color=SCORES)
            right.tick_params(axis="y", colors=SCORES)
            self._cut_far_below(right)
        drawn += self._mark_best(ax)
        if len(scale) == 1:
            ax.legend(handles=drawn, frameon=False)
        else:  # "best" would look at one of the axes and cover what the other has: above both, in two columns
            rows = (len(drawn) + 1) // 2
            ax.legend(handles=drawn, frameon=False, ncols=2, loc="lower center", bbox_to_anchor=(0.5, 1.0))
        if title:
            ax.set_title(title, pad=8 + 16 * rows)
        self.figure_, self.axes_ = ax.figure, np.array(scale, dtype=object)
        return self

    def plot_side_by_side(self, title: str = "") -> LossCurveDisplay:
        """Draw the loss and the metric, each of training and validation, into a new figure, which no window shows."""
        self.figure_ = hidden_figure((10, 4))
        self.axes_ = self.figure_.subplots(1, 2)
        self._draw_losses(self.axes_[0], {})
        self._draw_curves(self.axes_[1], self.training_metric, self.validation_metric, {})
        self.axes_[1].set_ylabel(METRIC_LABELS.get(self.metric, self.metric))
        for axes in self.axes_:
            self._mark_best(axes)
            axes.legend(frameon=False)
        self._cut_far_below(self.axes_[1])
        if title:
            self.figure_.suptitle(title, parse_math=False)  # names of files may have dollar signs
        return self

    def png(self) -> bytes:
        """Return the figure as a PNG file."""
        return png(self.figure_)

    @property
    def _marker(self) -> str | None:
        return "o" if len(self.epochs) == 1 else None  # a line of one point cannot be seen

    def _draw_losses(self, axes: Any, options: dict[str, Any]) -> list[Any]:
        drawn = self._draw_curves(axes, self.training_loss, self.validation_loss, options)
        if (self.training_loss > 0).all():
            axes.set_yscale("log")
        axes.set_ylabel(self.loss_label)
        return drawn

    def _draw_curves(
        self, axes: Any, training: Array | None, validation: Array | None, options: dict[str, Any]
    ) -> list[Any]:
        drawn = []
        if training is not None:
            settings = {"color": TRAINING, "marker": self._marker, "label": self.training_label} | options
            drawn += axes.plot(self.epochs, training, **settings)
        if _has_numbers(validation):
            settings = {"color": VALIDATION, "marker": self._marker, "label": "validation"} | options
            drawn += axes.plot(self.epochs, validation, **settings)
        axes.xaxis.get_major_locator().set_params(integer=True, min_n_ticks=1)
        axes.set_xlabel("epoch")
        axes.grid(alpha=0.25)
        return drawn

    def _mark_best(self, axes: Any) -> list[Any]:
        if self.best_epoch is None:
            return []
        return [axes.axvline(self.best_epoch, color="0.5", linestyle=":", label=f"best epoch ({self.best_epoch})")]

    def _cut_far_below(self, axes: Any) -> None:
        bottom, top = axes.get_ylim()
        if self.metric == "r2" and bottom < -1.0 < top:
            axes.set_ylim(-1.0, min(top, 1.05))  # the first epochs can be far below


def _has_numbers(curve: Array | None) -> bool:
    return curve is not None and bool(np.isfinite(curve).any())


def _curve_of(estimator: Any, name: str, n: int) -> Array | None:
    values = getattr(estimator, name, None)
    if values is None:
        return None
    curve = np.asarray(values, dtype=np.float64)
    if curve.shape != (n,):
        raise InputError(
            where=f"estimator.{name}", expected=f"one number for each of the {n} epochs of loss_curve_",
            got=f"shape {curve.shape}", remedy="fit the estimator anew",
        )  # fmt: skip
    return curve


def _best(scores: Array | None, losses: Array | None) -> int | None:
    """Return the epoch that validation likes best; scores, which an estimator's early stopping watches, come first."""
    if scores is not None and _has_numbers(scores):
        return int(np.nanargmax(scores)) + 1
    if losses is not None and _has_numbers(losses):
        return int(np.nanargmin(losses)) + 1
    return None
