"""Run the command line: ``python -m layerwise``."""

from .cli import run

if __name__ == "__main__":
    run()
