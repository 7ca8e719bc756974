"""The command line: `layerwise train`, `layerwise diagnose`, `layerwise inspect`."""

from __future__ import annotations

import io
import signal
import sys
import threading
from typing import Final

INTERRUPTED: Final = 130


def main(arguments: list[str] | None = None) -> int:
    """Run a command; return 0, 1 (a check failed), 2 (bad input: one line on standard error) or 130 (Ctrl-C).

    Parameters
    ----------
    arguments : list of str, optional
        Those of the process by default.
    """
    from typer.exceptions import Abort, Exit, TyperException

    from ..errors import LayerwiseError
    from .app import app

    try:
        result = app(args=arguments, prog_name="layerwise", standalone_mode=False)
        code = result if isinstance(result, int) else 0
    except Exit as done:
        code = done.exit_code
    except TyperException as problem:
        message = problem.format_message().rstrip(".")
        if not message:  # no arguments at all: the help has been printed
            return 2
        command = getattr(getattr(problem, "ctx", None), "command_path", "layerwise")
        return _refuse(f"{message}; see {command} --help")
    except LayerwiseError as problem:
        return _refuse(str(problem))
    except MemoryError as problem:
        got = str(problem) or "more than there is"
        return _refuse(f"expected data and a network that fit into memory, got {got}; use fewer units or columns")
    except OSError as problem:  # files of data and models have errors of their own, so this is about the output
        return _refuse(f"expected to be able to write the output, got {problem}; check where it goes")
    except (Abort, KeyboardInterrupt):
        code = INTERRUPTED
    if code == INTERRUPTED:  # typer makes this of Ctrl-C
        print("layerwise: interrupted", file=sys.stderr)
    return code


def _refuse(message: str) -> int:
    print("layerwise: " + " ".join(message.split()), file=sys.stderr)
    return 2


def _end(number: int, _: object) -> None:
    """End by an exception, so that nothing half-written stays."""
    sys.exit(128 + number)


def run() -> None:
    """Run a command and exit with its code."""
    if threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGTERM, _end)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors="backslashreplace")  # names may have letters that a console has not
    try:
        sys.exit(main())
    except KeyboardInterrupt:  # while still importing
        sys.exit(INTERRUPTED)
