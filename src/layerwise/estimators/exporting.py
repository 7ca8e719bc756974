"""Fitted estimators as they leave Layerwise: for ONNX files and C headers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..network import Parameters
from ..storage.exported import Answer, Classes, Exported, Numbers, YesOrNo, groups
from .ensemble import networks_of
from .labels import Labels
from .values import nearest_to_half

if TYPE_CHECKING:
    from .perceptron import Perceptron


def exported(est: Perceptron) -> Exported:
    """Return the networks of a fitted estimator, with what its predictions mean."""
    members = tuple(_cooled(member) for member in networks_of(est))
    return Exported(type(est).__name__, members, _answer(est, members[0]))


def _cooled(member: Perceptron) -> Parameters:
    """Return the parameters with the temperature in them: o(a / T), so the last layer has W / T and b / T."""
    theta, temperature = member.theta_, member.__dict__.get("temperature_")
    if temperature is None:
        return theta
    cooled, last = theta.copy(), theta.network.L + 1
    cooled.W[last] /= temperature
    cooled.b[last] /= temperature
    return cooled


def _answer(est: Perceptron, theta: Parameters) -> Answer:
    net, labels = theta.network, est.__dict__.get("_labels")
    if isinstance(labels, Labels):
        if labels.kind == "several":
            return groups(labels.classes)
        return YesOrNo() if labels.kind == "labels" else (Classes(labels.classes, 0, net.outputs),)
    q, T = net.output.columns_per_target, net.outputs // net.output.columns_per_target
    levels = dict(net.output.settings).get("levels", (0.5,))
    every = net.output.name == "quantile" and q > 1
    kept = range(q) if every else [nearest_to_half(levels)]  # the mean alone of a mean and a variance
    columns = tuple(k * T + t for t in range(T) for k in kept)
    return Numbers(columns, (T,) * (T > 1) + (q,) * every)
