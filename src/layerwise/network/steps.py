"""The rules that an engine runs, whole: loss and gradient, update, training step, evaluation, prediction.

Each is a function of the vocabulary, the network and buffers. A batch of n rows divides by n, and each row counts
w_t / w_mean: J = (1/n) sum_t (w_t / w_mean) l_t + lambda Omega(theta).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ..ops import Operand, Vocabulary, expression
from ..rules.clipping import clip_factor, clipped
from ..rules.penalties import Penalty, penalty_backward, penalty_forward
from ..rules.updates import Update, apply_update
from .activity import activity_gradients, activity_of_rows
from .propagation import Gradients, Training, Values, backward, forward
from .specification import Network

_square = expression(lambda s, x: x * x)
_root = expression(lambda s, x: s.sqrt(x))


@dataclass
class Batch:
    """The rows of one step.

    Parameters
    ----------
    X : operand (n, inputs)
    y : operand (n,) of codes, or (n, targets)
    weights : operand (n, 1), optional
        w_t / w_mean.
    training : Training, optional
        Rows, key and dropout probabilities; None for prediction.
    """

    X: Operand
    y: Operand
    weights: Operand | None = None
    training: Training | None = None


@dataclass
class Computed:
    """Everything that a batch's loss and gradient go through.

    Parameters
    ----------
    values, gradients : Values, Gradients
        By layer; the gradients of W, b, gamma and beta are those of the objective J.
    objective : operand (1,)
        J: loss + penalty.
    loss, score : operand (1,)
        Means over the batch.
    penalty : operand (1,) or None
        lambda Omega, and the mean of the penalties on activations; None without a penalty.
    reported : operand (1,) or None
        The mean of what the output reports beside the loss, weighted like it; None if it reports nothing.
    """

    values: Values
    gradients: Gradients
    objective: Operand
    loss: Operand
    score: Operand
    penalty: Operand | None
    reported: Operand | None = None


def batch_losses(ops: Vocabulary, net: Network, values: Values, batch: Batch) -> tuple[Operand, Operand]:
    """(1/n) sum_t (w_t / w_mean) l_t, and the l_t themselves.  -> (1,), (n, 1)"""
    losses = net.output.losses(ops, values.a[net.L + 1], batch.y)
    return batch_mean(ops, losses, batch), losses


def batch_mean(ops: Vocabulary, values: Operand, batch: Batch) -> Operand:
    """(1/n) sum_t (w_t / w_mean) v_t.  values: (n, 1) -> (1,)"""
    counted = values if batch.weights is None else ops.multiply(values, batch.weights)
    return ops.divide(ops.sum_rows(counted), ops.row_count(batch.X))


def averaged(ops: Vocabulary, grad: Operand, batch: Batch) -> Operand:
    """(1/n) (w_t / w_mean) grad_t: what each row's own gradient counts in that of the mean.  (n, d) -> (n, d)"""
    grad = ops.divide(grad, ops.row_count(batch.X))
    return grad if batch.weights is None else ops.multiply(grad, batch.weights)


def batch_score(ops: Vocabulary, net: Network, values: Values, batch: Batch) -> Operand:
    """The mean of the scores, which no weights count: of the right classes, or of the squared errors.  -> (1,)"""
    scores = net.output.scores(ops, values.a[net.L + 1], batch.y)
    return ops.divide(ops.sum_rows(scores), ops.row_count(batch.X))


def loss_and_gradient(
    ops: Vocabulary, net: Network, theta: Any, batch: Batch, penalty: Penalty, strengths: Sequence[Any]
) -> Computed:
    """The batch's losses and the gradient of its objective J with respect to W, b, gamma and beta."""
    values = forward(ops, net, theta, batch.X, batch.training)
    loss, _ = batch_losses(ops, net, values, batch)
    score = batch_score(ops, net, values, batch)
    grad_a = averaged(ops, net.output.loss_gradient_at_preactivation(ops, values.f, batch.y), batch)
    at_h = activity_gradients(ops, net, values, batch.training)
    at_h = {k: averaged(ops, grad, batch) for k, grad in at_h.items()}
    gradients = backward(ops, net, theta, values, grad_a, tied=batch.training is not None, grad_activity=at_h)
    for k in net.own_weights:
        gradients.W[k] = penalty_backward(ops, penalty, theta.W[k], gradients.W[k], strengths)
    weights = [theta.W[k] for k in net.own_weights]
    omega = penalty_forward(ops, penalty, weights, strengths) if penalty.terms else None
    activity = activity_of_rows(ops, net, values, batch.training)
    if activity is not None:
        activity = batch_mean(ops, activity, batch)
        omega = activity if omega is None else ops.add(omega, activity)
    for k in values.running_mean:
        ops.write(theta.running_mean[k], values.running_mean[k])
        ops.write(theta.running_variance[k], values.running_variance[k])
    reported = None
    if net.output.reported is not None:
        reported = batch_mean(ops, net.output.reported(ops, values.a[net.L + 1], batch.y), batch)
    return Computed(values, gradients, loss if omega is None else ops.add(loss, omega), loss, score, omega, reported)


