"""Universal approximation (Hornik 1991): bumps and towers built by hand, learned fits, and how far off they are.

Course-map row 9. Functions are those of NumPy: of arrays x_1, ..., x_d of one shape, one for each input.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final, final

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError, check_number
from ..network import Network, Parameters
from ..rules.updates import Adam
from ..training.fit import Model, fit

Array = npt.NDArray[Any]
Function = Callable[..., Any]
#: Pre-activations at which a sigmoid counts as 0 or 1: 1 - sigmoid(20) is 2e-9.
FAR: Final = 20.0
#: Points of a grid over an interval, and on each side of one over a square.
POINTS: Final = {1: 2001, 2: 151}


def bump_network(
    function: Function, pieces: int, low: float, high: float, slope: float | None = None
) -> tuple[Network, Parameters]:
    """Build a network with one hidden layer that approximates a function on an interval; nothing is trained.

    The interval is cut into pieces of one width, and each has a bump: the difference of two sigmoids, rising at its
    left edge and falling at its right edge. The linear output unit sums bumps times the function's values at their
    middles. The outermost edges lie beyond the interval, as bumps are half as high at an edge. So the error is largest
    at the limits: half a width times the slope of the function there.

    Parameters
    ----------
    function : callable (x) -> array
        Of an array x, as NumPy's functions are.
    pieces : int
        The hidden layer has twice as many units.
    low, high : float
    slope : float, optional
        The w of all hidden units. Large ones make steps, and smaller ones blend neighbours: by default 5 over the width
        of a piece, where smooth functions are approximated best.

    Returns
    -------
    net : Network
        1 input, 2 * pieces sigmoid units, 1 linear output.
    theta : Parameters

    Raises
    ------
    InputError, SpecificationError
        If the function has no finite values there, or a setting cannot be.

    Examples
    --------
    >>> net, theta = bump_network(np.sin, 50, 0.0, np.pi)
    >>> net.sizes, bool(approximation_error(net, theta, np.sin, 0.0, np.pi).rms < 0.01)
    ((1, 100, 1), True)
    """
    _check_interval(low, high)
    check_number("pieces", pieces, at_least=1, whole=True)
    slope = _slope(slope, pieces, low, high)
    edges = np.linspace(low, high, pieces + 1)
    heights = _values(function, 0.5 * (edges[1:] + edges[:-1]))
    edges[[0, -1]] += np.array([-FAR, FAR]) / slope
    net = Network(1, [2 * pieces], 1, hidden="sigmoid", output="identity")
    theta = net.initialize()
    positions = np.column_stack([edges[:-1], edges[1:]]).ravel()  # left and right edge of each bump in turn
    theta.W[1][...] = slope
    theta.b[1][...] = -slope * positions
    theta.W[2][...] = np.column_stack([heights, -heights]).ravel()
    return net, theta


def tower_network(
    function: Function, pieces: int, low: float, high: float, slope: float | None = None
) -> tuple[Network, Parameters]:
    """Build a network with two hidden layers that approximates a function of two inputs on a square, without training.

    The first hidden layer has the bumps of `bump_network` for each input. A unit of the second one has a tower over
    each cell of the grid: sigmoid(40 (bump_i(x_1) + bump_j(x_2) - 3/2)), which needs both bumps. The output unit sums
    towers times the function's values at the middles of the cells. Towers are steps, with a dent down to 0 where four
    of them meet: the mean error falls with the number of pieces and with the slope, the largest one does not.

    Parameters
    ----------
    function : callable (x_1, x_2) -> array
    pieces : int
        Of each input: pieces^2 towers.
    low, high : float
        Of both inputs.
    slope : float, optional
        Of the bumps' edges; by default 40 over the width of a piece.

    Returns
    -------
    net : Network
        2 inputs, 4 * pieces and pieces^2 sigmoid units, 1 linear output.
    theta : Parameters

    Raises
    ------
    InputError, SpecificationError
        If the function has no finite values there, or a setting cannot be.

    Examples
    --------
    >>> net, theta = tower_network(lambda x1, x2: x1 * x2, 10, -1.0, 1.0)
    >>> net.sizes
    (2, 40, 100, 1)
    """
    _check_interval(low, high)
    check_number("pieces", pieces, at_least=1, at_most=200, whole=True)
    slope = _slope(slope, pieces, low, high, 40.0)
    edges = np.linspace(low, high, pieces + 1)
    middles = 0.5 * (edges[1:] + edges[:-1])
    heights = _values(function, np.repeat(middles, pieces), np.tile(middles, pieces))
    edges[[0, -1]] += np.array([-FAR, FAR]) / slope
    positions = np.column_stack([edges[:-1], edges[1:]]).ravel()
    net = Network(2, [4 * pieces, pieces**2], 1, hidden="sigmoid", output="identity")
    theta = net.initialize()
    theta.W[1][...] = slope * np.repeat(np.eye(2), 2 * pieces, axis=0)
    theta.b[1][...] = -slope * np.tile(positions, 2)
    bump = np.kron(np.eye(pieces), [1.0, -1.0])  # (pieces, 2 pieces): what makes bump i of the units of one input
    both = np.column_stack([np.repeat(bump, pieces, axis=0), np.tile(bump, (pieces, 1))])
    theta.W[2][...] = 40.0 * both
    theta.b[2][...] = 40.0 * -1.5
    theta.W[3][...] = heights
    return net, theta


@final
@dataclass(frozen=True)
class ApproximationError:
    """How far a network is from a function on a grid.

    Attributes
    ----------
    largest : float
        max |f(x) - function(x)|.
    rms : float
        The root of the mean square.
    """

    largest: float
    rms: float


def approximation_error(
    net: Network, theta: Parameters, function: Function, low: float, high: float, points: int | None = None
) -> ApproximationError:
    """Compare a network of one output with a function on an interval, or on a square if it has two inputs.

    Parameters
    ----------
    net : Network
    theta : Parameters
    function : callable (x) or (x_1, x_2) -> array
    low, high : float
        Of every input.
    points : int, optional
        Equally spaced, limits included, of each input: by default 2001, or 151 of two.

    Returns
    -------
    ApproximationError

    Raises
    ------
    InputError, SpecificationError
        If the network has other inputs or outputs, or the function no finite values.

    Examples
    --------
    >>> net = Network(1, [], 1, output="identity")
    >>> theta = net.initialize()
    >>> theta.vector[...] = 1.0, 0.5  # f(x) = x + 1/2
    >>> approximation_error(net, theta, lambda x: x, 0.0, 1.0, points=3)
    ApproximationError(largest=0.5, rms=0.5)
    """
    if net.inputs not in POINTS or net.outputs != 1:
        raise SpecificationError(
            where="net", expected="one or two inputs and one output", got="-".join(map(str, net.sizes)),
            remedy="compare other networks on rows of your own",
        )  # fmt: skip
    columns = _grid(net.inputs, low, high, POINTS[net.inputs] if points is None else points)
    away = np.abs(net.predict(theta, np.column_stack(columns))[:, 0] - _values(function, *columns))
    return ApproximationError(float(away.max()), float(np.sqrt((away**2).mean())))


@final
@dataclass(frozen=True, eq=False)
class LearnedFit:
    """What `learned_fit` found.

    Attributes
    ----------
    network : Network
    parameters : Parameters
        Of the function's own inputs.
    error : ApproximationError
    model : Model
        As it was trained, of inputs scaled to -1 .. 1; it has the history.
    """

    network: Network
    parameters: Parameters
    error: ApproximationError
    model: Model

    def __repr__(self) -> str:
        sizes = "-".join(str(size) for size in self.network.sizes)
        return f"LearnedFit({sizes}, largest error {self.error.largest:.3g}, rms {self.error.rms:.3g})"


def learned_fit(
    function: Function, units: int, low: float, high: float, *, inputs: int = 1, hidden: Any = "tanh",
    epochs: int = 1000, seed: int = 0, rate: float = 0.03,
) -> LearnedFit:  # fmt: skip
    """Train a network with one hidden layer and a linear output on a function's values over a grid.

    Adam with the cosine schedule, in batches of 32, on 512 points of an interval, or 32 x 32 of a square. Inputs are
    scaled to -1 .. 1 in training, and the first layer is rewritten for the function's own inputs afterwards. At the
    start the hidden units lie all over the inputs, each steep enough for its share of them (Nguyen and Widrow 1990):
    with all biases 0 the error stops falling at some ten units.

    Parameters
    ----------
    function : callable (x) or (x_1, x_2) -> array
    units : int
        Of the hidden layer.
    low, high : float
        Of every input.
    inputs : {1, 2}
    hidden : str, Activation or callable
    epochs : int
    seed : int
    rate : float

    Returns
    -------
    LearnedFit

    Raises
    ------
    InputError, SpecificationError
        If the function has no finite values there, or a setting cannot be.

    Examples
    --------
    >>> few, more = (learned_fit(np.sin, units, -3.0, 3.0, epochs=200) for units in (1, 8))
    >>> more.error.rms < 0.2 * few.error.rms
    True
    """
    check_number("inputs", inputs, at_least=1, at_most=2, whole=True)
    check_number("units", units, at_least=1, whole=True)
    _check_interval(low, high)
    columns = _grid(inputs, low, high, {1: 512, 2: 32}[inputs])
    t = _values(function, *columns)
    middle, half = (low + high) / 2, (high - low) / 2
    net = Network(inputs, [units], 1, hidden=hidden, output="identity")
    model = fit(
        net, (np.column_stack(columns) - middle) / half, t, update=Adam(rate), batch_size=32, epochs=epochs,
        schedule="cosine", dtype="float64", seed=seed, initial=_spread_out(net, seed, float(t.mean())),
    )  # fmt: skip
    theta = model.parameters.copy()
    theta.W[1][...] /= half
    theta.b[1][...] -= middle * theta.W[1].sum(axis=1)
    return LearnedFit(net, theta, approximation_error(net, theta, function, low, high), model)


def _spread_out(net: Network, seed: int, mean: float) -> Parameters:
    """Return parameters whose ridges have directions and places at random; f is the mean of the targets."""
    theta = net.initialize(seed)
    W, b = theta.W[1], theta.b[1]
    length = 0.7 * len(W) ** (1 / net.inputs)
    W *= length / np.linalg.norm(W, axis=1, keepdims=True)
    b[...] = np.random.default_rng(seed).uniform(-length, length, len(b))
    theta.W[2][...] = 0.0
    theta.b[2][...] = mean
    return theta


def _check_interval(low: float, high: float) -> None:
    check_number("low", low)
    check_number("high", high, above=low)


def _slope(slope: float | None, pieces: int, low: float, high: float, default: float = 5.0) -> float:
    if slope is None:
        return default * pieces / (high - low)
    check_number("slope", slope, above=0)
    return float(slope)


def _grid(inputs: int, low: float, high: float, points: int) -> list[Array]:
    _check_interval(low, high)
    check_number("points", points, at_least=2, whole=True)
    return [axis.ravel() for axis in np.meshgrid(*[np.linspace(low, high, points)] * inputs, indexing="ij")]


def _values(function: Function, *columns: Array) -> Array:
    values = np.asarray(function(*columns), dtype=np.float64)
    if values.shape == ():
        values = np.full(columns[0].shape, float(values))
    if values.shape != columns[0].shape or not np.isfinite(values).all():
        got = f"shape {values.shape}" if values.shape != columns[0].shape else "NaN or infinity"
        raise InputError(
            where="function", expected=f"{len(columns[0])} finite values for so many points", got=got,
            remedy="give a function of arrays, such as np.sin, that is finite between low and high",
        )  # fmt: skip
    return values
