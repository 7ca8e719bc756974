"""Output functions with their losses: values, every gradient between them, and large pre-activations."""

from __future__ import annotations

import itertools
import pickle
import warnings

import mpmath
import numpy as np
import pytest
from scipy import special

from layerwise.errors import SpecificationError
from layerwise.ops import NumpyOps
from layerwise.rules.outputs import TABLE, Huber, Output, Quantile, Sigmoid, Softmax, SoftmaxGroups, output

#: With what is made with settings, and losses of one's own.
ALL = TABLE | {
    "smoothed softmax": Softmax(0.2),
    "smoothed sigmoid": Sigmoid(0.2),
    "huber 0.3": Huber(0.3),
    "quantiles": Quantile([0.1, 0.5, 0.9]),
    "one quantile": Quantile([0.25]),
    "groups": SoftmaxGroups([3, 2, 18]),
    "own": Output.own(lambda s, f, y: s.log1p((f - y) ** 2), name="cauchy"),
    "own of exp": Output.own(lambda s, f, y: (f - y) ** 2 / (1 + f), "exp", "of exp"),
}
OUTPUTS = pytest.mark.parametrize("o", ALL.values(), ids=ALL)
COURSE = ("softmax", "sigmoid", "identity")
DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])
OPS = NumpyOps()
LARGE = np.array([[1e4, -1e4, 0.0], [1e4, 1e4, 1e4], [-1e4, -1e4, -1e4], [0.0, 1.0, 1e4], [-1e4, 1e4, 1e4]])


def columns(o, T):
    """Raw columns for T targets."""
    return sum(o.groups) or T * o.columns_per_target


def targets(o, n, C, seed=0):
    """Targets of the kind that the output expects, for C raw columns."""
    generator = np.random.default_rng([seed, n, C, 1])
    T = o.targets_of(C)
    if o.target == "classes":
        return generator.integers(0, C, n)
    if o.target == "several classes":
        return generator.integers(0, o.groups, (n, T)) * 1.0
    if o.target == "labels":
        return generator.integers(0, 2, (n, T)) * 1.0
    return generator.poisson(2.0, (n, T)) * 1.0 if o.name in ("poisson", "of exp") else generator.normal(size=(n, T))


def cut(o, row):
    """A row of groups, in pieces."""
    stops = np.cumsum(o.groups)
    return [row[stop - C : stop] for stop, C in zip(stops, o.groups, strict=True)]


def from_f(o, f, y):
    """The loss of one row as the course writes it, of f; in whatever numbers f has."""
    log, total, given = mpmath.log, mpmath.fsum, dict(o.settings)
    t = [mpmath.mpf(float(x)) for x in np.atleast_1d(y)]
    e = mpmath.mpf(given.get("smoothing", 0))
    if o.name == "softmax":
        return -total((e / len(f) + (1 - e) * (c == y)) * log(p) for c, p in enumerate(f) if e or c == y)
    if o.name == "softmax_groups":
        return -total(log(part[int(code)]) for part, code in zip(cut(o, f), y, strict=True))
    if o.name == "sigmoid":
        t = [(1 - e) * x + e / 2 for x in t]
        return -total(
            (x * log(p) if x else 0) + ((1 - x) * log(1 - p) if x != 1 else 0) for p, x in zip(f, t, strict=True)
        )
    if o.name == "quantile":
        named = [(level, f[k * len(t) + i] - x) for k, level in enumerate(given["levels"]) for i, x in enumerate(t)]
        return total(r * ((r > 0) - mpmath.mpf(level)) for level, r in named)
    if o.name == "gaussian":
        parameters = zip(f[: len(t)], f[len(t) :], t, strict=True)
        return total(log(2 * mpmath.pi) + v + (x - m) ** 2 / mpmath.exp(v) for m, v, x in parameters) / 2
    d = given.get("delta")
    each = {
        "identity": lambda p, x: (p - x) ** 2 / 2,
        "absolute": lambda p, x: abs(p - x),
        "huber": lambda p, x: (p - x) ** 2 / 2 if abs(p - x) < d else d * abs(p - x) - mpmath.mpf(d) ** 2 / 2,
        "poisson": lambda p, x: (x * log(x / p) if x else 0) - x + p,
        "cauchy": lambda p, x: log(1 + (p - x) ** 2),
        "of exp": lambda p, x: (p - x) ** 2 / (1 + p),
    }[o.name]
    return total(itertools.starmap(each, zip(f, t, strict=True)))


def softmax_with_digits(numbers):
    e = [mpmath.exp(x - max(numbers)) for x in numbers]
    return [x / mpmath.fsum(e) for x in e]


