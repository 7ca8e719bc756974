"""Pictures of predictions: confusion, calibration, predicted against true numbers, residuals."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from .figures import TRAINING, VALIDATION, as_text, hidden_figure
from .metrics import Calibration

Array = npt.NDArray[Any]
#: Rows drawn as points.
POINTS: Final = 3000
#: Classes up to which every cell of the confusion matrix has its number.
NUMBERED: Final = 15


def confusion_figure(confusion: Array, classes: Sequence[str]) -> Any:
    """Draw the confusion matrix, coloured by the share of each true class.

    Parameters
    ----------
    confusion : array (C, C) of int
        Rows are the true classes.
    classes : sequence of str

    Returns
    -------
    Figure

    Examples
    --------
    >>> figure = confusion_figure(np.array([[3, 1], [0, 2]]), ["no", "yes"])
    >>> [text.get_text() for text in figure.axes[0].texts]
    ['3', '1', '2']
    """
    C = len(classes)
    side = float(np.clip(1.6 + 0.42 * C, 3.2, 8.0))
    figure = hidden_figure((side, side))
    ax = figure.add_subplot()
    share = confusion / np.maximum(confusion.sum(axis=1, keepdims=True), 1)
    ax.imshow(share, cmap="Blues", vmin=0, vmax=1)
    if C <= NUMBERED:
        for (true, said), count in np.ndenumerate(confusion):
            if count:
                colour = "white" if share[true, said] > 0.55 else "black"
                ax.text(said, true, str(count), ha="center", va="center", color=colour, fontsize=8)
    labels = [as_text(name, 14) for name in classes]
    every = max(1, C // 30)
    ticks = range(0, C, every)
    ax.set_xticks(ticks, labels[::every], rotation=90 if max(map(len, labels)) > 3 else 0)
    ax.set_yticks(ticks, labels[::every])
    ax.set(xlabel="predicted", ylabel="true")
    return figure


def calibration_figure(calibration: Calibration) -> Any:
    """Draw how often the predicted class is right against how sure the model was.

    Returns
    -------
    Figure
    """
    figure = hidden_figure((4.2, 3.8))
    ax = figure.add_subplot()
    some = calibration.count > 0
    ax.plot([0, 1], [0, 1], color="0.6", linewidth=1, label="calibrated")
    sizes = 20 + 180 * np.sqrt(calibration.count[some] / calibration.count.max())
    ax.scatter(calibration.confidence[some], calibration.accuracy[some], s=sizes, color=TRAINING, alpha=0.8)
    ax.plot(calibration.confidence[some], calibration.accuracy[some], color=TRAINING, linewidth=1)
    ax.set(xlim=(0, 1.03), ylim=(0, 1.05), xlabel="confidence in the predicted class", ylabel="share that is right")
    ax.grid(alpha=0.3)
    return figure


def residual_figure(y: Array, f: Array, name: str) -> Any:
    """Draw predicted against true numbers, and the distribution of what is between them.

    Parameters
    ----------
    y, f : array (n,)
    name : str
        The target.

    Returns
    -------
    Figure
    """
    figure = hidden_figure((8.4, 3.8))
    left, right = figure.subplots(1, 2)
    some = np.linspace(0, len(y) - 1, min(len(y), POINTS)).astype(np.int64)
    ends = [min(y.min(), f.min()), max(y.max(), f.max())]
    left.plot(ends, ends, color="0.6", linewidth=1)
    left.scatter(y[some], f[some], s=9, color=TRAINING, alpha=0.5, linewidths=0)
    left.set(xlabel=f"{as_text(name)}, true", ylabel="predicted")
    right.hist(y - f, bins=min(60, max(10, int(np.sqrt(len(y))))), color=TRAINING)
    right.axvline(0, color=VALIDATION, linewidth=1)
    right.set(xlabel="true minus predicted", ylabel="rows")
    for ax in (left, right):
        ax.grid(alpha=0.3)
    return figure


def shares_figure(counts: Sequence[Array], parts: Sequence[str], classes: Sequence[str]) -> Any:
    """Draw how the classes are spread over the parts of the data.

    Parameters
    ----------
    counts : sequence of array (C,) of int
        Rows of each class, by part.
    parts, classes : sequence of str

    Returns
    -------
    Figure
    """
    figure = hidden_figure((float(np.clip(2.5 + 0.35 * len(classes), 4.0, 9.0)), 2.6))
    ax = figure.add_subplot()
    width = 0.8 / len(parts)
    for k, (count, part) in enumerate(zip(counts, parts, strict=True)):
        share = count / max(count.sum(), 1)
        ax.bar(np.arange(len(count)) + (k + 0.5) * width - 0.4, share, width, label=part)
    labels = [as_text(name, 14) for name in classes]
    every = max(1, len(classes) // 30)
    ax.set_xticks(range(0, len(classes), every), labels[::every], rotation=90 if max(map(len, labels)) > 6 else 0)
    ax.set(ylabel="share of rows")
    figure.legend(loc="outside upper right", ncols=len(parts), frameon=False, fontsize=8)
    return figure
