"""Parameters of estimators as plain data, and back to the same values of the same types.

Words, whole numbers, finite floats, true, false and null stand for themselves, and so do lists. Everything else is an
object whose first key says what it is: ``{"tuple": [...]}``, ``{"dict": [[key, value], ...]}``, ``{"number": "inf"}``,
``{"numpy": "<f8", "value": 0.5}``, ``{"array": "<i8", "shape": [2], "values": [4, 3]}``, ``{"expression": {...}}``,
``{"activation": ...}``, ``{"output": ...}``, ``{"schedule": "step", "settings": {...}}``.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import numpy.typing as npt

from ..ops import Expression
from ..rules import activations, outputs, schedules
from ..rules.activations import Activation
from ..rules.outputs import Output
from ..rules.schedules import Schedule
from .specification import (
    activation_from_data,
    activation_to_data,
    expression_from_data,
    output_from_data,
    output_to_data,
)

Array = npt.NDArray[Any]
_NUMBERS: Final = re.compile(r"[<>|](b1|[iu][1248]|f[248])")
_WORDS: Final = re.compile(r"[<>]U(\d{1,7})")
_NOT_FINITE: Final = ("inf", "-inf", "nan")
#: Bytes of an array of words, at most: each has the length of the longest.
MOST_BYTES: Final = 64 << 20
SCHEDULES: Final = {kind.__name__: kind for kind in schedules.TABLE.values()}


def value_to_data(value: Any) -> Any:
    """Return a value as plain data.

    Raises
    ------
    TypeError
        If it is of none of the kinds above; the message names the type.

    Examples
    --------
    >>> value_to_data((100, float("inf")))
    {'tuple': [100, {'number': 'inf'}]}
    >>> value_from_data(value_to_data((100, float("inf"))))
    (100, inf)
    """
    kind = type(value)
    if value is None or kind in (bool, int, str):
        return value
    if kind is float:
        return value if math.isfinite(value) else {"number": repr(value)}
    if kind is list:
        return [value_to_data(part) for part in value]
    if kind is tuple:
        return {"tuple": [value_to_data(part) for part in value]}
    if kind is dict:
        return {"dict": [[value_to_data(key), value_to_data(part)] for key, part in value.items()]}
    if isinstance(value, np.ndarray):
        return array_to_data(value)
    if isinstance(value, np.generic):
        return {"numpy": _dtype_of(value.dtype), "value": value_to_data(value.item())}
    if kind is Expression:
        return {"expression": value.to_data()}
    if kind is Activation:
        return {"activation": activation_to_data(value)}
    if kind is Output:
        return {"output": output_to_data(value)}
    if isinstance(value, Schedule) and SCHEDULES.get(kind.__name__) is kind:
        return {"schedule": kind.__name__, "settings": asdict(value)}  # type: ignore[call-overload]
    raise TypeError(f"{'a function' if callable(value) else 'a value'} of type {kind.__name__}")


def value_from_data(data: Any) -> Any:
    """Return the value of `value_to_data`; its errors are those of wrong data."""
    if isinstance(data, list):
        return [value_from_data(part) for part in data]
    if not isinstance(data, dict):
        return data
    tag = next(iter(data), "")
    if tag not in _READERS:
        raise ValueError(f"a value of the kind {tag!r}")
    return _READERS[tag](data)


def array_to_data(array: Array) -> dict[str, Any]:
    """Return an array of numbers, truth values or words, or of Python's own ones; its type comes back."""
    values = array.ravel().tolist()
    if array.dtype.kind == "O":
        values = [value.item() if isinstance(value, np.generic) else value for value in values]
        if strange := [value for value in values if type(value) not in (str, int, float, bool, type(None))]:
            raise TypeError(f"an array with a value of type {type(strange[0]).__name__}")
    return {
        "array": _dtype_of(array.dtype), "shape": list(array.shape), "values": [value_to_data(v) for v in values],
    }  # fmt: skip


def array_from_data(data: Any) -> Array:
    """Return the array of `array_to_data`; its errors are those of wrong data."""
    values, shape = [value_from_data(value) for value in data["values"]], data["shape"]
    if not all(type(n) is int and n >= 0 for n in shape) or len(shape) > 2 or math.prod(shape) != len(values):
        raise ValueError(f"{len(values)} values in the shape {shape}")
    dtype = _dtype_from(data["array"], len(values))
    kinds: tuple[type, ...] = {"b": (bool,), "U": (str,), "O": (str, int, float, bool, type(None))}.get(
        dtype.kind, (int, float)
    )
    if any(type(value) not in kinds for value in values):
        raise TypeError(f"other values in an array of {dtype}")
    made = np.empty(len(values), dtype)
    made[...] = values if values else made
    if dtype.kind in "iu" and made.tolist() != values:
        raise ValueError(f"values that {dtype} does not hold")
    return made.reshape(shape)


def _dtype_of(dtype: np.dtype[Any]) -> str:
    if dtype.kind == "O":
        return "object"
    if not (_NUMBERS.fullmatch(dtype.str) or _WORDS.fullmatch(dtype.str)):
        raise TypeError(f"an array or value of {dtype}")
    return str(dtype.str)


def _dtype_from(name: Any, count: int) -> np.dtype[Any]:
    if name == "object":
        return np.dtype(object)
    words = _WORDS.fullmatch(name)
    if not words and not _NUMBERS.fullmatch(name):
        raise ValueError(f"the type {name!r}")
    if words and 4 * int(words[1]) * count > MOST_BYTES:
        raise ValueError(f"{count} words of {words[1]} letters")
    made: np.dtype[Any] = np.dtype(name)
    return made


def _numpy(data: Any) -> Any:
    array = array_from_data({"array": data["numpy"], "shape": [1], "values": [data["value"]]})
    return array[0]


def _number(data: Any) -> float:
    if data["number"] not in _NOT_FINITE:
        raise ValueError(f"the number {data['number']!r}")
    return float(data["number"])


def _dict(data: Any) -> dict[Any, Any]:
    return {value_from_data(key): value_from_data(part) for key, part in data["dict"]}


def _activation(data: Any) -> Activation:
    made = activation_from_data(data["activation"])
    return activations.TABLE[made] if isinstance(made, str) else made


def _output(data: Any) -> Output:
    made = output_from_data(data["output"])
    return outputs.TABLE[made] if isinstance(made, str) else made


def _schedule(data: Any) -> Schedule:
    return SCHEDULES[data["schedule"]](**data["settings"])


_READERS: Final[dict[str, Callable[[Any], Any]]] = {
    "tuple": lambda data: tuple(value_from_data(part) for part in data["tuple"]),
    "dict": _dict, "number": _number, "numpy": _numpy, "array": array_from_data,
    "expression": lambda data: expression_from_data(data["expression"]),
    "activation": _activation, "output": _output, "schedule": _schedule,
}  # fmt: skip
