"""Gradients beyond training: checks by finite differences, per example, at the input, Jacobians, Hessian products."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, cast

import numpy as np
import numpy.typing as npt

from .errors import InputError, SpecificationError, check_number
from .network import Network, Parameters
from .network.activity import activity_of_rows
from .network.inputs import check_inputs, check_parameters, check_targets, check_weights
from .network.parameters import views
from .network.programs import Setting, constant_scalars, executable, layered, vectors_of
from .network.propagation import Training, Values, forward
from .network.steps import Batch, batch_losses, batch_mean, loss_and_gradient
from .network.trace import training_of
from .ops import Expression, NumpyOps, Operand, TangentOps, Vocabulary
from .ops.tangent import Dual
from .rules.outputs import softmax_loss_gradient_at_output, softmax_loss_gradient_at_preactivation
from .rules.penalties import Penalty, as_penalty, penalty_forward

Array = npt.NDArray[Any]
Mode = Literal["predict", "train"]
WeightMean = float | Literal["as given"] | None

#: Steps of the differences; the next one is taken where the four points lie on different sides of a kink.
STEPS = (1e-5, 1e-6, 1e-7)
#: Errors count relative to the largest gradient of the same array, or to this share of the largest of all, so that an
#: array whose gradient is zero (a bias before batch normalisation) is not judged by the rounding of the differences.
FLOOR = 1e-2


def loss_gradient_at_output(f: Any, y: Any) -> Array:
    """Return d(-log f_y)/df = -e(y) / f_y for softmax outputs (course-map row 15).

    Parameters
    ----------
    f : array (n, C), or (C,) for one example
        Class probabilities.
    y : array (n,) of int, or an int

    Returns
    -------
    array of f's shape

    Examples
    --------
    >>> loss_gradient_at_output([0.25, 0.75], 0)
    array([-4.,  0.])
    """
    return _at_rows(softmax_loss_gradient_at_output, f, y)


def loss_gradient_at_preactivation(f: Any, y: Any) -> Array:
    """Return d(-log f_y)/da = -(e(y) - f) for softmax outputs (course-map row 16).

    Parameters
    ----------
    f : array (n, C), or (C,) for one example
        Class probabilities.
    y : array (n,) of int, or an int

    Returns
    -------
    array of f's shape

    Examples
    --------
    >>> loss_gradient_at_preactivation([0.25, 0.75], 0)
    array([-0.75,  0.75])
    """
    return _at_rows(softmax_loss_gradient_at_preactivation, f, y)


def _at_rows(rule: Callable[..., Any], f: Any, y: Any) -> Array:
    """Apply a rule of f and class codes to rows, or to a single one."""
    probabilities = np.asarray(f)
    if probabilities.dtype not in (np.float32, np.float64):
        probabilities = probabilities.astype(np.float64)
    rows = np.atleast_2d(probabilities)
    codes = np.atleast_1d(np.asarray(y))
    if codes.shape != (len(rows),) or codes.dtype.kind not in "iu" or codes.min() < 0 or codes.max() >= rows.shape[1]:
        raise InputError(
            where="y", expected=f"{len(rows)} class codes 0 to {rows.shape[1] - 1}", got=repr(y),
            remedy="give one whole number a row",
        )  # fmt: skip
    return np.asarray(rule(NumpyOps(rows.dtype), rows, codes)).reshape(probabilities.shape)


@dataclass(frozen=True)
class GradientCheck:
    """What `check_gradient` found.

    Attributes
    ----------
    max_relative_error : float
        The largest error of all arrays.
    relative_error : dict of str to float
        For each array (W1, b1, ...): max|numeric - analytic| / max|gradient|, where the denominator is at least a
        hundredth of the largest entry of the whole gradient. Infinite where a derivative is NaN or infinite.
    numeric, analytic : array (P,)
        Central differences of the reported objective, and the backward pass.
    skipped : tuple of int
        Parameters that sit on a kink: no difference quotient is valid there.
    """

    max_relative_error: float
    relative_error: dict[str, float]
    numeric: Array
    analytic: Array
    skipped: tuple[int, ...]


def check_gradient(
    net: Network, theta: Parameters, X: Any, y: Any, penalty: Penalty | None = None, weights: Any = None,
    mode: Mode = "predict", key: int | tuple[int, int] = 0, *, weight_mean: WeightMean = None,
) -> GradientCheck:  # fmt: skip
    """Compare the backward pass with central differences of the reported objective, in float64.

    Each derivative comes from two central differences, of a step and of twice the step. Where their points lie on
    different sides of a kink (of a ReLU, of |f - y| or of |W|), a smaller step is taken; a parameter that has none is
    skipped.

    Parameters
    ----------
    net, theta, X, y, penalty, weights, mode, key, weight_mean
        As for `Network.trace`.

    Returns
    -------
    GradientCheck

    Examples
    --------
    >>> net = Network(2, [3], 2, hidden="tanh")
    >>> check = check_gradient(net, net.initialize(seed=0), [[0.5, -1.0], [2.0, 0.1]], [0, 1])
    >>> check.max_relative_error < 1e-8
    True
    """
    check_parameters(theta, net)
    theta = theta.astype(np.float64)
    batch, strengths = _batch(net, X, y, penalty, weights, mode, key, weight_mean)
    ops = NumpyOps(np.float64)
    penalty = penalty or Penalty()

    def objective_at(i: int, value: float) -> tuple[float, tuple[bytes, bytes]]:
        center, theta.vector[i] = theta.vector[i], value
        values = forward(ops, net, theta, batch.X, batch.training)
        of_losses = _Comparing(ops)
        total = float(batch_losses(cast(Vocabulary, of_losses), net, values, batch)[0][0])
        if penalty.terms:
            total += float(penalty_forward(ops, penalty, [theta.W[k] for k in net.own_weights], strengths)[0])
        activity = activity_of_rows(ops, net, values, batch.training)
        if activity is not None:
            total += float(batch_mean(ops, activity, batch)[0])
        pieces = _pieces(ops, net, theta, values, penalty, of_losses.found)
        theta.vector[i] = center
        return total, pieces

    analytic = _gradient_vector(net, theta.copy(), batch, penalty, mode)  # the copy's statistics may move
    numeric = np.zeros_like(analytic)
    skipped: list[int] = []
    for i, center in enumerate(theta.vector.copy()):
        for step in STEPS:
            points = [center + m * step for m in (-2, -1, 1, 2)]
            objectives, pieces = zip(*(objective_at(i, point) for point in points), strict=True)
            numeric[i] = _difference_quotient(points, objectives)
            if len(set(pieces)) == 1:
                break
        else:
            if len({kinked for kinked, _ in pieces}) > 1:  # else the pieces meet smoothly, and the last step is fine
                skipped.append(i)
                numeric[i] = analytic[i]
    finite = np.isfinite(analytic) & np.isfinite(numeric)
    scale = float(np.abs(np.concatenate([analytic[finite], numeric[finite]])).max(initial=0.0))
    errors = {}
    for segment in net.segments:
        part = slice(segment.start, segment.stop)
        if not (np.isfinite(analytic[part]).all() and np.isfinite(numeric[part]).all()):
            errors[f"{segment.name}{segment.k}"] = float("inf")
            continue
        own = max(float(np.abs(analytic[part]).max()), float(np.abs(numeric[part]).max()), FLOOR * scale)
        difference = float(np.abs(numeric[part] - analytic[part]).max())
        errors[f"{segment.name}{segment.k}"] = difference / own if own > 0 else difference
    return GradientCheck(max(errors.values()), errors, numeric, analytic, tuple(skipped))


def per_example_gradients(
    net: Network, theta: Parameters, X: Any, y: Any, mode: Mode = "predict", key: int | tuple[int, int] = 0
) -> Array:
    """Return the gradient of each example's own loss with respect to theta.

    Parameters
    ----------
    net, theta, X, y, mode, key
        As for `Network.trace`.

    Returns
    -------
    array (n, P)
        Their mean is the gradient of the data loss: penalties, those on activations too, are no part of it.

    Raises
    ------
    SpecificationError
        With batch normalisation in mode "train", where no example has a loss of its own.
    """
    if mode == "train" and net.normalises:
        raise SpecificationError(
            where="per_example_gradients", expected="examples that do not depend on each other",
            got="batch normalisation in train mode", remedy='use mode="predict"',
        )  # fmt: skip
    check_parameters(theta, net)
    dtype = theta.vector.dtype
    X = np.require(check_inputs(X, net), dtype, ("C", "A"))
    y = check_targets(y, net, len(X))
    training = training_of(net, len(X), mode, key)
    given = {layered("h", 0): X, "y": y if net.output.target == "classes" else np.require(y, dtype, ("C", "A"))}
    run = executable(net, Setting("per_example_gradients", mode=mode), dtype)
    return _by_example(net, X, run.call(vectors_of(theta), given | _masks(net, training)))


def input_gradient(net: Network, theta: Parameters, X: Any, output: int | None = None) -> Array:
    """Return df/dx, as in prediction.

    Parameters
    ----------
    net, theta
    X : array (n, inputs)
    output : int, optional
        One component c of f; by default all.

    Returns
    -------
    array (n, inputs) for one output, else (n, outputs, inputs)
    """
    _, results = _output_gradients(net, theta, X, output, "input_gradient")
    rows = [result[layered("grad_h", 0)] for result in results]
    return rows[0] if output is not None else np.stack(rows, axis=1)


def jacobian(net: Network, theta: Parameters, X: Any) -> Array:
    """Return df/dtheta of every row, as in prediction.

    Returns
    -------
    array (n, outputs, P)
    """
    X, results = _output_gradients(net, theta, X, None, "jacobian")
    return np.stack([_by_example(net, X, result) for result in results], axis=1)


def hessian_vector_product(
    net: Network, theta: Parameters, X: Any, y: Any, v: Any, penalty: Penalty | None = None, weights: Any = None,
    mode: Mode = "predict", key: int | tuple[int, int] = 0, *, weight_mean: WeightMean = None,
) -> Array:  # fmt: skip
    """Return H v, with H the second derivative of the objective, exactly (Pearlmutter 1994).

    The rule that computes the gradient runs on pairs of value and tangent; no H is formed.

    Parameters
    ----------
    v : array (P,)
        The direction.
    net, theta, X, y, penalty, weights, mode, key, weight_mean
        As for `Network.trace`.

    Returns
    -------
    array (P,) of float64
    """
    check_parameters(theta, net)
    theta = theta.astype(np.float64)
    direction = np.asarray(v, dtype=np.float64)
    if direction.shape != theta.vector.shape:
        raise InputError(
            where="v",
            expected=f"shape {theta.vector.shape}",
            got=str(direction.shape),
            remedy="give one entry a parameter",
        )
    batch, strengths = _batch(net, X, y, penalty, weights, mode, key, weight_mean)
    names = ("W", "b", "gamma", "beta")
    moving = _Moving()
    for name, value, tangent in zip(
        names, views(net.segments, theta.vector, names), views(net.segments, direction, names), strict=True
    ):
        setattr(moving, name, {k: Dual(value[k], tangent[k]) for k in value})
    moving.running_mean, moving.running_variance = theta.running_mean, theta.running_variance
    gradients = loss_and_gradient(TangentOps(), net, moving, batch, penalty or Penalty(), strengths).gradients
    return np.concatenate([getattr(gradients, s.name)[s.k].tangent.ravel() for s in net.segments])


class _Moving:
    """Parameters as pairs of value and tangent, by layer."""

    W: dict[int, Dual]
    b: dict[int, Dual]
    gamma: dict[int, Dual]
    beta: dict[int, Dual]
    running_mean: dict[int, Array]
    running_variance: dict[int, Array]


def _batch(
    net: Network, X: Any, y: Any, penalty: Penalty | None, weights: Any, mode: Mode, key: int | tuple[int, int],
    weight_mean: WeightMean,
) -> tuple[Batch, list[float]]:  # fmt: skip
    X = np.require(check_inputs(X, net), np.float64, ("C", "A"))
    y = check_targets(y, net, len(X))
    w, mean = check_weights(weights, len(X), weight_mean)
    training: Training | None = training_of(net, len(X), mode, key)
    relative = None if w is None else (w / mean)[:, None]
    y = y if net.output.target == "classes" else np.require(y, np.float64, ("C", "A"))
    return Batch(X, y, relative, training), [term.strength for term in as_penalty(penalty).terms]


def _output_gradients(
    net: Network, theta: Parameters, X: Any, output: int | None, name: str
) -> tuple[Array, list[dict[str, Array]]]:
    """Run a program of grad_f for one output, or for each; return X as it was taken, and the results."""
    if output is not None:
        check_number("output", output, at_least=0, below=net.outputs, whole=True)
    check_parameters(theta, net)
    dtype = theta.vector.dtype
    X = np.require(check_inputs(X, net), dtype, ("C", "A"))
    run = executable(net, Setting(name), dtype)
    results = []
    for c in range(net.outputs) if output is None else [output]:
        grad_f = np.zeros((len(X), net.outputs), dtype)
        grad_f[:, c] = 1.0
        results.append(run.call(vectors_of(theta), {layered("h", 0): X, "grad_f": grad_f}))
    return X, results


def _masks(net: Network, training: Training | None) -> dict[str, Any]:
    """Return what draws the dropout masks, by the names that programs give it."""
    if training is None:
        return {}
    return {"rows": np.asarray(training.rows, np.int64), "key": training.key} | constant_scalars(net, Penalty())


def _gradient_vector(net: Network, theta: Parameters, batch: Batch, penalty: Penalty, mode: Mode) -> Array:
    """Return the gradient of the objective as the engine computes it."""
    setting = Setting("loss_and_gradient", penalty=penalty, weighted=batch.weights is not None, mode=mode)
    given = {layered("h", 0): batch.X, "y": batch.y, "w": batch.weights} | constant_scalars(net, penalty)
    run = executable(net, setting, theta.vector.dtype)
    results = run.call(vectors_of(theta), given | _masks(net, batch.training))
    return np.concatenate([results[layered(f"grad_{s.name}", s.k)].ravel() for s in net.segments])


def _by_example(net: Network, X: Array, factors: dict[str, Array]) -> Array:
    """Return each row's gradient of theta from what it is a product of."""
    n = len(X)
    parts = []
    for segment in net.segments:
        k = segment.k
        if segment.name == "W":
            outer = _outer(factors[layered("grad_a", k)], factors.get(layered("fed", k), X))
            if net.tied:
                above = net.L + 2 - k
                outer += _outer(factors[layered("fed", above)], factors[layered("grad_a", above)])
            parts.append(outer.reshape(n, -1))
        elif segment.name == "b":
            parts.append(factors[layered("grad_a", k)])
        else:
            grad_z = factors[layered("grad_z", k)]
            parts.append(grad_z * factors[layered("u", k)] if segment.name == "gamma" else grad_z)
    return np.concatenate(parts, axis=1)


