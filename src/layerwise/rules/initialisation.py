"""Initialisation of W by the sizes of its layers; b = 0 always (course-map row 20). The host draws the numbers."""

from __future__ import annotations

import math
import numbers
from dataclasses import dataclass
from typing import Any, Final, Literal

from ..errors import SpecificationError, check_number, closest


@dataclass(frozen=True)
class Initialisation:
    """How the entries of W are drawn.

    Parameters
    ----------
    name : str
    distribution : {"uniform", "normal", "constant"}
    gain : float
        The variance of an entry times the number of units that `fan` counts; for a constant its value.
    fan : {"in", "mean"}
        Count the inputs d_in, or the mean of d_in and d_out.

    Examples
    --------
    >>> initialisation("glorot_uniform").scale(3, 3)
    1.0
    """

    name: str
    distribution: Literal["uniform", "normal", "constant"]
    gain: float
    fan: Literal["in", "mean"] = "in"

    def scale(self, d_in: int, d_out: int) -> float:
        """Return s, where the entries are U[-s, s], N(0, s^2), or s itself."""
        if self.distribution == "constant":
            return self.gain
        variance = self.gain / (d_in if self.fan == "in" else (d_in + d_out) / 2)
        return math.sqrt(3 * variance if self.distribution == "uniform" else variance)


def constant(value: float) -> Initialisation:
    """Return the initialisation that sets all weights to one value: it keeps the units of a layer equal for ever."""
    check_number("initialisation", value)
    return Initialisation("constant", "constant", float(value))


TABLE: Final[dict[str, Initialisation]] = {
    row.name: row
    for row in (
        # s = sqrt(6) / sqrt(H_k + H_(k-1)): Glorot and Bengio (2010)
        Initialisation("glorot_uniform", "uniform", 1.0, "mean"),
        Initialisation("glorot_normal", "normal", 1.0, "mean"),
        # variance 2 / H_(k-1), for ReLU: He, Zhang, Ren and Sun (2015)
        Initialisation("he_normal", "normal", 2.0),
        Initialisation("he_uniform", "uniform", 2.0),
        # variance 1 / H_(k-1): LeCun, Bottou, Orr and Müller (1998); what SELU expects
        Initialisation("lecun_normal", "normal", 1.0),
        Initialisation("lecun_uniform", "uniform", 1.0),
        Initialisation("zeros", "constant", 0.0),
    )
}
SYNONYMS: Final = {"glorot": "glorot_uniform", "he": "he_normal", "lecun": "lecun_normal"}


def initialisation(choice: Any) -> Initialisation:
    """Return the initialisation of that name; a number means `constant`.

    Raises
    ------
    SpecificationError
        If the name is unknown; the message lists all.
    """
    if isinstance(choice, Initialisation):
        return choice
    if isinstance(choice, numbers.Real) and choice is not True and choice is not False:
        return constant(float(choice))
    name = SYNONYMS.get(str(choice).lower(), str(choice).lower())
    if name in TABLE:
        return TABLE[name]
    raise SpecificationError(
        where="initialisation",
        expected="one of " + ", ".join(TABLE),
        got=repr(choice),
        remedy=closest(name, list(TABLE)),
    )
