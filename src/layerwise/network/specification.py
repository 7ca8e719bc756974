"""Network: the frozen specification of a feed-forward network, and where each parameter lies in theta."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ..errors import SpecificationError, check_number
from ..ops import Purpose
from ..rules.initialisation import Initialisation, initialisation
from ..rules.outputs import Output
from ..rules.outputs import output as output_named
from ..rules.penalties import Penalty, as_penalty
from ..rules.updates import SGD, Update, as_update
from .layers import Layer

if TYPE_CHECKING:
    from ..program import Program
    from .parameters import Parameters
    from .trace import Trace


#: Rows computed in one go outside training: a fixed number, so that results do not depend on the machine.
PIECE: Final = 2048
#: Entries of X computed in one go, for very wide rows.
PIECE_ENTRIES: Final = 1 << 24


@dataclass(frozen=True)
class Segment:
    """One named slice of a flat vector: ``name`` is W, b, gamma, beta, running_mean or running_variance."""

    name: str
    k: int
    start: int
    shape: tuple[int, ...]

    @property
    def stop(self) -> int:
        """The end of the slice."""
        return self.start + math.prod(self.shape)

    def view(self, vector: npt.NDArray[Any]) -> npt.NDArray[Any]:
        """Return the slice of a flat vector in its own shape; no copy."""
        return vector[self.start : self.stop].reshape(self.shape)


@dataclass(frozen=True, init=False)
class Network:
    """A feed-forward network: h^(0) = x, a^(k) = b^(k) + W^(k) h^(k-1), h^(k) = g(a^(k)), f = o(a^(L+1)).

    Parameters
    ----------
    inputs : int
        Number of features of x.
    layers : sequence of int or Layer
        The L hidden layers; an int is a layer of that many units with the settings below. Empty for none.
    outputs : int
        Number of raw output columns: the units of the last affine layer. A target may need several (see `Output`).
    hidden : str, Activation or callable
        g of the layers given as int: a name, or ``lambda s, a: ...``.
    output : str or Output
        o with its loss: "softmax" (negative log-likelihood), "sigmoid" (binary negative log-likelihood of every
        column), "identity" (half the squared error), "absolute", "huber", "poisson" (half the deviance of counts),
        "gaussian" (means and log variances), or one that is made, such as ``lw.Quantile([0.1, 0.5, 0.9])``.
    dropout, batch_norm
        For the layers given as int; see `Layer`.
    initialisation : str, float or Initialisation
        How W is drawn in the layers given as int and in the output layer.
    input_dropout : float
        Probability, in [0, 1), that a component of x is set to 0 in training. This is the masking noise of denoising
        autoencoders (Vincent et al. 2010): what stays is not scaled up, other than in a layer's dropout.
    input_noise : float
        In training, this times standard normal numbers is added to x (before components are set to 0).
    tied : bool
        Tie the weights of an autoencoder: W^(L+2-k) = W^(k)' in the upper half of the layers, whose W are no parameters
        then. Biases stay free. The sizes have to be symmetric, with an odd number of hidden layers.

    Raises
    ------
    SpecificationError
        If a size is below 1, a name is unknown, softmax has a single output, outputs do not make whole targets, or
        weights cannot be tied.

    Examples
    --------
    >>> net = Network(784, [100], 10, hidden="sigmoid", output="softmax")
    >>> net.n_parameters
    79510
    >>> theta = net.initialize(seed=0)
    >>> theta.W[1].shape, theta.b[2].shape
    ((100, 784), (10,))
    """

    inputs: int
    layers: tuple[Layer, ...]
    outputs: int
    output: Output
    output_initialisation: Initialisation
    input_dropout: float
    input_noise: float
    tied: bool

    def __init__(
        self, inputs: int, layers: Sequence[int | Layer], outputs: int, *, hidden: Any = "relu",
        output: str | Output = "softmax", dropout: float = 0.0, batch_norm: bool = False,
        initialisation: str | float | Initialisation = "glorot_uniform", input_dropout: float = 0.0,
        input_noise: float = 0.0, tied: bool = False,
    ) -> None:  # fmt: skip
        check_number("inputs", inputs, at_least=1, whole=True)
        check_number("outputs", outputs, at_least=1, whole=True)
        check_number("input_dropout", input_dropout, at_least=0, below=1)
        check_number("input_noise", input_noise, at_least=0)
        if isinstance(layers, str | Layer) or not isinstance(layers, Iterable):
            raise SpecificationError(
                where="layers",
                expected="a list of hidden layers",
                got=repr(layers),
                remedy="write [100] for one layer of 100",
            )
        chosen = output_named(output)
        chosen.targets_of(int(outputs))
        Layer(1, hidden, dropout, batch_norm, initialisation)  # a wrong setting is wrong even where no layer takes it
        made = tuple(
            layer if isinstance(layer, Layer) else Layer(layer, hidden, dropout, batch_norm, initialisation)
            for layer in layers
        )
        settings = {
            "inputs": int(inputs), "layers": made, "outputs": int(outputs), "output": chosen,
            "output_initialisation": _initialisation_named(initialisation), "input_dropout": float(input_dropout),
            "input_noise": float(input_noise), "tied": bool(tied),
        }  # fmt: skip
        for name, value in settings.items():
            object.__setattr__(self, name, value)
        if tied and (self.L % 2 == 0 or self.sizes != self.sizes[::-1]):
            raise SpecificationError(
                where="tied", expected="sizes that are the same from both ends, with an odd number of hidden layers",
                got="-".join(map(str, self.sizes)), remedy="make them 64-16-64 or 64-32-16-32-64, say",
            )  # fmt: skip

    @property
    def L(self) -> int:
        """The number of hidden layers."""
        return len(self.layers)

    @property
    def sizes(self) -> tuple[int, ...]:
        """Units of every layer: inputs, hidden layers, outputs."""
        return (self.inputs, *(layer.units for layer in self.layers), self.outputs)

    @cached_property
    def targets(self) -> int:
        """The number T of target columns; 1 for class codes.

        >>> Network(4, [3], 6, output="gaussian").targets
        3
        """
        return self.output.targets_of(self.outputs)

    @cached_property
    def own_weights(self) -> tuple[int, ...]:
        """The layers k whose W is a parameter: all of them, or the lower half where weights are tied."""
        return tuple(range(1, ((self.L + 1) // 2 if self.tied else self.L + 1) + 1))

    def weight_of(self, k: int) -> int:
        """Return the layer whose W layer k reads: k, or L+2-k in the upper half where weights are tied (transposed)."""
        return min(k, self.L + 2 - k) if self.tied else k

    @cached_property
    def made(self) -> dict[Any, Any]:
        """The programs and executables that were made for this network; no part of what it is, and never pickled."""
        return {}

    @cached_property
    def _predict(self) -> Callable[[Network, Parameters, Any], npt.NDArray[Any]]:
        """prediction.py imports this file; importing it back at every call would take a microsecond."""
        from .prediction import predict

        return predict

    def __getstate__(self) -> dict[str, Any]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    @cached_property
    def segments(self) -> tuple[Segment, ...]:
        """Where each parameter lies in theta.vector: W1, b1 (gamma1, beta1 with batch normalisation), W2, b2, ...

        Where weights are tied, the upper half of the layers has no W.
        """
        shapes: list[tuple[str, int, tuple[int, ...]]] = []
        for k in range(1, self.L + 2):
            d_out, d_in = self.sizes[k], self.sizes[k - 1]
            shapes += [("W", k, (d_out, d_in))] if k in self.own_weights else []
            shapes += [("b", k, (d_out,))]
            if k <= self.L and self.layers[k - 1].batch_norm:
                shapes += [("gamma", k, (d_out,)), ("beta", k, (d_out,))]
        return _laid_out(shapes)

    @cached_property
    def statistic_segments(self) -> tuple[Segment, ...]:
        """Where each running mean and variance lies in theta.statistics."""
        normalised = [(k, layer.units) for k, layer in enumerate(self.layers, 1) if layer.batch_norm]
        names = ("running_mean", "running_variance")
        return _laid_out([(name, k, (units,)) for k, units in normalised for name in names])

    @property
    def n_parameters(self) -> int:
        """P, the number of entries of theta.vector."""
        return self.segments[-1].stop

    @property
    def n_statistics(self) -> int:
        """The number of entries of theta.statistics."""
        return self.statistic_segments[-1].stop if self.statistic_segments else 0

    @property
    def piece(self) -> int:
        """Rows computed in one go outside training, whatever the machine."""
        return min(PIECE, max(1, PIECE_ENTRIES // self.inputs))

    @property
    def corrupts(self) -> bool:
        """Whether x is corrupted in training."""
        return self.input_dropout > 0 or self.input_noise > 0

    @property
    def draws(self) -> bool:
        """Whether training draws random numbers for every row: masks or noise."""
        return self.corrupts or any(layer.dropout > 0 for layer in self.layers)

    @property
    def normalises(self) -> bool:
        """Whether any layer has batch normalisation."""
        return bool(self.statistic_segments)

    def initialize(self, seed: int = 0, dtype: npt.DTypeLike = np.float64) -> Parameters:
        """Draw W by each layer's initialisation; b = 0, gamma = 1, beta = 0, running mean 0 and variance 1.

        Parameters
        ----------
        seed : int
            The same seed gives the same bits.
        dtype : float64 or float32
            Numbers are drawn in float64 and rounded.

        Returns
        -------
        theta : a Parameters object
        """
        from .parameters import Parameters

        check_number("seed", seed, at_least=0, below=2**64, whole=True)
        theta = Parameters(self, np.zeros(self.n_parameters))
        for k in self.own_weights:
            rule = self.layers[k - 1].initialisation if k <= self.L else self.output_initialisation
            generator = np.random.default_rng([seed, int(Purpose.INITIALISATION), k])
            scale = rule.scale(self.sizes[k - 1], self.sizes[k])
            W = theta.W[k]
            if rule.distribution == "uniform":
                W[...] = generator.uniform(-scale, scale, W.shape)
            elif rule.distribution == "normal":
                W[...] = generator.normal(0.0, scale, W.shape)
            else:
                W[...] = scale
        for k in theta.gamma:
            theta.gamma[k][...] = 1.0
        return theta.astype(dtype)

    def predict(self, theta: Parameters, X: Any) -> npt.NDArray[Any]:
        """Return f(x) of every row, with no dropout and with the running statistics.

        Parameters
        ----------
        theta : Parameters
        X : array (n, inputs)

        Returns
        -------
        array (n, outputs) of theta's dtype
        """
        return self._predict(self, theta, X)

    def trace(
        self, theta: Parameters, X: Any, y: Any, penalty: Penalty | None = None, weights: Any = None,
        mode: Literal["predict", "train"] = "predict", key: int | tuple[int, int] = 0, *,
        weight_mean: float | Literal["as given"] | None = None, rows: Any = None,
    ) -> Trace:  # fmt: skip
        """Compute every quantity of the forward and backward pass, each by its name in the course.

        Parameters
        ----------
        theta : Parameters
            Its dtype is the dtype of everything.
        X : array (n, inputs)
        y : array (n,) of class codes, or (n, targets)
        penalty : Penalty, optional
        weights : array (n,), optional
            Weights w_t of the examples.
        mode : {"predict", "train"}
            "train" applies dropout masks and takes the batch's own mean and variance.
        key : int or (seed, step)
            For the dropout masks.
        weight_mean : float or "as given", optional
            w_mean; by default the mean of `weights`. "as given" is 1 and allows negative weights.
        rows : array (n,) of int, optional
            Positions in the data set, for the dropout masks; 0 .. n-1 by default.

        Returns
        -------
        Trace
        """
        from .trace import trace

        return trace(self, theta, X, y, penalty, weights, mode, key, weight_mean, rows)

    def program(
        self, name: str, *, update: str | Update | None = None, penalty: Penalty | None = None, weighted: bool = False,
        clips: bool = False,
    ) -> Program:  # fmt: skip
        """Record one of the rules that an engine runs; printed, it reads like the course's algorithm.

        Parameters
        ----------
        name : str
            "train_step", "loss_and_gradient", "update", "evaluate" or "predict".
        update : str or Update
            SGD by default.
        penalty : Penalty, optional
        weighted : bool
            Whether examples have weights.
        clips : bool
            Whether "train_step" limits the norm of the gradient; the limit is its scalar clip_norm.

        Returns
        -------
        Program

        Examples
        --------
        >>> print(Network(4, [3], 2, hidden="tanh").program("predict"))
        predict: h^(0) (n, 4); W^(1) (3, 4); b^(1) (3); W^(2) (2, 3); b^(2) (2)
          a^(1) = b^(1) + W^(1) h^(0)
          h^(1) = tanh(a^(1))
          a^(2) = b^(2) + W^(2) h^(1)
          v11 = exp(a^(2) - (max_c a^(2)))
          f = v11 / (sum_c v11)
        """
        from .programs import Setting, record

        chosen = SGD() if update is None else as_update(update)
        return record(self, Setting(name, chosen, as_penalty(penalty), weighted, clips=clips))


_initialisation_named = initialisation


def _laid_out(shapes: list[tuple[str, int, tuple[int, ...]]]) -> tuple[Segment, ...]:
    segments: list[Segment] = []
    for name, k, shape in shapes:
        segments.append(Segment(name, k, segments[-1].stop if segments else 0, shape))
    return tuple(segments)
