"""Rows and columns that look wrong: suspect targets, and inputs that differ from those of training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..data.encoding import NumberColumn, WordColumn
from ..errors import InputError
from .finding import Finding, Verdict, above, judged, worst

Array = npt.NDArray[Any]
#: A given class is suspect below this probability.
SUSPECT: Final = 0.05
#: A number is suspect where its residual is so many robust standard deviations from the median.
FAR_OFF: Final = 6.0
MOST: Final = 10
#: With more suspects than this share of the rows, it is the predictions that are suspect; none are listed then.
MANY: Final = 0.2
#: The shift of a column's mean in standard deviations of training, and beyond chance by so many standard errors.
SHIFT_LOOK: Final = 1.0
SHIFT_PROBLEM: Final = 5.0
ERRORS: Final = 5.0
#: The factor between standard deviations, in either direction; with so many rows at least.
SPREAD_LOOK: Final = 3.0
SPREAD_PROBLEM: Final = 30.0
ROWS: Final = 30
#: Values more than this many standard deviations from the mean of training.
OUTSIDE: Final = 8.0
#: Shares of missing cells, and of words that training did not know.
MISSING_LOOK: Final = 0.3
UNKNOWN_LOOK: Final = 0.05
UNKNOWN_PROBLEM: Final = 0.5


def label_suspects(
    y: Any, predicted: Any, *, names: Sequence[Any] = (), rows: Any = None, held_out: bool = True, most: int = MOST
) -> Finding:  # fmt: skip
    """List the rows whose given target the model finds least likely: a hint at wrong labels, no proof (Northcutt 2021).

    Parameters
    ----------
    y : array (n,)
        Class codes, or numbers.
    predicted : array (n, C) or (n,)
        Class probabilities, or numbers; rows that are not finite are left out.
    names : sequence, optional
        Of the classes.
    rows : array (n,) of int, optional
        How rows are numbered; 0 .. n-1 by default.
    held_out : bool
        Whether the predictions come from a model that was not trained on the row.
    most : int
        Rows to list.

    Returns
    -------
    Finding
        figures: "suspects" (how many), "held_out" and "rows", a list of "row", "given", "predicted", and of classes
        "p_given" and "p_predicted", of numbers "deviations" (robust standard deviations off).

    Raises
    ------
    InputError
        If the lengths differ.

    Examples
    --------
    >>> found = label_suspects([0, 1, 1], [[0.9, 0.1], [0.2, 0.8], [0.995, 0.005]])
    >>> [(row["row"], row["given"], row["predicted"]) for row in found.figures["rows"]]
    [(2, 1, 0)]
    """
    y, P = np.asarray(y), np.asarray(predicted, np.float64)
    if len(y) != len(P) or not len(y):
        raise InputError(
            where="predicted", expected=f"a prediction for each of {len(y)} targets, at least one",
            got=f"shape {P.shape}", remedy="give one row a target",
        )  # fmt: skip
    numbers = np.arange(len(y)) if rows is None else np.asarray(rows)
    finite = np.isfinite(P).all(axis=1) if P.ndim == 2 else np.isfinite(P)
    y, P, numbers = y[finite], P[finite], numbers[finite]
    if P.ndim == 2:
        p = P[np.arange(len(y)), y]
        found = np.flatnonzero(p < SUSPECT)
        found = found[np.argsort(p[found], kind="stable")]
        said = P.argmax(axis=1)
        listed = [
            {"row": int(numbers[i]), "given": _named(names, y[i]), "predicted": _named(names, said[i]),
             "p_given": float(p[i]), "p_predicted": float(P[i, said[i]])}
            for i in found[:most]
        ]  # fmt: skip
        what = f"a given class of probability below {SUSPECT:g}"
    else:
        residuals = y - P
        middle = np.median(residuals) if len(y) else 0.0
        # 1.4826 makes the median absolute deviation of normal numbers their standard deviation.
        scale = 1.4826 * float(np.median(np.abs(residuals - middle))) if len(y) else 0.0
        off = np.abs(residuals - middle) / scale if scale > 0 else np.zeros(len(y))
        found = np.flatnonzero(off > FAR_OFF)
        found = found[np.argsort(-off[found], kind="stable")]
        listed = [
            {"row": int(numbers[i]), "given": float(y[i]), "predicted": float(P[i]), "deviations": float(off[i])}
            for i in found[:most]
        ]
        what = f"a target more than {FAR_OFF:g} robust standard deviations from the prediction"
    many = len(found) > max(most, MANY * len(y))
    by = "networks trained on other rows" if held_out else "the model itself, which may have been trained on them"
    return judged(
        "suspect targets", "look" if len(found) else "ok", f"{len(found)} of {len(y)} rows with {what}, by {by}",
        {"suspects": len(found), "held_out": held_out, "rows": [] if many else listed},
        "Far too many to be mistakes in the data: the predictions themselves are wrong." if many else
        "This is a hint, no proof: such a row may be labelled wrongly, or just be an unusual one.",
        "what the other checks say first" if many else
        "looking at these rows; correct what is wrong, and leave what is right",
    )  # fmt: skip


def number_column(column: NumberColumn, values: Any) -> Finding:
    """Compare a column of numbers with what it was in training: mean, spread, missing and far-off values.

    Parameters
    ----------
    column : NumberColumn
        Its median, mean and scale in training.
    values : array (n,)
        As they came; NaN where missing.

    Returns
    -------
    Finding
        figures: "missing" (share), "shift" of the mean and "outside" (share of rows more than 8 off) in standard
        deviations of training, and "spread", the ratio of standard deviations; None where there is none.

    Examples
    --------
    >>> age = NumberColumn("age", 40.0, 40.0, 10.0)
    >>> values = np.random.default_rng(0).normal(40, 10, 200)
    >>> [number_column(age, values * factor).verdict for factor in (1, 1.5, 365)]
    ['ok', 'look', 'problem']
    """
    values = np.asarray(values, np.float64)
    there = values[~np.isnan(values)]
    missing = 1 - len(there) / len(values) if len(values) else 0.0
    figures: dict[str, Any] = {"missing": missing, "shift": None, "spread": None, "outside": None}
    said: list[str] = []
    verdicts: list[Verdict] = ["ok"]
    if missing >= MISSING_LOOK:
        said.append(f"{missing:.0%} missing")
        verdicts.append("look" if len(there) else "problem")
    if column.scale == 0:
        said.append("the same in all training rows, so the model ignores it")
        verdicts.append("look")
    elif len(there):
        with np.errstate(over="ignore"):
            z = (there - column.mean) / column.scale
            shift, spread = float(z.mean()), float(z.std())
        outside = float((np.abs(z) > OUTSIDE).mean())
        figures |= {"shift": shift, "spread": spread, "outside": outside}
        if abs(shift) > ERRORS / np.sqrt(len(z)) and abs(shift) >= SHIFT_LOOK:
            said.append(f"mean {there.mean():.4g}, in training {column.mean:.4g} +- {column.scale:.4g}")
            verdicts.append(above(abs(shift), SHIFT_LOOK, SHIFT_PROBLEM))
        if len(z) >= ROWS and spread == 0:
            said.append("the same in all rows, not so in training")
            verdicts.append("look")
        elif len(z) >= ROWS and above(change := max(spread, 1 / spread), SPREAD_LOOK, SPREAD_PROBLEM) != "ok":
            said.append(f"standard deviation {spread:.3g} times that of training")
            verdicts.append(above(change, SPREAD_LOOK, SPREAD_PROBLEM))
        if outside >= 0.01:
            said.append(f"{outside:.1%} of the rows far outside the range of training")
            verdicts.append("look")
    return judged(
        f"column {column.name}", worst(verdicts), "; ".join(said) or "like that of training", figures,
        "The column is not what the model was trained on; what it says of such rows is guesswork.",
        "checking units and source of the column; training anew if the new rows are right",
    )  # fmt: skip


def word_column(column: WordColumn, unknown: int, missing: int, rows: int) -> Finding:
    """Count the words of a column that training did not know, and the missing ones.

    Parameters
    ----------
    column : WordColumn
    unknown, missing, rows : int
        Cells with an unknown word, without a word, and all of them.

    Returns
    -------
    Finding
        figures: "unknown" and "missing", as shares.

    Examples
    --------
    >>> word_column(WordColumn("job", ("clerk", "nurse"), False), unknown=80, missing=0, rows=100).verdict
    'problem'
    """
    new, absent = (count / rows if rows else 0.0 for count in (unknown, missing))
    verdicts: list[Verdict] = [above(new, UNKNOWN_LOOK, UNKNOWN_PROBLEM)]
    said = [f"{new:.1%} words that training did not know"] if verdicts[0] != "ok" else []
    if absent >= MISSING_LOOK or (absent > 0 and not column.missing):
        said.append(f"{absent:.1%} missing" + ("" if column.missing else ", none of which were in training"))
        verdicts.append("look")
    return judged(
        f"column {column.name}", worst(verdicts), "; ".join(said) or "like that of training",
        {"unknown": new, "missing": absent},
        "Such cells give the network nothing but zeros: it answers as if the column were not there.",
        "checking the spelling of the words; training anew with rows that have them",
    )  # fmt: skip


def pixels(X: Any) -> Finding:
    """Look at images as the network reads them, from 0 to 1: empty ones, and a scale that cannot be right.

    Parameters
    ----------
    X : array (n, pixels)

    Returns
    -------
    Finding
        figures: "largest" pixel, "empty" (share of images of one colour) and "constant" (share of pixels that are the
        same in all images, as at the edges).

    Raises
    ------
    InputError
        If there are no images.

    Examples
    --------
    >>> X = np.random.default_rng(0).random((20, 4))
    >>> pixels(X).verdict, pixels(X / 255).verdict
    ('ok', 'problem')
    """
    X = np.asarray(X)
    if X.ndim != 2 or not X.size:
        raise InputError(where="X", expected="images in rows", got=f"shape {X.shape}", remedy="give at least one")
    low, high = X.min(axis=1), X.max(axis=1)
    largest, empty = float(high.max()), float((low == high).mean())
    constant = float((X.min(axis=0) == X.max(axis=0)).mean()) if len(X) > 1 else 0.0
    dark = largest < 0.1
    return judged(
        "images", "problem" if dark else "look" if empty >= 0.01 else "ok",
        f"largest pixel {largest:.3g} of 1; {empty:.1%} of one colour; {constant:.0%} of the pixels never change",
        {"largest": largest, "empty": empty, "constant": constant},
        "The pixels are far darker than those of training: probably they are on another scale." if dark else
        "Images of one colour say nothing.",
        "pixels from 0 to the same maximum as in training" if dark else "looking at these images, or leaving them out",
    )  # fmt: skip


def _named(names: Sequence[Any], code: Any) -> Any:
    return names[int(code)] if names else int(code)
