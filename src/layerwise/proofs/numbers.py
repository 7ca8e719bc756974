"""What a reader gives to `Derivation.check`, checked and made exact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ..errors import SpecificationError, check_number


def vector(sp: Any, name: str, values: Any, at_least: int = 1) -> list[Any]:
    """Return numbers as exact rationals; floats are what their bits say.

    Raises
    ------
    SpecificationError
        If they are no finite numbers, or too few.
    """
    listed = list(values) if isinstance(values, Iterable) and not isinstance(values, str) else []
    if len(listed) < at_least:
        raise SpecificationError(
            where=name, expected=f"a list of {at_least} numbers or more", got=repr(values),
            remedy=f"write {name}=[{', '.join(['0.5'] * at_least)}], say",
        )  # fmt: skip
    return [exact(sp, name, value) for value in listed]


def matrix(sp: Any, name: str, values: Any) -> list[list[Any]]:
    """Return rows of exact rationals, all of one length."""
    rows = [vector(sp, name, row) for row in (values if isinstance(values, Iterable) else [])]
    if not rows or len({len(row) for row in rows}) > 1:
        raise SpecificationError(
            where=name, expected="rows of numbers, all of one length", got=repr(values),
            remedy=f"write {name}=[[1.0, 2.0], [3.0, 4.0]], say",
        )  # fmt: skip
    return rows


def exact(sp: Any, name: str, value: Any) -> Any:
    """Return a finite number as a rational."""
    check_number(name, value)
    return sp.Rational(float(value)) if not isinstance(value, int) else sp.Integer(value)


def same_length(name: str, values: list[Any], length: int) -> None:
    """Raise a SpecificationError unless there are so many numbers."""
    if len(values) != length:
        raise SpecificationError(
            where=name, expected=f"{length} numbers", got=str(len(values)), remedy="give one for each unit"
        )


def nonzero(name: str, value: Any, why: str = "some activations have no derivative") -> None:
    """Raise a SpecificationError if a number is 0, where there may be no derivative."""
    if value == 0:
        raise SpecificationError(where=name, expected="a number other than 0", got="0", remedy=f"at 0 {why}")
