"""Formulas as C expressions, and what may be written into C: numbers, names, words and comments."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..ops import Expression

#: What each primitive is in C, `{p}` being the prefix of the header's own functions and `{f}` the suffix for float.
FORMS: Final = {
    "add": "{0} + {1}", "subtract": "{0} - {1}", "multiply": "{0} * {1}", "divide": "{0} / {1}",
    "max": "{p}_max({0}, {1})", "min": "{p}_min({0}, {1})", "less": "{0} < {1} ? {one} : {zero}",
    "where": "{0} != {zero} ? {1} : {2}", "abs": "fabs{f}({0})", "sqrt": "sqrt{f}({0})", "exp": "exp{f}({0})",
    "expm1": "expm1{f}({0})", "log": "log{f}({0})", "log1p": "log1p{f}({0})", "tanh": "tanh{f}({0})",
    "cos": "cos{f}({0})", "erf": "erf{f}({0})",
}  # fmt: skip
#: Primitives that need a function of the header's own: like NumPy's, they give NaN if one of the two is.
OWN: Final = {"max": "x > y || x != x ? x : y", "min": "x < y || x != x ? x : y"}
NOT_FINITE: Final = {"inf": "INFINITY", "-inf": "-INFINITY", "nan": "NAN"}


def number(value: float, dtype: npt.DTypeLike) -> str:
    """Return a number as C writes it, with all of its digits.

    >>> number(1, np.float32), number(-1e-9, np.float64), number(float("inf"), np.float64)
    ('1.0f', '-1e-09', 'INFINITY')
    """
    return _numbers(value, dtype)[0]


def _numbers(values: Any, dtype: npt.DTypeLike) -> list[str]:
    with np.errstate(over="ignore"):
        rounded = np.asarray(values, dtype).ravel()
    suffix = "f" if rounded.dtype == np.float32 else ""
    return [NOT_FINITE.get(text) or text + suffix for text in rounded.astype(str).tolist()]


def array(name: str, values: npt.NDArray[Any], dtype: npt.DTypeLike) -> list[str]:
    """Return the lines of a constant array, in C order."""
    kind = "float" if np.dtype(dtype) == np.float32 else "double"
    text = ", ".join(_numbers(values, dtype))
    lines = textwrap.wrap(text, 116, break_long_words=False, break_on_hyphens=False)
    return [f"static const {kind} {name}[{values.size}] = {{", *(f"  {line}" for line in lines), "};"]


def identifier(name: str) -> str:
    """Return a name with nothing but letters, digits and underscores.

    >>> identifier("grad_W^(2)")
    'grad_W_2'
    """
    return re.sub(r"[^0-9A-Za-z]+", "_", name).strip("_")


def comment(text: str) -> str:
    """Return a text that ends no comment and begins none, in ASCII."""
    plain = text.encode("ascii", "backslashreplace").decode().replace("*/", "* /").replace("/*", "/ *")
    return " ".join(plain.replace("??", "? ?").rstrip("\\").split())


def string(text: str) -> str:
    r"""Return a string as C writes it, in UTF-8.

    >>> print(string('a "b" ?'))
    "a \"b\" \?"
    """
    written = ""
    for byte in text.encode():
        character = chr(byte)
        escaped = character in '"\\?'
        written += "\\" * escaped + character if 32 <= byte < 127 else f"\\{byte:03o}"
    return f'"{written}"'


def formula_lines(
    formula: Expression, operands: Sequence[str], results: Mapping[int, str], prefix: str, dtype: npt.DTypeLike
) -> list[str]:
    """Return the statements that compute results of a formula for one element.

    Parameters
    ----------
    formula : Expression
    operands : sequence of str
        What to write for each input.
    results : mapping of int to str
        Where the results go that are needed, by their place among all.
    prefix : str
        Of the header's own functions.
    dtype : float32 or float64
    """
    is_float = np.dtype(dtype) == np.float32
    kind, suffix = ("float", "f") if is_float else ("double", "")
    words = {"p": prefix, "f": suffix, "one": number(1, dtype), "zero": number(0, dtype)}
    needed = {formula.outputs[place] for place in results}
    for i in range(len(formula.steps) - 1, -1, -1):
        if i in needed and formula.steps[i][0] not in ("input", "constant"):
            needed.update(formula.steps[i][1:])
    by_name = dict(zip(formula.inputs, operands, strict=True))
    values: dict[int, str] = {}
    lines = []
    for i, (operation, *rest) in enumerate(formula.steps):
        if i not in needed:
            continue
        if operation == "input":
            values[i] = by_name[rest[0]]
        elif operation == "constant":
            text = number(rest[0], dtype)
            values[i] = f"({text})" if text.startswith("-") else text
        else:
            values[i] = f"v{i}"
            lines.append(f"const {kind} v{i} = {FORMS[operation].format(*(values[k] for k in rest), **words)};")
    return lines + [f"{target} = {values[formula.outputs[place]]};" for place, target in results.items()]
