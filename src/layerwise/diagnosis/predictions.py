"""What the predictions say: whether probabilities can be believed, which classes are rare, and rows not trained on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import DivergenceError, InputError, check_number
from ..network import Network
from ..network.inputs import check_inputs, check_targets
from ..rules.penalties import Penalty
from ..rules.updates import Update
from .finding import Finding, above, judged
from .fitting import fit_to_the_end

Array = npt.NDArray[Any]
#: The calibration error, where it is also this many times what chance gives.
MISS_LOOK: Final = 0.05
MISS_PROBLEM: Final = 0.25
CHANCE: Final = 2.0
#: Rows of the most frequent class to one of the rarest.
UNEVEN: Final = 10.0
#: Multiplications of all training in `held_out_predictions`, at most: a few seconds.
WORK: Final = 4e10


def calibration(count: Any, confidence: Any, accuracy: Any) -> Finding:
    """Judge how far the probability of the predicted class is from how often it is right.

    Parameters
    ----------
    count, confidence, accuracy : array (bins,)
        Rows, mean probability of the predicted class, and share of right answers, by bins of that probability, as
        `reports.metrics.class_quality` makes them. Bins without rows do not count.

    Returns
    -------
    Finding
        figures: "rows", "error" (expected calibration error, Naeini et al. 2015), "by_chance" (that of a model whose
        probabilities are right, from so many rows), "confidence" and "accuracy" (means over all rows).

    Raises
    ------
    InputError
        If there are no rows.

    Examples
    --------
    >>> calibration([100], [0.99], [0.6]).verdict, calibration([100], [0.8], [0.77]).verdict
    ('problem', 'ok')
    """
    count = np.asarray(count, np.float64)
    full = count > 0
    if not full.any():
        raise InputError(where="count", expected="rows in some bin", got="none", remedy="give predictions of rows")
    shares = count[full] / count.sum()
    sure, right = (np.asarray(values, np.float64)[full] for values in (confidence, accuracy))
    error = float((shares * np.abs(sure - right)).sum())
    # The mean distance of a share of successes from its probability p is sqrt(2/pi p (1 - p) / n), for n large.
    chance = float((shares * np.sqrt(2 / np.pi * sure * (1 - sure) / count[full])).sum())
    verdict = above(error, MISS_LOOK, MISS_PROBLEM) if error > CHANCE * chance else "ok"
    mean, hits = float(shares @ sure), float(shares @ right)
    if verdict == "problem" and mean <= hits:  # too modest, which misleads nobody
        verdict = "look"
    return judged(
        "calibration", verdict,
        f"error {error:.3f} ({chance:.3f} by chance); sure by {mean:.1%} on average, right in {hits:.1%}",
        {"rows": int(count.sum()), "error": error, "by_chance": chance, "confidence": mean, "accuracy": hits},
        "The model is surer than it is right." if mean > hits else "The model is more often right than it says.",
        "more --l2 or --dropout, a smaller --patience" if mean > hits else "less --dropout or --l2, more --epochs",
    )  # fmt: skip


def class_balance(y: Any, names: Sequence[Any]) -> Finding:
    """Compare how often the classes occur.

    Parameters
    ----------
    y : array (n,) of int
        Class codes.
    names : sequence
        Of all classes.

    Returns
    -------
    Finding
        figures: "counts" by class, and "ratio" of the most to the least frequent one (None where one is absent).

    Raises
    ------
    InputError
        If there are no rows.

    Examples
    --------
    >>> class_balance([0] * 50 + [1], ["well", "ill"]).verdict
    'look'
    """
    y = np.asarray(y)
    if not len(y):
        raise InputError(where="y", expected="class codes", got="none", remedy="give at least one row")
    counts = np.bincount(y, minlength=len(names))
    rare, frequent = int(counts.argmin()), int(counts.argmax())
    ratio = float(counts[frequent] / counts[rare]) if counts[rare] else None
    few = ratio is None or ratio >= UNEVEN
    return judged(
        "class balance", "look" if few else "ok",
        f"most frequent: {names[frequent]} ({counts[frequent]} rows); rarest: {names[rare]} ({counts[rare]})",
        {"counts": counts.tolist(), "ratio": ratio},
        "A rare class counts little in the loss and in the accuracy: the model can ignore it at little cost.",
        "more rows of it; class_weight='balanced' of MLPClassifier; and a look at balanced accuracy and macro F1 in "
        "layerwise evaluate",
    )  # fmt: skip


def held_out_predictions(
    net: Network, X: Any, y: Any, *, folds: int = 3, epochs: int = 30, update: str | Update | None = None,
    batch_size: Any = 32, penalty: Penalty | None = None, seed: int = 0,
) -> tuple[Array, int]:  # fmt: skip
    """Return f(x) of every row by a network that was trained on the other rows, and the epochs it was trained for.

    Parameters
    ----------
    net : Network
    X : array (n, inputs)
    y : array (n,) of class codes, or (n, targets)
    folds : int
        Parts of the rows, by seed; each is predicted by a network trained on the others.
    epochs : int
        At most; fewer where rows times parameters are very many.
    update, batch_size, penalty
        As for `fit`.
    seed : int

    Returns
    -------
    f : array (n, outputs)
        NaN where training overflowed.
    epochs : int

    Raises
    ------
    InputError, SpecificationError
        If X, y or a setting cannot be used, or there are fewer rows than two in each part.

    Examples
    --------
    >>> X, y = np.random.default_rng(0).normal(size=(60, 2)), np.arange(60) % 2
    >>> X[:, 0] += 4 * y
    >>> f, _ = held_out_predictions(Network(2, [8], 2), X, y, update="nesterov", batch_size=4)
    >>> bool((f.argmax(axis=1) == y).mean() > 0.9)
    True
    """
    check_number("folds", folds, at_least=2, whole=True)
    X, y = check_inputs(X, net), check_targets(y, net, len(y))
    if len(X) < 2 * folds:
        raise InputError(
            where="X", expected=f"at least {2 * folds} rows for {folds} parts", got=str(len(X)), remedy="add rows"
        )
    work = 6.0 * net.n_parameters * len(X) * (folds - 1)
    epochs = int(np.clip(WORK / work, 1, epochs))
    part = np.random.default_rng(seed).permutation(len(X)) % folds
    f = np.full((len(X), net.outputs), np.nan)
    for fold in range(folds):
        rest = np.flatnonzero(part != fold)
        try:
            model = fit_to_the_end(
                net, X[rest], y[rest], update=update, batch_size=batch_size, epochs=epochs, penalty=penalty, seed=seed
            )
        except DivergenceError:
            continue
        f[part == fold] = model.predict(X[part == fold])
    return f, epochs
