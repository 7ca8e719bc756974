"""One JSON object on a line, for --json."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any


def json_line(value: Any) -> str:
    """Return the value as JSON, with null for numbers that JSON cannot hold.

    >>> json_line({"loss": float("nan"), "a": (1, 2.5)})
    '{"loss": null, "a": [1, 2.5]}'
    """
    return json.dumps(_held(value), allow_nan=False)


def _held(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _held(entry) for key, entry in value.items()}
    if isinstance(value, list | tuple):
        return [_held(entry) for entry in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value if value is None or isinstance(value, int | str) else str(value)
