"""PyTorch: eager, as it is usually written, and torch.compile with a whole step in one compiled function."""

from __future__ import annotations

import os
from importlib.metadata import version
from textwrap import shorten
from typing import Any

from ..cases import Array, Problem
from .interface import Peer, Rows, StepByStep, Work, in_turn, not_installed, rows_of

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def _torch() -> Any:
    """Import PyTorch, on the threads that this process was given."""
    import torch

    threads = os.environ.get("OMP_NUM_THREADS")
    if threads:
        torch.set_num_threads(int(threads))
    return torch


def _module(problem: Problem) -> Any:
    torch = _torch()
    parts: list[Any] = []
    for W, b in problem.initial():
        linear = torch.nn.Linear(W.shape[1], W.shape[0])
        with torch.no_grad():
            linear.weight.copy_(torch.from_numpy(W))
            linear.bias.copy_(torch.from_numpy(b))
        parts += [linear, torch.nn.ReLU()]
    return torch.nn.Sequential(*parts[:-1])


def _batches(problem: Problem, steps: int) -> Any:
    torch, rows = _torch(), steps * problem.case.batch_size
    X, y = torch.from_numpy(problem.X[:rows]), torch.from_numpy(problem.y[:rows])
    return zip(X.split(problem.case.batch_size), y.split(problem.case.batch_size), strict=True)


def _train_eager(problem: Problem) -> Work:
    torch, case = _torch(), problem.case
    module = _module(problem)
    start = {name: value.clone() for name, value in module.state_dict().items()}
    loss_of = torch.nn.CrossEntropyLoss()

    def losses(steps: int) -> Array:
        module.load_state_dict(start)
        kind = torch.optim.Adam if case.update == "adam" else torch.optim.SGD
        optimizer = kind(module.parameters(), lr=case.rate)
        seen = []
        for x, codes in _batches(problem, steps):
            optimizer.zero_grad()
            loss = loss_of(module(x), codes)
            loss.backward()
            optimizer.step()
            seen.append(loss.detach())
        numbers: Array = torch.stack(seen).numpy()
        return numbers

    return StepByStep(losses)


def _predict_eager(problem: Problem) -> Work:
    return _predict(problem, lambda forward: forward)


def _predict_compiled(problem: Problem) -> Work:
    return _predict(problem, lambda forward: _torch().compile(forward, fullgraph=True, dynamic=False))


def _predict(problem: Problem, prepare: Any) -> Work:
    torch = _torch()
    module = _module(problem).eval()
    forward = prepare(lambda x: module(x).softmax(dim=1))

    def predict(x: Any) -> Any:
        with torch.no_grad():
            return forward(x)

    return Rows(predict, [torch.from_numpy(row) for row in rows_of(problem)])


def _train_compiled(problem: Problem) -> Work:
    """Loss, gradients and update in one compiled function: at small sizes three times as fast as a compiled loss."""
    torch, case = _torch(), problem.case
    module = _module(problem)
    names = [name for name, _ in module.named_parameters()]
    start = [value.detach().clone() for value in module.parameters()]
    theta = [value.clone() for value in start]
    mean, squares = [torch.zeros_like(value) for value in start], [torch.zeros_like(value) for value in start]

    def loss_of(values: list[Any], x: Any, codes: Any) -> Any:
        a = torch.func.functional_call(module, dict(zip(names, values, strict=True)), (x,))
        return torch.nn.functional.cross_entropy(a, codes)

    def step(theta: Any, mean: Any, squares: Any, x: Any, codes: Any, corrections: Any) -> Any:
        gradients, loss = torch.func.grad_and_value(loss_of)(theta, x, codes)
        for value, gradient, m, s in zip(theta, gradients, mean, squares, strict=True):
            if case.update == "adam":
                m.lerp_(gradient, 1 - BETA1)
                s.lerp_(gradient * gradient, 1 - BETA2)
                value.sub_(case.rate * (m * corrections[0]) / ((s * corrections[1]).sqrt() + EPSILON))
            else:
                value.sub_(gradient, alpha=case.rate)
        return loss

    compiled = torch.compile(step, fullgraph=True, dynamic=False)

    def losses(steps: int) -> Array:
        for value, first in zip([*theta, *mean, *squares], [*start, *[0] * 2 * len(start)], strict=True):
            value.copy_(first) if isinstance(first, torch.Tensor) else value.zero_()
        ts = torch.arange(1, steps + 1, dtype=torch.float64)[:, None]
        corrections = (1 / (1 - torch.tensor([[BETA1, BETA2]], dtype=torch.float64) ** ts)).float().unbind()
        with torch.no_grad():
            seen = [
                compiled(theta, mean, squares, x, codes, correction)
                for (x, codes), correction in zip(_batches(problem, steps), corrections, strict=True)
            ]
        numbers: Array = torch.stack(seen).numpy()
        return numbers

    return StepByStep(losses)


def _not_compiling() -> str:
    """Return why torch.compile cannot be used, "" if it can; compiles a line to find out."""
    absent = not_installed("torch")
    if absent:
        return absent
    torch = _torch()
    from torch._dynamo.exc import TorchDynamoException

    try:
        torch.compile(lambda x: x.relu() + 1)(torch.zeros(4))
    except (TorchDynamoException, RuntimeError) as error:
        reason = str(error).strip().removeprefix("backend='inductor' raised:")
        return shorten(f"cannot compile: {reason or type(error).__name__}", 90, placeholder=" ...")
    return ""


def _versions() -> dict[str, str]:
    return {"torch": version("torch")}


EAGER = Peer(
    "pytorch", missing=lambda: not_installed("torch"), versions=_versions, train=_train_eager,
    predict=_predict_eager, train_many=in_turn(_train_eager, 4),
)  # fmt: skip
COMPILED = Peer(
    "torch.compile", missing=_not_compiling, versions=_versions, train=_train_compiled, predict=_predict_compiled,
)  # fmt: skip
