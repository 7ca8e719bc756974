"""The network's programs: its rules, recorded for one setting of training and made ready by an engine, each once."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt

from ..engines import Executable, engine
from ..errors import SpecificationError, closest
from ..program import Program, Recorded, Recorder, Role
from ..rules.penalties import Penalty
from ..rules.updates import SGD, Update
from .activity import activity_strengths
from .parameters import Parameters
from .propagation import Gradients, Training, Values, dropout_probabilities
from .specification import Network, Segment
from .steps import (
    Batch,
    Computed,
    evaluate_step,
    loss_and_gradient,
    output_gradient_step,
    per_example_step,
    predict_step,
    train_step,
    update_step,
)

PROGRAMS: Final = ("train_step", "loss_and_gradient", "update", "evaluate", "predict")
#: What each quantity is called in print; an entry of `Values` or `Gradients` by layer.
VALUES: Final = ("a", "z", "h", "mask")
GRADIENTS: Final = ("a", "z", "h", "W", "b", "gamma", "beta")
#: Names of buffers that scalars of an update must not take.
TAKEN: Final = ("y", "w", "rows", "key", "clip_norm")
#: The strength of the noise on x, as a scalar of programs.
NOISE: Final = "s^(0)"
Mode = Literal["train", "predict"]
Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Setting:
    """What a program is recorded for, beside the network.

    Parameters
    ----------
    name : str
        One of `PROGRAMS`, or "per_example_gradients", "jacobian" or "input_gradient".
    update : Update
    penalty : Penalty
    weighted : bool
        Whether examples have weights.
    mode : "train" or "predict"
        Whether there are masks and batch moments in "loss_and_gradient" and "per_example_gradients".
    clips : bool
        Whether "train_step" limits the norm of the gradient.
    """

    name: str
    update: Update = field(default_factory=SGD)
    penalty: Penalty = field(default_factory=Penalty)
    weighted: bool = False
    mode: Mode = "train"
    clips: bool = False

    @property
    def key(self) -> Hashable:
        """What the recorded program depends on: formulas and names, but not the values of rates and strengths."""
        if self.name in ("predict", "input_gradient", "jacobian"):
            return self.name
        if self.name in ("evaluate", "per_example_gradients"):
            return self.name, self.weighted, self.mode
        update = (self.update.formula, self.update.memory, self.update.differ)
        if self.name == "update":
            return self.name, update
        terms = tuple((term.name, term.omega, term.slope) for term in self.penalty.terms)
        return self.name, self.weighted, self.mode, terms, (update, self.clips) if self.name == "train_step" else None


@dataclass
class _Theta:
    """theta as recorded buffers, by layer."""

    W: dict[int, Recorded] = field(default_factory=dict)
    b: dict[int, Recorded] = field(default_factory=dict)
    gamma: dict[int, Recorded] = field(default_factory=dict)
    beta: dict[int, Recorded] = field(default_factory=dict)
    running_mean: dict[int, Recorded] = field(default_factory=dict)
    running_variance: dict[int, Recorded] = field(default_factory=dict)


PREDICT: Final = Setting("predict")


def record(net: Network, setting: Setting) -> Program:
    """Return a program of the network, recorded when it is first asked for; see `Network.program`.

    Raises
    ------
    SpecificationError
        If there is no program of that name, or the update cannot be recorded.
    """
    if setting.name not in RECORDERS:
        raise SpecificationError(
            where="program", expected="one of " + ", ".join(PROGRAMS), got=repr(setting.name),
            remedy=closest(setting.name, list(PROGRAMS)),
        )  # fmt: skip
    made, key = net.made, setting.key
    if key not in made:  # two threads may record it at once: they record the same
        recorder = Recorder()
        outputs = RECORDERS[setting.name](recorder, net, setting)
        made[key] = recorder.program(setting.name, outputs, sums=setting.name == "evaluate")
    program: Program = made[key]
    return program


def executable(net: Network, setting: Setting, dtype: npt.DTypeLike) -> Executable:
    """Return a program of the network, made ready by the engine of the moment when it is first asked for."""
    chosen = engine()
    made, key = net.made, (chosen.name, chosen.variant, np.dtype(dtype).char, setting.key)
    if key not in made:
        made[key] = chosen.load(record(net, setting), dtype)
    loaded: Executable = made[key]
    return loaded


def predict_rows(net: Network, theta: Parameters, X: Array) -> Array:
    """Return f(x) of every row; X and theta are checked already."""
    dtype = theta.vector.dtype
    run = executable(net, PREDICT, dtype)
    vectors = vectors_of(theta)
    pieces = []
    for start in range(0, len(X), net.piece):
        with np.errstate(over="ignore"):  # too large for float32 becomes infinite
            piece = np.require(X[start : start + net.piece], dtype, ("C", "A"))
        pieces.append(run.call(vectors, {layered("h", 0): piece})["f"])
    return pieces[0] if len(pieces) == 1 else np.concatenate(pieces)


def vectors_of(theta: Parameters) -> dict[str, Array]:
    """Return theta and the statistics by the names that programs give these vectors."""
    return {"theta": theta.vector, "statistics": theta.statistics}


def constant_scalars(net: Network, penalty: Penalty) -> dict[str, float]:
    """Return the scalars of dropout, noise and penalties by the names that programs give them."""
    strengths = zip(strength_names(penalty), (term.strength for term in penalty.terms), strict=True)
    noise = {NOISE: net.input_noise} if net.input_noise > 0 else {}
    activity = {
        name: strength
        for k, values in activity_strengths(net).items()
        for name, strength in zip(_activity_names(net, k), values, strict=True)
    }
    return {layered("p", k): p for k, p in dropout_probabilities(net).items()} | noise | activity | dict(strengths)


def update_scalars(update: Update, t: Any, rate: Any) -> dict[str, Any]:
    """Return the scalars of the update by the names that programs give them; see `Update.scalars`."""
    of_weights = update.scalars(t, rate, True)
    of_others = update.scalars(t, rate, False) if update.differ else of_weights
    labels = _scalar_labels(_scalars_of(update), update.differ)
    return {label: (of_weights if is_weight else of_others)[name] for label, name, is_weight in labels}


@lru_cache
def _scalar_labels(names: tuple[str, ...], differ: tuple[str, ...]) -> tuple[tuple[str, str, bool], ...]:
    """Return what programs call each scalar, with its own name and whether it is that of weights."""
    labels = {_scalar_name(differ, name, is_weight): (name, is_weight) for name in names for is_weight in (True, False)}
    return tuple((label, name, is_weight) for label, (name, is_weight) in labels.items())


def strength_names(penalty: Penalty) -> list[str]:
    """Return what the strength of each term is called; numbered where a name occurs twice.

    >>> strength_names(Penalty.own(1.0, lambda s, w: w * w) + Penalty.own(2.0, lambda s, w: w))
    ['lambda_own', 'lambda_own_2']
    """
    names = [f"lambda_{term.name}" for term in penalty.terms]
    return [name if (count := names[: i + 1].count(name)) == 1 else f"{name}_{count}" for i, name in enumerate(names)]


def _activity_names(net: Network, k: int) -> list[str]:
    return [layered(name, k) for name in strength_names(net.layers[k - 1].activity)]


def layered(name: str, k: int) -> str:
    """Return a name as the course writes it.

    >>> layered("grad_W", 2)
    'grad_W^(2)'
    """
    return f"{name}^({k})"


# --- what is recorded: each returns the outputs -----------------------------------------------------------------------


def _train_step(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    theta, batch, strengths = _training_batch(recorder, net, setting)
    memory, scalars = _update_buffers(recorder, net, setting.update)
    clip_norm = recorder.buffer("clip_norm", (), "scalar") if setting.clips else None
    computed, norm = train_step(
        recorder, net, theta, batch, setting.penalty, strengths, setting.update, memory, scalars, clip_norm
    )
    return _reported(recorder, computed) | {"gradient_norm": norm}


def _loss_and_gradient(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    theta, batch, strengths = _training_batch(recorder, net, setting)
    computed = loss_and_gradient(recorder, net, theta, batch, setting.penalty, strengths)
    grads = {layered(f"grad_{s.name}", s.k): getattr(computed.gradients, s.name)[s.k] for s in net.segments}
    return _reported(recorder, computed) | grads


def _update(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    theta, gradients = _theta(recorder, net), Gradients()
    for s in net.segments:
        getattr(gradients, s.name)[s.k] = _slice(recorder, layered(f"grad_{s.name}", s.k), s, "gradient", "gradient")
    update_step(
        recorder, net, theta, gradients, setting.update, *_update_buffers(recorder, net, setting.update)
    )  # fmt: skip
    return {}


def _evaluate(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    X, theta = _features(recorder, net), _theta(recorder, net)
    values, loss, score = evaluate_step(recorder, net, theta, _batch(recorder, net, setting, X))
    _label(recorder, values)
    return {"loss_sum": loss, "score_sum": score}


def _predict(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    X, theta = _features(recorder, net), _theta(recorder, net)
    values = predict_step(recorder, net, theta, X)
    _label(recorder, values)
    return {"f": values.f}


def _per_example_gradients(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    X, theta = _features(recorder, net), _theta(recorder, net)
    batch = _batch(recorder, net, setting, X)
    batch.training = _training(recorder, net) if setting.mode == "train" else None
    return _factors(recorder, net, *per_example_step(recorder, net, theta, batch))


def _jacobian(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    return _factors(recorder, net, *_output_gradient(recorder, net))


def _input_gradient(recorder: Recorder, net: Network, setting: Setting) -> dict[str, Any]:
    values, gradients = _output_gradient(recorder, net)
    _label(recorder, values, gradients)
    return {layered("grad_h", 0): gradients.h[0]}


RECORDERS: Final[dict[str, Callable[[Recorder, Network, Setting], dict[str, Any]]]] = {
    "train_step": _train_step, "loss_and_gradient": _loss_and_gradient, "update": _update, "evaluate": _evaluate,
    "predict": _predict, "per_example_gradients": _per_example_gradients, "jacobian": _jacobian,
    "input_gradient": _input_gradient,
}  # fmt: skip


# --- buffers and names ------------------------------------------------------------------------------------------------


def _features(recorder: Recorder, net: Network) -> Recorded:
    return recorder.buffer(layered("h", 0), ("n", net.inputs), "features")


def _theta(recorder: Recorder, net: Network) -> _Theta:
    theta = _Theta()
    for s in net.segments:
        getattr(theta, s.name)[s.k] = _slice(recorder, layered(s.name, s.k), s, "parameter", "theta")
    for s in net.statistic_segments:
        getattr(theta, s.name)[s.k] = _slice(recorder, layered(s.name, s.k), s, "statistic", "statistics")
    return theta


def _slice(recorder: Recorder, name: str, segment: Segment, role: Role, vector: str) -> Recorded:
    return recorder.buffer(name, segment.shape, role, vector, segment.start)


def _batch(recorder: Recorder, net: Network, setting: Setting, X: Recorded) -> Batch:
    codes = net.output.target == "classes"
    y = recorder.buffer("y", ("n",) if codes else ("n", net.targets), "codes" if codes else "targets")
    return Batch(X, y, recorder.buffer("w", ("n", 1), "weights") if setting.weighted else None)


def _training_batch(recorder: Recorder, net: Network, setting: Setting) -> tuple[_Theta, Batch, list[Recorded]]:
    X, theta = _features(recorder, net), _theta(recorder, net)
    batch = _batch(recorder, net, setting, X)
    batch.training = _training(recorder, net) if setting.mode == "train" else None
    return theta, batch, [recorder.buffer(name, (), "scalar") for name in strength_names(setting.penalty)]


def _training(recorder: Recorder, net: Network) -> Training:
    rows, key = recorder.buffer("rows", ("n",), "rows"), recorder.buffer("key", (2,), "key")
    dropout = {k: recorder.buffer(layered("p", k), (), "scalar") for k in dropout_probabilities(net)}
    noise = recorder.buffer(NOISE, (), "scalar") if net.input_noise > 0 else 0.0
    names = {k: _activity_names(net, k) for k in activity_strengths(net)}
    return Training(rows, key, dropout, noise, {
        k: [recorder.buffer(name, (), "scalar") for name in of_layer] for k, of_layer in names.items()
    })  # fmt: skip


def _output_gradient(recorder: Recorder, net: Network) -> tuple[Values, Gradients]:
    X, theta = _features(recorder, net), _theta(recorder, net)
    return output_gradient_step(recorder, net, theta, X, recorder.buffer("grad_f", ("n", net.outputs), "input"))


def _update_buffers(
    recorder: Recorder, net: Network, update: Update
) -> tuple[dict[str, list[Recorded]], dict[bool, dict[str, Recorded]]]:
    """Return the memory, one buffer a segment, and the scalars of weights (True) and of other parameters."""
    memory = {
        name: [_slice(recorder, f"{name}_{layered(s.name, s.k)}", s, "memory", name) for s in net.segments]
        for name in update.memory
    }
    made: dict[str, Recorded] = {}
    scalars: dict[bool, dict[str, Recorded]] = {True: {}, False: {}}
    for name in _scalars_of(update):
        for is_weight in (True, False):
            label = _scalar_name(update.differ, name, is_weight)
            if label not in made:
                made[label] = recorder.buffer(label, (), "scalar")
            scalars[is_weight][name] = made[label]
    return memory, scalars


def _scalars_of(update: Update) -> tuple[str, ...]:
    return update.formula.inputs[2 + len(update.memory) :]


def _scalar_name(differ: tuple[str, ...], name: str, is_weight: bool) -> str:
    if name in differ:
        return f"{name}_{'W' if is_weight else 'b'}"
    return f"update_{name}" if name in TAKEN or name.startswith("lambda_") else name


def _label(recorder: Recorder, values: Values, gradients: Gradients | None = None) -> None:
    """Name what the course names."""
    parts: list[tuple[str, Mapping[int, Any]]] = [(name, getattr(values, name)) for name in VALUES]
    if gradients is not None:
        parts += [(f"grad_{name}", getattr(gradients, name)) for name in GRADIENTS]
    for name, operands in parts:
        for k, operand in operands.items():
            recorder.label(operand, layered(name, k))
    recorder.label(values.f, "f")


def _reported(recorder: Recorder, computed: Computed) -> dict[str, Any]:
    """Name what the course names, and return what a step reports."""
    _label(recorder, computed.values, computed.gradients)
    recorder.label(computed.loss, "loss")
    outputs = {"objective": computed.objective, "loss": computed.loss, "score": computed.score}
    if computed.penalty is not None:
        outputs["penalty"] = computed.penalty
    return outputs if computed.reported is None else outputs | {"reported": computed.reported}


def _factors(recorder: Recorder, net: Network, values: Values, gradients: Gradients) -> dict[str, Any]:
    """Return what each row's gradient of theta is a product of; fed^(1) only where it is not x."""
    _label(recorder, values, gradients)
    factors = {layered("grad_a", k): grad for k, grad in gradients.a.items()}
    factors |= {layered("fed", k): fed for k, fed in values.fed.items() if fed is not values.h[0]}
    factors |= {layered("grad_z", k): grad for k, grad in gradients.z.items()}
    return factors | {layered("u", k): values.u[k] for k in gradients.z}
