"""What the environment says of engines, read cheaply enough to ask before every call.

``os.environ.get`` of a variable that is not set takes about a microsecond, the C library's getenv a tenth of it. Python
passes every change of ``os.environ`` on to the C library.
"""

from __future__ import annotations

import ctypes
import os

if os.name == "posix":
    #: PyDLL keeps the interpreter's lock, under which Python changes the environment.
    _getenv = ctypes.PyDLL(None).getenv
    _getenv.argtypes, _getenv.restype = (ctypes.c_char_p,), ctypes.c_char_p

    def variable(name: str) -> str | None:
        """Return the value of an environment variable, or None if it is not set."""
        value = _getenv(name.encode())
        return None if value is None else os.fsdecode(value)

    def engine_settings() -> tuple[object, object]:
        """Return LAYERWISE_ENGINE and LAYERWISE_CODE_PATH as they are: what executables are chosen by."""
        return _getenv(b"LAYERWISE_ENGINE"), _getenv(b"LAYERWISE_CODE_PATH")

else:

    def variable(name: str) -> str | None:
        """Return the value of an environment variable, or None if it is not set."""
        return os.environ.get(name)

    def engine_settings() -> tuple[object, object]:
        """Return LAYERWISE_ENGINE and LAYERWISE_CODE_PATH as they are: what executables are chosen by."""
        return os.environ.get("LAYERWISE_ENGINE"), os.environ.get("LAYERWISE_CODE_PATH")
