"""How training went: whether anything was learnt, whether it carries over to other rows, and how it ended."""

from __future__ import annotations

from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .finding import Finding, above, judged

Array = npt.NDArray[Any]
#: The loss as a share of the best constant answer's.
LEARNT_LOOK: Final = 0.8
LEARNT_PROBLEM: Final = 0.99
#: From here on it is not that too little was learnt.
WORSE: Final = 1.5
#: The distance of validation and training loss, as a share of the constant answer's; with so many rows at least to be
#: a problem.
GAP_LOOK: Final = 0.3
GAP_PROBLEM: Final = 1.0
ROWS: Final = 30
#: Still improving: the best epoch is among this share of the last ones, and better by so much than the one before them.
LAST: Final = 0.1
BETTER: Final = 0.02
#: An update relative to theta, in norm.
STEP_LOW: Final = 1e-6
STEP_LOOK: Final = 0.03
STEP_PROBLEM: Final = 0.3


def learnt_something(loss: float, reference: float) -> Finding:
    """Compare the loss with that of the best constant answer on the same rows: close to it is underfitting.

    Parameters
    ----------
    loss : float
    reference : float
        See `constant_loss`; 0 or less where all targets are the same, and nothing can be said.

    Returns
    -------
    Finding
        figures: "loss", "reference" and "ratio".

    Examples
    --------
    >>> learnt_something(0.1, 0.69).verdict, learnt_something(0.69, 0.69).verdict
    ('ok', 'problem')
    """
    check = "better than a constant answer"
    if reference <= 0:
        figures = {"loss": loss, "reference": reference, "ratio": None}
        return judged(check, "ok", "all rows have the same target: nothing to compare with", figures)
    ratio = loss / reference
    worse = ratio > WORSE
    return judged(
        check, above(ratio, LEARNT_LOOK, LEARNT_PROBLEM),
        f"loss {loss:.4g}; that of the best constant answer is {reference:.4g}",
        {"loss": loss, "reference": reference, "ratio": ratio},
        "The network is worse on these rows than an answer that ignores the inputs: training went astray, or the rows "
        "are of another kind than those of training."
        if worse else "The network does hardly better on these rows than an answer that ignores the inputs: it "
        "underfits, or the columns say little about the target.",
        "a lower --rate (a tenth), --clip-norm 1; training anew with such rows" if worse else
        "another --rate (ten times less, or more), more --epochs, wider --hidden, less --l2, --l1 and --dropout",
    )  # fmt: skip


def generalisation(
    train_loss: float, other_loss: float, reference: float, rows: int, where: str = "validation"
) -> Finding:  # fmt: skip
    """Compare the loss on training rows with that on others: far apart is overfitting.

    Parameters
    ----------
    train_loss, other_loss : float
    reference : float
        Of the best constant answer; the distance is measured by it.
    rows : int
        Other rows; with fewer than 30 the figure is too rough to be a problem.
    where : str
        What the other rows are called.

    Returns
    -------
    Finding
        figures: "train_loss", "other_loss", "rows" and "gap", the distance by the reference.

    Examples
    --------
    >>> generalisation(0.01, 0.05, 0.69, 200).verdict, generalisation(0.01, 1.5, 0.69, 200).verdict
    ('ok', 'problem')
    """
    gap = (other_loss - train_loss) / reference if reference > 0 else 0.0
    verdict = above(gap, GAP_LOOK, GAP_PROBLEM)
    few = rows < ROWS
    if few and verdict == "problem":
        verdict = "look"
    seen = f"loss {other_loss:.4g} on {rows} {where} rows, {train_loss:.4g} in training"
    return judged(
        f"training against {where}", verdict, seen + (" (a rough figure, from so few rows)" if few else ""),
        {"train_loss": train_loss, "other_loss": other_loss, "rows": rows, "gap": gap},
        "What was learnt does not carry over to other rows: the network overfits, or these rows are of another kind.",
        "more rows, more --l2 or --dropout, fewer units in --hidden, --patience with a validation set",
    )  # fmt: skip


