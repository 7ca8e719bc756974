"""Every exception of Layerwise: one line that says what was expected, what came, and what to do."""

from __future__ import annotations

import math
import numbers
import sys
from typing import Any


class LayerwiseError(Exception):
    """The base of all errors that Layerwise raises on purpose.

    Parameters
    ----------
    expected : str
        What would have been right.
    got : str
        What came instead.
    remedy : str
        What to do about it.
    where : str
        What the message is about (a file, an option, an argument); printed first.

    Examples
    --------
    >>> str(InputError(where="X", expected="64 columns", got="65", remedy="drop the extra column"))
    'X: expected 64 columns, got 65; drop the extra column'
    """

    def __init__(self, *, expected: str, got: str, remedy: str, where: str = "") -> None:
        self.expected, self.got, self.remedy, self.where = expected, got, remedy, where
        # One line, whatever is in the names of files and in the errors of others.
        text = f"{where}: " * bool(where) + f"expected {expected}, got {got}; {remedy}"
        super().__init__(" ".join(text.splitlines()))

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive pickling by themselves, and worker processes pickle what they raise.
        return _rebuild, (type(self), self.expected, self.got, self.remedy, self.where), self.__dict__


def _rebuild(kind: type[LayerwiseError], expected: str, got: str, remedy: str, where: str) -> LayerwiseError:
    return kind(expected=expected, got=got, remedy=remedy, where=where)


class SpecificationError(LayerwiseError, ValueError):
    """A network, update rule, schedule, penalty or option that cannot be."""


class LayerIndexError(LayerwiseError, IndexError):
    """A layer k that the network does not have."""


class InputError(LayerwiseError, ValueError):
    """An array given to a function has the wrong shape, type or values."""


class DataError(LayerwiseError, ValueError):
    """A file, table, folder or column cannot be used as data."""


class StorageError(LayerwiseError, OSError):
    """A model folder cannot be written or read."""


class MissingExtraError(LayerwiseError, ImportError):
    """An optional dependency is not installed."""


class ExportError(LayerwiseError, ArithmeticError):
    """A model in another form says something else than Layerwise does."""


class DivergenceError(LayerwiseError, ArithmeticError):
    """The loss became NaN or infinite.

    ``model`` holds the parameters of the last epoch that was finite, ready to use.
    """

    model: Any = None


class DivergenceWarning(RuntimeWarning):
    """An estimator's loss became NaN or infinite; it kept the parameters of its last finite epoch."""


def closest(name: str, names: list[str]) -> str:
    """Return a hint that names the entries of `names` close to `name`, or all of them when none is.

    >>> closest("incme", ["age", "income"])
    "did you mean 'income'?"
    >>> closest("x", ["age", "income"])
    "choose one of 'age', 'income'"
    """
    from difflib import get_close_matches

    matches = get_close_matches(name.lower(), [n.lower() for n in names], n=3, cutoff=0.6)
    near = [n for n in names if n.lower() in matches]
    if near:
        return "did you mean " + " or ".join(repr(n) for n in near) + "?"
    shown = ", ".join(repr(n) for n in names[:30])
    return f"choose one of {shown}" + (f" ... ({len(names)} in all)" if len(names) > 30 else "")


#: Numbers beyond it are taken for mistakes; the largest float, so that every number here converts.
LARGEST = sys.float_info.max


def check_number(
    where: str, value: Any, *, above: float = -math.inf, at_least: float = -math.inf, below: float = math.inf,
    at_most: float = math.inf, whole: bool = False,
) -> None:  # fmt: skip
    """Raise a SpecificationError unless `value` is a finite number within the bounds.

    >>> check_number("rate", -1, above=0)
    Traceback (most recent call last):
    layerwise.errors.SpecificationError: rate: expected a number above 0, got -1; choose such a value
    """
    bounds = [("above", above), ("of at least", at_least), ("below", below), ("of at most", at_most)]
    is_number = isinstance(value, numbers.Integral if whole else numbers.Real) and not isinstance(value, bool)
    if is_number and _is_finite(value) and above < value < below and at_least <= value <= at_most:
        return
    known = [(word, bound) for word, bound in bounds if math.isfinite(bound)]
    wanted = " and ".join(f"{word} {bound:g}" if bound < 1e6 else f"{word} {int(bound)}" for word, bound in known)
    raise SpecificationError(
        where=where, expected=f"a {'whole ' * whole}number {wanted}".strip(), got=repr(value),
        remedy="choose such a value",
    )  # fmt: skip


def _is_finite(value: Any) -> bool:
    if isinstance(value, numbers.Integral):
        return abs(int(value)) <= LARGEST  # math.isfinite fails on whole numbers that no float can hold
    return math.isfinite(value)
