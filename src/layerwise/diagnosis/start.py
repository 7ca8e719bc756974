"""Before training: the loss of fresh networks, and whether ten rows can be learnt by heart (course-map row 22)."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import DivergenceError
from ..network import Layer, Network
from ..network.inputs import check_inputs, check_targets
from ..rules.updates import Adam
from ..training.state import TrainingState
from .finding import Finding, above, judged
from .fitting import fit_to_the_end
from .references import constant_loss, uninformed_loss

Array = npt.NDArray[Any]
#: Fresh networks, and rows of each that are computed.
SEEDS: Final = 5
ROWS: Final = 2000
#: The first loss as a multiple of the uninformed one.
LOOK: Final = 4.0
PROBLEM: Final = 20.0
#: Rows to learn by heart, updates for it at most, and the share of the constant answer's loss that may be left.
FEW: Final = 10
STEPS: Final = 1000
LEFT_LOOK: Final = 0.05
LEFT_PROBLEM: Final = 0.5
#: Parameters times updates, at most, so that wide networks take seconds too.
WORK: Final = 3e9


def initial_loss(net: Network, X: Any, y: Any, seeds: int = SEEDS, seed: int = 0) -> Finding:
    """Compare the loss of freshly initialised networks with that of knowing nothing: log C, or half the variance.

    Fewer than 10 rows are not judged.

    Parameters
    ----------
    net : Network
    X : array (n, inputs)
        At most 2000 rows are used, evenly spread.
    y : array (n,) of class codes, or (n, targets)
    seeds : int
        So many networks, initialised by seed, seed + 1, ...
    seed : int

    Returns
    -------
    Finding
        figures: "losses" by seed, "mean", "reference" and "ratio".

    Raises
    ------
    InputError
        If X or y cannot be used.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X, y = rng.normal(size=(50, 4)), rng.integers(0, 3, 50)
    >>> initial_loss(Network(4, [8], 3), X, y).verdict, initial_loss(Network(4, [8], 3), 1000 * X, y).verdict
    ('ok', 'problem')
    """
    X, y = check_inputs(X, net), check_targets(y, net, len(y))
    every = slice(None, None, -(-len(X) // ROWS))
    X, y = X[every], y[every]
    plain = without_dropout(net)
    mode: Any = "train" if net.normalises and len(X) > 1 else "predict"  # a fresh network has no statistics yet
    with np.errstate(all="ignore"):
        losses = [plain.trace(plain.initialize(seed + i), X, y, mode=mode).loss for i in range(seeds)]
    reference = uninformed_loss(net, y)
    mean = float(np.mean(losses))
    ratio = mean / reference if reference > 0 else 1.0
    few = len(X) < FEW
    name = {"classes": f"log {net.outputs}", "labels": "log 2 a label"}.get(net.output.target, "that of answering 0")
    seen = f"{mean:.3f} over {seeds} seeds ({min(losses):.3f} to {max(losses):.3f}); {name} is {reference:.3f}"
    seen += " (too few rows to judge)" if few else ""
    return judged(
        "initial loss", "ok" if few else above(ratio, LOOK, PROBLEM), seen,
        {"losses": losses, "mean": mean, "reference": reference, "ratio": ratio},
        "Before it has seen anything the network is sure of wrong answers: the first epochs go into unlearning them.",
        "inputs on a smaller scale, --batch-norm, or fewer layers in --hidden",
    )  # fmt: skip


def few_rows(net: Network, X: Any, y: Any, rows: int = FEW, seed: int = 0, steps: int = STEPS) -> Finding:
    """Train the network on a few rows, without dropout and penalty: one that can learn learns them by heart.

    Adam with a rate of 0.01 and all rows in each update, at most `steps` updates (fewer for very many parameters).

    Parameters
    ----------
    net : Network
    X : array (n, inputs)
    y : array (n,) of class codes, or (n, targets)
    rows : int
        Different ones, of as many classes as there are.
    seed : int
        For the choice of rows and the initial weights.
    steps : int

    Returns
    -------
    Finding
        figures: "rows", "steps" made, "loss" reached, "reference" (the best constant answer's) and "left", their ratio.

    Raises
    ------
    InputError
        If X or y cannot be used.

    Examples
    --------
    >>> X, y = np.random.default_rng(0).normal(size=(50, 4)), np.arange(50) % 3
    >>> few_rows(Network(4, [16], 3), X, y).verdict
    'ok'
    >>> few_rows(Network(4, [16], 3), 0 * X + np.arange(50)[:, None] * 1e-9, y).verdict  # rows alike
    'problem'
    """
    X, y = check_inputs(X, net), check_targets(y, net, len(y))
    chosen = _different_rows(X, y, rows, seed)
    few_X, few_y = np.asarray(X[chosen]), y[chosen]
    reference = constant_loss(net, few_y)
    if reference <= 0 or len(chosen) < 2:
        seen = f"{len(chosen)} different rows with one and the same target: nothing to learn"
        return judged("learning ten rows by heart", "ok", seen, {"rows": len(chosen), "reference": reference})
    steps = int(np.clip(WORK / net.n_parameters, min(100, steps), steps))

    def enough(state: TrainingState) -> None:
        if state.history[-1].train_loss < LEFT_LOOK / 5 * reference:
            state.stop()

    try:
        model = fit_to_the_end(
            without_dropout(net), few_X, few_y, update=Adam(0.01), batch_size="all", epochs=steps, seed=seed,
            callbacks=[enough],
        )  # fmt: skip
        loss, made = float(model.history["train_loss"].min()), len(model.history)
    except DivergenceError:
        loss, made = float("nan"), steps
    left = loss / reference
    verdict = above(left, LEFT_LOOK, LEFT_PROBLEM)
    meaning = "The network cannot even learn a handful of rows by heart: it is too small, cannot learn as it is, or "
    meaning += "rows with almost the same inputs have different targets."
    if net.L == 0 and verdict == "problem":
        verdict, meaning = "look", "Without hidden layers, a network need not be able to; it separates by planes alone."
    return judged(
        "learning ten rows by heart", verdict,
        f"loss {loss:.2g} after {made} updates on {len(chosen)} rows, {left:.1%} of a constant answer's",
        {"rows": len(chosen), "steps": made, "loss": loss, "reference": reference, "left": left}, meaning,
        "more units in --hidden, another --activation, and a look at the columns: do they tell the rows apart?",
    )  # fmt: skip


def without_dropout(net: Network) -> Network:
    """Return the network with nothing left out and nothing added in training.

    >>> without_dropout(Network(2, [3], 2, dropout=0.5)).draws
    False
    """
    layers = [Layer(layer.units, layer.activation, 0.0, layer.batch_norm, layer.initialisation) for layer in net.layers]
    return Network(
        net.inputs, layers, net.outputs, output=net.output, initialisation=net.output_initialisation, tied=net.tied
    )


def _different_rows(X: Any, y: Array, rows: int, seed: int) -> Array:
    """Return the numbers of rows with different inputs, of the classes in turn."""
    order = np.random.default_rng(seed).permutation(len(X))
    if y.ndim == 1:  # the first of every class, then the second of every class, ...
        place = np.empty(len(y), np.int64)
        for c in np.unique(y):
            mine = order[y[order] == c]
            place[mine] = np.arange(len(mine))
        order = order[np.argsort(place[order], kind="stable")]
    seen: set[bytes] = set()
    chosen: list[int] = []
    for row in order:
        content = np.ascontiguousarray(X[row]).tobytes()
        if content not in seen:
            seen.add(content)
            chosen.append(int(row))
        if len(chosen) == rows:
            break
    return np.array(chosen)
