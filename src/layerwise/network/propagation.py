"""Forward and backward propagation, written in the vocabulary: the only loops over layers.

Hidden layer k runs through the stages affine -> normalisation -> g -> dropout:

    a^(k) = b^(k) + W^(k) (mask^(k-1) * h^(k-1)),   z^(k) = normalised a^(k),   h^(k) = g(z^(k))

(in training, the first layer may read x with noise, under a mask of its own), and backward through the same stages in
reverse (course-map row 17). ``theta`` is anything with W[k], b[k], gamma[k], beta[k], running_mean[k] and
running_variance[k]: parameters, recorded buffers, or pairs of value and tangent.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from ..ops import Operand, Vocabulary
from ..rules.activations import activation_backward, activation_forward
from ..rules.affine import affine_backward, affine_forward, affine_input_backward
from ..rules.corruption import input_mask, noise_forward, standard_normal
from ..rules.dropout import dropout_backward, dropout_forward, dropout_mask
from ..rules.normalisation import (
    batch_moments,
    batch_normalisation_backward,
    bias_before_normalisation_backward,
    fixed_normalisation_backward,
    normalisation_forward,
    normalisation_parameters_backward,
    running_statistics,
)
from .specification import Network


@dataclass
class Values:
    """What the forward pass computes, by layer k.

    `fed[k]` is what layer k's affine step reads: x (corrupted, where the network does so in training), or h^(k-1) under
    its dropout mask.
    """

    fed: dict[int, Operand] = field(default_factory=dict)
    a: dict[int, Operand] = field(default_factory=dict)
    z: dict[int, Operand] = field(default_factory=dict)
    u: dict[int, Operand] = field(default_factory=dict)
    inverse_deviation: dict[int, Operand] = field(default_factory=dict)
    h: dict[int, Operand] = field(default_factory=dict)
    mask: dict[int, Operand] = field(default_factory=dict)
    running_mean: dict[int, Operand] = field(default_factory=dict)
    running_variance: dict[int, Operand] = field(default_factory=dict)
    f: Operand = None


@dataclass
class Gradients:
    """What the backward pass computes, by layer k; gradients of the loss with respect to what each name says.

    A W that two layers share has one entry, the sum over both.
    """

    a: dict[int, Operand] = field(default_factory=dict)
    z: dict[int, Operand] = field(default_factory=dict)
    h: dict[int, Operand] = field(default_factory=dict)
    W: dict[int, Operand] = field(default_factory=dict)
    b: dict[int, Operand] = field(default_factory=dict)
    gamma: dict[int, Operand] = field(default_factory=dict)
    beta: dict[int, Operand] = field(default_factory=dict)


@dataclass
class Training:
    """What the forward pass needs in training beside X.

    Parameters
    ----------
    rows : operand (n,)
        Positions in the data set, for the dropout masks.
    key : (seed, step)
    dropout : mapping of k to operand
        The probability of each layer that has dropout; of components of x as layer 0.
    noise : operand or number
        The strength of the noise on x.
    activity : mapping of k to operands or numbers
        The strengths of the penalty on h^(k), of each layer that has one.
    """

    rows: Operand
    key: Operand
    dropout: Mapping[int, Operand]
    noise: Operand = 0.0
    activity: Mapping[int, Sequence[Operand]] = field(default_factory=dict)


def dropout_probabilities(net: Network) -> dict[int, float]:
    """Return the probability of each layer that has dropout, of x as layer 0, as a multiple of 2^-24.

    The random numbers are such multiples too, so float32 and float64 agree on every unit.
    """
    given = enumerate((net.input_dropout, *(layer.dropout for layer in net.layers)))
    return {k: min(math.ceil(p * 2**24), 2**24 - 1) / 2**24 for k, p in given if p > 0}


def forward(ops: Vocabulary, net: Network, theta: Any, X: Operand, training: Training | None = None) -> Values:
    """h^(0) = x; a^(k), z^(k), h^(k) for k = 1..L; a^(L+1) and f.  X: (n, inputs)

    With `training`, x is corrupted, dropout masks are drawn and batch normalisation takes the batch's own moments;
    without, nothing is dropped and the running statistics are used.
    """
    values = Values()
    values.h[0] = fed = X
    if training is not None and net.input_noise > 0:
        noise = standard_normal(ops, training.rows, net.inputs, training.key)
        fed = noise_forward(ops, noise, fed, training.noise)
    if training is not None and net.input_dropout > 0:
        values.mask[0] = input_mask(ops, training.rows, net.inputs, training.key, training.dropout[0])
        fed = dropout_forward(ops, values.mask[0], fed)
    for k, layer in enumerate(net.layers, 1):
        values.fed[k] = fed
        before_g = values.a[k] = _affine(ops, net, theta, k, fed)
        if layer.batch_norm:
            mean, variance = theta.running_mean[k], theta.running_variance[k]
            if training is not None:
                mean, variance = batch_moments(ops, values.a[k])
                values.running_mean[k], values.running_variance[k] = running_statistics(
                    ops, theta.running_mean[k], theta.running_variance[k], mean, variance, ops.row_count(X)
                )
            values.z[k], values.u[k], values.inverse_deviation[k] = normalisation_forward(
                ops, values.a[k], mean, variance, theta.gamma[k], theta.beta[k]
            )
            before_g = values.z[k]
        fed = values.h[k] = activation_forward(ops, layer.activation, before_g)
        if training is not None and layer.dropout > 0:
            values.mask[k] = dropout_mask(ops, training.rows, layer.units, k, training.key, training.dropout[k])
            fed = dropout_forward(ops, values.mask[k], values.h[k])
    last = net.L + 1
    values.fed[last] = fed
    values.a[last] = _affine(ops, net, theta, last, fed)
    values.f = net.output.forward(ops, values.a[last])
    return values


def _affine(ops: Vocabulary, net: Network, theta: Any, k: int, fed: Operand) -> Operand:
    shared = net.weight_of(k)
    return affine_forward(ops, theta.W[shared], theta.b[k], fed, transposed=shared != k)


def backward(
    ops: Vocabulary, net: Network, theta: Any, values: Values, grad_a: Operand, *, tied: bool,
    row_scale: Operand | None = None, to_input: bool = False, grad_activity: Mapping[int, Operand] | None = None,
) -> Gradients:  # fmt: skip
    """Propagate grad_a^(L+1) back to every layer.

    Parameters
    ----------
    grad_a : operand (n, outputs)
    tied : bool
        Whether batch normalisation took the batch's own moments, which ties the rows together.
    row_scale : operand (n, 1) or scalar, optional
        What each row counts in the gradients of the parameters; the rows' own gradients stay unscaled.
    to_input : bool
        Also compute the gradient with respect to x, as h[0].
    grad_activity : mapping of k to operand (n, d), optional
        The gradients of penalties on h^(k), which count beside what comes from the layer above.
    """
    gradients = Gradients()

    def scaled(grad: Operand) -> Operand:
        return grad if row_scale is None else ops.multiply(grad, row_scale)

    for k in range(net.L + 1, 0, -1):
        if k <= net.L:
            layer = net.layers[k - 1]
            if grad_activity and k in grad_activity:
                gradients.h[k] = ops.add(gradients.h[k], grad_activity[k])
            grad_h = gradients.h[k]
            grad_a = activation_backward(
                ops, layer.activation, values.z[k] if layer.batch_norm else values.a[k], values.h[k], grad_h
            )
            if layer.batch_norm:
                grad_z = gradients.z[k] = grad_a
                gradients.gamma[k], gradients.beta[k] = normalisation_parameters_backward(
                    ops, values.u[k], scaled(grad_z)
                )
                grad_a = (
                    batch_normalisation_backward(ops, values.u[k], theta.gamma[k], values.inverse_deviation[k], grad_z)
                    if tied
                    else fixed_normalisation_backward(ops, theta.gamma[k], values.inverse_deviation[k], grad_z)
                )
        gradients.a[k] = grad_a
        shared = net.weight_of(k)
        grad_W, gradients.b[k] = affine_backward(ops, values.fed[k], scaled(grad_a), transposed=shared != k)
        gradients.W[shared] = ops.add(gradients.W[shared], grad_W) if shared in gradients.W else grad_W
        if tied and k <= net.L and net.layers[k - 1].batch_norm:
            gradients.b[k] = bias_before_normalisation_backward(ops, theta.b[k])
        if k > 1 or to_input:
            grad_fed = affine_input_backward(ops, theta.W[shared], grad_a, transposed=shared != k)
            masked = k - 1 in values.mask
            gradients.h[k - 1] = dropout_backward(ops, values.mask[k - 1], grad_fed) if masked else grad_fed
    return gradients
