"""The reader's own function, typed as a formula; what cannot be used changes nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import numpy.typing as npt

from ..errors import InputError
from .formula import evaluate

if TYPE_CHECKING:
    import marimo as mo

Array = npt.NDArray[Any]
Function = Callable[..., Array]
#: Values beyond it are refused: their squares would hide everything else of a fit.
LARGEST: Final = 1000.0
#: Points at which a formula is tried, of one variable and of each of two.
_TRIED: Final = {1: 2001, 2: 151}


class OwnFunction:
    """A place for the reader's own function: it keeps the last formula that could be used.

    Parameters
    ----------
    function : callable
        What is there before a formula is typed, and again when the field is emptied.
    variables : tuple of str
        One or two names.
    low, high : float
        Where the formula needs finite values, in every variable.

    Examples
    --------
    In a notebook, each line in a cell of its own::

        own = notes.OwnFunction(np.sin, ("x",), -3, 3)
        typed = own.field()
        function, message = own.take(typed)
    """

    def __init__(self, function: Function, variables: tuple[str, ...] = ("x",), low: float = -1.0, high: float = 1.0):
        self._first, self._variables, self._low, self._high = function, variables, low, high
        self._text = ""
        self.function = function

    def field(self) -> mo.ui.text:
        """Return the field to type into."""
        import marimo as mo

        names = " and ".join(f"${name}$" for name in self._variables)
        return mo.ui.text(placeholder="such as exp(-x^2)" if len(self._variables) == 1 else "such as x_1*x_2",
                          label=f"or your own formula of {names}")  # fmt: skip

    def take(self, field: mo.ui.text) -> tuple[Function, mo.Html]:
        """Return the function to use, and a message about it for the page."""
        import marimo as mo

        function, problem = self.read(field.value)
        if not problem:
            return function, mo.md(f"Your function: `{self._text}`" if self._text else "")
        kept = f"`{self._text}`" if self._text else "the function chosen"
        return function, mo.md(f"{problem}. Still in use: {kept}.").callout(kind="warn")

    def read(self, text: str) -> tuple[Function, str]:
        """Return the function to use after a formula came, and what is wrong with it, or "".

        Parameters
        ----------
        text : str

        Returns
        -------
        function : callable
            Of an array for each variable.
        problem : str

        Examples
        --------
        >>> own = OwnFunction(np.sin)
        >>> square, problem = own.read("x^2")
        >>> square(np.array([2.0, 3.0])).tolist(), problem
        ([4.0, 9.0], '')
        >>> function, problem = own.read("1/x")
        >>> function is square, problem
        (True, '1/x: expected values from -1000 to 1000 for x from -1 to 1, got infinity or no number at x = 0')
        >>> own.read("")[0] is np.sin
        True
        """
        if not text.strip():
            self._text, self.function = "", self._first
            return self.function, ""
        try:
            problem = self._problem(text)
        except InputError as unreadable:
            problem = f"expected {unreadable.expected}, got {unreadable.got}; {unreadable.remedy}"
        if problem:
            return self.function, f"{text.strip()}: {problem}"
        self._text, self.function = text.strip(), self._function_of(text)
        return self.function, ""

    def _function_of(self, text: str) -> Function:
        names = self._variables

        def function(*values: Any) -> Array:
            arrays = [np.asarray(one, dtype=np.float64) for one in values]
            result = evaluate(text, **dict(zip(names, arrays, strict=True)))
            return np.array(np.broadcast_to(result, arrays[0].shape))

        return function

    def _problem(self, text: str) -> str:
        ticks = np.linspace(self._low, self._high, _TRIED[len(self._variables)])
        places = np.meshgrid(*[ticks] * len(self._variables), indexing="ij")
        values = self._function_of(text)(*places)
        good = np.isfinite(values) & (np.abs(values) <= LARGEST)
        if good.all():
            return ""
        worst = np.unravel_index(np.argmin(good), good.shape)
        at = ", ".join(f"{name} = {place[worst]:.3g}" for name, place in zip(self._variables, places, strict=True))
        got = f"{values[worst]:.3g}" if np.isfinite(values[worst]) else "infinity or no number"
        return (
            f"expected values from {-LARGEST:g} to {LARGEST:g} for {', '.join(self._variables)} from {self._low:g} to "
            f"{self._high:g}, got {got} at {at}"
        )