def _outer(left: Array, right: Array) -> Array:
    """Return the outer product of every row: (n, i), (n, j) -> (n, i, j)."""
    return left[:, :, None] * right[:, None, :]


def _difference_quotient(points: list[float], objectives: tuple[float, ...]) -> float:
    """Return the derivative at the centre of four points, from both central differences (Richardson 1911)."""
    wide = (objectives[3] - objectives[0]) / (points[3] - points[0])
    narrow = (objectives[2] - objectives[1]) / (points[2] - points[1])
    return (4 * narrow - wide) / 3


class _Comparing:
    """The vocabulary, which also keeps on which pieces of the formulas that it applies the operands are."""

    def __init__(self, ops: NumpyOps) -> None:
        self.ops = ops
        self.found: list[Any] = []

    def map(self, formula: Expression, *operands: Operand) -> Any:
        comparisons = formula.branches()
        if comparisons is not None:
            self.found.append(self.ops.map(comparisons, *operands))
        return self.ops.map(formula, *operands)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ops, name)


def _pieces(
    ops: NumpyOps, net: Network, theta: Parameters, values: Values, penalty: Penalty, of_losses: list[Any]
) -> tuple[bytes, bytes]:
    """Say on which pieces of its formulas the objective is: of those that have kinks (or may), and of the others."""
    kinked: list[Any] = []
    smooth: list[Any] = []
    if net.output.kinks:
        kinked += of_losses
    for k, layer in enumerate(net.layers, 1):
        comparisons = layer.activation.g.branches()
        if comparisons is not None:
            before_g = values.z[k] if layer.batch_norm else values.a[k]
            (smooth if layer.activation.kinks == () else kinked).append(ops.map(comparisons, before_g))
        for term in layer.activity.terms:
            comparisons = term.omega.branches()
            if comparisons is not None:
                kinked.append(ops.map(comparisons, values.h[k]))
    for term in penalty.terms:
        comparisons = term.omega.branches()
        if comparisons is not None:
            kinked += [ops.map(comparisons, theta.W[k]) for k in net.own_weights]
    return _bits(kinked), _bits(smooth)


def _bits(parts: list[Any]) -> bytes:
    flat = [array for part in parts for array in (part if isinstance(part, tuple) else (part,))]
    return b"".join((np.asarray(array) != 0).tobytes() for array in flat)
