"""The report of a training: one HTML file that opens from disk, from the data to the command that makes it anew."""

from __future__ import annotations

import html
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..data import Preparation, TargetCoding
from ..network import Network, Parameters
from ..training.history import History
from .figures import hidden_figure
from .filters import FilterDisplay
from .gradient_flow import GradientFlowDisplay
from .learning_curve import LossCurveDisplay
from .metrics import NAMES, ClassQuality, NumberQuality, class_quality, number_quality
from .network_drawing import NetworkDisplay
from .page import code, document, picture, section, side_by_side, table, text, tiles
from .quality import calibration_figure, confusion_figure, residual_figure, shares_figure

Array = npt.NDArray[Any]
#: Rows whose gradients are looked at, and rows with the largest loss that are named.
ROWS: Final = 2000
WORST: Final = 10
#: Samples of the bootstrap: quick, and enough for two digits.
RESAMPLES: Final = 300
#: Classes up to which the confusion matrix is drawn.
MOST_CLASSES: Final = 60


@dataclass(frozen=True, eq=False)
class Trained:
    """What a report is about.

    Parameters
    ----------
    title : str
    net : Network
    theta : Parameters
    history : History
    X, y : dict of part to array
        Prepared inputs and coded targets of "train", "validation" and "test", as far as there are.
    preparation : Preparation
    target : TargetCoding
    best_epoch : int, optional
    settings : str
        How it was trained, in a line.
    notes : sequence of str
        What was decided about the data.
    facts : dict of str to str
        More to say at the end: versions, seconds, why it stopped.
    command : str
        What makes it anew.
    """

    title: str
    net: Network
    theta: Parameters
    history: History
    X: Mapping[str, Array]
    y: Mapping[str, Array]
    preparation: Preparation
    target: TargetCoding
    best_epoch: int | None = None
    settings: str = ""
    notes: Sequence[str] = ()
    facts: Mapping[str, str] = field(default_factory=dict)
    command: str = ""


def model_report(trained: Trained) -> str:
    """Return the report as HTML.

    Parameters
    ----------
    trained : Trained

    Returns
    -------
    str
        A whole page; it needs no other file, no script and no network.

    Raises
    ------
    MissingExtraError
        If matplotlib is not installed.
    """
    part = next(name for name in ("test", "validation", "train") if name in trained.X)
    f = trained.net.predict(trained.theta, trained.X[part])
    quality = _quality(trained, trained.y[part], f)
    return document(
        trained.title,
        [
            f"<h1>{html.escape(trained.title)}</h1>",
            text(trained.settings),
            tiles(_headlines(trained, part, quality)),
            section(f"Quality on the {part} rows", *_quality_parts(trained, part, f, quality)),
            section("Training", *_training_parts(trained)),
            section("Network", *_network_parts(trained)),
            section("Data", *_data_parts(trained)),
            section("To make it anew", code(trained.command) if trained.command else "", _facts(trained)),
        ],
    )


def _probabilities(f: Array) -> Array:
    return f if f.shape[1] > 1 else np.concatenate([1 - f, f], axis=1)


def _quality(trained: Trained, y: Array, f: Array) -> ClassQuality | NumberQuality:
    if trained.target.kind == "classes":
        return class_quality(y, _probabilities(f), resamples=RESAMPLES)
    return number_quality(*_in_units(trained, y, f), resamples=RESAMPLES)


def _in_units(trained: Trained, y: Array, f: Array) -> tuple[Array, Array]:
    """Return true and predicted numbers in the target's units."""
    mean, scale = trained.target.mean, trained.target.scale
    return y.ravel() * scale + mean, f[:, 0].astype(np.float64) * scale + mean


def _headlines(trained: Trained, part: str, quality: ClassQuality | NumberQuality) -> list[tuple[str, str, str]]:
    names = ["accuracy", "log_loss"] if isinstance(quality, ClassQuality) else ["r2", "rmse"]
    found = [
        (NAMES[name], f"{metric.value:.4g}", f"{part}; 95 %: {metric.low:.4g} to {metric.high:.4g}")
        for name, metric in ((name, quality.metrics[name]) for name in names)
    ]
    epochs = len(trained.history)
    best = f"parameters of epoch {trained.best_epoch}" if trained.best_epoch else "parameters of the last one"
    sizes = "-".join(map(str, trained.net.sizes))
    return [*found, ("parameters", f"{trained.net.n_parameters:,}", sizes), ("epochs", str(epochs), best)]