def end_of_training(
    train_loss: Any, validation_loss: Any = None, *, best_epoch: int | None = None, stopped: str = "epochs"
) -> Finding:
    """Look at the loss by epoch: too early an end, too late a best epoch, a loss that rises.

    Parameters
    ----------
    train_loss : array (epochs,)
        With dropout it is that of the thinned networks, so it is compared with itself alone.
    validation_loss : array (epochs,), optional
        NaN, or None, where there are no validation rows.
    best_epoch : int, optional
        The epoch, from 1, whose parameters were kept.
    stopped : {"epochs", "patience", "interrupted"}
        Why training ended.

    Returns
    -------
    Finding
        figures: "epochs", "best_epoch", "stopped", "rise" of the training loss over its least value (a ratio), and
        "improving".

    Raises
    ------
    InputError
        If there are no epochs.

    Examples
    --------
    >>> falling = np.linspace(1, 0.2, 20)
    >>> end_of_training(falling, falling).figures["improving"]
    True
    >>> end_of_training([1.0, 0.1, 0.5, 3.0]).verdict
    'problem'
    """
    train = np.asarray(train_loss, np.float64)
    if train.ndim != 1 or not len(train):
        raise InputError(where="train_loss", expected="a loss for each epoch", got="none", remedy="give a history")
    watched = None if validation_loss is None else np.asarray(validation_loss, np.float64)
    watched = None if watched is None or np.isnan(watched).all() else watched
    losses = train if watched is None else watched
    n = len(losses)
    last = max(1, int(np.ceil(LAST * n)))
    before, late = _least(losses[:-last]), _least(losses[-last:])
    improving = bool(stopped == "epochs" and np.isfinite(before) and late < before - BETTER * abs(before))
    least = _least(train)
    rise = float(train[-1] / least) if least > 0 else 1.0
    rises = not np.isfinite(train[-1]) or (rise > 2 and train[-1] > train[0])
    figures = {"epochs": n, "best_epoch": best_epoch, "stopped": stopped, "rise": rise, "improving": improving}
    seen = f"{n} epoch{'s' * (n != 1)}, ended by {stopped}" + (f", the best {best_epoch}" if best_epoch else "")
    check = "end of training"
    if rises:
        return judged(
            check, "problem", f"{seen}; the training loss ended at {train[-1]:.3g} after {least:.3g}", figures,
            "The training loss rose: updates are too long.", "a lower --rate, --clip-norm 1, --schedule cosine",
        )  # fmt: skip
    if improving:
        return judged(
            check, "look", f"{seen}; still improving by {before - late:.2g} in the last "
            f"{last}", figures,
            "Training ended while it still made progress.", f"--epochs {2 * n} or more",
        )  # fmt: skip
    if stopped == "interrupted":
        return judged(check, "look", seen, figures, "Training was interrupted.", "training anew, to its end")
    if best_epoch is not None and watched is not None and best_epoch <= 2 and n > 10:
        return judged(
            check, "look", seen, figures,
            "The best epoch came at once and nothing after it was better: from there on the network only learnt by "
            "heart.", "a lower --rate (a tenth), more --dropout or --l2, fewer units in --hidden",
        )  # fmt: skip
    return judged(check, "ok", seen, figures)


def step_size(rate: float, gradient_norm: float, norm: float) -> Finding:
    """Compare an update of plain SGD, rate times gradient, with theta; about 1/1000 is common.

    Other updates scale each entry by what they remember, which no history holds, so nothing is said of them.

    Parameters
    ----------
    rate, gradient_norm : float
        Of the last epoch: of its last update, and the mean norm.
    norm : float
        Of theta.

    Returns
    -------
    Finding
        figures: "ratio".

    Examples
    --------
    >>> step_size(0.1, 0.5, 20.0).verdict, step_size(100.0, 0.5, 20.0).verdict
    ('ok', 'problem')
    """
    ratio = rate * gradient_norm / norm if norm > 0 else float("nan")
    short = ratio < STEP_LOW
    return judged(
        "length of updates", "look" if short else above(ratio, STEP_LOOK, STEP_PROBLEM),
        f"an update was {ratio:.1e} of theta in the last epoch", {"ratio": ratio},
        "Updates were so short that training stood still." if short else "Updates were so long that they undo each "
        "other.",
        "a higher --rate" if short else "a lower --rate (a tenth)",
    )  # fmt: skip


def _least(values: Array) -> float:
    """Return the least of the finite numbers; infinity if there is none."""
    return float(np.min(values, initial=np.inf, where=np.isfinite(values)))
