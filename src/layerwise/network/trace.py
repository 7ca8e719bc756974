"""Trace: every quantity of one forward and backward pass, by its name in the course (course-map rows 10-17)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt

from ..errors import InputError, SpecificationError, check_number
from ..ops import NumpyOps
from ..rules.penalties import Penalty, as_penalty, penalty_backward, penalty_forward
from .activity import activity_gradients, activity_of_rows, activity_strengths
from .inputs import check_inputs, check_parameters, check_targets, check_weights
from .layers import ByLayer
from .parameters import Parameters
from .propagation import Training, backward, dropout_probabilities, forward
from .specification import Network
from .steps import Batch, batch_losses, batch_mean

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False, repr=False)
class Trace:
    """What `Network.trace` computes; rows are examples, layers count from 1.

    Attributes
    ----------
    a : ByLayer
        Pre-activations a[k], k = 1..L+1, (n, d).
    z : ByLayer
        Normalised pre-activations, for layers with batch normalisation.
    h : ByLayer
        h[0] is x, h[k] = g(a[k]) before the dropout mask, h[L+1] is f.
    mask : ByLayer
        Dropout masks: 0 or 1/(1-p); only in mode "train". mask[0] is that of x (`input_dropout`): 0 or 1.
    fed : ByLayer
        What each layer's affine step reads: fed[1] is x, corrupted in mode "train" where the network does so; fed[k] is
        h[k-1] under its mask.
    f : array (n, outputs)
        The output f(x).
    losses : array (n,)
        l(f(x), y) of every example.
    loss : float
        (1/n) sum_t (w_t / w_mean) l_t.
    penalty : float
        lambda Omega(theta); in mode "train" also the mean of the penalties on activations, weighted like the loss.
    grad_f, grad_a, grad_z, grad_h
        One row an example: gradients of that example's own loss. With batch normalisation in mode "train" the examples
        are tied, and these are gradients of n times the mean loss. grad_f can be infinite where f_y is 0. In mode
        "train" each example's penalty on activations counts with its loss.
    grad_W, grad_b, grad_gamma, grad_beta : ByLayer
        Gradients of the objective: loss + penalty. Where weights are tied, grad_W[L+2-k] is grad_W[k]', and both are of
        the W that the two layers share.
    """

    network: Network
    a: ByLayer
    z: ByLayer
    h: ByLayer
    mask: ByLayer
    fed: ByLayer
    f: Array
    losses: Array
    loss: float
    penalty: float
    grad_f: Array
    grad_a: ByLayer
    grad_z: ByLayer
    grad_h: ByLayer
    grad_W: ByLayer
    grad_b: ByLayer
    grad_gamma: ByLayer
    grad_beta: ByLayer

    @property
    def objective(self) -> float:
        """J = loss + penalty: what grad_W and grad_b differentiate."""
        return self.loss + self.penalty

    @property
    def gradient(self) -> Array:
        """The gradient of the objective as one vector, in the order of theta.vector."""
        parts = [getattr(self, f"grad_{s.name}")[s.k].ravel() for s in self.network.segments]
        return np.concatenate(parts)

    def quantities(self) -> dict[str, Array | float]:
        """Return every quantity by its printed name, from x to the gradients, in the order of computation."""
        last = self.network.L + 1
        named: dict[str, Array | float] = {"h[0]": self.h[0]}
        if 0 in self.mask:
            named["mask[0]"] = self.mask[0]
        if self.fed[1] is not self.h[0]:
            named["fed[1]"] = self.fed[1]
        for k in range(1, last + 1):
            for name in ("a", "z", "h", "mask"):
                if k in getattr(self, name) and (name, k) != ("h", last):
                    named[f"{name}[{k}]"] = getattr(self, name)[k]
        named |= {"f": self.f, "losses": self.losses, "loss": self.loss, "penalty": self.penalty, "grad_f": self.grad_f}
        for k in range(last, 0, -1):
            for name in ("grad_h", "grad_z", "grad_a", "grad_W", "grad_b", "grad_gamma", "grad_beta"):
                if k in getattr(self, name) and (name, k) != ("grad_h", last):
                    named[f"{name}[{k}]"] = getattr(self, name)[k]
        named["grad_h[0]"] = self.grad_h[0]
        return named

    def __repr__(self) -> str:
        lines = []
        for name, value in self.quantities().items():
            if isinstance(value, np.ndarray):
                low, high = (value.min(), value.max()) if value.size else (np.nan, np.nan)
                lines.append(f"{name:14} {'x'.join(map(str, value.shape)):>10}   {low: .6g} .. {high:.6g}")
            else:
                lines.append(f"{name:14} {'':>10}   {value: .6g}")
        return "\n".join(lines)


def trace(
    net: Network, theta: Parameters, X: Any, y: Any, penalty: Penalty | None, weights: Any,
    mode: Literal["predict", "train"], key: int | tuple[int, int], weight_mean: float | Literal["as given"] | None,
    rows: Any,
) -> Trace:  # fmt: skip
    """Compute a `Trace`; see `Network.trace`."""
    check_parameters(theta, net)
    penalty = as_penalty(penalty)
    dtype = theta.vector.dtype
    ops = NumpyOps(dtype)
    X = check_inputs(X, net).astype(dtype)
    y = check_targets(y, net, len(X))
    y = y if net.output.target == "classes" else y.astype(dtype)
    w, mean = check_weights(weights, len(X), weight_mean)
    training = training_of(net, len(X), mode, key, rows)
    tied = training is not None and net.normalises
    relative = None if w is None else (w / mean).astype(dtype)[:, None]

    values = forward(ops, net, theta, X, training)
    batch = Batch(X, y, relative)
    loss, losses = batch_losses(ops, net, values, batch)
    activity, at_h = activity_of_rows(ops, net, values, training), activity_gradients(ops, net, values, training)
    grad_a = net.output.loss_gradient_at_preactivation(ops, values.f, y)
    grad_f = net.output.loss_gradient_at_output(ops, values.f, y)
    share: Any = 1.0 / len(X)
    if tied and relative is not None:  # tied rows have no losses of their own: each carries its weight from the start
        grad_a, grad_f = grad_a * relative, grad_f * relative
        at_h = {k: grad * relative for k, grad in at_h.items()}
    elif relative is not None:
        share = relative / len(X)
    gradients = backward(
        ops, net, theta, values, grad_a, tied=tied, row_scale=share, to_input=True, grad_activity=at_h
    )  # fmt: skip
    strengths = [term.strength for term in penalty.terms]
    omega = 0.0 if activity is None else float(batch_mean(ops, activity, batch)[0])
    if penalty.terms:
        omega += float(penalty_forward(ops, penalty, [theta.W[k] for k in net.own_weights], strengths)[0])
        gradients.W = {k: penalty_backward(ops, penalty, theta.W[k], g, strengths) for k, g in gradients.W.items()}

    def by_layer(name: str, arrays: dict[int, Array]) -> ByLayer:
        return ByLayer(name, dict(sorted(arrays.items())))

    last = net.L + 1
    grad_W = {k: gradients.W[j] if (j := net.weight_of(k)) == k else gradients.W[j].T for k in range(1, last + 1)}
    return Trace(
        network=net,
        a=by_layer("a", values.a), z=by_layer("z", values.z), h=by_layer("h", values.h | {last: values.f}),
        mask=by_layer("mask", values.mask), fed=by_layer("fed", values.fed), f=values.f, losses=losses[:, 0],
        loss=float(loss[0]), penalty=omega,
        grad_f=grad_f, grad_a=by_layer("grad_a", gradients.a), grad_z=by_layer("grad_z", gradients.z),
        grad_h=by_layer("grad_h", gradients.h | {last: grad_f}), grad_W=by_layer("grad_W", grad_W),
        grad_b=by_layer("grad_b", gradients.b), grad_gamma=by_layer("grad_gamma", gradients.gamma),
        grad_beta=by_layer("grad_beta", gradients.beta),
    )  # fmt: skip


def training_of(
    net: Network, n: int, mode: Literal["predict", "train"], key: int | tuple[int, int], rows: Any = None
) -> Training | None:
    """Return what the forward pass needs in mode "train", None in mode "predict".

    Raises
    ------
    SpecificationError
        If the mode is unknown.
    InputError
        If batch normalisation has a single row to train on, or rows do not fit.
    """
    if mode not in ("predict", "train"):
        raise SpecificationError(
            where="mode", expected='"predict" or "train"', got=repr(mode), remedy="choose one of them"
        )
    if mode == "predict":
        return None
    check_rows_for_normalisation(net, n)
    pair = key if isinstance(key, tuple) else (key, 0)
    if len(pair) != 2:
        raise SpecificationError(
            where="key", expected="a seed, or (seed, step)", got=repr(key), remedy="give one or two whole numbers"
        )
    for name, number, bits in (("seed of the key", pair[0], 64), ("step of the key", pair[1], 32)):
        check_number(name, number, at_least=0, below=2**bits, whole=True)
    place = int(pair[0]), int(pair[1])
    places = check_places(rows, n)
    return Training(places, place, dropout_probabilities(net), net.input_noise, activity_strengths(net))


def check_places(rows: Any, n: int) -> Array:
    """Return the position of each of n rows in the data set; 0 .. n-1 if not given.

    Raises
    ------
    InputError
        If they are not n whole numbers from 0 to below 2^32.
    """
    places = np.arange(n) if rows is None else np.asarray(rows)
    if places.shape != (n,) or places.dtype.kind not in "iu" or places.min() < 0 or places.max() >= 2**32:
        raise InputError(
            where="rows", expected=f"({n},) whole numbers of at least 0", got=f"{places.shape} of {places.dtype}",
            remedy="give the position of each row in the data set",
        )  # fmt: skip
    return places


def check_rows_for_normalisation(net: Network, n: int) -> None:
    """Raise an InputError if batch normalisation would take the variance of a single row."""
    if net.normalises and n < 2:
        raise InputError(
            where="batch normalisation", expected="two rows or more in training", got=f"{n}",
            remedy="use a larger batch size, or no batch normalisation",
        )  # fmt: skip
