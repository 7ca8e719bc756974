"""A loop written by hand in NumPy for these networks alone, with every array made ready before it."""

from __future__ import annotations

from itertools import pairwise

import numpy as np

from ..cases import Array, Problem
from .interface import Peer, Rows, StepByStep, Work, in_turn, rows_of

BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8


def _train(problem: Problem) -> Work:
    case, X, y = problem.case, problem.X, problem.y
    B, sizes, L = case.batch_size, case.sizes, len(case.sizes) - 1
    start = np.concatenate([array.ravel() for pair in problem.initial() for array in pair])
    theta, gradient = start.copy(), np.empty_like(start)
    moments = (np.zeros_like(start), np.zeros_like(start), np.empty_like(start))
    W, b = _views(theta, sizes)
    grad_W, grad_b = _views(gradient, sizes)
    h = [np.empty((B, size), np.float32) for size in sizes[1:]]
    grad_h = [np.empty((B, size), np.float32) for size in sizes[1:-1]]
    active = [np.empty((B, size), bool) for size in sizes[1:-1]]
    column, rows, rate = np.empty((B, 1), np.float32), np.arange(B), np.float32(case.rate)

    def step(x: Array, codes: Array) -> float:
        below = x
        for k in range(L):
            np.matmul(below, W[k].T, out=h[k])
            np.add(h[k], b[k], out=h[k])
            if k < L - 1:
                np.maximum(h[k], 0, out=h[k])
            below = h[k]
        f = h[-1]
        np.subtract(f, np.maximum.reduce(f, axis=1, keepdims=True, out=column), out=f)
        np.exp(f, out=f)
        np.divide(f, np.add.reduce(f, axis=1, keepdims=True, out=column), out=f)
        picked = f[rows, codes]
        loss = -float(np.add.reduce(np.log(picked))) / B
        f[rows, codes] = picked - 1
        np.divide(f, B, out=f)
        grad = f
        for k in reversed(range(L)):
            np.matmul(grad.T, h[k - 1] if k else x, out=grad_W[k])
            np.add.reduce(grad, axis=0, out=grad_b[k])
            if k:
                np.matmul(grad, W[k], out=grad_h[k - 1])
                np.greater(h[k - 1], 0, out=active[k - 1])
                grad = np.multiply(grad_h[k - 1], active[k - 1], out=grad_h[k - 1])
        return loss

    def sgd(t: int) -> None:
        np.subtract(theta, np.multiply(gradient, rate, out=gradient), out=theta)

    def adam(t: int) -> None:
        mean, squares, scratch = moments
        np.add(mean, np.multiply(np.subtract(gradient, mean, out=scratch), 1 - BETA1, out=scratch), out=mean)
        np.multiply(gradient, gradient, out=gradient)
        np.add(squares, np.multiply(np.subtract(gradient, squares, out=gradient), 1 - BETA2, out=gradient), out=squares)
        np.sqrt(np.multiply(squares, 1 / (1 - BETA2**t), out=scratch), out=scratch)
        np.divide(mean, np.add(scratch, EPSILON, out=scratch), out=scratch)
        np.subtract(theta, np.multiply(scratch, case.rate / (1 - BETA1**t), out=scratch), out=theta)

    update = adam if case.update == "adam" else sgd

    def losses(steps: int) -> Array:
        theta[...] = start
        moments[0][...] = moments[1][...] = 0
        seen = np.empty(steps)
        for i in range(steps):
            seen[i] = step(X[i * B : i * B + B], y[i * B : i * B + B])
            update(i + 1)
        return seen

    return StepByStep(losses)


def _views(vector: Array, sizes: tuple[int, ...]) -> tuple[list[Array], list[Array]]:
    """Return W (d_out, d_in) and b (d_out,) of every layer as views of one flat vector."""
    W, b, at = [], [], 0
    for before, after in pairwise(sizes):
        W.append(vector[at : at + before * after].reshape(after, before))
        at += before * after
        b.append(vector[at : at + after])
        at += after
    return W, b


def _predict(problem: Problem) -> Work:
    layers = problem.initial()

    def predict(h: Array) -> Array:
        for W, b in layers[:-1]:
            h = np.maximum(h @ W.T + b, 0)
        W, b = layers[-1]
        a = h @ W.T + b
        f = np.exp(a - a.max(axis=1, keepdims=True))
        normalised: Array = f / f.sum(axis=1, keepdims=True)
        return normalised

    return Rows(predict, rows_of(problem))


PEER = Peer(
    "numpy", missing=lambda: "", versions=lambda: {"numpy": np.__version__}, train=_train, predict=_predict,
    train_many=in_turn(_train, 4),
)  # fmt: skip