def with_digits(o, a, y, digits=60):
    """Every row's loss through f, with so many digits that f may be near to 0 or 1."""
    losses = []
    with mpmath.workdps(digits):
        for row, t in zip(a, y, strict=True):
            numbers = [mpmath.mpf(float(x)) for x in row]
            f = {
                "softmax": softmax_with_digits,
                "softmax_groups": lambda x: [p for part in cut(o, x) for p in softmax_with_digits(part)],
                "sigmoid": lambda x: [1 / (1 + mpmath.exp(-z)) for z in x],
                "poisson": lambda x: [mpmath.exp(z) for z in x],
                "of exp": lambda x: [mpmath.exp(z) for z in x],
            }.get(o.name, lambda x: x)(numbers)
            losses.append(float(from_f(o, f, t)))
    return np.array(losses)[:, None]


# --- f ----------------------------------------------------------------------------------------------------------------


@DTYPES
def test_softmax_is_a_distribution(rows, dtype):
    a = np.vstack([3 * rows(50, 3), LARGE]).astype(dtype)
    f = output("softmax").forward(NumpyOps(dtype), a)
    assert f.dtype == dtype
    assert f.min() >= 0
    np.testing.assert_allclose(f.sum(axis=1), 1, rtol=4 * np.finfo(dtype).eps)
    exact = special.softmax(a.astype(np.float64), axis=1)
    np.testing.assert_allclose(f, exact, rtol=30 * np.finfo(dtype).eps, atol=1e-45)


def test_softmax_does_not_see_a_common_shift(rows):
    a, forward = rows(6, 4), output("softmax").forward
    np.testing.assert_allclose(forward(OPS, a + 5e3), forward(OPS, a), rtol=1e-11)


@DTYPES
def test_sigmoid_is_the_chance_of_each_label(rows, dtype):
    a = np.vstack([3 * rows(50, 3), LARGE]).astype(dtype)
    f = output("sigmoid").forward(NumpyOps(dtype), a)
    assert f.dtype == dtype
    np.testing.assert_allclose(f, special.expit(a.astype(np.float64)), rtol=8 * np.finfo(dtype).eps, atol=1e-45)


def test_identity_is_the_preactivation(rows):
    np.testing.assert_array_equal(output("identity").forward(OPS, rows(4, 3)), rows(4, 3))


# --- l ----------------------------------------------------------------------------------------------------------------


@DTYPES
@pytest.mark.parametrize("scale", [1e-3, 1.0, 15.0])
@OUTPUTS
def test_the_loss_is_that_of_f(rows, o, scale, dtype):
    a = (scale * rows(60, columns(o, 3))).astype(dtype)
    y = targets(o, 60, a.shape[1])
    losses = o.losses(NumpyOps(dtype), a, y if o.target == "classes" else y.astype(dtype))
    assert losses.dtype == dtype
    assert losses.shape == (60, 1)
    exact = with_digits(o, a, y if o.target == "classes" else y.astype(dtype))
    eps = np.finfo(dtype).eps
    # Where large terms of both signs are left, as log variances, losses are as exact as these.
    largest = 1 if o.name in COURSE and not o.settings else 2 * np.abs(a).max() + 4
    np.testing.assert_allclose(losses, exact, rtol=8 * eps, atol=4 * eps * largest)


@DTYPES
def test_the_loss_of_a_sure_right_answer_keeps_its_digits(dtype):
    """For hard labels the large terms of log(1 + e^a) - y a cancel before they are rounded."""
    a = np.array([[5.0], [10.0], [17.0], [30.0], [80.0], [-5.0], [-10.0], [-17.0], [-30.0], [-80.0]], dtype)
    y = (a > 0).astype(dtype)
    losses = output("sigmoid").losses(NumpyOps(dtype), a, y)
    np.testing.assert_allclose(losses, with_digits(output("sigmoid"), a, y), rtol=4 * np.finfo(dtype).eps)


def test_the_loss_of_undecided_labels(rows):
    a, y = rows(20, 2), np.random.default_rng(0).uniform(size=(20, 2))
    f = special.expit(a)
    expected = -(y * np.log(f) + (1 - y) * np.log(1 - f)).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(output("sigmoid").losses(OPS, a, y), expected, rtol=1e-14)


def large(o):
    """Pre-activations as large as the loss can be held for, in float32 too."""
    a = np.resize(LARGE.T, (columns(o, 3), len(LARGE))).T
    if o.name in ("poisson", "of exp"):
        return np.minimum(a, 40)
    return a * np.repeat([40e-4, 80e-4], 3) if o.name == "gaussian" else a


