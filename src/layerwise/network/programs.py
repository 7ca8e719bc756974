"""The network's programs: its rules, recorded for one setting of training."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from ..errors import SpecificationError, closest
from ..program import Program, Recorded, Recorder, Role
from ..rules.penalties import Penalty
from ..rules.updates import Update
from .propagation import Gradients, Training, Values
from .specification import Network
from .steps import Batch, Computed, evaluate_step, loss_and_gradient, predict_step, train_step, update_step

PROGRAMS: Final = ("train_step", "loss_and_gradient", "update", "evaluate", "predict")
#: What each quantity is called in print; an entry of `Values` or `Gradients` by layer.
VALUES: Final = ("a", "z", "h", "mask")
GRADIENTS: Final = ("a", "z", "h", "W", "b", "gamma", "beta")


@dataclass
class _Theta:
    """theta as recorded buffers, by layer."""

    W: dict[int, Recorded] = field(default_factory=dict)
    b: dict[int, Recorded] = field(default_factory=dict)
    gamma: dict[int, Recorded] = field(default_factory=dict)
    beta: dict[int, Recorded] = field(default_factory=dict)
    running_mean: dict[int, Recorded] = field(default_factory=dict)
    running_variance: dict[int, Recorded] = field(default_factory=dict)


def record(net: Network, name: str, update: Update, penalty: Penalty, weighted: bool) -> Program:
    """Record a program of the network; see `Network.program`.

    Raises
    ------
    SpecificationError
        If there is no program of that name.
    """
    if name not in PROGRAMS:
        raise SpecificationError(
            where="program", expected="one of " + ", ".join(PROGRAMS), got=repr(name),
            remedy=closest(name, list(PROGRAMS)),
        )  # fmt: skip
    recorder = Recorder()
    if name == "update":
        theta, gradients = _theta(recorder, net), _gradients(recorder, net)
        update_step(recorder, net, theta, gradients, update, *_update_buffers(recorder, net, update))
        return recorder.program(name, {})
    X = recorder.buffer(layered("h", 0), ("n", net.inputs), "input")
    theta = _theta(recorder, net)
    if name == "predict":
        values = predict_step(recorder, net, theta, X)
        _label_values(recorder, values)
        return recorder.program(name, {"f": values.f})
    codes = net.output.target == "classes"
    y = recorder.buffer("y", ("n",) if codes else ("n", net.outputs), "codes" if codes else "input")
    weights = recorder.buffer("w", ("n", 1), "input") if weighted else None
    if name == "evaluate":
        values, losses, scores = evaluate_step(recorder, net, theta, Batch(X, y, weights))
        _label_values(recorder, values)
        return recorder.program(name, {"losses": losses, "scores": scores})
    batch = Batch(X, y, weights, _training(recorder, net))
    strengths = [recorder.buffer(label, (), "scalar") for label in strength_names(penalty)]
    if name == "loss_and_gradient":
        computed = loss_and_gradient(recorder, net, theta, batch, penalty, strengths)
        grads = {layered(f"grad_{s.name}", s.k): getattr(computed.gradients, s.name)[s.k] for s in net.segments}
        return recorder.program(name, _outputs(recorder, computed) | grads)
    memory, scalars = _update_buffers(recorder, net, update)
    computed, squared_norm = train_step(recorder, net, theta, batch, penalty, strengths, update, memory, scalars)
    return recorder.program(name, _outputs(recorder, computed) | {"squared_gradient_norm": squared_norm})


def strength_names(penalty: Penalty) -> list[str]:
    """Return what the strength of each term is called; numbered where a name occurs twice.

    >>> strength_names(Penalty.own(1.0, lambda s, w: w * w) + Penalty.own(2.0, lambda s, w: w))
    ['lambda_own', 'lambda_own_2']
    """
    names = [f"lambda_{term.name}" for term in penalty.terms]
    return [name if (count := names[: i + 1].count(name)) == 1 else f"{name}_{count}" for i, name in enumerate(names)]


def layered(name: str, k: int) -> str:
    """Return a name as the course writes it.

    >>> layered("grad_W", 2)
    'grad_W^(2)'
    """
    return f"{name}^({k})"


def _label_values(recorder: Recorder, values: Values) -> None:
    for name in VALUES:
        for k, operand in getattr(values, name).items():
            recorder.label(operand, layered(name, k))
    recorder.label(values.f, "f")


def _outputs(recorder: Recorder, computed: Computed) -> dict[str, Any]:
    """Name what the course names, and return what a step reports."""
    _label_values(recorder, computed.values)
    for name in GRADIENTS:
        for k, operand in getattr(computed.gradients, name).items():
            recorder.label(operand, layered(f"grad_{name}", k))
    reported = {"loss": computed.loss, "score": computed.score}
    return reported if computed.penalty is None else reported | {"penalty": computed.penalty}


def _theta(recorder: Recorder, net: Network) -> _Theta:
    theta = _Theta()
    parts: tuple[tuple[Any, Role], ...] = ((net.segments, "parameter"), (net.statistic_segments, "statistic"))
    for segments, role in parts:
        for s in segments:
            getattr(theta, s.name)[s.k] = recorder.buffer(layered(s.name, s.k), s.shape, role)
    return theta


def _gradients(recorder: Recorder, net: Network) -> Gradients:
    gradients = Gradients()
    for s in net.segments:
        getattr(gradients, s.name)[s.k] = recorder.buffer(layered(f"grad_{s.name}", s.k), s.shape, "input")
    return gradients


def _training(recorder: Recorder, net: Network) -> Training:
    rows, key = recorder.buffer("rows", ("n",), "rows"), recorder.buffer("key", (2,), "key")
    dropping = [k for k, layer in enumerate(net.layers, 1) if layer.dropout > 0]
    return Training(rows, key, {k: recorder.buffer(layered("p", k), (), "scalar") for k in dropping})


def _update_buffers(
    recorder: Recorder, net: Network, update: Update
) -> tuple[dict[str, list[Recorded]], dict[bool, dict[str, Recorded]]]:
    """Return the memory, one buffer a segment, and the scalars of weights (True) and of other parameters."""
    memory = {
        name: [recorder.buffer(f"{name}_{layered(s.name, s.k)}", s.shape, "memory") for s in net.segments]
        for name in update.memory
    }
    of_weights, of_others = (update.scalars(1, update.rate, is_weight) for is_weight in (True, False))
    scalars: dict[bool, dict[str, Recorded]] = {True: {}, False: {}}
    for name in of_weights:
        shared = of_weights[name] == of_others[name]
        for is_weight in (True, False):
            if shared and not is_weight:
                scalars[False][name] = scalars[True][name]
            else:
                label = name if shared else f"{name}_{'W' if is_weight else 'b'}"
                scalars[is_weight][name] = recorder.buffer(label, (), "scalar")
    return memory, scalars
