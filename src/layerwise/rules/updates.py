"""Update rules: theta <- theta + alpha Delta, as one scalar formula each (course-map rows 13, 21).

An update is a frozen description. Its formula takes theta, the gradient, the entries of its memory, and scalars that
may change from step to step; it returns theta and the memory anew.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Final

from ..errors import SpecificationError, check_number, closest
from ..ops import Expression, Operand, Vocabulary, expression


class Update(ABC):
    """What an update rule offers to training.

    Attributes
    ----------
    rate : float
        The rate alpha, before the schedule's factor.
    memory : tuple of str
        Names of what is kept for every parameter between steps.
    formula : Expression
        Inputs: theta, grad, the memory, then the scalars; results: theta and the memory.
    differ : tuple of str
        Names of the scalars that weights W have other values of than biases, scales and shifts.
    takes_arrays : bool
        Whether `scalars` also takes arrays of t and rate, and returns arrays for what depends on them.
    """

    rate: float
    differ: ClassVar[tuple[str, ...]] = ()
    takes_arrays: ClassVar[bool] = False

    @property
    @abstractmethod
    def formula(self) -> Expression:
        """The rule as a formula of scalars."""

    @property
    def memory(self) -> tuple[str, ...]:
        """Names of what is kept between steps."""
        return self.formula.inputs[2 : 1 + len(self.formula.outputs)]

    @property
    def initial_memory(self) -> float:
        """The value that all memory starts from."""
        return 0.0

    @abstractmethod
    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        """Return the scalars of the formula for update number t = 1, 2, ...

        Parameters
        ----------
        t : int, or an array of them
        rate : float, or an array
            The rate alpha after the schedule's factor.
        is_weight : bool
            Whether the parameters are weights W (which decay) or biases, scales and shifts (which do not).
        """


def apply_update(
    ops: Vocabulary, update: Update, theta: Operand, grad: Operand, memory: Sequence[Operand],
    scalars: Mapping[str, Any],
) -> tuple[Operand, tuple[Operand, ...]]:  # fmt: skip
    """Return theta and the memory after one update; all of one shape."""
    names = update.formula.inputs[2 + len(memory) :]
    results = ops.map(update.formula, theta, grad, *memory, *(scalars[name] for name in names))
    theta, *kept = results if isinstance(results, tuple) else (results,)
    return theta, tuple(kept)


@expression
def _sgd(s: Any, theta: Any, grad: Any, rate: Any) -> Any:
    return theta - rate * grad


@expression
def _momentum(s: Any, theta: Any, grad: Any, velocity: Any, rate: Any, momentum: Any) -> Any:
    velocity = grad + momentum * velocity
    return theta - rate * velocity, velocity


@expression
def _nesterov(s: Any, theta: Any, grad: Any, velocity: Any, rate: Any, momentum: Any) -> Any:
    velocity = grad + momentum * velocity
    return theta - rate * (grad + momentum * velocity), velocity


@dataclass(frozen=True)
class SGD(Update):
    """Stochastic gradient descent: Delta = -v, with v = grad + momentum v (v = grad without momentum).

    Parameters
    ----------
    rate : float
        The rate alpha.
    momentum : float
        In [0, 1).
    nesterov : bool
        Delta = -(grad + momentum v) instead (Sutskever, Martens, Dahl and Hinton 2013).

    Examples
    --------
    >>> SGD(0.1, momentum=0.5).memory
    ('velocity',)
    """

    takes_arrays: ClassVar[bool] = True
    rate: float = 0.1
    momentum: float = 0.0
    nesterov: bool = False

    def __post_init__(self) -> None:
        check_number("rate", self.rate, above=0)
        check_number("momentum", self.momentum, at_least=0, below=1)
        if self.nesterov and self.momentum == 0:
            raise SpecificationError(
                where="nesterov", expected="a momentum above 0", got="0", remedy="give momentum, such as 0.9"
            )

    @property
    def formula(self) -> Expression:
        return _nesterov if self.nesterov else _momentum if self.momentum else _sgd

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        return {"rate": rate, "momentum": self.momentum}


@expression
def _adagrad(s: Any, theta: Any, grad: Any, squares: Any, rate: Any, epsilon: Any) -> Any:
    squares = squares + grad * grad
    return theta - rate * grad / s.sqrt(squares + epsilon), squares


@dataclass(frozen=True)
class Adagrad(Update):
    """Adagrad (Duchi, Hazan and Singer 2011): Delta = -grad / sqrt(sum of squared gradients + epsilon)."""

    takes_arrays: ClassVar[bool] = True
    rate: float = 0.01
    epsilon: float = 1e-7
    initial_squares: float = 0.1

    def __post_init__(self) -> None:
        check_number("rate", self.rate, above=0)
        check_number("epsilon", self.epsilon, above=0)
        check_number("initial_squares", self.initial_squares, at_least=0)

    @property
    def formula(self) -> Expression:
        return _adagrad

    @property
    def initial_memory(self) -> float:
        return self.initial_squares

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        return {"rate": rate, "epsilon": self.epsilon}


@expression
def _rmsprop(
    s: Any, theta: Any, grad: Any, squares: Any, rate: Any, decay: Any, one_minus_decay: Any, epsilon: Any
) -> Any:
    squares = decay * squares + one_minus_decay * (grad * grad)
    return theta - rate * grad / s.sqrt(squares + epsilon), squares


@dataclass(frozen=True)
class RMSProp(Update):
    """RMSProp (Tieleman and Hinton 2012): Adagrad with a running mean of squared gradients, not their sum."""

    takes_arrays: ClassVar[bool] = True
    rate: float = 0.001
    decay: float = 0.9
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        check_number("rate", self.rate, above=0)
        check_number("decay", self.decay, at_least=0, below=1)
        check_number("epsilon", self.epsilon, above=0)

    @property
    def formula(self) -> Expression:
        return _rmsprop

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        return {"rate": rate, "decay": self.decay, "one_minus_decay": 1 - self.decay, "epsilon": self.epsilon}


@expression
def _adam(
    s: Any, theta: Any, grad: Any, mean: Any, squares: Any, rate: Any, beta1: Any, one_minus_beta1: Any, beta2: Any,
    one_minus_beta2: Any, epsilon: Any, mean_correction: Any, squares_correction: Any,
) -> Any:  # fmt: skip
    mean = beta1 * mean + one_minus_beta1 * grad  # in float32, 1 - 0.999 would be wrong by 1.3e-5 of its value
    squares = beta2 * squares + one_minus_beta2 * (grad * grad)
    direction = (mean * mean_correction) / (s.sqrt(squares * squares_correction) + epsilon)
    return theta - rate * direction, mean, squares


@expression
def _adamw(
    s: Any, theta: Any, grad: Any, mean: Any, squares: Any, rate: Any, beta1: Any, one_minus_beta1: Any, beta2: Any,
    one_minus_beta2: Any, epsilon: Any, mean_correction: Any, squares_correction: Any, decay: Any,
) -> Any:  # fmt: skip
    mean = beta1 * mean + one_minus_beta1 * grad
    squares = beta2 * squares + one_minus_beta2 * (grad * grad)
    direction = (mean * mean_correction) / (s.sqrt(squares * squares_correction) + epsilon)
    return theta - rate * (direction + decay * theta), mean, squares


def _adam_scalars(update: Adam | AdamW, t: Any, rate: Any) -> dict[str, Any]:
    return {
        "rate": rate, "beta1": update.beta1, "one_minus_beta1": 1 - update.beta1,
        "beta2": update.beta2, "one_minus_beta2": 1 - update.beta2, "epsilon": update.epsilon,
        "mean_correction": 1 / (1 - update.beta1**t), "squares_correction": 1 / (1 - update.beta2**t),
    }  # fmt: skip


def _check_adam(update: Adam | AdamW) -> None:
    check_number("rate", update.rate, above=0)
    check_number("beta1", update.beta1, at_least=0, below=1)
    check_number("beta2", update.beta2, at_least=0, below=1)
    check_number("epsilon", update.epsilon, above=0)


@dataclass(frozen=True)
class Adam(Update):
    """Adam (Kingma and Ba 2015): Delta = -m / (sqrt(v) + epsilon), with bias-corrected running means m, v."""

    takes_arrays: ClassVar[bool] = True
    rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8

    def __post_init__(self) -> None:
        _check_adam(self)

    @property
    def formula(self) -> Expression:
        return _adam

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        return _adam_scalars(self, t, rate)


@dataclass(frozen=True)
class AdamW(Update):
    """Adam with decoupled weight decay (Loshchilov and Hutter 2019): Delta also has -decay W, for weights only."""

    differ: ClassVar[tuple[str, ...]] = ("decay",)
    takes_arrays: ClassVar[bool] = True
    rate: float = 0.001
    beta1: float = 0.9
    beta2: float = 0.999
    epsilon: float = 1e-8
    decay: float = 0.01

    def __post_init__(self) -> None:
        _check_adam(self)
        check_number("decay", self.decay, at_least=0)

    @property
    def formula(self) -> Expression:
        return _adamw

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        return _adam_scalars(self, t, rate) | {"decay": self.decay if is_weight else 0.0}


@dataclass(frozen=True)
class OwnUpdate(Update):
    """A user's update as one formula.

    Parameters
    ----------
    own_formula : Expression
        Of theta, grad, the memory, and scalars (rate among them); results: theta and the memory.
    rate : float
    settings : tuple of (name, value)
        The other scalars.
    initial : float
        The value that all memory starts from.

    Examples
    --------
    >>> sign = OwnUpdate.of(lambda s, theta, grad, rate: theta - rate * (s.less(0, grad) - s.less(grad, 0)), rate=0.01)
    >>> sign.memory
    ()
    """

    takes_arrays: ClassVar[bool] = True
    own_formula: Expression
    rate: float
    settings: tuple[tuple[str, float], ...] = ()
    initial: float = 0.0

    def __post_init__(self) -> None:
        check_number("rate", self.rate, above=0)
        check_number("initial", self.initial)
        for name, value in self.settings:
            check_number(name, value)
        given, results = self.own_formula.inputs, len(self.own_formula.outputs)
        scalars = {"rate", *(name for name, _ in self.settings)}
        if given[:2] != ("theta", "grad") or len(given) < 1 + results or set(given[1 + results :]) != scalars:
            raise SpecificationError(
                where="update", expected="a formula of theta, grad, the memory, rate and the given settings",
                got=f"{', '.join(given)} with {results} results",
                remedy="name them in this order and return theta, then the memory",
            )  # fmt: skip

    @classmethod
    def of(cls, formula: Callable[..., Any], rate: float, initial: float = 0.0, **settings: float) -> OwnUpdate:
        """Make an update of ``lambda s, theta, grad, <memory>, rate, <settings>: (theta, <memory>)``."""
        return cls(Expression.trace(formula), rate, tuple(settings.items()), initial)

    @property
    def formula(self) -> Expression:
        return self.own_formula

    @property
    def initial_memory(self) -> float:
        return self.initial

    def scalars(self, t: Any, rate: Any, is_weight: bool) -> Mapping[str, Any]:
        return {"rate": rate, **dict(self.settings)}


TABLE: Final[dict[str, Callable[..., Update]]] = {
    "sgd": SGD, "adagrad": Adagrad, "rmsprop": RMSProp, "adam": Adam, "adamw": AdamW,
}  # fmt: skip


def update(name: str, rate: float | None = None, momentum: float | None = None) -> Update:
    """Return the update of that name; ``nesterov`` and ``momentum`` are SGD with that kind of momentum.

    Parameters
    ----------
    name : str
    rate : float, optional
        By default the rule's own.
    momentum : float, optional
        For sgd, momentum and nesterov only; 0.9 by default for the last two.

    Raises
    ------
    SpecificationError
        If the name is unknown, or momentum is given to a rule that has none.

    Examples
    --------
    >>> update("nesterov", rate=0.05)
    SGD(rate=0.05, momentum=0.9, nesterov=True)
    """
    name = str(name).lower()
    settings: dict[str, Any] = {} if rate is None else {"rate": rate}
    if name in ("sgd", "momentum", "nesterov"):
        default = 0.0 if name == "sgd" else 0.9
        return SGD(**settings, momentum=default if momentum is None else momentum, nesterov=name == "nesterov")
    if name not in TABLE:
        names = [*TABLE, "momentum", "nesterov"]
        raise SpecificationError(
            where="update", expected="one of " + ", ".join(names), got=repr(name), remedy=closest(name, names)
        )
    if momentum is not None:
        raise SpecificationError(
            where="momentum", expected="no momentum", got=f"{momentum} with {name}",
            remedy="take sgd or nesterov, or leave it out",
        )  # fmt: skip
    return TABLE[name](**settings)


def as_update(choice: str | Update) -> Update:
    """Return the update, or the one of that name with its own settings.

    Raises
    ------
    SpecificationError
        If it is neither, or scalars differ that it does not say to.
    """
    if isinstance(choice, Update):
        _check_names(choice)
        return choice
    if isinstance(choice, str):
        return update(choice)
    raise SpecificationError(
        where="update", expected="an update such as lw.SGD(0.1), or a name", got=repr(choice), remedy="give one of them"
    )


def _check_names(rule: Update) -> None:
    """Raise a SpecificationError unless engines can tell its memory and scalars from others."""
    of_weights, of_others = (rule.scalars(1, rule.rate, is_weight) for is_weight in (True, False))
    unsaid = [name for name, value in of_weights.items() if name not in rule.differ and value != of_others[name]]
    taken = sorted({"theta", "statistics", "gradient"}.intersection(rule.memory))  # the other flat vectors
    if unsaid or taken:
        raise SpecificationError(
            where="update", expected="differ to name all that differs" if unsaid else "other names of memory",
            got=f"{rule.differ} without {unsaid}" if unsaid else ", ".join(taken), remedy="change the rule",
        )  # fmt: skip
