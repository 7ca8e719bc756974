"""The command line: `layerwise train`, `layerwise diagnose`."""

from __future__ import annotations

import sys


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
        return result if isinstance(result, int) else 0
    except Exit as done:
        return done.exit_code
    except TyperException as problem:
        return _refuse(f"{problem.format_message().rstrip('.')}; see layerwise --help")
    except LayerwiseError as problem:
        return _refuse(str(problem))
    except (Abort, KeyboardInterrupt):
        print("layerwise: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:
        sys.stderr.close()  # whoever read our output has gone; there is nobody to tell
        return 141


def _refuse(message: str) -> int:
    print("layerwise: " + " ".join(message.split()), file=sys.stderr)
    return 2


def run() -> None:
    """Run a command and exit with its code."""
    sys.exit(main())