@DTYPES
@OUTPUTS
def test_large_preactivations_do_no_harm(o, dtype):
    ops, a = NumpyOps(dtype), large(o).astype(dtype)
    for seed in range(2):
        y = targets(o, len(a), a.shape[1], seed)
        y = y if o.target == "classes" else y.astype(dtype)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            f, losses = o.forward(ops, a), o.losses(ops, a, y)
            grad_a = o.loss_gradient_at_preactivation(ops, f, y)
            scores = o.scores(ops, a, y)
            o.loss_gradient_at_output(ops, f, y)  # may be infinite: f_y is 0 here and there
        assert {f.dtype, losses.dtype, grad_a.dtype, scores.dtype} == {np.dtype(dtype)}
        for array in (f, losses, grad_a, scores):
            assert np.isfinite(array).all()
        np.testing.assert_allclose(losses, with_digits(o, a, y, digits=5000), rtol=1e-6, atol=1e-30)


def test_the_loss_of_a_hopeless_answer_is_the_distance_of_the_preactivations():
    losses = output("softmax").losses(OPS, np.array([[1e4, -1e4], [0.0, 1e4]]), np.array([1, 0]))
    np.testing.assert_array_equal(losses, [[2e4], [1e4]])


# --- gradients --------------------------------------------------------------------------------------------------------


@OUTPUTS
def test_gradient_at_the_preactivation_against_differences(rows, gradient, o):
    a = 2 * rows(4, columns(o, 3))
    y = targets(o, 4, a.shape[1])
    numeric = gradient(lambda a: o.losses(OPS, a, y).sum(), a)
    analytic = o.loss_gradient_at_preactivation(OPS, o.forward(OPS, a), y)
    np.testing.assert_allclose(analytic, numeric, rtol=1e-7, atol=2e-9 * max(1, o.losses(OPS, a, y).max()))


@OUTPUTS
def test_gradient_at_the_output_against_differences_of_the_loss_of_f(rows, o):
    """The entries of f move freely, off the simplex too: so the course means its partial derivatives."""
    f = o.forward(OPS, rows(4, columns(o, 3)))
    y = targets(o, 4, f.shape[1])
    analytic = o.loss_gradient_at_output(OPS, f, y)
    with mpmath.workdps(50):
        step = mpmath.mpf(10) ** -20
        for i, c in np.ndindex(*f.shape):
            above, below = ([mpmath.mpf(x) for x in f[i]] for _ in range(2))
            above[c] += step
            below[c] -= step
            numeric = float((from_f(o, above, y[i]) - from_f(o, below, y[i])) / (2 * step))
            assert analytic[i, c] == pytest.approx(numeric, rel=1e-14)


@OUTPUTS
def test_the_chain_rule_through_o(rows, o):
    """grad_a = (do/da)' grad_f: course-map row 16 follows from row 15."""
    a = 2 * rows(30, columns(o, 4))
    y = targets(o, 30, a.shape[1])
    f = o.forward(OPS, a)
    chained = o.backward(OPS, f, o.loss_gradient_at_output(OPS, f, y))
    np.testing.assert_allclose(chained, o.loss_gradient_at_preactivation(OPS, f, y), rtol=1e-12, atol=1e-14)


@OUTPUTS
def test_backward_is_the_transposed_jacobian_of_o(rows, gradient, o):
    a, grad_f = rows(3, columns(o, 4)), rows(3, columns(o, 4), seed=1)
    numeric = gradient(lambda a: np.sum(grad_f * o.forward(OPS, a)), a)
    np.testing.assert_allclose(o.backward(OPS, o.forward(OPS, a), grad_f), numeric, rtol=1e-7, atol=1e-9)


def test_the_gradients_of_the_course_by_hand():
    f, y = np.array([[0.25, 0.5, 0.25]]), np.array([1])
    softmax = output("softmax")
    np.testing.assert_array_equal(softmax.loss_gradient_at_output(OPS, f, y), [[0, -2, 0]])
    np.testing.assert_array_equal(softmax.loss_gradient_at_preactivation(OPS, f, y), [[0.25, -0.5, 0.25]])
    yes = np.array([[1.0, 0.0, 1.0]])
    sigmoid = output("sigmoid")
    np.testing.assert_allclose(sigmoid.loss_gradient_at_output(OPS, f, yes), [[-4, 2, -4]], rtol=1e-15)
    np.testing.assert_array_equal(sigmoid.loss_gradient_at_preactivation(OPS, f, yes), [[-0.75, 0.5, -0.75]])


def test_where_f_y_is_zero_only_that_entry_is_infinite():
    f, y = np.array([[0.0, 1.0, 0.0]]), np.array([2])
    np.testing.assert_array_equal(output("softmax").loss_gradient_at_output(OPS, f, y), [[0, 0, -np.inf]])
    labels = np.array([[1.0, 1.0, 0.0]])
    np.testing.assert_array_equal(output("sigmoid").loss_gradient_at_output(OPS, f, labels), [[-np.inf, -1, 1]])