def update_step(
    ops: Vocabulary, net: Network, theta: Any, gradients: Gradients, update: Update,
    memory: Mapping[str, Sequence[Operand]], scalars: Mapping[bool, Mapping[str, Any]],
) -> None:  # fmt: skip
    """Write theta and the update's memory anew, segment by segment.

    memory: for each of the update's memory names, one operand a segment; scalars: those of weights (True), of others.
    """
    for i, segment in enumerate(net.segments):
        target = getattr(theta, segment.name)[segment.k]
        grad = getattr(gradients, segment.name)[segment.k]
        kept = [memory[name][i] for name in update.memory]
        new_theta, new_kept = apply_update(ops, update, target, grad, kept, scalars[segment.name == "W"])
        ops.write(target, new_theta)
        for place, value in zip(kept, new_kept, strict=True):
            ops.write(place, value)


def gradient_norm(ops: Vocabulary, net: Network, gradients: Gradients) -> Operand:
    """The square root of the sum of the squares of all entries of the gradient.  -> (1,)"""
    total: Operand = None
    for segment in net.segments:
        part = ops.sum_all(ops.map(_square, getattr(gradients, segment.name)[segment.k]))
        total = part if total is None else ops.add(total, part)
    return ops.map(_root, total)


def clipped_gradients(ops: Vocabulary, net: Network, gradients: Gradients, norm: Operand, limit: Operand) -> Gradients:
    """The gradients of theta, all multiplied by limit / norm if the norm exceeds the limit.  norm: (1,)"""
    factor, shortened = clip_factor(ops, norm, limit), Gradients()
    for segment in net.segments:
        grad = getattr(gradients, segment.name)[segment.k]
        getattr(shortened, segment.name)[segment.k] = clipped(ops, factor, grad)
    return shortened


def train_step(
    ops: Vocabulary, net: Network, theta: Any, batch: Batch, penalty: Penalty, strengths: Sequence[Any], update: Update,
    memory: Mapping[str, Sequence[Operand]], scalars: Mapping[bool, Mapping[str, Any]], clip_norm: Operand = None,
) -> tuple[Computed, Operand]:  # fmt: skip
    """One update: theta <- theta + alpha Delta.  Returns what came before it and the norm of the gradient."""
    computed = loss_and_gradient(ops, net, theta, batch, penalty, strengths)
    gradients = computed.gradients
    norm = gradient_norm(ops, net, gradients)
    if clip_norm is not None:  # the norm needs the whole gradient: then no engine can update W while it computes grad_W
        gradients = clipped_gradients(ops, net, gradients, norm, clip_norm)
    update_step(ops, net, theta, gradients, update, memory, scalars)
    return computed, norm


def evaluate_step(ops: Vocabulary, net: Network, theta: Any, batch: Batch) -> tuple[Values, Operand, Operand]:
    """The values of prediction, and the sums over the rows of weighted losses and of scores.  -> ..., (1,), (1,)"""
    values = forward(ops, net, theta, batch.X)
    losses = net.output.losses(ops, values.a[net.L + 1], batch.y)
    counted = losses if batch.weights is None else ops.multiply(losses, batch.weights)
    return values, ops.sum_rows(counted), ops.sum_rows(net.output.scores(ops, values.a[net.L + 1], batch.y))


def predict_step(ops: Vocabulary, net: Network, theta: Any, X: Operand) -> Values:
    """The values of prediction, f among them.  X: (n, inputs)"""
    return forward(ops, net, theta, X)


def per_example_step(ops: Vocabulary, net: Network, theta: Any, batch: Batch) -> tuple[Values, Gradients]:
    """The values and the gradients of each row's own loss; weights do not count."""
    values = forward(ops, net, theta, batch.X, batch.training)
    grad_a = net.output.loss_gradient_at_preactivation(ops, values.f, batch.y)
    return values, backward(ops, net, theta, values, grad_a, tied=False)


def output_gradient_step(
    ops: Vocabulary, net: Network, theta: Any, X: Operand, grad_f: Operand
) -> tuple[Values, Gradients]:
    """The values of prediction, and the gradients of sum_c grad_f_c f_c for every row.  grad_f: (n, outputs)"""
    values = forward(ops, net, theta, X)
    grad_a = net.output.backward(ops, values.f, grad_f)
    return values, backward(ops, net, theta, values, grad_a, tied=False, to_input=True)
