"""A finding: what a check saw, what that means, and what to try."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

Verdict = Literal["ok", "look", "problem"]
#: From harmless to serious.
VERDICTS: Final[tuple[Verdict, ...]] = ("ok", "look", "problem")


@dataclass(frozen=True)
class Finding:
    """What a check found.

    Parameters
    ----------
    check : str
        What was looked at.
    verdict : {"ok", "look", "problem"}
        "look": unusual, and perhaps on purpose. "problem": the model or the data cannot be relied on as they are.
    seen : str
        The figures in a line.
    figures : mapping
        The figures as JSON.
    meaning : str
        In plain words; "" where all is well.
    remedy : str
        What to try, with the options of `layerwise train`; "" where all is well.
    """

    check: str
    verdict: Verdict
    seen: str
    figures: Mapping[str, Any] = field(default_factory=dict)
    meaning: str = ""
    remedy: str = ""


def judged(
    check: str, verdict: Verdict, seen: str, figures: Mapping[str, Any], meaning: str = "", remedy: str = ""
) -> Finding:
    """Return the finding; without meaning and remedy where all is well."""
    fine = verdict == "ok"
    return Finding(check, verdict, seen, figures, "" if fine else meaning, "" if fine else remedy)


def above(value: float, look: float, problem: float) -> Verdict:
    """Return the verdict on a figure that should be small; one that is no number is a problem.

    >>> above(0.1, 0.2, 0.5), above(0.2, 0.2, 0.5), above(float("nan"), 0.2, 0.5)
    ('ok', 'look', 'problem')
    """
    if value < look:
        return "ok"
    return "look" if value < problem else "problem"


def worst(verdicts: Iterable[Verdict]) -> Verdict:
    """Return the most serious verdict.

    >>> worst(["ok", "look", "ok"])
    'look'
    """
    return VERDICTS[max((VERDICTS.index(verdict) for verdict in verdicts), default=0)]