@OUTPUTS
def test_rows_do_not_see_each_other(rows, o):
    a = rows(5, columns(o, 3))
    y = targets(o, 5, a.shape[1])
    f = o.forward(OPS, a)
    for i in range(5):
        one = slice(i, i + 1)
        np.testing.assert_array_equal(o.forward(OPS, a[one]), f[one])
        np.testing.assert_array_equal(o.losses(OPS, a[one], y[one]), o.losses(OPS, a, y)[one])


# --- scores -----------------------------------------------------------------------------------------------------------


def test_scores_of_softmax_share_ties():
    a = np.array([[1.0, 3.0, 2.0], [1.0, 3.0, 2.0], [2.0, 2.0, 1.0], [2.0, 2.0, 1.0], [0.0, 0.0, 0.0]])
    scores = output("softmax").scores(OPS, a, np.array([1, 2, 0, 2, 1]))
    np.testing.assert_allclose(scores, [[1], [0], [1 / 2], [0], [1 / 3]], rtol=1e-15)


def test_scores_of_sigmoid_count_labels():
    a = np.array([[1.0, -1.0], [1.0, -1.0], [0.0, 3.0], [0.0, 0.0]])
    y = np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 1.0]])
    np.testing.assert_array_equal(output("sigmoid").scores(OPS, a, y), [[1], [0], [0.75], [0.5]])


def test_scores_of_identity_are_squared_errors():
    a, y = np.array([[1.0, 2.0], [0.0, 0.0]]), np.array([[0.0, 4.0], [0.0, 0.0]])
    np.testing.assert_array_equal(output("identity").scores(OPS, a, y), [[5], [0]])


@pytest.mark.parametrize("name", ["absolute", "huber", "poisson", "gaussian"])
def test_scores_of_numbers_are_squared_errors_of_f(rows, name):
    o = output(name)
    a = rows(5, columns(o, 2))
    y = targets(o, 5, a.shape[1])
    point = o.by_target(o.forward(OPS, a))[:, :, 0]
    np.testing.assert_allclose(o.scores(OPS, a, y)[:, 0], ((point - y) ** 2).sum(axis=1), rtol=1e-14)


@pytest.mark.parametrize(("levels", "nearest"), [([0.1, 0.45, 0.9], 1), ([0.4, 0.6], 0), ([0.05, 0.1], 1), ([0.9], 0)])
def test_scores_of_quantiles_are_those_of_the_level_nearest_to_the_median(rows, levels, nearest):
    o, a, y = Quantile(levels), rows(5, 2 * len(levels)), rows(5, 2, seed=1)
    squares = ((o.by_target(a)[:, :, nearest] - y) ** 2).sum(axis=1)
    np.testing.assert_allclose(o.scores(OPS, a, y)[:, 0], squares, rtol=1e-14)


def test_scores_of_groups_are_the_share_of_right_answers():
    o, y = SoftmaxGroups([3, 2]), np.array([[0.0, 1.0]] * 4)
    a = np.array([[2, 1, 0, 0, 1], [2, 1, 0, 1, 0], [0, 1, 0, 1, 0], [1, 1, 0, 1, 1]], float)
    np.testing.assert_array_equal(o.scores(OPS, a, y), [[1], [0.5], [0], [0.5]])


# --- columns and copies -----------------------------------------------------------------------------------------------


@OUTPUTS
def test_columns_by_target(rows, o):
    f = rows(5, columns(o, 3))
    if "classes" in o.target:
        with pytest.raises(SpecificationError, match="by_target"):
            o.by_target(f)
        return
    q = o.columns_per_target
    named = o.by_target(f)
    assert named.shape == (5, 3, q)
    for t, k in np.ndindex(3, q):
        np.testing.assert_array_equal(named[:, t, k], f[:, k * 3 + t])


@OUTPUTS
def test_it_survives_pickling_and_equals_itself(o):
    again = pickle.loads(pickle.dumps(o))
    assert again == o
    assert hash(again) == hash(o)


# --- choosing one -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("o", TABLE.values(), ids=TABLE)
def test_a_name_stands_for_its_row(o):
    assert output(o.name) is output(o.name.upper()) is output(o) is o
    assert o.loss
    assert (o.target, o.metric) in itertools.product(("classes", "labels"), ("accuracy",)) or o.metric == "r2"


def test_synonyms():
    assert output("linear") is TABLE["identity"]
    assert output("logistic") is TABLE["sigmoid"]


@pytest.mark.parametrize("choice", ["soft", "relu", "", None, 3])
def test_an_unknown_name_lists_all(refused, choice):
    refused(lambda: output(choice), repr(choice), *TABLE)