def _quality_parts(trained: Trained, part: str, f: Array, quality: ClassQuality | NumberQuality) -> list[str]:
    rows = [
        [NAMES[name], f"{metric.value:.4g}", f"{metric.low:.4g} to {metric.high:.4g}"]
        for name, metric in quality.metrics.items()
    ]
    metrics = table(["metric", "value", "95 % interval (bootstrap)"], rows)
    y = trained.y[part]
    if isinstance(quality, NumberQuality):
        figure = residual_figure(*_in_units(trained, y, f), trained.target.name)
        return [metrics, picture(figure, "Predicted against true numbers, and a histogram of the residuals.")]
    classes = [str(name) for name in trained.target.classes]
    drawn = []
    if len(classes) <= MOST_CLASSES:
        drawn.append(
            picture(
                confusion_figure(quality.confusion, classes), "The confusion matrix.",
                "Rows of each true class by the class that was predicted; the colour is the share of the true class.",
            )
        )  # fmt: skip
    drawn.append(
        picture(
            calibration_figure(quality.calibration), "Share of right predictions against confidence.",
            f"Calibration error {quality.calibration.error:.3f}: points below the line are overconfident.",
        )
    )  # fmt: skip
    return [metrics, side_by_side(*drawn), *_worst(classes, part, y, _probabilities(f))]


def _worst(classes: Sequence[str], part: str, y: Array, P: Array) -> list[str]:
    """Name the wrong rows that the model was surest of."""
    said = P.argmax(axis=1)
    wrong = np.flatnonzero(said != y)
    if not len(wrong):
        return [text("No row is wrong.")]
    surest = wrong[np.argsort(-P[wrong, said[wrong]], kind="stable")][:WORST]
    rows = [
        [int(row), classes[y[row]], classes[said[row]], f"{P[row, said[row]]:.3f}", f"{P[row, y[row]]:.3g}"]
        for row in surest
    ]
    header = [f"row of the {part} part, from 0", "true", "predicted", "its probability", "that of the true class"]
    return ["<h3>Wrong, and surest</h3>", table(header, rows)]


def _training_parts(trained: Trained) -> list[str]:
    curves = LossCurveDisplay.from_history(trained.history, trained.best_epoch).figure_
    parts = [picture(curves, "Loss and metric of training and validation rows by epoch.")]
    X, y = trained.X["train"][:ROWS], trained.y["train"][:ROWS]
    flow = GradientFlowDisplay.from_network(trained.net, trained.theta, X, y, ax=_axes(5.2, 3.6))
    caption = f"Root mean squares by layer at the kept parameters, over {len(X):,} training rows."
    return [*parts, picture(flow.figure_, "Activations and gradients by layer.", caption)]


def _network_parts(trained: Trained) -> list[str]:
    net, theta = trained.net, trained.theta
    rows = []
    for k, (before, units) in enumerate(zip(net.sizes[:-1], net.sizes[1:], strict=True), start=1):
        layer = net.layers[k - 1] if k <= net.L else None
        W = theta.W[k]
        kind = layer.activation.name if layer else net.output.name
        more = [f"dropout {layer.dropout:g}"] if layer and layer.dropout else []
        more += ["batch normalisation"] if layer and layer.batch_norm else []
        rows.append([k, before, units, kind, ", ".join(more), f"{W.size + units:,}", f"{np.sqrt((W**2).mean()):.3g}"])
    header = ["layer", "inputs", "units", "function", "", "weights and biases", "root mean square of W"]
    drawing = NetworkDisplay.from_network(net, theta, ax=_axes(5.6, 5.2))
    pictures = [picture(drawing.figure_, "The network drawn, with the weights as lines.")]
    shape = trained.preparation.image_shape
    if shape and net.L:
        filters = FilterDisplay.from_network(net, theta, shape=shape, sort=True, max_units=64, ax=_axes(4.9, 4.9))
        caption = "Weights into the units of the first layer, as images, those of the largest norm first."
        pictures.append(picture(filters.figure_, "Filters of the first layer.", caption))
    return [table(header, rows), side_by_side(*pictures)]


def _axes(width: float, height: float) -> Any:
    return hidden_figure((width, height)).add_subplot()


def _data_parts(trained: Trained) -> list[str]:
    coding, preparation = trained.target, trained.preparation
    parts = [table(["part", "rows"], [[name, f"{len(X):,}"] for name, X in trained.X.items()])]
    what = f"{len(coding.classes)} classes" if coding.kind == "classes" else "a number"
    inputs = "pixels" if preparation.image_shape else "inputs"
    parts.append(text(f"Target: {coding.name}, {what}. {preparation.n_inputs} {inputs}."))
    parts += [text(note) for note in trained.notes]
    if coding.kind == "classes" and len(coding.classes) <= MOST_CLASSES:
        counts = [np.bincount(y, minlength=len(coding.classes)) for y in trained.y.values()]
        figure = shares_figure(counts, list(trained.y), [str(name) for name in coding.classes])
        parts.append(picture(figure, "Shares of the classes in each part."))
    if preparation.image_shape:
        return parts
    numbers = [[c.name, "number", f"{c.mean:.4g}", f"{c.scale:.4g}", f"{c.median:.4g}"] for c in preparation.numbers]
    words = [[c.name, f"{len(c.words)} words", "", "", ""] for c in preparation.words]
    header = ["column", "kind", "mean", "standard deviation", "median, taken where missing"]
    return [*parts, table(header, [*numbers, *words], "columns")]


def _facts(trained: Trained) -> str:
    return table(["", ""], [[name, value] for name, value in trained.facts.items()]) if trained.facts else ""
